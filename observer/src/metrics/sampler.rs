//! The agent's part: measures this node and the replicas on it every ten seconds, has the store keep it, and tells a
//! Prometheus that asks.

use std::pin::Pin;
use std::sync::{Arc, Mutex as SyncMutex, PoisonError};
use std::time::Duration;

use bollard::Docker;
use bollard::errors::Error as EngineError;
use bollard::models::EventMessage;
use bollard::query_parameters::EventsOptionsBuilder;
use futures_util::{Stream, StreamExt as _};
use skypanel_core::clock::Clock;
use skypanel_core::{Error, Result};
use tokio::sync::Mutex;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::collector::{Apps, Collector, SamplerOptions};
use super::counters::Measured;
use super::listener;
use super::readings::readings;
use super::store::{INTERVAL, Writer};

/// How often it is looked for what has to go: apps that were destroyed, replicas that are long gone.
const SWEEP: Duration = Duration::from_mins(10);
/// Longest that the database may take to tell which apps are gone.
const LIMIT: Duration = Duration::from_secs(10);

/// Measures a node.
pub struct Sampler {
    engine: Docker,
    options: SamplerOptions,
    apps: Arc<dyn Apps>,
    clock: Clock,
    writer: Arc<SyncMutex<Writer>>,
    collector: Arc<Mutex<Collector>>,
    before: Option<Arc<Measured>>,
    swept: Option<Instant>,
}

type Events = Pin<Box<dyn Stream<Item = Result<EventMessage, EngineError>> + Send>>;

impl Sampler {
    /// A sampler of the node that `engine` runs on.
    pub fn new(engine: Docker, writer: Writer, apps: Arc<dyn Apps>, clock: Clock, options: SamplerOptions) -> Self {
        let collector = Collector::new(engine.clone(), apps.clone(), clock.clone(), options.clone());
        Self {
            engine,
            options,
            apps,
            clock,
            writer: Arc::new(SyncMutex::new(writer)),
            collector: Arc::new(Mutex::new(collector)),
            before: None,
            swept: None,
        }
    }

    /// Measures until cancelled.
    pub async fn run(self, cancel: CancellationToken) {
        let (collector, listen) = (self.collector.clone(), self.options.listen);
        tokio::join!(self.follow(&cancel), async {
            if let Some(address) = listen {
                listener::serve(address, collector, &cancel).await;
            }
        });
    }

    async fn follow(mut self, cancel: &CancellationToken) {
        let now = self.clock.now().timestamp();
        self.write(move |writer| writer.make_up(now)).await;
        let filters = self.collector.lock().await.filters();
        let mut events: Option<Events> = None;
        loop {
            let following = events.is_some();
            tokio::select! {
                () = cancel.cancelled() => return,
                event = next(&mut events), if following => {
                    if let Some(Ok(event)) = event {
                        let id = event.actor.and_then(|actor| actor.id);
                        self.collector.lock().await.changed(id.as_deref());
                    } else {
                        // What happens unseen is looked for at the next step.
                        events = None;
                    }
                    continue;
                }
                () = tokio::time::sleep(self.until_next()) => {}
            }
            if events.is_none() {
                let options = EventsOptionsBuilder::new().filters(&filters).build();
                events = Some(Box::pin(self.engine.events(Some(options))));
                self.collector.lock().await.changed(None);
            }
            tokio::select! {
                () = cancel.cancelled() => return,
                () = self.sample() => {}
            }
        }
    }

    /// Until the next step begins. However the clock jumps, that is not long.
    fn until_next(&self) -> Duration {
        let step = i64::from(INTERVAL) * 1_000;
        let left = step - self.clock.now().timestamp_millis().rem_euclid(step);
        Duration::from_millis(left.unsigned_abs())
    }

    /// Measures once and keeps it.
    async fn sample(&mut self) {
        let (measured, readings) = {
            let mut collector = self.collector.lock().await;
            let measured = collector.measure().await;
            let of = |node| readings(self.before.as_deref(), &measured, node, collector.ids());
            let readings = collector.node().map(of);
            (measured, readings)
        };
        // The step that ends now.
        let middle = measured.at.timestamp() - i64::from(INTERVAL) / 2;
        let slot = u32::try_from(middle / i64::from(INTERVAL)).unwrap_or(0);
        self.before = Some(measured);
        if let Some(readings) = readings {
            self.write(move |writer| writer.append(slot, &readings)).await;
        }
        if self.swept.is_none_or(|at| at.elapsed() >= SWEEP) {
            self.swept = Some(Instant::now());
            self.sweep().await;
        }
    }

    /// Removes what is of nothing that there is.
    async fn sweep(&self) {
        let Some(kept) = self.write(|writer| writer.apps()).await else { return };
        match tokio::time::timeout(LIMIT, self.apps.gone(&kept)).await {
            Ok(Ok(gone)) => {
                self.write(move |writer| gone.into_iter().try_for_each(|app| writer.remove(app))).await;
            }
            Ok(Err(error)) => tracing::debug!(%error, "it is not known which apps are gone"),
            Err(_) => tracing::debug!("it is not known which apps are gone"),
        }
        self.write(Writer::remove_aged).await;
    }

    /// Has the writer do something; none where that failed, which is told.
    async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Writer) -> std::io::Result<T> + Send + 'static,
    ) -> Option<T> {
        let writer = self.writer.clone();
        let done = tokio::task::spawn_blocking(move || {
            work(&mut writer.lock().unwrap_or_else(PoisonError::into_inner))
                .map_err(|error| Error::System(format!("The measurements cannot be written: {error}.")))
        });
        match done.await {
            Ok(Ok(done)) => Some(done),
            Ok(Err(error)) => {
                tracing::warn!(%error, "measurements are lost");
                None
            }
            Err(error) => {
                tracing::error!(%error, "writing the measurements broke down");
                None
            }
        }
    }
}

async fn next(events: &mut Option<Events>) -> Option<Result<EventMessage, EngineError>> {
    events.as_mut()?.next().await
}

//! The forwarding of one drain: batch by batch, each until it was taken.

use std::sync::Arc;
use std::time::Duration;

use skypanel_core::logs::{LogLevel, LogRecord};
use skypanel_core::model::DrainKind;
use skypanel_core::store::OpenDrain;
use skypanel_core::{Error, Result};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::Parts;
use super::https;
use super::syslog::Syslog;

/// Lines, and bytes of their text, handed over at once; the last line may go beyond that.
const LINES: usize = 500;
const BYTES: usize = 512 * 1024;
/// Longest handing them over may take.
const LIMIT: Duration = Duration::from_secs(30);
/// Lines let gather before they are handed over.
const GATHER: Duration = Duration::from_millis(250);
/// How often it is looked for lines when nothing was heard of.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// First and longest pause after a failure.
const AGAIN_AFTER: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
/// How often it is written down that a drain still fails.
const NOTE_EVERY: Duration = Duration::from_secs(60);

/// What came of handing lines over.
pub(super) enum Outcome {
    /// It has the lines.
    Taken,
    /// It will never take them, for this reason.
    Refused(String),
    /// They are too many at once.
    TooMany(String),
    /// It may take them later.
    Failed(String),
}

/// What lines say of where they are from.
pub(super) struct Origin<'a> {
    pub(super) app: &'a str,
    pub(super) node: &'a str,
}

struct Forwarding {
    parts: Arc<Parts>,
    drain: OpenDrain,
    /// The connection, of syslog.
    syslog: Option<Syslog>,
    /// Number of the last line that was dealt with.
    place: Option<u64>,
    /// Lines that were refused since it took some.
    refused: u64,
    /// Most lines at once that it is thought to take.
    most: usize,
    is_failing: bool,
    noted: Option<Instant>,
}

pub(super) async fn run(parts: Arc<Parts>, drain: OpenDrain, stop: CancellationToken) {
    let Some(mut grown) = parts.logs.appended(drain.app) else { return };
    let place = parts.positions.lock().await.get(drain.id.0);
    let is_failing = drain.is_failing;
    let mut forwarding =
        Forwarding { parts, drain, syslog: None, place, refused: 0, most: LINES, is_failing, noted: None };
    let work = async {
        let mut pause = AGAIN_AFTER.0;
        loop {
            match forwarding.forward().await {
                Ok(true) => pause = AGAIN_AFTER.0,
                Ok(false) => {
                    pause = AGAIN_AFTER.0;
                    if timeout(LOOK_EVERY, grown.changed()).await.is_ok() {
                        sleep(GATHER).await;
                    }
                }
                Err(error) => {
                    tracing::debug!(%error, drain = %forwarding.drain.id, "lines wait for their drain");
                    sleep(pause).await;
                    pause = (pause * 2).min(AGAIN_AFTER.1);
                }
            }
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = work => {}
    }
}

impl Forwarding {
    /// Forwards some lines; answers whether there may be more at once.
    async fn forward(&mut self) -> Result<bool> {
        let app = self.drain.app;
        if self.place.is_none() {
            // A new one begins with what is written from its making on.
            self.place = self.parts.logs.place_before(app, self.drain.since).await?;
        }
        let mut ahead = self.parts.logs.ahead(app, self.place, self.most).await?;
        ahead.cut(BYTES);
        let mut records: Vec<LogRecord> = Vec::with_capacity(ahead.lines.len() + 2);
        if let Some((_, next)) = ahead.lines.first() {
            let mut say = |text| records.push(LogRecord::system(next.record.at, LogLevel::Warn, text));
            if ahead.lost > 0 {
                say(format!(
                    "{} lines before this one were removed before they could be forwarded: this drain could not be reached \
                     for too long.",
                    ahead.lost
                ));
            }
            if self.refused > 0 {
                say(format!("{} lines before this one were refused by this drain.", self.refused));
            }
        }
        let lines = ahead.lines.len();
        records.extend(ahead.lines.into_iter().map(|(_, line)| line.record));
        if !records.is_empty() {
            let outcome = timeout(LIMIT, self.deliver(&records)).await;
            let outcome = outcome.unwrap_or_else(|_| Ok(Outcome::Failed("It does not take lines in time.".to_owned())));
            match outcome? {
                Outcome::TooMany(_) if lines > 1 => {
                    self.most = lines / 2;
                    return Ok(true);
                }
                Outcome::Taken => {
                    self.refused = 0;
                    self.most = self.most.saturating_mul(2).min(LINES);
                    self.note(None).await?;
                }
                Outcome::Refused(why) | Outcome::TooMany(why) => {
                    self.refused = self.refused.saturating_add(lines as u64);
                    self.note(Some(&why)).await?;
                }
                Outcome::Failed(why) => {
                    self.note(Some(&why)).await?;
                    return Err(Error::Upstream(why));
                }
            }
        }
        self.place = ahead.place;
        if let Some(place) = ahead.place {
            self.parts.positions.lock().await.set(self.drain.id.0, place);
        }
        Ok(ahead.has_more)
    }

    async fn deliver(&mut self, records: &[LogRecord]) -> Result<Outcome> {
        // Each connection goes by the settings of its time.
        let settings = self.parts.store.settings().await?;
        let http = self.parts.client.clone().allowing(settings.network_allowed);
        let origin = Origin { app: self.drain.slug.as_str(), node: &self.parts.node };
        if self.drain.address.kind == DrainKind::Https {
            return Ok(https::post(&http, &self.drain.address, &origin, records).await);
        }
        let connection = match self.syslog.take() {
            Some(connection) => Ok(connection),
            None => Syslog::connect(&http, &self.drain.address).await,
        };
        let mut connection = match connection {
            Ok(connection) => connection,
            Err(why) => return Ok(Outcome::Failed(why)),
        };
        let outcome = connection.send(&origin, records).await;
        // Of one that failed, or took too long, it is not known what the other side has.
        self.syslog = matches!(outcome, Outcome::Taken).then_some(connection);
        Ok(outcome)
    }

    /// Writes down that the drain works, or why not: when that changes, and now and then.
    async fn note(&mut self, why: Option<&str>) -> Result<()> {
        let is_due = why.is_some() && self.noted.is_none_or(|noted| noted.elapsed() >= NOTE_EVERY);
        if why.is_some() == self.is_failing && !is_due {
            return Ok(());
        }
        self.parts.store.note_log_drain(self.drain.id, why, self.parts.clock.now()).await?;
        (self.is_failing, self.noted) = (why.is_some(), Some(Instant::now()));
        Ok(())
    }
}

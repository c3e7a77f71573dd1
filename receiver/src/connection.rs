//! One connection: a loop that owns who the client is, its channels' tasks and its time limits.

use std::net::SocketAddr;
use std::sync::Arc;

use russh::Disconnect;
use russh::server::{Config, Handle, run_stream};
use skypanel_core::request;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use crate::client::Client;
use crate::handler::{Callbacks, Event};
use crate::server::Place;
use crate::stream::EndableStream;
use crate::{Shared, channel};

/// Serves one client to its end.
pub(crate) async fn serve(shared: Arc<Shared>, config: Arc<Config>, stream: TcpStream, peer: SocketAddr, place: Place) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%peer, %error, "the client was gone at once");
        return;
    }
    // Whatever ends this function ends the library's task, too.
    let end = CancellationToken::new();
    let _ends_with_this = end.clone().drop_guard();
    let (sender, events) = mpsc::channel(4);
    let stream = EndableStream::new(stream, end);
    let callbacks = Callbacks::new(Arc::clone(&shared), sender, peer.ip().to_canonical());
    let deadline = Instant::now() + shared.limits.auth_time;
    let session = match timeout(shared.limits.auth_time, run_stream(config, stream, callbacks)).await {
        Ok(Ok(session)) => session,
        Ok(Err(error)) => return tracing::debug!(%peer, %error, "no SSH client"),
        Err(_) => return tracing::debug!(%peer, "the client did not speak in time"),
    };
    let connection = Connection {
        handle: session.handle(),
        shared,
        peer,
        place,
        client: None,
        channels: JoinSet::new(),
        auth_deadline: deadline,
        opened: Instant::now(),
        busy_until: Instant::now(),
        id: request::new_id(),
    };
    tokio::select! {
        () = connection.run(events) => {}
        result = session => if let Err(error) = result {
            tracing::debug!(%peer, %error, "the connection ended");
        }
    }
}

struct Connection {
    handle: Handle,
    shared: Arc<Shared>,
    peer: SocketAddr,
    place: Place,
    client: Option<Arc<Client>>,
    channels: JoinSet<()>,
    auth_deadline: Instant,
    opened: Instant,
    /// When the last channel ended.
    busy_until: Instant,
    /// Of this session in the log, the audit log and the jobs that follow from it.
    id: String,
}

impl Connection {
    async fn run(mut self, mut events: mpsc::Receiver<Event>) {
        let limits = self.shared.limits;
        loop {
            let idle = self.channels.is_empty();
            tokio::select! {
                event = events.recv() => match event {
                    Some(event) => self.handle_event(event),
                    None => return,
                },
                Some(_) = self.channels.join_next(), if !idle => self.busy_until = Instant::now(),
                () = sleep_until(self.auth_deadline), if self.client.is_none() => {
                    return self.disconnect("You took too long to authenticate.").await;
                }
                () = sleep_until(self.busy_until + limits.idle_time), if idle && self.client.is_some() => {
                    return self.disconnect("The connection was idle for too long.").await;
                }
                () = sleep_until(self.opened + limits.total_time) => {
                    return self.disconnect("The connection was open for too long. Connect again.").await;
                }
                () = self.shared.stopping.cancelled() => return self.stop().await,
            }
        }
    }

    fn handle_event(&mut self, event: Event) {
        match event {
            Event::Authenticated(mut actor, proof) => {
                actor.request_id = Some(self.id.clone());
                tracing::debug!(request_id = self.id, peer = %self.peer, user = ?actor.user_id(), via = %actor.via, "authenticated");
                self.place.authenticated();
                self.client = Some(Arc::new(Client::new(actor, proof)));
                self.busy_until = Instant::now();
            }
            Event::Channel(opened) => {
                let Some(client) = &self.client else { return };
                if self.channels.len() >= self.shared.limits.channels {
                    // Dropping it is no answer to the client, so it is closed.
                    let handle = self.handle.clone();
                    self.channels.spawn(async move {
                        let _ = handle.close(opened.id()).await;
                    });
                    return;
                }
                let work = channel::serve(Arc::clone(&self.shared), Arc::clone(client), self.handle.clone(), opened);
                let span = tracing::info_span!("session", request_id = self.id, peer = %self.peer);
                self.channels.spawn(request::within(self.id.clone(), work.instrument(span)));
            }
        }
    }

    /// Commands see that Skypanel stops and end by themselves; the others are cut off.
    async fn stop(mut self) {
        let all = async { while self.channels.join_next().await.is_some() {} };
        let _ = timeout(self.shared.limits.shutdown_time, all).await;
        self.disconnect("Skypanel is stopping.").await;
    }

    async fn disconnect(&mut self, reason: &str) {
        tracing::debug!(peer = %self.peer, reason, "ending the connection");
        let farewell = self.handle.disconnect(Disconnect::ByApplication, reason.to_owned(), String::new());
        // The message needs a moment to get out before the stream is ended below it.
        let told = async {
            let _ = farewell.await;
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        };
        let _ = timeout(std::time::Duration::from_secs(2), told).await;
    }
}

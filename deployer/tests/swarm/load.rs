//! Requests through the edge: single ones, and a constant load that counts what fails.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

const LIMIT: Duration = Duration::from_secs(10);

/// Sends one request; answers status and body.
pub(crate) async fn get(edge: SocketAddr, host: &str) -> std::io::Result<(u16, String)> {
    let mut stream = TcpStream::connect(edge).await?;
    exchange(&mut stream, host, true).await
}

async fn exchange(stream: &mut TcpStream, host: &str, close: bool) -> std::io::Result<(u16, String)> {
    let bad = |what: &str| std::io::Error::other(what.to_owned());
    let work = async {
        let connection = if close { "Connection: close\r\n" } else { "" };
        let request = format!("GET / HTTP/1.1\r\nHost: {host}\r\n{connection}\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut bytes = Vec::new();
        loop {
            let mut piece = [0; 4096];
            let read = stream.read(&mut piece).await?;
            if read == 0 {
                return Err(bad("closed before the answer's end"));
            }
            bytes.extend_from_slice(&piece[..read]);
            let text = String::from_utf8_lossy(&bytes);
            let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
            let length = head.lines().find_map(|line| {
                line.to_ascii_lowercase().strip_prefix("content-length:").and_then(|length| length.trim().parse().ok())
            });
            if body.len() >= length.unwrap_or(0usize) {
                let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
                return Ok((status.ok_or_else(|| bad("no status"))?, body.to_owned()));
            }
        }
    };
    tokio::time::timeout(LIMIT, work).await.map_err(|_| bad("no answer in time"))?
}

/// Clients that ask without a pause.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicU64>,
    clients: JoinSet<Vec<String>>,
}

impl Load {
    /// Starts `clients`, each with a connection that it keeps or a new one for each request.
    pub(crate) fn start(edge: SocketAddr, host: &str, clients: usize, keep: bool) -> Self {
        let (stop, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let mut set = JoinSet::new();
        for _ in 0..clients {
            let (stop, answered, host) = (Arc::clone(&stop), Arc::clone(&answered), host.to_owned());
            set.spawn(async move {
                let mut failures = Vec::new();
                let mut kept = None;
                while !stop.load(Ordering::Relaxed) {
                    let outcome = async {
                        let mut stream = match kept.take() {
                            Some(stream) => stream,
                            None => TcpStream::connect(edge).await?,
                        };
                        let answer = exchange(&mut stream, &host, !keep).await?;
                        Ok::<_, std::io::Error>((stream, answer))
                    };
                    match outcome.await {
                        Ok((stream, (200, _))) => {
                            answered.fetch_add(1, Ordering::Relaxed);
                            kept = keep.then_some(stream);
                        }
                        Ok((_, (status, body))) => failures.push(format!("{status} {body}")),
                        Err(error) => failures.push(error.to_string()),
                    }
                }
                failures
            });
        }
        Self { stop, answered, clients: set }
    }

    /// Ends the load; answers how many requests went well, and how the others did not.
    pub(crate) async fn stop(mut self) -> (u64, Vec<String>) {
        self.stop.store(true, Ordering::Relaxed);
        let mut failures = Vec::new();
        while let Some(client) = self.clients.join_next().await {
            failures.extend(client.expect("does not panic"));
        }
        (self.answered.load(Ordering::Relaxed), failures)
    }
}

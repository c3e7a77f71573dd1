//! An app's page, as a visitor gets it: through the edge, over a connection of its own for every request.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::Result;
use crate::process::Running;

/// Pause between two requests; together with a request's own few milliseconds the error of every time to live.
const ASK_EVERY: Duration = Duration::from_millis(8);
/// Swarm lets an old task be for some two seconds before it tells it to stop, then it drains for three, then goes.
const SETTLED: Duration = Duration::from_secs(7);
const SETTLE_LIMIT: Duration = Duration::from_secs(30);
const REQUEST_LIMIT: Duration = Duration::from_secs(5);

/// The page of one app.
#[derive(Clone)]
pub(crate) struct Page {
    pub(crate) edge_port: u16,
    pub(crate) slug: String,
}

/// How long after the start of a command its effect was seen, and when the command itself ended.
pub(crate) struct Timed {
    pub(crate) live: Duration,
    pub(crate) returned: Duration,
}

impl Page {
    pub(crate) fn host(&self) -> String {
        format!("{}.localhost", self.slug)
    }

    /// One request: the status and the body.
    pub(crate) fn fetch(&self) -> io::Result<(u16, String)> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.edge_port));
        let mut stream = TcpStream::connect_timeout(&address, REQUEST_LIMIT)?;
        stream.set_read_timeout(Some(REQUEST_LIMIT))?;
        stream.set_nodelay(true)?;
        let request = format!("GET / HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.host());
        stream.write_all(request.as_bytes())?;
        let mut answer = String::new();
        stream.take(1 << 20).read_to_string(&mut answer)?;
        parse(&answer).ok_or_else(|| io::ErrorKind::InvalidData.into())
    }

    /// Waits until the page has been nothing but `text` for as long as the tasks before it are given to drain: the
    /// next measurement then meets a machine that does nothing else, as a developer's next push does.
    pub(crate) fn settle(&self, text: &str) -> Result<()> {
        let begun = Instant::now();
        let mut since = begun;
        while since.elapsed() < SETTLED {
            if !self.fetch().is_ok_and(|(status, body)| status == 200 && body.contains(text)) {
                since = Instant::now();
            }
            if begun.elapsed() > SETTLE_LIMIT {
                return Err(format!("http://{} did not come to rest at {text:?}", self.host()).into());
            }
            crate::process::pause(Duration::from_millis(50))?;
        }
        Ok(())
    }

    /// Starts asking until the page answers with `text`.
    fn watch(&self, text: &str) -> Watch {
        let give_up = Arc::new(AtomicBool::new(false));
        let (page, text, asked_to_stop) = (self.clone(), text.to_owned(), Arc::clone(&give_up));
        let seen = std::thread::spawn(move || {
            while !asked_to_stop.load(Ordering::Relaxed) {
                if page.fetch().is_ok_and(|(status, body)| status == 200 && body.contains(&text)) {
                    return Some(Instant::now());
                }
                std::thread::sleep(ASK_EVERY);
            }
            None
        });
        Watch { give_up, seen: Some(seen) }
    }

    /// Runs a command while asking for the page, until it has succeeded and the page shows `text`.
    pub(crate) fn time(&self, start: impl FnOnce() -> Result<Running>, text: &str, limit: Duration) -> Result<Timed> {
        let watch = self.watch(text);
        let running = start()?;
        let started = running.started();
        let ended = running.succeed(limit)?;
        let seen = watch.wait(limit.saturating_sub(ended.took))?.ok_or_else(|| {
            format!("http://{} did not show {text:?} within {} s of a successful command", self.host(), limit.as_secs())
        })?;
        Ok(Timed { live: seen.duration_since(started), returned: ended.took })
    }
}

struct Watch {
    give_up: Arc<AtomicBool>,
    seen: Option<JoinHandle<Option<Instant>>>,
}

impl Watch {
    /// When the text was seen, if that happens within the limit.
    fn wait(mut self, limit: Duration) -> Result<Option<Instant>> {
        let until = Instant::now() + limit;
        let Some(seen) = self.seen.take() else { return Ok(None) };
        while !seen.is_finished() && Instant::now() < until {
            crate::process::pause(Duration::from_millis(5))?;
        }
        self.give_up.store(true, Ordering::Relaxed);
        seen.join().map_err(|_| "the page's watcher broke down".into())
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.give_up.store(true, Ordering::Relaxed);
    }
}

/// Status and body of an answer that ended with its connection.
fn parse(answer: &str) -> Option<(u16, String)> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some((status, body.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn an_answer_is_taken_apart() {
        let answer = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nhi\n";
        assert_eq!(parse(answer), Some((200, "hi\n".to_owned())));
        assert_eq!(parse("HTTP/1.1 200 OK\r\n"), None);
    }
}

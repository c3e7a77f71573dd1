//! A client of the API that keeps its connections, as a dashboard and a script do, and counts every answer.

use std::io::{self, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::Result;
use crate::process::check_interrupt;

const LIMIT: Duration = Duration::from_secs(10);
const MAX_BODY: u64 = 16 << 20;

/// Somebody who asks the API, by a token.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) port: u16,
    pub(crate) token: &'static str,
}

/// A connection that is kept for as long as the server keeps it.
pub(crate) struct Kept<'a> {
    caller: &'a Caller,
    stream: Option<BufReader<TcpStream>>,
}

/// How long requests took, each of which was answered as it should, and all of them together.
pub(crate) struct Taken {
    pub(crate) each_ms: Vec<f64>,
    pub(crate) all: Duration,
}

impl Caller {
    pub(crate) fn connect(&self) -> Kept<'_> {
        Kept { caller: self, stream: None }
    }

    /// Asks for `paths` in turns, `requests` in all, over so many connections at once.
    pub(crate) fn load(&self, paths: &[String], connections: usize, requests: usize) -> Result<Taken> {
        let next = AtomicUsize::new(0);
        let started = Instant::now();
        let outcomes: Vec<Result<Vec<f64>>> = std::thread::scope(|scope| {
            let clients: Vec<_> =
                (0..connections).map(|_| scope.spawn(|| self.ask_in_turns(paths, &next, requests))).collect();
            clients
                .into_iter()
                .map(|client| client.join().unwrap_or_else(|_| Err("a client broke down".into())))
                .collect()
        });
        let all = started.elapsed();
        let mut each_ms = Vec::with_capacity(requests);
        for outcome in outcomes {
            each_ms.extend(outcome?);
        }
        Ok(Taken { each_ms, all })
    }

    fn ask_in_turns(&self, paths: &[String], next: &AtomicUsize, requests: usize) -> Result<Vec<f64>> {
        let mut connection = self.connect();
        let mut each_ms = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= requests {
                return Ok(each_ms);
            }
            check_interrupt()?;
            let path = &paths[number % paths.len()];
            let started = Instant::now();
            connection.get(path)?;
            each_ms.push(started.elapsed().as_secs_f64() * 1e3);
        }
    }
}

impl Kept<'_> {
    /// The body of a successful answer.
    pub(crate) fn get(&mut self, path: &str) -> Result<Vec<u8>> {
        let kept = self.stream.is_some();
        let answered = match self.exchange(path) {
            // The server closes connections that were kept for long, maybe just as we ask.
            Err(_) if kept => {
                self.stream = None;
                self.exchange(path)
            }
            other => other,
        };
        match answered {
            Ok((200, body)) => Ok(body),
            Ok((status, body)) => Err(format!("{path} answered {status}: {}", String::from_utf8_lossy(&body)).into()),
            Err(error) => Err(format!("{path}: {error}").into()),
        }
    }

    fn exchange(&mut self, path: &str) -> io::Result<(u16, Vec<u8>)> {
        let mut stream = if let Some(stream) = self.stream.take() {
            stream
        } else {
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.caller.port));
            let stream = TcpStream::connect_timeout(&address, LIMIT)?;
            stream.set_read_timeout(Some(LIMIT))?;
            stream.set_nodelay(true)?;
            BufReader::new(stream)
        };
        let token = self.caller.token;
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n");
        stream.get_mut().write_all(request.as_bytes())?;
        let head = head(&mut stream)?;
        let mut body = Vec::new();
        (&mut stream).take(head.length.min(MAX_BODY)).read_to_end(&mut body)?;
        if head.kept {
            self.stream = Some(stream);
        }
        Ok((head.status, body))
    }
}

/// What counts of an answer's head.
#[derive(Debug, PartialEq, Eq)]
struct Head {
    status: u16,
    length: u64,
    kept: bool,
}

fn head(stream: &mut impl io::BufRead) -> io::Result<Head> {
    let wrong = || io::Error::from(io::ErrorKind::InvalidData);
    let mut line = String::new();
    stream.read_line(&mut line)?;
    let status = line.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or_else(wrong)?;
    let (mut length, mut kept) = (None, true);
    loop {
        line.clear();
        stream.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().ok();
        } else if name.eq_ignore_ascii_case("connection") {
            kept = !value.trim().eq_ignore_ascii_case("close");
        }
    }
    Ok(Head { status, length: length.ok_or_else(wrong)?, kept })
}

#[cfg(test)]
mod tests {
    use super::{Head, head};

    #[test]
    fn an_answer_says_whether_its_connection_is_kept() {
        let mut answer = &b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi"[..];
        assert_eq!(head(&mut answer).expect("is one"), Head { status: 200, length: 2, kept: false });
        assert_eq!(answer, b"hi");
        let mut answer = &b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n"[..];
        assert_eq!(head(&mut answer).expect("is one"), Head { status: 404, length: 0, kept: true });
        assert!(head(&mut &b"HTTP/1.1 200 OK\r\n\r\n"[..]).is_err(), "its end is not known");
    }
}

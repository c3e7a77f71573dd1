//! HTTP/1.1 through the edge, with nothing in between that would retry or follow.

use std::fmt::Write as _;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(20);

/// An answer.
#[derive(Clone, Debug)]
pub struct Response {
    /// Status code.
    pub status: u16,
    /// Header fields, names in lower case.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: Vec<u8>,
}

impl Response {
    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// A header field's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// A connection that is kept alive from request to request.
pub struct Connection(BufReader<TcpStream>);

impl Connection {
    /// Connects to a port of this machine.
    pub fn open(port: u16) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&(Ipv4Addr::LOCALHOST, port).into(), LIMIT)?;
        stream.set_read_timeout(Some(LIMIT))?;
        stream.set_write_timeout(Some(LIMIT))?;
        stream.set_nodelay(true)?;
        Ok(Self(BufReader::new(stream)))
    }

    /// GET.
    pub fn get(&mut self, host: &str, path: &str) -> io::Result<Response> {
        self.send("GET", host, path, &[], b"")
    }

    /// Any request, with header fields beside the usual ones.
    pub fn send(
        &mut self,
        method: &str,
        host: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> io::Result<Response> {
        let mut request = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: skypanel-e2e\r\n");
        if !body.is_empty() {
            let _ = write!(request, "Content-Length: {}\r\n", body.len());
        }
        for (name, value) in headers {
            let _ = write!(request, "{name}: {value}\r\n");
        }
        request.push_str("\r\n");
        self.0.get_mut().write_all(&[request.as_bytes(), body].concat())?;
        self.response()
    }

    fn response(&mut self) -> io::Result<Response> {
        let line = self.line()?;
        let status = line.split(' ').nth(1).and_then(|code| code.parse().ok()).ok_or_else(|| bad(&line))?;
        let mut headers = Vec::new();
        loop {
            let line = self.line()?;
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(':').ok_or_else(|| bad(&line))?;
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let mut response = Response { status, headers, body: Vec::new() };
        if response.header("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")) {
            loop {
                let line = self.line()?;
                let length = usize::from_str_radix(line.trim(), 16).map_err(|_| bad(&line))?;
                self.append(&mut response.body, length)?;
                self.line()?;
                if length == 0 {
                    return Ok(response);
                }
            }
        }
        if let Some(length) = response.header("content-length") {
            let length = length.parse().map_err(|_| bad(length))?;
            self.append(&mut response.body, length)?;
        } else if status >= 200 && status != 204 && status != 304 {
            self.0.read_to_end(&mut response.body)?;
        }
        Ok(response)
    }

    fn append(&mut self, body: &mut Vec<u8>, length: usize) -> io::Result<()> {
        let start = body.len();
        body.resize(start + length, 0);
        self.0.read_exact(&mut body[start..])
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if self.0.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(line.trim_end_matches(['\r', '\n']).to_owned())
    }
}

fn bad(line: &str) -> io::Error {
    io::Error::other(format!("not HTTP: {line:?}"))
}

/// What a load met.
#[derive(Clone, Debug, Default)]
pub struct Served {
    /// Requests made.
    pub requests: usize,
    /// What went wrong, one line a failed request.
    pub failures: Vec<String>,
    /// Different bodies, in the order they were first seen.
    pub bodies: Vec<String>,
}

/// Requests to one host from several clients until it is stopped, half of them over kept-alive connections.
pub struct Load {
    stop: Arc<AtomicBool>,
    clients: Vec<JoinHandle<Served>>,
}

impl Load {
    /// Starts `clients` clients, each with a pause of `pause` between two requests.
    pub fn start(port: u16, host: &str, path: &str, clients: usize, pause: Duration) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let clients = (0..clients)
            .map(|number| {
                let (stop, host, path) = (Arc::clone(&stop), host.to_owned(), path.to_owned());
                thread::spawn(move || client(port, &host, &path, number % 2 == 0, pause, &stop))
            })
            .collect();
        Self { stop, clients }
    }

    /// Stops it and tells what it met.
    ///
    /// # Panics
    /// When a client panicked.
    pub fn stop(self) -> Served {
        self.stop.store(true, Ordering::Relaxed);
        let mut all = Served::default();
        for client in self.clients {
            let served = client.join().expect("a client of the load ends");
            all.requests += served.requests;
            all.failures.extend(served.failures);
            for body in served.bodies {
                if !all.bodies.contains(&body) {
                    all.bodies.push(body);
                }
            }
        }
        all
    }
}

fn client(port: u16, host: &str, path: &str, keep: bool, pause: Duration, stop: &AtomicBool) -> Served {
    let mut served = Served::default();
    let mut kept = None;
    while !stop.load(Ordering::Relaxed) {
        let answer = match kept.take().map_or_else(|| Connection::open(port), Ok) {
            Ok(mut connection) => connection.get(host, path).inspect(|_| kept = keep.then_some(connection)),
            Err(error) => Err(error),
        };
        served.requests += 1;
        match answer {
            Ok(response) if response.status == 200 => {
                let body = response.text();
                if !served.bodies.contains(&body) {
                    served.bodies.push(body);
                }
            }
            Ok(response) => served.failures.push(format!("{} {}", response.status, response.text().trim())),
            Err(error) => served.failures.push(error.to_string()),
        }
        thread::sleep(pause);
    }
    served
}

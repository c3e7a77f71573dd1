//! One probe of the app's port, over plain HTTP or TCP, bounded in time and in bytes whatever the app answers.

use super::{excerpt, statuses::Statuses};
use std::{
    io::{self, Read as _, Write as _},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream},
    time::{Duration, Instant},
};

/// The path that is asked for where the app has not chosen one.
const DEFAULT_PATH: &str = "/health";

/// A status line that is longer than this is none.
const MAX_STATUS_LINE: usize = 4 << 10;

/// What is read of the rest of an answer, so that the app does not see its connection reset.
const COURTESY_BYTES: usize = 64 << 10;
const COURTESY_TIME: Duration = Duration::from_millis(20);
/// The same for an answer that is to be told of.
const EXCERPT_TIME: Duration = Duration::from_millis(200);
/// What is kept of an answer.
const EXCERPT_BYTES: usize = 16 << 10;

/// What counts as healthy.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// HTTP when the path answers below 400; any other answer falls back to "the port is open".
    Auto(String),
    /// The path has to answer with an expected status.
    Http(String),
    /// The port is open.
    Tcp,
}

impl Mode {
    /// Reads `auto[:/path]`, `http:/path` or `tcp`; nothing at all means `auto`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (name, path) = match text.split_once(':') {
            Some((name, path)) => (name, Some(path)),
            None => (text, None),
        };
        if path.is_some_and(|path| !path.starts_with('/') || !is_header_safe(path)) {
            return None;
        }
        match (name, path) {
            ("" | "auto", None) => Some(Self::Auto(DEFAULT_PATH.into())),
            ("auto", Some(path)) => Some(Self::Auto(path.into())),
            ("http", Some(path)) => Some(Self::Http(path.into())),
            ("tcp", None) => Some(Self::Tcp),
            _ => None,
        }
    }
}

/// Whether the text can stand in a request without ending its line or its field.
pub(super) fn is_header_safe(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic() || byte >= 0x80)
}

/// What is probed.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) port: u16,
    /// The request's `Host`.
    pub(super) host: String,
    pub(super) mode: Mode,
    /// Statuses that are healthy.
    pub(super) expected: Statuses,
}

/// What came back on an open connection.
enum Answer {
    Status(u16),
    /// One that is not expected, and the beginning of what was said with it, which may be empty.
    Unexpected(u16, String),
    /// Something that is not HTTP, in words.
    NotHttp(&'static str),
    Silence,
}

/// Why the target is not healthy.
#[derive(Debug)]
pub(super) struct Unhealthy {
    /// In words.
    pub(super) reason: String,
    /// Whether all that was found is that the time was too short for an answer.
    pub(super) out_of_time: bool,
}

impl From<String> for Unhealthy {
    fn from(reason: String) -> Self {
        Self { reason, out_of_time: false }
    }
}

/// Probes the target within `limit` and says in words what was found: healthy (`Ok`) or not (`Err`).
pub(super) fn probe(target: &Target, limit: Duration) -> Result<String, Unhealthy> {
    let deadline = Instant::now() + limit;
    let port = target.port;
    let mut stream = connect(port, deadline)?;
    let (path, strict) = match &target.mode {
        Mode::Tcp => return Ok(format!("port {port} is open")),
        Mode::Auto(path) => (path, false),
        Mode::Http(path) => (path, true),
    };
    match (ask(&mut stream, target, path, deadline), strict) {
        (Answer::Status(status), _) => Ok(format!("GET {path} answered {status}")),
        (Answer::Unexpected(status, _), false) => Ok(format!("port {port} is open (GET {path} answered {status})")),
        (Answer::NotHttp(what), false) => Ok(format!("port {port} is open (GET {path}: {what})")),
        (Answer::Unexpected(status, said), true) => {
            let said = if said.is_empty() { said } else { format!(": {said}") };
            Err(format!("GET {path} answered {status}, where {} is healthy{said}", target.expected).into())
        }
        (Answer::NotHttp(what), true) => Err(format!("GET {path} on port {port}: {what}").into()),
        (Answer::Silence, _) => {
            Err(Unhealthy { reason: format!("GET {path} on port {port}: no answer in time"), out_of_time: true })
        }
    }
}

/// Whether something accepts connections to the port.
pub(super) fn is_open(port: u16, limit: Duration) -> bool {
    connect(port, Instant::now() + limit).is_ok()
}

fn connect(port: u16, deadline: Instant) -> Result<TcpStream, Unhealthy> {
    let mut reason = None;
    for host in [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)] {
        let Some(left) = time_left(deadline) else { break };
        match TcpStream::connect_timeout(&SocketAddr::new(host, port), left) {
            Ok(stream) => return Ok(stream),
            Err(error) => {
                reason.get_or_insert(error);
            }
        }
    }
    let out_of_time = reason.as_ref().is_none_or(is_timeout);
    let reason = match reason {
        Some(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            format!("nothing listens on port {port}")
        }
        Some(error) => format!("port {port} cannot be connected to ({error})"),
        None => format!("no time is left to connect to port {port}"),
    };
    Err(Unhealthy { reason, out_of_time })
}

fn time_left(deadline: Instant) -> Option<Duration> {
    deadline.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())
}

fn ask(stream: &mut TcpStream, target: &Target, path: &str, deadline: Instant) -> Answer {
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {}\r\nUser-Agent: Skypanel-Health/{}\r\nAccept: */*\r\nConnection: close\r\n\r\n",
        target.host,
        env!("CARGO_PKG_VERSION"),
    );
    let sent = time_left(deadline)
        .map(|left| stream.set_write_timeout(Some(left)).and_then(|()| stream.write_all(request.as_bytes())));
    match sent {
        Some(Ok(())) => {}
        Some(Err(error)) if !is_timeout(&error) => {
            return Answer::NotHttp("the connection was closed");
        }
        _ => return Answer::Silence,
    }

    let mut line = Vec::new();
    let mut piece = [0; 512];
    loop {
        match read_before(stream, &mut piece, deadline) {
            Ok(0) => {
                return Answer::NotHttp("the connection was closed without an answer");
            }
            Ok(read) => line.extend_from_slice(&piece[..read]),
            Err(error) if is_timeout(&error) => return Answer::Silence,
            Err(_) => return Answer::NotHttp("the connection was closed without an answer"),
        }
        match parse_status(&line) {
            Parsed::Status(status) if target.expected.contains(status) => {
                read_the_rest(stream, &mut line, deadline.min(Instant::now() + COURTESY_TIME));
                return Answer::Status(status);
            }
            Parsed::Status(status) => {
                read_the_rest(stream, &mut line, deadline.min(Instant::now() + EXCERPT_TIME));
                return Answer::Unexpected(status, excerpt::of_answer(&line));
            }
            Parsed::NotHttp => return Answer::NotHttp("the answer is not HTTP"),
            Parsed::Incomplete => {}
        }
    }
}

enum Parsed {
    Status(u16),
    NotHttp,
    Incomplete,
}

/// Reads a status line, `HTTP/1.1 200 OK` (RFC 9112 §4), of which the end may still be missing.
fn parse_status(bytes: &[u8]) -> Parsed {
    const NAME: &[u8] = b"HTTP/";
    let known = bytes.len().min(NAME.len());
    if bytes[..known] != NAME[..known] || bytes.len() > MAX_STATUS_LINE {
        return Parsed::NotHttp;
    }
    let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else {
        return Parsed::Incomplete;
    };
    let status = std::str::from_utf8(&bytes[..end])
        .ok()
        .and_then(|line| line.split_ascii_whitespace().nth(1))
        .filter(|status| status.len() == 3)
        .and_then(|status| status.parse().ok());
    status.map_or(Parsed::NotHttp, Parsed::Status)
}

fn read_before(stream: &mut TcpStream, piece: &mut [u8], deadline: Instant) -> io::Result<usize> {
    let left = time_left(deadline).ok_or(io::ErrorKind::TimedOut)?;
    stream.set_read_timeout(Some(left))?;
    stream.read(piece)
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

/// Lets a well-behaved app finish its answer, and keeps the beginning. One that sends without end is left alone soon.
fn read_the_rest(stream: &mut TcpStream, kept: &mut Vec<u8>, deadline: Instant) {
    let mut piece = [0; 4096];
    let mut left = COURTESY_BYTES;
    while left > 0 {
        match read_before(stream, &mut piece, deadline) {
            Ok(read) if read > 0 => {
                left = left.saturating_sub(read);
                kept.extend_from_slice(&piece[..read.min(EXCERPT_BYTES.saturating_sub(kept.len()))]);
            }
            _ => return,
        }
    }
}

//! Whoever follows an app's log over HTTP, and notes which of the numbered lines came, and how late.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddrV4, TcpStream};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustix::net::{AddressFamily, SocketType};
use serde_json::Value;

use crate::Result;

/// Longest nothing may come while lines are awaited.
const SILENCE: Duration = Duration::from_secs(30);

/// What came.
pub(crate) struct Followed {
    /// Lines that came, each as it should: none missing before it, none twice.
    pub(crate) lines: usize,
    /// From being written to being here, of each, in milliseconds.
    pub(crate) delays_ms: Vec<f64>,
}

/// Somebody who follows, and from where.
pub(crate) struct Follower<'a> {
    pub(crate) token: &'a str,
    pub(crate) address: Ipv4Addr,
}

impl Follower<'_> {
    /// Follows in a thread of its own until `lines` lines have come.
    pub(crate) fn follow(&self, port: u16, slug: &str, lines: usize) -> Result<JoinHandle<Result<Followed>>> {
        let mut stream = open(port, self, slug)?;
        Ok(std::thread::spawn(move || read(&mut stream, lines)))
    }
}

fn open(port: u16, Follower { token, address }: &Follower<'_>, slug: &str) -> Result<BufReader<TcpStream>> {
    let socket = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None)?;
    rustix::net::bind(&socket, &SocketAddrV4::new(*address, 0))?;
    rustix::net::connect(&socket, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, port))?;
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(SILENCE))?;
    stream.set_nodelay(true)?;
    let mut stream = BufReader::with_capacity(1 << 18, stream);
    let request = format!(
        "GET /api/paas/apps/{slug}/logs/stream?lines=0&source=app HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n"
    );
    stream.get_mut().write_all(request.as_bytes())?;
    let mut line = String::new();
    stream.read_line(&mut line)?;
    if !line.starts_with("HTTP/1.1 200 ") {
        return Err(format!("the log of {slug} cannot be followed: {}", line.trim()).into());
    }
    while line != "\r\n" {
        line.clear();
        stream.read_line(&mut line)?;
    }
    Ok(stream)
}

fn read(stream: &mut BufReader<TcpStream>, lines: usize) -> Result<Followed> {
    let mut followed = Followed { lines: 0, delays_ms: Vec::with_capacity(lines) };
    let (mut body, mut from) = (Vec::new(), 0);
    let mut last = Instant::now();
    while followed.lines < lines {
        chunk(stream, &mut body)?;
        while let Some(end) = body[from..].iter().position(|byte| *byte == b'\n').map(|at| from + at) {
            if let Some(data) = body[from..end].strip_prefix(b"data: ") {
                note(&mut followed, data)?;
                last = Instant::now();
            }
            from = end + 1;
        }
        body.drain(..from);
        from = 0;
        // Heartbeats come even where lines do not.
        if last.elapsed() > SILENCE {
            return Err(format!("{} of {lines} lines came", followed.lines).into());
        }
    }
    Ok(followed)
}

/// Adds the next chunk of the body.
fn chunk(stream: &mut BufReader<TcpStream>, body: &mut Vec<u8>) -> io::Result<()> {
    let mut size = String::new();
    stream.read_line(&mut size)?;
    let size = u64::from_str_radix(size.trim(), 16).map_err(|_| io::Error::from(io::ErrorKind::UnexpectedEof))?;
    stream.take(size).read_to_end(body)?;
    let mut end = [0; 2];
    stream.read_exact(&mut end)
}

/// `line <number> <nanoseconds> …`
fn note(followed: &mut Followed, data: &[u8]) -> Result<()> {
    let item: Value = serde_json::from_slice(data)?;
    let text = item["text"].as_str().unwrap_or_default();
    let mut words = text.split(' ');
    if words.next() != Some("line") {
        return Ok(());
    }
    let mut number = || words.next().and_then(|word| word.parse::<u64>().ok());
    let (Some(count), Some(written)) = (number(), number()) else { return Err(format!("came garbled: {text}").into()) };
    if count != followed.lines as u64 {
        return Err(format!("after {} lines came that of the number {count}", followed.lines).into());
    }
    followed.lines += 1;
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos();
    #[expect(clippy::cast_precision_loss, reason = "delays are short")]
    followed.delays_ms.push(now.saturating_sub(u128::from(written)) as f64 / 1e6);
    Ok(())
}

//! Stand-ins for the services that operators run beside Skypanel: a mail server, and one that answers over HTTP.
#![allow(dead_code, reason = "each test program uses a part of this")]

use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

/// What a stand-in was told, line by line.
type Heard = Arc<Mutex<Vec<String>>>;

/// How a mail server behaves.
#[derive(Clone, Default)]
pub(crate) struct Manners {
    /// What it encrypts with, if it can.
    pub(crate) tls: Option<TlsAcceptor>,
    /// Whether it does so from the beginning, not after `STARTTLS`.
    pub(crate) is_wrapped: bool,
    /// User name and password it wants.
    pub(crate) login: Option<(&'static str, &'static str)>,
    /// Whether it takes mail, whose lines are then heard as well.
    pub(crate) takes_mail: bool,
}

/// A stand-in on a port of loopback; stops when dropped.
pub(crate) struct StandIn {
    pub(crate) port: u16,
    heard: Heard,
    task: JoinHandle<()>,
}

impl StandIn {
    /// A mail server.
    pub(crate) async fn mail(manners: Manners) -> Self {
        Self::serve(move |stream, heard| {
            let manners = manners.clone();
            async move {
                // A client that goes away is none of the server's business.
                let _ = converse(stream, &manners, &heard).await;
            }
        })
        .await
    }

    /// A server that gives every request the same answer.
    pub(crate) async fn http(status: &'static str, body: &'static str) -> Self {
        Self::serve(move |stream, heard| async move {
            let _ = answer(stream, status, body, &heard).await;
        })
        .await
    }

    async fn serve<F>(conversation: impl Fn(TcpStream, Heard) -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("listens");
        let port = listener.local_addr().expect("has an address").port();
        let heard = Heard::default();
        let ears = heard.clone();
        let task = tokio::spawn(async move {
            let mut callers = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.expect("accepts");
                callers.spawn(conversation(stream, ears.clone()));
            }
        });
        Self { port, heard, task }
    }

    /// What it was told so far.
    pub(crate) fn heard(&self) -> Vec<String> {
        self.heard.lock().expect("is whole").clone()
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn converse(stream: TcpStream, manners: &Manners, heard: &Heard) -> std::io::Result<()> {
    match &manners.tls {
        Some(tls) if manners.is_wrapped => {
            let mut stream = tls.accept(stream).await?;
            stream.write_all(b"220 mail.example ESMTP\r\n").await?;
            speak(BufReader::new(stream), manners, true, heard).await.map(drop)
        }
        tls => {
            let mut stream = stream;
            stream.write_all(b"220 mail.example ESMTP\r\n").await?;
            let stream = speak(BufReader::new(stream), manners, false, heard).await?;
            let (Some(stream), Some(tls)) = (stream, tls) else { return Ok(()) };
            let stream = tls.accept(stream.into_inner()).await?;
            speak(BufReader::new(stream), manners, true, heard).await.map(drop)
        }
    }
}

/// Speaks SMTP until the end, or until encryption is asked for: then the stream comes back.
async fn speak<S>(
    mut stream: BufReader<S>,
    manners: &Manners,
    is_encrypted: bool,
    heard: &Heard,
) -> std::io::Result<Option<BufReader<S>>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut line = String::new();
    while stream.read_line(&mut line).await? > 0 {
        let command = std::mem::take(&mut line).trim().to_owned();
        heard.lock().expect("is whole").push(command.clone());
        let reply = match command.split(' ').collect::<Vec<_>>().as_slice() {
            ["EHLO", _] => {
                let more = if manners.tls.is_some() && !is_encrypted { "250-STARTTLS\r\n" } else { "" };
                let login = if manners.login.is_some() { "250-AUTH PLAIN LOGIN\r\n" } else { "" };
                format!("250-mail.example\r\n{more}{login}250 SIZE 1000000\r\n")
            }
            ["STARTTLS"] => {
                stream.write_all(b"220 Go on\r\n").await?;
                return Ok(Some(stream));
            }
            ["AUTH", "PLAIN", secret] => {
                let right = manners.login.map(|(user, password)| STANDARD.encode(format!("\0{user}\0{password}")));
                let reply = if right.as_deref() == Some(*secret) { "235 Welcome" } else { "535 5.7.8 Wrong password" };
                format!("{reply}\r\n")
            }
            ["NOOP"] => "250 OK\r\n".to_owned(),
            ["MAIL" | "RCPT", ..] if manners.takes_mail => "250 OK\r\n".to_owned(),
            ["DATA"] if manners.takes_mail => {
                stream.write_all(b"354 Go on\r\n").await?;
                while stream.read_line(&mut line).await? > 0 {
                    let text = std::mem::take(&mut line).trim_end().to_owned();
                    if text == "." {
                        break;
                    }
                    heard.lock().expect("is whole").push(text);
                }
                "250 Queued as 4711\r\n".to_owned()
            }
            ["QUIT"] => {
                stream.write_all(b"221 Bye\r\n").await?;
                break;
            }
            _ => "502 5.5.1 Not here\r\n".to_owned(),
        };
        stream.write_all(reply.as_bytes()).await?;
    }
    Ok(None)
}

async fn answer(stream: TcpStream, status: &str, body: &str, heard: &Heard) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    let (mut line, mut length) = (String::new(), 0);
    while stream.read_line(&mut line).await? > 0 {
        let header = std::mem::take(&mut line).trim().to_owned();
        if header.is_empty() {
            break;
        }
        if let Some(("content-length", text)) = header.split_once(": ") {
            length = text.parse().unwrap_or(0);
        }
        heard.lock().expect("is whole").push(header);
    }
    let mut sent = vec![0; length];
    stream.read_exact(&mut sent).await?;
    heard.lock().expect("is whole").push(String::from_utf8_lossy(&sent).into_owned());
    let answer = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len());
    stream.write_all(answer.as_bytes()).await
}

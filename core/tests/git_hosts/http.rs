//! `git http-backend` behind a small CGI server, as Git hosts serve over HTTP.

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;
use tokio::task::JoinHandle;

/// How a host behaves.
#[derive(Clone, Debug, Default)]
pub(crate) struct Manners {
    /// User and token it wants.
    pub(crate) login: Option<(String, String)>,
    /// Speaks only the first protocol, which gives no single commits.
    pub(crate) old: bool,
    /// Sends every caller there.
    pub(crate) redirect: Option<String>,
    /// Answers nothing.
    pub(crate) silent: bool,
}

/// A serving host; stops when dropped.
pub(crate) struct HttpHost {
    pub(crate) port: u16,
    requests: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl HttpHost {
    pub(crate) async fn serve(root: PathBuf, manners: Manners) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("listens");
        let port = listener.local_addr().expect("has an address").port();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = requests.clone();
        let task = tokio::spawn(async move {
            let mut callers = tokio::task::JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.expect("accepts");
                let (root, manners, seen) = (root.clone(), manners.clone(), seen.clone());
                callers.spawn(async move {
                    // A client that goes away is none of the host's business.
                    let _ = answer(stream, root, manners, seen).await;
                });
            }
        });
        Self { port, requests, task }
    }

    /// The address of `acme/shop.git` here, under a host name.
    pub(crate) fn url(&self, host: &str) -> String {
        format!("http://{host}:{}/acme/shop.git", self.port)
    }

    /// Method and path of every request so far.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().expect("is not poisoned").clone()
    }
}

impl Drop for HttpHost {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(
    stream: TcpStream,
    root: PathBuf,
    manners: Manners,
    seen: Arc<Mutex<Vec<String>>>,
) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut first = String::new();
    if stream.read_line(&mut first).await? == 0 {
        return Ok(());
    }
    let mut headers = HashMap::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let mut words = first.split_ascii_whitespace();
    let (method, target) = (words.next().unwrap_or_default().to_owned(), words.next().unwrap_or_default().to_owned());
    seen.lock().expect("is not poisoned").push(format!("{method} {target}"));
    let length: usize = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    if manners.silent {
        tokio::time::sleep(std::time::Duration::from_secs(600)).await;
    }
    if let Some(elsewhere) = &manners.redirect {
        let head = format!(
            "HTTP/1.1 302 Found\r\nLocation: {elsewhere}{target}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        );
        return stream.write_all(head.as_bytes()).await;
    }
    if let Some((user, token)) = &manners.login {
        let wanted = format!("Basic {}", base64::prelude::BASE64_STANDARD.encode(format!("{user}:{token}")));
        if headers.get("authorization") != Some(&wanted) {
            let head = "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"Git\"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
            return stream.write_all(head.as_bytes()).await;
        }
    }
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let mut backend = Command::new("git");
    backend
        .arg("http-backend")
        .env("GIT_PROJECT_ROOT", root)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("PATH_INFO", path)
        .env("QUERY_STRING", query)
        .env("REQUEST_METHOD", &method)
        .env("CONTENT_TYPE", headers.get("content-type").cloned().unwrap_or_default())
        .env("CONTENT_LENGTH", length.to_string())
        .env("HTTP_CONTENT_ENCODING", headers.get("content-encoding").cloned().unwrap_or_default())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    if let (false, Some(protocol)) = (manners.old, headers.get("git-protocol")) {
        backend.env("GIT_PROTOCOL", protocol);
    }
    let mut backend = backend.spawn()?;
    let mut input = backend.stdin.take().expect("is piped");
    input.write_all(&body).await?;
    drop(input);
    let output = backend.wait_with_output().await?.stdout;
    let end = output.windows(4).position(|four| four == b"\r\n\r\n").map_or(output.len(), |at| at + 4);
    let head = String::from_utf8_lossy(&output[..end]).into_owned();
    let status = head.lines().find_map(|line| line.strip_prefix("Status: ")).unwrap_or("200 OK").to_owned();
    let rest: String = head
        .lines()
        .filter(|line| !line.starts_with("Status:") && !line.is_empty())
        .flat_map(|line| [line, "\r\n"])
        .collect();
    let head =
        format!("HTTP/1.1 {status}\r\n{rest}Content-Length: {}\r\nConnection: close\r\n\r\n", output.len() - end);
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(&output[end..]).await?;
    stream.shutdown().await
}

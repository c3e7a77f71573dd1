//! A server that takes calls of webhooks, as somebody who is told of alerts has one.
#![allow(dead_code, reason = "each test program uses a part of this")]

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

/// A call as it came.
#[derive(Clone, Debug)]
pub(crate) struct Called {
    pub(crate) line: String,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Called {
    pub(crate) fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map_or("", |(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("is JSON")
    }

    /// Rules, names and news of the alerts that it tells.
    pub(crate) fn news(&self) -> Vec<(String, String, String)> {
        let json = self.json();
        let text = |value: &Value| value.as_str().expect("is text").to_owned();
        let alerts = json["alerts"].as_array().expect("is a list");
        alerts.iter().map(|one| (text(&one["rule"]), text(&one["subject"]["name"]), text(&one["news"]))).collect()
    }
}

/// Stops when dropped.
pub(crate) struct Hook {
    pub(crate) port: u16,
    calls: Arc<Mutex<Vec<Called>>>,
    answers: Arc<Mutex<VecDeque<u16>>>,
    task: JoinHandle<()>,
}

impl Hook {
    /// One that takes everything until it is told otherwise.
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("listens");
        let port = listener.local_addr().expect("has an address").port();
        let calls = Arc::<Mutex<Vec<Called>>>::default();
        let answers = Arc::<Mutex<VecDeque<u16>>>::default();
        let (heard, told) = (calls.clone(), answers.clone());
        let task = tokio::spawn(async move {
            let mut callers = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.expect("accepts");
                let (heard, told) = (heard.clone(), told.clone());
                callers.spawn(async move {
                    // A client that goes away is none of the server's business.
                    let _ = answer(stream, &heard, &told).await;
                });
            }
        });
        Self { port, calls, answers, task }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// The next calls get these statuses; those after them 200.
    pub(crate) fn answer_with(&self, statuses: &[u16]) {
        self.answers.lock().expect("is whole").extend(statuses);
    }

    pub(crate) fn calls(&self) -> Vec<Called> {
        self.calls.lock().expect("is whole").clone()
    }
}

impl Drop for Hook {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(stream: TcpStream, calls: &Mutex<Vec<Called>>, answers: &Mutex<VecDeque<u16>>) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    stream.read_line(&mut line).await?;
    let mut called = Called { line: line.trim().to_owned(), headers: Vec::new(), body: Vec::new() };
    loop {
        line.clear();
        stream.read_line(&mut line).await?;
        let Some((name, value)) = line.trim().split_once(": ") else { break };
        called.headers.push((name.to_owned(), value.to_owned()));
    }
    called.body = vec![0; called.header("content-length").parse().unwrap_or(0)];
    stream.read_exact(&mut called.body).await?;
    calls.lock().expect("is whole").push(called);
    let status = answers.lock().expect("is whole").pop_front().unwrap_or(200);
    let answer = format!("HTTP/1.1 {status} Told\r\ncontent-length: 4\r\nconnection: close\r\n\r\ndone");
    stream.write_all(answer.as_bytes()).await
}

//! A stand-in for Loki. It refuses what the documentation of Loki's HTTP API does not allow, and answers as that says:
//! <https://grafana.com/docs/loki/latest/reference/loki-http-api/>.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io::Read as _;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use flate2::read::GzDecoder;
use futures_util::{SinkExt as _, StreamExt as _};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use skypanel_core::settings::HttpAddress;
use tokio::net::TcpListener;
use tokio::sync::broadcast;
use tokio::task::{JoinHandle, JoinSet};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;

use crate::asked::{Refusal, asked, bad};
use crate::ports::free_port;
use crate::pushed::{Line, pushed};
use crate::query::Labels;

/// Only requests for this tenant are answered.
pub(crate) const TENANT: &str = "apps";
/// How much older than the newest line of its stream one may be, unless Loki is told otherwise.
const TOO_FAR_BEHIND: i64 = 3_600 * 1_000_000_000;

/// The server. What it keeps outlives its end.
pub(crate) struct Loki {
    pub(crate) address: SocketAddr,
    state: Arc<Mutex<State>>,
    serving: Option<JoinHandle<()>>,
}

struct State {
    lines: Vec<Line>,
    /// What those who tail are told.
    told: broadcast::Sender<Told>,
    pushes: usize,
    queries: usize,
    tails: usize,
    /// Requests that break the rules.
    wrong: Vec<String>,
    /// What pushes are answered in place of being taken.
    refusal: Option<(u16, &'static str)>,
    /// Whether the next lines are kept without being told.
    drops: bool,
    /// Whether a taken push is answered as if it were not.
    swallows: bool,
}

#[derive(Clone, Debug)]
enum Told {
    Lines(Vec<Line>),
    Dropped(Labels, i64),
    End,
}

type Answer = Response<Full<Bytes>>;

impl Loki {
    pub(crate) async fn start() -> Self {
        let state = State {
            lines: Vec::new(),
            told: broadcast::Sender::new(1_000),
            pushes: 0,
            queries: 0,
            tails: 0,
            wrong: Vec::new(),
            refusal: None,
            drops: false,
            swallows: false,
        };
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let mut loki = Self { address, state: Arc::new(Mutex::new(state)), serving: None };
        loki.up().await;
        loki
    }

    pub(crate) async fn up(&mut self) {
        let listener = TcpListener::bind(self.address).await.expect("listens");
        let state = self.state.clone();
        self.serving = Some(tokio::spawn(async move {
            // Connections end with the server.
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.expect("accepts");
                let state = state.clone();
                connections.spawn(async move {
                    let service = service_fn(move |request| answer(state.clone(), request));
                    let serving = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service)
                        .with_upgrades();
                    // A client that goes away is none of our business.
                    let _ = serving.await;
                });
            }
        }));
    }

    /// As if it were killed: connections break, tails too.
    pub(crate) async fn down(&mut self) {
        let _ = self.state().told.send(Told::End);
        if let Some(serving) = self.serving.take() {
            serving.abort();
            let _ = serving.await;
        }
    }

    pub(crate) fn end_tails(&self) {
        let _ = self.state().told.send(Told::End);
    }

    /// Has pushes answered so; none takes them again.
    pub(crate) fn refuse(&self, refusal: Option<(u16, &'static str)>) {
        self.state().refusal = refusal;
    }

    /// Whether lines are kept without being told to tails, which are told of that with the next ones.
    pub(crate) fn drop_lines(&self, drops: bool) {
        self.state().drops = drops;
    }

    /// Whether pushes are taken, and the client does not get to know.
    pub(crate) fn swallow(&self, swallows: bool) {
        self.state().swallows = swallows;
    }

    pub(crate) fn address(&self) -> HttpAddress {
        HttpAddress { tls: false, host: "127.0.0.1".to_owned(), port: self.address.port(), prefix: String::new() }
    }

    /// All lines, by time; those that were pushed more than once only once, as Loki tells them.
    pub(crate) fn lines(&self) -> Vec<Line> {
        let mut lines = self.state().lines.clone();
        lines.sort_by_key(|line| line.at);
        lines
    }

    pub(crate) fn texts(&self) -> Vec<String> {
        self.lines().into_iter().map(|line| line.text).collect()
    }

    /// How often it was pushed to, asked, and listened to.
    pub(crate) fn counts(&self) -> [usize; 3] {
        let state = self.state();
        [state.pushes, state.queries, state.tails]
    }

    /// Requests that Loki would not have understood.
    pub(crate) fn wrong(&self) -> Vec<String> {
        self.state().wrong.clone()
    }

    /// Keeps lines as if a push had brought them.
    pub(crate) fn keep(&self, lines: Vec<Line>) {
        self.state().keep(lines);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        locked(&self.state)
    }
}

impl Drop for Loki {
    fn drop(&mut self) {
        if let Some(serving) = &self.serving {
            serving.abort();
        }
    }
}

fn locked(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().expect("is whole")
}

impl State {
    fn keep(&mut self, lines: Vec<Line>) {
        for line in &lines {
            let is_known = |kept: &Line| kept.at == line.at && kept.text == line.text && kept.labels == line.labels;
            if !self.lines.iter().rev().take(5_000).any(is_known) {
                self.lines.push(line.clone());
            }
        }
        // Those who tail are told of lines that are known already, too.
        let _ = match (self.drops, lines.first()) {
            (true, Some(first)) => self.told.send(Told::Dropped(first.labels.clone(), first.at)),
            _ => self.told.send(Told::Lines(lines)),
        };
    }
}

async fn answer(state: Arc<Mutex<State>>, request: Request<Incoming>) -> Result<Answer, Infallible> {
    let path = request.uri().path().to_owned();
    let answered = if request.headers().get("x-scope-orgid").is_none_or(|tenant| tenant != TENANT) {
        Err((401, "no org id".to_owned()))
    } else {
        match (request.method(), path.as_str()) {
            (&Method::POST, "/loki/api/v1/push") => push(&state, request).await,
            (&Method::GET, "/loki/api/v1/query_range") => query_range(&state, &request),
            (&Method::GET, "/loki/api/v1/tail") => tail(&state, request),
            _ => Err((404, "404 page not found".to_owned())),
        }
    };
    Ok(answered.unwrap_or_else(|(status, why)| {
        if !matches!(status, 429 | 500..) {
            locked(&state).wrong.push(format!("{path}: {status} {why}"));
        }
        plain(status, &why)
    }))
}

fn plain(status: u16, text: &str) -> Answer {
    Response::builder().status(status).body(Full::from(text.to_owned())).expect("is an answer")
}

async fn push(state: &Mutex<State>, request: Request<Incoming>) -> Result<Answer, Refusal> {
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if header("content-type") != "application/json" {
        return Err(bad(format!("unexpected content type {:?}", header("content-type"))));
    }
    let is_packed = match header("content-encoding") {
        "gzip" => true,
        "" => false,
        other => return Err(bad(format!("Content-Encoding {other:?} not supported"))),
    };
    let body = request.into_body().collect().await.map_err(|error| bad(error.to_string()))?.to_bytes();
    let mut text = String::new();
    if is_packed {
        GzDecoder::new(&body[..]).read_to_string(&mut text).map_err(|error| bad(error.to_string()))?;
    } else {
        text = String::from_utf8(body.to_vec()).map_err(|error| bad(error.to_string()))?;
    }
    let body: Value = serde_json::from_str(&text).map_err(|error| bad(error.to_string()))?;
    let lines = pushed(&body).map_err(bad)?;
    let mut state = locked(state);
    state.pushes += 1;
    if let Some((status, why)) = state.refusal {
        return Ok(plain(status, why));
    }
    let (mut newest, mut taken, mut behind) = (BTreeMap::<Labels, i64>::new(), Vec::new(), Vec::new());
    for kept in &state.lines {
        let at = newest.entry(kept.labels.clone()).or_insert(kept.at);
        *at = (*at).max(kept.at);
    }
    let count = lines.len();
    for line in lines {
        let newest = newest.entry(line.labels.clone()).or_insert(line.at);
        if line.at < *newest - TOO_FAR_BEHIND {
            behind.push(line);
        } else {
            *newest = (*newest).max(line.at);
            taken.push(line);
        }
    }
    state.keep(taken);
    if let Some(first) = behind.first() {
        let (at, ignored, labels) = (first.at, behind.len(), &first.labels);
        let why = "entry too far behind, entry timestamp is too old";
        return Ok(plain(
            400,
            &format!(
                "entry with timestamp {at} ignored, reason: '{why}',\nuser '{TENANT}', total ignored: {ignored} out of {count} \
                 for stream: {labels:?}"
            ),
        ));
    }
    if state.swallows {
        return Err((500, "rpc error: code = Unavailable".to_owned()));
    }
    Ok(plain(204, ""))
}

fn query_range(state: &Mutex<State>, request: &Request<Incoming>) -> Result<Answer, Refusal> {
    let asked = asked(request, &["query", "start", "end", "limit", "direction", "since", "step", "interval"])?;
    let mut state = locked(state);
    state.queries += 1;
    let lines = asked.select(&state.lines);
    let mut data = json!({ "resultType": "streams", "result": asked.streams(&lines), "stats": {} });
    if asked.is_apart {
        data["encodingFlags"] = json!(["categorize-labels"]);
    }
    Ok(plain(200, &json!({ "status": "success", "data": data }).to_string()))
}

fn tail(state: &Arc<Mutex<State>>, request: Request<Incoming>) -> Result<Answer, Refusal> {
    let asked = asked(&request, &["query", "start", "limit", "delay_for"])?;
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let key = header("sec-websocket-key").to_owned();
    if !header("upgrade").eq_ignore_ascii_case("websocket") || header("sec-websocket-version") != "13" || key.is_empty()
    {
        return Err(bad("the client is not using the websocket protocol"));
    }
    let accept = derive_accept_key(key.as_bytes());
    let state = state.clone();
    tokio::spawn(async move {
        let upgraded = hyper::upgrade::on(request).await.expect("is upgraded");
        let mut socket = WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, None).await;
        // Lines that come until here are only told as far as they are among the newest since the start.
        let (mut told, mut before) = {
            let mut state = locked(&state);
            state.tails += 1;
            (state.told.subscribe(), asked.select(&state.lines))
        };
        before.reverse();
        let mut dropped = Vec::new();
        let mut lines = before;
        loop {
            if !lines.is_empty() {
                let message = json!({ "streams": asked.streams(&lines), "dropped_entries": dropped });
                if socket.send(Message::text(message.to_string())).await.is_err() {
                    return;
                }
                dropped.clear();
            }
            lines = tokio::select! {
                // A client that closes, or asks for a sign of life.
                message = socket.next() => match message {
                    Some(Ok(_)) => Vec::new(),
                    _ => return,
                },
                told = told.recv() => match told.expect("is fast enough") {
                    Told::Lines(lines) => lines.into_iter().filter(|line| asked.wants(line)).collect(),
                    Told::Dropped(labels, at) => {
                        dropped.push(json!({ "labels": labels, "timestamp": at.to_string() }));
                        Vec::new()
                    }
                    Told::End => {
                        let _ = tokio::time::timeout(Duration::from_secs(1), socket.close(None)).await;
                        return;
                    }
                },
            };
        }
    });
    let answer = Response::builder()
        .status(101)
        .header("upgrade", "websocket")
        .header("connection", "Upgrade")
        .header("sec-websocket-accept", accept);
    Ok(answer.body(Full::default()).expect("is an answer"))
}

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

use crate::ports::free_port;
use crate::query::{Labels, Query};

/// Only requests for this tenant are answered.
pub(crate) const TENANT: &str = "apps";
/// What Loki allows unless it is told otherwise.
const MAX_LABELS: usize = 15;
const MAX_VALUE: usize = 2_048;
const MAX_LINE: usize = 256 * 1024;
const MAX_LIMIT: usize = 5_000;
const MAX_SPAN: i64 = 721 * 3_600 * 1_000_000_000;
const TOO_FAR_BEHIND: i64 = 3_600 * 1_000_000_000;

/// A line that is kept.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Line {
    pub(crate) labels: Labels,
    pub(crate) at: i64,
    pub(crate) text: String,
    pub(crate) metadata: Labels,
}

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

type Refusal = (u16, String);

fn bad(why: impl Into<String>) -> Refusal {
    (400, why.into())
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

/// The lines of a push, field by field.
fn pushed(body: &Value) -> Result<Vec<Line>, String> {
    let body = only(body, &["streams"])?;
    let mut lines = Vec::new();
    for stream in body["streams"].as_array().ok_or("streams is no list")? {
        let stream = only(stream, &["stream", "values"])?;
        let labels = texts(&stream["stream"])?;
        let is_name = |name: &str| {
            name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
                && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        };
        if labels.is_empty() || labels.len() > MAX_LABELS {
            return Err(format!("{} labels", labels.len()));
        }
        for (name, value) in &labels {
            if !is_name(name) || value.is_empty() || value.len() > MAX_VALUE {
                return Err(format!("label {name}={value:?}"));
            }
        }
        for value in stream["values"].as_array().ok_or("values is no list")? {
            let parts =
                value.as_array().filter(|parts| matches!(parts.len(), 2 | 3)).ok_or("a value has 2 or 3 parts")?;
            let at = parts[0].as_str().ok_or("a time must be sent as a string")?;
            let at: i64 = at.parse().map_err(|_| format!("time {at:?}"))?;
            let text = parts[1].as_str().ok_or("a line is a string")?.to_owned();
            if text.len() > MAX_LINE {
                return Err(format!("Max entry size '{MAX_LINE}' bytes exceeded"));
            }
            let metadata = parts.get(2).map(texts).transpose()?.unwrap_or_default();
            lines.push(Line { labels: labels.clone(), at, text, metadata });
        }
    }
    if lines.is_empty() {
        Err("error at least one valid stream is required for ingestion".to_owned())
    } else {
        Ok(lines)
    }
}

fn only<'a>(value: &'a Value, names: &[&str]) -> Result<&'a serde_json::Map<String, Value>, String> {
    let object = value.as_object().ok_or("is no object")?;
    let others: Vec<&String> = object.keys().filter(|name| !names.contains(&name.as_str())).collect();
    if others.is_empty() && object.len() == names.len() { Ok(object) } else { Err(format!("fields {others:?}")) }
}

fn texts(value: &Value) -> Result<Labels, String> {
    let object = value.as_object().ok_or("is no object")?;
    let text = |(name, value): (&String, &Value)| Some((name.clone(), value.as_str()?.to_owned()));
    object.iter().map(text).collect::<Option<_>>().ok_or_else(|| format!("not only strings: {value}"))
}

/// What is asked for in an address.
struct Asked {
    query: Query,
    start: i64,
    end: Option<i64>,
    limit: usize,
    is_forward: bool,
    is_apart: bool,
}

fn asked(request: &Request<Incoming>, allowed: &[&str]) -> Result<Asked, Refusal> {
    let parameters: BTreeMap<String, String> =
        form_urlencoded::parse(request.uri().query().unwrap_or_default().as_bytes()).into_owned().collect();
    if let Some(other) = parameters.keys().find(|name| !allowed.contains(&name.as_str())) {
        return Err(bad(format!("parameter {other}")));
    }
    let number = |name: &str| -> Result<Option<i64>, Refusal> {
        let number = parameters.get(name).map(|text| text.parse().map_err(|_| bad(format!("{name} {text:?}"))));
        number.transpose()
    };
    let limit = usize::try_from(number("limit")?.unwrap_or(100)).map_err(|_| bad("limit must be a positive value"))?;
    if limit == 0 || limit > MAX_LIMIT {
        return Err(bad(format!(
            "max entries limit per query exceeded, limit > max_entries_limit_per_query ({limit} > {MAX_LIMIT})"
        )));
    }
    if number("delay_for")?.unwrap_or(0) > 5 {
        return Err(bad("delay_for can't be greater than 5"));
    }
    let is_forward = match parameters.get("direction").map(String::as_str) {
        Some("forward") => true,
        Some("backward") | None => false,
        Some(other) => return Err(bad(format!("invalid direction {other:?}"))),
    };
    let flags = request.headers().get("x-loki-response-encoding-flags");
    let (start, end) = (number("start")?.ok_or_else(|| bad("start"))?, number("end")?);
    if let Some(end) = end
        && !(start < end && end - start <= MAX_SPAN)
    {
        return Err(bad("the query time range exceeds the limit, or ends before it begins"));
    }
    Ok(Asked {
        query: Query::parse(parameters.get("query").map_or("", String::as_str)).map_err(bad)?,
        start,
        end,
        limit,
        is_forward,
        is_apart: flags.is_some_and(|flags| flags == "categorize-labels"),
    })
}

impl Asked {
    fn wants(&self, line: &Line) -> bool {
        self.query.is_of(&line.labels) && self.query.takes(&line.labels, &line.metadata, &line.text)
    }

    /// Those that are wanted, in the order that is wanted.
    fn select(&self, lines: &[Line]) -> Vec<Line> {
        let is_in = |line: &&Line| line.at >= self.start && self.end.is_none_or(|end| line.at < end);
        let mut found: Vec<Line> = lines.iter().filter(is_in).filter(|line| self.wants(line)).cloned().collect();
        found.sort_by_key(|line| line.at);
        if !self.is_forward {
            found.reverse();
        }
        found.truncate(self.limit);
        found
    }

    fn streams(&self, lines: &[Line]) -> Value {
        let mut streams: BTreeMap<Labels, Vec<Value>> = BTreeMap::new();
        for line in lines {
            let mut labels = line.labels.clone();
            let mut value = json!([line.at.to_string(), line.text]);
            if self.is_apart {
                let beside =
                    if line.metadata.is_empty() { json!({}) } else { json!({ "structuredMetadata": line.metadata }) };
                value.as_array_mut().expect("is one").push(beside);
            } else {
                labels.extend(line.metadata.clone());
            }
            streams.entry(labels).or_default().push(value);
        }
        streams.into_iter().map(|(stream, values)| json!({ "stream": stream, "values": values })).collect()
    }
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

//! In place of the container engine: it has the containers that a test gives it, tells of them by their labels and
//! removes them. It has no Swarm, so that nothing can be rolled out, unless a test gives it one.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::swarm::Swarm;

#[derive(Clone)]
pub(crate) struct Engine {
    pub(crate) address: SocketAddr,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// Labels by id.
    containers: HashMap<String, HashMap<String, String>>,
    /// What cannot be listed.
    broken: Option<&'static str>,
    swarm: Option<Swarm>,
}

impl Engine {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("listens");
        let engine = Self { address: listener.local_addr().expect("has one"), state: Arc::default() };
        let serving = engine.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let engine = serving.clone();
                tokio::spawn(async move { engine.answer(stream).await });
            }
        });
        engine
    }

    /// Has a container with these labels, and those of the installation `test`.
    pub(crate) fn add(&self, id: &str, labels: &[(&str, String)]) {
        let mut all: HashMap<String, String> =
            labels.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
        all.insert("skypanel.installation".to_owned(), "test".to_owned());
        self.state.lock().expect("is whole").containers.insert(id.to_owned(), all);
    }

    /// Ids of the containers that it has.
    pub(crate) fn containers(&self) -> Vec<String> {
        let mut ids: Vec<String> = self.state.lock().expect("is whole").containers.keys().cloned().collect();
        ids.sort();
        ids
    }

    /// Has it be a Swarm from now on.
    pub(crate) fn join_swarm(&self) {
        self.state.lock().expect("is whole").swarm = Some(Swarm::default());
    }

    /// Looks at its Swarm, or changes it.
    pub(crate) fn swarm<T>(&self, work: impl FnOnce(&mut Swarm) -> T) -> T {
        work(self.state.lock().expect("is whole").swarm.as_mut().expect("is one"))
    }

    /// Refuses to list things of that kind, such as `volumes`; none for what it cannot do anyway.
    pub(crate) fn breaks(&self, kind: Option<&'static str>) {
        self.state.lock().expect("is whole").broken = kind;
    }

    async fn answer(&self, stream: TcpStream) {
        let mut stream = BufReader::new(stream);
        let (mut first, mut line, mut length) = (String::new(), String::new(), 0);
        let _ = stream.read_line(&mut first).await;
        while stream.read_line(&mut line).await.is_ok_and(|read| read > 2) {
            if let Some(("content-length", value)) = line.trim().to_lowercase().split_once(": ") {
                length = value.parse().expect("is a number");
            }
            line.clear();
        }
        let mut sent = vec![0; length];
        let _ = stream.read_exact(&mut sent).await;
        let sent = serde_json::from_slice(&sent).unwrap_or_default();
        let mut words = first.split(' ');
        let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let (status, body) = self.outcome(method, target, &sent);
        let body = if status == 204 { String::new() } else { body.to_string() };
        let head = format!(
            "HTTP/1.1 {status} -\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        let _ = stream.write_all((head + &body).as_bytes()).await;
    }

    fn outcome(&self, method: &str, target: &str, sent: &Value) -> (u16, Value) {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let path: Vec<&str> = path.split('/').skip(1).collect();
        let mut state = self.state.lock().expect("is whole");
        if state.broken.is_some_and(|broken| path.first() == Some(&broken)) {
            return (500, json!({ "message": "it is broken" }));
        }
        let wanted = labels(query);
        let of_swarm = state.swarm.as_mut().and_then(|swarm| swarm.outcome(method, &path, query, &wanted, sent));
        if let Some(outcome) = of_swarm {
            return outcome;
        }
        match (method, path.as_slice()) {
            ("GET", ["containers", "json"]) => {
                let has = |labels: &HashMap<String, String>| {
                    wanted.iter().all(|(key, value)| labels.get(key).is_some_and(|found| found == value))
                };
                let found = state.containers.iter().filter(|(_, labels)| has(labels));
                let tasks = state.swarm.as_ref().map(Swarm::containers).unwrap_or_default().into_iter();
                let tasks =
                    tasks.filter(|task| wanted.iter().all(|(key, value)| task["Labels"][key] == value.as_str()));
                (200, found.map(|(id, labels)| json!({ "Id": id, "Labels": labels })).chain(tasks).collect())
            }
            ("DELETE", ["containers", id]) => match state.containers.remove(*id) {
                Some(_) => (204, Value::Null),
                None => (404, json!({ "message": "no such container" })),
            },
            ("GET", ["volumes"]) => (200, json!({ "Volumes": [], "Warnings": [] })),
            ("GET", ["services" | "secrets" | "networks" | "tasks"] | ["images", "json"]) => (200, json!([])),
            _ => (500, json!({ "message": "this engine cannot do that" })),
        }
    }
}

/// The labels that are asked for.
fn labels(query: &str) -> Vec<(String, String)> {
    let Some(filters) = query.split('&').find_map(|pair| pair.strip_prefix("filters=")) else { return Vec::new() };
    let filters: Value = serde_json::from_str(&decoded(filters)).expect("is JSON");
    let labels = filters["label"].as_array().cloned().unwrap_or_default();
    let pair = |label: &Value| {
        let (key, value) = label.as_str()?.split_once('=')?;
        Some((key.to_owned(), value.to_owned()))
    };
    labels.iter().filter_map(pair).collect()
}

fn decoded(text: &str) -> String {
    let mut pieces = text.split('%');
    let mut decoded = pieces.next().unwrap_or_default().as_bytes().to_vec();
    for piece in pieces {
        decoded.push(u8::from_str_radix(&piece[..2], 16).expect("is a byte"));
        decoded.extend_from_slice(&piece.as_bytes()[2..]);
    }
    String::from_utf8(decoded).expect("is text")
}

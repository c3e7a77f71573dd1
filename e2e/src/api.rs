//! The HTTP API, as a program with a token uses it.

use std::cell::Cell;

use serde_json::Value;

use crate::http::Connection;
use crate::{Instance, User};

/// A client of the API.
#[derive(Clone, Debug)]
pub struct Api {
    ports: Vec<u16>,
    asked: Cell<usize>,
    token: String,
}

/// What the API answered.
#[derive(Clone, Debug)]
pub struct Answer {
    /// What was asked, for messages.
    pub request: String,
    /// Status code.
    pub status: u16,
    /// The body; null if it is not JSON.
    pub json: Value,
}

impl Answer {
    /// The body of an answer that must have this status.
    ///
    /// # Panics
    /// When it has another.
    #[track_caller]
    pub fn is(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}: {}", self.request, self.json);
        self.json
    }
}

impl Api {
    /// A client with a new token of that user for everything they may do.
    ///
    /// # Panics
    /// When no token can be made.
    #[track_caller]
    pub fn of(instance: &Instance, user: &User) -> Self {
        let made = user.command("tokens:create e2e --scope manage --days 1 --json").success().out();
        let made: Value = serde_json::from_str(&made).unwrap_or_else(|error| panic!("{error}: {made}"));
        let token = made["token"].as_str().unwrap_or_else(|| panic!("no token in {made}")).to_owned();
        Self { ports: vec![instance.api_port], asked: Cell::new(0), token }
    }

    /// The same user's client of other processes of the API, one after the other, at these ports of this machine.
    #[must_use]
    pub fn at(&self, ports: &[u16]) -> Self {
        Self { ports: ports.to_vec(), ..self.clone() }
    }

    /// GET.
    #[track_caller]
    pub fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], b"")
    }

    /// POST of JSON.
    #[track_caller]
    pub fn post(&self, path: &str, body: &Value) -> Answer {
        self.json("POST", path, body)
    }

    /// A request with a JSON body.
    #[track_caller]
    pub fn json(&self, method: &str, path: &str, body: &Value) -> Answer {
        self.send(method, path, &[("Content-Type", "application/json")], body.to_string().as_bytes())
    }

    /// Any request.
    ///
    /// # Panics
    /// When there is no answer.
    #[track_caller]
    pub fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        self.try_send(method, path, headers, body).unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }

    /// Any request, to a process that may be ending.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn try_send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> std::io::Result<Answer> {
        let request = format!("{method} {path}");
        let bearer = format!("Bearer {}", self.token);
        let headers = [headers, &[("Authorization", bearer.as_str())]].concat();
        let port = self.ports[self.asked.replace(self.asked.get() + 1) % self.ports.len()];
        let response = Connection::open(port)?.send(method, "localhost", path, &headers, body)?;
        let json = serde_json::from_slice(&response.body).unwrap_or(Value::Null);
        Ok(Answer { request, status: response.status, json })
    }
}

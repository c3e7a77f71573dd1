//! A browser: it keeps cookies and shows that its writes come from our own pages.

use std::collections::HashMap;

use axum::http::Method;
use serde_json::{Value, json};

use crate::world::{Answered, Call, PASSWORD, World};

/// Cookies by name, as a browser keeps them.
#[derive(Clone, Default)]
pub(crate) struct Browser {
    pub(crate) cookies: HashMap<String, String>,
}

impl Browser {
    /// Logs somebody in.
    pub(crate) async fn logged_in(world: &World, name: &str) -> Self {
        let mut browser = Self::default();
        browser.log_in(world, name, None).await.is(200);
        browser
    }

    pub(crate) async fn log_in(&mut self, world: &World, name: &str, code: Option<&str>) -> Answered {
        let body = json!({ "email": format!("{name}@example.com"), "password": PASSWORD, "code": code });
        self.send(world, Method::POST, "/api/auth/login", Some(body)).await
    }

    pub(crate) async fn get(&mut self, world: &World, path: &str) -> Answered {
        self.send(world, Method::GET, path, None).await
    }

    pub(crate) async fn post(&mut self, world: &World, path: &str, body: Value) -> Answered {
        self.send(world, Method::POST, path, Some(body)).await
    }

    /// The same under an idempotency key.
    pub(crate) async fn post_once(&mut self, world: &World, path: &str, key: &str, body: &Value) -> Answered {
        let call = self.call(world, Method::POST, path).header("idempotency-key", key);
        self.keep(call.json(body).send().await)
    }

    pub(crate) async fn send(&mut self, world: &World, method: Method, path: &str, body: Option<Value>) -> Answered {
        let mut call = self.call(world, method, path);
        if let Some(body) = body {
            call = call.json(&body);
        }
        self.keep(call.send().await)
    }

    /// A call as this browser makes it.
    pub(crate) fn call<'a>(&self, world: &'a World, method: Method, path: &str) -> Call<'a> {
        let mut call: Call<'_> = world.call(method, path);
        let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        if !cookies.is_empty() {
            call = call.header("cookie", &cookies.join("; "));
        }
        if let Some(csrf) = self.cookies.get("skypanel_csrf") {
            call = call.header("x-csrf-token", csrf);
        }
        call
    }

    fn keep(&mut self, answered: Answered) -> Answered {
        for (name, value) in answered.cookies() {
            if value.is_empty() {
                self.cookies.remove(&name)
            } else {
                self.cookies.insert(name, value)
            };
        }
        answered
    }
}

//! What the engine says it runs, through its own command line.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::Instance;
use crate::command::{Finished, run};

const LIMIT: Duration = Duration::from_mins(1);
const SOCKET: &str = "/var/run/docker.sock";

/// The engine, as far as it concerns one installation.
pub struct Engine {
    installation: String,
}

impl Engine {
    /// The engine behind `instance`.
    pub fn of(instance: &Instance) -> Self {
        Self { installation: instance.installation() }
    }

    /// `docker <arguments>`
    #[track_caller]
    pub fn docker(arguments: &[&str]) -> Finished {
        run(Command::new("docker").args(arguments), LIMIT)
    }

    /// Ids of this installation's objects of a kind (`container`, `service`, `network`, `secret`, `volume`) that carry
    /// all of `labels` (`key=value`).
    #[track_caller]
    pub fn list(&self, kind: &str, labels: &[&str]) -> Vec<String> {
        let mut arguments = vec![kind, "ls", "--quiet"];
        if kind == "container" {
            arguments.extend(["--all", "--no-trunc"]);
        }
        let ours = format!("label=skypanel.installation={}", self.installation);
        let labels: Vec<String> = labels.iter().map(|label| format!("label={label}")).collect();
        arguments.extend(["--filter", &ours]);
        for label in &labels {
            arguments.extend(["--filter", label]);
        }
        Self::docker(&arguments).success().out().lines().map(str::to_owned).collect()
    }

    /// The whole of what the engine tells about an object. One that is gone meanwhile is an empty answer.
    #[track_caller]
    pub fn inspect(kind: &str, id: &str) -> Value {
        let answer = Self::docker(&[kind, "inspect", id]);
        if !answer.ok() {
            return Value::Null;
        }
        let list: Value = serde_json::from_slice(&answer.stdout).expect("docker inspect prints JSON");
        list.get(0).cloned().unwrap_or(Value::Null)
    }

    /// What the engine has counted of a container so far, which its command line only tells rounded.
    ///
    /// # Panics
    /// When the engine does not tell it.
    #[track_caller]
    pub fn statistics(id: &str) -> Value {
        let mut stream = UnixStream::connect(SOCKET).expect("the engine listens");
        stream.set_read_timeout(Some(LIMIT)).and(stream.set_write_timeout(Some(LIMIT))).expect("are set");
        // The older form of the protocol has answers in one piece, up to the end of the connection.
        let request = format!("GET /containers/{id}/stats?stream=false&one-shot=true HTTP/1.0\r\nHost: engine\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("the engine is asked");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("the engine answers");
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {answer}"))
    }

    /// Containers of an app's process type that run and are not on their way out.
    #[track_caller]
    pub fn tasks(&self, slug: &str, process: &str) -> Vec<Value> {
        let (app, process) = (format!("skypanel.app={slug}"), format!("skypanel.process={process}"));
        self.list("container", &[&app, &process, "skypanel.role=task"])
            .iter()
            .map(|id| Self::inspect("container", id))
            .filter(|container| container["State"]["Status"] == "running")
            .collect()
    }

    /// A service's specification.
    #[track_caller]
    pub fn service(slug: &str, process: &str) -> Value {
        Self::inspect("service", &format!("skypanel-{slug}--{process}"))
    }

    /// Everything of an app that is left in the engine, one line each.
    #[track_caller]
    pub fn of_app(&self, slug: &str) -> Vec<String> {
        let label = format!("skypanel.app={slug}");
        ["service", "container", "secret", "network", "volume"]
            .iter()
            .flat_map(|kind| self.list(kind, &[&label]).into_iter().map(move |id| format!("{kind} {id}")))
            .collect()
    }
}

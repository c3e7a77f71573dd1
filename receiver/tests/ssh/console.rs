//! A container engine as a test wants it: a few log lines, two replicas, and one-off processes that behave
//! like a small shell.

use std::sync::Mutex;

use async_trait::async_trait;
use bytes::Bytes;
use chrono::DateTime;
use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use skypanel_core::Result;
use skypanel_core::console::{Console, LogLine, LogQuery, OneOff, OneOffSession, Output, ProcessFailure, ProcessState};
use skypanel_core::model::{Application, Node, NodeAvailability, NodeRole, NodeState, ProcessType};
use tokio::sync::{mpsc, oneshot};

#[derive(Default)]
pub(crate) struct FakeConsole {
    /// What was asked to run.
    pub(crate) runs: Mutex<Vec<OneOff>>,
    /// Sizes the terminal was given.
    pub(crate) sizes: std::sync::Arc<Mutex<Vec<(u16, u16)>>>,
    /// One-off processes whose session was dropped.
    pub(crate) removed: std::sync::Arc<Mutex<u32>>,
}

#[async_trait]
impl Console for FakeConsole {
    async fn logs(&self, _app: &Application, query: LogQuery) -> Result<BoxStream<'static, Result<LogLine>>> {
        let lines = ["\x1b[32mgreen\x1b[0m", "evil \x1b]0;title\x07\x1b[2J\rtext", "last"];
        let skip = lines.len().saturating_sub(query.lines as usize);
        let found = lines.into_iter().skip(skip).map(|text| {
            Ok(LogLine {
                at: DateTime::from_timestamp(1_795_323_600, 123_456_000).expect("a time"),
                process: "web.1".to_owned(),
                text: Bytes::from_static(text.as_bytes()),
            })
        });
        let found = stream::iter(found.collect::<Vec<_>>());
        Ok(if query.follow { found.chain(stream::pending()).boxed() } else { found.boxed() })
    }

    async fn processes(&self, _app: &Application) -> Result<Vec<ProcessState>> {
        let since = DateTime::from_timestamp(1_795_323_600, 0);
        let state = |replica, state: &str, error: Option<&str>| ProcessState {
            process: ProcessType::web(),
            replica,
            state: state.to_owned(),
            since,
            error: error.map(str::to_owned),
            last_failure: since.map(|at| ProcessFailure { at, reason: "task: non-zero exit (3)".to_owned() }),
        };
        Ok(vec![state(1, "running", None), state(2, "failed", Some("exit 1"))])
    }

    async fn nodes(&self) -> Result<Vec<Node>> {
        Ok(vec![Node {
            id: "node1".to_owned(),
            name: "one".to_owned(),
            address: Some("192.0.2.1".to_owned()),
            role: NodeRole::Manager,
            is_leader: true,
            state: NodeState::Ready,
            message: None,
            availability: NodeAvailability::Active,
            engine_version: Some("20.10.24".to_owned()),
            cpu_millicores: 2_000,
            memory_bytes: 4 << 30,
            replicas: 3,
            joined_at: None,
        }])
    }

    async fn run(&self, _app: &Application, one_off: OneOff) -> Result<OneOffSession> {
        let (input, mut typed) = mpsc::channel::<Bytes>(4);
        let (writes, output) = mpsc::channel(4);
        let (resize, mut sizes) = mpsc::channel(4);
        let (ends, exit) = oneshot::channel();
        self.runs.lock().expect("not poisoned").push(one_off.clone());
        let (seen, removed) = (self.sizes.clone(), self.removed.clone());
        let command = one_off.command.clone();
        tokio::spawn(async move {
            let status = match command.as_str() {
                "cat" => loop {
                    tokio::select! {
                        bytes = typed.recv() => match bytes {
                            Some(bytes) if bytes.contains(&3) => break 130,
                            Some(bytes) => { let _ = writes.send(Output::Stdout(bytes)).await; }
                            // Either the end of the input, or of the whole session, which ends both.
                            None => tokio::select! {
                                () = writes.closed() => { *removed.lock().expect("not poisoned") += 1; return }
                                () = tokio::time::sleep(std::time::Duration::from_millis(200)) => break 0,
                            },
                        },
                        Some(size) = sizes.recv() => seen.lock().expect("not poisoned").push(size),
                        () = writes.closed() => { *removed.lock().expect("not poisoned") += 1; return }
                    }
                },
                other => {
                    let _ = writes.send(Output::Stdout(format!("ran {other}\n").into())).await;
                    let _ = writes.send(Output::Stderr("oops\n".into())).await;
                    7
                }
            };
            drop(writes);
            let _ = ends.send(status);
        });
        Ok(OneOffSession { input, output, resize, exit })
    }
}

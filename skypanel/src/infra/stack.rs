//! The Swarm stack: deployed by the engine's own command line, which reads compose files; looked at through its API.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use bollard::Docker;
use bollard::models::{Task, TaskState};
use bollard::query_parameters::{ListServicesOptionsBuilder, ListTasksOptionsBuilder};
use chrono::{DateTime, Utc};
use skypanel_core::{Error, Result};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;
use tokio::time::timeout;

use super::files::Files;
use super::part::Part;
use crate::config::Config;
use crate::up;

/// Longest the engine may take to take a stack over; images are pulled after that.
const DEPLOY_LIMIT: Duration = Duration::from_mins(2);
/// Longest the engine may take to answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(20);
/// The label by which the engine knows what belongs to a stack.
const NAMESPACE: &str = "com.docker.stack.namespace";

/// The stack of this installation.
pub(super) struct Stack {
    engine: Docker,
    socket: PathBuf,
    name: String,
    node: String,
}

/// How it goes with a part that is being started.
pub(super) struct Progress {
    /// What its newest task does, in words.
    pub(super) doing: &'static str,
    /// How many of its tasks have failed.
    pub(super) failures: usize,
    /// What the engine says of the last of those.
    pub(super) error: Option<String>,
}

impl Stack {
    pub(super) async fn connect(config: &Config) -> Result<Self> {
        let engine = up::connect_engine(&config.docker_socket).await?;
        let info = answer(engine.info()).await?;
        let node = info.swarm.and_then(|swarm| swarm.node_id).filter(|id| !id.is_empty()).ok_or_else(|| {
            Error::Invalid("This engine is in no Swarm yet. Start `skypanel up` first; it makes one.".to_owned())
        })?;
        // As with the edge, more than one installation can share a host, but not a port.
        let name = match config.edge_http_port {
            80 => "skypanel-infra".to_owned(),
            port => format!("skypanel-infra-{port}"),
        };
        Ok(Self { engine, socket: config.docker_socket.clone(), name, node })
    }

    /// The name of a part's service.
    pub(super) fn service(&self, part: Part) -> String {
        format!("{}_{part}", self.name)
    }

    /// Makes a part's service what its compose file says.
    pub(super) async fn deploy(&self, part: Part, files: &Files<'_>, image: &str, listen: SocketAddr) -> Result<()> {
        let host = listen.ip().to_string();
        // Images are named by their versions: nobody has to be asked for what they mean.
        let arguments = ["stack", "deploy", "--resolve-image", "never", "--compose-file", "-", &self.name];
        let mut command = self.docker(&arguments);
        command
            .env("IMAGE", image)
            .env("ADDRESS", listen.to_string())
            .env("HOST", host)
            .env("PORT", listen.port().to_string())
            .env("DIGEST", files.digest(part))
            .env("DIRECTORY", files.directory(part))
            .env("NODE", &self.node);
        self.run(command, part.compose_file()).await
    }

    /// Removes a part's service.
    pub(super) async fn remove(&self, part: Part) -> Result<()> {
        let service = self.service(part);
        answer(self.engine.delete_service(&service)).await
    }

    /// The parts that have a service, in order.
    pub(super) async fn running(&self) -> Result<Vec<Part>> {
        let ours = [("label".to_owned(), vec![format!("{NAMESPACE}={}", self.name)])].into();
        let options = ListServicesOptionsBuilder::new().filters(&ours).build();
        let services = answer(self.engine.list_services(Some(options))).await?;
        let names: Vec<String> = services.into_iter().filter_map(|service| service.spec?.name).collect();
        Ok(Part::ALL.iter().copied().filter(|part| names.contains(&self.service(*part))).collect())
    }

    /// How it goes with a part that was started at `since`.
    pub(super) async fn progress(&self, part: Part, since: DateTime<Utc>) -> Result<Progress> {
        let mut tasks = self.tasks(part).await?;
        let created = |task: &Task| task.created_at.as_ref().and_then(|at| at.parse::<DateTime<Utc>>().ok());
        tasks.sort_by_key(created);
        let state = |task: &Task| task.status.as_ref().and_then(|status| status.state);
        let has_failed = |task: &&Task| {
            created(task).is_some_and(|at| at >= since)
                && matches!(state(task), Some(TaskState::FAILED | TaskState::REJECTED))
        };
        let failures = tasks.iter().filter(has_failed).count();
        let error = tasks.iter().rev().filter(has_failed).find_map(|task| task.status.as_ref()?.err.clone());
        let doing = match tasks.last().and_then(state) {
            Some(TaskState::RUNNING) => "runs, and does not answer yet",
            Some(TaskState::PREPARING) => "its image is being pulled",
            _ => "is being started",
        };
        Ok(Progress { doing, failures, error })
    }

    async fn tasks(&self, part: Part) -> Result<Vec<Task>> {
        let of_service = [("service".to_owned(), vec![self.service(part)])].into();
        let options = ListTasksOptionsBuilder::new().filters(&of_service).build();
        answer(self.engine.list_tasks(Some(options))).await
    }

    /// The engine's own command line, without anything of our environment but what finds it.
    fn docker(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("docker");
        command.env_clear().envs(std::env::vars_os().filter(|(name, _)| name == "PATH" || name == "HOME"));
        command.args(["--host", &format!("unix://{}", self.socket.display())]).args(arguments);
        command
    }

    async fn run(&self, mut command: Command, input: &str) -> Result<()> {
        let absent = |error| {
            Error::System(format!("The program `docker` cannot be run: {error}. On Debian: apt-get install docker.io"))
        };
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().map_err(absent)?;
        let mut stdin = child.stdin.take();
        let work = async {
            if let Some(stdin) = &mut stdin {
                // One that has ended already says why.
                let _ = stdin.write_all(input.as_bytes()).await;
            }
            drop(stdin);
            child.wait_with_output().await
        };
        let output = timeout(DEPLOY_LIMIT, work).await.map_err(|_| silent())?.map_err(absent)?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        Err(Error::Upstream(format!("The engine did not take the service over: {}", said.trim())))
    }
}

async fn answer<T>(asked: impl Future<Output = Result<T, bollard::errors::Error>>) -> Result<T> {
    let answered = timeout(ANSWER_LIMIT, asked).await.map_err(|_| silent())?;
    answered.map_err(|error| Error::Upstream(format!("The Docker engine refused: {error}.")))
}

fn silent() -> Error {
    Error::Upstream("The Docker engine does not answer in time. Try again when it does.".to_owned())
}

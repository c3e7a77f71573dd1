//! The platform's API and SSH server in this process, over a real database, and the client with a home of its own.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use skypanel_api::{Api, ApiOptions};
use skypanel_core::actions::Actions;
use skypanel_core::blob::LocalBlobs;
use skypanel_core::clock::Clock;
use skypanel_core::console::{Console, LogLine, LogQuery, OneOff, OneOffSession, ProcessState};
use skypanel_core::jobs::Jobs;
use skypanel_core::measurements::NoMeasurements;
use skypanel_core::model::{AddressFormat, Application, Role};
use skypanel_core::network::Networks;
use skypanel_core::repository::GitClient;
use skypanel_core::store::NewUser;
use skypanel_core::stream::Streams;
use skypanel_core::{Error, Result};
use skypanel_receiver::{Receiver, ReceiverOptions};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;
use tokio::process::{Child, ChildStdout, Command};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::support::Database;

/// Longest any program may run in a test.
const LIMIT: Duration = Duration::from_secs(50);

/// A platform with one user, `ada@example.com`, who owns the organisation `acme` and has no SSH key.
pub(crate) struct Platform {
    pub(crate) actions: Actions,
    pub(crate) url: String,
    pub(crate) ssh_port: u16,
    database: Database,
    directory: TempDir,
    cancel: CancellationToken,
    running: JoinSet<Result<()>>,
}

impl Platform {
    pub(crate) async fn start() -> Self {
        let database = Database::new().await;
        let directory = tempfile::tempdir().expect("makes a directory");
        let pool = database.pool().clone();
        let actions = Actions {
            store: database.store().clone(),
            streams: Streams::connect(pool.clone()).await.expect("listens"),
            jobs: Jobs::connect(pool).await.expect("has a queue"),
            blobs: Arc::new(LocalBlobs::open(&directory.path().join("blobs")).expect("opens")),
            console: Arc::new(NoEngine),
            logs: Arc::new(skypanel_core::logs::NoLogs),
            measurements: Arc::new(NoMeasurements),
            git: GitClient::default(),
            clock: Clock::system(),
        };
        let any_port = SocketAddr::from(([127, 0, 0, 1], 0));
        let options = ReceiverOptions {
            listen: any_port,
            data_dir: directory.path().join("data"),
            hook_binary: hook_binary(),
            public_host: "localhost".to_owned(),
            public_url: "http://localhost".to_owned(),
            addresses: AddressFormat { http_port: 80 },
        };
        let receiver = Receiver::bind(actions.clone(), options).await.expect("binds");
        let ssh_port = receiver.local_addr().port();
        let (api, url) = api(&actions, ssh_port).await;
        let cancel = CancellationToken::new();
        let mut running = JoinSet::new();
        running.spawn(receiver.run(cancel.clone()));
        running.spawn(api.run(cancel.clone()));
        let user = NewUser { email: "ada@example.com", password: "a long password", is_admin: false };
        let user = actions.store.create_user(user).await.expect("makes a user");
        let organization = actions.store.ensure_organization("acme").await.expect("makes an organisation");
        actions.store.set_member(organization.id, user.id, Role::Owner).await.expect("makes a member");
        for _ in 0..200 {
            if !actions.store.host_keys().await.expect("answers").is_empty() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        Self { actions, url, ssh_port, database, directory, cancel, running }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The client in a directory that is no repository, in a home without keys.
    fn command(&self, directory: &Path, arguments: &[&str]) -> Command {
        let mut client = Command::new(env!("CARGO_BIN_EXE_skypanel"));
        client
            .args(arguments)
            .current_dir(directory)
            .env("XDG_CONFIG_HOME", self.path("config"))
            .env("HOME", self.directory.path())
            .env("GIT_CEILING_DIRECTORIES", self.directory.path())
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env_remove("SKYPANEL_REMOTE")
            .env_remove("SSH_AUTH_SOCK")
            .stdin(Stdio::null())
            .kill_on_drop(true);
        client
    }

    pub(crate) async fn client(&self, arguments: &[&str]) -> Said {
        run(self.command(self.directory.path(), arguments)).await
    }

    pub(crate) async fn client_in(&self, directory: &Path, arguments: &[&str]) -> Said {
        run(self.command(directory, arguments)).await
    }

    /// With the platform's address in the environment. Nobody could answer a question.
    pub(crate) async fn client_of(&self, remote: &str, arguments: &[&str]) -> Said {
        let mut client = self.command(self.directory.path(), arguments);
        client.env("SKYPANEL_REMOTE", remote);
        run(client).await
    }

    pub(crate) async fn client_with_input(&self, arguments: &[&str], input: &str) -> Said {
        let mut client = self.command(self.directory.path(), arguments);
        client.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = client.spawn().expect("starts");
        let mut stdin = child.stdin.take().expect("is piped");
        stdin.write_all(input.as_bytes()).await.expect("writes");
        drop(stdin);
        said(child.wait_with_output()).await
    }

    /// The client, whose output is read while it runs.
    pub(crate) fn start_client(&self, arguments: &[&str]) -> Running {
        let mut client = self.command(self.directory.path(), arguments);
        client.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = client.spawn().expect("starts");
        let output = BufReader::new(child.stdout.take().expect("is piped"));
        Running { child, output }
    }

    /// Plain Git, in the same home.
    pub(crate) async fn git(&self, directory: &Path, arguments: &[&str]) -> Said {
        let mut git = Command::new("git");
        for (name, value) in self.command(directory, &[]).as_std().get_envs() {
            match value {
                Some(value) => git.env(name, value),
                None => git.env_remove(name),
            };
        }
        git.current_dir(directory).env("LC_ALL", "C.UTF-8").stdin(Stdio::null()).kill_on_drop(true);
        git.args(["-c", "user.name=Ada", "-c", "user.email=ada@example.com", "-c", "init.defaultBranch=main"]);
        git.args(arguments);
        run(git).await
    }

    /// A repository with one commit.
    pub(crate) async fn repository(&self, name: &str) -> PathBuf {
        let directory = self.path(name);
        std::fs::create_dir(&directory).expect("makes a directory");
        self.git(&directory, &["init", "-q"]).await.ok();
        std::fs::write(directory.join("index.html"), "hello").expect("writes");
        self.git(&directory, &["add", "-A"]).await.ok();
        self.git(&directory, &["commit", "-q", "-m", "Say hello"]).await.ok();
        directory
    }

    /// Stops API and SSH server; from then on nothing answers.
    pub(crate) async fn fall_silent(&mut self) {
        self.cancel.cancel();
        let ended = async {
            while let Some(ended) = self.running.join_next().await {
                ended.expect("does not panic").expect("stops well");
            }
        };
        tokio::time::timeout(Duration::from_secs(30), ended).await.expect("stops in time");
    }

    pub(crate) async fn stop(mut self) {
        self.fall_silent().await;
        drop(self.actions);
        self.database.close().await;
    }
}

/// The API on a free port. It must know its own address before it has one, so another may take it in between.
async fn api(actions: &Actions, ssh_port: u16) -> (Api, String) {
    for _ in 0..20 {
        let probe = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let listen = probe.local_addr().expect("has an address");
        drop(probe);
        let url = format!("http://localhost:{}", listen.port());
        let options = ApiOptions {
            listen,
            image_listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            ssh_host: "localhost".to_owned(),
            ssh_port,
            public_url: url.clone(),
            addresses: AddressFormat { http_port: 80 },
            requests_per_minute: None,
            trusted_proxies: Networks::default(),
            recheck: Duration::from_secs(1),
        };
        if let Ok(api) = Api::bind(actions.clone(), options).await {
            return (api, url);
        }
    }
    panic!("no port is free");
}

/// A client that runs.
pub(crate) struct Running {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Running {
    /// What it says up to the end of the line that contains `text`.
    pub(crate) async fn lines_until(&mut self, text: &str) -> String {
        let mut told = String::new();
        let read = async {
            while !told.contains(text) {
                if self.output.read_line(&mut told).await.expect("reads") == 0 {
                    let mut errors = String::new();
                    let stderr = self.child.stderr.as_mut().expect("is piped");
                    stderr.read_to_string(&mut errors).await.expect("reads");
                    panic!("{text:?} is missing in {told:?}, {errors}");
                }
            }
        };
        tokio::time::timeout(LIMIT, read).await.expect("says it in time");
        told
    }

    pub(crate) async fn finish(mut self) -> Said {
        let mut rest = String::new();
        let read = self.output.read_to_string(&mut rest);
        tokio::time::timeout(LIMIT, read).await.expect("ends in time").expect("reads");
        let said = said(self.child.wait_with_output()).await;
        Said { stdout: rest, ..said }
    }
}

/// What a program said and how it ended.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) status: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Said {
    #[track_caller]
    pub(crate) fn ok(self) -> Self {
        assert_eq!(self.status, Some(0), "{self:#?}");
        self
    }

    #[track_caller]
    pub(crate) fn failed(self) -> Self {
        assert_ne!(self.status, Some(0), "{self:#?}");
        self
    }

    /// Asserts that all of these were said, on either output.
    #[track_caller]
    pub(crate) fn says(&self, texts: &[&str]) {
        for text in texts {
            assert!(self.stdout.contains(text) || self.stderr.contains(text), "{text:?} is missing in {self:#?}");
        }
    }
}

/// Runs a program to its end.
pub(crate) async fn run(mut command: Command) -> Said {
    said(command.stdin(Stdio::null()).output()).await
}

async fn said(output: impl Future<Output = std::io::Result<std::process::Output>>) -> Said {
    let output = tokio::time::timeout(LIMIT, output).await.expect("ends in time").expect("runs");
    Said {
        status: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// The hook program, built once if it is not there: Cargo builds no programs of other packages for a test.
fn hook_binary() -> PathBuf {
    let client = PathBuf::from(env!("CARGO_BIN_EXE_skypanel"));
    let path = client.with_file_name("skypanel-hook");
    if !path.exists() {
        let built = std::process::Command::new(env!("CARGO")).args(["build", "-q", "-p", "skypanel-hook"]).status();
        assert!(built.expect("cargo runs").success());
    }
    path
}

/// In place of a container engine.
struct NoEngine;

#[async_trait]
impl Console for NoEngine {
    async fn logs(&self, _: &Application, _: LogQuery) -> Result<BoxStream<'static, Result<LogLine>>> {
        Ok(Box::pin(futures_util::stream::empty()))
    }

    async fn processes(&self, _: &Application) -> Result<Vec<ProcessState>> {
        Ok(Vec::new())
    }

    async fn run(&self, _: &Application, _: OneOff) -> Result<OneOffSession> {
        Err(Error::System("There is no engine here.".to_owned()))
    }
}

//! A receiver in this process, over a real database and local blobs, with a scripted worker and the real
//! `ssh` and `git` as its clients.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use skypanel_core::actions::Actions;
use skypanel_core::blob::LocalBlobs;
use skypanel_core::clock::Clock;
use skypanel_core::jobs::Jobs;
use skypanel_core::logs::NoLogs;
use skypanel_core::model::{AddressFormat, Application, Role, User};
use skypanel_core::store::{NewUser, Store};
use skypanel_core::stream::Streams;
use skypanel_observer::logs::{EmbeddedLogs, LogStoreOptions};
use skypanel_receiver::{Limits, Receiver, ReceiverOptions, SourceLimits, parse_public_key};
use tempfile::TempDir;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::console::FakeConsole;
use crate::measurements::FewMeasurements;
use crate::support::Database;
use crate::worker::{Script, Worker};

/// Longest any client may run in a test.
const CLIENT_LIMIT: Duration = Duration::from_secs(50);

/// Everything a test needs.
pub(crate) struct World {
    pub(crate) database: Database,
    pub(crate) directory: TempDir,
    pub(crate) address: SocketAddr,
    /// What the receiver works with.
    pub(crate) actions: Actions,
    pub(crate) worker: Worker,
    pub(crate) console: Arc<FakeConsole>,
    pub(crate) logs: EmbeddedLogs,
    /// Owner of the organisation `acme`, with the key `user`.
    pub(crate) user: User,
    cancel: CancellationToken,
    running: Option<JoinHandle<skypanel_core::Result<()>>>,
}

/// What a client said and how it ended.
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
    pub(crate) fn says(self, texts: &[&str]) -> Self {
        for text in texts {
            assert!(self.stdout.contains(text) || self.stderr.contains(text), "{text:?} is missing in {self:#?}");
        }
        self
    }

    /// The JSON document that was answered.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }

    /// The JSON documents that were answered, a line each.
    #[track_caller]
    pub(crate) fn documents(&self) -> Vec<Value> {
        let read = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {self:#?}"));
        self.stdout.lines().map(read).collect()
    }

    /// Asserts that this was the error, told as JSON on standard error.
    #[track_caller]
    pub(crate) fn refused(self, code: &str) -> Self {
        assert_eq!(self.status, Some(1), "{self:#?}");
        let last = self.stderr.lines().last().unwrap_or_default();
        let error: Value = serde_json::from_str(last).unwrap_or_else(|error| panic!("{error}: {self:#?}"));
        assert_eq!(error["code"], code, "{self:#?}");
        assert!(error["error"].as_str().is_some_and(|message| !message.is_empty()), "{self:#?}");
        self
    }

    #[track_caller]
    pub(crate) fn says_not(self, text: &str) -> Self {
        assert!(!self.stdout.contains(text) && !self.stderr.contains(text), "{text:?} is in {self:#?}");
        self
    }
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(Limits::default(), SourceLimits::default()).await
    }

    pub(crate) async fn with(limits: Limits, source_limits: SourceLimits) -> Self {
        Self::at(Clock::system(), limits, source_limits).await
    }

    /// With that clock.
    pub(crate) async fn at(clock: Clock, limits: Limits, source_limits: SourceLimits) -> Self {
        Self::make(clock, limits, source_limits, true).await
    }

    /// With a log store that does not answer.
    pub(crate) async fn without_logs() -> Self {
        Self::make(Clock::system(), Limits::default(), SourceLimits::default(), false).await
    }

    async fn make(clock: Clock, limits: Limits, source_limits: SourceLimits, has_logs: bool) -> Self {
        let database = Database::new().await;
        let directory = tempfile::tempdir().expect("makes a directory");
        let store = database.store().clone().with_clock(clock.clone());
        let blobs = Arc::new(LocalBlobs::open(&directory.path().join("blobs")).expect("opens"));
        let jobs = Jobs::connect(database.pool().clone()).await.expect("makes the queue");
        let streams = Streams::connect(database.pool().clone()).await.expect("listens");
        let worker = Worker::start(store.clone(), streams.clone(), blobs.clone());
        let console = Arc::new(FakeConsole::default());
        let options = ReceiverOptions {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            data_dir: directory.path().join("data"),
            hook_binary: hook_binary(),
            public_host: "paas.example".to_owned(),
            public_url: "https://paas.example".to_owned(),
            addresses: AddressFormat { http_port: 80 },
        };
        let logs = EmbeddedLogs::open(&directory.path().join("logs"), LogStoreOptions::default()).expect("opens");
        let actions = Actions {
            store: store.clone(),
            streams,
            jobs,
            blobs,
            console: console.clone(),
            logs: if has_logs { Arc::new(logs.clone()) } else { Arc::new(NoLogs) },
            measurements: Arc::new(FewMeasurements),
            git: skypanel_core::repository::GitClient::default(),
            clock,
        };
        let receiver = Receiver::bind(actions.clone(), options)
            .await
            .expect("binds")
            .with_limits(limits)
            .with_source_limits(source_limits);
        let address = receiver.local_addr();
        let known = format!("[127.0.0.1]:{} {}\n", address.port(), receiver.host_key_line());
        std::fs::write(directory.path().join("known_hosts"), known).expect("writes");
        let cancel = CancellationToken::new();
        let running = Some(tokio::spawn(receiver.run(cancel.clone())));
        let user = NewUser { email: "ada@example.com", password: "a long password", is_admin: false };
        let user = store.create_user(user).await.expect("makes a user");
        let organization = store.ensure_organization("acme").await.expect("makes an organisation");
        store.set_member(organization.id, user.id, Role::Owner).await.expect("makes a member");
        let world = Self { database, directory, address, actions, worker, console, logs, user, cancel, running };
        world.key("user", Some(&world.user)).await;
        world
    }

    pub(crate) fn store(&self) -> &Store {
        self.database.store()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.path("data")
    }

    /// Makes a key pair, registered for a user or not.
    pub(crate) async fn key(&self, name: &str, user: Option<&User>) -> String {
        let path = self.path(name);
        let made = Command::new("ssh-keygen")
            .args(["-q", "-t", "ed25519", "-N", "", "-C", name, "-f"])
            .arg(&path)
            .status()
            .await
            .expect("ssh-keygen runs");
        assert!(made.success());
        let text = std::fs::read_to_string(path.with_extension("pub")).expect("reads");
        let key = parse_public_key(&text).expect("a key");
        if let Some(user) = user {
            self.store().add_ssh_key(user.id, &key).await.expect("adds the key");
        }
        key.fingerprint
    }

    /// A member of `acme` with that role, and a key of the same name.
    pub(crate) async fn member(&self, name: &str, role: Role) -> User {
        let email = format!("{name}@example.com");
        let new = NewUser { email: &email, password: "a long password", is_admin: false };
        let user = self.store().create_user(new).await.expect("makes a user");
        let organization = self.store().organization("acme").await.expect("is there");
        self.store().set_member(organization.id, user.id, role).await.expect("makes a member");
        self.key(name, Some(&user)).await;
        user
    }

    /// What `ssh` is run with for a key.
    fn ssh_options(&self, key: &str) -> Vec<String> {
        let mut options = vec!["-i".to_owned(), self.path(key).display().to_string()];
        for option in [
            "IdentitiesOnly=yes".to_owned(),
            "IdentityAgent=none".to_owned(),
            format!("UserKnownHostsFile={}", self.path("known_hosts").display()),
            "StrictHostKeyChecking=yes".to_owned(),
            "LogLevel=INFO".to_owned(),
        ] {
            options.push("-o".to_owned());
            options.push(option);
        }
        options
    }

    /// `ssh` as a user with that key would type it, not started yet.
    pub(crate) fn ssh_command(&self, key: &str, extra: &[&str], command: &str) -> Command {
        let mut ssh = Command::new("ssh");
        ssh.arg("-F").arg("/dev/null").args(self.ssh_options(key)).args(extra);
        ssh.arg("-p").arg(self.address.port().to_string()).arg("git@127.0.0.1");
        if !command.is_empty() {
            ssh.arg(command);
        }
        ssh.stdin(Stdio::null()).kill_on_drop(true);
        ssh
    }

    pub(crate) async fn ssh(&self, command: &str) -> Said {
        run(self.ssh_command("user", &[], command)).await
    }

    pub(crate) async fn ssh_as(&self, key: &str, command: &str) -> Said {
        run(self.ssh_command(key, &[], command)).await
    }

    /// `ssh` with something on its standard input.
    pub(crate) async fn ssh_with_input(&self, extra: &[&str], command: &str, input: &[u8]) -> Said {
        let path = self.path(&format!("input-{}", rand::random::<u32>()));
        std::fs::write(&path, input).expect("writes");
        let mut ssh = self.ssh_command("user", extra, command);
        ssh.stdin(std::fs::File::open(path).expect("opens"));
        run(ssh).await
    }

    /// `ssh` in a terminal of 100 columns and 40 rows, of `script`'s making; the keys are typed half a second
    /// apart.
    pub(crate) async fn ssh_with_terminal(&self, command: &str, keys: &[&[u8]]) -> Said {
        let ssh = self.ssh_command("user", &["-tt"], command);
        let words: Vec<String> = std::iter::once(ssh.as_std().get_program())
            .chain(ssh.as_std().get_args())
            .map(|word| format!("'{}'", word.to_string_lossy().replace('\'', "'\\''")))
            .collect();
        let line = format!("stty cols 100 rows 40; exec {}", words.join(" "));
        let mut script = Command::new("script");
        script.args(["-q", "-e", "-c", &line, "/dev/null"]).env("TERM", "xterm-256color").kill_on_drop(true);
        let mut script =
            script.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("script starts");
        let mut typed = script.stdin.take().expect("is piped");
        let typing = async {
            for key in keys {
                tokio::time::sleep(Duration::from_millis(1_500)).await;
                typed.write_all(key).await.expect("types");
            }
            // The end of its input would be the end of the terminal.
            std::future::pending::<()>().await;
        };
        let output = tokio::select! {
            output = tokio::time::timeout(CLIENT_LIMIT, script.wait_with_output()) => output.expect("ends in time").expect("runs"),
            () = typing => unreachable!("never ends"),
        };
        Said {
            status: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// `git` in a directory, not started yet.
    pub(crate) fn git_command(&self, key: &str, directory: &Path, arguments: &[&str]) -> Command {
        let mut git = Command::new("git");
        let quoted: Vec<String> = self.ssh_options(key).iter().map(|option| format!("'{option}'")).collect();
        git.current_dir(directory)
            .env("GIT_SSH_COMMAND", format!("ssh -F /dev/null {}", quoted.join(" ")))
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("LC_ALL", "C.UTF-8")
            .env("HOME", self.directory.path())
            .args(["-c", "user.name=Ada", "-c", "user.email=ada@example.com", "-c", "init.defaultBranch=main"])
            .args(["-c", "core.quotePath=false", "-c", "protocol.file.allow=always"])
            .args(arguments)
            .stdin(Stdio::null())
            .kill_on_drop(true);
        git
    }

    pub(crate) async fn git(&self, directory: &Path, arguments: &[&str]) -> Said {
        run(self.git_command("user", directory, arguments)).await
    }

    pub(crate) fn url(&self, app: &str) -> String {
        format!("ssh://git@127.0.0.1:{}/{app}.git", self.address.port())
    }

    /// A working copy with one commit of these files, and the remote `skypanel`.
    pub(crate) async fn working_copy(&self, app: &str, files: &[(&str, &str)]) -> PathBuf {
        let directory = self.path(&format!("work-{}", rand::random::<u32>()));
        std::fs::create_dir(&directory).expect("makes a directory");
        self.git(&directory, &["init", "-q"]).await.ok();
        self.git(&directory, &["remote", "add", "skypanel", &self.url(app)]).await.ok();
        self.commit(&directory, files).await;
        directory
    }

    pub(crate) async fn commit(&self, directory: &Path, files: &[(&str, &str)]) -> String {
        for (name, text) in files {
            let path = directory.join(name);
            std::fs::create_dir_all(path.parent().expect("has a parent")).expect("makes a directory");
            std::fs::write(path, text).expect("writes");
        }
        self.git(directory, &["add", "-A"]).await.ok();
        self.git(directory, &["commit", "-q", "--allow-empty", "-m", "Say hello"]).await.ok();
        self.git(directory, &["rev-parse", "HEAD"]).await.ok().stdout.trim().to_owned()
    }

    pub(crate) async fn app(&self, slug: &str) -> Application {
        self.store().app_by_slug(&slug.parse().expect("a slug")).await.expect("asks").expect("exists")
    }

    /// The hash a ref has on the server.
    pub(crate) async fn server_ref(&self, app: &str, reference: &str) -> Option<String> {
        let app = self.app(app).await;
        let repository = self.data().join("repositories").join(format!("{}.git", app.id));
        let said =
            run_raw(Command::new("git").arg("-C").arg(repository).args(["rev-parse", "-q", "--verify", reference]))
                .await;
        (said.status == Some(0)).then(|| said.stdout.trim().to_owned())
    }

    /// Paths, kinds and contents (or link targets) of a deployment's stored source.
    pub(crate) fn source(&self, id: skypanel_core::model::DeploymentId) -> HashMap<Vec<u8>, (tar::EntryType, Vec<u8>)> {
        use std::io::Read as _;
        let path = self.path("blobs").join(skypanel_core::blob::BlobKey::source(id).as_str());
        let reader = zstd::Decoder::new(std::fs::File::open(path).expect("is stored")).expect("is zstd");
        let mut archive = tar::Archive::new(reader);
        let mut found = HashMap::new();
        for entry in archive.entries().expect("is a tar") {
            let mut entry = entry.expect("is whole");
            let mut content = Vec::new();
            entry.read_to_end(&mut content).expect("reads");
            if let Some(target) = entry.link_name_bytes() {
                content = target.into_owned();
            }
            found.insert(entry.path_bytes().into_owned(), (entry.header().entry_type(), content));
        }
        found
    }

    /// What the worker does with the next jobs, in order; afterwards each succeeds.
    pub(crate) fn script(&self, scripts: impl IntoIterator<Item = Script>) {
        self.worker.script(scripts);
    }

    /// Stops the receiver, as at Skypanel's end.
    pub(crate) async fn stop_receiver(&mut self) {
        self.cancel.cancel();
        if let Some(running) = self.running.take() {
            tokio::time::timeout(Duration::from_secs(15), running)
                .await
                .expect("stops in time")
                .expect("does not panic")
                .expect("stops well");
        }
    }

    pub(crate) async fn close(mut self) {
        self.stop_receiver().await;
        self.worker.stop();
        // It holds a connection to the database.
        drop(self.actions);
        let leftovers: Vec<_> =
            std::fs::read_dir(self.directory.path().join("data/run/pushes")).expect("is there").flatten().collect();
        assert!(leftovers.is_empty(), "hook sockets are left: {leftovers:?}");
        self.database.close().await;
    }
}

/// Runs a client to its end.
pub(crate) async fn run(mut command: Command) -> Said {
    run_raw(&mut command).await
}

async fn run_raw(command: &mut Command) -> Said {
    let output = tokio::time::timeout(CLIENT_LIMIT, command.output()).await.expect("ends in time").expect("runs");
    Said {
        status: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Waits until something is true, for ten seconds at most.
pub(crate) async fn eventually(what: &str, mut check: impl AsyncFnMut() -> bool) {
    for _ in 0..200 {
        if check().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("never came true: {what}");
}

/// The hook program, built once if it is not there: Cargo builds no programs of other packages for a test.
fn hook_binary() -> PathBuf {
    static BUILT: Mutex<bool> = Mutex::new(false);
    let mut built = BUILT.lock().expect("not poisoned");
    let test = std::env::current_exe().expect("has a path");
    let path = test.ancestors().nth(2).expect("lies in the target directory").join("skypanel-hook");
    if !*built && !path.exists() {
        let status = std::process::Command::new(env!("CARGO"))
            .args(["build", "-q", "-p", "skypanel-hook"])
            .status()
            .expect("cargo runs");
        assert!(status.success());
    }
    *built = true;
    path
}

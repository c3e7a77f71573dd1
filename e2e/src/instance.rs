//! The Skypanel under test: where it is, its admin commands, its settings, its log, and its life and death.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use serde::Deserialize;
use serde_json::Value;

use crate::command::{Finished, run};
use crate::wait;

const ADMIN_LIMIT: Duration = Duration::from_mins(1);
const START_LIMIT: Duration = Duration::from_mins(3);

/// What `infra/dev/e2e start` wrote down.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Instance {
    /// Directory of the built programs.
    pub programs: PathBuf,
    /// Its data directory.
    pub data_dir: PathBuf,
    /// Its process id.
    pub pid_file: PathBuf,
    /// Its log, standard output and error together.
    pub log_file: PathBuf,
    /// Directory of the programs that only tests use.
    pub tools: PathBuf,
    /// Port of the SSH receiver.
    pub ssh_port: u16,
    /// Port of the API.
    pub api_port: u16,
    /// Port of the image endpoint.
    pub image_port: u16,
    /// Port of the edge, HTTP.
    pub http_port: u16,
    /// Port of the edge, HTTPS.
    pub https_port: u16,
    /// Port that a Prometheus reads the agent's metrics at.
    pub metrics_port: u16,
    /// A user who owns the organisation that the tests' apps belong to.
    pub user: String,
    /// That organisation.
    pub organization: String,
}

impl Instance {
    /// The instance of this machine.
    ///
    /// # Panics
    /// When there is none: these tests never pass by not running.
    pub fn attach() -> Self {
        let path =
            std::env::var_os("SKYPANEL_E2E").map_or_else(|| root().join(".work/e2e/instance.json"), PathBuf::from);
        let json = std::fs::read_to_string(&path).unwrap_or_else(|error| {
            panic!(
                "There is no Skypanel to test ({}: {error}).\n\
                 All end-to-end tests: infra/dev/e2e      One: infra/dev/e2e start, then \
                 cargo nextest run -p skypanel-e2e --profile e2e NAME",
                path.display()
            )
        });
        serde_json::from_str(&json).unwrap_or_else(|error| panic!("{} is not right: {error}", path.display()))
    }

    /// A program of this installation with its environment.
    pub fn program(&self, name: &str) -> Command {
        let mut command = Command::new(self.programs.join(name));
        command.env("SKYPANEL_DATA_DIR", &self.data_dir);
        command
    }

    /// A program that only tests use: the one that `infra/dev/tools.sh` fetched, or else the machine's own.
    pub fn tool(&self, name: &str) -> Command {
        let fetched = self.tools.join(name);
        if fetched.exists() { Command::new(fetched) } else { Command::new(name) }
    }

    /// `skypanel admin …`
    #[track_caller]
    pub fn admin(&self, arguments: &[&str]) -> Finished {
        run(self.program("skypanel").arg("admin").args(arguments), ADMIN_LIMIT)
    }

    /// Changes a setting until the answer is dropped. It is the whole platform's: only for tests that run alone.
    #[track_caller]
    pub fn set(&self, key: &str, value: &str) -> SettingGuard {
        let listed = self.admin(&["settings", "--json"]).success().out();
        let listed: Value = serde_json::from_str(&listed).expect("settings are JSON");
        let known = listed["items"].as_array().into_iter().flatten().find(|setting| setting["key"] == key);
        let known = known.unwrap_or_else(|| panic!("there is no setting {key} in: {listed}"));
        let before = match &known["value"] {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let _ = self.admin(&["settings:set", key, value]).success();
        SettingGuard { instance: self.clone(), key: key.to_owned(), before }
    }

    /// Its process id.
    ///
    /// # Panics
    /// When it is not known.
    pub fn pid(&self) -> Pid {
        let text = std::fs::read_to_string(&self.pid_file).expect("the instance's pid file is there");
        text.trim().parse().ok().and_then(Pid::from_raw).unwrap_or_else(|| panic!("{text:?} is a process id"))
    }

    /// Ends it the hard way, as the kernel does when memory is out. Its database, its edge and all apps stay.
    pub fn kill(&self) {
        let pid = self.pid();
        kill_process(pid, Signal::KILL).expect("the instance can be killed");
        wait::until("the killed process is gone", Duration::from_secs(10), || test_kill_process(pid).is_err());
    }

    /// Stops it as an operator does.
    pub fn stop(&self) {
        let pid = self.pid();
        kill_process(pid, Signal::TERM).expect("the instance can be stopped");
        wait::until("the process has stopped", Duration::from_secs(45), || test_kill_process(pid).is_err());
    }

    /// Starts it again and waits until it is ready.
    #[track_caller]
    pub fn start(&self) {
        let _ = run(Command::new(root().join("infra/dev/e2e")).arg("start"), START_LIMIT).success();
    }

    /// Everything it has logged.
    pub fn log(&self) -> Vec<u8> {
        std::fs::read(&self.log_file).unwrap_or_default()
    }

    /// The rows an SQL query answers, columns separated by `|`; for what no command of Skypanel tells.
    #[track_caller]
    pub fn query(&self, sql: &str) -> Vec<String> {
        let mut psql = Command::new("psql");
        psql.args([
            "--no-psqlrc",
            "--quiet",
            "--tuples-only",
            "--no-align",
            "--username=skypanel",
            "--dbname=postgres",
        ]);
        psql.arg("--host").arg(self.data_dir.join("postgres/socket")).args(["--command", sql]);
        run(&mut psql, ADMIN_LIMIT).success().out().lines().map(str::to_owned).collect()
    }

    /// The id that its objects in the engine are labelled with.
    ///
    /// # Panics
    /// When it has none yet.
    pub fn installation(&self) -> String {
        let text = std::fs::read_to_string(self.data_dir.join("installation")).expect("an installation has an id");
        text.trim().to_owned()
    }
}

/// Puts a setting back when dropped.
pub struct SettingGuard {
    instance: Instance,
    key: String,
    before: String,
}

impl Drop for SettingGuard {
    fn drop(&mut self) {
        let restored = self.instance.admin(&["settings:set", &self.key, &self.before]);
        assert!(restored.ok() || std::thread::panicking(), "{restored:?}");
    }
}

/// The top of the repository, as cargo says when it runs this and not when it built this: a build may be used by
/// several clones.
///
/// # Panics
/// When this was not started by cargo.
pub fn root() -> PathBuf {
    let crate_directory = std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo runs the tests");
    Path::new(&crate_directory).parent().expect("the crate lies in the repository").to_owned()
}

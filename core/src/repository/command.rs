//! Runs `git`: its own process group, a bare minimum of environment, output kept short, time and space bounded.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::Command;

use super::workplace::Workplace;
use crate::quantity::size;
use crate::source::ALLOC_LIMIT;
use crate::{Error, Result};

/// Most bytes kept of each output; the rest is read and dropped.
const MAX_OUTPUT: usize = 64 * 1024;
/// How often what was fetched is measured.
const MEASURE_EVERY: Duration = Duration::from_millis(200);
/// What libcurl and OpenSSL of an operator's choice are told by.
const PASSED_ON: [&str; 3] = ["SSL_CERT_FILE", "SSL_CERT_DIR", "GIT_SSL_CAINFO"];
/// Holds for every errand.
const SETTINGS: [&str; 9] = [
    "protocol.version=2",
    "fetch.unpackLimit=1",
    "fetch.recurseSubmodules=false",
    "transfer.bundleURI=false",
    "core.hooksPath=/dev/null",
    "core.bigFileThreshold=16m",
    "core.fsync=none",
    "gc.auto=0",
    "maintenance.auto=false",
];

/// A `git` to run.
pub(super) struct GitCommand<'a> {
    command: Command,
    workplace: &'a Workplace,
}

/// How it ended.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) succeeded: bool,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

impl<'a> GitCommand<'a> {
    pub(super) fn new(program: &Path, workplace: &'a Workplace) -> Self {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("HOME", workplace.path())
            .env("LC_ALL", "C.UTF-8")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_ATTR_NOSYSTEM", "1")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env(ALLOC_LIMIT.0, ALLOC_LIMIT.1)
            .env("GIT_PROTOCOL_FROM_USER", "0")
            .env("GIT_CEILING_DIRECTORIES", workplace.path())
            .envs(PASSED_ON.into_iter().filter_map(|name| Some((name, std::env::var_os(name)?))))
            .envs(workplace.environment().iter().map(|(name, value)| (*name, value)))
            .current_dir(workplace.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        for setting in SETTINGS.into_iter().chain(workplace.settings().iter().map(String::as_str)) {
            command.arg("-c").arg(setting);
        }
        Self { command, workplace }
    }

    /// Runs on the bare repository.
    pub(super) fn in_repository(mut self) -> Self {
        self.command.current_dir(self.workplace.repository()).env("GIT_DIR", ".");
        self
    }

    pub(super) fn args<I: IntoIterator<Item = S>, S: AsRef<std::ffi::OsStr>>(mut self, arguments: I) -> Self {
        self.command.args(arguments);
        self
    }

    /// Waits for its end, for at most `time`, and until it has stored `bytes`; then it is killed with all that it
    /// started, as it is when the waiting is given up.
    pub(super) async fn run(mut self, time: Duration, bytes: u64) -> Result<Ended> {
        let broken = |error: std::io::Error| {
            Error::System(format!("`git` could not be run: {error}. Is it installed on the machine of this worker?"))
        };
        let mut child = self.command.spawn().map_err(broken)?;
        let _group = Group(child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw));
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let ended = async {
            let (stdout, stderr, status) = tokio::join!(keep(stdout), keep(stderr), child.wait());
            Ok::<_, Error>(Ended { succeeded: status.map_err(broken)?.success(), stdout, stderr })
        };
        let repository = self.workplace.repository();
        let ended = tokio::select! {
            ended = ended => ended?,
            () = tokio::time::sleep(time) => {
                return Err(Error::repository(
                    "git_url",
                    format!("The host of the repository took longer than {} s and was given up.", time.as_secs()),
                ));
            }
            () = outgrown(repository.clone(), bytes) => return Err(too_large(bytes)),
        };
        // It may have ended between two looks.
        if bytes != u64::MAX && measure(repository).await > bytes {
            return Err(too_large(bytes));
        }
        Ok(ended)
    }
}

fn too_large(bytes: u64) -> Error {
    Error::repository("git_url", format!("The repository is larger than {}, which is the limit here.", size(bytes)))
}

/// Ends when what lies below `directory` has become too much.
async fn outgrown(directory: std::path::PathBuf, bytes: u64) {
    if bytes == u64::MAX {
        return std::future::pending().await;
    }
    loop {
        tokio::time::sleep(MEASURE_EVERY).await;
        if measure(directory.clone()).await > bytes {
            return;
        }
    }
}

/// Bytes of the objects of a bare repository.
async fn measure(repository: std::path::PathBuf) -> u64 {
    let objects = repository.join("objects");
    tokio::task::spawn_blocking(move || stored(&objects, 3)).await.unwrap_or(0)
}

/// Bytes of the files below a directory, `depth` levels deep. What vanishes meanwhile counts for nothing.
fn stored(directory: &Path, depth: u32) -> u64 {
    let Ok(entries) = std::fs::read_dir(directory) else { return 0 };
    let bytes = entries.flatten().map(|entry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() && depth > 0 => stored(&entry.path(), depth - 1),
        Ok(metadata) => metadata.len(),
        Err(_) => 0,
    });
    bytes.sum()
}

async fn keep(output: Option<impl AsyncRead + Unpin>) -> String {
    let mut kept = Vec::new();
    let Some(mut output) = output else { return String::new() };
    let mut buffer = vec![0; 8 * 1024];
    while let Ok(read) = output.read(&mut buffer).await {
        if read == 0 {
            break;
        }
        let room = MAX_OUTPUT.saturating_sub(kept.len());
        kept.extend_from_slice(&buffer[..read.min(room)]);
    }
    String::from_utf8_lossy(&kept).into_owned()
}

/// The process group, killed with this: `git` has helpers that would go on.
struct Group(Option<Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(pid) = self.0.take() {
            // One that has ended as a whole is not there any more.
            let _ = kill_process_group(pid, Signal::KILL);
        }
    }
}

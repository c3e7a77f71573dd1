//! Runs one of Git's programs for a client: its own process group, a bare minimum of environment, and pumps
//! between the channel and its pipes that copy nothing they need not copy.

use std::io::{self, IoSlice};
use std::path::Path;
use std::process::{ExitStatus, Stdio};

use bytes::{Buf as _, Bytes, BytesMut};
use rustix::process::{Pid, Signal, kill_process_group};
use skypanel_core::source::ALLOC_LIMIT;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, ChildStdin, Command};

use crate::channel::{Input, Requests};
use crate::git::Repositories;
use crate::output::Output;

/// What Linux allows an unprivileged process; the more fits, the fewer switches between us and Git.
const PIPE_SIZE: usize = 1 << 20;
/// Room for one read of what Git writes.
const READ_SIZE: usize = 64 * 1024;
/// Most pieces written to Git in one call.
const MAX_PIECES: usize = 64;

/// A Git program to run.
pub(crate) struct GitProcess {
    command: Command,
}

impl GitProcess {
    /// Prepares `git -c key=value … arguments…`, to be run on `repository`.
    pub(crate) fn new(repositories: &Repositories, repository: &Path, settings: &[(&str, String)]) -> Self {
        let mut command = Command::new(repositories.git());
        command
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("HOME", repositories.home())
            .env("LC_ALL", "C.UTF-8")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_ATTR_NOSYSTEM", "1")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env(ALLOC_LIMIT.0, ALLOC_LIMIT.1)
            .current_dir(repository)
            .process_group(0)
            .kill_on_drop(true);
        for (key, value) in settings {
            command.arg("-c").arg(format!("{key}={value}"));
        }
        Self { command }
    }

    /// Adds an argument.
    pub(crate) fn arg(mut self, argument: impl AsRef<std::ffi::OsStr>) -> Self {
        self.command.arg(argument);
        self
    }

    /// Adds an environment variable.
    pub(crate) fn env(mut self, name: &str, value: impl AsRef<std::ffi::OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Starts it with pipes.
    pub(crate) fn start(mut self) -> io::Result<Running> {
        let child = self.command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        Ok(Running { group: Group::of(&child), child })
    }

    /// Runs it without input or output and waits for it. Dropping the future ends it with all it started.
    pub(crate) async fn quiet(mut self) -> io::Result<ExitStatus> {
        let mut child = self.command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let mut group = Group::of(&child);
        let status = child.wait().await?;
        group.0 = None;
        Ok(status)
    }
}

/// A running Git program.
pub(crate) struct Running {
    child: Child,
    group: Group,
}

/// How a program ended.
pub(crate) struct Ended {
    /// Its status.
    pub(crate) status: ExitStatus,
    /// Bytes that the client sent it.
    pub(crate) received: u64,
}

/// The process group; killed when dropped, unless its leader has ended.
struct Group(Option<Pid>);

impl Group {
    fn of(leader: &Child) -> Self {
        Self(leader.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(pid) = self.0.take() {
            let _ = kill_process_group(pid, Signal::KILL);
        }
    }
}

impl Running {
    /// Passes data both ways until the program ends. When the client goes away the program gets the end of
    /// its input and runs on to its own end, its output thrown away.
    pub(crate) async fn attend(mut self, output: &Output, requests: Requests) -> io::Result<Ended> {
        let pipes = (self.child.stdin.take(), self.child.stdout.take(), self.child.stderr.take());
        let (Some(stdin), Some(stdout), Some(stderr)) = pipes else {
            return Err(io::Error::other("the program has no pipes"));
        };
        // A smaller pipe is slower and nothing else.
        let _ = rustix::pipe::fcntl_setpipe_size(&stdin, PIPE_SIZE);
        let _ = rustix::pipe::fcntl_setpipe_size(&stdout, PIPE_SIZE);
        let out = pass_on(stdout, Side::Out, output.clone());
        let err = pass_on(stderr, Side::Err, output.clone());
        let ended = async {
            tokio::join!(out, err);
            self.child.wait().await
        };
        let mut received = 0;
        let status = tokio::select! {
            status = ended => status,
            never = feed(stdin, requests, &mut received) => match never {},
        }?;
        self.group.0 = None;
        Ok(Ended { status, received })
    }
}

/// Which of a program's outputs.
#[derive(Clone, Copy)]
enum Side {
    Out,
    Err,
}

/// Reads to the end, whatever becomes of what was read: a program whose output nobody takes would stop.
async fn pass_on<R: tokio::io::AsyncRead + Unpin>(mut from: R, side: Side, output: Output) {
    let mut buffer = BytesMut::new();
    let mut wanted = true;
    loop {
        buffer.reserve(READ_SIZE);
        match from.read_buf(&mut buffer).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {
                let bytes = buffer.split().freeze();
                if wanted {
                    let sent = match side {
                        Side::Out => output.raw(bytes).await,
                        Side::Err => output.raw_stderr(bytes).await,
                    };
                    wanted = sent.is_ok();
                }
            }
        }
    }
}

/// Writes what the client sends to the program until either has had enough; does not end by itself, as the
/// program's end is what ends it.
async fn feed(stdin: ChildStdin, mut requests: Requests, received: &mut u64) -> std::convert::Infallible {
    feed_to_end(stdin, &mut requests, received).await;
    requests.gone().await;
    std::future::pending().await
}

async fn feed_to_end(mut stdin: ChildStdin, requests: &mut Requests, received: &mut u64) {
    let mut pieces: Vec<Bytes> = Vec::with_capacity(MAX_PIECES);
    let mut ended = false;
    while !ended {
        match requests.next().await {
            Some(Input::Data(bytes)) => pieces.push(bytes),
            Some(Input::Resize(..)) => {}
            Some(Input::Eof) | None => ended = true,
        }
        while !ended && pieces.len() < MAX_PIECES {
            match requests.waiting() {
                Some(Input::Data(bytes)) => pieces.push(bytes),
                Some(Input::Eof) => ended = true,
                Some(Input::Resize(..)) => {}
                None => break,
            }
        }
        *received += pieces.iter().map(|piece| piece.len() as u64).sum::<u64>();
        // A program that stopped reading knows why, and says so on its output.
        if write_all(&mut stdin, &mut pieces).await.is_err() {
            return;
        }
    }
}

async fn write_all(stdin: &mut ChildStdin, pieces: &mut Vec<Bytes>) -> io::Result<()> {
    let mut first = 0;
    while first < pieces.len() {
        let slices: Vec<IoSlice<'_>> = pieces[first..].iter().map(|piece| IoSlice::new(piece)).collect();
        let mut written = stdin.write_vectored(&slices).await?;
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        while let Some(piece) = pieces.get_mut(first) {
            let taken = written.min(piece.len());
            piece.advance(taken);
            written -= taken;
            if !piece.is_empty() {
                break;
            }
            first += 1;
        }
    }
    pieces.clear();
    Ok(())
}

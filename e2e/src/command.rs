//! Programs with a deadline, their output readable while they run.

use std::fmt;
use std::io::{Read, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

/// How a program ended.
#[derive(Clone)]
pub struct Finished {
    /// Exit status; none when a signal ended it.
    pub status: Option<i32>,
    /// What it wrote on standard output.
    pub stdout: Vec<u8>,
    /// What it wrote on standard error.
    pub stderr: Vec<u8>,
    called: String,
}

impl Finished {
    /// Whether it ended with status 0.
    pub fn ok(&self) -> bool {
        self.status == Some(0)
    }

    /// Standard output as text.
    pub fn out(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// Standard error as text.
    pub fn err(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }

    /// Both, standard output first.
    pub fn text(&self) -> String {
        self.out() + &self.err()
    }

    /// Itself, if it ended with status 0.
    ///
    /// # Panics
    /// With everything it wrote, if not.
    #[track_caller]
    #[must_use = "what it wrote is there to be looked at; bind it to _ otherwise"]
    pub fn success(self) -> Self {
        assert!(self.ok(), "{self:?}");
        self
    }

    /// Asserts its exit status and that it said `text`.
    #[track_caller]
    pub fn says(&self, status: i32, text: &str) -> &Self {
        assert_eq!(self.status, Some(status), "{self:?}");
        assert!(self.text().contains(text), "{text:?} is not in {self:?}");
        self
    }
}

impl fmt::Debug for Finished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "`{}` ended with status {:?}", self.called, self.status)?;
        writeln!(f, "--- stdout\n{}", self.out().trim_end())?;
        write!(f, "--- stderr\n{}\n---", self.err().trim_end())
    }
}

/// Runs a program to its end, without input.
///
/// # Panics
/// When it cannot be started, or has not ended within `limit`.
#[track_caller]
pub fn run(command: &mut Command, limit: Duration) -> Finished {
    let mut running = Running::start(command);
    running.close_input();
    running.finish(limit)
}

type Buffer = Arc<Mutex<Vec<u8>>>;

/// A running program in a process group of its own, which is killed when this is dropped.
pub struct Running {
    child: Child,
    input: Option<ChildStdin>,
    stdout: Buffer,
    stderr: Buffer,
    readers: Vec<JoinHandle<()>>,
    called: String,
    ended: bool,
}

impl Running {
    /// Starts it.
    ///
    /// # Panics
    /// When it cannot be started.
    #[track_caller]
    pub fn start(command: &mut Command) -> Self {
        let words = std::iter::once(command.get_program()).chain(command.get_args());
        let called = words.map(std::ffi::OsStr::to_string_lossy).collect::<Vec<_>>().join(" ");
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .unwrap_or_else(|error| panic!("`{called}` cannot be started: {error}"));
        let (stdout, stderr) = (Buffer::default(), Buffer::default());
        let readers = vec![read(child.stdout.take(), &stdout), read(child.stderr.take(), &stderr)];
        Self { input: child.stdin.take(), child, stdout, stderr, readers, called, ended: false }
    }

    /// What it has written so far, standard output first.
    pub fn text(&self) -> String {
        let mut text = String::from_utf8_lossy(&lock(&self.stdout)).into_owned();
        text += &String::from_utf8_lossy(&lock(&self.stderr));
        text
    }

    /// Waits until it has written `text`.
    ///
    /// # Panics
    /// When it ends, or `limit` passes, before that.
    #[track_caller]
    pub fn wait_for(&mut self, text: &str, limit: Duration) {
        let deadline = Instant::now() + limit;
        loop {
            let ended = self.child.try_wait().ok().flatten().is_some();
            if self.text().contains(text) {
                return;
            }
            let in_time = Instant::now() < deadline;
            assert!(!ended && in_time, "`{}` did not write {text:?}, but:\n{}", self.called, self.text());
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Types `bytes` into it. A program that does not read any more is no error.
    pub fn type_in(&mut self, bytes: &[u8]) {
        if let Some(input) = &mut self.input {
            let _ = input.write_all(bytes).and_then(|()| input.flush());
        }
    }

    /// Ends its input.
    pub fn close_input(&mut self) {
        self.input = None;
    }

    /// Whether it still runs.
    pub fn runs(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Kills it with all its children, as a closed laptop or a crash would.
    pub fn kill(mut self) {
        self.kill_group();
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// When it has not ended within `limit`; it is killed then.
    #[track_caller]
    pub fn finish(mut self, limit: Duration) -> Finished {
        let deadline = Instant::now() + limit;
        let status = loop {
            match self.child.try_wait() {
                Ok(Some(status)) => break status,
                Ok(None) if Instant::now() < deadline => thread::sleep(Duration::from_millis(10)),
                Ok(None) => panic!("`{}` has not ended within {limit:?}. So far:\n{}", self.called, self.text()),
                Err(error) => panic!("`{}` cannot be waited for: {error}", self.called),
            }
        };
        self.ended = true;
        // A child of its own may hold the pipes open; what it writes later is nobody's.
        let drained_by = Instant::now() + Duration::from_secs(5);
        while !self.readers.iter().all(JoinHandle::is_finished) && Instant::now() < drained_by {
            thread::sleep(Duration::from_millis(5));
        }
        let (stdout, stderr) = (lock(&self.stdout).clone(), lock(&self.stderr).clone());
        Finished { status: status.code(), stdout, stderr, called: self.called.clone() }
    }

    fn kill_group(&mut self) {
        if let Some(group) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = self.child.wait();
        self.ended = true;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.ended {
            self.kill_group();
        }
    }
}

fn read(from: Option<impl Read + Send + 'static>, into: &Buffer) -> JoinHandle<()> {
    let into = Arc::clone(into);
    thread::spawn(move || {
        let Some(mut from) = from else { return };
        let mut piece = [0; 16 * 1024];
        while let Ok(length @ 1..) = from.read(&mut piece) {
            lock(&into).extend_from_slice(&piece[..length]);
        }
    })
}

fn lock(buffer: &Buffer) -> MutexGuard<'_, Vec<u8>> {
    buffer.lock().unwrap_or_else(PoisonError::into_inner)
}

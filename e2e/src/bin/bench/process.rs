//! Runs other programs with a time limit, and keeps what they say for the case that they fail.

use std::io::Read;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::Result;

/// How often a running program is looked at: the error of every time taken with it.
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// Set by the signals that end the benchmark; whatever waits then stops with an error, so that all is cleaned up.
pub(crate) static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Sleeps, unless the benchmark is to end.
pub(crate) fn pause(duration: Duration) -> Result<()> {
    let until = Instant::now() + duration;
    while let Some(left) = until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
        check_interrupt()?;
        std::thread::sleep(left.min(Duration::from_millis(100)));
    }
    check_interrupt()
}

pub(crate) fn check_interrupt() -> Result<()> {
    if INTERRUPTED.load(Ordering::Relaxed) { Err("interrupted".into()) } else { Ok(()) }
}

/// A program that is running.
pub(crate) struct Running {
    child: Child,
    what: String,
    started: Instant,
    output: Vec<JoinHandle<String>>,
}

/// How a program ended.
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    /// From before it was started to its end.
    pub(crate) took: Duration,
    /// What it wrote, standard output before standard error.
    pub(crate) output: String,
}

impl Running {
    /// Starts a program without input.
    pub(crate) fn start(command: &mut Command) -> Result<Self> {
        let what = describe(command);
        let started = Instant::now();
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("`{what}` could not be started: {error}"))?;
        let output =
            [child.stdout.take().map(collect), child.stderr.take().map(collect)].into_iter().flatten().collect();
        Ok(Self { child, what, started, output })
    }

    /// When it was started.
    pub(crate) fn started(&self) -> Instant {
        self.started
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for its end, however it ends; kills it after `limit`.
    pub(crate) fn end(mut self, limit: Duration) -> Result<Ended> {
        let status = loop {
            if let Some(status) = self.child.try_wait()? {
                break status;
            }
            let late = self.started.elapsed() > limit;
            if late || check_interrupt().is_err() {
                let _ = self.child.kill();
                let _ = self.child.wait();
                // Not joined: a grandchild may hold the pipes open.
                let why =
                    if late { format!("was not done after {} s", limit.as_secs()) } else { "was interrupted".into() };
                return Err(format!("`{}` {why}", self.what).into());
            }
            std::thread::sleep(LOOK_EVERY);
        };
        let took = self.started.elapsed();
        let output =
            std::mem::take(&mut self.output).into_iter().map(|reader| reader.join().unwrap_or_default()).collect();
        Ok(Ended { status, took, output })
    }

    /// Waits for its end, which must be a success.
    pub(crate) fn succeed(self, limit: Duration) -> Result<Ended> {
        let what = self.what.clone();
        let ended = self.end(limit)?;
        if ended.status.success() {
            return Ok(ended);
        }
        let said: Vec<&str> = ended.output.lines().collect();
        let last = said[said.len().saturating_sub(25)..].join("\n");
        Err(format!("`{what}` failed ({}):\n{last}", ended.status).into())
    }
}

/// Runs a program that must succeed.
pub(crate) fn run(command: &mut Command, limit: Duration) -> Result<Ended> {
    Running::start(command)?.succeed(limit)
}

/// Reads to the end in a thread of its own, so that a program never waits for us.
fn collect(mut from: impl Read + Send + 'static) -> JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = from.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// CPU time that a process has taken, in seconds.
pub(crate) fn cpu_seconds(pid: u32) -> Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name before it may hold anything.
    let rest = stat.rsplit(')').next().unwrap_or_default();
    let ticks: f64 = rest.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum();
    // Linux tells ticks of a hundredth of a second, whatever its own clock.
    Ok(ticks / 100.0)
}

/// Bytes that a process has read, wherever from.
pub(crate) fn read_bytes(pid: u32) -> Result<u64> {
    let io = std::fs::read_to_string(format!("/proc/{pid}/io"))?;
    let field = io.lines().find_map(|line| line.strip_prefix("rchar: ")).and_then(|bytes| bytes.parse().ok());
    Ok(field.ok_or("the kernel does not tell what a process reads")?)
}

fn describe(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let text = words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ");
    text.chars().take(200).collect()
}

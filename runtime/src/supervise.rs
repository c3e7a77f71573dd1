//! What process 1 does while the app runs: passes signals on, reaps zombies, drains, and learns how the app ended.

use std::{
    io,
    time::{Duration, Instant},
};

use crate::{
    complain,
    sys::{self, Change, pid_t},
};

/// How often the group is looked at once only its last processes are waited for.
const LAST_PROCESSES_POLL: Duration = Duration::from_millis(50);

/// The started process and how it is to be treated.
#[derive(Debug)]
pub(crate) struct Charge {
    /// The process, which leads its own group.
    pub(crate) process: pid_t,
    pub(crate) process_type: String,
    /// How long a first SIGTERM is held back; `None` passes it on at once.
    pub(crate) drain: Option<Duration>,
    /// The group that had the terminal before; `None` where there is no terminal.
    pub(crate) terminal: Option<pid_t>,
}

/// How far the way to the end is.
#[derive(Debug, Clone, Copy)]
enum Phase {
    Running,
    /// SIGTERM came; it is passed on at this time, when the routes have forgotten this task.
    Draining(Instant),
    /// The app has been told to stop.
    Stopping,
    /// The process we started is dead by the signal it was told to stop with, but some that it started are still
    /// at work: a shell dies at once while the server it runs goes on to answer its last requests. The engine's
    /// grace period is the limit of that.
    LastProcesses(u8),
}

/// Looks after the process until it has ended, and returns the container's exit code.
pub(crate) fn until_end(charge: &Charge) -> io::Result<u8> {
    let mut phase = Phase::Running;
    loop {
        if let Some(end) = reap_all(charge) {
            let code = exit_code(end);
            // A stop that the process answered with success was its own, orderly one.
            if !matches!(phase, Phase::Stopping) || code == 0 {
                report_unexpected(charge, end, phase);
                return Ok(finish(charge, code));
            }
            phase = Phase::LastProcesses(code);
        }
        let limit = match phase {
            Phase::Running | Phase::Stopping => None,
            Phase::Draining(until) => Some(until.saturating_duration_since(Instant::now())),
            Phase::LastProcesses(code) if sys::group_is_empty(charge.process) => {
                return Ok(finish(charge, code));
            }
            Phase::LastProcesses(_) => Some(LAST_PROCESSES_POLL),
        };
        if let Some(signal) = sys::wait_for_signal(limit)? {
            phase = on_signal(charge, phase, signal);
        } else if let Phase::Draining(until) = phase
            && Instant::now() >= until
        {
            phase = stop(charge, phase, sys::SIGTERM);
        }
    }
}

fn on_signal(charge: &Charge, phase: Phase, signal: i32) -> Phase {
    match (signal, phase) {
        (sys::SIGTERM, Phase::Running) => match charge.drain {
            Some(drain) => Phase::Draining(Instant::now() + drain),
            None => stop(charge, phase, signal),
        },
        (sys::SIGTERM | sys::SIGINT | sys::SIGQUIT, _) => stop(charge, phase, signal),
        // Children are reaped at every turn. The others are about this process: its own faults and its own
        // reading and writing.
        (
            sys::SIGCHLD
            | sys::SIGPIPE
            | sys::SIGTTIN
            | sys::SIGTTOU
            | sys::SIGSEGV
            | sys::SIGBUS
            | sys::SIGFPE
            | sys::SIGILL
            | sys::SIGABRT
            | sys::SIGTRAP
            | sys::SIGSYS,
            _,
        ) => phase,
        _ => {
            pass(charge, signal);
            phase
        }
    }
}

fn stop(charge: &Charge, phase: Phase, signal: i32) -> Phase {
    pass(charge, signal);
    if charge.terminal.is_some() && signal == sys::SIGTERM {
        // An interactive shell ignores SIGTERM, and a stopped job hears nothing: hang up, as a terminal would.
        pass(charge, sys::SIGHUP);
        pass(charge, sys::SIGCONT);
    }
    match phase {
        Phase::LastProcesses(_) => phase,
        _ => Phase::Stopping,
    }
}

/// Sends the signal to the app's whole group. That the group has just ended is no failure: SIGCHLD says so.
fn pass(charge: &Charge, signal: i32) {
    let _ = sys::signal_group(charge.process, signal);
}

/// Reaps every child that ended, and returns the end of the process we started, when it is among them.
fn reap_all(charge: &Charge) -> Option<Change> {
    let mut end = None;
    while let Some((pid, change)) = sys::reap(charge.terminal.is_some()) {
        if pid != charge.process {
            continue;
        }
        if change == Change::Stopped {
            // There is no shell above it that could resume it (Ctrl-Z in `run python`).
            let _ = sys::give_terminal_to(charge.process);
            pass(charge, sys::SIGCONT);
        } else {
            end = Some(change);
        }
    }
    end
}

fn exit_code(end: Change) -> u8 {
    match end {
        Change::Exited(code) => code,
        // Signal numbers end at 64, so this never overflows.
        Change::Killed(signal) => 128_u8.saturating_add(u8::try_from(signal).unwrap_or(u8::MAX)),
        Change::Stopped => 0,
    }
}

fn finish(charge: &Charge, code: u8) -> u8 {
    if let Some(before) = charge.terminal {
        let _ = sys::give_terminal_to(before);
    }
    code
}

fn report_unexpected(charge: &Charge, end: Change, phase: Phase) {
    let (Change::Killed(signal), Phase::Running | Phase::Draining(_)) = (end, phase) else {
        return;
    };
    if charge.terminal.is_some() {
        return;
    }
    let hint =
        if signal == sys::SIGKILL { ", most often because it used more memory than its plan allows" } else { "" };
    complain(format_args!("The process `{}` was killed by signal {signal}{hint}.", charge.process_type));
}

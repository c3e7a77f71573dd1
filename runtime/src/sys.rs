//! The system calls that the standard library does not offer, each in a small safe function. The only place with
//! unsafe code; all of it passes plain numbers, or pointers to values that live on this stack.

#![expect(unsafe_code, reason = "std has no API for signals, sessions, process groups and waiting for any child")]

use std::{io, mem::MaybeUninit, os::unix::process::CommandExt as _, process::Command, ptr, time::Duration};

pub(crate) use libc::{
    SIGABRT, SIGBUS, SIGCHLD, SIGCONT, SIGFPE, SIGHUP, SIGILL, SIGINT, SIGKILL, SIGPIPE, SIGQUIT, SIGSEGV, SIGSYS,
    SIGTERM, SIGTRAP, SIGTTIN, SIGTTOU, pid_t,
};

const STDIN: libc::c_int = 0;

/// What became of a child.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    Exited(u8),
    Killed(i32),
    Stopped,
}

/// The result of a call that answers -1 and sets errno.
fn checked(result: libc::c_int) -> io::Result<libc::c_int> {
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

fn every_signal() -> libc::sigset_t {
    let mut set = MaybeUninit::uninit();
    // SAFETY: sigfillset initialises the whole set and cannot fail on a valid pointer.
    unsafe {
        libc::sigfillset(set.as_mut_ptr());
        set.assume_init()
    }
}

/// Keeps every signal pending until [`wait_for_signal`] takes it, and lets ended children be waited for.
///
/// Blocked signals reach even process 1, for which the kernel drops those that have no handler.
pub(crate) fn hold_signals() -> io::Result<()> {
    let set = every_signal();
    // SAFETY: `set` is initialised; the old mask is not asked for; SIG_DFL is a valid disposition.
    unsafe {
        checked(libc::sigprocmask(libc::SIG_BLOCK, &raw const set, ptr::null_mut()))?;
        if libc::signal(SIGCHLD, libc::SIG_DFL) == libc::SIG_ERR {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

/// The next signal, or `None` after `limit` (no limit: waits for ever).
pub(crate) fn wait_for_signal(limit: Option<Duration>) -> io::Result<Option<i32>> {
    let set = every_signal();
    let limit = limit.map(|limit| libc::timespec {
        tv_sec: libc::time_t::try_from(limit.as_secs()).unwrap_or(libc::time_t::MAX),
        tv_nsec: libc::c_long::from(limit.subsec_nanos().cast_signed()),
    });
    let limit = limit.as_ref().map_or(ptr::null(), ptr::from_ref);
    // SAFETY: `set` is initialised, no siginfo is asked for, `limit` is null or points to a live timespec.
    let signal = checked(unsafe { libc::sigtimedwait(&raw const set, ptr::null_mut(), limit) });
    match signal {
        Ok(signal) => Ok(Some(signal)),
        Err(error) if matches!(error.raw_os_error(), Some(libc::EAGAIN | libc::EINTR)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Takes note of one child that ended or, where `stops` is set, was stopped; `None` when there is no such child.
pub(crate) fn reap(stops: bool) -> Option<(pid_t, Change)> {
    let options = libc::WNOHANG | if stops { libc::WUNTRACED } else { 0 };
    let mut status = 0;
    // SAFETY: `status` is a live integer.
    let pid = unsafe { libc::waitpid(-1, &raw mut status, options) };
    if pid <= 0 {
        return None;
    }
    let change = if libc::WIFSTOPPED(status) {
        Change::Stopped
    } else if libc::WIFSIGNALED(status) {
        Change::Killed(libc::WTERMSIG(status))
    } else {
        Change::Exited(u8::try_from(libc::WEXITSTATUS(status)).unwrap_or(u8::MAX))
    };
    Some((pid, change))
}

/// Sends `signal` to every process of the group; an empty group is an error (`ESRCH`).
pub(crate) fn signal_group(group: pid_t, signal: i32) -> io::Result<()> {
    // SAFETY: plain numbers. A group is the pid of a child, so never 0 or 1, which would reach other processes.
    checked(unsafe { libc::kill(-group, signal) }).map(drop)
}

/// Whether no process, not even a zombie, is left in the group.
pub(crate) fn group_is_empty(group: pid_t) -> bool {
    signal_group(group, 0).is_err_and(|error| error.raw_os_error() == Some(libc::ESRCH))
}

/// Makes orphans of this process tree children of this process, as they are anyway where it is process 1.
pub(crate) fn adopt_orphans() -> io::Result<()> {
    // SAFETY: plain numbers.
    checked(unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1_u64, 0_u64, 0_u64, 0_u64) }).map(drop)
}

/// Set-user-id programs and file capabilities give nothing from here on, in this process and its children.
pub(crate) fn forbid_new_privileges() -> io::Result<()> {
    // SAFETY: plain numbers.
    checked(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1_u64, 0_u64, 0_u64, 0_u64) }).map(drop)
}

/// Whether this process runs as root.
pub(crate) fn is_root() -> bool {
    // SAFETY: cannot fail.
    unsafe { libc::geteuid() == 0 }
}

/// Gives up root for the user and group `id`. Standard streams that are pipes or terminals go to that user first,
/// so that the app may open `/dev/stdout`.
pub(crate) fn become_user(id: u32) -> io::Result<()> {
    for stream in 0..=2 {
        let mut status = MaybeUninit::<libc::stat>::uninit();
        // SAFETY: fstat fills `status` where it succeeds, and only then it is read. Handing a stream over is a
        // convenience: without it the app still writes to its open stream.
        unsafe {
            if libc::fstat(stream, status.as_mut_ptr()) == 0 {
                let is_pipe = status.assume_init().st_mode & libc::S_IFMT == libc::S_IFIFO;
                if is_pipe || libc::isatty(stream) == 1 {
                    libc::fchown(stream, id, libc::gid_t::MAX);
                }
            }
        }
    }
    // SAFETY: plain numbers, and an empty list that is not read. This process has one thread.
    unsafe {
        checked(libc::setgroups(0, ptr::null()))?;
        checked(libc::setresgid(id, id, id))?;
        checked(libc::setresuid(id, id, id))?;
    }
    Ok(())
}

/// Makes the terminal on stdin this session's controlling one, and says which group had it; `None` when stdin is
/// no terminal, or another session's.
pub(crate) fn take_terminal() -> Option<pid_t> {
    // SAFETY: plain numbers; every call reports failure in its result.
    unsafe {
        if libc::isatty(STDIN) != 1 {
            return None;
        }
        if libc::tcgetsid(STDIN) != libc::getsid(0) {
            // Fails where this process leads a session or group already, which is fine for the next call.
            libc::setsid();
            checked(libc::ioctl(STDIN, libc::TIOCSCTTY, 0)).ok()?;
        }
        checked(libc::tcgetpgrp(STDIN)).ok()
    }
}

/// Sets the size of the terminal on stdin.
pub(crate) fn set_terminal_size(columns: u16, rows: u16) -> io::Result<()> {
    let size = libc::winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: the call reads one live winsize.
    checked(unsafe { libc::ioctl(STDIN, libc::TIOCSWINSZ, &raw const size) }).map(drop)
}

/// Lets the group read from the terminal and get its Ctrl-C. SIGTTOU is blocked here, so this never stops us.
pub(crate) fn give_terminal_to(group: pid_t) -> io::Result<()> {
    // SAFETY: plain numbers.
    checked(unsafe { libc::tcsetpgrp(STDIN, group) }).map(drop)
}

/// Has the command start with no signal blocked, leading its own process group, and in the terminal's foreground
/// where `terminal` is set.
pub(crate) fn lead_own_group(command: &mut Command, terminal: bool) {
    command.process_group(0);
    // SAFETY: between fork and exec only async-signal-safe functions are called (signal-safety(7)), and nothing
    // is allocated.
    unsafe {
        command.pre_exec(move || {
            if terminal {
                // Still with SIGTTOU blocked: a group in the background would be stopped by this call.
                give_terminal_to(libc::getpid())?;
            }
            let mut none = MaybeUninit::uninit();
            libc::sigemptyset(none.as_mut_ptr());
            checked(libc::sigprocmask(libc::SIG_SETMASK, none.as_ptr(), ptr::null_mut())).map(drop)
        });
    }
}

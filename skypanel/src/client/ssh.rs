//! The system's `ssh`, run for a command or for Git: by a login's token where there is one, else by the user's keys.

use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use skypanel_core::{Error, Result};
use tokio::signal::unix::{SignalKind, signal};

use super::logins::{Login, Logins};

/// Says to our own program, run by `ssh` to ask for a password, which platform's token is meant.
pub(crate) const ASKED_FOR: &str = "SKYPANEL_ASKPASS";

/// `ssh`, set up to go by the token of `login` if there is one.
pub(crate) fn command(logins: &Logins, login: Option<&Login>) -> Result<Command> {
    let mut ssh = Command::new("ssh");
    if let Some(login) = login {
        let own = std::env::current_exe()
            .map_err(|error| Error::System(format!("It is not known where this program is: {error}.")))?;
        for option in options(login, &logins.known_hosts()) {
            ssh.arg("-o").arg(option);
        }
        ssh.env("SSH_ASKPASS", own).env("SSH_ASKPASS_REQUIRE", "force").env(ASKED_FOR, &login.url);
    }
    Ok(ssh)
}

/// A token belongs to one server and one person: neither another host key nor a key of the user is taken for it, and
/// no connection that was opened otherwise is used.
fn options(login: &Login, known_hosts: &Path) -> Vec<String> {
    let mut options =
        vec![format!("HostKeyAlias={}", login.alias()), format!("UserKnownHostsFile={}", quoted(known_hosts))];
    let fixed = [
        "GlobalKnownHostsFile=/dev/null",
        "StrictHostKeyChecking=yes",
        "UpdateHostKeys=no",
        "BatchMode=no",
        "PubkeyAuthentication=no",
        "PasswordAuthentication=yes",
        "PreferredAuthentications=password,keyboard-interactive",
        "NumberOfPasswordPrompts=1",
        "ControlPath=none",
    ];
    options.extend(fixed.map(str::to_owned));
    options
}

/// A path as the value of an option: `ssh` splits it at spaces and replaces what follows a percent sign.
fn quoted(path: &Path) -> String {
    let path = path.to_string_lossy().replace('\\', r"\\").replace('"', "\\\"").replace('%', "%%");
    format!("\"{path}\"")
}

/// Runs `ssh` to its end and answers the exit status. Ctrl-C reaches it from the terminal; other signals to us are
/// passed on to it.
pub(crate) fn run(command: Command) -> Result<u8> {
    super::in_runtime(attend(command))
}

async fn attend(command: Command) -> Result<u8> {
    let failed = |error| Error::System(format!("Signals cannot be received: {error}."));
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    let mut quit = signal(SignalKind::quit()).map_err(failed)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let mut hangup = signal(SignalKind::hangup()).map_err(failed)?;
    let mut command = tokio::process::Command::from(command);
    let mut child = command.spawn().map_err(|error| not_started(&error))?;
    let id = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    let mut received = None;
    loop {
        let got = tokio::select! {
            ended = child.wait() => {
                let status = ended.map_err(|error| Error::System(format!("The program `ssh` was lost: {error}.")))?;
                return Ok(exit_status(status, received));
            }
            _ = interrupt.recv() => Signal::INT,
            _ = quit.recv() => Signal::QUIT,
            _ = terminate.recv() => Signal::TERM,
            _ = hangup.recv() => Signal::HUP,
        };
        received = Some(got);
        if let Some(id) = id {
            // It may have ended in the meantime.
            let _ = kill_process(id, got);
        }
    }
}

/// As shells have it: 128 and the signal's number where one ended it. `ssh` itself ends with 255 then.
fn exit_status(status: ExitStatus, received: Option<Signal>) -> u8 {
    use std::os::unix::process::ExitStatusExt as _;
    let by_signal = |signal: i32| u8::try_from(128 + signal).unwrap_or(255);
    match (status.code(), received) {
        (Some(255) | None, Some(signal)) => by_signal(signal.as_raw()),
        (Some(code), _) => u8::try_from(code).unwrap_or(255),
        (None, None) => by_signal(status.signal().unwrap_or(0)),
    }
}

pub(crate) fn not_started(error: &std::io::Error) -> Error {
    Error::System(format!("The program `ssh` could not be started: {error}. Install an OpenSSH client."))
}

/// What `ssh` gets that asks us for a password: the token, if it asks for that of the right server.
pub(crate) fn answer(url: &str, question: &str) -> Option<String> {
    let logins = Logins::load().ok()?;
    let login = logins.at(url)?;
    (question.trim() == login.question()).then(|| login.token.0.clone())
}

/// Whether the installed `ssh` can be told by a program what to answer (OpenSSH 8.4).
pub(crate) fn takes_tokens() -> bool {
    let Ok(output) = Command::new("ssh").arg("-V").stdin(Stdio::null()).output() else { return true };
    is_recent(&String::from_utf8_lossy(&output.stderr))
}

/// Reads `OpenSSH_9.2p1 …`; what calls itself otherwise is given the benefit of the doubt.
fn is_recent(version: &str) -> bool {
    let Some(rest) = version.trim().strip_prefix("OpenSSH_") else { return true };
    let mut numbers = rest.split(|c: char| !c.is_ascii_digit()).map(str::parse::<u32>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor) >= (8, 4),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;

    use super::*;
    use crate::client::logins::tests::login;

    #[test]
    fn a_token_goes_to_the_pinned_server_alone() {
        let login = login("https://a.example", "a.example", 2222);
        let options = options(&login, Path::new("/home/a b/50%/known_hosts"));
        for option in [
            "HostKeyAlias=[a.example]:2222",
            "UserKnownHostsFile=\"/home/a b/50%%/known_hosts\"",
            "StrictHostKeyChecking=yes",
            "PubkeyAuthentication=no",
            "ControlPath=none",
        ] {
            assert!(options.iter().any(|given| given == option), "{option} is not in {options:?}");
        }
        assert!(!options.join(" ").contains("skp_"), "no token is in an argument");
        assert_eq!(login.question(), "git@[a.example]:2222's password:");
    }

    #[test]
    fn the_exit_status_is_the_commands_own_or_that_of_a_signal() {
        let exited = |code: i32| ExitStatus::from_raw(code << 8);
        assert_eq!(exit_status(exited(0), None), 0);
        assert_eq!(exit_status(exited(42), Some(Signal::INT)), 42);
        assert_eq!(exit_status(exited(255), None), 255);
        assert_eq!(exit_status(exited(255), Some(Signal::INT)), 130);
        assert_eq!(exit_status(ExitStatus::from_raw(9), None), 137);
    }

    #[test]
    fn old_clients_are_known() {
        for (version, recent) in [
            ("OpenSSH_9.2p1 Debian-2+deb12u10, OpenSSL 3.0.19", true),
            ("OpenSSH_8.4p1", true),
            ("OpenSSH_10.0p2", true),
            ("OpenSSH_8.2p1 Ubuntu-4ubuntu0.11", false),
            ("OpenSSH_7.9p1", false),
            ("Something else", true),
        ] {
            assert_eq!(is_recent(version), recent, "{version}");
        }
    }
}

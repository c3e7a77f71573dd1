//! The Git pre-receive hook: tells the receiver what is being pushed, shows the developer what the receiver
//! answers, and ends with the receiver's verdict. `git receive-pack` runs it; it contains no policy.
//!
//! Everything written to stderr reaches the developer's terminal as `remote: …` lines.

mod frames;
mod json;
mod request;

use std::{
    ffi::OsString,
    io::{self, Write as _},
    os::unix::net::UnixStream,
    process::ExitCode,
    time::Duration,
};

use frames::{FrameError, Verdict};
use request::{Request, RequestError};

/// How long the receiver may take to read the request.
const SEND_LIMIT: Duration = Duration::from_secs(30);

/// How long the receiver may stay silent. Builds have their own, shorter limit on the receiver's side; this one
/// only keeps a hook from living for ever beside a receiver that hangs.
const SILENCE_LIMIT: Duration = Duration::from_hours(6);

/// Why a push ends without a verdict from the receiver.
#[derive(Debug)]
enum HookError {
    NotUnderSkypanel,
    Request(RequestError),
    Unreachable(io::Error),
    NotSent(io::Error),
    Frames(FrameError),
}

impl HookError {
    /// What the developer reads: what happened, why, and what to do next, a line each.
    fn lines(&self) -> Vec<String> {
        match self {
            Self::NotUnderSkypanel => vec![
                "This repository takes pushes only through Skypanel.".into(),
                "Push over SSH to Skypanel's own address; running git on this directory cannot build or release."
                    .into(),
            ],
            Self::Request(reason) => vec![
                format!("Skypanel cannot read this push: {reason}."),
                "Nothing was changed. Push again; if it repeats, tell the operator.".into(),
            ],
            Self::Unreachable(reason) => vec![
                format!("Skypanel's receiver cannot be reached ({reason})."),
                "Nothing was changed. Push again in a minute.".into(),
            ],
            Self::NotSent(reason) => vec![
                format!("Skypanel's receiver did not take the push ({reason})."),
                "Nothing was changed. Push again in a minute.".into(),
            ],
            Self::Frames(FrameError::Lost(reason)) => vec![
                format!("Lost the connection to Skypanel ({reason})."),
                "If your source was stored already, the build goes on once Skypanel is back.".into(),
                "Check with the command `releases`, and push again if no new release appears.".into(),
            ],
            Self::Frames(FrameError::Protocol(reason)) => vec![
                format!("Skypanel's receiver sent something the hook does not understand: {reason}."),
                "Check with the command `releases`, and tell the operator: hook and receiver differ in version.".into(),
            ],
        }
    }
}

fn main() -> ExitCode {
    match push() {
        Ok(Verdict(code)) => ExitCode::from(code),
        Err(error) => {
            for line in error.lines() {
                // A closed stderr means that the developer is gone; the exit code still counts.
                let _ = io::stderr().write_all(format!(" !     {line}\n").as_bytes());
            }
            ExitCode::FAILURE
        }
    }
}

fn push() -> Result<Verdict, HookError> {
    let socket = required("SKYPANEL_HOOK_SOCKET")?;
    let token = required("SKYPANEL_HOOK_TOKEN")?;
    let request = Request::gather(token, &mut io::stdin().lock()).map_err(HookError::Request)?;

    let mut receiver = UnixStream::connect(socket).map_err(HookError::Unreachable)?;
    receiver
        .set_write_timeout(Some(SEND_LIMIT))
        .and_then(|()| receiver.set_read_timeout(Some(SILENCE_LIMIT)))
        .map_err(HookError::Unreachable)?;
    receiver.write_all(&request.to_json_line()).map_err(HookError::NotSent)?;
    frames::copy_until_verdict(&mut receiver, &mut io::stderr()).map_err(HookError::Frames)
}

fn required(name: &str) -> Result<OsString, HookError> {
    std::env::var_os(name).filter(|value| !value.is_empty()).ok_or(HookError::NotUnderSkypanel)
}

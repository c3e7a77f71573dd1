//! The command line of `/.skypanel/init`, as the image's entrypoint and health check spell it.

use std::{
    ffi::{OsStr, OsString},
    fmt,
    path::PathBuf,
};

/// One line, shown after a mistake.
pub(crate) const USAGE: &str =
    "Usage: init start [--routed] [--tty] [--size COLUMNSxROWS] --type TYPE [--exec] -- COMMAND… | init health";

/// What the container is asked to do.
#[derive(Debug)]
pub(crate) enum Invocation {
    Start(Plan),
    Health { marker: PathBuf },
    Version,
}

/// How a process type is started.
#[derive(Debug)]
pub(crate) struct Plan {
    /// Requests reach this process through the edge, so it drains before it stops.
    pub(crate) routed: bool,
    /// Someone sits at a terminal (`run`).
    pub(crate) terminal: bool,
    /// Columns and rows of that terminal, to be there before the command asks.
    pub(crate) size: Option<(u16, u16)>,
    /// The process type's name, for messages.
    pub(crate) process_type: String,
    pub(crate) command: ProcessCommand,
    /// The app's root and home, `/app`.
    pub(crate) app_dir: PathBuf,
    /// The mounted Swarm secret, which need not exist.
    pub(crate) config_vars: PathBuf,
}

/// The two ways a command is given.
#[derive(Debug)]
pub(crate) enum ProcessCommand {
    /// A line of a `Procfile`, for bash.
    Line(OsString),
    /// A program and its arguments, as a Dockerfile has them; the image need not have a shell.
    Program { path: OsString, arguments: Vec<OsString> },
}

/// A command line that makes no sense; its text completes "skypanel-init: …".
#[derive(Debug)]
pub(crate) enum ArgumentError {
    Missing(&'static str),
    Unknown(OsString),
    Size(OsString),
}

impl fmt::Display for ArgumentError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(what) => write!(formatter, "{what} is missing"),
            Self::Unknown(argument) => {
                write!(formatter, "unknown argument {}", argument.display())
            }
            Self::Size(value) => write!(formatter, "the size {} is not of the form 80x24", value.display()),
        }
    }
}

/// Reads the arguments after the program's own name.
pub(crate) fn parse(mut arguments: impl Iterator<Item = OsString>) -> Result<Invocation, ArgumentError> {
    let action = arguments.next().ok_or(ArgumentError::Missing("the action"))?;
    match action.to_str() {
        Some("start") => parse_start(arguments).map(Invocation::Start),
        Some("health") => parse_health(arguments),
        Some("--version") => Ok(Invocation::Version),
        _ => Err(ArgumentError::Unknown(action)),
    }
}

fn parse_start(mut arguments: impl Iterator<Item = OsString>) -> Result<Plan, ArgumentError> {
    let (mut routed, mut terminal, mut exec) = (false, false, false);
    let (mut process_type, mut size) = (None, None);
    let mut app_dir = PathBuf::from("/app");
    let mut config_vars = PathBuf::from("/run/secrets/skypanel-config");
    loop {
        let argument = arguments.next().ok_or(ArgumentError::Missing("`--` and the command"))?;
        match argument.to_str() {
            Some("--routed") => routed = true,
            Some("--tty") => terminal = true,
            Some("--exec") => exec = true,
            Some("--size") => {
                let value = arguments.next().ok_or(ArgumentError::Missing("the value of --size"))?;
                size = Some(parse_size(&value).ok_or(ArgumentError::Size(value))?);
            }
            Some("--type") => {
                let value = arguments.next().ok_or(ArgumentError::Missing("the value of --type"))?;
                process_type = Some(value.to_string_lossy().into_owned());
            }
            Some("--app-dir") => {
                app_dir = arguments.next().ok_or(ArgumentError::Missing("the value of --app-dir"))?.into();
            }
            Some("--config-vars") => {
                config_vars = arguments.next().ok_or(ArgumentError::Missing("the value of --config-vars"))?.into();
            }
            Some("--") => break,
            _ => return Err(ArgumentError::Unknown(argument)),
        }
    }
    let command = if exec {
        let path = arguments.next().ok_or(ArgumentError::Missing("the program after `--`"))?;
        ProcessCommand::Program { path, arguments: arguments.collect() }
    } else {
        let words: Vec<OsString> = arguments.collect();
        let line = words.join(OsStr::new(" "));
        if line.is_empty() {
            return Err(ArgumentError::Missing("the command after `--`"));
        }
        ProcessCommand::Line(line)
    };
    let process_type = process_type.ok_or(ArgumentError::Missing("--type"))?;
    Ok(Plan { routed, terminal, size, process_type, command, app_dir, config_vars })
}

fn parse_size(value: &OsStr) -> Option<(u16, u16)> {
    let (columns, rows) = value.to_str()?.split_once('x')?;
    Some((columns.parse().ok()?, rows.parse().ok()?))
}

fn parse_health(mut arguments: impl Iterator<Item = OsString>) -> Result<Invocation, ArgumentError> {
    let mut marker = PathBuf::from("/dev/shm/.skypanel-healthy");
    while let Some(argument) = arguments.next() {
        if argument != "--marker" {
            return Err(ArgumentError::Unknown(argument));
        }
        marker = arguments.next().ok_or(ArgumentError::Missing("the value of --marker"))?.into();
    }
    Ok(Invocation::Health { marker })
}

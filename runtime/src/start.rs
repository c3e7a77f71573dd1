//! `init start`: prepares the environment, gives up privileges and starts the process type's command, which
//! [`crate::supervise`] then looks after.

use std::{
    env,
    ffi::{OsStr, OsString},
    fmt, io,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use crate::{
    OWN_FAILURE,
    arguments::{Plan, ProcessCommand},
    complain,
    config_vars::{self, ConfigVarsError},
    settings::{self, SettingError},
    supervise::{self, Charge},
    sys,
};

/// The unprivileged user and group of every app, the stack image's `app`.
const APP_USER: u32 = 10001;

/// How long a routed process goes on serving after SIGTERM, in milliseconds, where nothing else is set.
const DEFAULT_DRAIN_MS: u32 = 3000;

/// Where the stack has bash. A fixed place, because config vars may change `PATH`.
const BASH: [&str; 2] = ["/bin/bash", "/usr/bin/bash"];

/// Sources what the buildpacks left in `.profile.d`, and the app's own `.profile`, then becomes the command.
/// `$1` is the command, `$2` the app's folder; both are kept from scripts that set their own arguments.
const BASH_PRELUDE: &str = r#"
skypanel_command=$1 skypanel_app=$2
for skypanel_script in "$skypanel_app"/.profile.d/*.sh "$skypanel_app"/.profile; do
    [ -r "$skypanel_script" ] && . "$skypanel_script"
done
exec "$BASH" -c "$skypanel_command"
"#;

/// Why the process was not started.
#[derive(Debug)]
enum StartError {
    ConfigVars { path: PathBuf, reason: ConfigVarsError },
    Setting(SettingError),
    AppDirectory { path: PathBuf, reason: io::Error },
    System { what: &'static str, reason: io::Error },
    NoBash,
    NotFound { program: OsString, exists: bool },
    NotExecutable { program: OsString, reason: io::Error },
}

impl StartError {
    fn exit_code(&self) -> u8 {
        match self {
            Self::ConfigVars { .. } | Self::Setting(_) | Self::AppDirectory { .. } | Self::System { .. } => OWN_FAILURE,
            Self::NoBash | Self::NotFound { .. } => 127,
            Self::NotExecutable { .. } => 126,
        }
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ConfigVars { path, reason } => {
                write!(formatter, "the config vars in {} are unusable: {reason}", path.display())
            }
            Self::Setting(reason) => write!(formatter, "{reason}"),
            Self::AppDirectory { path, reason } => {
                write!(formatter, "the app's folder {} cannot be entered: {reason}", path.display())
            }
            Self::System { what, reason } => write!(formatter, "the system refused to {what}: {reason}"),
            Self::NoBash => {
                write!(formatter, "the image has no bash, which a Procfile's commands need; use a stack with bash")
            }
            Self::NotFound { program, exists: false } => write!(
                formatter,
                "the program `{}` was not found in the image; check the image's ENTRYPOINT and CMD",
                program.display()
            ),
            Self::NotFound { program, exists: true } => write!(
                formatter,
                "the program `{}` names an interpreter or loader that the image does not have; check its \
                 first line, and that it was built for this image",
                program.display()
            ),
            Self::NotExecutable { program, reason } => write!(
                formatter,
                "the program `{}` cannot be executed: {reason}; check its permissions and that it is a program",
                program.display()
            ),
        }
    }
}

/// Runs the plan to its end; the exit code is the command's own, or 128 + n where signal n killed it.
pub(crate) fn run(plan: Plan) -> ExitCode {
    let process_type = plan.process_type.clone();
    let code = start(plan).unwrap_or_else(|error| {
        complain(format_args!("The process `{process_type}` did not start: {error}."));
        error.exit_code()
    });
    ExitCode::from(code)
}

/// Drops root where the container was started with it. From here on nobody gets more privileges than they have.
pub(crate) fn give_up_privileges() -> io::Result<bool> {
    let root = sys::is_root();
    if root {
        sys::become_user(APP_USER)?;
    }
    sys::forbid_new_privileges()?;
    Ok(root)
}

fn start(plan: Plan) -> Result<u8, StartError> {
    let refused = |what| move |reason| StartError::System { what, reason };
    sys::hold_signals().map_err(refused("hold signals"))?;
    let drain = settings::milliseconds("SKYPANEL_DRAIN_MS", DEFAULT_DRAIN_MS).map_err(StartError::Setting)?;

    // The secret may be readable for root only, so it is read before root is given up.
    let config_vars = config_vars::read(&plan.config_vars)
        .map_err(|reason| StartError::ConfigVars { path: plan.config_vars, reason })?;
    let was_root = give_up_privileges().map_err(refused("give up privileges"))?;
    if std::process::id() != 1 {
        sys::adopt_orphans().map_err(refused("adopt orphans"))?;
    }

    let mut command = match plan.command {
        ProcessCommand::Line(line) => bash_command(&line, &plan.app_dir)?,
        ProcessCommand::Program { path, arguments } => {
            let mut command = Command::new(path);
            command.args(arguments);
            if was_root && env::var_os("HOME").is_some_and(|home| home == "/root") {
                command.env("HOME", "/tmp");
            }
            command
        }
    };
    for (key, value) in config_vars {
        let is_set = |key: &OsStr| env::var_os(key).is_some() || command.get_envs().any(|(set, _)| set == key);
        if !config_vars::is_overruled(&key, is_set) {
            command.env(key, value);
        }
    }

    let terminal = if plan.terminal { sys::take_terminal() } else { None };
    if let (Some(_), Some((columns, rows))) = (terminal, plan.size) {
        // The engine tells the size once the container runs, which is too late for a command that asks at once. Without
        // it a command only looks worse.
        let _ = sys::set_terminal_size(columns, rows);
    }
    sys::lead_own_group(&mut command, terminal.is_some());
    let child = command.spawn().map_err(|reason| not_started(&command, reason))?;
    let charge = Charge {
        process: child.id().cast_signed(),
        process_type: plan.process_type,
        drain: plan.routed.then_some(drain),
        terminal,
    };
    // The config vars' values have no business in this process any more.
    drop(command);
    supervise::until_end(&charge).map_err(refused("wait for signals"))
}

fn bash_command(line: &OsStr, app_dir: &Path) -> Result<Command, StartError> {
    env::set_current_dir(app_dir).map_err(|reason| StartError::AppDirectory { path: app_dir.into(), reason })?;
    let bash = BASH.into_iter().find(|bash| Path::new(bash).exists()).ok_or(StartError::NoBash)?;
    let mut command = Command::new(bash);
    command.args(["-c", BASH_PRELUDE, "bash"]).arg(line).arg(app_dir).env("HOME", app_dir);
    Ok(command)
}

fn not_started(command: &Command, reason: io::Error) -> StartError {
    let program = command.get_program().to_owned();
    match reason.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
            let exists = program.as_encoded_bytes().contains(&b'/') && Path::new(&program).exists();
            StartError::NotFound { program, exists }
        }
        _ => StartError::NotExecutable { program, reason },
    }
}

//! The one binary: the roles of the platform, the admin commands of its host, and the client of its users.

mod admin;
mod client;
mod config;
mod infra;
mod memory;
mod reference;
mod roles;
mod setup;
mod up;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Args, CommandFactory as _, Parser, Subcommand};

use crate::config::Settable;

/// A Git-push PaaS on your own servers.
#[derive(Parser)]
#[command(
    name = "skypanel",
    version,
    about,
    long_about = None,
    disable_help_subcommand = true,
    after_help = platform_commands()
)]
struct CommandLine {
    #[command(flatten)]
    form: Form,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Start everything on this machine: database, receiver, API, worker, agent and edge
    Up(Settable),
    /// Start only some roles here, for setups of several machines (needs a database address)
    Serve {
        /// The roles: receiver, api, worker, agent
        #[arg(required = true)]
        roles: Vec<roles::Role>,
        #[command(flatten)]
        settable: Settable,
    },
    /// Administer the platform on its host: users, keys, organisations, plans, settings
    Admin(admin::Admin),
    /// Run log store, metrics, alerts and dashboards beside the platform, on this machine
    Infra(infra::Infra),
    /// Log in to a platform, in a browser or with an API token
    Login {
        #[command(flatten)]
        arguments: client::LoginArguments,
        #[command(flatten)]
        form: Form,
    },
    /// Forget the login to a platform and revoke its token
    Logout {
        #[command(flatten)]
        arguments: client::LogoutArguments,
        #[command(flatten)]
        form: Form,
    },
    /// Make an app of the platform a Git remote of the repository you are in
    #[command(name = "git:remote")]
    GitRemote {
        #[command(flatten)]
        arguments: client::RemoteArguments,
        #[command(flatten)]
        form: Form,
    },
    /// Be the `ssh` of a repository's Git
    #[command(name = "git:ssh", hide = true, disable_help_flag = true)]
    GitSsh {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Write the completions for a shell
    Completions {
        /// The shell
        shell: reference::Shell,
    },
    /// Write the manual page
    Man,
    // Everything else is run on the platform, over SSH.
    #[command(external_subcommand)]
    Remote(Vec<String>),
}

/// How a command answers.
#[derive(Args, Clone, Copy)]
struct Form {
    /// Answer in JSON, for programs
    #[arg(long)]
    json: bool,
}

fn platform_commands() -> String {
    format!(
        "Everything else goes to the platform, over SSH. The app is the one of the Git remote \"skypanel\", or -a APP:\n{}",
        skypanel_receiver::command_list()
    )
}

fn main() -> ExitCode {
    if let Ok(platform) = std::env::var(client::ASKED_FOR) {
        return client::answer_question(&platform, std::env::args().nth(1).as_deref());
    }
    let CommandLine { form, command } = CommandLine::parse_from(one_spelling(std::env::args_os().collect()));
    let as_json = form.json || command.asks_for_json();
    let of_client = command.is_of_client();
    let outcome = run(command, as_json);
    outcome.unwrap_or_else(|error| {
        if as_json {
            // As the platform's commands do.
            eprintln!("{}", serde_json::json!({ "error": error.to_string(), "code": error.code() }));
        } else {
            eprintln!(" !     {}", error.to_string().replace('\n', "\n !     "));
        }
        if of_client { client::exit_code(&error) } else { ExitCode::FAILURE }
    })
}

fn run(command: Command, as_json: bool) -> skypanel_core::Result<ExitCode> {
    if as_json && !command.is_of_client() && !matches!(command, Command::Admin(_)) {
        return Err(skypanel_core::Error::Invalid("This command has no --json.".to_owned()));
    }
    match command {
        Command::Up(settable) => with_runtime(&settable, up::up)?,
        Command::Serve { roles, settable } => with_runtime(&settable, |config| up::serve_roles(config, roles))?,
        Command::Admin(admin) => {
            let settable = admin.settable.clone();
            let reader = if as_json { admin::Reader::Program } else { admin::Reader::Person };
            with_runtime(&settable, |config| admin::run(config, admin.action, reader))?;
        }
        Command::Infra(infra) => with_runtime(&infra.settable.clone(), |config| infra::run(config, infra.action))?,
        Command::Login { arguments, .. } => client::in_runtime(client::login(&arguments, as_json))?,
        Command::Logout { arguments, .. } => client::in_runtime(client::logout(&arguments, as_json))?,
        Command::GitRemote { arguments, .. } => client::set_remote(&arguments, as_json)?,
        Command::GitSsh { arguments } => return Err(client::become_ssh(&arguments)),
        Command::Completions { shell } => written(reference::complete(shell, &mut std::io::stdout()))?,
        Command::Man => written(reference::manual(&mut std::io::stdout()))?,
        Command::Remote(words) => return client::run(&words, as_json),
    }
    Ok(ExitCode::SUCCESS)
}

impl Command {
    /// Whether its own options ask for JSON.
    fn asks_for_json(&self) -> bool {
        match self {
            Self::Login { form, .. } | Self::Logout { form, .. } | Self::GitRemote { form, .. } => form.json,
            Self::Admin(admin) => admin.json,
            Self::Remote(words) => skypanel_receiver::ClientLine::new(words, None).is_json(),
            _ => false,
        }
    }

    /// Whether it is for users of a platform elsewhere.
    fn is_of_client(&self) -> bool {
        matches!(self, Self::Login { .. } | Self::Logout { .. } | Self::GitRemote { .. } | Self::Remote(_))
    }
}

/// Our own commands can be spelt `git remote` as well as `git:remote`, as those of the platform can. `login approve` is
/// the platform's, although `login` is ours.
fn one_spelling(mut words: Vec<OsString>) -> Vec<OsString> {
    let is_option = |word: &OsString| word.to_string_lossy().starts_with('-');
    let Some(first) = (1..words.len()).find(|index| !is_option(&words[*index])) else { return words };
    let Some(second) = words.get(first + 1) else { return words };
    let joined = format!("{}:{}", words[first].to_string_lossy(), second.to_string_lossy());
    let own = CommandLine::command();
    let is_ours = own.find_subcommand(&joined).is_some();
    let is_hidden_by_ours = || {
        matches!(words[first].to_str(), Some("login" | "logout"))
            && skypanel_receiver::platform_commands().find_subcommand(&joined).is_some()
    };
    if is_ours || is_hidden_by_ours() {
        words.splice(first..first + 2, [OsString::from(joined)]);
    }
    words
}

fn written(outcome: std::io::Result<()>) -> skypanel_core::Result<()> {
    match outcome {
        // Whoever reads it has seen enough.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        outcome => outcome.map_err(|error| skypanel_core::Error::System(format!("It cannot be written: {error}."))),
    }
}

fn with_runtime<F, Work>(settable: &Settable, work: F) -> skypanel_core::Result<()>
where
    F: FnOnce(config::Config) -> Work,
    Work: Future<Output = skypanel_core::Result<()>>,
{
    let config = config::Config::load(settable)?;
    memory::limit_arenas();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| skypanel_core::Error::System(format!("The runtime could not start: {error}.")))?;
    runtime.spawn(memory::give_back());
    let outcome = runtime.block_on(work(config));
    // Threads that read or pack files end by themselves, some time; nobody waits for what they make.
    runtime.shutdown_timeout(std::time::Duration::from_secs(2));
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_commands_have_both_spellings() {
        for (typed, read) in [
            ("skypanel git remote -a shop", "skypanel git:remote -a shop"),
            ("skypanel --json git remote -a shop", "skypanel --json git:remote -a shop"),
            ("skypanel apps create shop", "skypanel apps create shop"),
            ("skypanel login", "skypanel login"),
            ("skypanel login https://paas.example", "skypanel login https://paas.example"),
            ("skypanel login approve BCDF-GHJK", "skypanel login:approve BCDF-GHJK"),
            ("skypanel admin settings", "skypanel admin settings"),
            ("skypanel", "skypanel"),
        ] {
            let words = typed.split(' ').map(OsString::from).collect();
            let read: Vec<OsString> = read.split(' ').map(OsString::from).collect();
            assert_eq!(one_spelling(words), read);
        }
    }

    #[test]
    fn what_is_not_ours_reaches_the_platform_whole() {
        let line = CommandLine::parse_from(["skypanel", "--json", "apps", "--json", "-a", "x", "--help"]);
        assert!(line.form.json);
        let Command::Remote(words) = line.command else { panic!("is the platform's") };
        assert_eq!(words, ["apps", "--json", "-a", "x", "--help"]);
    }
}

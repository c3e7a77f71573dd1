//! The one binary: the roles of the platform, the admin commands of its host, and the client of its users.

mod admin;
mod client;
mod config;
mod roles;
mod setup;
mod up;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

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
    // Everything else is run on the platform, over SSH.
    #[command(external_subcommand)]
    Remote(Vec<String>),
}

fn platform_commands() -> String {
    format!(
        "Everything else goes to the platform, over SSH. The app is the one of the Git remote \"skypanel\", or -a APP:\n{}",
        skypanel_receiver::command_list()
    )
}

fn main() -> ExitCode {
    let outcome = match CommandLine::parse().command {
        Command::Up(settable) => with_runtime(&settable, up::up),
        Command::Serve { roles, settable } => with_runtime(&settable, |config| up::serve_roles(config, roles)),
        Command::Admin(admin) => {
            let settable = admin.settable.clone();
            with_runtime(&settable, |config| admin::run(config, admin.action))
        }
        Command::Remote(words) => return client::run(&words),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!(" !     {}", error.to_string().replace('\n', "\n !     "));
            ExitCode::FAILURE
        }
    }
}

fn with_runtime<F, Work>(settable: &Settable, work: F) -> skypanel_core::Result<()>
where
    F: FnOnce(config::Config) -> Work,
    Work: Future<Output = skypanel_core::Result<()>>,
{
    let config = config::Config::load(settable)?;
    limit_arenas();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| skypanel_core::Error::System(format!("The runtime could not start: {error}.")))?;
    let outcome = runtime.block_on(work(config));
    // Threads that read or pack files end by themselves, some time; nobody waits for what they make.
    runtime.shutdown_timeout(std::time::Duration::from_secs(2));
    outcome
}

/// glibc gives every thread an arena of its own and hardly gives memory back from them; two are enough for us
/// and halve what the process keeps after a busy time.
#[expect(unsafe_code, reason = "mallopt has no safe wrapper; it is called before any other thread exists")]
fn limit_arenas() {
    // SAFETY: a plain libc call with constant arguments, made before any other thread is started.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 2);
        libc::mallopt(libc::M_TRIM_THRESHOLD, 1024 * 1024);
    }
}

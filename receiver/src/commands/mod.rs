//! The commands over SSH: parsed by clap, one file per noun. Each calls an action, the one that the HTTP API calls,
//! and answers with what came of it, as text or as JSON; where a job was started, it follows the job's output, and its
//! exit status is the job's outcome.

mod account;
mod admin;
mod alerts;
mod apps;
mod builds;
mod changes;
mod client;
mod config;
mod context;
mod deploy;
mod domains;
mod drains;
mod events;
mod invitations;
mod invoices;
mod jobs;
mod keys;
mod login;
mod logs;
mod members;
mod metrics;
mod notifications;
mod orgs;
mod parse;
mod plans;
mod ps;
mod releases;
mod repo;
mod run;
mod sessions;
mod shown;
mod table;
mod tokens;
mod usage;
mod wallet;
mod webhooks;

/// Answers as programs read them, for what answers beside SSH.
pub mod answers {
    pub use super::admin::setting_items as settings;
    pub use super::keys::item as key;
    pub use super::plans::item as plan;
    pub use super::ps::priced;
    pub use super::shown::{Characters, begun};
}

pub use client::{ClientLine, command_help, command_list, platform_commands};

use std::sync::Arc;

use serde_json::json;
use skypanel_core::actions::Actor;
use skypanel_core::console::Terminal;
use tokio::sync::mpsc;

use crate::Shared;
use crate::channel::{Input, Requests};
use crate::client::{Client, Right};
use crate::commands::context::{Context, Failure};
use crate::commands::parse::{Answer, Command, HelpArguments, Parsed};
use crate::commands::shown::listed;
use crate::exec::CommandLine;
use crate::output::Output;

/// Exit status after Ctrl-C, as shells have it.
const INTERRUPTED: u32 = 130;
/// The byte a terminal in raw mode sends for Ctrl-C.
const CTRL_C: u8 = 3;

/// Runs a command for a client, to the exit status.
pub(crate) async fn run(
    shared: &Arc<Shared>,
    client: &Arc<Client>,
    actor: Arc<Actor>,
    line: CommandLine,
    terminal: Option<Terminal>,
    output: Output,
    requests: Requests,
) {
    let words = parse::words(&line);
    let output = output.read_by_program(parse::is_json(&words));
    let (input, typed) = mpsc::channel(64);
    let context =
        Context { shared: Arc::clone(shared), client: Arc::clone(client), actor, output: output.clone(), input: typed };
    let status = match parse::parse(&words, shared) {
        Err(Answer::Explanation(command)) => explain(&context, &command).await,
        Err(Answer::Refusal(error)) => Err(error.into()),
        Ok(Parsed { command: Command::Run(arguments), .. }) => {
            // It has the client's input for itself: Ctrl-C is the process's, not ours.
            let one_off = arguments.one_off(&line, terminal);
            tokio::select! {
                result = run::run(&context, &arguments, one_off, requests) => result,
                () = shared.stopping.cancelled() => Err(stopping()),
            }
        }
        Ok(Parsed { command, .. }) => {
            let reads = command.reads_input();
            // On the heap: it is as large as the largest command.
            let work = Box::pin(dispatch(context, command));
            tokio::select! {
                result = client.while_allowed(shared, Right::Enter, work) => result,
                ended = attend(requests, input, &output, reads) => match ended {
                    Ended::Gone => return,
                    Ended::Interrupted => {
                        let _ = output.line("^C").await;
                        Ok(INTERRUPTED)
                    }
                },
                () = shared.stopping.cancelled() => Err(stopping()),
            }
        }
    };
    match status {
        Ok(status) => output.finish(status).await,
        Err(Failure::ClientGone) => {}
        Err(Failure::Error(error)) => output.fail(&error).await,
    }
}

async fn dispatch(mut context: Context, command: Command) -> Result<u32, Failure> {
    let context = &mut context;
    match command {
        Command::Account(command) => account::run(context, &command).await,
        Command::Admin(command) => admin::run(context, &command).await,
        Command::Alerts(arguments) => alerts::show(context, &arguments).await,
        Command::Apps(command) => apps::run(context, &command).await,
        Command::Builds(command) => builds::run(context, &command).await,
        Command::Config(command) => config::run(context, &command).await,
        Command::Deploy(command) => deploy::run(context, &command).await,
        Command::Domains(command) => domains::run(context, &command).await,
        Command::Drains(command) => drains::run(context, &command).await,
        Command::Events(arguments) => events::list(context, &arguments).await,
        Command::Help(arguments) => help(context, &arguments).await,
        Command::Invitations(command) => invitations::run(context, &command).await,
        Command::Invoices(command) => invoices::run(context, &command).await,
        Command::Jobs(command) => jobs::run(context, &command).await,
        Command::Keys(command) => keys::run(context, &command).await,
        Command::Login(command) => login::run(context, &command).await,
        Command::Logs(arguments) => logs::show(context, &arguments).await,
        Command::Members(command) => members::run(context, &command).await,
        Command::Metrics(arguments) => metrics::show(context, &arguments).await,
        Command::Notifications(command) => notifications::run(context, &command).await,
        Command::Orgs(command) => orgs::run(context, &command).await,
        Command::Plans => plans::list(context).await,
        Command::Ps(command) => ps::run(context, &command).await,
        Command::Releases(command) => releases::run(context, &command).await,
        Command::Repo(command) => repo::run(context, &command).await,
        // Handled by the caller, who has the client's input.
        Command::Run(_) => Ok(1),
        Command::Sessions(command) => sessions::run(context, &command).await,
        Command::Tokens(command) => tokens::run(context, &command).await,
        Command::Usage(arguments) => usage::show(context, &arguments).await,
        Command::Wallet(command) => wallet::run(context, &command).await,
        Command::Webhooks(command) => webhooks::run(context, &command).await,
    }
}

async fn help(context: &Context, arguments: &HelpArguments) -> Result<u32, Failure> {
    if !arguments.command.is_empty() {
        return explain(context, &arguments.command.join(":")).await;
    }
    let commands = parse::commands().into_iter().map(|(name, about)| json!({ "name": name, "about": about }));
    let text = format!(
        "Usage: {}\n\n{}\nWhat a command takes: help COMMAND. To deploy: git push skypanel main\n",
        context.shared.hint("COMMAND [-a APP] ..."),
        parse::list()
    );
    context.tell(listed(commands), text).await
}

async fn explain(context: &Context, command: &str) -> Result<u32, Failure> {
    let text = parse::explained(command, &context.shared)?;
    context.tell(json!({ "name": command, "help": text }), &text).await
}

/// How the client's side ended while a command ran.
enum Ended {
    Gone,
    Interrupted,
}

/// Passes on what the client types until it goes away or has had enough.
async fn attend(mut requests: Requests, input: mpsc::Sender<bytes::Bytes>, output: &Output, reads: bool) -> Ended {
    let mut input = Some(input);
    loop {
        match requests.next().await {
            Some(Input::Data(bytes)) if output.is_terminal() && bytes.contains(&CTRL_C) => return Ended::Interrupted,
            Some(Input::Data(bytes)) => match &input {
                // Gone once the command has read enough.
                Some(input) if reads => drop(input.send(bytes).await),
                // Most commands read nothing; what they are sent all the same must not pile up.
                Some(_) | None => {}
            },
            Some(Input::Eof) => input = None,
            Some(Input::Resize(columns, _)) => output.resized(columns),
            None => return Ended::Gone,
        }
    }
}

fn stopping() -> Failure {
    skypanel_core::Error::System(
        "Skypanel is stopping. What you started goes on once it is back; try again in a minute.".to_owned(),
    )
    .into()
}

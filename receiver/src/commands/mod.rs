//! The commands over SSH: parsed by clap, one file per noun. Each checks who may, writes to the store,
//! enqueues a job and follows the job's output; its exit status is the job's outcome.

mod apps;
mod builds;
mod client;
mod config;
mod context;
mod domains;
mod keys;
mod logs;
mod parse;
mod ps;
mod releases;
mod run;
mod table;

pub use client::{ClientLine, command_help, command_list};

use std::sync::Arc;

use skypanel_core::actions::Actor;
use skypanel_core::console::Terminal;
use tokio::sync::mpsc;

use crate::Shared;
use crate::channel::{Input, Requests};
use crate::commands::context::{Context, Failure};
use crate::commands::parse::{Command, Parsed};
use crate::exec::CommandLine;
use crate::output::Output;

/// Exit status after Ctrl-C, as shells have it.
const INTERRUPTED: u32 = 130;
/// The byte a terminal in raw mode sends for Ctrl-C.
const CTRL_C: u8 = 3;

/// Runs a command for a client, to the exit status.
pub(crate) async fn run(
    shared: &Arc<Shared>,
    actor: Arc<Actor>,
    line: CommandLine,
    terminal: Option<Terminal>,
    output: Output,
    requests: Requests,
) {
    let parsed = match parse::parse(&line, shared) {
        Ok(parsed) => parsed,
        Err(answer) => {
            let _ = answer.tell(&output).await;
            return output.finish(answer.status).await;
        }
    };
    let (input, typed) = mpsc::channel(64);
    let context = Context { shared: Arc::clone(shared), actor, output: output.clone(), input: typed };
    let status = match parsed {
        Parsed { command: Command::Run(arguments), .. } => {
            // It has the client's input for itself: Ctrl-C is the process's, not ours.
            let one_off = arguments.one_off(&line, terminal);
            tokio::select! {
                result = run::run(&context, &arguments, one_off, requests) => result,
                () = shared.stopping.cancelled() => Err(stopping()),
            }
        }
        Parsed { command } => {
            let interactive = output.is_terminal();
            tokio::select! {
                result = dispatch(context, command) => result,
                ended = attend(requests, input, interactive) => match ended {
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

async fn dispatch(context: Context, command: Command) -> Result<u32, Failure> {
    match command {
        Command::Apps(arguments) => apps::list(&context, &arguments).await,
        Command::AppsCreate(arguments) => apps::create(&context, &arguments).await,
        Command::AppsDestroy(arguments) => apps::destroy(context, &arguments).await,
        Command::AppsInfo(arguments) => apps::info(&context, &arguments).await,
        Command::Config(arguments) => config::list(&context, &arguments).await,
        Command::ConfigSet(arguments) => config::set(&context, &arguments).await,
        Command::ConfigUnset(arguments) => config::unset(&context, &arguments).await,
        Command::Domains(arguments) => domains::list(&context, &arguments).await,
        Command::DomainsAdd(arguments) => domains::add(&context, &arguments).await,
        Command::DomainsRedirect(arguments) => domains::redirect(&context, &arguments).await,
        Command::DomainsRemove(arguments) => domains::remove(&context, &arguments).await,
        Command::DomainsVerify(arguments) => domains::verify(&context, &arguments).await,
        Command::Ps(arguments) => ps::list(&context, &arguments).await,
        Command::PsScale(arguments) => ps::scale(&context, &arguments).await,
        Command::PsRestart(arguments) => ps::restart(&context, &arguments).await,
        Command::PsStop(arguments) => ps::stop(&context, &arguments).await,
        Command::PsStart(arguments) => ps::start(&context, &arguments).await,
        Command::Releases(arguments) => releases::list(&context, &arguments).await,
        Command::Rollback(arguments) => releases::rollback(&context, &arguments).await,
        Command::Logs(arguments) => logs::show(&context, &arguments).await,
        Command::BuildsCancel(arguments) => builds::cancel(&context, &arguments).await,
        Command::CachePurge(arguments) => builds::purge_cache(&context, &arguments).await,
        Command::Keys(arguments) => keys::list(&context, &arguments).await,
        Command::KeysAdd(arguments) => keys::add(context, &arguments).await,
        // Handled by the caller, who has the client's input.
        Command::Run(_) => Ok(1),
        Command::Help(arguments) => {
            context.output.text(parse::help(&arguments, &context.shared)?).await?;
            Ok(0)
        }
    }
}

/// How the client's side ended while a command ran.
enum Ended {
    Gone,
    Interrupted,
}

/// Passes on what the client types until it goes away or has had enough.
async fn attend(mut requests: Requests, input: mpsc::Sender<bytes::Bytes>, interactive: bool) -> Ended {
    let mut input = Some(input);
    loop {
        match requests.next().await {
            Some(Input::Data(bytes)) if interactive && bytes.contains(&CTRL_C) => return Ended::Interrupted,
            Some(Input::Data(bytes)) => {
                // Most commands read nothing; what they are sent all the same must not pile up.
                if let Some(input) = &input {
                    let _ = input.try_send(bytes);
                }
            }
            Some(Input::Eof) => input = None,
            Some(Input::Resize(..)) => {}
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

//! `ps` and its actions: what runs, and how many of it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use clap::Args;
use skypanel_core::Error;
use skypanel_core::console::ProcessState;
use skypanel_core::model::{AppRef, AppStatus, Formation, ProcessType};
use skypanel_core::store::Access;

use crate::commands::context::{AppChoice, Context, Failure};
use crate::commands::table::{plain, time};

/// Longest the engine may take to say what runs.
const ENGINE_LIMIT: Duration = Duration::from_secs(30);
/// Highest number of replicas that is even looked at; the plan's limit is far below.
const MAX_REPLICAS: u32 = 10_000;

/// Arguments of `ps`.
#[derive(Args, Debug)]
pub(crate) struct ListArguments {
    #[command(flatten)]
    choice: AppChoice,
}

/// Arguments of `ps:scale`.
#[derive(Args, Debug)]
pub(crate) struct ScaleArguments {
    #[command(flatten)]
    choice: AppChoice,
    /// Process types and their numbers; shows the numbers without
    #[arg(value_name = "TYPE=NUMBER")]
    changes: Vec<String>,
}

/// Arguments of `ps:restart`.
#[derive(Args, Debug)]
pub(crate) struct RestartArguments {
    #[command(flatten)]
    choice: AppChoice,
}

/// Arguments of `ps:stop`.
#[derive(Args, Debug)]
pub(crate) struct StopArguments {
    #[command(flatten)]
    choice: AppChoice,
}

/// Arguments of `ps:start`.
#[derive(Args, Debug)]
pub(crate) struct StartArguments {
    #[command(flatten)]
    choice: AppChoice,
}

pub(crate) async fn list(context: &Context, arguments: &ListArguments) -> Result<u32, Failure> {
    let app = context.app(&arguments.choice, Access::Read).await?;
    let states = tokio::time::timeout(ENGINE_LIMIT, context.shared.actions.console.processes(&app))
        .await
        .map_err(|_| Error::System("The container engine does not answer. Try again in a minute.".to_owned()))??;
    let commands = context.actions().process_types(&app).await?;
    let mut by_type: BTreeMap<&ProcessType, Vec<&ProcessState>> = BTreeMap::new();
    for state in &states {
        by_type.entry(&state.process).or_default().push(state);
    }
    if by_type.is_empty() {
        let why = match app.status {
            AppStatus::Inactive => "it was never released".to_owned(),
            other => format!("it is {other}"),
        };
        context.output.line(&format!("Nothing of {} runs: {why}.", app.slug)).await?;
        return Ok(0);
    }
    let mut text = String::new();
    for (process, states) in by_type {
        let command = commands.get(process).filter(|command| !command.is_empty());
        let command = command.map_or_else(String::new, |command| format!(": {}", plain(command)));
        let _ = writeln!(text, "=== {process} ({}){command}", states.len());
        for state in states {
            let since = state.since.map_or_else(String::new, |since| format!(" since {}", time(since)));
            let error = state.error.as_ref().map_or_else(String::new, |error| format!(" ({})", plain(error)));
            let _ = writeln!(text, "{process}.{}: {}{since}{error}", state.replica, state.state);
        }
    }
    context.output.text(text).await?;
    Ok(0)
}

pub(crate) async fn scale(context: &Context, arguments: &ScaleArguments) -> Result<u32, Failure> {
    let access = if arguments.changes.is_empty() { Access::Read } else { Access::Change };
    let app = context.app(&arguments.choice, access).await?;
    let known = context.actions().process_types(&app).await?;
    if arguments.changes.is_empty() {
        let shown = numbers(&context.shared.actions.store.formation(app.id).await?, &known);
        context.output.line(&shown).await?;
        return Ok(0);
    }
    let mut change = Formation::new();
    for argument in &arguments.changes {
        let (process, replicas) = parse_change(argument)?;
        change.insert(process, replicas);
    }
    let priced = context.actions().scale(context.actor(), &AppRef::Id(app.id), &change, false).await?;
    let (app, job) = (priced.begun.app, priced.begun.job);
    context.output.line(&format!("-----> Scaling {} to {}", app.slug, numbers(&change, &BTreeMap::new()))).await?;
    if app.current_deployment_id.is_none() || !app.status.should_run() {
        context.output.line("       It takes effect once the app runs.").await?;
    } else if job.is_none() {
        context.output.line("       It is like that already.").await?;
    }
    context.follow_job(job).await
}

pub(crate) async fn restart(context: &Context, arguments: &RestartArguments) -> Result<u32, Failure> {
    let app = context.app(&arguments.choice, Access::Change).await?;
    let begun = context.actions().restart(context.actor(), &AppRef::Id(app.id)).await?;
    context.output.line(&format!("-----> Restarting {}", app.slug)).await?;
    context.follow_job(begun.job).await
}

pub(crate) async fn stop(context: &Context, arguments: &StopArguments) -> Result<u32, Failure> {
    let app = context.app(&arguments.choice, Access::Change).await?;
    let begun = context.actions().stop(context.actor(), &AppRef::Id(app.id)).await?;
    let line = match begun.job {
        Some(_) => format!("-----> Stopping {}", app.slug),
        None => format!("{} is stopped already.", app.slug),
    };
    context.output.line(&line).await?;
    context.follow_job(begun.job).await
}

pub(crate) async fn start(context: &Context, arguments: &StartArguments) -> Result<u32, Failure> {
    let app = context.app(&arguments.choice, Access::Change).await?;
    let begun = context.actions().start(context.actor(), &AppRef::Id(app.id)).await?;
    context.output.line(&format!("-----> Starting {}", app.slug)).await?;
    context.follow_job(begun.job).await
}

fn parse_change(argument: &str) -> Result<(ProcessType, u32), Error> {
    let form = || Error::Invalid(format!("{:?} is not of the form TYPE=NUMBER, such as web=2.", plain(argument)));
    let (process, replicas) = argument.split_once('=').ok_or_else(form)?;
    let replicas = replicas.parse().ok().filter(|replicas| *replicas <= MAX_REPLICAS).ok_or_else(form)?;
    Ok((process.parse()?, replicas))
}

/// `web=1 worker=0`; types that were never scaled have the number they start with.
fn numbers(formation: &Formation, known: &BTreeMap<ProcessType, String>) -> String {
    let mut all: Formation = known
        .keys()
        .filter(|process| **process != ProcessType::release())
        .map(|process| (process.clone(), u32::from(process.is_routed())))
        .collect();
    all.extend(formation.iter().map(|(process, replicas)| (process.clone(), *replicas)));
    if all.is_empty() {
        all.insert(ProcessType::web(), 1);
    }
    all.iter().map(|(process, replicas)| format!("{process}={replicas}")).collect::<Vec<_>>().join(" ")
}

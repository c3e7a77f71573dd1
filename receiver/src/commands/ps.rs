//! `ps` and its actions: what runs, and how many of it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use skypanel_core::Error;
use skypanel_core::actions::Priced;
use skypanel_core::console::ProcessState;
use skypanel_core::model::{AppStatus, Formation, ProcessType};
use skypanel_core::store::Access;

use crate::commands::context::{AppChoice, Context, Failure};
use crate::commands::shown::{begun, listed};
use crate::commands::table::{plain, time};

/// Longest the engine may take to say what runs.
const ENGINE_LIMIT: Duration = Duration::from_secs(30);
/// Highest number of replicas that is even looked at; the plan's limit is far below.
const MAX_REPLICAS: u32 = 10_000;

/// What can be done with processes.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show an app's processes
    #[command(name = "ps")]
    List(ListArguments),
    /// Show an app's plan, or move it to another one
    #[command(name = "ps:plan")]
    Plan(PlanArguments),
    /// Restart all processes of an app
    #[command(name = "ps:restart")]
    Restart(RestartArguments),
    /// Set how many of each process run: web=2 worker=1
    #[command(name = "ps:scale")]
    Scale(ScaleArguments),
    /// Start an app that was stopped
    #[command(name = "ps:start")]
    Start(StartArguments),
    /// Stop all processes of an app
    #[command(name = "ps:stop")]
    Stop(StopArguments),
}

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
    /// Change nothing; only show what it would cost
    #[arg(long)]
    dry_run: bool,
}

/// Arguments of `ps:plan`.
#[derive(Args, Debug)]
pub(crate) struct PlanArguments {
    #[command(flatten)]
    choice: AppChoice,
    /// The plan to move to, by name; shows the plan without
    plan: Option<String>,
    /// Change nothing; only show what it would cost
    #[arg(long)]
    dry_run: bool,
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

pub(crate) async fn run(context: &Context, command: &Command) -> Result<u32, Failure> {
    match command {
        Command::List(arguments) => list(context, arguments).await,
        Command::Plan(arguments) => plan(context, arguments).await,
        Command::Restart(arguments) => restart(context, arguments).await,
        Command::Scale(arguments) => scale(context, arguments).await,
        Command::Start(arguments) => start(context, arguments).await,
        Command::Stop(arguments) => stop(context, arguments).await,
    }
}

async fn list(context: &Context, arguments: &ListArguments) -> Result<u32, Failure> {
    let app = context.app(&arguments.choice, Access::Read).await?;
    let states = tokio::time::timeout(ENGINE_LIMIT, context.actions().console.processes(&app))
        .await
        .map_err(|_| Error::System("The container engine does not answer. Try again in a minute.".to_owned()))??;
    let commands = context.actions().process_types(&app).await?;
    let mut by_type: BTreeMap<&ProcessType, Vec<&ProcessState>> = BTreeMap::new();
    for state in &states {
        by_type.entry(&state.process).or_default().push(state);
    }
    let now = context.actions().clock.now();
    let items = listed(states.iter().map(|state| item(state, now)));
    if by_type.is_empty() {
        let why = match app.status {
            AppStatus::Inactive => "it was never released".to_owned(),
            other => format!("it is {other}"),
        };
        return context.tell(items, format!("Nothing of {} runs: {why}.", app.slug)).await;
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
            // What it says of itself already is not said twice.
            if let Some(failure) = state.last_failure.as_ref().filter(|_| state.error.is_none()) {
                let _ = writeln!(text, "    last failure {}: {}", time(failure.at), plain(&failure.reason));
            }
        }
    }
    context.tell(items, text).await
}

fn item(state: &ProcessState, now: DateTime<Utc>) -> Value {
    let failure = state.last_failure.as_ref();
    json!({
        "process": state.process,
        "replica": state.replica,
        "state": state.state,
        "since": state.since,
        "error": state.error,
        "uptime_seconds": state.uptime(now).map(|uptime| uptime.as_secs()),
        "last_failure": failure.map(|failure| json!({ "at": failure.at, "reason": failure.reason })),
    })
}

async fn scale(context: &Context, arguments: &ScaleArguments) -> Result<u32, Failure> {
    if arguments.changes.is_empty() {
        let app = context.app(&arguments.choice, Access::Read).await?;
        let known = context.actions().process_types(&app).await?;
        let formation = complete(&context.actions().store.formation(app.id).await?, &known);
        return context.tell(json!({ "formation": formation }), numbers(&formation)).await;
    }
    let app = arguments.choice.named()?;
    let mut change = Formation::new();
    for argument in &arguments.changes {
        let (process, replicas) = parse_change(argument)?;
        change.insert(process, replicas);
    }
    let priced = context.actions().scale(context.actor(), &app, &change, arguments.dry_run).await?;
    changed(context, &priced, &format!("Scaling {app} to {}", numbers(&change)), arguments.dry_run).await
}

async fn plan(context: &Context, arguments: &PlanArguments) -> Result<u32, Failure> {
    let app = arguments.choice.named()?;
    let Some(plan) = &arguments.plan else {
        let view = context.actions().app_view(context.actor(), &app).await?;
        let price = view.app.price_per_hour;
        let json = json!({ "plan_id": view.app.plan_id, "plan": view.plan_name, "price_per_hour": price });
        return context.tell(json, format!("{}, {price} an hour for each process", view.plan_name)).await;
    };
    let priced = context.actions().move_to_plan(context.actor(), &app, plan, arguments.dry_run).await?;
    changed(context, &priced, &format!("Moving {app} to the plan {}", plain(plan)), arguments.dry_run).await
}

/// A change with what it costs, as programs read it.
pub fn priced(priced: &Priced, dry_run: bool) -> Value {
    let mut json = begun(&priced.begun);
    json["dry_run"] = json!(dry_run);
    json["cost_per_hour_before"] = json!(priced.cost.before);
    json["cost_per_hour_after"] = json!(priced.cost.after);
    json
}

/// Shows what a change costs, and the change itself if it was made.
async fn changed(context: &Context, change: &Priced, what: &str, dry_run: bool) -> Result<u32, Failure> {
    let (app, job, cost) = (&change.begun.app, change.begun.job, change.cost);
    let json = priced(change, dry_run);
    let mut text = if dry_run { "Nothing was changed.\n".to_owned() } else { format!("-----> {what}\n") };
    let _ = if dry_run {
        writeln!(text, "An hour of it costs {} and would cost {}.", cost.before, cost.after)
    } else {
        writeln!(text, "       An hour of it cost {} and costs {} now.", cost.before, cost.after)
    };
    let runs = app.current_deployment_id.is_some() && app.status.should_run();
    if !dry_run && job.is_none() {
        let why = if runs { "It is like that already." } else { "It takes effect once the app runs." };
        let _ = writeln!(text, "       {why}");
    }
    context.tell(json, text).await?;
    context.follow_job(job).await
}

async fn restart(context: &Context, arguments: &RestartArguments) -> Result<u32, Failure> {
    let app = arguments.choice.named()?;
    let restarted = context.actions().restart(context.actor(), &app).await?;
    context.tell(begun(&restarted), format!("-----> Restarting {app}")).await?;
    context.follow_job(restarted.job).await
}

async fn stop(context: &Context, arguments: &StopArguments) -> Result<u32, Failure> {
    let app = arguments.choice.named()?;
    let stopped = context.actions().stop(context.actor(), &app).await?;
    let text = match stopped.job {
        Some(_) => format!("-----> Stopping {app}"),
        None => format!("{app} is stopped already."),
    };
    context.tell(begun(&stopped), text).await?;
    context.follow_job(stopped.job).await
}

async fn start(context: &Context, arguments: &StartArguments) -> Result<u32, Failure> {
    let app = arguments.choice.named()?;
    let started = context.actions().start(context.actor(), &app).await?;
    context.tell(begun(&started), format!("-----> Starting {app}")).await?;
    context.follow_job(started.job).await
}

fn parse_change(argument: &str) -> Result<(ProcessType, u32), Error> {
    let form = || Error::Invalid(format!("{:?} is not of the form TYPE=NUMBER, such as web=2.", plain(argument)));
    let (process, replicas) = argument.split_once('=').ok_or_else(form)?;
    let replicas = replicas.parse().ok().filter(|replicas| *replicas <= MAX_REPLICAS).ok_or_else(form)?;
    Ok((process.parse()?, replicas))
}

/// All process types; those that were never scaled have the number they start with.
fn complete(scaled: &Formation, known: &BTreeMap<ProcessType, String>) -> Formation {
    let mut all: Formation = known
        .keys()
        .filter(|process| **process != ProcessType::release())
        .map(|process| (process.clone(), u32::from(process.is_routed())))
        .collect();
    all.extend(scaled.iter().map(|(process, replicas)| (process.clone(), *replicas)));
    if all.is_empty() {
        all.insert(ProcessType::web(), 1);
    }
    all
}

/// `web=1 worker=0`.
fn numbers(formation: &Formation) -> String {
    formation.iter().map(|(process, replicas)| format!("{process}={replicas}")).collect::<Vec<_>>().join(" ")
}

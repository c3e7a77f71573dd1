//! `ps` and its actions: what runs, and how many of it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use clap::Args;
use skypanel_core::Error;
use skypanel_core::console::ProcessState;
use skypanel_core::model::{AppStatus, Application, Formation, ProcessType, SuspensionReason};
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
    let states = tokio::time::timeout(ENGINE_LIMIT, context.shared.console.processes(&app))
        .await
        .map_err(|_| Error::System("The container engine does not answer. Try again in a minute.".to_owned()))??;
    let commands = process_types(context, &app).await?;
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
    let known = process_types(context, &app).await?;
    if arguments.changes.is_empty() {
        let shown = numbers(&context.shared.store.formation(app.id).await?, &known);
        context.output.line(&shown).await?;
        return Ok(0);
    }
    let mut change = Formation::new();
    for argument in &arguments.changes {
        let (process, replicas) = parse_change(argument)?;
        let exists = known.contains_key(&process) || (known.is_empty() && app.current_deployment_id.is_none());
        if !exists || process == ProcessType::release() {
            let names: Vec<&str> =
                known.keys().filter(|known| **known != ProcessType::release()).map(ProcessType::as_str).collect();
            return Err(Error::Invalid(format!(
                "{} has no process type \"{process}\". The current release has: {}.",
                app.slug,
                names.join(", ")
            ))
            .into());
        }
        change.insert(process, replicas);
    }
    context.shared.store.scale(&app, &change).await?;
    let shown = numbers(&change, &BTreeMap::new());
    context.note(&app, "scale", &format!("Scaled to {shown}")).await;
    context.output.line(&format!("-----> Scaling {} to {shown}", app.slug)).await?;
    if app.current_deployment_id.is_none() || !app.status.should_run() {
        context.output.line("       It takes effect once the app runs.").await?;
        return Ok(0);
    }
    context.apply(&app).await
}

pub(crate) async fn restart(context: &Context, arguments: &RestartArguments) -> Result<u32, Failure> {
    let app = context.app(&arguments.choice, Access::Change).await?;
    if !app.status.should_run() || app.current_deployment_id.is_none() {
        return Err(not_running(&app).into());
    }
    context.shared.store.request_restart(app.id).await?;
    context.note(&app, "restart", "Restarted").await;
    context.output.line(&format!("-----> Restarting {}", app.slug)).await?;
    context.apply(&app).await
}

pub(crate) async fn stop(context: &Context, arguments: &StopArguments) -> Result<u32, Failure> {
    let app = context.app(&arguments.choice, Access::Change).await?;
    match app.status {
        AppStatus::Stopped => {
            context.output.line(&format!("{} is stopped already.", app.slug)).await?;
            return Ok(0);
        }
        AppStatus::Inactive | AppStatus::Suspended => return Err(not_running(&app).into()),
        _ => {}
    }
    context.shared.store.set_app_status(app.id, AppStatus::Stopped).await?;
    context.note(&app, "stop", "Stopped").await;
    context.output.line(&format!("-----> Stopping {}", app.slug)).await?;
    context.apply(&app).await
}

pub(crate) async fn start(context: &Context, arguments: &StartArguments) -> Result<u32, Failure> {
    let app = context.app(&arguments.choice, Access::Change).await?;
    if app.status == AppStatus::Suspended {
        return Err(Error::Forbidden(format!("The app \"{}\" is suspended. {}", app.slug, why_suspended(&app))).into());
    }
    if app.current_deployment_id.is_none() {
        return Err(Error::Conflict(format!(
            "{} has no release yet, so there is nothing to start. Push first: git push skypanel {}",
            app.slug, app.git_branch
        ))
        .into());
    }
    context.shared.store.ensure_funds(app.organization_id).await?;
    context.shared.store.set_app_status(app.id, AppStatus::Running).await?;
    context.note(&app, "start", "Started").await;
    context.output.line(&format!("-----> Starting {}", app.slug)).await?;
    context.apply(&app).await
}

/// Process types of the current release and their commands.
async fn process_types(context: &Context, app: &Application) -> Result<BTreeMap<ProcessType, String>, Failure> {
    let Some(id) = app.current_deployment_id else { return Ok(BTreeMap::new()) };
    Ok(context.shared.store.deployment(id).await?.process_types.map(|types| types.0).unwrap_or_default())
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

fn not_running(app: &Application) -> Error {
    let why = match app.status {
        AppStatus::Stopped => "it is stopped. Start it with ps:start",
        AppStatus::Suspended => return Error::Conflict(format!("{} is suspended. {}", app.slug, why_suspended(app))),
        _ => "it has no release yet. Push first",
    };
    Error::Conflict(format!("{} does not run: {why}.", app.slug))
}

fn why_suspended(app: &Application) -> &'static str {
    match app.suspended_reason {
        Some(SuspensionReason::Wallet) => "Its organisation's wallet is empty; a top-up starts it again.",
        Some(SuspensionReason::Admin) => "An admin of the platform suspended its organisation.",
        None => "Ask an owner or the operator why.",
    }
}

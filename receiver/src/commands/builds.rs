//! `builds` and its actions: deployments on their way and afterwards; and `cache:purge`.

use std::fmt::Write as _;

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use skypanel_core::model::{DeploymentId, DeploymentStatus};
use skypanel_core::store::DeploymentView;
use uuid::Uuid;

use crate::commands::context::{AppChoice, Context, Failure};
use crate::commands::shown::{begun, id, listed};
use crate::commands::table::{plain, time};

/// What can be done with builds.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List an app's deployments, those that failed or still wait among them
    #[command(name = "builds")]
    List(ListArguments),
    /// Stop the builds and releases of an app that are under way
    #[command(name = "builds:cancel")]
    Cancel(CancelArguments),
    /// Show the whole output of a deployment
    #[command(name = "builds:log")]
    Log(LogArguments),
    /// Throw away an app's build cache
    #[command(name = "cache:purge")]
    Purge(PurgeArguments),
}

/// Arguments of `builds`.
#[derive(Args, Debug)]
pub(crate) struct ListArguments {
    #[command(flatten)]
    choice: AppChoice,
    /// How many
    #[arg(short, long, value_name = "BUILDS", default_value_t = 15, value_parser = clap::value_parser!(u32).range(1..=200))]
    num: u32,
}

/// Arguments of `builds:cancel`.
#[derive(Args, Debug)]
pub(crate) struct CancelArguments {
    #[command(flatten)]
    choice: AppChoice,
    /// Only the deployment of this id
    #[arg(value_name = "ID", value_parser = id)]
    build: Option<Uuid>,
}

/// Arguments of `builds:log`.
#[derive(Args, Debug)]
pub(crate) struct LogArguments {
    #[command(flatten)]
    choice: AppChoice,
    /// A release, such as v3, or the id of a deployment; the newest deployment without
    build: Option<String>,
}

/// Arguments of `cache:purge`.
#[derive(Args, Debug)]
pub(crate) struct PurgeArguments {
    #[command(flatten)]
    choice: AppChoice,
}

pub(crate) async fn run(context: &Context, command: &Command) -> Result<u32, Failure> {
    match command {
        Command::List(arguments) => list(context, arguments).await,
        Command::Cancel(arguments) => cancel(context, arguments).await,
        Command::Log(arguments) => log(context, arguments).await,
        Command::Purge(arguments) => purge_cache(context, arguments).await,
    }
}

async fn list(context: &Context, arguments: &ListArguments) -> Result<u32, Failure> {
    let app = arguments.choice.named()?;
    let views = context.actions().deployments(context.actor(), &app, None, i64::from(arguments.num)).await?;
    let empty = format!("{app} was never deployed.");
    let rows = views.iter().map(|view| {
        let deployment = &view.deployment;
        let row = vec![
            deployment.id.to_string(),
            deployment.version.map(|version| version.to_string()).unwrap_or_default(),
            deployment.status.to_string(),
            plain(deployment.description.as_deref().unwrap_or_default()),
            time(deployment.created_at),
        ];
        (item(view), row)
    });
    context.list(&["ID", "RELEASE", "STATUS", "DESCRIPTION", "AT"], &empty, rows).await
}

async fn cancel(context: &Context, arguments: &CancelArguments) -> Result<u32, Failure> {
    let app = arguments.choice.named()?;
    let only = arguments.build.map(DeploymentId);
    let cancelled = context.actions().cancel_deployment(context.actor(), &app, only).await?;
    let mut items = Vec::new();
    let mut text = String::new();
    for deployment in &cancelled {
        items.push(item(&context.actions().deployment(context.actor(), &app, deployment.id).await?.view));
        let what = deployment.description.as_deref().unwrap_or("a build");
        let _ = writeln!(text, "-----> Cancelled: {}", plain(what));
    }
    if cancelled.is_empty() {
        text = format!("Nothing of {app} is being built or released.");
    }
    context.tell(listed(items), text).await
}

async fn log(context: &Context, arguments: &LogArguments) -> Result<u32, Failure> {
    let app = arguments.choice.named()?;
    let id = context.deployment(&app, arguments.build.as_deref()).await?;
    let (bytes, complete) = context.actions().deployment_log(context.actor(), &app, id).await?;
    let log = String::from_utf8_lossy(&bytes);
    let more = if complete { "" } else { "       (It goes on.)\n" };
    context.tell(json!({ "deployment_id": id, "log": log, "complete": complete }), format!("{log}{more}")).await
}

async fn purge_cache(context: &Context, arguments: &PurgeArguments) -> Result<u32, Failure> {
    let app = arguments.choice.named()?;
    let purge = context.actions().purge_cache(context.actor(), &app).await?;
    context.tell(begun(&purge), format!("-----> Throwing away the build cache of {app}")).await?;
    context.follow_job(purge.job).await
}

/// A deployment as programs read it.
pub(crate) fn item(view: &DeploymentView) -> Value {
    let deployment = &view.deployment;
    json!({
        "id": deployment.id,
        "version": deployment.version.map(|version| version.0),
        "status": deployment.status,
        "is_current": view.is_current,
        "trigger": deployment.trigger,
        "description": deployment.description,
        "git_branch": view.git_branch,
        "git_commit": deployment.git_commit,
        "git_message": deployment.git_message,
        "git_author": deployment.git_author,
        "created_by": view.created_by_email,
        "buildpack": deployment.buildpack,
        "slug_bytes": deployment.slug_bytes,
        "parent_id": deployment.parent_id,
        "parent_version": view.parent_version.map(|version| version.0),
        "is_kept": deployment.status == DeploymentStatus::Succeeded && deployment.artifact().is_some(),
        "can_redeploy": view.can_redeploy(),
        "error_code": deployment.error_code,
        "error": deployment.error,
        "created_at": deployment.created_at,
        "finished_at": deployment.finished_at,
    })
}

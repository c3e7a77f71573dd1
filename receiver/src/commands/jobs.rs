//! `jobs:info` and `jobs:follow`: what was started, by the id that it was answered with.

use clap::{Args, Subcommand};
use serde_json::json;
use skypanel_core::model::StreamId;
use uuid::Uuid;

use crate::commands::context::{Context, Failure};
use crate::commands::shown::id;
use crate::commands::table::{pairs, time};

/// What can be seen of jobs.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show a job's output from its beginning to its end
    #[command(name = "jobs:follow")]
    Follow(JobArguments),
    /// Show how far a job is
    #[command(name = "jobs:info")]
    Info(JobArguments),
}

/// Arguments of `jobs:follow` and `jobs:info`.
#[derive(Args, Debug)]
pub(crate) struct JobArguments {
    /// Id of the job or deployment
    #[arg(value_name = "ID", value_parser = id)]
    job: Uuid,
}

pub(crate) async fn run(context: &Context, command: &Command) -> Result<u32, Failure> {
    match command {
        Command::Follow(arguments) => follow(context, StreamId(arguments.job)).await,
        Command::Info(arguments) => info(context, StreamId(arguments.job)).await,
    }
}

async fn follow(context: &Context, job: StreamId) -> Result<u32, Failure> {
    context.actions().operation(context.actor(), job).await?;
    context.follow(job).await
}

async fn info(context: &Context, job: StreamId) -> Result<u32, Failure> {
    let job = context.actions().operation(context.actor(), job).await?;
    let json = json!({
        "id": job.id,
        "app_id": job.application_id,
        "app": job.slug,
        "state": job.state(),
        "succeeded": job.outcome(),
        "deployment_status": job.deployment_status,
        "created_at": job.created_at,
        "finished_at": job.finished_at,
    });
    let outcome = match job.outcome() {
        Some(true) => "It went well.",
        Some(false) => "It failed.",
        None => "It goes on.",
    };
    let mut rows =
        vec![("App", job.slug.to_string()), ("State", job.state().to_string()), ("Begun", time(job.created_at))];
    if let Some(at) = job.finished_at {
        rows.push(("Ended", time(at)));
    }
    context.tell(json, format!("{}{outcome}\n", pairs(&rows))).await
}

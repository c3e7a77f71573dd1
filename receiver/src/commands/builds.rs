//! `builds:cancel` and `cache:purge`.

use clap::Args;
use skypanel_core::jobs;
use skypanel_core::model::{DeploymentStatus, StreamId};
use skypanel_core::store::Access;

use crate::commands::context::{AppChoice, Context, Failure};

/// Arguments of `builds:cancel`.
#[derive(Args, Debug)]
pub(crate) struct CancelArguments {
    #[command(flatten)]
    choice: AppChoice,
}

/// Arguments of `cache:purge`.
#[derive(Args, Debug)]
pub(crate) struct PurgeArguments {
    #[command(flatten)]
    choice: AppChoice,
}

pub(crate) async fn cancel(context: &Context, arguments: &CancelArguments) -> Result<u32, Failure> {
    let app = context.app(&arguments.choice, Access::Change).await?;
    let store = &context.shared.store;
    let mut cancelled = 0;
    for deployment in store.unfinished_deployments(app.id).await? {
        let reason = Some(("CANCELLED", "It was cancelled with builds:cancel."));
        // One that ended in the meantime is none to cancel.
        if store.finish_deployment(deployment.id, DeploymentStatus::Cancelled, reason).await? {
            cancelled += 1;
            let what = deployment.description.unwrap_or_else(|| "a build".to_owned());
            context.output.line(&format!("-----> Cancelled: {what}")).await?;
            context.note(&app, "cancel", &format!("Cancelled: {what}")).await;
        }
    }
    if cancelled == 0 {
        context.output.line(&format!("Nothing of {} is being built or released.", app.slug)).await?;
    }
    Ok(0)
}

pub(crate) async fn purge_cache(context: &Context, arguments: &PurgeArguments) -> Result<u32, Failure> {
    let app = context.app(&arguments.choice, Access::Change).await?;
    context.output.line(&format!("-----> Throwing away the build cache of {}", app.slug)).await?;
    let stream = StreamId::new();
    context.shared.streams.create(stream, app.id).await?;
    context.shared.jobs.add(jobs::PurgeCache { app: app.id, stream }).await?;
    context.follow(stream).await
}

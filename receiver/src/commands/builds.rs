//! `builds:cancel` and `cache:purge`.

use clap::Args;
use skypanel_core::jobs;
use skypanel_core::model::{AppRef, StreamId};
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
    let cancelled = context.actions().cancel_deployment(context.actor(), &AppRef::Id(app.id), None).await?;
    for deployment in &cancelled {
        let what = deployment.description.as_deref().unwrap_or("a build");
        context.output.line(&format!("-----> Cancelled: {what}")).await?;
    }
    if cancelled.is_empty() {
        context.output.line(&format!("Nothing of {} is being built or released.", app.slug)).await?;
    }
    Ok(0)
}

pub(crate) async fn purge_cache(context: &Context, arguments: &PurgeArguments) -> Result<u32, Failure> {
    let app = context.app(&arguments.choice, Access::Change).await?;
    context.output.line(&format!("-----> Throwing away the build cache of {}", app.slug)).await?;
    let stream = StreamId::new();
    context.shared.actions.streams.create(stream, app.id).await?;
    context.shared.actions.jobs.add(jobs::PurgeCache { app: app.id, stream }).await?;
    context.follow(stream).await
}

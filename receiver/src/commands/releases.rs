//! `releases` and `rollback`.

use clap::Args;
use skypanel_core::model::{AppRef, Application, Deployment, DeploymentStatus};
use skypanel_core::store::Access;

use crate::commands::context::{AppChoice, Context, Failure};
use crate::commands::table::{plain, table, time};

/// Arguments of `releases`.
#[derive(Args, Debug)]
pub(crate) struct ListArguments {
    #[command(flatten)]
    choice: AppChoice,
    /// How many
    #[arg(short, long, value_name = "RELEASES", default_value_t = 15, value_parser = clap::value_parser!(u32).range(1..=200))]
    num: u32,
}

/// Arguments of `rollback`.
#[derive(Args, Debug)]
pub(crate) struct RollbackArguments {
    #[command(flatten)]
    choice: AppChoice,
    /// The release to run again, such as v3
    version: Option<String>,
}

pub(crate) async fn list(context: &Context, arguments: &ListArguments) -> Result<u32, Failure> {
    let app = context.app(&arguments.choice, Access::Read).await?;
    let store = &context.shared.actions.store;
    let releases = store.releases(app.id, arguments.num).await?;
    if releases.is_empty() {
        let line = format!("{} has no releases yet. Push first: git push skypanel {}", app.slug, app.git_branch);
        context.output.line(&line).await?;
        return Ok(0);
    }
    let makers: Vec<_> = releases.iter().filter_map(|release| release.created_by).collect();
    let emails = store.emails(&makers).await?;
    let rows: Vec<Vec<String>> = releases
        .iter()
        .map(|release| {
            let maker = release.created_by.and_then(|maker| emails.get(&maker)).map_or("", String::as_str);
            vec![
                release.version.map(|version| version.to_string()).unwrap_or_default(),
                state(&app, release),
                plain(release.description.as_deref().unwrap_or_default()),
                maker.to_owned(),
                time(release.created_at),
            ]
        })
        .collect();
    context.output.text(table(&["RELEASE", "STATE", "DESCRIPTION", "BY", "AT"], &rows)).await?;
    Ok(0)
}

fn state(app: &Application, release: &Deployment) -> String {
    match release.status {
        _ if app.current_deployment_id == Some(release.id) => "current".to_owned(),
        DeploymentStatus::Succeeded if release.pruned_at.is_some() => "dropped".to_owned(),
        DeploymentStatus::Succeeded => String::new(),
        other => other.to_string(),
    }
}

pub(crate) async fn rollback(context: &Context, arguments: &RollbackArguments) -> Result<u32, Failure> {
    let app = context.app(&arguments.choice, Access::Change).await?;
    let version = arguments.version.as_deref().map(str::parse).transpose()?;
    let begun = context.actions().rollback(context.actor(), &AppRef::Id(app.id), version).await?;
    context.output.line(&format!("-----> Rolling {} back to {}", app.slug, begun.to)).await?;
    context.follow(begun.deployment.into()).await
}

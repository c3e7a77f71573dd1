//! `releases` and `rollback`.

use clap::Args;
use skypanel_core::Error;
use skypanel_core::model::{
    AppStatus, Application, Deployment, DeploymentId, DeploymentStatus, NewDeployment, ReleaseVersion, Trigger,
};
use skypanel_core::store::Access;

use crate::commands::context::{AppChoice, Context, Failure};
use crate::commands::table::{plain, table, time};

/// How many releases are looked through for the one before the current.
const LOOK_BACK: u32 = 200;

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
    let store = &context.shared.store;
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
    if app.status == AppStatus::Suspended {
        return Err(Error::Forbidden(format!("The app \"{}\" is suspended.", app.slug)).into());
    }
    let target = match &arguments.version {
        Some(version) => named(context, &app, version.parse()?).await?,
        None => previous(context, &app).await?,
    };
    let version = target.version.ok_or_else(|| Error::Conflict("That is no release.".to_owned()))?;
    let description = format!("Rollback to {version}");
    context.output.line(&format!("-----> Rolling {} back to {version}", app.slug)).await?;
    context
        .deploy(&NewDeployment {
            id: DeploymentId::new(),
            application_id: app.id,
            trigger: Trigger::Rollback,
            git_branch: None,
            git_commit: target.git_commit,
            git_message: target.git_message,
            git_author: target.git_author,
            no_cache: false,
            description,
            parent_id: Some(target.id),
            created_by: Some(context.identity.user.id),
        })
        .await
}

async fn named(context: &Context, app: &Application, version: ReleaseVersion) -> Result<Deployment, Failure> {
    let release = context.shared.store.release(app.id, version).await?;
    if app.current_deployment_id == Some(release.id) {
        return Err(Error::Conflict(format!("{version} is what runs now.")).into());
    }
    if release.pruned_at.is_some() {
        return Err(Error::Conflict(format!(
            "{version} is not kept any more: only the newest releases are. Push its commit again instead."
        ))
        .into());
    }
    if release.status != DeploymentStatus::Succeeded || release.artifact().is_none() {
        return Err(Error::Conflict(format!("{version} never went live, so there is nothing to go back to.")).into());
    }
    Ok(release)
}

/// The newest release before the current one that can be run again.
async fn previous(context: &Context, app: &Application) -> Result<Deployment, Failure> {
    let releases = context.shared.store.releases(app.id, LOOK_BACK).await?;
    let current = releases.iter().find(|release| app.current_deployment_id == Some(release.id));
    let below = current.and_then(|release| release.version);
    let found = releases.into_iter().find(|release| {
        app.current_deployment_id != Some(release.id)
            && below.is_none_or(|below| release.version < Some(below))
            && release.status == DeploymentStatus::Succeeded
            && release.artifact().is_some()
    });
    found.ok_or_else(|| {
        Error::Conflict(format!("{} has no earlier release that is kept. The command releases lists them.", app.slug))
            .into()
    })
}

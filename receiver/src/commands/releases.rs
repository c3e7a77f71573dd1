//! `releases`, `releases:info`, `releases:diff` and `rollback`.

use std::fmt::Write as _;

use clap::{Args, Subcommand};
use serde_json::json;
use skypanel_core::actions::Shown;
use skypanel_core::model::{DeploymentStatus, StageTiming};
use skypanel_core::store::{Access, DeploymentView};

use crate::commands::builds::item;
use crate::commands::changes;
use crate::commands::context::{AppChoice, Context, Failure};
use crate::commands::table::{pairs, plain, time};

/// How many deployments are read at a time; some are no releases.
const PAGE: i64 = 200;

/// What can be done with releases.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List an app's releases
    #[command(name = "releases")]
    List(ListArguments),
    /// Show what a release is made of, and how long each stage of it took
    #[command(name = "releases:info")]
    Info(InfoArguments),
    /// Show what a release changes beside the one before it: commits, files and lines
    #[command(name = "releases:diff")]
    Diff(changes::Arguments),
    /// Run an earlier release again; the one before the current without a number
    #[command(name = "rollback")]
    Rollback(RollbackArguments),
}

/// Arguments of `releases`.
#[derive(Args, Debug)]
pub(crate) struct ListArguments {
    #[command(flatten)]
    choice: AppChoice,
    /// How many
    #[arg(short, long, value_name = "RELEASES", default_value_t = 15, value_parser = clap::value_parser!(u32).range(1..=200))]
    num: u32,
}

/// Arguments of `releases:info`.
#[derive(Args, Debug)]
pub(crate) struct InfoArguments {
    #[command(flatten)]
    choice: AppChoice,
    /// The release, such as v3, or the id of a deployment; the newest deployment without
    version: Option<String>,
}

/// Arguments of `rollback`.
#[derive(Args, Debug)]
pub(crate) struct RollbackArguments {
    #[command(flatten)]
    choice: AppChoice,
    /// The release to run again, such as v3
    version: Option<String>,
}

pub(crate) async fn run(context: &Context, command: &Command) -> Result<u32, Failure> {
    match command {
        Command::List(arguments) => list(context, arguments).await,
        Command::Info(arguments) => info(context, arguments).await,
        Command::Diff(arguments) => changes::run(context, arguments).await,
        Command::Rollback(arguments) => rollback(context, arguments).await,
    }
}

async fn list(context: &Context, arguments: &ListArguments) -> Result<u32, Failure> {
    let app = context.app(&arguments.choice, Access::Read).await?;
    let reference = arguments.choice.named()?;
    let most = arguments.num as usize;
    let mut releases: Vec<DeploymentView> = Vec::new();
    let mut before = None;
    loop {
        let page = context.actions().deployments(context.actor(), &reference, before, PAGE).await?;
        before = page.last().map(|view| (view.deployment.created_at, view.deployment.id));
        releases.extend(page.into_iter().filter(|view| view.deployment.version.is_some()));
        if before.is_none() || releases.len() >= most {
            break;
        }
    }
    releases.truncate(most);
    let empty = format!("{} has no releases yet. Push first: git push skypanel {}", app.slug, app.git_branch);
    let rows = releases.iter().map(|view| {
        let release = &view.deployment;
        let row = vec![
            release.version.map(|version| version.to_string()).unwrap_or_default(),
            state(view),
            plain(release.description.as_deref().unwrap_or_default()),
            view.created_by_email.clone().unwrap_or_default(),
            time(release.created_at),
        ];
        (item(view), row)
    });
    context.list(&["RELEASE", "STATE", "DESCRIPTION", "BY", "AT"], &empty, rows).await
}

fn state(view: &DeploymentView) -> String {
    let release = &view.deployment;
    match release.status {
        _ if view.is_current => "current".to_owned(),
        DeploymentStatus::Succeeded if release.pruned_at.is_some() => "dropped".to_owned(),
        DeploymentStatus::Succeeded => String::new(),
        other => other.to_string(),
    }
}

async fn info(context: &Context, arguments: &InfoArguments) -> Result<u32, Failure> {
    let app = arguments.choice.named()?;
    let id = context.deployment(&app, arguments.version.as_deref()).await?;
    let shown = context.actions().deployment(context.actor(), &app, id).await?;
    let deployment = &shown.view.deployment;
    let stages = shown.stages.iter().map(|stage| {
        json!({
            "stage": stage.stage,
            "started_at": stage.started_at,
            "finished_at": stage.finished_at,
            "failed": stage.failed,
        })
    });
    let mut json = item(&shown.view);
    json["app_id"] = json!(shown.app.id);
    json["app"] = json!(shown.app.slug);
    json["stages"] = stages.collect();
    json["processes"] = json!(deployment.process_types.as_ref().map(|types| &types.0));
    json["slug_digest"] = json!(deployment.slug_digest);
    json["image_digest"] = json!(deployment.image_digest);
    json["config_version"] = json!(deployment.config_version);
    context.tell(json, described(&shown)).await
}

fn described(shown: &Shown) -> String {
    let view = &shown.view;
    let deployment = &view.deployment;
    let name = deployment.version.map_or_else(|| deployment.id.to_string(), |version| version.to_string());
    let mut rows = vec![
        ("Status", if view.is_current { "current".to_owned() } else { deployment.status.to_string() }),
        ("What", plain(deployment.description.as_deref().unwrap_or_default())),
        ("By", format!("{} ({})", view.created_by_email.as_deref().unwrap_or("Skypanel"), deployment.trigger)),
        ("At", time(deployment.created_at)),
    ];
    for (name, text) in [
        ("Commit", &deployment.git_commit),
        ("Message", &deployment.git_message),
        ("Author", &deployment.git_author),
        ("Branch", &view.git_branch),
        ("Buildpack", &deployment.buildpack),
    ] {
        if let Some(text) = text {
            rows.push((name, plain(text)));
        }
    }
    if let Some(bytes) = deployment.slug_bytes {
        let bytes = u64::try_from(bytes).unwrap_or_default();
        rows.push(("Slug", skypanel_core::quantity::size(bytes)));
    }
    if let Some(parent) = view.parent_version {
        rows.push(("Runs again", parent.to_string()));
    }
    if let Some(error) = &deployment.error {
        rows.push(("Failed", plain(error)));
    }
    let mut text = format!("=== {} {name}\n{}", shown.app.slug, pairs(&rows));
    if let Some(processes) = &deployment.process_types {
        text.push('\n');
        for (process, command) in &processes.0 {
            let _ = writeln!(text, "{process}: {}", plain(command));
        }
    }
    if !shown.stages.is_empty() {
        text.push('\n');
        for stage in &shown.stages {
            let _ = writeln!(text, "{:10}  {}", stage.stage, took(stage));
        }
    }
    text
}

/// How long a stage took, or how it stands.
fn took(stage: &StageTiming) -> String {
    let Some(finished) = stage.finished_at else { return "goes on".to_owned() };
    let milliseconds = (finished - stage.started_at).num_milliseconds().max(0);
    let failed = if stage.failed { ", failed" } else { "" };
    format!("{}.{} s{failed}", milliseconds / 1000, milliseconds % 1000 / 100)
}

async fn rollback(context: &Context, arguments: &RollbackArguments) -> Result<u32, Failure> {
    let app = arguments.choice.named()?;
    let version = arguments.version.as_deref().map(str::parse).transpose()?;
    let begun = context.actions().rollback(context.actor(), &app, version).await?;
    let json = json!({ "deployment_id": begun.deployment, "superseded": [] });
    context.tell(json, format!("-----> Rolling {app} back to {}", begun.to)).await?;
    context.follow(begun.deployment.into()).await
}

//! `deploy` and its actions: deployments of what is not pushed, or was before.

use std::fs::File;
use std::io::{Seek as _, Write as _};
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, Subcommand};
use skypanel_core::Error;
use skypanel_core::actions::{ArchiveDeploy, RepositoryDeploy, Started, Upload};
use skypanel_core::model::{AppRef, DeploymentId};
use skypanel_core::store::Access;
use tokio::time::timeout;

use crate::client::Right;
use crate::commands::context::{AppChoice, Context, Failure};
use crate::commands::shown::queued;
use crate::commands::table::plain;

/// Longest an upload may stand still.
const PIECE_LIMIT: Duration = Duration::from_mins(1);
/// Bytes after which the space on the disk is looked at again.
const LOOK_EVERY: u64 = 64 << 20;
/// Deployments that are looked through for one that was built.
const LOOK_BACK: i64 = 200;

/// What can be deployed.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Build and release what is in an app's Git repository elsewhere
    #[command(name = "deploy")]
    Repository(RepositoryArguments),
    /// Build and release an archive of an app's source, given on standard input
    #[command(name = "deploy:archive")]
    Archive(ArchiveArguments),
    /// Build and release once more what was deployed before, such as what failed
    #[command(name = "deploy:again")]
    Again(AgainArguments),
}

/// Arguments of `deploy`.
#[derive(Args, Debug)]
pub(crate) struct RepositoryArguments {
    #[command(flatten)]
    choice: AppChoice,
    /// The full hash of a commit of the app's branch; its newest without
    commit: Option<String>,
    /// Build without the build cache
    #[arg(long)]
    no_cache: bool,
}

/// Arguments of `deploy:archive`.
#[derive(Args, Debug)]
pub(crate) struct ArchiveArguments {
    #[command(flatten)]
    choice: AppChoice,
    /// What the list of releases shows of it, such as a version
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// Build without the build cache
    #[arg(long)]
    no_cache: bool,
}

/// Arguments of `deploy:again`.
#[derive(Args, Debug)]
pub(crate) struct AgainArguments {
    #[command(flatten)]
    choice: AppChoice,
    /// A release, such as v3, or the id of a deployment; the newest that was built without
    build: Option<String>,
    /// Build without the build cache
    #[arg(long)]
    no_cache: bool,
}

pub(crate) async fn run(context: &mut Context, command: &Command) -> Result<u32, Failure> {
    match command {
        Command::Repository(arguments) => repository(context, arguments).await,
        Command::Archive(arguments) => archive(context, arguments).await,
        Command::Again(arguments) => again(context, arguments).await,
    }
}

async fn repository(context: &Context, arguments: &RepositoryArguments) -> Result<u32, Failure> {
    let app = arguments.choice.named()?;
    let commit = arguments.commit.as_deref().map(str::parse).transpose()?;
    let what = RepositoryDeploy { commit, no_cache: arguments.no_cache };
    let started = context.actions().deploy_from_repository(context.actor(), &app, what).await?;
    follow(context, &started, &format!("-----> Deploying {app} from its repository")).await
}

async fn archive(context: &mut Context, arguments: &ArchiveArguments) -> Result<u32, Failure> {
    let app = arguments.choice.named()?;
    if context.output.is_terminal() {
        let text = "Give the archive on standard input, without a terminal: deploy:archive -a APP < source.tar.gz";
        return Err(Error::Invalid(text.to_owned()).into());
    }
    // Before any of it is read.
    let upload = context.actions().begin_upload(context.actor(), &app).await?;
    let right = Right::App(context.app(&arguments.choice, Access::Change).await?.id, Access::Change);
    let (client, shared) = (Arc::clone(&context.client), Arc::clone(&context.shared));
    let file = client.while_allowed(&shared, right, receive(context, upload)).await?;
    let archive = ArchiveDeploy { file, description: arguments.description.clone(), no_cache: arguments.no_cache };
    let started = context.actions().deploy_from_archive(context.actor(), &app, archive).await?;
    follow(context, &started, &format!("-----> Deploying an archive to {app}")).await
}

async fn again(context: &Context, arguments: &AgainArguments) -> Result<u32, Failure> {
    let app = arguments.choice.named()?;
    // Whoever may not deploy is told that, rather than what there is to deploy.
    context.app(&arguments.choice, Access::Change).await?;
    let id = match &arguments.build {
        Some(named) => context.deployment(&app, Some(named)).await?,
        None => newest_built(context, &app).await?,
    };
    let started = context.actions().redeploy(context.actor(), &app, id, arguments.no_cache).await?;
    let view = context.actions().deployment(context.actor(), &app, started.deployment).await?.view;
    let what = view.deployment.description.as_deref().map(plain).unwrap_or_default();
    follow(context, &started, &format!("-----> {app}: {what}")).await
}

/// The newest deployment that brought something to build: changes of config vars and rollbacks come after it.
async fn newest_built(context: &Context, app: &AppRef) -> Result<DeploymentId, Failure> {
    let newest = context.actions().deployments(context.actor(), app, None, LOOK_BACK).await?;
    let built = newest.into_iter().find(|view| view.deployment.trigger.builds());
    let missing = || {
        let text =
            format!("Nothing was built of {app} lately. Push to it, or name a release: deploy:again v3 -a {app}");
        Error::NotFound(text).into()
    };
    built.map(|view| view.deployment.id).ok_or_else(missing)
}

async fn follow(context: &Context, started: &Started, what: &str) -> Result<u32, Failure> {
    context.tell(queued(started), what).await?;
    context.follow(started.stream).await
}

/// Writes what the client sends to the upload's file.
async fn receive(context: &mut Context, mut upload: Upload) -> Result<File, Failure> {
    let unwritable = |error: std::io::Error| Error::System(format!("An upload could not be written: {error}."));
    let (mut length, mut look_at) = (0u64, 0u64);
    while let Some(piece) = timeout(PIECE_LIMIT, context.input.recv())
        .await
        .map_err(|_| Error::Invalid("Nothing of the archive came for a minute.".to_owned()))?
    {
        if length >= look_at {
            if !upload.has_room()? {
                let text =
                    "The server's disk is nearly full, so nothing can be uploaded. Ask the operator to make room.";
                return Err(Error::Upstream(text.to_owned()).into());
            }
            look_at = length + LOOK_EVERY;
        }
        length += piece.len() as u64;
        if length > upload.most {
            return Err(Error::Invalid(format!("The archive is larger than {} MiB.", upload.most >> 20)).into());
        }
        upload = tokio::task::spawn_blocking(move || upload.file.write_all(&piece).map(|()| upload))
            .await
            .map_err(|_| Error::System("An upload could not be written.".to_owned()))?
            .map_err(unwritable)?;
    }
    let mut file = upload.file;
    file.rewind().map_err(unwritable)?;
    Ok(file)
}

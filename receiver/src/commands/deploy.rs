//! `deploy` and `deploy:archive`: deployments of what is not pushed.

use std::fs::File;
use std::io::{Seek as _, Write as _};
use std::time::Duration;

use clap::{Args, Subcommand};
use skypanel_core::Error;
use skypanel_core::actions::{ArchiveDeploy, RepositoryDeploy, Started};
use skypanel_core::store::Access;
use tokio::time::timeout;

use crate::commands::context::{AppChoice, Context, Failure};
use crate::commands::shown::queued;

/// Longest an upload may stand still.
const PIECE_LIMIT: Duration = Duration::from_mins(1);

/// What can be deployed.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Build and release what is in an app's Git repository elsewhere
    #[command(name = "deploy")]
    Repository(RepositoryArguments),
    /// Build and release an archive of an app's source, given on standard input
    #[command(name = "deploy:archive")]
    Archive(ArchiveArguments),
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

pub(crate) async fn run(context: &mut Context, command: &Command) -> Result<u32, Failure> {
    match command {
        Command::Repository(arguments) => repository(context, arguments).await,
        Command::Archive(arguments) => archive(context, arguments).await,
    }
}

async fn repository(context: &Context, arguments: &RepositoryArguments) -> Result<u32, Failure> {
    let app = context.chosen(&arguments.choice)?;
    let commit = arguments.commit.as_deref().map(str::parse).transpose()?;
    let what = RepositoryDeploy { commit, no_cache: arguments.no_cache };
    let started = context.actions().deploy_from_repository(context.actor(), &app, what).await?;
    follow(context, &started, &format!("-----> Deploying {app} from its repository")).await
}

async fn archive(context: &mut Context, arguments: &ArchiveArguments) -> Result<u32, Failure> {
    let app = context.chosen(&arguments.choice)?;
    // Before any of it is read.
    context.actions().app_of(context.actor(), &app, Access::Change).await?;
    if context.output.is_terminal() {
        let text = "Give the archive on standard input, without a terminal: deploy:archive -a APP < source.tar.gz";
        return Err(Error::Invalid(text.to_owned()).into());
    }
    let file = receive(context).await?;
    let archive = ArchiveDeploy { file, description: arguments.description.clone(), no_cache: arguments.no_cache };
    let started = context.actions().deploy_from_archive(context.actor(), &app, archive).await?;
    follow(context, &started, &format!("-----> Deploying an archive to {app}")).await
}

async fn follow(context: &Context, started: &Started, what: &str) -> Result<u32, Failure> {
    context.tell(queued(started), what).await?;
    context.follow(started.stream).await
}

/// Writes what the client sends to a file that nobody else sees.
async fn receive(context: &mut Context) -> Result<File, Failure> {
    let unwritable = |error: std::io::Error| Error::System(format!("An upload could not be written: {error}."));
    let most = context.actions().store.settings().await?.git_max_pack_mb * 1024 * 1024;
    let mut file = context.actions().blobs.spool().map_err(Error::from)?.into_file();
    let mut length = 0u64;
    while let Some(piece) = timeout(PIECE_LIMIT, context.input.recv())
        .await
        .map_err(|_| Error::Invalid("Nothing of the archive came for a minute.".to_owned()))?
    {
        length += piece.len() as u64;
        if length > most {
            return Err(Error::Invalid(format!("The archive is larger than {} MiB.", most / 1024 / 1024)).into());
        }
        file = tokio::task::spawn_blocking(move || file.write_all(&piece).map(|()| file))
            .await
            .map_err(|_| Error::System("An upload could not be written.".to_owned()))?
            .map_err(unwritable)?;
    }
    file.rewind().map_err(unwritable)?;
    Ok(file)
}

//! `repo` and its actions: an app's repository elsewhere.

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use skypanel_core::actions::RepositoryChange;
use skypanel_core::model::{HostKind, Repository};
use zeroize::Zeroizing;

use crate::commands::context::{AppChoice, Context, Failure};
use crate::commands::shown::Switch;
use crate::commands::table::{pairs, plain, time};

/// What can be done with repositories.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show the Git repository elsewhere that an app is deployed from
    #[command(name = "repo")]
    Show(ShowArguments),
    /// Look now whether an app's repository can be reached and has the branch
    #[command(name = "repo:check")]
    Check(ShowArguments),
    /// Make a deploy key for an app's repository
    #[command(name = "repo:key")]
    Key(ShowArguments),
    /// Connect an app to a Git repository elsewhere
    #[command(name = "repo:set")]
    Set(SetArguments),
}

/// Arguments of `repo`, `repo:check` and `repo:key`.
#[derive(Args, Debug)]
pub(crate) struct ShowArguments {
    #[command(flatten)]
    choice: AppChoice,
}

/// Arguments of `repo:set`. What is not given stays as it is.
#[derive(Args, Debug)]
pub(crate) struct SetArguments {
    #[command(flatten)]
    choice: AppChoice,
    /// https://host/owner/repository.git or git@host:owner/repository.git; an empty one takes it away
    url: Option<String>,
    /// The branch that is deployed
    #[arg(long)]
    branch: Option<String>,
    /// Whether a push that a webhook tells of is deployed by itself
    #[arg(long)]
    auto_deploy: Option<Switch>,
    /// Read a token for HTTPS, which may read the repository, from standard input; an empty one takes it away
    #[arg(long)]
    token: bool,
    /// The user name that goes with the token
    #[arg(long, value_name = "NAME")]
    token_user: Option<String>,
    /// The SSH host's keys as ssh-keyscan prints them; an empty text takes those that the host shows next
    #[arg(long, value_name = "LINES")]
    host_keys: Option<String>,
    /// What the host is, where its name does not tell: github, gitlab or gitea
    #[arg(long)]
    host: Option<HostKind>,
    /// Whether commits are marked at the host with how their deployment went
    #[arg(long)]
    report_status: Option<Switch>,
}

pub(crate) async fn run(context: &mut Context, command: &Command) -> Result<u32, Failure> {
    match command {
        Command::Show(arguments) => show(context, arguments).await,
        Command::Check(arguments) => check(context, arguments).await,
        Command::Key(arguments) => make_key(context, arguments).await,
        Command::Set(arguments) => set(context, arguments).await,
    }
}

async fn show(context: &Context, arguments: &ShowArguments) -> Result<u32, Failure> {
    let app = arguments.choice.named()?;
    let repository = context.actions().repository(context.actor(), &app).await?;
    context.tell(item(&repository), described(&repository)).await
}

async fn check(context: &Context, arguments: &ShowArguments) -> Result<u32, Failure> {
    let app = arguments.choice.named()?;
    let repository = context.actions().check_repository(context.actor(), &app).await?;
    let text = format!("-----> The repository can be reached and has the branch {}", repository.git_branch);
    context.tell(item(&repository), text).await
}

async fn make_key(context: &Context, arguments: &ShowArguments) -> Result<u32, Failure> {
    let app = arguments.choice.named()?;
    let key = context.actions().create_deploy_key(context.actor(), &app).await?;
    let text = format!(
        "-----> Made a deploy key for {app}\n       Add it to the repository at its host, for reading:\n\n{key}\n"
    );
    context.tell(json!({ "public_key": key }), text).await
}

async fn set(context: &mut Context, arguments: &SetArguments) -> Result<u32, Failure> {
    let app = arguments.choice.named()?;
    let token = if arguments.token {
        let text = context.secret("Paste the token: ").await?;
        let text = Zeroizing::new(text.trim().to_owned());
        Some(Some(text).filter(|text| !text.is_empty()))
    } else {
        None
    };
    let change = RepositoryChange {
        git_url: arguments.url.clone().map(|url| Some(url).filter(|url| !url.is_empty())),
        git_branch: arguments.branch.clone(),
        auto_deploy: arguments.auto_deploy.map(Switch::is_on),
        token,
        token_username: arguments.token_user.clone(),
        host_keys: arguments.host_keys.clone().map(|keys| Some(keys).filter(|keys| !keys.is_empty())),
        host_kind: arguments.host.map(Some),
        report_status: arguments.report_status.map(Switch::is_on),
    };
    let repository = context.actions().change_repository(context.actor(), &app, change).await?;
    context.tell(item(&repository), format!("-----> Connected {app}\n{}", described(&repository))).await
}

fn described(repository: &Repository) -> String {
    let switch = |on: bool| if on { "on" } else { "off" }.to_owned();
    let url = repository.git_url.as_ref().map_or_else(|| "none: it is only pushed to".to_owned(), ToString::to_string);
    let mut rows = vec![
        ("Repository", url),
        ("Branch", repository.git_branch.to_string()),
        ("Auto-deploy", switch(repository.auto_deploy)),
        ("Commit status", switch(repository.report_status)),
        (
            "Token",
            repository.token_username.as_ref().map_or_else(|| "none".to_owned(), |user| format!("of {}", plain(user))),
        ),
    ];
    if let Some(kind) = repository.host_kind {
        rows.push(("Host", kind.to_string()));
    }
    if let Some(key) = &repository.deploy_key {
        rows.push(("Deploy key", plain(key)));
    }
    if let Some(at) = repository.verified_at {
        rows.push(("Seen to work", time(at)));
    }
    pairs(&rows)
}

fn item(repository: &Repository) -> Value {
    json!({
        "git_url": repository.git_url,
        "git_branch": repository.git_branch,
        "auto_deploy": repository.auto_deploy,
        "has_token": repository.token_username.is_some(),
        "token_username": repository.token_username,
        "deploy_key": repository.deploy_key,
        "host_keys": repository.host_keys,
        "host_keys_given": repository.host_keys_given,
        "host_kind": repository.host_kind,
        "report_status": repository.report_status,
        "verified_at": repository.verified_at,
    })
}

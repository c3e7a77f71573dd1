//! `tokens` and its actions: a user's own API tokens.

use chrono::TimeDelta;
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use skypanel_core::actions::Scope;
use skypanel_core::model::{ApiToken, TokenId};
use uuid::Uuid;

use crate::commands::context::{Context, Failure};
use crate::commands::shown::id;
use crate::commands::table::{plain, time};

/// What can be done with tokens.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List your API tokens
    #[command(name = "tokens")]
    List,
    /// Make an API token, which is shown this once
    #[command(name = "tokens:create")]
    Create(CreateArguments),
    /// End an API token at once
    #[command(name = "tokens:revoke")]
    Revoke(RevokeArguments),
}

/// Arguments of `tokens:create`.
#[derive(Args, Debug)]
pub(crate) struct CreateArguments {
    /// What you call it, such as "deploy from CI"
    name: String,
    /// What it may be used for: read looks; deploy also deploys, configures and scales; manage does all that you may
    #[arg(long, default_value = "read", value_name = "read|deploy|manage")]
    scope: Scope,
    /// Days until it ends by itself
    #[arg(long, default_value_t = 90, value_parser = clap::value_parser!(i64).range(1..=3_650))]
    days: i64,
    /// It does not end by itself
    #[arg(long, conflicts_with = "days")]
    endless: bool,
}

/// Arguments of `tokens:revoke`.
#[derive(Args, Debug)]
pub(crate) struct RevokeArguments {
    /// Its id, as the command tokens shows it
    #[arg(value_name = "ID", value_parser = id)]
    token: Uuid,
}

pub(crate) async fn run(context: &Context, command: &Command) -> Result<u32, Failure> {
    match command {
        Command::List => list(context).await,
        Command::Create(arguments) => create(context, arguments).await,
        Command::Revoke(arguments) => revoke(context, arguments).await,
    }
}

async fn list(context: &Context) -> Result<u32, Failure> {
    let tokens = context.actions().tokens(context.actor()).await?;
    let rows = tokens.iter().map(|token| {
        let row = vec![
            token.id.to_string(),
            format!("{}...", token.prefix),
            token.scope.to_string(),
            token.expires_at.map_or_else(|| "never".to_owned(), time),
            token.last_used_at.map_or_else(|| "never".to_owned(), time),
            plain(&token.name),
        ];
        (item(token), row)
    });
    context.list(&["ID", "TOKEN", "SCOPE", "ENDS", "LAST USED", "NAME"], "You have no API tokens.", rows).await
}

async fn create(context: &Context, arguments: &CreateArguments) -> Result<u32, Failure> {
    let lifetime = (!arguments.endless).then(|| TimeDelta::days(arguments.days));
    let (token, credential) =
        context.actions().create_token(context.actor(), &arguments.name, arguments.scope, lifetime).await?;
    let mut json = item(&token);
    json["token"] = json!(credential.as_str());
    let ends = token.expires_at.map_or_else(|| "does not end by itself".to_owned(), |at| format!("ends {}", time(at)));
    let text = format!(
        "-----> Made the token {} ({}), which {ends}\n       It is shown this once:\n\n{}\n",
        plain(&token.name),
        token.scope,
        credential.as_str()
    );
    context.tell(json, text).await
}

async fn revoke(context: &Context, arguments: &RevokeArguments) -> Result<u32, Failure> {
    context.actions().revoke_token(context.actor(), TokenId(arguments.token)).await?;
    context.done(format!("-----> Revoked the token {}", arguments.token)).await
}

fn item(token: &ApiToken) -> Value {
    json!({
        "id": token.id,
        "name": token.name,
        "prefix": token.prefix,
        "scope": token.scope,
        "created_at": token.created_at,
        "expires_at": token.expires_at,
        "last_used_at": token.last_used_at,
        "last_used_address": token.last_used_address,
    })
}

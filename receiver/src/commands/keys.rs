//! `keys` and its actions: a user's own SSH keys.

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use skypanel_core::model::SshKey;

use crate::commands::context::{Context, Failure};
use crate::commands::table::{plain, time};

/// What can be done with keys.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List your SSH keys
    #[command(name = "keys")]
    List,
    /// Register another SSH key, given as argument or on standard input
    #[command(name = "keys:add")]
    Add(AddArguments),
    /// Remove an SSH key, which opens nothing from then on
    #[command(name = "keys:remove")]
    Remove(RemoveArguments),
}

/// Arguments of `keys:add`.
#[derive(Args, Debug)]
pub(crate) struct AddArguments {
    /// The line of the .pub file; read from standard input without
    key: Vec<String>,
}

/// Arguments of `keys:remove`.
#[derive(Args, Debug)]
pub(crate) struct RemoveArguments {
    /// Its fingerprint, SHA256:... as the command keys shows it
    fingerprint: String,
}

pub(crate) async fn run(context: &mut Context, command: &Command) -> Result<u32, Failure> {
    match command {
        Command::List => list(context).await,
        Command::Add(arguments) => add(context, arguments).await,
        Command::Remove(arguments) => remove(context, arguments).await,
    }
}

async fn list(context: &Context) -> Result<u32, Failure> {
    let keys = context.actions().ssh_keys(context.actor()).await?;
    let rows = keys.iter().map(|key| {
        let kind = key.public_key.split(' ').next().unwrap_or_default().to_owned();
        (
            item(key),
            vec![
                key.fingerprint.clone(),
                kind,
                key.last_used_at.map_or_else(|| "never".to_owned(), time),
                plain(&key.name),
            ],
        )
    });
    context.list(&["FINGERPRINT", "TYPE", "LAST USED", "NAME"], "You have no keys.", rows).await
}

async fn add(context: &mut Context, arguments: &AddArguments) -> Result<u32, Failure> {
    let text = if arguments.key.is_empty() {
        if context.output.is_terminal() {
            context.ask("Paste the line of your .pub file: ").await?;
        }
        context.read().await?
    } else {
        arguments.key.join(" ")
    };
    let key = context.actions().add_ssh_key(context.actor(), &text, None).await?;
    context.tell(item(&key), format!("-----> Added the key {} ({})", key.fingerprint, plain(&key.name))).await
}

async fn remove(context: &Context, arguments: &RemoveArguments) -> Result<u32, Failure> {
    context.actions().remove_ssh_key(context.actor(), &arguments.fingerprint).await?;
    context.done(format!("-----> Removed the key {}", plain(&arguments.fingerprint))).await
}

/// A key as programs read it.
pub fn item(key: &SshKey) -> Value {
    json!({
        "fingerprint": key.fingerprint,
        "public_key": key.public_key,
        "name": key.name,
        "last_used_at": key.last_used_at,
    })
}

//! `drains` and its actions: where an app's log lines are forwarded to.

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use skypanel_core::model::{LogDrain, LogDrainId};
use uuid::Uuid;

use crate::commands::context::{AppChoice, Context, Failure};
use crate::commands::shown::id;
use crate::commands::table::{plain, time};

/// What can be done with log drains.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List where an app's log lines are forwarded to
    #[command(name = "drains")]
    List(ListArguments),
    /// Forward an app's log lines to a syslog or an HTTPS endpoint from now on
    #[command(name = "drains:add")]
    Add(AddArguments),
    /// Forward an app's log lines there no more
    #[command(name = "drains:remove")]
    Remove(RemoveArguments),
}

/// Arguments of `drains`.
#[derive(Args, Debug)]
pub(crate) struct ListArguments {
    #[command(flatten)]
    choice: AppChoice,
}

/// Arguments of `drains:add`.
#[derive(Args, Debug)]
pub(crate) struct AddArguments {
    #[command(flatten)]
    choice: AppChoice,
    /// syslog://HOST:PORT, syslog+tls://HOST:PORT or https://[USER:PASSWORD@]HOST/PATH
    #[arg(value_name = "URL")]
    url: String,
}

/// Arguments of `drains:remove`.
#[derive(Args, Debug)]
pub(crate) struct RemoveArguments {
    #[command(flatten)]
    choice: AppChoice,
    /// Its id, as the command drains shows it
    #[arg(value_name = "ID", value_parser = id)]
    drain: Uuid,
}

pub(crate) async fn run(context: &Context, command: &Command) -> Result<u32, Failure> {
    match command {
        Command::List(arguments) => list(context, arguments).await,
        Command::Add(arguments) => add(context, arguments).await,
        Command::Remove(arguments) => remove(context, arguments).await,
    }
}

async fn list(context: &Context, arguments: &ListArguments) -> Result<u32, Failure> {
    let app = arguments.choice.named()?;
    let drains = context.actions().log_drains(context.actor(), &app).await?;
    let rows = drains.iter().map(|drain| {
        let state = match (&drain.failing_since, &drain.last_error) {
            (Some(since), Some(why)) => format!("fails since {}: {}", time(*since), plain(why)),
            _ => "works".to_owned(),
        };
        (item(drain), vec![drain.id.to_string(), drain.shown_address.clone(), state])
    });
    context.list(&["ID", "TO", "STATE"], &format!("{app} has no log drains."), rows).await
}

async fn add(context: &Context, arguments: &AddArguments) -> Result<u32, Failure> {
    let app = arguments.choice.named()?;
    let drain = context.actions().add_log_drain(context.actor(), &app, &arguments.url).await?;
    let text = format!(
        "-----> Forwarding the log of {app} to {}\n       To end that: drains:remove -a {app} {}",
        drain.shown_address, drain.id
    );
    context.tell(item(&drain), text).await
}

async fn remove(context: &Context, arguments: &RemoveArguments) -> Result<u32, Failure> {
    let app = arguments.choice.named()?;
    let removed = context.actions().remove_log_drain(context.actor(), &app, LogDrainId(arguments.drain)).await?;
    context.done(format!("-----> The log of {app} is not forwarded to {} any more", removed.shown_address)).await
}

fn item(drain: &LogDrain) -> Value {
    json!({
        "id": drain.id,
        "address": drain.shown_address,
        "created_at": drain.created_at,
        "failing_since": drain.failing_since,
        "last_error": drain.last_error,
    })
}

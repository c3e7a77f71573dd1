//! `config` and its actions. Values go in and never come out.

use std::collections::BTreeMap;

use clap::{Args, Subcommand};
use serde_json::json;
use skypanel_core::Error;
use skypanel_core::actions::ConfigChanges;
use skypanel_core::dotenv;
use skypanel_core::model::{AppRef, ConfigKey};
use zeroize::Zeroizing;

use crate::commands::context::{AppChoice, Context, Failure};
use crate::commands::table::time;

/// Longest `.env` text; an app's config vars together may be as long at most.
const MAX_FILE: usize = 1024 * 1024;

/// What can be done with config vars.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List the names of an app's config vars; values are never shown
    #[command(name = "config")]
    List(ListArguments),
    /// Write the names of an app's config vars as a .env file to fill in
    #[command(name = "config:export")]
    Export(ExportArguments),
    /// Set config vars from a .env file, given on standard input
    #[command(name = "config:import")]
    Import(ImportArguments),
    /// Set config vars: KEY=VALUE ...
    #[command(name = "config:set")]
    Set(SetArguments),
    /// Remove config vars: KEY ...
    #[command(name = "config:unset")]
    Unset(UnsetArguments),
}

/// Arguments of `config`.
#[derive(Args, Debug)]
pub(crate) struct ListArguments {
    #[command(flatten)]
    choice: AppChoice,
}

/// Arguments of `config:export`.
#[derive(Args, Debug)]
pub(crate) struct ExportArguments {
    #[command(flatten)]
    choice: AppChoice,
}

/// Arguments of `config:import`.
#[derive(Args, Debug)]
pub(crate) struct ImportArguments {
    #[command(flatten)]
    choice: AppChoice,
    /// Remove all config vars that are not in the file
    #[arg(long)]
    replace: bool,
}

/// Arguments of `config:set`.
#[derive(Args)]
pub(crate) struct SetArguments {
    #[command(flatten)]
    choice: AppChoice,
    /// Names and values; quote values with spaces twice: 'NAME="a b"'
    #[arg(required = true, value_name = "NAME=VALUE")]
    assignments: Vec<String>,
}

// By hand, so that no value gets into a log by way of Debug.
impl std::fmt::Debug for SetArguments {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SetArguments").field("choice", &self.choice).finish_non_exhaustive()
    }
}

/// Arguments of `config:unset`.
#[derive(Args, Debug)]
pub(crate) struct UnsetArguments {
    #[command(flatten)]
    choice: AppChoice,
    /// Names
    #[arg(required = true, value_name = "NAME")]
    names: Vec<String>,
}

pub(crate) async fn run(context: &mut Context, command: &Command) -> Result<u32, Failure> {
    match command {
        Command::List(arguments) => list(context, arguments).await,
        Command::Export(arguments) => export(context, arguments).await,
        Command::Import(arguments) => import(context, arguments).await,
        Command::Set(arguments) => set(context, arguments).await,
        Command::Unset(arguments) => unset(context, arguments).await,
    }
}

async fn list(context: &Context, arguments: &ListArguments) -> Result<u32, Failure> {
    let app = arguments.choice.named()?;
    let vars = context.actions().config(context.actor(), &app).await?;
    let rows =
        vars.into_iter().map(|(key, at)| (json!({ "key": key, "updated_at": at }), vec![key.to_string(), time(at)]));
    context.list(&["NAME", "SET"], &format!("{app} has no config vars."), rows).await
}

async fn export(context: &Context, arguments: &ExportArguments) -> Result<u32, Failure> {
    let app = arguments.choice.named()?;
    let vars = context.actions().config(context.actor(), &app).await?;
    let text = dotenv::template(vars.iter().map(|(key, _)| key));
    context.tell(json!({ "text": text }), &text).await
}

async fn import(context: &mut Context, arguments: &ImportArguments) -> Result<u32, Failure> {
    let app = arguments.choice.named()?;
    let text = Zeroizing::new(context.read_up_to(MAX_FILE).await?);
    let wanted = ConfigChanges { set: dotenv::parse(&text)?, replace: arguments.replace, ..ConfigChanges::default() };
    change(context, &app, &wanted).await
}

async fn set(context: &Context, arguments: &SetArguments) -> Result<u32, Failure> {
    let app = arguments.choice.named()?;
    let mut values: BTreeMap<ConfigKey, Zeroizing<Vec<u8>>> = BTreeMap::new();
    for assignment in &arguments.assignments {
        let (name, value) = assignment.split_once('=').ok_or_else(|| {
            // Without the equals sign it may be a value that was torn off: it is not repeated.
            Error::Invalid(
                "Give every config var as NAME=VALUE. Quote values with spaces twice: 'NAME=\"a b\"'.".to_owned(),
            )
        })?;
        values.insert(name.parse()?, Zeroizing::new(value.as_bytes().to_vec()));
    }
    change(context, &app, &ConfigChanges { set: values, ..ConfigChanges::default() }).await
}

async fn unset(context: &Context, arguments: &UnsetArguments) -> Result<u32, Failure> {
    let app = arguments.choice.named()?;
    let names = arguments.names.iter().map(|name| name_alone(name)).collect::<Result<Vec<_>, _>>()?;
    change(context, &app, &ConfigChanges { unset: names, ..ConfigChanges::default() }).await
}

/// A name to unset. What follows an equals sign is a value, which is not repeated.
fn name_alone(word: &str) -> Result<ConfigKey, Error> {
    match word.split_once('=') {
        None => word.parse(),
        Some((name, _)) => {
            let key: ConfigKey = name.parse()?;
            Err(Error::Invalid(format!("Give names alone, without their values: config:unset {key}.")))
        }
    }
}

/// Makes the change and shows its release, where something runs.
async fn change(context: &Context, app: &AppRef, wanted: &ConfigChanges) -> Result<u32, Failure> {
    let changed = context.actions().change_config(context.actor(), app, wanted).await?;
    let (app, what) = (&changed.app, &changed.description);
    let text = if changed.changed.set.is_empty() && changed.changed.unset.is_empty() {
        "Nothing changed: the config vars are like that already.".to_owned()
    } else if changed.deployment.is_some() {
        format!("-----> {what}, restarting {}", app.slug)
    } else {
        let when = match app.current_deployment_id {
            Some(_) => format!("once {} is started", app.slug),
            None => "with the first release".to_owned(),
        };
        format!("-----> {what}. It takes effect {when}.")
    };
    let json = json!({
        "set": changed.changed.set, "unset": changed.changed.unset, "deployment_id": changed.deployment,
    });
    context.tell(json, text).await?;
    context.follow_job(changed.deployment.map(Into::into)).await
}

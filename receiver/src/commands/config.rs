//! `config`, `config:set`, `config:unset`. Values go in and never come out.

use std::collections::BTreeMap;

use clap::Args;
use skypanel_core::Error;
use skypanel_core::actions::ConfigChanges;
use skypanel_core::model::{AppRef, Application, ConfigKey};
use skypanel_core::store::Access;
use zeroize::Zeroizing;

use crate::commands::context::{AppChoice, Context, Failure};
use crate::commands::table::{table, time};

/// Arguments of `config`.
#[derive(Args, Debug)]
pub(crate) struct ListArguments {
    #[command(flatten)]
    choice: AppChoice,
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

pub(crate) async fn list(context: &Context, arguments: &ListArguments) -> Result<u32, Failure> {
    let app = context.app(&arguments.choice, Access::Read).await?;
    let keys = context.shared.actions.store.config_keys(app.id).await?;
    if keys.is_empty() {
        context.output.line(&format!("{} has no config vars.", app.slug)).await?;
        return Ok(0);
    }
    let rows: Vec<Vec<String>> = keys.into_iter().map(|(key, at)| vec![key.to_string(), time(at)]).collect();
    context.output.text(table(&["NAME", "SET"], &rows)).await?;
    Ok(0)
}

pub(crate) async fn set(context: &Context, arguments: &SetArguments) -> Result<u32, Failure> {
    let app = context.app(&arguments.choice, Access::Change).await?;
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

pub(crate) async fn unset(context: &Context, arguments: &UnsetArguments) -> Result<u32, Failure> {
    let app = context.app(&arguments.choice, Access::Change).await?;
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
async fn change(context: &Context, app: &Application, wanted: &ConfigChanges) -> Result<u32, Failure> {
    let changed = context.actions().change_config(context.actor(), &AppRef::Id(app.id), wanted).await?;
    let (app, what) = (&changed.app, &changed.description);
    if changed.changed.set.is_empty() && changed.changed.unset.is_empty() {
        context.output.line("Nothing changed: the config vars are like that already.").await?;
        return Ok(0);
    }
    let Some(deployment) = changed.deployment else {
        let when = match app.current_deployment_id {
            Some(_) => format!("once {} is started", app.slug),
            None => "with the first release".to_owned(),
        };
        context.output.line(&format!("-----> {what}. It takes effect {when}.")).await?;
        return Ok(0);
    };
    context.output.line(&format!("-----> {what}, restarting {}", app.slug)).await?;
    context.follow(deployment.into()).await
}

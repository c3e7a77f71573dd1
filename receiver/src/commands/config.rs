//! `config`, `config:set`, `config:unset`. Values go in and never come out.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use clap::Args;
use skypanel_core::Error;
use skypanel_core::model::{AppStatus, Application, ConfigKey, DeploymentId, NewDeployment, Trigger};
use skypanel_core::store::Access;
use zeroize::Zeroizing;

use crate::commands::context::{AppChoice, Context, Failure};
use crate::commands::table::{table, time};

/// Most names in the description of a release.
const MAX_NAMED: usize = 5;

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
    let keys = context.shared.store.config_keys(app.id).await?;
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
    let names: Vec<ConfigKey> = values.keys().cloned().collect();
    change(context, &app, &values, &[], format!("Set {}", summed_up(&names))).await
}

pub(crate) async fn unset(context: &Context, arguments: &UnsetArguments) -> Result<u32, Failure> {
    let app = context.app(&arguments.choice, Access::Change).await?;
    let names = arguments.names.iter().map(|name| name_alone(name)).collect::<Result<Vec<_>, _>>()?;
    change(context, &app, &BTreeMap::new(), &names, format!("Unset {}", summed_up(&names))).await
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

/// Stores the change and, where something runs, releases it.
async fn change(
    context: &Context,
    app: &Application,
    set: &BTreeMap<ConfigKey, Zeroizing<Vec<u8>>>,
    unset: &[ConfigKey],
    description: String,
) -> Result<u32, Failure> {
    if !context.shared.store.change_config(app, set, unset).await? {
        context.output.line("Nothing changed: the config vars are like that already.").await?;
        return Ok(0);
    }
    context.note(app, "config", &description).await;
    let Some(current) = app.current_deployment_id else {
        context.output.line(&format!("-----> {description}. It takes effect with the first release.")).await?;
        return Ok(0);
    };
    if matches!(app.status, AppStatus::Stopped | AppStatus::Suspended) {
        context.output.line(&format!("-----> {description}. It takes effect once {} is started.", app.slug)).await?;
        return Ok(0);
    }
    context.output.line(&format!("-----> {description}, restarting {}", app.slug)).await?;
    context
        .deploy(&NewDeployment {
            id: DeploymentId::new(),
            application_id: app.id,
            trigger: Trigger::Config,
            git_branch: None,
            git_commit: None,
            git_message: None,
            git_author: None,
            no_cache: false,
            description,
            parent_id: Some(current),
            created_by: Some(context.identity.user.id),
        })
        .await
}

fn summed_up(names: &[ConfigKey]) -> String {
    let shown: Vec<&str> = names.iter().take(MAX_NAMED).map(ConfigKey::as_str).collect();
    let mut text = shown.join(", ");
    if names.len() > MAX_NAMED {
        let _ = write!(text, " and {} more", names.len() - MAX_NAMED);
    }
    text
}

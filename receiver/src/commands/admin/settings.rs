//! The settings that admins change while Skypanel runs.

use clap::Args;
use serde_json::{Value, json};
use skypanel_core::Error;
use skypanel_core::actions::{CheckOutcome, SettingChanges};
use skypanel_core::settings::{SettingInfo, SettingKind, Settings};

use crate::commands::context::{Context, Failure};
use crate::commands::shown::listed;
use crate::commands::table::{plain, table};

/// Arguments of `admin:settings:set`.
#[derive(Args)]
pub(crate) struct SetArguments {
    /// Settings and their new values
    #[arg(required = true, value_name = "KEY=VALUE")]
    assignments: Vec<String>,
}

// By hand, so that no value gets into a log by way of Debug.
impl std::fmt::Debug for SetArguments {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SetArguments").finish_non_exhaustive()
    }
}

/// Arguments of `admin:settings:check`.
#[derive(Args)]
pub(crate) struct CheckArguments {
    /// Settings and the values to try; what is saved counts for all others
    #[arg(value_name = "KEY=VALUE")]
    assignments: Vec<String>,
}

// By hand, likewise.
impl std::fmt::Debug for CheckArguments {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CheckArguments").finish_non_exhaustive()
    }
}

/// Arguments of `admin:settings:reset`.
#[derive(Args, Debug)]
pub(crate) struct ResetArguments {
    /// Settings
    #[arg(required = true, value_name = "KEY")]
    keys: Vec<String>,
}

pub(super) async fn list(context: &Context) -> Result<u32, Failure> {
    show(context, &context.actions().settings(context.actor()).await?, None).await
}

pub(super) async fn set(context: &Context, arguments: &SetArguments) -> Result<u32, Failure> {
    change(context, &changes(&arguments.assignments)?).await
}

fn changes(assignments: &[String]) -> Result<SettingChanges, Error> {
    let form = || Error::Invalid("Give every setting as KEY=VALUE.".to_owned());
    let pairs = assignments.iter().map(|assignment| assignment.split_once('=').ok_or_else(form));
    pairs.map(|pair| pair.map(|(key, value)| (key.to_owned(), Some(value.to_owned())))).collect()
}

pub(super) async fn reset(context: &Context, arguments: &ResetArguments) -> Result<u32, Failure> {
    change(context, &arguments.keys.iter().map(|key| (key.clone(), None)).collect()).await
}

async fn change(context: &Context, changes: &SettingChanges) -> Result<u32, Failure> {
    let settings = context.actions().change_settings(context.actor(), changes).await?;
    show(context, &settings, Some(changes)).await
}

/// Shows all settings, or to people only those that were changed.
async fn show(context: &Context, settings: &Settings, only: Option<&SettingChanges>) -> Result<u32, Failure> {
    let chosen = Settings::REGISTRY.iter().filter(|info| only.is_none_or(|only| only.contains_key(info.key)));
    let rows: Vec<Vec<String>> =
        chosen.map(|info| vec![info.key.to_owned(), plain(&settings.show(info.key).unwrap_or_default())]).collect();
    context.tell(items(settings), table(&["SETTING", "VALUE"], &rows)).await
}

pub(super) async fn check(context: &Context, arguments: &CheckArguments) -> Result<u32, Failure> {
    let checks = context.actions().check_settings(context.actor(), &changes(&arguments.assignments)?).await?;
    let ok = checks.iter().all(|check| check.outcome != CheckOutcome::Failed);
    let items = checks.iter().map(|check| {
        json!({
            "part": check.part,
            "outcome": check.outcome,
            "message": check.message,
            "milliseconds": check.milliseconds,
        })
    });
    let json = json!({ "ok": ok, "checks": items.collect::<Vec<_>>() });
    let rows: Vec<Vec<String>> = checks
        .iter()
        .map(|check| vec![check.part.to_string(), check.outcome.to_string(), plain(&check.message)])
        .collect();
    context.tell(json, table(&["PART", "OUTCOME", "SEEN"], &rows)).await?;
    Ok(u32::from(!ok))
}

/// All settings as programs read them.
pub fn items(settings: &Settings) -> Value {
    let defaults = Settings::default();
    listed(Settings::REGISTRY.iter().map(|info| item(info, settings, &defaults)))
}

fn item(info: &SettingInfo, settings: &Settings, defaults: &Settings) -> Value {
    let typed = |settings: &Settings| {
        if info.sensitive {
            return Value::Null;
        }
        let text = settings.show(info.key).unwrap_or_default();
        match info.kind {
            SettingKind::Number => text.parse::<u64>().map_or(Value::Null, Value::from),
            SettingKind::Switch => Value::from(text == "true"),
            SettingKind::Text | SettingKind::Choice => Value::from(text),
        }
    };
    json!({
        "key": info.key,
        "group": info.key.split('.').next(),
        "description": info.description(),
        "kind": info.kind,
        "value": typed(settings),
        "default": typed(defaults),
        "is_set": !settings.is_default(info.key),
        "sensitive": info.sensitive,
        "needs_restart": info.needs_restart,
        "minimum": info.range.map(|(least, _)| least),
        "maximum": info.range.map(|(_, most)| most),
        "choices": info.choices(),
    })
}

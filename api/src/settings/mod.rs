//! The settings that admins change while Skypanel runs.

mod change;
mod check;
mod list;

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use skypanel_core::Error;
use skypanel_core::actions::SettingChanges;
use skypanel_core::error::FieldError;
use skypanel_core::settings::{SettingInfo, SettingKind, Settings};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, SchemaType, Type};
use utoipa::{PartialSchema, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::error::ApiError;
use crate::http::{Listed, Shared, schema};

/// The routes.
pub(crate) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(list::list_settings, change::change_settings))
        .routes(routes!(check::check_settings))
}

/// A setting, with what a form for it needs to know.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SettingItem {
    /// Its key.
    #[schema(example = "build.timeout_seconds")]
    key: &'static str,
    /// What is before the dot of the key.
    group: &'static str,
    /// What it does, with its unit.
    description: &'static str,
    #[schema(value_type = schema::SettingKind)]
    kind: SettingKind,
    /// Its value; null for a sensitive one, which is never shown.
    #[schema(value_type = SettingValue)]
    value: Value,
    /// What it is when nobody sets it; null for a sensitive one.
    #[schema(value_type = SettingValue)]
    default: Value,
    /// Whether the value is another one than the default.
    is_set: bool,
    /// Whether the value is stored encrypted and never shown.
    sensitive: bool,
    /// Whether it counts only after a restart; the others count at once, in every process.
    needs_restart: bool,
    /// Of a number: the least that is taken.
    minimum: Option<u64>,
    /// Of a number: the most that is taken.
    maximum: Option<u64>,
    /// Of a choice: what there is to choose from; empty for all others.
    choices: Vec<&'static str>,
}

impl SettingItem {
    fn of(info: &SettingInfo, settings: &Settings, defaults: &Settings) -> Self {
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
        Self {
            key: info.key,
            group: info.key.split('.').next().unwrap_or(info.key),
            description: info.description(),
            kind: info.kind,
            value: typed(settings),
            default: typed(defaults),
            is_set: !settings.is_default(info.key),
            sensitive: info.sensitive,
            needs_restart: info.needs_restart,
            minimum: info.range.map(|(least, _)| least),
            maximum: info.range.map(|(_, most)| most),
            choices: info.choices(),
        }
    }
}

fn shown(settings: &Settings) -> Listed<SettingItem> {
    let defaults = Settings::default();
    Listed::whole(Settings::REGISTRY.iter().map(|info| SettingItem::of(info, settings, &defaults)).collect())
}

/// Settings to change or to try.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WantedSettings {
    /// New values by key; null goes back to the default.
    #[schema(value_type = BTreeMap<String, SettingValue>)]
    settings: BTreeMap<String, Value>,
}

impl WantedSettings {
    fn into_changes(self) -> Result<SettingChanges, ApiError> {
        let mut problems = Vec::new();
        let mut changes = SettingChanges::new();
        for (key, value) in self.settings {
            let text = match value {
                Value::Null => None,
                Value::String(text) => Some(text),
                Value::Number(number) => Some(number.to_string()),
                Value::Bool(switch) => Some(switch.to_string()),
                Value::Array(_) | Value::Object(_) => {
                    let problem = "Give a text, a number, true, false or null.".to_owned();
                    problems.push(FieldError { field: key, problem });
                    continue;
                }
            };
            changes.insert(key, text);
        }
        if problems.is_empty() { Ok(changes) } else { Err(Error::InvalidFields(problems).into()) }
    }
}

/// Schema of a setting's value.
#[derive(Debug)]
struct SettingValue;

impl PartialSchema for SettingValue {
    fn schema() -> RefOr<Schema> {
        let types = [Type::String, Type::Integer, Type::Boolean, Type::Null];
        ObjectBuilder::new().schema_type(SchemaType::from_iter(types)).into()
    }
}

impl ToSchema for SettingValue {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("SettingValue")
    }
}

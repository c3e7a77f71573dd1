//! Config vars: names go out, values only come in.

mod change;
mod export;
mod import;
mod list;
mod replace;
mod unset;

use std::collections::BTreeMap;

use axum::Json;
use axum::http::StatusCode;
use serde::Serialize;
use skypanel_core::Error;
use skypanel_core::actions::ConfigChanged;
use skypanel_core::error::FieldError;
use skypanel_core::model::ConfigKey;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::http::Shared;

/// The routes.
pub(crate) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(list::list_config, replace::replace_config, change::change_config))
        .routes(routes!(export::export_config))
        .routes(routes!(import::import_config))
        .routes(routes!(unset::unset_config))
}

/// What came of a change of config vars.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ConfigAnswer {
    /// Names that are new or have another value.
    set: Vec<String>,
    /// Names that are gone.
    unset: Vec<String>,
    /// The release that the change is; null where nothing changed, and where nothing runs: then it counts from the
    /// next start on.
    deployment_id: Option<Uuid>,
}

impl ConfigAnswer {
    fn of(changed: ConfigChanged) -> (StatusCode, Json<Self>) {
        let status = if changed.deployment.is_some() { StatusCode::ACCEPTED } else { StatusCode::OK };
        let names = |keys: Vec<ConfigKey>| keys.iter().map(ToString::to_string).collect();
        let answer = Self {
            set: names(changed.changed.set),
            unset: names(changed.changed.unset),
            deployment_id: changed.deployment.map(|id| id.0),
        };
        (status, Json(answer))
    }
}

/// Names and values as they came, checked.
fn checked<V>(vars: BTreeMap<String, V>, mut take: impl FnMut(ConfigKey, V)) -> skypanel_core::Result<()> {
    let mut problems = Vec::new();
    for (name, value) in vars {
        match name.parse::<ConfigKey>() {
            Ok(key) => take(key, value),
            Err(error) => problems.push(FieldError { field: name, problem: error.to_string() }),
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(Error::InvalidFields(problems)) }
}

fn sealed_up(value: String) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(value.into_bytes())
}

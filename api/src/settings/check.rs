//! `POST /api/admin/paas/settings/validate`.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use skypanel_core::actions::{Actions, CheckOutcome, SettingCheck, SettingPart};
use utoipa::ToSchema;

use super::WantedSettings;
use crate::http::{AdminCaller, Answer, ValidJson, schema};

/// What the tries showed.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ChecksAnswer {
    /// Whether nothing failed.
    ok: bool,
    checks: Vec<CheckItem>,
}

/// What the try of one part showed.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CheckItem {
    #[schema(value_type = schema::SettingPart)]
    part: SettingPart,
    #[schema(value_type = schema::CheckOutcome)]
    outcome: CheckOutcome,
    /// What was seen, or why it failed and what to do.
    message: String,
    /// How long it took.
    milliseconds: u64,
}

impl From<SettingCheck> for CheckItem {
    fn from(check: SettingCheck) -> Self {
        let SettingCheck { part, outcome, message, milliseconds } = check;
        Self { part, outcome, message, milliseconds }
    }
}

/// Validate settings
///
/// Really connects to everything that the settings lead to: writes, reads and removes an object in the bucket, asks the
/// Swarm for its nodes, greets, encrypts and logs in at the mail server (and sends nothing), has the Loki take a line, has the
/// Prometheus answer a query. What no setting describes is `not_configured`. The given settings count as if they were
/// saved, and nothing is saved; with none given, what is saved is tried. Addresses in private networks are connected to
/// as well: admins run such services there.
#[utoipa::path(
    post,
    path = "/api/admin/paas/settings/validate",
    tag = "admin",
    request_body = WantedSettings,
    responses((status = OK, body = ChecksAnswer))
)]
pub(crate) async fn check_settings(
    State(actions): State<Actions>,
    admin: AdminCaller,
    ValidJson(wanted): ValidJson<WantedSettings>,
) -> Answer<ChecksAnswer> {
    let checks = actions.check_settings(&admin, &wanted.into_changes()?).await?;
    let ok = checks.iter().all(|check| check.outcome != CheckOutcome::Failed);
    Ok(Json(ChecksAnswer { ok, checks: checks.into_iter().map(CheckItem::from).collect() }))
}

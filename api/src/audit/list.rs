//! `GET /api/admin/paas/audit`.

use std::net::IpAddr;

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use skypanel_core::actions::{Actions, Via};
use skypanel_core::model::{OrganizationId, UserId};
use skypanel_core::store::{AuditFilter, AuditLine};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::http::{AdminCaller, Answer, Listed, Page, QueryOf, schema};

/// Which lines to list; all that are given must fit.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct AuditQuery {
    /// About an organisation's things.
    organization_id: Option<Uuid>,
    /// By a user.
    user_id: Option<Uuid>,
    /// What was done, such as `app.scale`; with a dot at its end, all that begins so.
    #[param(max_length = 100, example = "settings.")]
    action: Option<String>,
    /// About a kind of thing, such as `app`.
    #[param(max_length = 100)]
    target_kind: Option<String>,
    /// About the thing of that id or name.
    #[param(max_length = 200)]
    target: Option<String>,
    /// From an address.
    #[param(value_type = Option<String>, example = "192.0.2.7")]
    address: Option<IpAddr>,
    /// Not before that time.
    since: Option<DateTime<Utc>>,
    /// Before that time.
    until: Option<DateTime<Utc>>,
}

/// A line of the audit log.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AuditItem {
    /// Goes up with every line.
    id: i64,
    occurred_at: DateTime<Utc>,
    /// What was done.
    #[schema(example = "app.scale")]
    action: String,
    /// Whose thing it was; null for the platform's own.
    organization_id: Option<Uuid>,
    /// Who did it; null for the platform itself.
    user_id: Option<Uuid>,
    /// Their e-mail address at that time.
    actor: Option<String>,
    #[schema(value_type = schema::Via)]
    via: Via,
    /// Where from.
    address: Option<String>,
    /// The request it was part of, as in the log.
    request_id: Option<String>,
    /// Kind of thing.
    target_kind: String,
    /// Its id or name.
    target: String,
    /// What people call it, where `target` is an id: as it is called now, or was when it went; null if it has no name.
    #[schema(example = "shop")]
    target_name: Option<String>,
    /// What it was; secrets are masked.
    #[schema(value_type = Value)]
    before: Value,
    /// What it became; secrets are masked.
    #[schema(value_type = Value)]
    after: Value,
}

impl From<AuditLine> for AuditItem {
    fn from(line: AuditLine) -> Self {
        Self {
            id: line.id,
            occurred_at: line.occurred_at,
            action: line.action,
            organization_id: line.organization_id,
            user_id: line.user_id,
            actor: line.actor,
            via: line.via,
            address: line.address,
            request_id: line.request_id,
            target_kind: line.target_kind,
            target: line.target,
            target_name: line.target_name,
            before: line.before,
            after: line.after,
        }
    }
}

/// List the audit log
///
/// Every change that was made, newest first. The log is append-only and outlives what it tells about.
#[utoipa::path(
    get,
    path = "/api/admin/paas/audit",
    tag = "admin",
    params(AuditQuery, Page),
    responses((status = OK, body = Listed<AuditItem>))
)]
pub(crate) async fn list_audit_log(
    State(actions): State<Actions>,
    admin: AdminCaller,
    QueryOf(query): QueryOf<AuditQuery>,
    page: Page,
) -> Answer<Listed<AuditItem>> {
    let filter = AuditFilter {
        organization: query.organization_id.map(OrganizationId),
        user: query.user_id.map(UserId),
        action: query.action,
        target_kind: query.target_kind,
        target: query.target,
        address: query.address,
        since: query.since,
        until: query.until,
    };
    let lines = actions.audit_log(&admin, &filter, page.after()?, page.rows()).await?;
    Ok(Json(page.list(lines, |line| line.id, AuditItem::from)))
}

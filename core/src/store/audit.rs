//! The audit log: every write with who, from where and what changed. The database refuses to change it.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgConnection;

use crate::Result;
use crate::actions::Actor;
use crate::model::OrganizationId;

/// What is written down about one change. Secrets in `before` and `after` are masked by whoever makes it.
#[derive(Clone, Debug)]
pub struct AuditEntry<'a> {
    /// Noun and verb, such as `app.scale`.
    pub action: &'static str,
    /// Whose thing it was; none for the platform's own.
    pub organization: Option<OrganizationId>,
    /// Kind of thing, such as `app`.
    pub target_kind: &'static str,
    /// Its id or name.
    pub target: &'a str,
    /// What it was; null for a new thing.
    pub before: Value,
    /// What it became; null for a thing that is gone.
    pub after: Value,
}

/// Writes a change into the log, in the transaction that makes it.
pub(crate) async fn record(
    connection: &mut PgConnection,
    actor: &Actor,
    now: DateTime<Utc>,
    entry: AuditEntry<'_>,
) -> Result<()> {
    sqlx::query(
        "INSERT INTO paas_audit_log (occurred_at, organization_id, user_id, actor, via, address, request_id, action,
             target_kind, target, before, after)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
    )
    .bind(now)
    .bind(entry.organization)
    .bind(actor.user_id())
    .bind(actor.identity.as_ref().map(|identity| identity.user.email.as_str()))
    .bind(actor.via)
    .bind(actor.address.map(|address| address.to_string()))
    .bind(&actor.request_id)
    .bind(entry.action)
    .bind(entry.target_kind)
    .bind(entry.target)
    .bind(entry.before)
    .bind(entry.after)
    .execute(connection)
    .await?;
    Ok(())
}

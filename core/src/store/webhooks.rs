//! Webhooks and the calls they got. Secrets are sealed under the organisation's key.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use sqlx::types::Json;
use zeroize::Zeroizing;

use super::Store;
use crate::model::{
    AppId, Application, DeliveryOutcome, DeploymentId, OrganizationId, PushEvent, UserId, Webhook, WebhookDelivery,
    WebhookDeliveryId, WebhookId, WebhookProvider,
};
use crate::secrets::Owner;
use crate::{Error, Result};

/// Calls kept per webhook.
const KEPT_DELIVERIES: i64 = 500;

const COLUMNS: &str = "id, application_id, provider, token, old_secret_until, created_at, last_delivery_at";
const DELIVERY_COLUMNS: &str =
    "id, webhook_id, delivery, event, outcome, reason, push, deployment_id, replay_of, received_at";

/// A call to be remembered.
#[derive(Clone, Debug)]
pub(crate) struct NewDelivery<'a> {
    pub(crate) id: WebhookDeliveryId,
    pub(crate) webhook: WebhookId,
    pub(crate) delivery: &'a str,
    pub(crate) signed_digest: Option<&'a str>,
    pub(crate) event: &'a str,
    pub(crate) outcome: DeliveryOutcome,
    pub(crate) reason: &'a str,
    pub(crate) push: Option<&'a PushEvent>,
    pub(crate) deployment: Option<DeploymentId>,
    pub(crate) replay_of: Option<WebhookDeliveryId>,
}

impl Store {
    /// An app's webhooks, oldest first.
    pub async fn webhooks(&self, app: AppId) -> Result<Vec<Webhook>> {
        let sql = format!("SELECT {COLUMNS} FROM paas_webhooks WHERE application_id = $1 ORDER BY created_at, id");
        Ok(sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(app).fetch_all(&self.pool).await?)
    }

    /// One of them.
    pub async fn webhook(&self, app: AppId, id: WebhookId) -> Result<Webhook> {
        of(&mut *self.pool.acquire().await?, app, id).await
    }

    /// The webhook of that address, if there is one.
    pub async fn webhook_at(&self, provider: WebhookProvider, token: &str) -> Result<Option<Webhook>> {
        let sql = format!("SELECT {COLUMNS} FROM paas_webhooks WHERE provider = $1 AND token = $2");
        Ok(sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(provider).bind(token).fetch_optional(&self.pool).await?)
    }

    /// The secrets a call of a webhook may be signed with at `now`, opened.
    pub async fn webhook_secrets(
        &self,
        webhook: &Webhook,
        organization: OrganizationId,
        now: DateTime<Utc>,
    ) -> Result<Vec<Zeroizing<Vec<u8>>>> {
        let (secret, old): (Vec<u8>, Option<Vec<u8>>) = sqlx::query_as(
            "SELECT secret, CASE WHEN old_secret_until > $2 THEN old_secret END FROM paas_webhooks WHERE id = $1",
        )
        .bind(webhook.id)
        .bind(now)
        .fetch_optional(&self.pool)
        .await?
        .ok_or_else(|| Error::NotFound("The webhook was removed.".to_owned()))?;
        let owner = Owner::Organization(organization);
        std::iter::once(secret)
            .chain(old)
            .map(|sealed| self.secrets.open(owner, &belongs_to(webhook.id), &sealed))
            .collect()
    }

    /// Keeps a new webhook.
    #[expect(clippy::too_many_arguments, reason = "a row's worth")]
    pub(crate) async fn add_webhook(
        &self,
        connection: &mut PgConnection,
        app: &Application,
        provider: WebhookProvider,
        token: &str,
        secret: &[u8],
        by: Option<UserId>,
        now: DateTime<Utc>,
    ) -> Result<Webhook> {
        let id = WebhookId::new();
        let sealed = self.secrets.seal(Owner::Organization(app.organization_id), &belongs_to(id), secret)?;
        let sql = format!(
            "INSERT INTO paas_webhooks (id, application_id, provider, token, secret, created_by, created_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING {COLUMNS}"
        );
        Ok(sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(id)
            .bind(app.id)
            .bind(provider)
            .bind(token)
            .bind(sealed)
            .bind(by)
            .bind(now)
            .fetch_one(connection)
            .await?)
    }

    /// Gives a webhook a new secret; the one before holds until `old_until`.
    pub(crate) async fn rotate_webhook(
        &self,
        connection: &mut PgConnection,
        webhook: &Webhook,
        organization: OrganizationId,
        secret: &[u8],
        old_until: DateTime<Utc>,
    ) -> Result<Webhook> {
        let sealed = self.secrets.seal(Owner::Organization(organization), &belongs_to(webhook.id), secret)?;
        let sql = format!(
            "UPDATE paas_webhooks SET old_secret = secret, old_secret_until = $3, secret = $2 WHERE id = $1
             RETURNING {COLUMNS}"
        );
        Ok(sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(webhook.id)
            .bind(sealed)
            .bind(old_until)
            .fetch_one(connection)
            .await?)
    }

    /// The calls of a webhook, newest first, from before `after` on.
    pub async fn webhook_deliveries(
        &self,
        webhook: WebhookId,
        after: Option<(DateTime<Utc>, WebhookDeliveryId)>,
        limit: i64,
    ) -> Result<Vec<WebhookDelivery>> {
        let sql = format!(
            "SELECT {DELIVERY_COLUMNS} FROM paas_webhook_deliveries
             WHERE webhook_id = $1 AND ($2::timestamptz IS NULL OR (received_at, id) < ($2, $3))
             ORDER BY received_at DESC, id DESC LIMIT $4"
        );
        Ok(sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(webhook)
            .bind(after.map(|(at, _)| at))
            .bind(after.map(|(_, id)| id))
            .bind(limit)
            .fetch_all(&self.pool)
            .await?)
    }

    /// One of them.
    pub async fn webhook_delivery(&self, webhook: WebhookId, id: WebhookDeliveryId) -> Result<WebhookDelivery> {
        let sql = format!("SELECT {DELIVERY_COLUMNS} FROM paas_webhook_deliveries WHERE webhook_id = $1 AND id = $2");
        sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(webhook)
            .bind(id)
            .fetch_optional(&self.pool)
            .await?
            .ok_or_else(|| Error::NotFound("The webhook got no such call, or it is not kept any more.".to_owned()))
    }
}

/// How many webhooks an app has.
pub(crate) async fn count(connection: &mut PgConnection, app: AppId) -> Result<i64> {
    let (count,) = sqlx::query_as("SELECT count(*) FROM paas_webhooks WHERE application_id = $1")
        .bind(app)
        .fetch_one(connection)
        .await?;
    Ok(count)
}

/// One of an app's webhooks.
pub(crate) async fn of(connection: &mut PgConnection, app: AppId, id: WebhookId) -> Result<Webhook> {
    let sql = format!("SELECT {COLUMNS} FROM paas_webhooks WHERE application_id = $1 AND id = $2");
    sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(app)
        .bind(id)
        .fetch_optional(connection)
        .await?
        .ok_or_else(|| Error::NotFound("The app has no such webhook.".to_owned()))
}

/// Remembers a call. False when it, or one with the same signed content, was remembered before: then nothing is to
/// be done for it again.
pub(crate) async fn remember(connection: &mut PgConnection, new: NewDelivery<'_>, now: DateTime<Utc>) -> Result<bool> {
    let inserted = sqlx::query(
        "INSERT INTO paas_webhook_deliveries (id, webhook_id, delivery, signed_digest, event, outcome, reason, push,
             deployment_id, replay_of, received_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT DO NOTHING",
    )
    .bind(new.id)
    .bind(new.webhook)
    .bind(new.delivery)
    .bind(new.signed_digest)
    .bind(new.event)
    .bind(new.outcome)
    .bind(new.reason)
    .bind(new.push.map(Json))
    .bind(new.deployment)
    .bind(new.replay_of)
    .bind(now)
    .execute(&mut *connection)
    .await?;
    if inserted.rows_affected() == 0 {
        return Ok(false);
    }
    sqlx::query("UPDATE paas_webhooks SET last_delivery_at = $2 WHERE id = $1")
        .bind(new.webhook)
        .bind(now)
        .execute(&mut *connection)
        .await?;
    // What the oldest calls told may be forgotten. That they came may not: a host's signature is good for ever, so
    // that whoever has kept a call could send it once more.
    sqlx::query(
        "UPDATE paas_webhook_deliveries SET push = NULL WHERE webhook_id = $1 AND push IS NOT NULL AND received_at < (
             SELECT received_at FROM paas_webhook_deliveries WHERE webhook_id = $1
             ORDER BY received_at DESC, id DESC OFFSET $2 LIMIT 1)
         AND received_at < $3 - interval '30 days'",
    )
    .bind(new.webhook)
    .bind(KEPT_DELIVERIES)
    .bind(now)
    .execute(connection)
    .await?;
    Ok(true)
}

/// Finds out whether a call was remembered before, and as what.
pub(crate) async fn remembered(
    connection: &mut PgConnection,
    webhook: WebhookId,
    delivery: &str,
    signed_digest: Option<&str>,
) -> Result<Option<WebhookDelivery>> {
    let sql = format!(
        "SELECT {DELIVERY_COLUMNS} FROM paas_webhook_deliveries
         WHERE webhook_id = $1 AND (delivery = $2 OR signed_digest = $3) ORDER BY received_at LIMIT 1"
    );
    Ok(sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(webhook)
        .bind(delivery)
        .bind(signed_digest)
        .fetch_optional(connection)
        .await?)
}

/// Whether a push that followed on this one came before it: hosts promise no order. Who moves a branch back to a commit
/// that it was on makes a push that looks late, but for what it was on before: the newest known.
pub(crate) async fn is_overtaken(connection: &mut PgConnection, webhook: WebhookId, push: &PushEvent) -> Result<bool> {
    let (overtaken,) = sqlx::query_as(
        "WITH known AS (
             SELECT received_at, id, push ->> 'before' AS before, push ->> 'commit' AS commit
             FROM paas_webhook_deliveries WHERE webhook_id = $1 AND replay_of IS NULL AND push ->> 'branch' = $2)
         SELECT EXISTS (
             SELECT FROM known AS newer WHERE before = $3 AND NOT EXISTS (
                 SELECT FROM known AS last
                 WHERE commit = $4 AND (last.received_at, last.id) >= (newer.received_at, newer.id)))",
    )
    .bind(webhook)
    .bind(&push.branch)
    .bind(&push.commit)
    .bind(&push.before)
    .fetch_one(connection)
    .await?;
    Ok(overtaken)
}

/// Removes a webhook and what it got.
pub(crate) async fn remove(connection: &mut PgConnection, webhook: WebhookId) -> Result<()> {
    sqlx::query("DELETE FROM paas_webhooks WHERE id = $1").bind(webhook).execute(connection).await?;
    Ok(())
}

pub(super) fn belongs_to(webhook: WebhookId) -> String {
    format!("webhook secret {webhook}")
}

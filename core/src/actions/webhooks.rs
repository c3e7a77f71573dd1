//! Webhooks: made and rotated by users, called by Git hosts, and what is done about a call.

use std::net::IpAddr;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::change::AppChange;
use super::deploy_from_source::{fetched_deployment, source_in};
use super::{Actions, Actor, Scope, Started, Via};
use crate::model::{
    AppRef, Application, DeliveryOutcome, PushEvent, Trigger, Webhook, WebhookDelivery, WebhookDeliveryId, WebhookId,
    WebhookProvider,
};
use crate::settings::Settings;
use crate::store::webhooks::{self, NewDelivery};
use crate::store::{Access, AuditEntry, apps, audit, repositories};
use crate::webhook::{Call, Told};
use crate::{Error, Result};

/// Most webhooks of an app.
const MAX_WEBHOOKS: i64 = 20;
/// How long the secret before a rotation still holds, so that the host can be told the new one.
const ROTATION_GRACE: TimeDelta = TimeDelta::hours(24);

/// A webhook with its secret, which is shown this once.
#[derive(Clone)]
pub struct NewWebhook {
    /// The webhook.
    pub webhook: Webhook,
    /// The secret to give to the host.
    pub secret: Zeroizing<String>,
}

impl std::fmt::Debug for NewWebhook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.webhook.fmt(f)
    }
}

/// What came of a call.
#[derive(Clone, Debug)]
pub struct Received {
    /// What is known of it: this call's row, or that of the first one where it came before.
    pub delivery: WebhookDelivery,
    /// Whether it came before, so that nothing was done now.
    pub seen_before: bool,
}

/// What is decided on a push.
enum Decision {
    Deploy(Started),
    Ignore(String),
    Fail(String),
}

impl Actions {
    /// An app's webhooks.
    pub async fn webhooks(&self, actor: &Actor, app: &AppRef) -> Result<Vec<Webhook>> {
        let app = self.app_of(actor, app, Access::Read).await?;
        self.store.webhooks(app.id).await
    }

    /// Makes a webhook.
    pub async fn create_webhook(&self, actor: &Actor, app: &AppRef, provider: WebhookProvider) -> Result<NewWebhook> {
        let mut change = self.change(actor, app, Access::Change).await?;
        if webhooks::count(&mut change.transaction, change.app.id).await? >= MAX_WEBHOOKS {
            return Err(Error::Conflict(format!(
                "The app has {MAX_WEBHOOKS} webhooks, which is the most there can be."
            )));
        }
        let (token, secret) = (random(24), random(32));
        let webhook = self
            .store
            .add_webhook(
                &mut change.transaction,
                &change.app,
                provider,
                &token,
                secret.as_bytes(),
                actor.user_id(),
                change.now,
            )
            .await?;
        let after = shown(&change.app, &webhook);
        self.record(&mut change, "webhook.create", webhook.id, (Value::Null, after)).await?;
        change.commit().await?;
        Ok(NewWebhook { webhook, secret })
    }

    /// Gives a webhook a new secret. The one before holds for another day.
    pub async fn rotate_webhook(&self, actor: &Actor, app: &AppRef, webhook: WebhookId) -> Result<NewWebhook> {
        let mut change = self.change(actor, app, Access::Change).await?;
        let before = webhooks::of(&mut change.transaction, change.app.id, webhook).await?;
        let secret = random(32);
        let until = change.now + ROTATION_GRACE;
        let organization = change.app.organization_id;
        let webhook =
            self.store.rotate_webhook(&mut change.transaction, &before, organization, secret.as_bytes(), until).await?;
        let before = json!({ "secret": "(hidden)", "old_secret_until": before.old_secret_until });
        let after = json!({ "secret": "(new)", "old_secret_until": until });
        self.record(&mut change, "webhook.rotate", webhook.id, (before, after)).await?;
        change.commit().await?;
        Ok(NewWebhook { webhook, secret })
    }

    /// Removes a webhook with the calls it got.
    pub async fn remove_webhook(&self, actor: &Actor, app: &AppRef, webhook: WebhookId) -> Result<()> {
        let mut change = self.change(actor, app, Access::Change).await?;
        let webhook = webhooks::of(&mut change.transaction, change.app.id, webhook).await?;
        webhooks::remove(&mut change.transaction, webhook.id).await?;
        let before = shown(&change.app, &webhook);
        self.record(&mut change, "webhook.remove", webhook.id, (before, Value::Null)).await?;
        change.commit().await?;
        Ok(())
    }

    /// The calls of a webhook, newest first, at most `limit` of those before `after`.
    pub async fn webhook_deliveries(
        &self,
        actor: &Actor,
        app: &AppRef,
        webhook: WebhookId,
        after: Option<(DateTime<Utc>, WebhookDeliveryId)>,
        limit: i64,
    ) -> Result<Vec<WebhookDelivery>> {
        let app = self.app_of(actor, app, Access::Read).await?;
        let webhook = self.store.webhook(app.id, webhook).await?;
        self.store.webhook_deliveries(webhook.id, after, limit).await
    }

    /// Handles a call that came before as if it came now, under the settings of now.
    pub async fn replay_delivery(
        &self,
        actor: &Actor,
        app: &AppRef,
        webhook: WebhookId,
        delivery: WebhookDeliveryId,
    ) -> Result<WebhookDelivery> {
        let app = self.app_of(actor, app, Access::Change).await?;
        let webhook = self.store.webhook(app.id, webhook).await?;
        let first = self.store.webhook_delivery(webhook.id, delivery).await?;
        let Some(push) = first.push.map(|push| push.0) else {
            return Err(Error::Conflict("That call told of no push, so there is nothing to repeat.".to_owned()));
        };
        let id = WebhookDeliveryId::new();
        let name = format!("replay:{id}");
        let call = Incoming {
            id,
            delivery: &name,
            signed_digest: None,
            event: &first.event,
            told: Told::Push(push),
            replay_of: Some(first.id),
        };
        Ok(self.handle(actor, &app, &webhook, call).await?.delivery)
    }

    /// Refuses calls of addresses at which there is no webhook, before anything of them is read.
    pub async fn expect_webhook(&self, provider: WebhookProvider, token: &str) -> Result<()> {
        self.store.webhook_at(provider, token).await?.map(drop).ok_or_else(no_webhook)
    }

    /// Takes a call of a Git host: checks who it is from, does what it asks for, and remembers it so that the same call
    /// does nothing again.
    pub async fn receive_webhook(
        &self,
        token: &str,
        call: Call<'_>,
        address: Option<IpAddr>,
        request_id: Option<String>,
    ) -> Result<Received> {
        let webhook = self.store.webhook_at(call.provider, token).await?.ok_or_else(no_webhook)?;
        let app = self.store.app(webhook.application_id).await.map_err(|_| no_webhook())?;
        let now = self.clock.now();
        let secrets = self.store.webhook_secrets(&webhook, app.organization_id, now).await?;
        let secrets: Vec<&[u8]> = secrets.iter().map(|secret| secret.as_slice()).collect();
        call.verify(&secrets, now)?;
        // Its people shall see that it came.
        let told = call.read().unwrap_or_else(|error| Told::Unreadable(error.to_string()));
        let via = Via::Webhook;
        let actor = Actor { identity: None, scope: Scope::Deploy, ends_at: None, via, address, request_id };
        let (delivery, event, signed) = (call.delivery(), call.event(), call.signed_digest());
        let call = Incoming {
            id: WebhookDeliveryId::new(),
            delivery: &delivery,
            // A host that tries whether we answer may do so as often as it likes.
            signed_digest: signed.as_deref().filter(|_| told != Told::Ping),
            event: &event,
            told,
            replay_of: None,
        };
        self.handle(&actor, &app, &webhook, call).await
    }

    async fn handle(
        &self,
        actor: &Actor,
        app: &Application,
        webhook: &Webhook,
        call: Incoming<'_>,
    ) -> Result<Received> {
        let now = self.clock.now();
        let settings = self.store.settings().await?;
        let mut transaction = self.store.pool().begin().await?;
        // The app and its organisation first, like all who hold them. One call of a webhook at a time, so that of two
        // the same one is the second.
        apps::lock_with_organization(&mut transaction, app).await?;
        sqlx::query("SELECT FROM paas_webhooks WHERE id = $1 FOR UPDATE")
            .bind(webhook.id)
            .execute(&mut *transaction)
            .await?;
        let known = webhooks::remembered(&mut transaction, webhook.id, call.delivery, call.signed_digest).await?;
        if let Some(delivery) = known {
            return Ok(Received { delivery, seen_before: true });
        }
        let push = match &call.told {
            Told::Push(push) => Some(push),
            Told::Ping | Told::Nothing(_) | Told::Unreadable(_) => None,
        };
        let (outcome, reason, started) = match &call.told {
            Told::Ping => (DeliveryOutcome::Ping, "The webhook works.".to_owned(), None),
            Told::Nothing(reason) => (DeliveryOutcome::Ignored, reason.clone(), None),
            Told::Unreadable(reason) => (DeliveryOutcome::Failed, reason.clone(), None),
            Told::Push(push) => {
                // Who replays a push wants that one.
                let overtaken =
                    call.replay_of.is_none() && webhooks::is_overtaken(&mut transaction, webhook.id, push).await?;
                match self.decide(&mut transaction, actor, app, push, overtaken, &settings).await? {
                    Decision::Deploy(started) => (DeliveryOutcome::Deployed, deploying(push), Some(started)),
                    Decision::Ignore(reason) => (DeliveryOutcome::Ignored, reason, None),
                    Decision::Fail(reason) => (DeliveryOutcome::Failed, reason, None),
                }
            }
        };
        let new = NewDelivery {
            id: call.id,
            webhook: webhook.id,
            delivery: call.delivery,
            signed_digest: call.signed_digest,
            event: call.event,
            outcome,
            reason: &reason,
            push,
            deployment: started.map(|started| started.deployment),
            replay_of: call.replay_of,
        };
        webhooks::remember(&mut transaction, new, now).await?;
        if let Some(replayed) = call.replay_of {
            let entry = AuditEntry {
                action: "webhook.replay",
                organization: Some(app.organization_id),
                target_kind: "webhook",
                target: &webhook.id.to_string(),
                before: json!({ "delivery": replayed }),
                after: json!({ "delivery": call.id, "outcome": outcome, "reason": reason }),
            };
            audit::record(&mut transaction, actor, now, entry).await?;
        }
        transaction.commit().await?;
        let delivery = self.store.webhook_delivery(webhook.id, call.id).await?;
        Ok(Received { delivery, seen_before: false })
    }

    /// What is to be done about a push; a deployment is queued in the transaction.
    async fn decide(
        &self,
        transaction: &mut sqlx::PgTransaction<'_>,
        actor: &Actor,
        app: &Application,
        push: &PushEvent,
        overtaken: bool,
        settings: &Settings,
    ) -> Result<Decision> {
        use sqlx::Acquire as _;
        let repository = repositories::connection(transaction, app.id).await?;
        if push.branch != repository.git_branch {
            return Ok(Decision::Ignore(format!(
                "The push was to \"{}\"; \"{}\" is deployed.",
                push.branch, repository.git_branch
            )));
        }
        if !repository.auto_deploy {
            return Ok(Decision::Ignore("Automatic deployment is switched off for this app.".to_owned()));
        }
        if let Some(marker) = &push.skip {
            return Ok(Decision::Ignore(format!("The commit's message says {marker}.")));
        }
        if overtaken {
            let reason = "A newer push to the branch came first. Replay this one to deploy it.";
            return Ok(Decision::Ignore(reason.to_owned()));
        }
        let source = match source_in(app, repository, push.commit.clone()) {
            Ok(source) => source,
            Err(Error::Conflict(reason)) => return Ok(Decision::Fail(reason)),
            Err(error) => return Err(error),
        };
        let new = fetched_deployment(app, Trigger::Webhook, push, false, actor);
        let mut attempt = transaction.begin().await?;
        match self.queue_fetched(&mut attempt, actor, app, &new, &source, settings).await {
            Ok(started) => {
                attempt.commit().await?;
                Ok(Decision::Deploy(started))
            }
            // What the app's people have to mend is remembered with the call; what is ours makes the host try again.
            Err(
                error @ (Error::Conflict(_)
                | Error::Forbidden(_)
                | Error::InsufficientFunds(_)
                | Error::PlanLimitReached(_)
                | Error::TooMany { .. }),
            ) => {
                attempt.rollback().await?;
                Ok(Decision::Fail(error.to_string()))
            }
            Err(error) => Err(error),
        }
    }

    async fn record(
        &self,
        change: &mut AppChange<'_>,
        action: &'static str,
        webhook: WebhookId,
        (before, after): (Value, Value),
    ) -> Result<()> {
        let entry = AuditEntry {
            action,
            organization: Some(change.app.organization_id),
            target_kind: "webhook",
            target: &webhook.to_string(),
            before,
            after,
        };
        audit::record(&mut change.transaction, change.actor, change.now, entry).await
    }
}

/// A webhook as the audit log tells of it.
fn shown(app: &Application, webhook: &Webhook) -> Value {
    json!({ "app": app.slug, "provider": webhook.provider })
}

/// A call whose sender is known.
struct Incoming<'a> {
    id: WebhookDeliveryId,
    delivery: &'a str,
    signed_digest: Option<&'a str>,
    event: &'a str,
    told: Told,
    replay_of: Option<WebhookDeliveryId>,
}

fn no_webhook() -> Error {
    Error::NotFound("There is no such webhook, or it was removed.".to_owned())
}

fn deploying(push: &PushEvent) -> String {
    match &push.commit {
        Some(commit) => format!("Deploying {} of \"{}\".", commit.short(), push.branch),
        None => format!("Deploying the newest commit of \"{}\".", push.branch),
    }
}

/// Random text of this many bytes of randomness, for addresses and secrets.
fn random(bytes: usize) -> Zeroizing<String> {
    let mut random = Zeroizing::new(vec![0; bytes]);
    rand::fill(random.as_mut_slice());
    Zeroizing::new(BASE64_URL_SAFE_NO_PAD.encode(random.as_slice()))
}

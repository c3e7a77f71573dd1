//! Whom alerts are told to, and what there was to tell: for owners of organisations, and for admins of the platform.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use sqlx::PgConnection;
use zeroize::Zeroizing;

use super::plans::admin;
use super::{Actions, Actor};
use crate::model::{
    Alert, AlertId, AlertRule, Notification, NotificationId, NotificationTarget, OrganizationId, OrganizationRef,
    Severity, TargetAddress, TargetId, TargetKind,
};
use crate::notifications::Notifier;
use crate::store::notification_targets::{self, NewTarget};
use crate::store::{Access, AlertFilter, AuditEntry, audit, notifications};
use crate::{Error, Result};

/// Most targets of an organisation, and of the platform.
const MAX_TARGETS: u64 = 20;
/// Most tries of its targets within an hour: a try sends something to somebody.
const MAX_TESTS: u64 = 30;

/// Whose targets and alerts.
#[derive(Clone, Debug)]
pub enum AlertsOf {
    /// An organisation's.
    Organization(OrganizationRef),
    /// The platform's; for admins.
    Platform,
}

/// A target to be made.
#[derive(Clone, Debug)]
pub struct WantedTarget {
    /// How it is told.
    pub kind: TargetKind,
    /// An e-mail address or a URL.
    pub address: String,
    /// Only what is at least this grave is told.
    pub min_severity: Severity,
    /// The rules whose alerts are told; none for all that are for its owner.
    pub rules: Option<Vec<AlertRule>>,
    /// Whether it is told anything.
    pub enabled: bool,
}

/// What is to change of a target; what is none stays.
#[derive(Clone, Debug, Default)]
pub struct TargetChange {
    /// Where it is.
    pub address: Option<String>,
    /// Only what is at least this grave is told.
    pub min_severity: Option<Severity>,
    /// The rules whose alerts are told; none of them for all that are for its owner.
    pub rules: Option<Option<Vec<AlertRule>>>,
    /// Whether it is told anything.
    pub enabled: Option<bool>,
}

/// A target with the secret that its calls are signed with, which is shown this once.
#[derive(Clone)]
pub struct TargetWithSecret {
    /// The target.
    pub target: NotificationTarget,
    /// The secret, if it is one that is called.
    pub secret: Option<Zeroizing<String>>,
}

impl std::fmt::Debug for TargetWithSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.target.fmt(f)
    }
}

/// What came of a try.
#[derive(Clone, Debug)]
pub struct TargetTest {
    /// Whether the message was taken.
    pub sent: bool,
    /// What the target answered, or why it was not reached.
    pub message: String,
}

impl Actions {
    /// The targets of that owner, oldest first.
    pub async fn notification_targets(&self, actor: &Actor, of: &AlertsOf) -> Result<Vec<NotificationTarget>> {
        let owner = self.alerts_owner(actor, of, Access::Own).await?;
        self.store.notification_targets(owner).await
    }

    /// Makes a target.
    pub async fn add_notification_target(
        &self,
        actor: &Actor,
        of: &AlertsOf,
        wanted: &WantedTarget,
    ) -> Result<TargetWithSecret> {
        let owner = self.alerts_owner(actor, of, Access::Own).await?;
        let address = self.target_address(owner, wanted.kind, &wanted.address).await?;
        let rules = checked_rules(owner, wanted.rules.as_deref())?;
        let secret = (wanted.kind == TargetKind::Webhook).then(random_secret);
        let mut transaction = self.store.pool().begin().await?;
        if notification_targets::hold_owner(&mut transaction, owner).await? >= MAX_TARGETS {
            return Err(Error::Conflict(format!(
                "There are {MAX_TARGETS} targets, which is the most there can be. Remove one first."
            )));
        }
        let new = NewTarget {
            id: TargetId::new(),
            organization: owner,
            kind: wanted.kind,
            address: &address,
            min_severity: wanted.min_severity,
            rules: rules.as_deref(),
            enabled: wanted.enabled,
            created_by: actor.user_id(),
        };
        let bytes = secret.as_ref().map(|secret| secret.as_bytes());
        let target = self.store.add_notification_target(&mut transaction, new, bytes, self.clock.now()).await?;
        self.note_target(&mut transaction, actor, "notification.create", &target, (Value::Null, shown(&target)))
            .await?;
        transaction.commit().await?;
        Ok(TargetWithSecret { target, secret })
    }

    /// Changes a target. Where its kind has a secret, that stays.
    pub async fn change_notification_target(
        &self,
        actor: &Actor,
        of: &AlertsOf,
        id: TargetId,
        change: &TargetChange,
    ) -> Result<NotificationTarget> {
        let owner = self.alerts_owner(actor, of, Access::Own).await?;
        let mut transaction = self.store.pool().begin().await?;
        let before = notification_targets::lock(&mut transaction, owner, id).await?;
        let mut after = before.clone();
        if let Some(text) = &change.address {
            let address = self.target_address(owner, before.kind, text).await?;
            self.store.move_notification_target(&mut transaction, &before, &address).await?;
            after.shown_address = address.shown();
        }
        after.min_severity = change.min_severity.unwrap_or(after.min_severity);
        after.enabled = change.enabled.unwrap_or(after.enabled);
        if let Some(rules) = &change.rules {
            after.rules = checked_rules(owner, rules.as_deref())?;
        }
        notification_targets::update(&mut transaction, &after).await?;
        let mut told = shown(&after);
        if change.address.is_some() {
            // What is behind the host may have changed unseen.
            told["address_changed"] = json!(true);
        }
        self.note_target(&mut transaction, actor, "notification.update", &after, (shown(&before), told)).await?;
        transaction.commit().await?;
        Ok(after)
    }

    /// Gives a target another secret, which counts at once.
    pub async fn rotate_notification_target(
        &self,
        actor: &Actor,
        of: &AlertsOf,
        id: TargetId,
    ) -> Result<TargetWithSecret> {
        let owner = self.alerts_owner(actor, of, Access::Own).await?;
        let mut transaction = self.store.pool().begin().await?;
        let target = notification_targets::lock(&mut transaction, owner, id).await?;
        if target.kind != TargetKind::Webhook {
            return Err(Error::Conflict(format!(
                "What is sent to a target of the kind {} is not signed.",
                target.kind
            )));
        }
        let secret = random_secret();
        self.store.rotate_notification_target(&mut transaction, &target, secret.as_bytes()).await?;
        let change = (json!({ "secret": "(hidden)" }), json!({ "secret": "(new)" }));
        self.note_target(&mut transaction, actor, "notification.rotate", &target, change).await?;
        transaction.commit().await?;
        Ok(TargetWithSecret { target, secret: Some(secret) })
    }

    /// Removes a target with the messages to it, those that wait included.
    pub async fn remove_notification_target(&self, actor: &Actor, of: &AlertsOf, id: TargetId) -> Result<()> {
        let owner = self.alerts_owner(actor, of, Access::Own).await?;
        let mut transaction = self.store.pool().begin().await?;
        let target = notification_targets::lock(&mut transaction, owner, id).await?;
        notification_targets::remove(&mut transaction, id).await?;
        let change = (shown(&target), Value::Null);
        self.note_target(&mut transaction, actor, "notification.remove", &target, change).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Sends a message that says it is a test, and waits for what comes of it. It is sent once, also to a target that is
    /// switched off.
    pub async fn test_notification_target(&self, actor: &Actor, of: &AlertsOf, id: TargetId) -> Result<TargetTest> {
        let owner = self.alerts_owner(actor, of, Access::Own).await?;
        let now = self.clock.now();
        let mut transaction = self.store.pool().begin().await?;
        notification_targets::hold_owner(&mut transaction, owner).await?;
        let target = notification_targets::lock(&mut transaction, owner, id).await?;
        if notifications::tests_since(&mut transaction, owner, now - TimeDelta::hours(1)).await? >= MAX_TESTS {
            return Err(Error::TooMany {
                message: format!("Targets were tried {MAX_TESTS} times within an hour, which is the most."),
                retry_after: Duration::from_mins(10),
            });
        }
        let message = notifications::begin_test(&mut transaction, id, now).await?;
        let change = (Value::Null, json!({ "message": message, "address": target.shown_address }));
        self.note_target(&mut transaction, actor, "notification.test", &target, change).await?;
        transaction.commit().await?;
        let notifier = Notifier::new(self.store.clone(), self.git.resolver());
        Ok(match notifier.try_out(message, id).await? {
            Ok(message) => TargetTest { sent: true, message },
            Err(message) => TargetTest { sent: false, message },
        })
    }

    /// The messages to a target, newest first, from before `after` on.
    pub async fn notification_messages(
        &self,
        actor: &Actor,
        of: &AlertsOf,
        id: TargetId,
        after: Option<(DateTime<Utc>, NotificationId)>,
        rows: i64,
    ) -> Result<Vec<Notification>> {
        let owner = self.alerts_owner(actor, of, Access::Own).await?;
        let targets = self.store.notification_targets(owner).await?;
        if !targets.iter().any(|target| target.id == id) {
            return Err(notification_targets::missing());
        }
        self.store.notifications(id, after, rows).await
    }

    /// Alerts, newest first, from before `after` on: an organisation's for its members, all for admins.
    pub async fn alerts(
        &self,
        actor: &Actor,
        of: &AlertsOf,
        filter: AlertFilter,
        after: Option<(DateTime<Utc>, AlertId)>,
        rows: i64,
    ) -> Result<Vec<Alert>> {
        let owner = self.alerts_owner(actor, of, Access::Read).await?;
        let filter = AlertFilter { organization: owner.or(filter.organization), ..filter };
        self.store.alerts(&filter, after, rows).await
    }

    async fn alerts_owner(&self, actor: &Actor, of: &AlertsOf, access: Access) -> Result<Option<OrganizationId>> {
        match of {
            AlertsOf::Platform => admin(actor).map(|()| None),
            AlertsOf::Organization(named) => {
                self.organization_for(actor, named, access).await.map(|organization| Some(organization.id))
            }
        }
    }

    async fn target_address(
        &self,
        owner: Option<OrganizationId>,
        kind: TargetKind,
        text: &str,
    ) -> Result<TargetAddress> {
        let address = TargetAddress::parse(kind, text)?;
        if let (Some(organization), TargetAddress::Mail(mail)) = (owner, &address) {
            let settings = self.store.settings().await?;
            if !self.store.may_mail(organization, mail, &settings).await? {
                let rule = "Use the address of a member of the organisation. Others need their domain in the setting \
                            alerts.mail_domains, which is an admin's.";
                return Err(Error::field("address", rule));
            }
        }
        Ok(address)
    }

    async fn note_target(
        &self,
        connection: &mut PgConnection,
        actor: &Actor,
        action: &'static str,
        target: &NotificationTarget,
        (before, after): (Value, Value),
    ) -> Result<()> {
        let entry = AuditEntry {
            action,
            organization: target.organization_id,
            target_kind: "notification_target",
            target: &target.id.to_string(),
            before,
            after,
        };
        audit::record(connection, actor, self.clock.now(), entry).await
    }
}

/// The names of the rules, all of which can have alerts for that owner.
fn checked_rules(owner: Option<OrganizationId>, rules: Option<&[AlertRule]>) -> Result<Option<Vec<String>>> {
    let Some(rules) = rules else { return Ok(None) };
    if rules.is_empty() {
        return Err(Error::field("rules", "Name at least one rule, or none of this for all of them."));
    }
    if let Some(foreign) = rules.iter().find(|rule| owner.is_some() && !rule.info().audience.has_people()) {
        return Err(Error::field(
            "rules",
            format!("Alerts of the rule {foreign} are for admins of the platform alone."),
        ));
    }
    let mut names: Vec<String> = rules.iter().map(ToString::to_string).collect();
    names.sort_unstable();
    names.dedup();
    Ok(Some(names))
}

/// A target as the audit log tells of it.
fn shown(target: &NotificationTarget) -> Value {
    json!({
        "kind": target.kind,
        "address": target.shown_address,
        "min_severity": target.min_severity,
        "rules": target.rules,
        "enabled": target.enabled,
    })
}

fn random_secret() -> Zeroizing<String> {
    let mut random = Zeroizing::new([0; 32]);
    rand::fill(random.as_mut_slice());
    Zeroizing::new(URL_SAFE_NO_PAD.encode(random.as_slice()))
}

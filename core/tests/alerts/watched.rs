//! What the tests of alerts do to the world: let things go wrong, have the rules look, have messages sent.

use chrono::{DateTime, TimeDelta, Utc};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use skypanel_core::actions::{AlertsOf, TargetWithSecret, WantedTarget};
use skypanel_core::alerts::{Looked, Watch, rules};
use skypanel_core::model::{
    Alert, AlertRule, Application, DeploymentId, DeploymentStatus, Notification, NotificationId, Severity, TargetId,
    TargetKind,
};
use skypanel_core::notifications::{Delivered, Notifier};
use skypanel_core::store::{AlertFilter, Store};

use crate::hook::Called;
use crate::world::World;

impl World {
    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    pub(crate) fn advance(&self, by: TimeDelta) {
        self.clock.advance(by.to_std().expect("goes forward"));
    }

    pub(crate) async fn set(&self, key: &str, value: &str) {
        self.store().set_setting(key, value).await.expect("is set");
    }

    /// Lets a deployment of an app end so.
    pub(crate) async fn deployed(&self, app: &Application, status: DeploymentStatus) {
        sqlx::query(
            "INSERT INTO paas_deployments (id, application_id, status, trigger, created_at, finished_at)
             VALUES ($1, $2, $3, 'push', $4, $4)",
        )
        .bind(DeploymentId::new())
        .bind(app.id)
        .bind(status)
        .bind(self.now())
        .execute(self.pool())
        .await
        .expect("is written down");
        self.advance(TimeDelta::milliseconds(1));
    }

    pub(crate) async fn fails(&self, app: &Application, times: usize) {
        for _ in 0..times {
            self.deployed(app, DeploymentStatus::Failed).await;
        }
    }

    /// Has the rules look once.
    pub(crate) async fn look(&self) -> Looked {
        look(self.store()).await
    }

    /// Has them look once a minute for so many minutes; answers what was news.
    pub(crate) async fn look_for(&self, minutes: u32) -> Vec<String> {
        let mut all = Vec::new();
        for _ in 0..minutes {
            self.advance(TimeDelta::minutes(1));
            all.extend(news(&self.look().await));
        }
        all
    }

    /// A target of acme, told of everything.
    pub(crate) async fn target(&self, kind: TargetKind, address: &str) -> TargetWithSecret {
        let of = AlertsOf::Organization(self.organization());
        self.actions.add_notification_target(&self.owner, &of, &wanted(kind, address)).await.expect("is made")
    }

    /// A target of the platform, told of everything.
    pub(crate) async fn platform_target(&self, kind: TargetKind, address: &str) -> TargetWithSecret {
        let wanted = wanted(kind, address);
        self.actions.add_notification_target(&self.admin, &AlertsOf::Platform, &wanted).await.expect("is made")
    }

    pub(crate) async fn messages(&self, target: TargetId) -> Vec<Notification> {
        self.store().notifications(target, None, 100).await.expect("reads")
    }

    pub(crate) async fn deliver(&self, message: NotificationId, target: TargetId) -> Delivered {
        let notifier = Notifier::new(self.store().clone(), self.actions.git.resolver());
        notifier.deliver(message, target).await.expect("is written down")
    }

    /// Sends what waits, once its time has come.
    pub(crate) async fn deliver_all(&self) -> Vec<Delivered> {
        self.advance(TimeDelta::seconds(31));
        let waiting: Vec<(NotificationId, TargetId)> = sqlx::query_as(
            "SELECT id, target_id FROM paas_notifications WHERE state = 'waiting' AND next_try_at <= $1 ORDER BY id",
        )
        .bind(self.now())
        .fetch_all(self.pool())
        .await
        .expect("looks");
        let mut delivered = Vec::new();
        for (message, target) in waiting {
            delivered.push(self.deliver(message, target).await);
        }
        delivered
    }

    pub(crate) async fn alerts(&self) -> Vec<Alert> {
        self.store().alerts(&AlertFilter::default(), None, 100).await.expect("reads")
    }

    pub(crate) async fn open_alerts(&self) -> Vec<(AlertRule, String)> {
        let filter = AlertFilter { is_over: Some(false), ..AlertFilter::default() };
        let open = self.store().alerts(&filter, None, 100).await.expect("reads");
        let mut open: Vec<_> = open.into_iter().map(|alert| (alert.rule, alert.subject_name)).collect();
        open.sort();
        open
    }
}

pub(crate) fn wanted(kind: TargetKind, address: &str) -> WantedTarget {
    let address = address.to_owned();
    WantedTarget { kind, address, min_severity: Severity::Warning, rules: None, enabled: true }
}

pub(crate) async fn look(store: &Store) -> Looked {
    let looked = Watch::new(store.clone(), rules::of_the_store()).look().await.expect("looks");
    assert!(looked.blind.is_empty(), "{looked:?}");
    looked
}

/// `fired app_deploys_failing shop`, a line each.
pub(crate) fn news(looked: &Looked) -> Vec<String> {
    looked.news.iter().map(|(rule, name, news)| format!("{news} {rule} {name}")).collect()
}

/// Whether a call is signed with that secret, as docs/alerts.md says.
pub(crate) fn is_signed(call: &Called, secret: &str) -> bool {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("takes any key");
    mac.update(call.header("x-skypanel-timestamp").as_bytes());
    mac.update(b".");
    mac.update(&call.body);
    let expected = format!("sha256={}", hex::encode(mac.finalize().into_bytes()));
    call.header("x-skypanel-signature") == expected
}

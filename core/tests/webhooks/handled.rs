//! What is done about calls, on a real database.

use std::net::IpAddr;
use std::sync::Arc;

use chrono::TimeDelta;
use skypanel_core::actions::{Actions, Actor, NewWebhook, Received, Scope};
use skypanel_core::blob::LocalBlobs;
use skypanel_core::clock::Clock;
use skypanel_core::jobs::Jobs;
use skypanel_core::measurements::NoMeasurements;
use skypanel_core::model::{AppRef, Application, DeliveryOutcome, DeploymentStatus, Role, Trigger, WebhookProvider};
use skypanel_core::repository::GitClient;
use skypanel_core::store::NewUser;
use skypanel_core::stream::Streams;
use skypanel_core::{Error, Result};

use crate::console::NoEngine;
use crate::support::Database;
use crate::{Sent, sent};

const COMMIT: &str = "59b20b8d5c6ff8d09518454d4dd8b7b30f095ab5";
const PUSH: &str = include_str!("fixtures/github_push.json");

struct World {
    database: Database,
    actions: Actions,
    developer: Actor,
    viewer: Actor,
    outsider: Actor,
    app: Application,
    name: AppRef,
    _blobs: tempfile::TempDir,
}

impl World {
    async fn new() -> Self {
        let database = Database::new().await;
        let clock = Clock::standing_at("2026-11-22T12:00:00Z".parse().expect("is a time"));
        let store = database.store().clone().with_clock(clock.clone());
        let blobs = tempfile::tempdir().expect("makes a directory");
        let actions = Actions {
            store: store.clone(),
            streams: Streams::connect(database.pool().clone()).await.expect("connects"),
            jobs: Jobs::connect(database.pool().clone()).await.expect("connects"),
            blobs: Arc::new(LocalBlobs::open(blobs.path()).expect("opens")),
            console: Arc::new(NoEngine),
            logs: Arc::new(skypanel_core::logs::NoLogs),
            measurements: Arc::new(NoMeasurements),
            git: GitClient::default(),
            clock,
        };
        let organization = store.ensure_organization("acme").await.expect("makes it");
        let app = store.create_app(&"shop".parse().expect("is a slug"), &organization).await.expect("makes it");
        let mut actors = Vec::new();
        for (email, role) in
            [("dev@x.io", Some(Role::Developer)), ("view@x.io", Some(Role::Viewer)), ("out@x.io", None)]
        {
            let new = NewUser { email, password: "correct horse battery", is_admin: false };
            let user = store.create_user(new).await.expect("makes a user");
            if let Some(role) = role {
                store.set_member(organization.id, user.id, role).await.expect("joins");
            }
            let key = skypanel_core::model::SshKey {
                fingerprint: format!("SHA256:{email}"),
                public_key: format!("ssh-ed25519 {email}"),
                name: email.to_owned(),
                last_used_at: None,
            };
            store.add_ssh_key(user.id, &key).await.expect("adds");
            let identity = store.identify(&key.fingerprint).await.expect("answers").expect("is known");
            actors.push(Actor::ssh(identity, None));
        }
        let [developer, viewer, outsider] = actors.try_into().expect("are three");
        let name = AppRef::Slug(app.slug.clone());
        let world = Self { database, actions, developer, viewer, outsider, app, name, _blobs: blobs };
        world.set("git_url", "'https://github.com/acme/shop.git'").await;
        world.set("auto_deploy", "true").await;
        world
    }

    /// As a saved connection would have it.
    async fn set(&self, column: &str, value: &str) {
        let sql = format!("UPDATE paas_applications SET {column} = {value} WHERE id = $1");
        sqlx::query(sqlx::AssertSqlSafe(sql)).bind(self.app.id).execute(self.database.pool()).await.expect("sets");
    }

    async fn webhook(&self, provider: WebhookProvider) -> NewWebhook {
        self.actions.create_webhook(&self.developer, &self.name, provider).await.expect("makes it")
    }

    fn signed(&self, webhook: &NewWebhook, delivery: &str, body: &str) -> Sent {
        let event = if webhook.webhook.provider == WebhookProvider::Gitlab { "Push Hook" } else { "push" };
        let at = self.actions.clock.now().timestamp();
        sent(webhook.webhook.provider, event, delivery, &webhook.secret, body.as_bytes(), at)
    }

    async fn send(&self, webhook: &NewWebhook, sent: &Sent) -> Result<Received> {
        let address: IpAddr = "140.82.115.1".parse().expect("is an address");
        self.actions.receive_webhook(&webhook.webhook.token, sent.call(), Some(address), Some("req-1".to_owned())).await
    }

    async fn push(&self, webhook: &NewWebhook, delivery: &str, body: &str) -> Received {
        self.send(webhook, &self.signed(webhook, delivery, body)).await.expect("is taken")
    }

    async fn close(self) {
        let Self { database, actions, .. } = self;
        // Live streams hold a connection for as long as anybody could follow one.
        drop(actions);
        database.close().await;
    }

    /// Tasks of all queued jobs.
    async fn jobs(&self) -> Vec<String> {
        let rows: Vec<(String,)> = sqlx::query_as(
            "SELECT tasks.identifier FROM skypanel_jobs._private_jobs AS jobs
             JOIN skypanel_jobs._private_tasks AS tasks ON tasks.id = jobs.task_id ORDER BY jobs.id",
        )
        .fetch_all(self.database.pool())
        .await
        .expect("lists");
        rows.into_iter().map(|(task,)| task).collect()
    }
}

#[tokio::test]
async fn a_push_queues_the_delivered_commit_once_however_often_it_comes() {
    let world = World::new().await;
    let webhook = world.webhook(WebhookProvider::Github).await;
    let first = world.push(&webhook, "guid-1", PUSH).await;
    assert_eq!((first.delivery.outcome, first.seen_before), (DeliveryOutcome::Deployed, false));
    assert!(first.delivery.reason.contains("59b20b8"), "{}", first.delivery.reason);
    let id = first.delivery.deployment_id.expect("was queued");
    let deployment = world.actions.store.deployment(id).await.expect("is there");
    assert_eq!((deployment.trigger, deployment.git_commit.as_deref()), (Trigger::Webhook, Some(COMMIT)));
    assert_eq!(deployment.git_message.as_deref(), Some("Add a cart"));
    let source = world.actions.store.deployment_source(id).await.expect("reads").expect("is to be fetched");
    assert_eq!(source.git_commit.map(|commit| commit.to_string()).as_deref(), Some(COMMIT));
    assert_eq!(world.jobs().await, ["deploy", "report_status"]);

    let again = world.push(&webhook, "guid-1", PUSH).await;
    assert!(again.seen_before && again.delivery.id == first.delivery.id);
    // Overheard and sent again under another name, which the signature does not cover.
    assert!(world.push(&webhook, "guid-2", PUSH).await.seen_before);
    assert_eq!(world.jobs().await.len(), 2);
    assert_eq!(
        world
            .actions
            .webhook_deliveries(&world.viewer, &world.name, webhook.webhook.id, None, 10)
            .await
            .expect("lists")
            .len(),
        1
    );
    let (via, address): (String, String) =
        sqlx::query_as("SELECT via, address FROM paas_audit_log WHERE action = 'app.deploy'")
            .fetch_one(world.database.pool())
            .await
            .expect("was written down");
    assert_eq!((via.as_str(), address.as_str()), ("webhook", "140.82.115.1"));
    world.close().await;
}

#[tokio::test]
async fn the_same_call_at_the_same_moment_counts_once() {
    let world = World::new().await;
    let webhook = world.webhook(WebhookProvider::Gitea).await;
    let call = world.signed(&webhook, "one", PUSH);
    let calls = (0..8).map(|_| world.send(&webhook, &call));
    let received = futures_util::future::join_all(calls).await;
    let new = received.iter().filter(|received| !received.as_ref().expect("is taken").seen_before).count();
    assert_eq!((new, world.jobs().await.len()), (1, 2));
    world.close().await;
}

#[tokio::test]
async fn branch_switch_and_markers_are_respected_and_a_replay_looks_again() {
    let world = World::new().await;
    let webhook = world.webhook(WebhookProvider::Github).await;
    world.set("git_branch", "'production'").await;
    let other = world.push(&webhook, "1", PUSH).await.delivery;
    assert_eq!(other.outcome, DeliveryOutcome::Ignored);
    assert!(other.reason.contains("to \"main\"; \"production\""), "{}", other.reason);
    world.set("git_branch", "'main'").await;
    world.set("auto_deploy", "false").await;
    let off = world.push(&webhook, "2", &PUSH.replace("Add a cart", "Two")).await.delivery;
    assert!(off.outcome == DeliveryOutcome::Ignored && off.reason.contains("switched off"), "{}", off.reason);
    world.set("auto_deploy", "true").await;
    let skip = world.push(&webhook, "3", &PUSH.replace("Add a cart", "Add a cart [skip deploy]")).await.delivery;
    assert!(skip.outcome == DeliveryOutcome::Ignored && skip.reason.contains("[skip deploy]"), "{}", skip.reason);
    let gone = world.push(&webhook, "4", include_str!("fixtures/github_branch_deleted.json")).await.delivery;
    assert!(gone.outcome == DeliveryOutcome::Ignored && gone.push.is_none(), "{}", gone.reason);
    assert!(world.jobs().await.is_empty());

    let replay = |actor, delivery| world.actions.replay_delivery(actor, &world.name, webhook.webhook.id, delivery);
    let replayed = replay(&world.developer, other.id).await.expect("is replayed");
    assert_eq!((replayed.outcome, replayed.replay_of), (DeliveryOutcome::Deployed, Some(other.id)));
    // What comes to nothing is written down as well.
    world.set("auto_deploy", "false").await;
    assert_eq!(replay(&world.developer, other.id).await.expect("is replayed").outcome, DeliveryOutcome::Ignored);
    let audited: Vec<(serde_json::Value,)> =
        sqlx::query_as("SELECT after FROM paas_audit_log WHERE action = 'webhook.replay' ORDER BY id")
            .fetch_all(world.database.pool())
            .await
            .expect("lists");
    let outcomes: Vec<&serde_json::Value> = audited.iter().map(|(after,)| &after["outcome"]).collect();
    assert_eq!(outcomes, ["deployed", "ignored"]);
    let deployment =
        world.actions.store.deployment(replayed.deployment_id.expect("was queued")).await.expect("is there");
    assert_eq!(deployment.created_by, world.developer.user_id());
    assert!(matches!(replay(&world.developer, gone.id).await, Err(Error::Conflict(_))));
    assert!(matches!(replay(&world.viewer, other.id).await, Err(Error::Forbidden(_))));
    assert!(matches!(replay(&world.outsider, other.id).await, Err(Error::NotFound(_))));
    world.close().await;
}

#[tokio::test]
async fn what_cannot_be_deployed_is_told_and_remembered() {
    let world = World::new().await;
    let webhook = world.webhook(WebhookProvider::Gitlab).await;
    let gitlab = include_str!("fixtures/gitlab_push.json");
    world.set("git_url", "NULL").await;
    let no_url = world.push(&webhook, "1", gitlab).await.delivery;
    assert!(no_url.outcome == DeliveryOutcome::Failed && no_url.reason.contains("no Git URL"), "{}", no_url.reason);
    world.set("git_url", "'https://gitlab.com/acme/shop.git'").await;
    world.set("status", "'suspended'").await;
    let held = world.push(&webhook, "2", gitlab).await.delivery;
    assert!(held.outcome == DeliveryOutcome::Failed && held.reason.contains("suspended"), "{}", held.reason);
    assert!(world.jobs().await.is_empty());
    world.set("status", "'inactive'").await;
    assert_eq!(world.push(&webhook, "3", gitlab).await.delivery.outcome, DeliveryOutcome::Deployed);
    world.close().await;
}

#[tokio::test]
async fn a_call_that_was_seen_is_known_for_ever() {
    let world = World::new().await;
    let webhook = world.webhook(WebhookProvider::Github).await;
    let sent = world.signed(&webhook, "old", PUSH);
    assert_eq!(world.send(&webhook, &sent).await.expect("is taken").delivery.outcome, DeliveryOutcome::Deployed);
    let pool = world.actions.store.pool();
    sqlx::query("UPDATE paas_webhook_deliveries SET received_at = received_at - interval '90 days'")
        .execute(pool)
        .await
        .expect("gets old");
    // More than are kept with all that they told.
    sqlx::query(
        "INSERT INTO paas_webhook_deliveries (id, webhook_id, delivery, event, outcome, reason, received_at)
         SELECT gen_random_uuid(), webhook_id, 'n' || number, 'push', 'ignored', 'Old.', now() - interval '1 day'
         FROM paas_webhook_deliveries, generate_series(1, 600) AS number",
    )
    .execute(pool)
    .await
    .expect("come");
    world.push(&webhook, "newest", &PUSH.replace("Add a cart", "Newest")).await;
    let (told,): (bool,) =
        sqlx::query_as("SELECT push IS NOT NULL FROM paas_webhook_deliveries WHERE delivery = 'old'")
            .fetch_one(pool)
            .await
            .expect("is there");
    assert!(!told, "what it told is forgotten");
    assert!(world.send(&webhook, &sent).await.expect("is taken").seen_before, "that it came is not");
    world.close().await;
}

#[tokio::test]
async fn a_newer_push_takes_the_place_of_one_that_still_waits() {
    let world = World::new().await;
    let webhook = world.webhook(WebhookProvider::Generic).await;
    let first = world.push(&webhook, "1", r#"{"ref": "main", "message": "one"}"#).await.delivery;
    let building = world.push(&webhook, "2", r#"{"ref": "main", "message": "two"}"#).await.delivery;
    let store = &world.actions.store;
    let status = |delivery: &skypanel_core::model::WebhookDelivery| {
        let id = delivery.deployment_id.expect("was queued");
        async move { store.deployment(id).await.expect("is there") }
    };
    assert_eq!(status(&first).await.status, DeploymentStatus::Cancelled);
    assert_eq!(status(&first).await.error_code.as_deref(), Some("SUPERSEDED"));
    store
        .advance_deployment(building.deployment_id.expect("was queued"), DeploymentStatus::Building)
        .await
        .expect("moves");
    world.push(&webhook, "3", r#"{"ref": "main", "message": "three"}"#).await;
    assert_eq!(status(&building).await.status, DeploymentStatus::Building, "what is being built goes on");
    world.close().await;
}

#[tokio::test]
async fn a_push_that_comes_after_one_that_followed_on_it_is_ignored_and_a_branch_may_go_back() {
    let world = World::new().await;
    let webhook = world.webhook(WebhookProvider::Github).await;
    let push = async |name: &str, from: char, to: char| {
        let hash = |digit: char| digit.to_string().repeat(40);
        let (before, after) = (hash(from), hash(to));
        let body = serde_json::json!({ "ref": "refs/heads/main", "before": before, "after": after, "name": name });
        world.push(&webhook, name, &body.to_string()).await.delivery
    };
    assert_eq!(push("first", '0', 'a').await.outcome, DeliveryOutcome::Deployed);
    let newest = push("third", 'b', 'c').await;
    assert_eq!(newest.outcome, DeliveryOutcome::Deployed);
    let late = push("second", 'a', 'b').await;
    assert!(late.outcome == DeliveryOutcome::Ignored && late.reason.contains("came first"), "{}", late.reason);
    let queued = newest.deployment_id.expect("was queued");
    let status = world.actions.store.deployment(queued).await.expect("is there").status;
    assert_eq!(status, DeploymentStatus::Queued, "the newer one is not cancelled");
    // The branch is moved back, further back, and on again.
    for (name, from, to) in [("back", 'c', 'b'), ("further", 'b', 'a'), ("again", 'a', 'b'), ("on", 'b', 'd')] {
        assert_eq!(push(name, from, to).await.outcome, DeliveryOutcome::Deployed, "{name}");
    }
    let replayed = world.actions.replay_delivery(&world.developer, &world.name, webhook.webhook.id, late.id).await;
    assert_eq!(replayed.expect("is replayed").outcome, DeliveryOutcome::Deployed, "its user wants that one");
    world.close().await;
}

#[tokio::test]
async fn secrets_are_sealed_rotate_with_a_day_of_grace_and_prove_nothing_elsewhere() {
    let world = World::new().await;
    let old = world.webhook(WebhookProvider::Github).await;
    let ping = |webhook: &NewWebhook| {
        sent(WebhookProvider::Github, "ping", "p", &webhook.secret, include_bytes!("fixtures/github_ping.json"), 0)
    };
    assert_eq!(world.send(&old, &ping(&old)).await.expect("answers").delivery.outcome, DeliveryOutcome::Ping);
    let new = world.actions.rotate_webhook(&world.developer, &world.name, old.webhook.id).await.expect("rotates");
    assert_ne!(*old.secret, *new.secret);
    assert!(world.send(&new, &ping(&new)).await.is_ok() && world.send(&new, &ping(&old)).await.is_ok());
    world.actions.clock.advance((TimeDelta::hours(24) + TimeDelta::seconds(1)).to_std().expect("is positive"));
    assert!(world.send(&new, &ping(&new)).await.is_ok());
    assert!(matches!(world.send(&new, &ping(&old)).await, Err(Error::Unauthenticated(_))));

    let (stored,): (Vec<u8>,) =
        sqlx::query_as("SELECT secret FROM paas_webhooks").fetch_one(world.database.pool()).await.expect("reads");
    assert!(!stored.windows(new.secret.len()).any(|window| window == new.secret.as_bytes()));
    // Another webhook's secret, another provider's path, a token nobody has.
    let other = world.webhook(WebhookProvider::Github).await;
    assert!(matches!(world.send(&other, &ping(&new)).await, Err(Error::Unauthenticated(_))));
    let mut wrong = ping(&new);
    wrong.provider = WebhookProvider::Gitea;
    assert!(matches!(world.send(&new, &wrong).await, Err(Error::NotFound(_))));
    world.actions.remove_webhook(&world.developer, &world.name, new.webhook.id).await.expect("removes");
    assert!(matches!(world.send(&new, &ping(&new)).await, Err(Error::NotFound(_))));
    world.close().await;
}

#[tokio::test]
async fn webhooks_are_their_apps_peoples() {
    let world = World::new().await;
    let mut reader = world.developer.clone();
    reader.scope = Scope::Read;
    for actor in [&world.viewer, &reader] {
        let made = world.actions.create_webhook(actor, &world.name, WebhookProvider::Github).await;
        assert!(matches!(made, Err(Error::Forbidden(_))));
    }
    let made = world.actions.create_webhook(&world.outsider, &world.name, WebhookProvider::Github).await;
    assert!(matches!(made, Err(Error::NotFound(_))));
    for _ in 0..20 {
        world.webhook(WebhookProvider::Github).await;
    }
    let one_more = world.actions.create_webhook(&world.developer, &world.name, WebhookProvider::Github).await;
    assert!(matches!(one_more, Err(Error::Conflict(_))));
    assert_eq!(world.actions.webhooks(&world.viewer, &world.name).await.expect("lists").len(), 20);
    world.close().await;
}

//! An organisation with its people and an app, and the actions on them.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use async_trait::async_trait;
use skypanel_core::actions::{Actions, Actor};
use skypanel_core::blob::LocalBlobs;
use skypanel_core::clock::Clock;
use skypanel_core::jobs::Jobs;
use skypanel_core::measurements::NoMeasurements;
use skypanel_core::model::{
    AppId, AppRef, AppStatus, Application, Artifact, DeploymentId, DeploymentStatus, NewDeployment, Organization,
    OrganizationRef, ProcessType, Role, Sha256Digest, Trigger,
};
use skypanel_core::network::Resolve;
use skypanel_core::repository::GitClient;
use skypanel_core::secrets::Secrets;
use skypanel_core::store::{NewUser, Store};
use skypanel_core::stream::Streams;
use sqlx::{ConnectOptions as _, PgPool};

use crate::console::NoEngine;
use crate::support::Database;

pub(crate) const PASSWORD: &str = "correct horse battery";
/// Connections where a test does not care.
const MANY: u32 = 8;

/// Finds every host on loopback.
struct Loopback;

#[async_trait]
impl Resolve for Loopback {
    async fn resolve(&self, _: &str) -> std::io::Result<Vec<IpAddr>> {
        Ok(vec!["127.0.0.1".parse().expect("is an address")])
    }
}

pub(crate) struct World {
    pub(crate) database: Database,
    pub(crate) actions: Actions,
    pub(crate) clock: Clock,
    pub(crate) acme: Organization,
    pub(crate) owner: Actor,
    pub(crate) developer: Actor,
    pub(crate) admin: Actor,
    pub(crate) app: Application,
    pub(crate) shop: AppRef,
    _directory: tempfile::TempDir,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with_connections(MANY).await
    }

    /// Actions that have this many connections to the database altogether.
    pub(crate) async fn with_connections(connections: u32) -> Self {
        let database = Database::new().await;
        let clock = Clock::standing_at("2026-11-22T12:00:00Z".parse().expect("is a time"));
        let directory = tempfile::tempdir().expect("makes a directory");
        let keys = Secrets::open_or_create(&directory.path().join("master.key")).expect("makes a key");
        let url = database.store().pool().connect_options().to_url_lossy();
        let store = Store::connect_with(url.as_str(), keys, connections).await.expect("connects");
        let store = store.with_clock(clock.clone());
        for (key, value) in [("network.allowed", "127.0.0.0/8"), ("git.allow_http", "true")] {
            store.set_setting(key, value).await.expect("sets");
        }
        let actions = Actions {
            // Listening takes a connection for good.
            streams: Streams::connect(database.pool().clone()).await.expect("connects"),
            jobs: Jobs::connect(store.pool().clone()).await.expect("connects"),
            blobs: Arc::new(LocalBlobs::open(&directory.path().join("blobs")).expect("opens")),
            console: Arc::new(NoEngine),
            logs: Arc::new(skypanel_core::logs::NoLogs),
            measurements: Arc::new(NoMeasurements),
            git: GitClient::new(Arc::new(Loopback)),
            clock: clock.clone(),
            store,
        };
        let acme = actions.store.ensure_organization("acme").await.expect("makes it");
        let owner = person(&actions.store, "owner@x.io", Some((&acme, Role::Owner)), false).await;
        let developer = person(&actions.store, "dev@x.io", Some((&acme, Role::Developer)), false).await;
        let admin = person(&actions.store, "admin@x.io", None, true).await;
        let app = actions.store.create_app(&"shop".parse().expect("is a slug"), &acme).await.expect("makes it");
        let shop = AppRef::Id(app.id);
        Self { database, actions, clock, acme, owner, developer, admin, app, shop, _directory: directory }
    }

    pub(crate) fn store(&self) -> &Store {
        &self.actions.store
    }

    /// Connections of the test's own.
    pub(crate) fn pool(&self) -> &PgPool {
        self.database.pool()
    }

    pub(crate) fn organization(&self) -> OrganizationRef {
        OrganizationRef::Id(self.acme.id)
    }

    pub(crate) async fn app_named(&self, slug: &str) -> Application {
        self.store().create_app(&slug.parse().expect("is a slug"), &self.acme).await.expect("makes it")
    }

    pub(crate) async fn status(&self, app: AppId) -> AppStatus {
        self.store().app(app).await.expect("is there").status
    }

    /// Queues a deployment as a push does.
    pub(crate) async fn push(&self, app: AppId) -> skypanel_core::Result<DeploymentId> {
        let new = pushed(app);
        self.actions.begin(&self.developer, &AppRef::Id(app), &new).await?;
        Ok(new.id)
    }

    /// Does to the store what a build does and what a rollout does, up to where it serves.
    pub(crate) async fn roll_out(&self, id: DeploymentId) {
        let store = self.store();
        let app = store.deployment(id).await.expect("is there").application_id;
        assert!(store.advance_deployment(id, DeploymentStatus::Building).await.expect("answers"));
        let processes: BTreeMap<ProcessType, String> = [("web", "serve"), ("worker", "work")]
            .into_iter()
            .map(|(name, command)| (name.parse().expect("is a type"), command.to_owned()))
            .collect();
        let image = Sha256Digest::of(b"image");
        let artifact = Artifact { image, slug: None, bytes: 1, buildpack: "python".to_owned(), processes };
        store.set_artifact(id, &artifact).await.expect("stores");
        store.assign_version(id, 0).await.expect("numbers");
        store.report_app_status(app, AppStatus::Deploying).await.expect("reports");
    }

    /// Brings an app live.
    pub(crate) async fn release(&self, app: AppId) -> DeploymentId {
        let id = self.push(app).await.expect("queues");
        self.roll_out(id).await;
        assert!(self.store().complete_deployment(id).await.expect("answers"));
        self.store().report_app_status(app, AppStatus::Running).await.expect("reports");
        id
    }

    /// What the jobs of a task in the queue say under `key`, in its order.
    pub(crate) async fn queued(&self, task: &str, key: &str) -> Vec<String> {
        let rows: Vec<(String,)> = sqlx::query_as(
            "SELECT jobs.payload ->> $2 FROM skypanel_jobs._private_jobs AS jobs
             JOIN skypanel_jobs._private_tasks AS tasks ON tasks.id = jobs.task_id
             WHERE tasks.identifier = $1 ORDER BY jobs.id",
        )
        .bind(task)
        .bind(key)
        .fetch_all(self.pool())
        .await
        .expect("lists");
        rows.into_iter().map(|(value,)| value).collect()
    }

    pub(crate) async fn close(self) {
        let Self { database, actions, .. } = self;
        let pool = actions.store.pool().clone();
        drop(actions);
        pool.close().await;
        database.close().await;
    }
}

pub(crate) fn pushed(app: AppId) -> NewDeployment {
    NewDeployment {
        id: DeploymentId::new(),
        application_id: app,
        trigger: Trigger::Push,
        git_branch: Some("main".to_owned()),
        git_commit: Some("1".repeat(40)),
        git_message: None,
        git_author: None,
        no_cache: false,
        description: "Deploy 1111111".to_owned(),
        parent_id: None,
        created_by: None,
    }
}

pub(crate) async fn person(store: &Store, email: &str, member: Option<(&Organization, Role)>, is_admin: bool) -> Actor {
    let user = store.create_user(NewUser { email, password: PASSWORD, is_admin }).await.expect("makes a user");
    if let Some((organization, role)) = member {
        store.set_member(organization.id, user.id, role).await.expect("joins");
    }
    let key = skypanel_core::model::SshKey {
        fingerprint: format!("SHA256:{email}"),
        public_key: format!("ssh-ed25519 {email}"),
        name: email.to_owned(),
        last_used_at: None,
    };
    store.add_ssh_key(user.id, &key).await.expect("adds a key");
    Actor::ssh(store.identify(&key.fingerprint).await.expect("answers").expect("is known"), None)
}

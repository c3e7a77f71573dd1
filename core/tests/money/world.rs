//! A platform that bills, with a clock in the test's hands.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use futures_util::stream::BoxStream;
use skypanel_core::actions::{Actions, Actor};
use skypanel_core::blob::LocalBlobs;
use skypanel_core::clock::Clock;
use skypanel_core::console::{Console, LogLine, LogQuery, OneOff, OneOffSession, ProcessState};
use skypanel_core::jobs::Jobs;
use skypanel_core::measurements::NoMeasurements;
use skypanel_core::model::{
    AppId, Application, Artifact, DeploymentId, Formation, LedgerKind, Money, NewDeployment, NewLedgerEntry,
    Organization, OrganizationId, ProcessType, Sha256Digest, Trigger,
};
use skypanel_core::store::Store;
use skypanel_core::stream::Streams;
use skypanel_core::{Error, Result};

use crate::support::Database;

pub(crate) struct World {
    pub(crate) database: Database,
    pub(crate) store: Store,
    pub(crate) actions: Actions,
    pub(crate) clock: Clock,
    _directory: tempfile::TempDir,
}

impl World {
    /// A platform on which billing was always on.
    pub(crate) async fn billing(now: &str) -> Self {
        let world = Self::new(now).await;
        world.switch_on("2000-01-01T00:00:00Z").await;
        world
    }

    pub(crate) async fn new(now: &str) -> Self {
        let database = Database::new().await;
        let clock = Clock::standing_at(at(now));
        let store = database.store().clone().with_clock(clock.clone());
        let directory = tempfile::tempdir().expect("makes a directory");
        let actions = Actions {
            store: store.clone(),
            streams: Streams::connect(database.pool().clone()).await.expect("connects"),
            jobs: Jobs::connect(database.pool().clone()).await.expect("connects"),
            blobs: Arc::new(LocalBlobs::open(directory.path()).expect("opens")),
            console: Arc::new(NoEngine),
            logs: Arc::new(skypanel_core::logs::NoLogs),
            measurements: Arc::new(NoMeasurements),
            git: skypanel_core::repository::GitClient::default(),
            clock: clock.clone(),
        };
        Self { database, store, actions, clock, _directory: directory }
    }

    /// As the setting would do it, at a time of the test's choice.
    pub(crate) async fn switch_on(&self, since: &str) {
        sqlx::query("INSERT INTO paas_billing_periods (started_at) VALUES ($1)")
            .bind(at(since))
            .execute(self.database.pool())
            .await
            .expect("switches");
    }

    pub(crate) async fn organization(&self, name: &str, top_up: &str) -> Organization {
        let organization = self.store.ensure_organization(name).await.expect("makes it");
        if top_up != "0" {
            self.top_up(organization.id, top_up).await;
        }
        organization
    }

    pub(crate) async fn top_up(&self, organization: OrganizationId, amount: &str) {
        self.move_money(organization, LedgerKind::TopUp, amount).await;
    }

    pub(crate) async fn move_money(&self, organization: OrganizationId, kind: LedgerKind, amount: &str) {
        let reference = (kind == LedgerKind::TopUp).then(|| uuid::Uuid::new_v4().to_string());
        let new = NewLedgerEntry { kind, amount: money(amount), reference, note: None };
        self.actions.move_money(&Actor::system(), organization, new).await.expect("moves money");
    }

    pub(crate) async fn app(&self, organization: &Organization, name: &str) -> Application {
        self.store.create_app(&name.parse().expect("is a slug"), organization).await.expect("makes it")
    }

    /// An app that runs a `web` and has a `worker` it could run.
    pub(crate) async fn running_app(&self, organization: &Organization, name: &str) -> Application {
        let app = self.app(organization, name).await;
        self.release(app.id, &["web", "worker"]).await.expect("releases");
        self.store.app(app.id).await.expect("is there")
    }

    /// What a successful push does to the store.
    pub(crate) async fn release(&self, app: AppId, processes: &[&str]) -> Result<DeploymentId> {
        use skypanel_core::model::AppStatus;
        let id = DeploymentId::new();
        let new = NewDeployment {
            id,
            application_id: app,
            trigger: Trigger::Push,
            git_branch: None,
            git_commit: None,
            git_message: None,
            git_author: None,
            no_cache: false,
            description: "Deploy".to_owned(),
            parent_id: None,
            created_by: None,
        };
        self.store.create_deployment(&new).await?;
        let processes: BTreeMap<ProcessType, String> =
            processes.iter().map(|name| (name.parse().expect("is a type"), "run".to_owned())).collect();
        let image = Sha256Digest::of(b"image");
        let artifact = Artifact { image, slug: None, bytes: 1, buildpack: "python".to_owned(), processes };
        self.store.set_artifact(id, &artifact).await?;
        self.store.assign_version(id, 0).await?;
        self.store.report_app_status(app, AppStatus::Deploying).await?;
        assert!(self.store.complete_deployment(id).await?);
        self.store.report_app_status(app, AppStatus::Running).await?;
        Ok(id)
    }

    pub(crate) async fn scale(&self, app: AppId, wish: &str) {
        let app = self.store.app(app).await.expect("is there");
        self.store.scale(&app, &formation(wish)).await.expect("scales");
    }

    /// Puts an app on a plan that allows ten replicas, at this price.
    pub(crate) async fn price(&self, app: AppId, price: &str) {
        sqlx::query(
            "INSERT INTO paas_plans (id, name, cpu_cores, ram_mb, disk_gb, max_replicas, price_per_hour, position)
             VALUES ($1, 'price ' || $2::text, 1, 512, 1, 10, $2, 9) ON CONFLICT DO NOTHING",
        )
        .bind(uuid::Uuid::now_v7())
        .bind(money(price).0)
        .execute(self.database.pool())
        .await
        .expect("makes a plan");
        let plans = self.store.plans().await.expect("lists");
        let plan = plans.iter().find(|plan| plan.name.starts_with("price") && plan.price_per_hour == money(price));
        self.store.change_plan(app, plan.expect("is there").id).await.expect("changes");
    }

    /// Balance and sum of the ledger, which have to be the same.
    pub(crate) async fn balance(&self, organization: OrganizationId) -> Money {
        let balance = self.store.balance(organization).await.expect("reads");
        let (sum,): (Money,) =
            sqlx::query_as("SELECT coalesce(sum(amount), 0) FROM wallet_ledger WHERE organization_id = $1")
                .bind(organization)
                .fetch_one(self.database.pool())
                .await
                .expect("adds up");
        assert_eq!(balance, sum);
        balance
    }

    /// Charges of an app: hour and amount.
    pub(crate) async fn charges(&self, app: AppId) -> Vec<(DateTime<Utc>, Money)> {
        sqlx::query_as(
            "SELECT hour, -amount FROM wallet_ledger WHERE kind = 'charge' AND application_id = $1 ORDER BY hour",
        )
        .bind(app)
        .fetch_all(self.database.pool())
        .await
        .expect("lists")
    }

    /// Apps with an `apply` job in the queue, in its order.
    pub(crate) async fn applied(&self) -> Vec<String> {
        let rows: Vec<(String,)> = sqlx::query_as(
            "SELECT jobs.payload ->> 'app' FROM skypanel_jobs._private_jobs AS jobs
             JOIN skypanel_jobs._private_tasks AS tasks ON tasks.id = jobs.task_id
             JOIN paas_streams AS streams ON streams.id = (jobs.payload ->> 'stream')::uuid
             WHERE tasks.identifier = 'apply' ORDER BY jobs.id",
        )
        .fetch_all(self.database.pool())
        .await
        .expect("lists");
        rows.into_iter().map(|(app,)| app).collect()
    }

    pub(crate) async fn close(self) {
        drop(self.actions);
        self.database.close().await;
    }
}

pub(crate) fn at(text: &str) -> DateTime<Utc> {
    text.parse().expect("is a time")
}

pub(crate) fn money(text: &str) -> Money {
    text.parse().expect("is an amount")
}

pub(crate) fn formation(text: &str) -> Formation {
    text.split(' ')
        .filter_map(|pair| pair.split_once('='))
        .map(|(process, count)| (process.parse().expect("is a type"), count.parse().expect("is a number")))
        .collect()
}

struct NoEngine;

#[async_trait]
impl Console for NoEngine {
    async fn logs(&self, _: &Application, _: LogQuery) -> Result<BoxStream<'static, Result<LogLine>>> {
        Err(Error::System("There is no engine.".to_owned()))
    }

    async fn processes(&self, _: &Application) -> Result<Vec<ProcessState>> {
        Err(Error::System("There is no engine.".to_owned()))
    }

    async fn run(&self, _: &Application, _: OneOff) -> Result<OneOffSession> {
        Err(Error::System("There is no engine.".to_owned()))
    }
}

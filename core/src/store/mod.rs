//! The Postgres store: one file per noun, each a set of methods on [`Store`].

mod admin_lists;
mod alert_facts;
mod alerts;
mod api_answers;
pub(crate) mod app_views;
pub(crate) mod apps;
pub(crate) mod audit;
pub(crate) mod auth_failures;
mod build_cache;
mod build_places;
pub(crate) mod config_vars;
pub(crate) mod crashes;
mod deployment_changes;
pub(crate) mod deployment_ends;
mod deployment_views;
pub(crate) mod deployments;
pub(crate) mod device_logins;
pub(crate) mod domains;
pub(crate) mod drains;
pub(crate) mod events;
mod host_keys;
mod idempotency;
mod invoices;
pub(crate) mod ledger;
pub(crate) mod limits;
mod log_queue;
pub(crate) mod metering;
pub(crate) mod notification_targets;
pub(crate) mod notifications;
pub(crate) mod operations;
pub(crate) mod organizations;
pub(crate) mod plans;
mod platform;
mod purge;
pub(crate) mod queued_jobs;
pub(crate) mod quotas;
pub(crate) mod reassign;
pub(crate) mod repositories;
pub(crate) mod second_factor;
pub(crate) mod sessions;
mod settings;
pub(crate) mod settlement;
pub(crate) mod sources;
pub(crate) mod suspension;
pub(crate) mod tenancy;
mod terms;
pub(crate) mod thresholds;
pub(crate) mod tokens;
pub(crate) mod usage;
pub(crate) mod webhooks;

use std::sync::Arc;

use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

pub use admin_lists::{AdminApp, AdminAppFilter, AdminOrganization, AdminUser, AuditFilter, AuditLine};
pub use alert_facts::{AppCount, BillingDifference, FailingCertificate, Incident, LowWallet, UsedBudget};
pub use alerts::AlertFilter;
pub use api_answers::ApiAnswers;
pub use app_views::{AppFilter, AppView};
pub use apps::Access;
pub use audit::AuditEntry;
pub use build_cache::StoredCache;
pub use build_places::Turn;
pub use config_vars::{ChangedConfig, ConfigVars};
pub use crashes::{Crash, Crashed, GivenUp, StartAgainNow};
pub use deployment_changes::StoredChanges;
pub use deployment_views::DeploymentView;
pub use device_logins::DeviceLogin;
pub use domains::{RoutedDomain, SeenCertificate};
pub use drains::OpenDrain;
pub use events::EventView;
pub use idempotency::Known;
pub use ledger::{BillingTotals, WalletOverview};
pub use log_queue::{QueuedStream, StoredChunk};
pub use operations::{JobState, Operation};
pub use organizations::Member;
pub use platform::{Outcomes, Platform, PlatformTotals, QueueDepth};
pub use queued_jobs::{QueuedJob, QueuedJobState};
pub use quotas::Quotas;
pub use settlement::Settled;
pub use tenancy::{Identity, NewUser, PasswordReset};
pub use terms::{Rollout, TakenBack};
pub use tokens::TokenHolder;
pub(crate) use usage::add_lines;
pub use usage::{UsageHour, UsagePosition};

use crate::clock::Clock;
use crate::identity::SessionTokens;
use crate::secrets::Secrets;
use crate::{Error, Result};

/// Access to everything the platform knows. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    pool: PgPool,
    secrets: Secrets,
    clock: Clock,
    settings: settings::SettingsCache,
    own_hosts: Arc<[String]>,
}

/// Connections of one process at most.
const CONNECTIONS: u32 = 16;

/// The tables, in numbered steps.
pub static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("../migrations");

impl Store {
    /// Connects, and brings the tables up to date. Statements are ended by the server after a minute, the wait
    /// for a lock after 20 s, a transaction that does nothing after 30 s; bringing up to date has no such limit.
    pub async fn connect(url: &str, secrets: Secrets) -> Result<Self> {
        Self::connect_with(url, secrets, CONNECTIONS).await
    }

    /// The same with another number of connections at most.
    pub async fn connect_with(url: &str, secrets: Secrets, connections: u32) -> Result<Self> {
        let options: PgConnectOptions =
            url.parse().map_err(|error| Error::Invalid(format!("The database's address is not right: {error}.")))?;
        let pool = PgPoolOptions::new()
            .max_connections(connections)
            .acquire_timeout(limits::ANSWER_LIMIT)
            .connect_with(limits::limited(options))
            .await
            .map_err(|error| Error::System(format!("The database cannot be reached: {error}.")))?;
        let unlimited = limits::unlimited(&pool);
        let migrated = MIGRATIONS.run(&unlimited).await;
        unlimited.close().await;
        migrated.map_err(|error| Error::System(format!("The database could not be brought up to date: {error}.")))?;
        Ok(Self {
            pool,
            secrets,
            clock: Clock::system(),
            settings: settings::SettingsCache::new(),
            own_hosts: Arc::default(),
        })
    }

    /// The same store with another clock: what it writes down happens at that clock's times.
    #[must_use]
    pub fn with_clock(self, clock: Clock) -> Self {
        Self { clock, ..self }
    }

    /// The same store for a platform that is itself reached under these names, which no app can have as a domain.
    #[must_use]
    pub fn with_own_hosts(self, hosts: impl IntoIterator<Item = String>) -> Self {
        Self { own_hosts: hosts.into_iter().collect(), ..self }
    }

    /// Names under which the platform itself is reached, as its configuration says.
    pub(crate) fn own_hosts(&self) -> &[String] {
        &self.own_hosts
    }

    /// The clock by which it writes down when things happen.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The pool, for the queue and live streams.
    pub fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// What seals and opens stored secrets.
    pub(crate) fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    /// What makes and reads the tokens of browser sessions.
    pub fn session_tokens(&self) -> Result<SessionTokens> {
        SessionTokens::new(&self.secrets)
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<()> {
        sqlx::query("SELECT 1").execute(&self.pool).await?;
        Ok(())
    }
}

/// Whether a statement failed because a unique value is in use.
fn is_taken(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Database(error) if error.is_unique_violation())
}

//! The Postgres store: one file per noun, each a set of methods on [`Store`].

mod apps;
pub(crate) mod audit;
mod build_cache;
mod config_vars;
mod deployments;
mod events;
pub(crate) mod ledger;
pub(crate) mod metering;
pub(crate) mod plans;
mod settings;
mod settlement;
pub(crate) mod suspension;
mod tenancy;
pub(crate) mod tokens;
mod usage;

use std::time::Duration;

use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;

pub use apps::Access;
pub use audit::AuditEntry;
pub use build_cache::StoredCache;
pub use config_vars::ConfigVars;
pub use settlement::Settled;
pub use tenancy::{Identity, NewUser};
pub(crate) use usage::add_line;
pub use usage::{UsageHour, UsagePosition};

use crate::clock::Clock;
use crate::secrets::Secrets;
use crate::{Error, Result};

/// Access to everything the platform knows. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    pool: PgPool,
    secrets: Secrets,
    clock: Clock,
}

/// The tables, in numbered steps.
pub static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("../migrations");

impl Store {
    /// Connects, and brings the tables up to date.
    pub async fn connect(url: &str, secrets: Secrets) -> Result<Self> {
        let pool = PgPoolOptions::new()
            .max_connections(16)
            .acquire_timeout(Duration::from_secs(10))
            .connect(url)
            .await
            .map_err(|error| Error::System(format!("The database cannot be reached: {error}.")))?;
        Self::with_pool(pool, secrets).await
    }

    /// Uses `pool`, and brings the tables up to date.
    pub async fn with_pool(pool: PgPool, secrets: Secrets) -> Result<Self> {
        MIGRATIONS
            .run(&pool)
            .await
            .map_err(|error| Error::System(format!("The database could not be brought up to date: {error}.")))?;
        Ok(Self { pool, secrets, clock: Clock::system() })
    }

    /// The same store with another clock: what it writes down happens at that clock's times.
    #[must_use]
    pub fn with_clock(self, clock: Clock) -> Self {
        Self { clock, ..self }
    }

    /// The clock by which it writes down when things happen.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The pool, for the queue and live streams.
    pub fn pool(&self) -> &PgPool {
        &self.pool
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

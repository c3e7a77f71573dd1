//! Applications, their plans and their process formation.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;

use crate::{Error, Result};

use super::{
    AppId, AppSlug, DeploymentId, HealthTarget, HealthTimes, Money, OrganizationId, PlanId, ProcessType,
    SuspensionReason,
};

text_enum! {
    /// What an app is doing, as its users see it.
    AppStatus {
        /// Nothing was ever released.
        Inactive = "inactive",
        /// A build runs; an earlier release may be serving.
        Building = "building",
        /// A release is rolling out.
        Deploying = "deploying",
        /// The current release serves.
        Running = "running",
        /// Stopped by its owner.
        Stopped = "stopped",
        /// The first release failed, or one of its process types was given up after too many crashes.
        Failed = "failed",
        /// Held by an admin or an empty wallet.
        Suspended = "suspended",
        /// Being removed with everything it had.
        Deleting = "deleting",
    }
}

impl AppStatus {
    /// Whether its processes are meant to be running.
    pub fn should_run(self) -> bool {
        !matches!(self, Self::Inactive | Self::Stopped | Self::Suspended | Self::Deleting)
    }
}

/// An app: what users push to.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Application {
    /// Its id.
    pub id: AppId,
    /// Who owns it.
    pub organization_id: OrganizationId,
    /// Its unique name, as in the remote's address.
    pub slug: AppSlug,
    /// The label before the default domain.
    pub subdomain: String,
    /// The branch whose pushes are released.
    pub git_branch: String,
    /// A chosen buildpack (name or Git URL) in place of detection.
    pub buildpack: Option<String>,
    /// The stack it is built and run on.
    pub stack: String,
    /// What it is doing.
    pub status: AppStatus,
    /// Why it is suspended, where that is known.
    pub suspended_reason: Option<SuspensionReason>,
    /// Its plan.
    pub plan_id: PlanId,
    /// What an hour of a replica costs: the plan's price when the plan was chosen.
    pub price_per_hour: Money,
    /// HTTP path of the health check; none means: `/health` if it answers, else the port.
    pub health_check_path: Option<String>,
    /// What else it asks.
    #[sqlx(flatten)]
    pub health_target: HealthTarget,
    /// How often and how patiently it is checked.
    #[sqlx(flatten)]
    pub health: HealthTimes,
    /// The release that should be running.
    pub current_deployment_id: Option<DeploymentId>,
    /// Goes up with every change of config vars.
    pub config_version: i32,
    /// Goes up with every restart asked for.
    pub restart_count: i32,
    /// When it was created.
    pub created_at: DateTime<Utc>,
}

/// How many replicas of each process type an app should run.
pub type Formation = BTreeMap<ProcessType, u32>;

/// How many of each process type of a release to run: as scaled; of those never scaled `web` once and others not at
/// all. The `release` process runs once per release and is none of them.
pub fn resolve_formation(processes: &BTreeMap<ProcessType, String>, scaled: &Formation) -> Formation {
    processes
        .keys()
        .filter(|process| **process != ProcessType::release())
        .map(|process| {
            let default = u32::from(process.is_routed());
            (process.clone(), scaled.get(process).copied().unwrap_or(default))
        })
        .collect()
}

/// What an app may use, and what an hour of a replica costs.
#[derive(Clone, Debug, PartialEq, sqlx::FromRow)]
pub struct Plan {
    /// Its id.
    pub id: PlanId,
    /// Unique name.
    pub name: String,
    /// CPU limit of a replica, in cores.
    pub cpu_cores: Decimal,
    /// Memory limit of a replica, in MB (2^20 bytes).
    #[sqlx(try_from = "i32")]
    pub ram_mb: u32,
    /// Disk of a replica, in GB (10^9 bytes); told, not enforced.
    #[sqlx(try_from = "i32")]
    pub disk_gb: u32,
    /// Most replicas of one process type.
    #[sqlx(try_from = "i32")]
    pub max_replicas: u32,
    /// Price of one replica for an hour, for apps that choose the plan from now on.
    pub price_per_hour: Money,
    /// Named extras, as the plan's page shows them.
    #[sqlx(json)]
    pub features: BTreeMap<String, serde_json::Value>,
    /// Its place in lists; the first is what new apps get.
    pub position: i32,
}

impl Plan {
    /// Whether a formation keeps within the plan.
    pub fn check(&self, formation: &Formation) -> Result<()> {
        for (process, replicas) in formation {
            if *replicas > self.max_replicas {
                return Err(Error::PlanLimitReached(format!(
                    "The plan \"{}\" allows {} replica(s) of a process type; {process}={replicas} is more. \
                     Scale it down first, or choose a larger plan.",
                    self.name, self.max_replicas
                )));
            }
        }
        Ok(())
    }
}

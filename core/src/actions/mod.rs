//! What users do, whichever way they come: each action authorises its actor, checks its input, writes one
//! transaction (the change, its audit row, what it costs) and enqueues the job that carries it out. The HTTP API
//! and the SSH commands parse, call an action and show what came of it.

mod actor;
mod app_transfer;
mod apps;
mod billing;
mod change;
mod config;
mod deploy_from_source;
mod deployment_changes;
mod deployments;
mod devices;
mod domains;
mod drains;
mod events;
mod invitations;
mod invoices;
mod logs;
mod metrics;
mod notifications;
mod one_off;
mod operators;
mod organization_deletion;
mod organizations;
mod organizations_admin;
mod plans;
mod processes;
mod queued_jobs;
mod redeploy;
mod repositories;
mod second_factor;
mod sessions;
mod settings;
mod ssh_keys;
mod tokens;
mod uploads;
mod users_admin;
mod wallet_thresholds;
mod webhooks;

use std::sync::Arc;

pub use actor::{Actor, Scope, Via};
pub use apps::{AppSettings, NewApp};
pub use billing::{Movement, Period, Usage, Wallet};
pub use config::{ConfigChanged, ConfigChanges};
pub use deploy_from_source::{ArchiveDeploy, RepositoryDeploy, Started};
pub use deployment_changes::ShownChanges;
pub use deployments::{RolledBack, Shown};
pub use devices::{DeviceState, INTERVAL as DEVICE_INTERVAL, LIFETIME as DEVICE_LIFETIME};
pub use domains::{DomainView, Domains, check_domain, note_silence};
pub use metrics::{Metrics, MetricsRange};
pub use notifications::{AlertsOf, TargetChange, TargetTest, TargetWithSecret, WantedTarget};
pub use organization_deletion::{AppsGo, OrganizationDeleted};
pub use organizations_admin::OrganizationLimits;
pub use plans::CostChange;
pub use processes::{Begun, Priced};
pub use repositories::RepositoryChange;
pub use second_factor::{Enrolment, SecondFactor};
pub use sessions::{IDLE, Login, OpenSession};
pub use settings::{CheckOutcome, SettingChanges, SettingCheck, SettingPart};
pub use uploads::Upload;
pub use users_admin::UserChange;
pub use wallet_thresholds::ThresholdsChange;
pub use webhooks::{NewWebhook, Received};

use crate::blob::Blobs;
use crate::clock::Clock;
use crate::console::Console;
use crate::jobs::Jobs;
use crate::logs::Logs;
use crate::measurements::Measurements;
use crate::repository::GitClient;
use crate::store::Store;
use crate::stream::Streams;

/// Everything an action needs. Cheap to clone.
#[derive(Clone)]
pub struct Actions {
    /// The platform's state.
    pub store: Store,
    /// Live output of what actions start.
    pub streams: Streams,
    /// The queue.
    pub jobs: Jobs,
    /// Sources, slugs, caches.
    pub blobs: Blobs,
    /// The engine, for what is looked at while a user waits.
    pub console: Arc<dyn Console>,
    /// What apps wrote.
    pub logs: Arc<dyn Logs>,
    /// What apps and nodes used.
    pub measurements: Arc<dyn Measurements>,
    /// The way to repositories elsewhere.
    pub git: GitClient,
    /// The time.
    pub clock: Clock,
}

impl std::fmt::Debug for Actions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Actions")
    }
}

//! The nouns of Skypanel. Values are checked when they are made, so an invalid one cannot exist.

#[macro_use]
mod text_value;

mod address;
mod alert;
mod app;
mod changes;
mod crash;
mod credential;
mod deployment;
mod digest;
mod domain;
mod drain;
pub mod friendly;
mod git_ref;
mod git_url;
mod health;
mod metering;
mod money;
mod names;
mod node;
mod notification;
mod repository;
mod tenancy;
mod wallet;
mod webhook;

pub use address::AddressFormat;
pub use alert::{Alert, AlertRule, News, Severity, Subject, SubjectKind};
pub use app::{AppStatus, Application, Formation, Plan, resolve_formation};
pub use changes::{ChangedCommit, ChangedFile, Changes, FileStatus, NoChanges, Omission, ReleaseBefore};
pub use crash::CrashStreak;
pub use credential::{ApiToken, Invitation, Session};
pub use deployment::{
    Artifact, Deployment, DeploymentStatus, NewDeployment, ReleaseVersion, Stage, StageTiming, Trigger,
};
pub use digest::Sha256Digest;
pub(crate) use domain::is_in;
pub use domain::{
    CertificateStatus, DnsRecord, Domain, DomainInstructions, DomainName, DomainRef, DomainStatus, proof_of,
};
pub use drain::{DrainAddress, DrainKind, LogDrain};
pub use git_ref::{CommitHash, GitBranch};
pub use git_url::{GitTransport, GitUrl};
pub use health::{ExpectedStatus, HealthProtocol, HealthTarget, HealthTargetChange, HealthTimes, HealthTiming};
pub use metering::{Hour, HourOfApp, Metered, Month, UsageKey, UsageLine, cost_of_hour, cost_over};
pub use money::Money;
pub use names::{AppRef, AppSlug, ConfigKey, ProcessType};
pub use node::{Node, NodeAvailability, NodeRole, NodeState};
pub use notification::{CallUrl, Notification, NotificationState, NotificationTarget, TargetAddress, TargetKind};
pub use repository::{DeploymentSource, HostKind, Repository};
pub use tenancy::{Organization, OrganizationRef, Role, SshKey, User};
pub use wallet::{LedgerEntry, LedgerKind, NewLedgerEntry, SuspensionReason, WalletThresholds};
pub use webhook::{DeliveryOutcome, PushEvent, Webhook, WebhookDelivery, WebhookProvider};

/// Declares a UUID newtype: an id of one kind of thing cannot be passed where another is meant.
macro_rules! id {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize, sqlx::Type)]
        #[serde(transparent)]
        #[sqlx(transparent)]
        pub struct $name(pub uuid::Uuid);

        impl $name {
            /// A new id; ids of one process sort by time of creation.
            #[expect(clippy::new_without_default, reason = "a default that differs at each call would surprise")]
            pub fn new() -> Self {
                Self(uuid::Uuid::now_v7())
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }
    )+};
}

id! {
    /// Id of an [`Organization`].
    OrganizationId,
    /// Id of a [`User`].
    UserId,
    /// Id of an [`Application`].
    AppId,
    /// Id of a [`Deployment`].
    DeploymentId,
    /// Id of a [`Domain`].
    DomainId,
    /// Id of a [`Plan`].
    PlanId,
    /// Id of a webhook.
    WebhookId,
    /// Id of a call of a webhook.
    WebhookDeliveryId,
    /// Id of a log drain.
    LogDrainId,
    /// Id of an [`ApiToken`].
    TokenId,
    /// Id of a [`Session`].
    SessionId,
    /// Id of an [`Invitation`].
    InvitationId,
    /// Id of an [`Alert`].
    AlertId,
    /// Id of a [`NotificationTarget`].
    TargetId,
    /// Id of a [`Notification`].
    NotificationId,
    /// Id of a live stream; a deployment's stream has the deployment's id.
    StreamId,
}

impl From<DeploymentId> for StreamId {
    fn from(id: DeploymentId) -> Self {
        Self(id.0)
    }
}

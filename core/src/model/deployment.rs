//! Deployments: each a try to change what an app runs; one that gets a version is a release.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use sqlx::types::Json;

use super::{AppId, DeploymentId, ProcessType, Sha256Digest, UserId};
use crate::Error;

text_enum! {
    /// Where a deployment is. It only moves forward, and ends in one of the last three.
    DeploymentStatus {
        /// Waits for a worker.
        Queued = "queued",
        /// The build container runs.
        Building = "building",
        /// Slug and image are being stored.
        Packaging = "packaging",
        /// The `release` process runs.
        Releasing = "releasing",
        /// Services are being rolled.
        Deploying = "deploying",
        /// It went live.
        Succeeded = "succeeded",
        /// It did not; what ran before goes on.
        Failed = "failed",
        /// Its owner stopped it, or a newer push took its place.
        Cancelled = "cancelled",
    }
}

impl DeploymentStatus {
    /// Whether nothing will change it any more.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled)
    }
}

text_enum! {
    /// What caused a deployment.
    Trigger {
        /// `git push`.
        Push = "push",
        /// `rollback`.
        Rollback = "rollback",
        /// A change of config vars.
        Config = "config",
        /// A webhook of a Git host.
        Webhook = "webhook",
        /// A call of the API: fetched, uploaded, or deployed again.
        Api = "api",
    }
}

impl Trigger {
    /// Whether it counts towards the deployments that an organisation may have within an hour. A rollback does not: it is
    /// what helps in an emergency, and builds nothing.
    pub fn is_limited(self) -> bool {
        self != Self::Rollback
    }

    /// Whether it brings a source to build, and does not run again what was built.
    pub fn builds(self) -> bool {
        matches!(self, Self::Push | Self::Webhook | Self::Api)
    }
}

text_enum! {
    /// The timed parts of a deployment, in order.
    Stage {
        /// Snapshot of the pushed commit.
        Receive = "receive",
        /// Build container.
        Build = "build",
        /// Slug and image.
        Package = "package",
        /// The `release` process.
        Release = "release",
        /// Rollout and routes.
        Deploy = "deploy",
    }
}

/// The number of a release, shown as `v12`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, sqlx::Type)]
#[sqlx(transparent)]
pub struct ReleaseVersion(pub i32);

impl fmt::Display for ReleaseVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("v{}", self.0))
    }
}

impl FromStr for ReleaseVersion {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        text.strip_prefix('v')
            .unwrap_or(text)
            .parse()
            .ok()
            .filter(|number| *number > 0)
            .map(Self)
            .ok_or_else(|| Error::Invalid(format!("{text:?} is not a release. Releases are written v1, v2, …")))
    }
}

/// What a build left behind and a rollout runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Artifact {
    /// Digest of the image manifest, served by the image endpoint.
    pub image: Sha256Digest,
    /// Digest of the slug's raw tar; none for an image built from a Dockerfile.
    pub slug: Option<Sha256Digest>,
    /// Size of the stored slug (compressed), or of the image's own layers, in bytes.
    pub bytes: u64,
    /// Names of the buildpacks used, or `dockerfile`.
    pub buildpack: String,
    /// Process types and their command lines. For a Dockerfile without a `Procfile`: `web` with an empty
    /// command line, which means the image's own entrypoint and command.
    pub processes: BTreeMap<ProcessType, String>,
}

/// A deployment as stored.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Deployment {
    /// Its id; its live stream has the same.
    pub id: DeploymentId,
    /// Of which app.
    pub application_id: AppId,
    /// Its release number, once it has one.
    pub version: Option<ReleaseVersion>,
    /// Where it is.
    pub status: DeploymentStatus,
    /// What caused it.
    pub trigger: Trigger,
    /// Full hash of the commit.
    pub git_commit: Option<String>,
    /// First line of the commit's message.
    pub git_message: Option<String>,
    /// `Name <email>` of the commit's author.
    pub git_author: Option<String>,
    /// Whether the build must start without a cache.
    pub no_cache: bool,
    /// What the release list shows, such as `Deploy 1a2b3c4` or `Set GREETING`.
    pub description: Option<String>,
    /// The release whose artifact this one runs again.
    pub parent_id: Option<DeploymentId>,
    /// See [`Artifact::image`].
    pub image_digest: Option<Sha256Digest>,
    /// See [`Artifact::slug`].
    pub slug_digest: Option<Sha256Digest>,
    /// See [`Artifact::bytes`].
    pub slug_bytes: Option<i64>,
    /// See [`Artifact::buildpack`].
    pub buildpack: Option<String>,
    /// See [`Artifact::processes`].
    pub process_types: Option<Json<BTreeMap<ProcessType, String>>>,
    /// The config version it was released with.
    pub config_version: Option<i32>,
    /// Stable code of the failure.
    pub error_code: Option<String>,
    /// The failure in words.
    pub error: Option<String>,
    /// Who caused it.
    pub created_by: Option<UserId>,
    /// When it was asked for.
    pub created_at: DateTime<Utc>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
    /// When its artifact was collected; it cannot be rolled back to after that.
    pub pruned_at: Option<DateTime<Utc>>,
    /// Under whose id its source lies: its own, or that of the deployment that it builds again. None where it is not built,
    /// and once the source is given up.
    pub source_id: Option<DeploymentId>,
}

impl Deployment {
    /// Its artifact, once the build has made one and until clean-up drops it.
    pub fn artifact(&self) -> Option<Artifact> {
        if self.pruned_at.is_some() {
            return None;
        }
        Some(Artifact {
            image: self.image_digest?,
            slug: self.slug_digest,
            bytes: u64::try_from(self.slug_bytes?).ok()?,
            buildpack: self.buildpack.clone()?,
            processes: self.process_types.clone()?.0,
        })
    }

    /// Where its source lies in the blob store.
    pub fn source_key(&self) -> crate::blob::BlobKey {
        crate::blob::BlobKey::source(self.source_id.unwrap_or(self.id))
    }
}

/// What is known of a deployment when it is asked for.
#[derive(Clone, Debug)]
pub struct NewDeployment {
    /// Its id, chosen before the source is stored under it.
    pub id: DeploymentId,
    /// Of which app.
    pub application_id: AppId,
    /// What caused it.
    pub trigger: Trigger,
    /// The pushed branch.
    pub git_branch: Option<String>,
    /// Full hash of the commit.
    pub git_commit: Option<String>,
    /// First line of the commit's message.
    pub git_message: Option<String>,
    /// `Name <email>` of the commit's author.
    pub git_author: Option<String>,
    /// Whether the build must start without a cache.
    pub no_cache: bool,
    /// What the release list shows.
    pub description: String,
    /// The release whose artifact to run again, for rollbacks; for config changes what is live now, which counts only
    /// until their turn comes.
    pub parent_id: Option<DeploymentId>,
    /// Who caused it.
    pub created_by: Option<UserId>,
}

/// When a stage ran.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct StageTiming {
    /// Which stage.
    pub stage: Stage,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it ended, if it did.
    pub finished_at: Option<DateTime<Utc>>,
    /// Whether it failed.
    pub failed: bool,
}

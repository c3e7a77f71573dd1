//! Webhooks: by which Git hosts tell that something was pushed, and what came of each call.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::types::Json;

use super::{AppId, CommitHash, DeploymentId, GitBranch, WebhookDeliveryId, WebhookId};

text_enum! {
    /// Who calls a webhook; each has its own way to sign and to tell.
    WebhookProvider {
        /// GitHub, GitHub Enterprise.
        Github = "github",
        /// GitLab.
        Gitlab = "gitlab",
        /// Gitea, Forgejo.
        Gitea = "gitea",
        /// Anything else that can sign, such as a build server's script.
        Generic = "generic",
    }
}

text_enum! {
    /// What came of a call.
    DeliveryOutcome {
        /// A deployment was queued.
        Deployed = "deployed",
        /// There was nothing to do, on purpose.
        Ignored = "ignored",
        /// It should have been deployed and could not be.
        Failed = "failed",
        /// The host tried whether the webhook answers.
        Ping = "ping",
    }
}

/// A webhook of an app, without its secret.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Webhook {
    /// Its id.
    pub id: WebhookId,
    /// The app it deploys.
    pub application_id: AppId,
    /// Who calls it.
    pub provider: WebhookProvider,
    /// The last part of its address, `/api/webhooks/<provider>/<token>`.
    pub token: String,
    /// Until when the secret before the last rotation holds, if it still does.
    pub old_secret_until: Option<DateTime<Utc>>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last called.
    pub last_delivery_at: Option<DateTime<Utc>>,
}

impl Webhook {
    /// The path it is called at.
    pub fn path(&self) -> String {
        format!("/api/webhooks/{}/{}", self.provider, self.token)
    }
}

/// A push as a host tells of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PushEvent {
    /// The branch that moved.
    pub branch: GitBranch,
    /// The commit it was on before, where the host tells; all zeros for a new branch.
    #[serde(default)]
    pub before: Option<CommitHash>,
    /// The commit it moved to; none where a generic caller names none, which means the branch's newest.
    pub commit: Option<CommitHash>,
    /// First line of that commit's message.
    pub message: Option<String>,
    /// `Name <email>` of its author.
    pub author: Option<String>,
    /// The marker in the message that asks not to deploy, such as `[skip ci]`.
    pub skip: Option<String>,
}

/// A call of a webhook.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct WebhookDelivery {
    /// Its id.
    pub id: WebhookDeliveryId,
    /// Of which webhook.
    pub webhook_id: WebhookId,
    /// The host's name for it.
    pub delivery: String,
    /// The host's word for what happened, such as `push`.
    pub event: String,
    /// What came of it.
    pub outcome: DeliveryOutcome,
    /// Why, in words.
    pub reason: String,
    /// What was pushed, if anything was.
    pub push: Option<Json<PushEvent>>,
    /// The deployment it caused.
    pub deployment_id: Option<DeploymentId>,
    /// The call a user had this repeat.
    pub replay_of: Option<WebhookDeliveryId>,
    /// When it came.
    pub received_at: DateTime<Utc>,
}

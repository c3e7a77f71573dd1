//! What users list of their credentials; never the credentials themselves.

use chrono::{DateTime, Utc};

use super::{OrganizationId, Role, SessionId, TokenId, UserId};
use crate::actions::Scope;

/// An API token.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct ApiToken {
    /// Its id.
    pub id: TokenId,
    /// Whose it is.
    pub user_id: UserId,
    /// What its owner calls it.
    pub name: String,
    /// How it begins.
    pub prefix: String,
    /// What it may be used for.
    pub scope: Scope,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it ends by itself; none for never.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<DateTime<Utc>>,
    /// Where from.
    pub last_used_address: Option<String>,
}

/// A browser session.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Session {
    /// Its id.
    pub id: SessionId,
    /// Whose it is.
    pub user_id: UserId,
    /// When they logged in.
    pub created_at: DateTime<Utc>,
    /// When it was last renewed.
    pub last_used_at: DateTime<Utc>,
    /// When it ends by itself.
    pub expires_at: DateTime<Utc>,
    /// Where from.
    pub address: Option<String>,
    /// The browser, in its own words.
    pub user_agent: Option<String>,
}

/// An invitation into an organisation that nobody has accepted yet.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Invitation {
    /// Its id.
    pub id: super::InvitationId,
    /// Into which organisation.
    pub organization_id: OrganizationId,
    /// Whom it is for.
    pub email: String,
    /// What they will be.
    pub role: Role,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it ends by itself.
    pub expires_at: DateTime<Utc>,
}

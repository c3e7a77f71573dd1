//! Organisations, users, their roles and keys.

use chrono::{DateTime, Utc};

use super::{OrganizationId, UserId};

/// A tenant: it owns apps and a wallet.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Organization {
    /// Its id.
    pub id: OrganizationId,
    /// Unique name, as used on the command line.
    pub name: String,
    /// Whether members may create apps, by an admin's word.
    pub allow_app_creation: bool,
    /// The same by an owner's word; both must allow it.
    pub owners_allow_app_creation: bool,
    /// Set while an admin or an empty wallet holds its apps.
    pub suspended_at: Option<DateTime<Utc>>,
}

/// An organisation as callers name it: by id or by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OrganizationRef {
    /// By its name.
    Name(String),
    /// By its id.
    Id(OrganizationId),
}

impl<'de> serde::Deserialize<'de> for OrganizationRef {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <String as serde::Deserialize>::deserialize(deserializer)?;
        if let Ok(id) = text.parse::<uuid::Uuid>() {
            return Ok(Self::Id(OrganizationId(id)));
        }
        // No organisation is called otherwise, and the database takes no NUL.
        if text.is_empty() || !text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-') {
            return Err(serde::de::Error::custom("an organisation is named by its name or its id"));
        }
        Ok(Self::Name(text))
    }
}

/// A person.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct User {
    /// Its id.
    pub id: UserId,
    /// Unique without regard to case.
    pub email: String,
    /// Whether it may administer the platform.
    pub is_admin: bool,
}

text_enum! {
    /// What a member may do in an organisation, least first.
    Role {
        /// Look, change nothing.
        Viewer = "viewer",
        /// Push, configure, scale.
        Developer = "developer",
        /// Everything, members and money included.
        Owner = "owner",
    }
}

/// A public key a user pushes with.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct SshKey {
    /// OpenSSH form, `SHA256:<base64>`.
    pub fingerprint: String,
    /// `ssh-ed25519 AAAA…`, without the comment.
    pub public_key: String,
    /// What the user calls it; the key's comment by default.
    pub name: String,
    /// When it last authenticated.
    pub last_used_at: Option<DateTime<Utc>>,
}

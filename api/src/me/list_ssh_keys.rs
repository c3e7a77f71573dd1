//! `GET /api/me/ssh-keys`.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::Serialize;
use skypanel_core::actions::Actions;
use skypanel_core::model::SshKey;
use utoipa::ToSchema;

use crate::http::{Answer, Caller, Listed};

/// A key that pushes and commands are recognised by.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SshKeyItem {
    /// As OpenSSH shows it.
    #[schema(example = "SHA256:nThbg6kXUpJWGl7E1IGOCspRomTxdCARLviKw6E5SY8")]
    fingerprint: String,
    /// Without the comment.
    public_key: String,
    name: String,
    /// Null if it was never used.
    last_used_at: Option<DateTime<Utc>>,
}

impl From<SshKey> for SshKeyItem {
    fn from(key: SshKey) -> Self {
        Self {
            fingerprint: key.fingerprint,
            public_key: key.public_key,
            name: key.name,
            last_used_at: key.last_used_at,
        }
    }
}

/// List SSH keys
///
/// The caller's public keys, oldest first.
#[utoipa::path(get, path = "/api/me/ssh-keys", tag = "me", responses((status = OK, body = Listed<SshKeyItem>)))]
pub(crate) async fn list_ssh_keys(State(actions): State<Actions>, caller: Caller) -> Answer<Listed<SshKeyItem>> {
    let keys = actions.ssh_keys(&caller).await?;
    Ok(Json(Listed::whole(keys.into_iter().map(SshKeyItem::from).collect())))
}

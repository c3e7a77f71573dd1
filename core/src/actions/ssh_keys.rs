//! Users' own SSH keys.

use serde_json::{Value, json};

use super::{Actions, Actor, Scope};
use crate::model::SshKey;
use crate::store::{AuditEntry, audit, tenancy};
use crate::{Error, Result};

/// Most keys of a user.
const MOST: usize = 100;

impl Actions {
    /// The actor's keys, oldest first.
    pub async fn ssh_keys(&self, actor: &Actor) -> Result<Vec<SshKey>> {
        self.store.ssh_keys(actor.user()?.id).await
    }

    /// Adds a key to the actor's: `text` is the line of a `.pub` file. A key that they have already is fine.
    pub async fn add_ssh_key(&self, actor: &Actor, text: &str, name: Option<&str>) -> Result<SshKey> {
        let user = actor.user()?;
        actor.needs(Scope::Manage)?;
        let mut key = crate::identity::parse_public_key(text).map_err(|error| match error {
            Error::Invalid(problem) => Error::field("public_key", problem),
            other => other,
        })?;
        if let Some(name) = name {
            key.name = name.chars().filter(|c| !c.is_control()).take(100).collect();
        }
        if self.store.ssh_keys(user.id).await?.len() >= MOST {
            return Err(Error::Conflict(format!("You have {MOST} keys, which is the most there can be.")));
        }
        let mut transaction = self.store.pool().begin().await?;
        tenancy::insert_ssh_key(&mut transaction, user.id, &key).await?;
        let (before, after) = (Value::Null, json!({ "fingerprint": key.fingerprint, "name": key.name }));
        let entry = AuditEntry {
            action: "ssh_key.add",
            organization: None,
            target_kind: "ssh_key",
            target: &key.fingerprint,
            before,
            after,
        };
        audit::record(&mut transaction, actor, self.clock.now(), entry).await?;
        transaction.commit().await?;
        Ok(key)
    }

    /// Takes one of the actor's keys away: it opens nothing from then on.
    pub async fn remove_ssh_key(&self, actor: &Actor, fingerprint: &str) -> Result<()> {
        let user = actor.user()?;
        actor.needs(Scope::Manage)?;
        let mut transaction = self.store.pool().begin().await?;
        if !tenancy::delete_ssh_key(&mut transaction, user.id, fingerprint).await? {
            return Err(Error::NotFound("You have no key with that fingerprint.".to_owned()));
        }
        let entry = AuditEntry {
            action: "ssh_key.remove",
            organization: None,
            target_kind: "ssh_key",
            target: fingerprint,
            before: json!({ "fingerprint": fingerprint }),
            after: Value::Null,
        };
        audit::record(&mut transaction, actor, self.clock.now(), entry).await?;
        transaction.commit().await?;
        Ok(())
    }
}

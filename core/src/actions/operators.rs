//! What the platform's operator does for people: users, their keys and their organisations.

use serde_json::{Value, json};

use super::plans::admin;
use super::{Actions, Actor};
use crate::identity::passwords;
use crate::model::{Organization, Role, SshKey, User};
use crate::store::{AuditEntry, NewUser, audit, organizations, tenancy};
use crate::{Error, Result};

impl Actions {
    /// Makes a user who is a member of an organisation, which is made if it is not there.
    pub async fn create_user(
        &self,
        actor: &Actor,
        new: NewUser<'_>,
        organization: &str,
        role: Role,
    ) -> Result<(User, Organization)> {
        admin(actor)?;
        // Takes its time, which a transaction must not.
        let hash = passwords::hash(new.password).await?;
        let is_admin = new.is_admin;
        let mut transaction = self.store.pool().begin().await?;
        let organization = self.ensured(&mut transaction, actor, organization).await?;
        let user = tenancy::insert_user(&mut transaction, new, &hash).await?;
        organizations::set_member(&mut transaction, organization.id, user.id, role).await?;
        let entry = AuditEntry {
            action: "user.create",
            organization: Some(organization.id),
            target_kind: "user",
            target: &user.id.to_string(),
            before: Value::Null,
            after: json!({
                "email": user.email, "is_admin": is_admin, "organization": organization.name, "role": role,
            }),
        };
        audit::record(&mut transaction, actor, self.clock.now(), entry).await?;
        transaction.commit().await?;
        Ok((user, organization))
    }

    /// Adds a key to a user's: `text` is the line of a `.pub` file. A key that they have already is fine.
    pub async fn add_ssh_key_of(&self, actor: &Actor, email: &str, text: &str) -> Result<SshKey> {
        admin(actor)?;
        let key = crate::identity::parse_public_key(text)?;
        let user = self.store.user(email).await?;
        let mut transaction = self.store.pool().begin().await?;
        tenancy::insert_ssh_key(&mut transaction, user.id, &key).await?;
        let entry = AuditEntry {
            action: "ssh_key.add",
            organization: None,
            target_kind: "ssh_key",
            target: &key.fingerprint,
            before: Value::Null,
            after: json!({ "fingerprint": key.fingerprint, "name": key.name, "user": user.email }),
        };
        audit::record(&mut transaction, actor, self.clock.now(), entry).await?;
        transaction.commit().await?;
        Ok(key)
    }

    /// The organisation of that name, made if it is not there; with `owner`, the user of that address owns it.
    pub async fn ensure_organization(&self, actor: &Actor, name: &str, owner: Option<&str>) -> Result<Organization> {
        admin(actor)?;
        let owner = match owner {
            Some(email) => Some(self.store.user(email).await?),
            None => None,
        };
        let mut transaction = self.store.pool().begin().await?;
        let organization = self.ensured(&mut transaction, actor, name).await?;
        if let Some(owner) = owner {
            let before: Option<(Role,)> =
                sqlx::query_as("SELECT role FROM organization_members WHERE organization_id = $1 AND user_id = $2")
                    .bind(organization.id)
                    .bind(owner.id)
                    .fetch_optional(&mut *transaction)
                    .await?;
            organizations::set_member(&mut transaction, organization.id, owner.id, Role::Owner).await?;
            let entry = AuditEntry {
                action: "member.set_role",
                organization: Some(organization.id),
                target_kind: "user",
                target: &owner.id.to_string(),
                before: json!({ "role": before.map(|(role,)| role) }),
                after: json!({ "role": Role::Owner }),
            };
            audit::record(&mut transaction, actor, self.clock.now(), entry).await?;
        }
        transaction.commit().await?;
        Ok(organization)
    }

    async fn ensured(&self, connection: &mut sqlx::PgConnection, actor: &Actor, name: &str) -> Result<Organization> {
        let found: Option<Organization> = sqlx::query_as("SELECT * FROM organizations WHERE name = $1")
            .bind(name)
            .fetch_optional(&mut *connection)
            .await?;
        if let Some(found) = found {
            return Ok(found);
        }
        let organization = organizations::insert(connection, name).await.map_err(|error| match error {
            Error::Conflict(_) => Error::Conflict(format!("Somebody else makes {name} at this moment. Try again.")),
            other => other,
        })?;
        let entry = AuditEntry {
            action: "organization.create",
            organization: Some(organization.id),
            target_kind: "organization",
            target: &organization.name,
            before: Value::Null,
            after: json!({ "name": organization.name }),
        };
        audit::record(connection, actor, self.clock.now(), entry).await?;
        Ok(organization)
    }
}

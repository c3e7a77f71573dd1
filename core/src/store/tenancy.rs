//! Organisations, users, memberships and SSH keys.

use std::collections::HashMap;

use serde_json::{Value, json};
use sqlx::PgConnection;

use super::{AuditEntry, Store, audit, device_logins, is_taken, sessions, tokens};
use crate::actions::Actor;
use crate::identity::passwords;
use crate::model::{Organization, OrganizationId, OrganizationRef, Role, SshKey, User, UserId};
use crate::{Error, Result};

/// Who a connection is: found by the key it authenticated with.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The person.
    pub user: User,
    /// Their memberships, by name of the organisation.
    pub memberships: Vec<(Organization, Role)>,
}

/// A user to create.
#[derive(Clone, Debug)]
pub struct NewUser<'a> {
    /// Unique without regard to case.
    pub email: &'a str,
    /// In clear; only its Argon2id hash is stored.
    pub password: &'a str,
    /// Whether it may administer the platform.
    pub is_admin: bool,
}

/// What went with a user's old password, and what did not.
#[derive(Clone, Debug)]
pub struct PasswordReset {
    /// Browser sessions that ended.
    pub sessions_ended: u64,
    /// Approved logins of devices that had not collected their token.
    pub device_logins_ended: u64,
    /// API tokens that were revoked.
    pub tokens_revoked: u64,
    /// Keys that still let in whoever has them.
    pub ssh_keys: Vec<SshKey>,
}

impl Store {
    /// Creates an organisation, or returns the one of that name.
    pub async fn ensure_organization(&self, name: &str) -> Result<Organization> {
        let created = sqlx::query("INSERT INTO organizations (id, name) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING")
            .bind(OrganizationId::new())
            .bind(name)
            .execute(&self.pool)
            .await;
        match created {
            Err(sqlx::Error::Database(error)) if error.is_check_violation() => {
                return Err(Error::Invalid(format!(
                    "{name:?} cannot be an organisation's name. Use up to 39 lower-case letters, digits and dashes."
                )));
            }
            other => other?,
        };
        self.organization(name).await
    }

    /// The organisation of that name.
    pub async fn organization(&self, name: &str) -> Result<Organization> {
        sqlx::query_as("SELECT * FROM organizations WHERE name = $1")
            .bind(name)
            .fetch_optional(&self.pool)
            .await?
            .ok_or_else(|| Error::NotFound(format!("There is no organisation {name:?}.")))
    }

    /// The organisation of that id or name, if there is one.
    pub async fn organization_of(&self, organization: &OrganizationRef) -> Result<Option<Organization>> {
        let (id, name) = match organization {
            OrganizationRef::Id(id) => (Some(*id), None),
            OrganizationRef::Name(name) => (None, Some(name)),
        };
        Ok(sqlx::query_as("SELECT * FROM organizations WHERE id = $1 OR name = $2")
            .bind(id)
            .bind(name)
            .fetch_optional(&self.pool)
            .await?)
    }

    /// Creates a user.
    pub async fn create_user(&self, new: NewUser<'_>) -> Result<User> {
        let hash = passwords::hash(new.password).await?;
        insert_user(&mut *self.pool.acquire().await?, new, &hash).await
    }

    /// Sets a user's password by the operator's hand. Whoever knew the old one is out: the user's sessions, API tokens and
    /// logins of devices end. SSH keys stay, since pushes depend on them.
    pub async fn reset_password(&self, email: &str, password: &str) -> Result<PasswordReset> {
        let user = self.user(email).await?;
        let hash = passwords::hash(password).await?;
        let now = self.clock.now();
        let mut transaction = self.pool.begin().await?;
        sessions::set_password(&mut transaction, user.id, &hash).await?;
        let sessions_ended = sessions::revoke(&mut transaction, user.id, sessions::Which::AllBut(None), now).await?;
        // Before the tokens: a device that collects one at this moment is waited for.
        let device_logins_ended = device_logins::take_back(&mut transaction, user.id).await?;
        let tokens_revoked = tokens::revoke_all(&mut transaction, user.id, now).await?;
        let entry = AuditEntry {
            action: "password.reset",
            organization: None,
            target_kind: "user",
            target: &user.id.to_string(),
            before: Value::Null,
            after: json!({
                "email": user.email, "sessions_ended": sessions_ended, "device_logins_ended": device_logins_ended,
                "tokens_revoked": tokens_revoked,
            }),
        };
        audit::record(&mut transaction, &Actor::system(), now, entry).await?;
        transaction.commit().await?;
        let ssh_keys = self.ssh_keys(user.id).await?;
        Ok(PasswordReset { sessions_ended, device_logins_ended, tokens_revoked, ssh_keys })
    }

    /// The user of that e-mail address.
    pub async fn user(&self, email: &str) -> Result<User> {
        sqlx::query_as("SELECT id, email, is_admin FROM users WHERE lower(email) = lower($1)")
            .bind(email)
            .fetch_optional(&self.pool)
            .await?
            .ok_or_else(|| Error::NotFound(format!("There is no user {email:?}.")))
    }

    /// E-mail addresses of users, by id; users that are gone are missing.
    pub async fn emails(&self, users: &[UserId]) -> Result<HashMap<UserId, String>> {
        let ids: Vec<uuid::Uuid> = users.iter().map(|user| user.0).collect();
        let rows: Vec<(UserId, String)> =
            sqlx::query_as("SELECT id, email FROM users WHERE id = ANY ($1)").bind(ids).fetch_all(&self.pool).await?;
        Ok(rows.into_iter().collect())
    }

    /// Whether any admin exists yet.
    pub async fn has_admin(&self) -> Result<bool> {
        let (found,) =
            sqlx::query_as("SELECT EXISTS (SELECT 1 FROM users WHERE is_admin)").fetch_one(&self.pool).await?;
        Ok(found)
    }

    /// Makes a user a member, or changes the role of one who is.
    pub async fn set_member(&self, organization: OrganizationId, user: UserId, role: Role) -> Result<()> {
        sqlx::query(
            "INSERT INTO organization_members (organization_id, user_id, role) VALUES ($1, $2, $3)
             ON CONFLICT (organization_id, user_id) DO UPDATE SET role = $3",
        )
        .bind(organization)
        .bind(user)
        .bind(role)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Adds a public key to a user. The same key twice on one user is fine; on two it is refused, because a
    /// key is how a push is told whose it is.
    pub async fn add_ssh_key(&self, user: UserId, key: &SshKey) -> Result<()> {
        insert_ssh_key(&mut *self.pool.acquire().await?, user, key).await
    }

    /// A user's keys, oldest first.
    pub async fn ssh_keys(&self, user: UserId) -> Result<Vec<SshKey>> {
        Ok(sqlx::query_as(
            "SELECT fingerprint, public_key, name, last_used_at FROM ssh_keys WHERE user_id = $1 ORDER BY created_at",
        )
        .bind(user)
        .fetch_all(&self.pool)
        .await?)
    }

    /// Whether anybody owns the key of that fingerprint. Asked before its owner has proved to hold it.
    pub async fn knows_key(&self, fingerprint: &str) -> Result<bool> {
        let (known,) = sqlx::query_as("SELECT EXISTS (SELECT 1 FROM ssh_keys WHERE fingerprint = $1)")
            .bind(fingerprint)
            .fetch_one(&self.pool)
            .await?;
        Ok(known)
    }

    /// Who owns the key of that fingerprint, if anybody does. Notes that it was used.
    pub async fn identify(&self, fingerprint: &str) -> Result<Option<Identity>> {
        let user: Option<User> = sqlx::query_as(
            "WITH used AS (UPDATE ssh_keys SET last_used_at = now() WHERE fingerprint = $1 RETURNING user_id)
             SELECT users.id, email, is_admin FROM users JOIN used ON used.user_id = users.id
             WHERE disabled_at IS NULL",
        )
        .bind(fingerprint)
        .fetch_optional(&self.pool)
        .await?;
        let Some(user) = user else { return Ok(None) };
        let memberships = memberships(&mut *self.pool.acquire().await?, user.id).await?;
        Ok(Some(Identity { user, memberships }))
    }

    /// A user with their memberships; none if they are gone or disabled.
    pub async fn identity(&self, user: UserId) -> Result<Option<Identity>> {
        identity(&mut *self.pool.acquire().await?, user).await
    }
}

/// A user with their memberships; none if they are gone or disabled.
pub(crate) async fn identity(connection: &mut PgConnection, user: UserId) -> Result<Option<Identity>> {
    let found: Option<User> =
        sqlx::query_as("SELECT id, email, is_admin FROM users WHERE id = $1 AND disabled_at IS NULL")
            .bind(user)
            .fetch_optional(&mut *connection)
            .await?;
    let Some(user) = found else { return Ok(None) };
    let memberships = memberships(connection, user.id).await?;
    Ok(Some(Identity { user, memberships }))
}

async fn memberships(connection: &mut PgConnection, user: UserId) -> Result<Vec<(Organization, Role)>> {
    #[derive(sqlx::FromRow)]
    struct Membership {
        #[sqlx(flatten)]
        organization: Organization,
        role: Role,
    }
    let rows: Vec<Membership> = sqlx::query_as(
        "SELECT organizations.*, role FROM organization_members
         JOIN organizations ON organizations.id = organization_id WHERE user_id = $1 ORDER BY name",
    )
    .bind(user)
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| (row.organization, row.role)).collect())
}

/// Whether that can be an e-mail address. Only a message to it would tell whether it is one.
pub(crate) fn is_email(text: &str) -> bool {
    let parts = text.split_once('@');
    parts.is_some_and(|(name, host)| !name.is_empty() && !host.is_empty() && !host.contains('@'))
        && text.len() <= 254
        && !text.chars().any(|c| c.is_whitespace() || c.is_control())
}

/// Creates a user. `hash` is that of the password, made before: that takes a while, and waits for others that do the
/// same.
pub(crate) async fn insert_user(connection: &mut PgConnection, new: NewUser<'_>, hash: &str) -> Result<User> {
    if !is_email(new.email) {
        return Err(Error::Invalid(format!("{:?} is not an e-mail address.", new.email)));
    }
    let created = sqlx::query_as(
        "INSERT INTO users (id, email, password_hash, is_admin) VALUES ($1, $2, $3, $4) RETURNING id, email, is_admin",
    )
    .bind(UserId::new())
    .bind(new.email)
    .bind(hash)
    .bind(new.is_admin)
    .fetch_one(connection)
    .await;
    match created {
        Err(error) if is_taken(&error) => Err(Error::Conflict(format!("There is a user {} already.", new.email))),
        other => Ok(other?),
    }
}

/// Adds a public key to a user, unless it is another's.
pub(crate) async fn insert_ssh_key(connection: &mut PgConnection, user: UserId, key: &SshKey) -> Result<()> {
    let (owner,): (UserId,) = sqlx::query_as(
        "INSERT INTO ssh_keys (id, user_id, fingerprint, public_key, name) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (fingerprint) DO UPDATE SET fingerprint = excluded.fingerprint RETURNING user_id",
    )
    .bind(uuid::Uuid::now_v7())
    .bind(user)
    .bind(&key.fingerprint)
    .bind(&key.public_key)
    .bind(&key.name)
    .fetch_one(connection)
    .await?;
    if owner == user {
        return Ok(());
    }
    Err(Error::Conflict("That key belongs to another user already. Use one key per person.".to_owned()))
}

/// Takes a key from a user; false if it is none of theirs.
pub(crate) async fn delete_ssh_key(connection: &mut PgConnection, user: UserId, fingerprint: &str) -> Result<bool> {
    let done = sqlx::query("DELETE FROM ssh_keys WHERE user_id = $1 AND fingerprint = $2")
        .bind(user)
        .bind(fingerprint)
        .execute(connection)
        .await?;
    Ok(done.rows_affected() > 0)
}

//! What admins of the platform do with users: who administers, who is locked out; and what was done by whom.

use serde_json::json;

use super::plans::admin;
use super::{Actions, Actor};
use crate::model::UserId;
use crate::store::{AdminUser, AuditEntry, AuditFilter, AuditLine, audit};
use crate::{Error, Result};

/// What an admin changes about a user. What is none stays as it is.
#[derive(Clone, Copy, Debug, Default)]
pub struct UserChange {
    /// Whether they administer the platform.
    pub is_admin: Option<bool>,
    /// Whether they are locked out.
    pub disabled: Option<bool>,
}

impl Actions {
    /// Users by e-mail address, for admins.
    pub async fn admin_users(
        &self,
        actor: &Actor,
        search: Option<&str>,
        after: Option<&str>,
        rows: i64,
    ) -> Result<Vec<AdminUser>> {
        admin(actor)?;
        self.store.admin_users(search, after, rows).await
    }

    /// Changes what a user may do. Somebody who is locked out is refused from then on, whichever way they come; their
    /// sessions end, and the invitations they made are taken back. The platform keeps one admin at least, and nobody
    /// locks themselves out.
    pub async fn change_user(&self, actor: &Actor, user: UserId, change: UserChange) -> Result<AdminUser> {
        admin(actor)?;
        let now = self.clock.now();
        let mut transaction = self.store.pool().begin().await?;
        // All admins, so that two who demote each other cannot both succeed.
        sqlx::query("SELECT id FROM users WHERE is_admin OR id = $1 ORDER BY id FOR NO KEY UPDATE")
            .bind(user)
            .execute(&mut *transaction)
            .await?;
        let found: Option<(bool, bool)> =
            sqlx::query_as("SELECT is_admin, disabled_at IS NOT NULL FROM users WHERE id = $1")
                .bind(user)
                .fetch_optional(&mut *transaction)
                .await?;
        let (was_admin, was_disabled) = found.ok_or_else(|| Error::NotFound("There is no such user.".to_owned()))?;
        let (is_admin, disabled) = (change.is_admin.unwrap_or(was_admin), change.disabled.unwrap_or(was_disabled));
        if disabled && actor.user_id() == Some(user) {
            return Err(Error::field("disabled", "You cannot lock yourself out. Another admin can."));
        }
        if (is_admin, disabled) == (was_admin, was_disabled) {
            drop(transaction);
            return self.store.admin_user(user).await;
        }
        sqlx::query(
            "UPDATE users SET is_admin = $2,
                 disabled_at = CASE WHEN $3 THEN coalesce(disabled_at, $4) END WHERE id = $1",
        )
        .bind(user)
        .bind(is_admin)
        .bind(disabled)
        .bind(now)
        .execute(&mut *transaction)
        .await?;
        let (admins,): (i64,) = sqlx::query_as("SELECT count(*) FROM users WHERE is_admin AND disabled_at IS NULL")
            .fetch_one(&mut *transaction)
            .await?;
        if admins == 0 {
            return Err(Error::Conflict("The platform needs an admin. Make somebody else one first.".to_owned()));
        }
        if disabled && !was_disabled {
            sqlx::query("UPDATE user_sessions SET revoked_at = $2 WHERE user_id = $1 AND revoked_at IS NULL")
                .bind(user)
                .bind(now)
                .execute(&mut *transaction)
                .await?;
            self.take_back_invitations_of(&mut transaction, actor, None, user).await?;
        }
        let entry = AuditEntry {
            action: "user.change",
            organization: None,
            target_kind: "user",
            target: &user.to_string(),
            before: json!({ "is_admin": was_admin, "disabled": was_disabled }),
            after: json!({ "is_admin": is_admin, "disabled": disabled }),
        };
        audit::record(&mut transaction, actor, now, entry).await?;
        transaction.commit().await?;
        self.store.admin_user(user).await
    }

    /// The audit log, newest first, from before the line `before` on, for admins.
    pub async fn audit_log(
        &self,
        actor: &Actor,
        filter: &AuditFilter,
        before: Option<i64>,
        rows: i64,
    ) -> Result<Vec<AuditLine>> {
        admin(actor)?;
        self.store.audit_log(filter, before, rows).await
    }
}

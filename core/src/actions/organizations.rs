//! Organisations and their members.

use serde_json::{Value, json};

use super::{Actions, Actor, Scope};
use crate::model::{Organization, OrganizationId, OrganizationRef, Role, UserId};
use crate::store::organizations::{self, Member};
use crate::store::{Access, AuditEntry, audit};
use crate::{Error, Result};

/// Most organisations that a user who is no admin may own.
const MOST_OWNED: usize = 20;

impl Actions {
    /// Makes an organisation that the actor owns.
    pub async fn create_organization(&self, actor: &Actor, name: &str) -> Result<Organization> {
        let user = actor.user()?;
        actor.needs(Scope::Manage)?;
        let owned = actor.identity.iter().flat_map(|identity| &identity.memberships);
        let owned = owned.filter(|(_, role)| *role == Role::Owner).count();
        if owned >= MOST_OWNED && !actor.is_admin() {
            return Err(Error::Conflict(format!("You own {owned} organisations, which is the most there can be.")));
        }
        let mut transaction = self.store.pool().begin().await?;
        let organization = organizations::insert(&mut transaction, name).await?;
        organizations::set_member(&mut transaction, organization.id, user.id, Role::Owner).await?;
        let entry = AuditEntry {
            action: "organization.create",
            organization: Some(organization.id),
            target_kind: "organization",
            target: &organization.name,
            before: Value::Null,
            after: json!({ "name": organization.name }),
        };
        audit::record(&mut transaction, actor, self.clock.now(), entry).await?;
        transaction.commit().await?;
        Ok(organization)
    }

    /// Sets whether members may create apps by pushing.
    pub async fn set_app_creation(&self, actor: &Actor, name: &OrganizationRef, allow: bool) -> Result<Organization> {
        let before = self.organization_for(actor, name, Access::Own).await?;
        let mut transaction = self.store.pool().begin().await?;
        let after = organizations::set_app_creation(&mut transaction, before.id, allow).await?;
        let entry = AuditEntry {
            action: "organization.update",
            organization: Some(before.id),
            target_kind: "organization",
            target: &before.name,
            before: json!({ "allow_app_creation": before.allow_app_creation }),
            after: json!({ "allow_app_creation": allow }),
        };
        audit::record(&mut transaction, actor, self.clock.now(), entry).await?;
        transaction.commit().await?;
        Ok(after)
    }

    /// A page of an organisation's members, by e-mail address.
    pub async fn members(
        &self,
        actor: &Actor,
        name: &OrganizationRef,
        after: Option<&str>,
        most: i64,
    ) -> Result<Vec<Member>> {
        let organization = self.organization_for(actor, name, Access::Read).await?;
        self.store.members(organization.id, after, most).await
    }

    /// Changes a member's role. The last owner stays one.
    pub async fn set_role(&self, actor: &Actor, name: &OrganizationRef, user: UserId, role: Role) -> Result<Member> {
        let organization = self.organization_for(actor, name, Access::Own).await?;
        let mut transaction = self.store.pool().begin().await?;
        organizations::hold_members(&mut transaction, organization.id).await?;
        let before = organizations::role(&mut transaction, organization.id, user).await?.ok_or_else(no_member)?;
        if before == Role::Owner && role != Role::Owner {
            self.keep_an_owner(&mut transaction, &organization).await?;
        }
        organizations::set_member(&mut transaction, organization.id, user, role).await?;
        let (before, after) = (json!({ "role": before }), json!({ "role": role }));
        self.note_member(&mut transaction, actor, "member.role", organization.id, user, (before, after)).await?;
        transaction.commit().await?;
        let members = self.store.members(organization.id, None, i64::MAX).await?;
        members.into_iter().find(|member| member.user_id == user).ok_or_else(no_member)
    }

    /// Takes a member out; anyone may leave. The last owner cannot.
    pub async fn remove_member(&self, actor: &Actor, name: &OrganizationRef, user: UserId) -> Result<()> {
        let leaves = actor.user_id() == Some(user);
        let access = if leaves { Access::Read } else { Access::Own };
        let organization = self.organization_for(actor, name, access).await?;
        actor.needs(Scope::Manage)?;
        let mut transaction = self.store.pool().begin().await?;
        organizations::hold_members(&mut transaction, organization.id).await?;
        let role = organizations::role(&mut transaction, organization.id, user).await?.ok_or_else(no_member)?;
        if role == Role::Owner {
            self.keep_an_owner(&mut transaction, &organization).await?;
        }
        organizations::remove_member(&mut transaction, organization.id, user).await?;
        let change = (json!({ "role": role }), Value::Null);
        self.note_member(&mut transaction, actor, "member.remove", organization.id, user, change).await?;
        transaction.commit().await?;
        Ok(())
    }

    async fn keep_an_owner(&self, connection: &mut sqlx::PgConnection, organization: &Organization) -> Result<()> {
        if organizations::owners(connection, organization.id).await? > 1 {
            return Ok(());
        }
        Err(Error::Conflict(format!(
            "\"{}\" would have no owner any more. Make another member an owner first.",
            organization.name
        )))
    }

    pub(crate) async fn note_member(
        &self,
        connection: &mut sqlx::PgConnection,
        actor: &Actor,
        action: &'static str,
        organization: OrganizationId,
        user: UserId,
        (before, after): (Value, Value),
    ) -> Result<()> {
        let entry = AuditEntry {
            action,
            organization: Some(organization),
            target_kind: "user",
            target: &user.to_string(),
            before,
            after,
        };
        audit::record(connection, actor, self.clock.now(), entry).await
    }
}

fn no_member() -> Error {
    Error::NotFound("There is no such member.".to_owned())
}

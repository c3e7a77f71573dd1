//! Organisations and their members.

use serde_json::{Value, json};

use super::{Actions, Actor, Scope};
use crate::model::{Organization, OrganizationId, OrganizationRef, Role, UserId};
use crate::store::organizations::{self, Member};
use crate::store::{Access, AuditEntry, audit, sessions};
use crate::{Error, Result};

impl Actions {
    /// Makes an organisation that the actor owns.
    pub async fn create_organization(&self, actor: &Actor, name: &str) -> Result<Organization> {
        let user = actor.user()?;
        actor.needs(Scope::Manage)?;
        let most = self.store.settings().await?.limits_owned_organizations;
        let mut transaction = self.store.pool().begin().await?;
        // One after the other, so that two at once are two.
        sessions::hold_account(&mut transaction, user.id).await?;
        let owned = organizations::owned(&mut transaction, user.id).await?;
        if !actor.is_admin() && most == 0 {
            return Err(Error::Forbidden("Organisations are made by admins here. Ask one for it.".to_owned()));
        }
        if !actor.is_admin() && owned >= most {
            return Err(Error::Conflict(format!(
                "You own {owned} organisation(s), and {most} is the most. Ask an admin for another one."
            )));
        }
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

    /// Sets whether members may create apps, as far as it is for owners to say.
    pub async fn set_app_creation(&self, actor: &Actor, name: &OrganizationRef, allow: bool) -> Result<Organization> {
        let id = self.organization_for(actor, name, Access::Own).await?.id;
        let mut transaction = self.store.pool().begin().await?;
        organizations::hold_members(&mut transaction, id).await?;
        let missing = || Error::NotFound("There is no such organisation any more.".to_owned());
        let before = organizations::by_id(&mut transaction, id).await?.ok_or_else(missing)?;
        let after = organizations::set_app_creation(&mut transaction, id, allow).await?;
        let entry = AuditEntry {
            action: "organization.update",
            organization: Some(id),
            target_kind: "organization",
            target: &before.name,
            before: json!({ "owners_allow_app_creation": before.owners_allow_app_creation }),
            after: json!({ "owners_allow_app_creation": allow }),
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
        let mut members = self.store.members(organization.id, after, most).await?;
        // Who has no second factor is the better one to guess at: owners look after that, and everybody for themselves.
        if actor.role_in(organization.id) < Some(Role::Owner) {
            for member in members.iter_mut().filter(|member| actor.user_id() != Some(member.user_id)) {
                member.second_factor = None;
            }
        }
        Ok(members)
    }

    /// Changes a member's role. The last owner stays one; who is none any more, their invitations are taken back.
    pub async fn set_role(&self, actor: &Actor, name: &OrganizationRef, user: UserId, role: Role) -> Result<Member> {
        let organization = self.organization_for(actor, name, Access::Own).await?;
        let mut transaction = self.store.pool().begin().await?;
        organizations::hold_members(&mut transaction, organization.id).await?;
        let before = organizations::role(&mut transaction, organization.id, user).await?.ok_or_else(no_member)?;
        if before == Role::Owner && role != Role::Owner {
            self.keep_another_owner(&mut transaction, &organization, user).await?;
            self.take_back_invitations_of(&mut transaction, actor, Some(organization.id), user).await?;
        }
        organizations::set_member(&mut transaction, organization.id, user, role).await?;
        let (before, after) = (json!({ "role": before }), json!({ "role": role }));
        self.note_member(&mut transaction, actor, "member.role", organization.id, user, (before, after)).await?;
        transaction.commit().await?;
        let members = self.store.members(organization.id, None, i64::MAX).await?;
        members.into_iter().find(|member| member.user_id == user).ok_or_else(no_member)
    }

    /// Takes a member out, and back the invitations they made; anyone may leave. The last owner cannot.
    pub async fn remove_member(&self, actor: &Actor, name: &OrganizationRef, user: UserId) -> Result<()> {
        let leaves = actor.user_id() == Some(user);
        let access = if leaves { Access::Read } else { Access::Own };
        let organization = self.organization_for(actor, name, access).await?;
        actor.needs(Scope::Manage)?;
        let mut transaction = self.store.pool().begin().await?;
        organizations::hold_members(&mut transaction, organization.id).await?;
        let role = organizations::role(&mut transaction, organization.id, user).await?.ok_or_else(no_member)?;
        if role == Role::Owner {
            self.keep_another_owner(&mut transaction, &organization, user).await?;
        }
        organizations::remove_member(&mut transaction, organization.id, user).await?;
        self.take_back_invitations_of(&mut transaction, actor, Some(organization.id), user).await?;
        let change = (json!({ "role": role }), Value::Null);
        self.note_member(&mut transaction, actor, "member.remove", organization.id, user, change).await?;
        transaction.commit().await?;
        Ok(())
    }

    async fn keep_another_owner(
        &self,
        connection: &mut sqlx::PgConnection,
        organization: &Organization,
        user: UserId,
    ) -> Result<()> {
        if organizations::has_another_owner(connection, organization.id, user).await? {
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

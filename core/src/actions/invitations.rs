//! Invitations into organisations: made by an owner, accepted by whoever has the e-mail address and the link.

use std::net::IpAddr;

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{Actions, Actor, Scope};
use crate::credentials::{self, Credential};
use crate::identity::passwords;
use crate::model::{Invitation, InvitationId, Organization, OrganizationId, OrganizationRef, Role, User, UserId};
use crate::store::auth_failures::Guard;
use crate::store::{Access, AuditEntry, NewUser, audit, organizations, tenancy};
use crate::{Error, Result};

/// How long an invitation can be accepted.
const LIFETIME: TimeDelta = TimeDelta::days(7);
/// Most open invitations of an organisation.
const MOST: usize = 100;

impl Actions {
    /// Invites someone. The credential is part of the link that the actor passes on; a later invitation to the same
    /// address takes the place of an earlier one.
    pub async fn invite(
        &self,
        actor: &Actor,
        name: &OrganizationRef,
        email: &str,
        role: Role,
    ) -> Result<(Invitation, Credential)> {
        let organization = self.organization_for(actor, name, Access::Own).await?;
        let email = email.trim();
        if !tenancy::is_email(email) {
            return Err(Error::field("email", "That is not an e-mail address."));
        }
        let now = self.clock.now();
        if self.store.invitations(organization.id, now).await?.len() >= MOST {
            return Err(Error::Conflict(format!("There are {MOST} open invitations. Take some back first.")));
        }
        let members = self.store.members(organization.id, None, i64::MAX).await?;
        if members.iter().any(|member| member.email.eq_ignore_ascii_case(email)) {
            return Err(Error::Conflict(format!("{email} is a member already. Change the role instead.")));
        }
        let invitation = Invitation {
            id: InvitationId::new(),
            organization_id: organization.id,
            email: email.to_owned(),
            role,
            created_at: now,
            expires_at: now + LIFETIME,
        };
        let credential = Credential::new("ski_");
        let mut transaction = self.store.pool().begin().await?;
        organizations::invite(&mut transaction, &invitation, &credential.hash(), actor.user_id()).await?;
        self.note_invitation(&mut transaction, actor, "invitation.create", &invitation).await?;
        transaction.commit().await?;
        Ok((invitation, credential))
    }

    /// Invitations of an organisation that can be accepted.
    pub async fn invitations(&self, actor: &Actor, name: &OrganizationRef) -> Result<Vec<Invitation>> {
        let organization = self.organization_for(actor, name, Access::Own).await?;
        self.store.invitations(organization.id, self.clock.now()).await
    }

    /// Takes an invitation back.
    pub async fn take_back_invitation(
        &self,
        actor: &Actor,
        name: &OrganizationRef,
        invitation: InvitationId,
    ) -> Result<()> {
        let organization = self.organization_for(actor, name, Access::Own).await?;
        let mut transaction = self.store.pool().begin().await?;
        let found = organizations::uninvite(&mut transaction, organization.id, invitation, self.clock.now()).await?;
        self.note_invitation(&mut transaction, actor, "invitation.revoke", &found).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// What whoever has the link is invited to, and whether there is an account for the invited address.
    pub async fn invitation_of(
        &self,
        presented: &str,
        address: Option<IpAddr>,
    ) -> Result<(Invitation, Organization, bool)> {
        let invitation = self.open_invitation(&credentials::hash(presented), address).await?;
        let organization =
            self.store.organization_by_id(invitation.organization_id).await?.ok_or_else(no_invitation)?;
        let has_account = self.store.account(&invitation.email).await?.is_some();
        Ok((invitation, organization, has_account))
    }

    /// Makes the actor, whose address must be the invited one, a member.
    pub async fn accept_invitation(&self, actor: &Actor, presented: &str) -> Result<(Organization, Role)> {
        let user = actor.user()?;
        actor.needs(Scope::Manage)?;
        let hash = credentials::hash(presented);
        let invitation = self.open_invitation(&hash, actor.address).await?;
        let mut transaction = self.store.pool().begin().await?;
        let invitation = self.accepted(&mut transaction, invitation.organization_id, &hash).await?;
        if !invitation.email.eq_ignore_ascii_case(&user.email) {
            return Err(Error::Forbidden(format!(
                "That invitation is for another e-mail address than yours, {}. Ask for one to yours.",
                user.email
            )));
        }
        let joined = self.join(&mut transaction, actor, user, &invitation).await?;
        transaction.commit().await?;
        Ok(joined)
    }

    /// Makes an account for someone who was invited and has none, and makes them a member.
    pub async fn sign_up(
        &self,
        presented: &str,
        password: &str,
        address: Option<IpAddr>,
        request_id: Option<String>,
    ) -> Result<(User, Organization, Role)> {
        passwords::check(password)?;
        let hash = credentials::hash(presented);
        let invitation = self.open_invitation(&hash, address).await?;
        if self.store.account(&invitation.email).await?.is_some() {
            return Err(Error::Conflict(format!(
                "There is an account for {} already. Log in, then accept the invitation.",
                invitation.email
            )));
        }
        let password_hash = passwords::hash(password).await?;
        let mut transaction = self.store.pool().begin().await?;
        let invitation = self.accepted(&mut transaction, invitation.organization_id, &hash).await?;
        let new = NewUser { email: &invitation.email, password, is_admin: false };
        let user = tenancy::insert_user(&mut transaction, new, &password_hash).await?;
        let identity = crate::store::Identity { user: user.clone(), memberships: Vec::new() };
        let actor = Actor::browser(identity, address, request_id);
        let entry = AuditEntry {
            action: "user.create",
            organization: None,
            target_kind: "user",
            target: &user.id.to_string(),
            before: Value::Null,
            after: json!({ "email": user.email }),
        };
        audit::record(&mut transaction, &actor, self.clock.now(), entry).await?;
        let (organization, role) = self.join(&mut transaction, &actor, &user, &invitation).await?;
        transaction.commit().await?;
        Ok((user, organization, role))
    }

    /// The invitation of that hash, if it can be accepted. Tries are counted by the address they come from.
    async fn open_invitation(&self, hash: &[u8], address: Option<IpAddr>) -> Result<Invitation> {
        let now = self.clock.now();
        self.store.count_try(&Guard::address("invitation", address), now).await?;
        self.store.open_invitation(hash, now).await?.ok_or_else(no_invitation)
    }

    /// Uses up the invitation of that hash.
    async fn accepted(
        &self,
        connection: &mut sqlx::PgConnection,
        organization: OrganizationId,
        hash: &[u8],
    ) -> Result<Invitation> {
        // The members before the invitation, like whoever takes a member out with the invitations they made.
        organizations::hold_members(connection, organization).await?;
        organizations::accept(connection, hash, self.clock.now()).await?.ok_or_else(no_invitation)
    }

    /// Takes back the open invitations that a user made or was sent, in one organisation or in all: by none of them
    /// they come back.
    pub(super) async fn take_back_invitations_of(
        &self,
        connection: &mut sqlx::PgConnection,
        actor: &Actor,
        organization: Option<OrganizationId>,
        user: UserId,
    ) -> Result<()> {
        for invitation in organizations::uninvite_by(connection, organization, user, self.clock.now()).await? {
            self.note_invitation(connection, actor, "invitation.revoke", &invitation).await?;
        }
        Ok(())
    }

    async fn join(
        &self,
        connection: &mut sqlx::PgConnection,
        actor: &Actor,
        user: &User,
        invitation: &Invitation,
    ) -> Result<(Organization, Role)> {
        let id = invitation.organization_id;
        // Someone who was made a member meanwhile keeps the larger of both roles.
        let role = organizations::role(connection, id, user.id).await?.unwrap_or(invitation.role).max(invitation.role);
        organizations::set_member(connection, id, user.id, role).await?;
        let change = (Value::Null, json!({ "role": role }));
        self.note_member(connection, actor, "member.add", id, user.id, change).await?;
        let organization = organizations::by_id(connection, id).await?.ok_or_else(no_invitation)?;
        Ok((organization, role))
    }

    async fn note_invitation(
        &self,
        connection: &mut sqlx::PgConnection,
        actor: &Actor,
        action: &'static str,
        invitation: &Invitation,
    ) -> Result<()> {
        let entry = AuditEntry {
            action,
            organization: Some(invitation.organization_id),
            target_kind: "invitation",
            target: &invitation.id.to_string(),
            before: Value::Null,
            after: json!({ "email": invitation.email, "role": invitation.role }),
        };
        audit::record(connection, actor, self.clock.now(), entry).await
    }
}

fn no_invitation() -> Error {
    Error::NotFound("That invitation is unknown, used, taken back or too old. Ask for another one.".to_owned())
}

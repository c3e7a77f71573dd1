//! Who does something, and how they came in.

use std::net::IpAddr;

use chrono::{DateTime, Utc};

use crate::model::{AppRef, AppSlug, Application, Organization, OrganizationId, OrganizationRef, Role};
use crate::store::{Access, Identity, TokenHolder};
use crate::{Error, Result};

text_enum! {
    /// What a credential may be used for, least first. Browser sessions and SSH keys may do everything that their
    /// user may.
    Scope {
        /// Look.
        Read = "read",
        /// Also deploy, configure, scale, restart.
        Deploy = "deploy",
        /// Everything its user may.
        Manage = "manage",
    }
}

text_enum! {
    /// The way an actor came in.
    Via {
        /// An SSH command or push.
        Ssh = "ssh",
        /// The dashboard.
        Browser = "browser",
        /// An API token.
        Token = "token",
        /// A Git host's call.
        Webhook = "webhook",
        /// The platform itself, or its operator on the host.
        System = "system",
    }
}

/// Who does something.
#[derive(Clone, Debug)]
pub struct Actor {
    /// The person, with their memberships; nobody for what the platform does by itself.
    pub identity: Option<Identity>,
    /// What their credential may be used for.
    pub scope: Scope,
    /// When it ends by itself, if it is a token that does.
    pub ends_at: Option<DateTime<Utc>>,
    /// The way they came in.
    pub via: Via,
    /// Where from.
    pub address: Option<IpAddr>,
    /// The request this is part of, as in logs and errors.
    pub request_id: Option<String>,
}

impl Actor {
    /// The platform itself.
    pub fn system() -> Self {
        Self { identity: None, scope: Scope::Manage, ends_at: None, via: Via::System, address: None, request_id: None }
    }

    /// A user whose SSH key was recognised.
    pub fn ssh(identity: Identity, address: Option<IpAddr>) -> Self {
        let identity = Some(identity);
        Self { identity, scope: Scope::Manage, ends_at: None, via: Via::Ssh, address, request_id: None }
    }

    /// A user, by an API token.
    pub fn token(holder: TokenHolder, address: Option<IpAddr>, request_id: Option<String>) -> Self {
        let TokenHolder { identity, scope, expires_at } = holder;
        Self { identity: Some(identity), scope, ends_at: expires_at, via: Via::Token, address, request_id }
    }

    /// A user, by a browser session.
    pub fn browser(identity: Identity, address: Option<IpAddr>, request_id: Option<String>) -> Self {
        let identity = Some(identity);
        Self { identity, scope: Scope::Manage, ends_at: None, via: Via::Browser, address, request_id }
    }

    /// The user. The platform itself is none, and has nothing of its own to ask for.
    pub fn user(&self) -> Result<&crate::model::User> {
        self.identity
            .as_ref()
            .map(|identity| &identity.user)
            .ok_or_else(|| Error::Forbidden("Only a user can do this, not the platform itself.".to_owned()))
    }

    /// Checks that their credential may be used for `scope`.
    pub fn needs(&self, scope: Scope) -> Result<()> {
        if self.scope >= scope {
            return Ok(());
        }
        Err(Error::Forbidden(format!("This token has the scope \"{}\"; this needs the scope \"{scope}\".", self.scope)))
    }

    /// The user's id, for what is recorded.
    pub fn user_id(&self) -> Option<crate::model::UserId> {
        self.identity.as_ref().map(|identity| identity.user.id)
    }

    /// Whether this is the platform itself or one of its admins with a credential that may do everything.
    pub fn is_admin(&self) -> bool {
        self.identity.as_ref().map_or(self.via == Via::System, |identity| identity.user.is_admin)
            && self.scope == Scope::Manage
    }

    /// Their role in an organisation; admins of the platform own all of them.
    pub fn role_in(&self, organization: OrganizationId) -> Option<Role> {
        let member = self.identity.as_ref().and_then(|identity| {
            identity.memberships.iter().find(|(org, _)| org.id == organization).map(|(_, role)| *role)
        });
        if self.is_admin() { Some(Role::Owner) } else { member }
    }

    /// Checks that they may have `access` to things of an organisation. `missing` is what an outsider is told: to
    /// them, the thing does not exist.
    pub fn check(&self, organization: OrganizationId, access: Access, missing: impl FnOnce() -> Error) -> Result<()> {
        let Some(role) = self.role_in(organization) else { return Err(missing()) };
        let (role_needed, scope_needed) = match access {
            Access::Read => (Role::Viewer, Scope::Read),
            Access::Change => (Role::Developer, Scope::Deploy),
            Access::Own => (Role::Owner, Scope::Manage),
        };
        if role < role_needed {
            return Err(Error::Forbidden(format!(
                "You are a {role} of this organisation; this needs the role {role_needed}. Ask an owner for it."
            )));
        }
        self.needs(scope_needed)
    }
}

impl super::Actions {
    /// The app of that slug, if the actor may have `access` to it. To anyone outside its organisation it does not
    /// exist.
    pub async fn app(&self, actor: &Actor, slug: &AppSlug, access: Access) -> Result<Application> {
        let app = self.store.app_by_slug(slug).await?;
        Self::checked(actor, app, access, || {
            Error::NotFound(format!(
                "There is no app \"{slug}\" that you have access to. `apps` lists yours; `apps:create {slug}` makes it."
            ))
        })
    }

    /// The same for an app named by slug or id.
    pub async fn app_of(&self, actor: &Actor, app: &AppRef, access: Access) -> Result<Application> {
        match app {
            AppRef::Slug(slug) => self.app(actor, slug, access).await,
            AppRef::Id(id) => Self::checked(actor, self.store.app_by_id(*id).await?, access, || {
                Error::NotFound("There is no app of that id that you have access to.".to_owned())
            }),
        }
    }

    /// The organisation of that name or id, if the actor may have `access` to it. To anyone outside it does not exist.
    pub async fn organization_for(
        &self,
        actor: &Actor,
        organization: &OrganizationRef,
        access: Access,
    ) -> Result<Organization> {
        let missing = || Error::NotFound("There is no such organisation that you have access to.".to_owned());
        let found = self.store.organization_of(organization).await?.ok_or_else(missing)?;
        actor.check(found.id, access, missing)?;
        Ok(found)
    }

    fn checked(
        actor: &Actor,
        app: Option<Application>,
        access: Access,
        missing: impl Fn() -> Error,
    ) -> Result<Application> {
        let app = app.ok_or_else(&missing)?;
        actor.check(app.organization_id, access, missing)?;
        let slug = &app.slug;
        if app.status == crate::model::AppStatus::Deleting && access != Access::Read {
            return Err(Error::Conflict(format!("The app \"{slug}\" is being destroyed.")));
        }
        Ok(app)
    }
}

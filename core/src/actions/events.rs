//! What happened, for those who may look.

use super::{Actions, Actor};
use crate::Result;
use crate::model::{AppRef, OrganizationRef};
use crate::store::{Access, AuditFilter, AuditLine, EventView};

impl Actions {
    /// What happened to an app, newest first, from before the event `before` on.
    pub async fn app_events(
        &self,
        actor: &Actor,
        app: &AppRef,
        before: Option<i64>,
        rows: i64,
    ) -> Result<Vec<EventView>> {
        let app = self.app_of(actor, app, Access::Read).await?;
        self.store.app_events(app.id, before, rows).await
    }

    /// What happened to an organisation and its apps, likewise.
    pub async fn organization_events(
        &self,
        actor: &Actor,
        organization: &OrganizationRef,
        before: Option<i64>,
        rows: i64,
    ) -> Result<Vec<EventView>> {
        let organization = self.organization_for(actor, organization, Access::Read).await?;
        self.store.organization_events(organization.id, before, rows).await
    }

    /// What was done in an organisation, by whom and from where, newest first, from before the line `before` on, for its
    /// owners. `action` is as in [`AuditFilter`].
    pub async fn organization_audit(
        &self,
        actor: &Actor,
        organization: &OrganizationRef,
        action: Option<String>,
        before: Option<i64>,
        rows: i64,
    ) -> Result<Vec<AuditLine>> {
        let organization = self.organization_for(actor, organization, Access::Own).await?;
        let filter = AuditFilter { organization: Some(organization.id), action, ..AuditFilter::default() };
        let mut lines = self.store.audit_log(&filter, before, rows).await?;
        if !actor.is_admin() {
            // Where the platform is administered from is no customer's business.
            let outside = self.store.admins_outside(organization.id).await?;
            for line in lines.iter_mut().filter(|line| line.user_id.is_some_and(|user| outside.contains(&user))) {
                line.address = None;
                line.request_id = None;
            }
        }
        Ok(lines)
    }
}

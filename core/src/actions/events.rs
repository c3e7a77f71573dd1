//! What happened, for those who may look.

use super::{Actions, Actor};
use crate::Result;
use crate::model::{AppRef, OrganizationRef};
use crate::store::{Access, EventView};

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
}

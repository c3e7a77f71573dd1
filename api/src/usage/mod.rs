//! Usage: what ran and what it cost.

mod csv;
mod show;

use chrono::{DateTime, Utc};
use serde::Deserialize;
use skypanel_core::actions::{Actions, Actor, Period};
use skypanel_core::model::{AppId, AppRef, Hour, Month, Organization, OrganizationId, OrganizationRef};
use skypanel_core::store::Access;
use skypanel_core::{Error, Result};
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::http::Shared;

/// Longest time between two hours that is added up for one request; a month comes from its sums.
const MAX_DAYS: i64 = 100;

/// The routes.
pub(crate) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(show::show_usage)).routes(routes!(csv::export_usage))
}

/// Whose usage, and of which time.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Wish {
    /// Name or id of the organisation; may be left out by members of only one.
    #[param(value_type = Option<String>)]
    organization: Option<OrganizationRef>,
    /// Only this app, by name or id; an app that is gone by its id.
    #[param(value_type = Option<String>)]
    app: Option<AppRef>,
    /// A month, such as `2026-11`; the current one where no time is given.
    #[param(value_type = Option<String>, pattern = r"^\d{4}-\d{2}$", example = "2026-11")]
    month: Option<String>,
    /// In place of a month: from this full hour on.
    from: Option<DateTime<Utc>>,
    /// Until this full hour; at most 100 days after `from`.
    to: Option<DateTime<Utc>>,
    /// What to add up: `line` (app, process type, plan and price), `app`, `process`, `plan` or `day`.
    #[param(value_type = Option<String>, example = "app")]
    group: Option<String>,
}

/// What a [`Wish`] comes to.
struct Asked {
    organization: OrganizationId,
    app: Option<AppId>,
    period: Period,
}

impl Wish {
    async fn resolve(&self, actions: &Actions, actor: &Actor) -> Result<Asked> {
        let period = self.period(actions.clock.now())?;
        let named = match &self.organization {
            Some(organization) => Some(actions.organization_for(actor, organization, Access::Read).await?.id),
            None => None,
        };
        let (organization, app) = match &self.app {
            // An app that is gone is only known to the records of its organisation.
            Some(AppRef::Id(app)) if actions.store.app_by_id(*app).await?.is_none() => {
                (only_organization(actor, named)?, Some(*app))
            }
            Some(app) => {
                let app = actions.app_of(actor, app, Access::Read).await?;
                (named.unwrap_or(app.organization_id), Some(app.id))
            }
            None => (only_organization(actor, named)?, None),
        };
        Ok(Asked { organization, app, period })
    }

    fn period(&self, now: DateTime<Utc>) -> Result<Period> {
        match (&self.month, self.from, self.to) {
            (Some(month), None, None) => {
                month.parse().map(Period::Month).map_err(|error| Error::field("month", error.to_string()))
            }
            (None, None, None) => Ok(Period::Month(Month::of(now))),
            (None, Some(from), Some(to)) => {
                for (field, time) in [("from", from), ("to", to)] {
                    if Hour::of(time).begin() != time {
                        return Err(Error::field(field, "Use a full hour of UTC, such as 2026-11-22T10:00:00Z."));
                    }
                }
                if to <= from || to - from > chrono::TimeDelta::days(MAX_DAYS) {
                    return Err(Error::field(
                        "to",
                        "Use a time after \"from\", by 100 days at most; months can be asked for one by one.",
                    ));
                }
                Ok(Period::Hours(Hour::of(from), Hour::of(to)))
            }
            _ => Err(Error::field("month", "Give either a month, or both \"from\" and \"to\".")),
        }
    }
}

/// The organisation that is meant: the one named, or the only one the actor is in.
fn only_organization(actor: &Actor, named: Option<OrganizationId>) -> Result<OrganizationId> {
    if let Some(organization) = named {
        return Ok(organization);
    }
    let memberships = actor.identity.as_ref().map(|identity| identity.memberships.as_slice()).unwrap_or_default();
    match memberships {
        [(Organization { id, .. }, _)] => Ok(*id),
        _ => Err(Error::field("organization", "Say which organisation you mean, by its name or id.")),
    }
}

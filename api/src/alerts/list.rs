//! `GET /api/organizations/{organization}/alerts` and `GET /api/admin/paas/alerts`.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use skypanel_core::actions::{Actions, AlertsOf};
use skypanel_core::model::{Alert, AlertId, AlertRule, OrganizationId, OrganizationRef, Severity, SubjectKind};
use skypanel_core::store::AlertFilter;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::http::{AdminCaller, Answer, Caller, Listed, Page, PathOf, QueryOf, schema};

/// Which alerts to list; all that are given must fit.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct AlertsQuery {
    /// Those that are over, or those that are not.
    resolved: Option<bool>,
    /// Those of one rule.
    #[param(value_type = Option<schema::AlertRule>)]
    rule: Option<AlertRule>,
}

/// Which alerts of all to list; all that are given must fit.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct PlatformAlertsQuery {
    /// Those that are over, or those that are not.
    resolved: Option<bool>,
    /// Those of one rule.
    #[param(value_type = Option<schema::AlertRule>)]
    rule: Option<AlertRule>,
    /// Those of one organisation.
    organization_id: Option<Uuid>,
}

/// Something that is or was wrong.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AlertItem {
    id: Uuid,
    /// Which rule found it.
    #[schema(value_type = schema::AlertRule)]
    rule: AlertRule,
    #[schema(value_type = schema::Severity)]
    severity: Severity,
    /// What it is about.
    subject: SubjectItem,
    /// Whose people are concerned; null for admins of the platform alone.
    organization_id: Option<Uuid>,
    /// What is wrong, in words.
    message: String,
    /// What was measured last; null where the rule is about no number.
    value: Option<f64>,
    /// What that is held against.
    threshold: Option<f64>,
    /// When it was first seen.
    began_at: DateTime<Utc>,
    /// When it had lasted for long enough to count.
    fired_at: DateTime<Utc>,
    /// When it was last seen.
    last_seen: DateTime<Utc>,
    /// When it was over; null while it is not.
    resolved_at: Option<DateTime<Utc>>,
}

/// What an alert is about.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SubjectItem {
    #[schema(value_type = schema::SubjectKind)]
    kind: SubjectKind,
    /// Its id, or its name where that is all it has.
    id: String,
    /// Its name at that time.
    name: String,
}

impl From<Alert> for AlertItem {
    fn from(alert: Alert) -> Self {
        Self {
            id: alert.id.0,
            rule: alert.rule,
            severity: alert.severity,
            subject: SubjectItem { kind: alert.subject_kind, id: alert.subject, name: alert.subject_name },
            organization_id: alert.organization_id.map(|id| id.0),
            message: alert.message,
            value: alert.value,
            threshold: alert.threshold,
            began_at: alert.began_at,
            fired_at: alert.fired_at,
            last_seen: alert.last_seen,
            resolved_at: alert.resolved_at,
        }
    }
}

type After = Option<(DateTime<Utc>, AlertId)>;

/// List an organisation's alerts
///
/// What is or was wrong with it or its apps, newest first.
#[utoipa::path(
    get,
    path = "/api/organizations/{organization}/alerts",
    tag = "alerts",
    params(("organization" = String, Path, description = "Name or id."), AlertsQuery, Page),
    responses((status = OK, body = Listed<AlertItem>))
)]
pub(crate) async fn list_organization_alerts(
    State(actions): State<Actions>,
    caller: Caller,
    PathOf(organization): PathOf<OrganizationRef>,
    QueryOf(query): QueryOf<AlertsQuery>,
    page: Page,
) -> Answer<Listed<AlertItem>> {
    let filter = AlertFilter { organization: None, is_over: query.resolved, rule: query.rule };
    let (of, after): (_, After) = (AlertsOf::Organization(organization), page.after()?);
    let alerts = actions.alerts(&caller, &of, filter, after, page.rows()).await?;
    Ok(Json(page.list(alerts, |alert| (alert.fired_at, alert.id), AlertItem::from)))
}

/// List all alerts
///
/// What is or was wrong with the platform, and with all organisations and their apps: newest first.
#[utoipa::path(
    get,
    path = "/api/admin/paas/alerts",
    tag = "admin",
    params(PlatformAlertsQuery, Page),
    responses((status = OK, body = Listed<AlertItem>))
)]
pub(crate) async fn list_platform_alerts(
    State(actions): State<Actions>,
    admin: AdminCaller,
    QueryOf(query): QueryOf<PlatformAlertsQuery>,
    page: Page,
) -> Answer<Listed<AlertItem>> {
    let organization = query.organization_id.map(OrganizationId);
    let filter = AlertFilter { organization, is_over: query.resolved, rule: query.rule };
    let after: After = page.after()?;
    let alerts = actions.alerts(&admin, &AlertsOf::Platform, filter, after, page.rows()).await?;
    Ok(Json(page.list(alerts, |alert| (alert.fired_at, alert.id), AlertItem::from)))
}

//! `POST /api/organizations/{organization}/notifications/{id}/test` and `POST /api/admin/paas/notifications/{id}/test`.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use skypanel_core::actions::{Actions, AlertsOf, TargetTest};
use skypanel_core::model::{OrganizationRef, TargetId};
use utoipa::ToSchema;
use uuid::Uuid;

use super::of;
use crate::http::{AdminCaller, Answer, Caller, PathOf};

/// What came of a try.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TestOutcome {
    /// Whether the message was taken.
    sent: bool,
    /// What the target answered, or why it was not reached and what to do.
    #[schema(example = "hooks.example.com answered 200: ok")]
    message: String,
}

impl From<TargetTest> for TestOutcome {
    fn from(test: TargetTest) -> Self {
        Self { sent: test.sent, message: test.message }
    }
}

/// Try a notification target of an organisation
///
/// For owners. Really sends a message that says it is a test, once, and answers what came of it; so also for one that is
/// switched off. At most 30 times an hour.
#[utoipa::path(
    post,
    path = "/api/organizations/{organization}/notifications/{id}/test",
    tag = "alerts",
    params(
        ("organization" = String, Path, description = "Name or id."),
        ("id" = Uuid, Path, description = "Id of the target"),
    ),
    responses((status = OK, body = TestOutcome))
)]
pub(crate) async fn test_notification_target(
    State(actions): State<Actions>,
    caller: Caller,
    PathOf((organization, id)): PathOf<(OrganizationRef, Uuid)>,
) -> Answer<TestOutcome> {
    Ok(Json(actions.test_notification_target(&caller, &of(organization), TargetId(id)).await?.into()))
}

/// Try a notification target of the platform
///
/// Really sends a message that says it is a test, once, and answers what came of it; so also for one that is switched off.
/// At most 30 times an hour.
#[utoipa::path(
    post,
    path = "/api/admin/paas/notifications/{id}/test",
    tag = "admin",
    params(("id" = Uuid, Path, description = "Id of the target")),
    responses((status = OK, body = TestOutcome))
)]
pub(crate) async fn test_platform_target(
    State(actions): State<Actions>,
    admin: AdminCaller,
    PathOf(id): PathOf<Uuid>,
) -> Answer<TestOutcome> {
    Ok(Json(actions.test_notification_target(&admin, &AlertsOf::Platform, TargetId(id)).await?.into()))
}

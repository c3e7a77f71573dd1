//! What happened to apps and organisations, for their people.

mod list_app_events;
mod list_organization_events;
mod stream;

use chrono::{DateTime, Utc};
use serde::Serialize;
use skypanel_core::store::EventView;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::http::Shared;

/// The routes.
pub(crate) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(list_app_events::list_app_events))
        .routes(routes!(list_organization_events::list_organization_events))
        .routes(routes!(stream::stream_changes))
}

/// Something that happened.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EventItem {
    /// Goes up with every event.
    id: i64,
    created_at: DateTime<Utc>,
    /// What kind it is: `create`, `release`, `failure`, `crash`, `health`, `recover`, `give_up`, `scale`, `restart`,
    /// `low_balance`, `suspend`, `resume`, …; more may come.
    #[schema(example = "release")]
    kind: String,
    /// What happened, in words.
    message: String,
    /// The app it happened to; null for what is the organisation's.
    application_id: Option<Uuid>,
    /// That app's unique name.
    app: Option<String>,
    /// Who did it; null for what the platform did.
    user_id: Option<Uuid>,
    /// Their e-mail address.
    user: Option<String>,
}

impl From<EventView> for EventItem {
    fn from(event: EventView) -> Self {
        Self {
            id: event.id,
            created_at: event.created_at,
            kind: event.kind,
            message: event.message,
            application_id: event.application_id.map(|id| id.0),
            app: event.slug.map(|slug| slug.to_string()),
            user_id: event.user_id.map(|id| id.0),
            user: event.email,
        }
    }
}

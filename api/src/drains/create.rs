//! `POST /api/paas/apps/{app}/drains`.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use skypanel_core::actions::Actions;
use skypanel_core::model::AppRef;
use utoipa::ToSchema;

use super::list::LogDrainItem;
use crate::error::ApiError;
use crate::http::{Caller, PathOf, ValidJson};

/// Where to forward lines to.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WantedLogDrain {
    /// `syslog://host:port`, `syslog+tls://host:port` or `https://[user:password@]host[:port]/path`. It is kept sealed and
    /// never answered in whole.
    #[schema(example = "syslog+tls://93.184.216.34:6514")]
    url: String,
}

/// Add a log drain
///
/// Each line of the app that is written from now on is forwarded: to syslog as in RFC 5424, each message with its length
/// before it (RFC 6587, RFC 5425), or to an HTTPS endpoint as a JSON array of objects, in batches. The host must be one on
/// the public Internet, or in a network that an admin allows. An app can have five.
#[utoipa::path(
    post,
    path = "/api/paas/apps/{app}/drains",
    tag = "logs",
    params(("app" = String, Path, description = "Slug or id of the app")),
    request_body = WantedLogDrain,
    responses((status = CREATED, body = LogDrainItem))
)]
pub(crate) async fn create_log_drain(
    State(actions): State<Actions>,
    caller: Caller,
    PathOf(app): PathOf<AppRef>,
    ValidJson(wanted): ValidJson<WantedLogDrain>,
) -> Result<(StatusCode, Json<LogDrainItem>), ApiError> {
    let drain = actions.add_log_drain(&caller, &app, &wanted.url).await?;
    Ok((StatusCode::CREATED, Json(drain.into())))
}

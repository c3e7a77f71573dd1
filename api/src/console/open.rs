//! The handshake: who may open a console, and the answer that turns the connection into a WebSocket.

use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use hyper::upgrade::OnUpgrade;
use skypanel_core::Error;
use skypanel_core::model::AppRef;
use skypanel_core::store::Access;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::session;
use crate::error::ApiError;
use crate::http::watch::Follower;
use crate::http::{PathOf, Shared, caller, origin, request};

/// Longest the connection may take to become a WebSocket once that is agreed.
const UPGRADE_LIMIT: Duration = Duration::from_secs(10);
/// The one version of the protocol (RFC 6455).
const VERSION: &str = "13";

pub(crate) async fn open_console(
    State(shared): State<Shared>,
    follower: Follower,
    PathOf(app): PathOf<AppRef>,
    mut request: Request,
) -> Result<Response, ApiError> {
    ensure_ours(request.headers(), &shared)?;
    let found = shared.actions.app_of(follower.actor(), &app, Access::Change).await?;
    let accept = accepted(request.headers())?;
    let upgrade = request.extensions_mut().remove::<OnUpgrade>().ok_or_else(no_web_socket)?;
    let place = follower.place()?;
    shared.consoles.open(request::carried_on(async move {
        let _place = place;
        match tokio::time::timeout(UPGRADE_LIMIT, upgrade).await {
            Ok(Ok(connection)) => session::serve(connection, follower, found.id).await,
            Ok(Err(error)) => tracing::debug!(%error, "a console was not opened"),
            Err(_) => tracing::debug!("a console was not opened in time"),
        }
    }));
    let agreed = [
        (header::CONNECTION, HeaderValue::from_static("upgrade")),
        (header::UPGRADE, HeaderValue::from_static("websocket")),
        (header::SEC_WEBSOCKET_ACCEPT, accept),
    ];
    Ok((StatusCode::SWITCHING_PROTOCOLS, agreed).into_response())
}

/// Browsers let any page open a WebSocket with the user's cookies, and name the page in `Origin`: it must be one of ours.
fn ensure_ours(headers: &HeaderMap, shared: &Shared) -> Result<(), ApiError> {
    let by_session = caller::bearer(headers)?.is_none();
    let names_page = headers.contains_key(header::ORIGIN);
    if origin::is_ours(headers, &shared.options.public_url) && (names_page || !by_session) {
        return Ok(());
    }
    Err(ApiError::new(
        StatusCode::FORBIDDEN,
        "CROSS_SITE",
        "Consoles are opened by Skypanel's own pages, or with an API token.",
    ))
}

/// What proves to the client that its handshake was understood.
fn accepted(headers: &HeaderMap) -> Result<HeaderValue, ApiError> {
    let names = |name, wanted: &str| {
        let values = headers.get_all(name).iter().filter_map(|value: &HeaderValue| value.to_str().ok());
        values.flat_map(|value| value.split(',')).any(|one| one.trim().eq_ignore_ascii_case(wanted))
    };
    let asks = names(header::CONNECTION, "upgrade")
        && names(header::UPGRADE, "websocket")
        && names(header::SEC_WEBSOCKET_VERSION, VERSION);
    let key = headers.get(header::SEC_WEBSOCKET_KEY).filter(|_| asks).ok_or_else(no_web_socket)?;
    HeaderValue::try_from(derive_accept_key(key.as_bytes()))
        .map_err(|error| Error::System(format!("A handshake has no answer: {error}.")).into())
}

fn no_web_socket() -> ApiError {
    ApiError::new(
        StatusCode::UPGRADE_REQUIRED,
        "WEB_SOCKET_NEEDED",
        "A console is a WebSocket (version 13), and this request asks for none.",
    )
}

//! `Idempotency-Key` on creating calls: a client that did not hear the answer sends the same call again, and gets the
//! first answer instead of a second thing. Keys are each user's own and are remembered for a day; an answer is repeated to
//! the credential alone that it was given to, since another one may not be allowed to see it.

use axum::body::{Body, to_bytes};
use axum::extract::{FromRequestParts as _, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http_body_util::LengthLimitError;
use skypanel_core::actions::Actor;
use skypanel_core::credentials;
use skypanel_core::model::UserId;
use skypanel_core::store::Known;

use crate::error::ApiError;
use crate::http::caller::CurrentSession;
use crate::http::{Caller, Shared, caller, input, request};

const KEY: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
/// Longest key, in bytes.
const MAX_KEY: usize = 200;
/// Largest answer that is kept, in bytes.
const MAX_ANSWER: usize = 1024 * 1024;

/// The layer.
pub(crate) async fn repeat(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    if request.method() != Method::POST || !request.headers().contains_key(KEY) {
        return next.run(request).await;
    }
    match once(&shared, request, next).await {
        Ok(response) => response,
        Err(error) => error.into_response(),
    }
}

async fn once(shared: &Shared, request: Request, next: Next) -> Result<Response, ApiError> {
    let (mut parts, body) = request.into_parts();
    // Calls that need no user make nothing that could be made twice.
    let Ok(Caller(actor)) = Caller::from_request_parts(&mut parts, shared).await else {
        return Ok(next.run(Request::from_parts(parts, body)).await);
    };
    let user = actor.user()?.id;
    let key = parts.headers.get(KEY).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    if key.is_empty() || key.len() > MAX_KEY {
        return Err(ApiError::malformed(format!(
            "The header \"Idempotency-Key\" must have 1 to {MAX_KEY} characters."
        )));
    }
    let body = to_bytes(body, input::MAX_BODY).await.map_err(|error| {
        // Not the body of a stream that broke off, which nobody waits for.
        if error.into_inner().is::<LengthLimitError>() {
            let message = "A call with the header \"Idempotency-Key\" can have a body of 1 MiB at most.";
            return ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "BODY_TOO_LARGE", message);
        }
        ApiError::malformed("The body could not be read to its end.")
    })?;
    let came_with = came_with(&mut parts, shared, &actor).await?;
    let hash = credentials::hash(&format!("{came_with} {} {} {}", parts.method, parts.uri, hex_of(&body)));
    match shared.actions.store.begin_call(user, &key, &hash).await? {
        Known::Other => Err(ApiError::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "IDEMPOTENCY_KEY_REUSED",
            "That idempotency key was used for another call, or with another token. Take a fresh one for each.",
        )),
        Known::Begun => Err(ApiError::new(
            StatusCode::CONFLICT,
            "IDEMPOTENCY_KEY_IN_USE",
            "The call with that idempotency key is being answered. Try again in a moment.",
        )),
        Known::Lost => Err(ApiError::new(
            StatusCode::CONFLICT,
            "IDEMPOTENCY_ANSWER_LOST",
            "The call with that idempotency key was made, but Skypanel stopped before it had answered. Look at what it \
             made; nothing was done twice.",
        )),
        Known::Answered { status, content_type, body } => {
            let mut response = (StatusCode::from_u16(status).unwrap_or(StatusCode::OK), body).into_response();
            response.headers_mut().remove(header::CONTENT_TYPE);
            if let Some(value) = content_type.and_then(|text| HeaderValue::from_str(&text).ok()) {
                response.headers_mut().insert(header::CONTENT_TYPE, value);
            }
            response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
            Ok(response)
        }
        Known::New => {
            let request = Request::from_parts(parts, Body::from(body));
            // A task of its own: a client that goes away must not leave a call half-made under its key. It ends before
            // anybody takes it for one that was cut off.
            let call = request::carried_on(call(shared.clone(), user, key, request, next));
            match tokio::spawn(tokio::time::timeout(request::TIME_LIMIT, call)).await {
                Ok(Ok(answer)) => answer,
                Ok(Err(_)) => Err(request::given_up(request::TIME_LIMIT)),
                Err(_) => Err(request::broke_down()),
            }
        }
    }
}

async fn call(shared: Shared, user: UserId, key: String, request: Request, next: Next) -> Result<Response, ApiError> {
    let store = &shared.actions.store;
    let (parts, body) = next.run(request).await.into_parts();
    if !parts.status.is_success() {
        store.forget_call(user, &key).await?;
        return Ok(Response::from_parts(parts, body));
    }
    let Ok(bytes) = to_bytes(body, usize::MAX).await else {
        return Err(ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "SYSTEM_ERROR", "The answer broke off."));
    };
    let content_type = parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    // Of an answer too large to keep, a repetition is told at least that all went well.
    let (content_type, kept) = if bytes.len() > MAX_ANSWER { (None, &[][..]) } else { (content_type, &bytes[..]) };
    store.finish_call(user, &key, parts.status.as_u16(), content_type, kept).await?;
    Ok(Response::from_parts(parts, Body::from(bytes)))
}

/// The credential of a call and what it may be used for. A session goes on when its token is renewed.
async fn came_with(parts: &mut Parts, shared: &Shared, actor: &Actor) -> Result<String, ApiError> {
    let credential = match caller::bearer(&parts.headers)? {
        Some(token) => hex_of(token.as_bytes()),
        None => match CurrentSession::from_request_parts(parts, shared).await?.0 {
            Some(session) => session.to_string(),
            None => String::new(),
        },
    };
    Ok(format!("{credential} {}", actor.scope))
}

fn hex_of(body: &[u8]) -> String {
    skypanel_core::model::Sha256Digest::of(body).hex()
}

//! Who calls: an API token in `Authorization: Bearer skp_…`, or a browser's session cookie.

use std::convert::Infallible;
use std::net::IpAddr;
use std::ops::Deref;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode, header};
use skypanel_core::Error;
use skypanel_core::actions::Actor;
use skypanel_core::credentials::TOKEN_PREFIX;
use skypanel_core::model::SessionId;

use crate::error::ApiError;
use crate::http::client::Client;
use crate::http::{Shared, cookies, request};

/// Header that shows that a write of a session comes from our own pages.
const CSRF_HEADER: &str = "x-csrf-token";

/// A user who proved who they are. As an argument of a handler it refuses everybody else with 401.
#[derive(Clone, Debug)]
pub(crate) struct Caller(pub(crate) Actor);

impl Deref for Caller {
    type Target = Actor;

    fn deref(&self) -> &Actor {
        &self.0
    }
}

/// An admin of the platform. Refuses other users with 403.
#[derive(Clone, Debug)]
pub(crate) struct AdminCaller(pub(crate) Actor);

impl Deref for AdminCaller {
    type Target = Actor;

    fn deref(&self) -> &Actor {
        &self.0
    }
}

impl FromRequestParts<Shared> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, shared: &Shared) -> Result<Self, ApiError> {
        let actor = identify(parts, shared).await?;
        if let Ok(user) = actor.user() {
            tracing::Span::current().record("user", tracing::field::display(user.id));
        }
        Ok(Self(actor))
    }
}

impl FromRequestParts<Shared> for AdminCaller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, shared: &Shared) -> Result<Self, ApiError> {
        let Caller(actor) = Caller::from_request_parts(parts, shared).await?;
        if !actor.is_admin() {
            return Err(Error::Forbidden("Only admins of the platform may do this.".to_owned()).into());
        }
        Ok(Self(actor))
    }
}

async fn identify(parts: &Parts, shared: &Shared) -> Result<Actor, ApiError> {
    let identified = by_credential(parts, shared).await;
    if let (Some(limits), Some(credential)) = (&shared.limits, credential(&parts.headers, shared)) {
        match identified.as_ref().ok().and_then(Actor::user_id) {
            Some(user) => limits.learn(credential, user),
            None => limits.unlearn(credential),
        }
    }
    identified
}

/// What a request wants to be known by.
pub(crate) fn credential<'a>(headers: &'a HeaderMap, shared: &Shared) -> Option<&'a str> {
    match bearer(headers) {
        Ok(None) => cookies::value(shared, headers, cookies::SESSION),
        Ok(token) => token,
        Err(_) => None,
    }
}

async fn by_credential(parts: &Parts, shared: &Shared) -> Result<Actor, ApiError> {
    let visitor = Visitor::of(parts);
    if let Some(token) = bearer(&parts.headers)? {
        return Ok(shared.actions.by_token(token, visitor.address, visitor.request_id).await?);
    }
    if let Some(token) = cookies::value(shared, &parts.headers, cookies::SESSION) {
        return by_session(token, visitor, parts, shared).await;
    }
    Err(unauthenticated(
        "This needs a session or an API token. Log in, or send the header \"Authorization: Bearer skp_…\".",
    ))
}

async fn by_session(token: &str, visitor: Visitor, parts: &Parts, shared: &Shared) -> Result<Actor, ApiError> {
    let Some((identity, session)) = shared.actions.identify_session(token).await? else {
        return Err(unauthenticated("Your session has ended, or must be renewed at /api/auth/refresh."));
    };
    let reads = matches!(parts.method, Method::GET | Method::HEAD | Method::OPTIONS);
    let presented = parts.headers.get(CSRF_HEADER).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !reads && !shared.actions.store.session_tokens()?.is_csrf_token(session, presented) {
        return Err(ApiError::new(
            StatusCode::FORBIDDEN,
            "CSRF",
            "Writes of a session need the header \"X-CSRF-Token\" with the value of the cookie \"skypanel_csrf\".",
        ));
    }
    Ok(Actor::browser(identity, visitor.address, visitor.request_id))
}

fn unauthenticated(message: &str) -> ApiError {
    Error::Unauthenticated(message.to_owned()).into()
}

/// The browser session that a request is part of, if it is part of one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CurrentSession(pub(crate) Option<SessionId>);

impl FromRequestParts<Shared> for CurrentSession {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, shared: &Shared) -> Result<Self, ApiError> {
        let Some(token) = cookies::value(shared, &parts.headers, cookies::SESSION) else { return Ok(Self(None)) };
        let tokens = shared.actions.store.session_tokens()?;
        Ok(Self(tokens.read(token, shared.actions.clock.now()).map(|(_, session)| session)))
    }
}

/// Anyone, known or not: what is known of every request, for handlers that let people in.
#[derive(Clone, Debug)]
pub(crate) struct Visitor {
    pub(crate) address: Option<IpAddr>,
    pub(crate) request_id: Option<String>,
}

impl Visitor {
    fn of(parts: &Parts) -> Self {
        let address = parts.extensions.get::<Client>().map(|client| client.0);
        Self { address, request_id: request::current_id() }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Visitor {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        Ok(Self::of(parts))
    }
}

/// The API token that a request brings, if it brings one.
pub(crate) fn bearer(headers: &HeaderMap) -> Result<Option<&str>, ApiError> {
    let Some(value) = headers.get(header::AUTHORIZATION) else { return Ok(None) };
    let token = value.to_str().ok().and_then(|value| {
        let (scheme, token) = value.split_once(' ')?;
        (scheme.eq_ignore_ascii_case("bearer") && token.starts_with(TOKEN_PREFIX)).then_some(token.trim())
    });
    match token {
        Some(token) => Ok(Some(token)),
        None => Err(Error::Unauthenticated(
            "The header \"Authorization\" must be \"Bearer\" and an API token that begins with \"skp_\".".to_owned(),
        )
        .into()),
    }
}

//! Who calls: an API token in `Authorization: Bearer skp_…`, or a browser's session cookie.

use std::net::IpAddr;
use std::ops::Deref;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use skypanel_core::Error;
use skypanel_core::actions::Actor;
use skypanel_core::credentials::TOKEN_PREFIX;

use crate::error::ApiError;
use crate::http::{Shared, request};

/// Cookie of the session: a signed token of a few minutes.
pub(crate) const SESSION_COOKIE: &str = "skypanel_session";

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
    let address = address(parts);
    let Some(token) = bearer(&parts.headers)? else {
        return Err(Error::Unauthenticated(
            "This needs a session or an API token. Log in, or send the header \"Authorization: Bearer skp_…\"."
                .to_owned(),
        )
        .into());
    };
    let now = shared.actions.clock.now();
    match shared.actions.store.identify_token(token, address, now).await? {
        Some((identity, scope)) => Ok(Actor::token(identity, scope, address, request::current_id())),
        None => Err(Error::Unauthenticated(
            "That API token is unknown, revoked or expired. Make a new one in the dashboard or with `skypanel login`."
                .to_owned(),
        )
        .into()),
    }
}

/// The address that a request comes from.
pub(crate) fn address(parts: &Parts) -> Option<IpAddr> {
    parts.extensions.get::<request::Peer>().map(|peer| peer.0.ip())
}

fn bearer(headers: &HeaderMap) -> Result<Option<&str>, ApiError> {
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

//! `POST /api/me/tokens`.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use skypanel_core::Error;
use skypanel_core::actions::{Actions, Scope};
use utoipa::ToSchema;

use super::list_tokens::TokenItem;
use crate::error::ApiError;
use crate::http::{Caller, ValidJson, schema};

/// Longest life that can be asked for, in days.
const MAX_DAYS: i64 = 3_650;

/// Which token to make.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TokenRequest {
    #[schema(example = "deploy from CI", min_length = 1, max_length = 100)]
    name: String,
    #[schema(value_type = schema::Scope)]
    scope: Scope,
    /// Days until it ends by itself, 1 to 3650; null for a token that does not.
    #[serde(default = "usual_days")]
    #[schema(minimum = 1, maximum = 3650, default = 90)]
    expires_in_days: Option<i64>,
}

/// Tokens are forgotten in scripts and files: they end, unless somebody asks for one that does not.
#[expect(clippy::unnecessary_wraps, reason = "what is left out is given as a field of that type")]
fn usual_days() -> Option<i64> {
    Some(90)
}

/// A new token, with the token itself.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct NewToken {
    /// Shown this once: only its hash is kept.
    #[schema(example = "skp_…")]
    token: String,
    #[serde(flatten)]
    item: TokenItem,
}

/// Make an API token
///
/// `read` looks; `deploy` also deploys, configures, scales and restarts; `manage` does everything its user may. The
/// caller needs a session or a token of the scope `manage`; what such a token makes ends with it at the latest.
#[utoipa::path(post, path = "/api/me/tokens", tag = "me", request_body = TokenRequest, responses((status = CREATED, body = NewToken)))]
pub(crate) async fn create_token(
    State(actions): State<Actions>,
    caller: Caller,
    ValidJson(request): ValidJson<TokenRequest>,
) -> Result<(StatusCode, Json<NewToken>), ApiError> {
    let lifetime = match request.expires_in_days {
        Some(days) if !(1..=MAX_DAYS).contains(&days) => {
            return Err(Error::field("expires_in_days", format!("Choose 1 to {MAX_DAYS} days.")).into());
        }
        Some(days) => Some(TimeDelta::days(days)),
        None => None,
    };
    let (token, credential) = actions.create_token(&caller, &request.name, request.scope, lifetime).await?;
    Ok((StatusCode::CREATED, Json(NewToken { token: credential.as_str().to_owned(), item: token.into() })))
}

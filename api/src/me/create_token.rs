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
    /// Days until it ends by itself, 1 to 3650; never, if left out.
    #[schema(minimum = 1, maximum = 3650)]
    expires_in_days: Option<i64>,
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
/// caller needs a session or a token of the scope `manage`.
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

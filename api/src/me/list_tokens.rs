//! `GET /api/me/tokens`.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::Serialize;
use skypanel_core::actions::{Actions, Scope};
use skypanel_core::model::ApiToken;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::http::{Answer, Caller, Listed, schema};

/// An API token, without the token itself.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TokenItem {
    id: Uuid,
    /// What its owner calls it.
    name: String,
    /// How it begins.
    #[schema(example = "skp_Zx81")]
    prefix: String,
    #[schema(value_type = schema::Scope)]
    scope: Scope,
    created_at: DateTime<Utc>,
    /// Null for a token that does not end by itself.
    expires_at: Option<DateTime<Utc>>,
    /// To the minute; null if it was never used.
    last_used_at: Option<DateTime<Utc>>,
    /// Where it was last used from.
    last_used_address: Option<String>,
}

impl From<ApiToken> for TokenItem {
    fn from(token: ApiToken) -> Self {
        Self {
            id: token.id.0,
            name: token.name,
            prefix: token.prefix,
            scope: token.scope,
            created_at: token.created_at,
            expires_at: token.expires_at,
            last_used_at: token.last_used_at,
            last_used_address: token.last_used_address,
        }
    }
}

/// List API tokens
///
/// The caller's tokens that are still good, oldest first.
#[utoipa::path(get, path = "/api/me/tokens", tag = "me", responses((status = OK, body = Listed<TokenItem>)))]
pub(crate) async fn list_tokens(State(actions): State<Actions>, caller: Caller) -> Answer<Listed<TokenItem>> {
    let tokens = actions.tokens(&caller).await?;
    Ok(Json(Listed::whole(tokens.into_iter().map(TokenItem::from).collect())))
}

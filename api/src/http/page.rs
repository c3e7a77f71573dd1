//! Lists in pages: `?limit=` and an opaque `?cursor=`, which stays right while things come and go.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use skypanel_core::Error;
use utoipa::{IntoParams, ToSchema};

use crate::error::ApiError;
use crate::http::QueryOf;

/// Items of a page unless the client asks for another number.
const DEFAULT_LIMIT: u32 = 50;
/// Most items of a page.
const MAX_LIMIT: u32 = 100;

/// Which page of a list is asked for.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Page {
    /// Most items to answer.
    #[serde(default = "default_limit")]
    #[param(minimum = 1, maximum = 100, default = 50)]
    limit: u32,
    /// `next_cursor` of the page before; the first page without.
    cursor: Option<String>,
}

fn default_limit() -> u32 {
    DEFAULT_LIMIT
}

impl<S: Send + Sync> FromRequestParts<S> for Page {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let QueryOf(page) = QueryOf::<Self>::from_request_parts(parts, state).await?;
        if !(1..=MAX_LIMIT).contains(&page.limit) {
            return Err(Error::field("limit", format!("Use a number from 1 to {MAX_LIMIT}.")).into());
        }
        Ok(page)
    }
}

impl Page {
    /// How many rows to read: one more than is shown tells whether there is a next page.
    pub(crate) fn rows(&self) -> i64 {
        i64::from(self.limit) + 1
    }

    /// The key after which to go on: what [`Page::list`] took from the last item of the page before.
    pub(crate) fn after<K: DeserializeOwned>(&self) -> Result<Option<K>, ApiError> {
        let Some(cursor) = &self.cursor else { return Ok(None) };
        let unknown = || Error::field("cursor", "That cursor is not one of this list. Begin again without it.").into();
        let bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| unknown())?;
        serde_json::from_slice(&bytes).map(Some).map_err(|_| unknown())
    }

    /// The page: `rows` as read with [`Page::rows`], each item's key by `key`, shown by `show`.
    pub(crate) fn list<R, K: Serialize, T>(
        &self,
        mut rows: Vec<R>,
        key: impl Fn(&R) -> K,
        show: impl Fn(R) -> T,
    ) -> Listed<T> {
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next_cursor = match rows.last() {
            Some(last) if more => serde_json::to_vec(&key(last)).ok().map(|bytes| URL_SAFE_NO_PAD.encode(bytes)),
            _ => None,
        };
        Listed { items: rows.into_iter().map(show).collect(), next_cursor }
    }
}

/// A list, or a page of one.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Listed<T> {
    /// The items, in the list's order.
    pub(crate) items: Vec<T>,
    /// What to ask for to get the next page; null on the last one.
    pub(crate) next_cursor: Option<String>,
}

impl<T> Listed<T> {
    /// A list that is never long.
    pub(crate) fn whole(items: Vec<T>) -> Self {
        Self { items, next_cursor: None }
    }
}

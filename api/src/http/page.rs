//! Lists in pages: `?limit=` and an opaque `?cursor=`, which stays right while things come and go.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use skypanel_core::Error;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, SchemaFormat, Type};
use utoipa::openapi::{KnownFormat, Required};
use utoipa::{IntoParams, ToSchema};

use crate::error::ApiError;
use crate::http::QueryOf;

/// Which page of a list is asked for: of `USUAL` items unless the client asks for another number, of `MOST` at most.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct PageOf<const USUAL: u32, const MOST: u32> {
    limit: Option<u32>,
    cursor: Option<String>,
}

/// Of a list that is long by its nature, and read from the store page by page.
pub(crate) type Page = PageOf<50, 100>;

/// Of a list that is short for nearly everybody, and at hand as a whole.
pub(crate) type LargePage = PageOf<500, 500>;

impl<const USUAL: u32, const MOST: u32> IntoParams for PageOf<USUAL, MOST> {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let limit = ObjectBuilder::new()
            .schema_type(Type::Integer)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int32)))
            .minimum(Some(1))
            .maximum(Some(MOST))
            .default(Some(USUAL.into()));
        let parameter = |name, description, schema: ObjectBuilder| {
            ParameterBuilder::new()
                .name(name)
                .parameter_in(ParameterIn::Query)
                .required(Required::False)
                .description(Some(description))
                .schema(Some(schema))
                .build()
        };
        vec![
            parameter("limit", "Most items to answer.", limit),
            parameter(
                "cursor",
                "`next_cursor` of the page before; the first page without.",
                ObjectBuilder::new().schema_type(Type::String),
            ),
        ]
    }
}

impl<S: Send + Sync, const USUAL: u32, const MOST: u32> FromRequestParts<S> for PageOf<USUAL, MOST> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let QueryOf(page) = QueryOf::<Self>::from_request_parts(parts, state).await?;
        if !(1..=MOST).contains(&page.limit()) {
            return Err(Error::field("limit", format!("Use a number from 1 to {MOST}.")).into());
        }
        Ok(page)
    }
}

impl<const USUAL: u32, const MOST: u32> PageOf<USUAL, MOST> {
    fn limit(&self) -> u32 {
        self.limit.unwrap_or(USUAL)
    }

    /// How many rows to read: one more than is shown tells whether there is a next page.
    pub(crate) fn rows(&self) -> i64 {
        i64::from(self.limit()) + 1
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
        let limit = usize::try_from(self.limit()).unwrap_or(usize::MAX);
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next_cursor = match rows.last() {
            Some(last) if more => serde_json::to_vec(&key(last)).ok().map(|bytes| URL_SAFE_NO_PAD.encode(bytes)),
            _ => None,
        };
        Listed { items: rows.into_iter().map(show).collect(), next_cursor }
    }

    /// The page of a list that is at hand as a whole, in the order of its keys.
    pub(crate) fn cut<R, K: Serialize + DeserializeOwned + Ord, T>(
        &self,
        mut rows: Vec<R>,
        key: impl Fn(&R) -> K,
        show: impl Fn(R) -> T,
    ) -> Result<Listed<T>, ApiError> {
        rows.sort_by_cached_key(&key);
        if let Some(after) = self.after::<K>()? {
            rows.retain(|row| key(row) > after);
        }
        Ok(self.list(rows, key, show))
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
    /// A list that cannot be long.
    pub(crate) fn whole(items: Vec<T>) -> Self {
        Self { items, next_cursor: None }
    }
}

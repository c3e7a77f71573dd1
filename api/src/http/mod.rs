//! What all handlers stand on: who calls, what they may send, how answers look.

pub(crate) mod caller;
pub(crate) mod client;
pub(crate) mod cookies;
pub(crate) mod etag;
pub(crate) mod idempotency;
pub(crate) mod input;
pub(crate) mod openapi;
pub(crate) mod origin;
pub(crate) mod page;
pub(crate) mod places;
pub(crate) mod query;
pub(crate) mod rate_limit;
pub(crate) mod read_once;
pub(crate) mod request;
pub(crate) mod schema;
mod shared;
pub(crate) mod watch;

pub(crate) use caller::{AdminCaller, Caller, Visitor};
pub(crate) use input::{PathOf, QueryOf, ValidJson};
pub(crate) use page::{LargePage, Listed, Page};
pub(crate) use shared::Shared;

use axum::Json;

use crate::error::ApiError;

/// What most handlers answer: JSON, or an error.
pub(crate) type Answer<T> = Result<Json<T>, ApiError>;

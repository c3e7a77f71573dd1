//! Errors as API answers: `{"error", "code", "details", "timestamp"}`.

use axum::Json;
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;

/// An error as its client reads it.
#[derive(Debug)]
pub(crate) struct ApiError {
    status: StatusCode,
    body: Body,
}

#[derive(Debug, Serialize)]
struct Body {
    error: String,
    code: &'static str,
    details: Option<Value>,
    timestamp: DateTime<Utc>,
}

impl ApiError {
    fn new(status: StatusCode, code: &'static str, error: String) -> Self {
        Self { status, body: Body { error, code, details: None, timestamp: Utc::now() } }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        (self.status, Json(self.body)).into_response()
    }
}

/// Any path below `/api` that means nothing.
pub(crate) async fn unknown_path(uri: Uri) -> ApiError {
    let path: String = uri.path().chars().take(200).collect();
    ApiError::new(StatusCode::NOT_FOUND, "NOT_FOUND", format!("The API has nothing at {path}."))
}

/// A known path with a method it does not have.
pub(crate) async fn wrong_method(method: Method, uri: Uri) -> ApiError {
    ApiError::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "METHOD_NOT_ALLOWED",
        format!("{} does not take the method {method}. Use GET.", uri.path()),
    )
}

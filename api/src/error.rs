//! Errors as API answers: `{"error", "code", "details", "timestamp", "request_id"}`.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::Json;
use axum::http::{HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Value, json};
use skypanel_core::Error;
use utoipa::ToSchema;

use crate::http::request;

/// An error as its client reads it.
#[derive(Debug)]
pub(crate) struct ApiError(Box<Parts>);

/// Boxed, so that results stay small.
#[derive(Debug)]
struct Parts {
    status: StatusCode,
    code: &'static str,
    message: String,
    details: Option<Value>,
    retry_after: Option<Duration>,
    /// What only the log may tell.
    cause: Option<Error>,
}

/// The body of every error.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ErrorBody {
    /// What happened and what to do next, for people.
    #[schema(example = "You are a viewer of this organisation; this needs the role developer. Ask an owner for it.")]
    error: String,
    /// What happened, for programs.
    #[schema(example = "FORBIDDEN")]
    code: &'static str,
    /// More about it; `{"fields": {"name": "why"}}` for input that breaks rules.
    details: Option<Value>,
    /// When it happened.
    timestamp: DateTime<Utc>,
    /// The request's id, as in the header `x-request-id` and in Skypanel's log.
    request_id: Option<String>,
}

impl ApiError {
    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self(Box::new(Parts { status, code, message: message.into(), details: None, retry_after: None, cause: None }))
    }

    /// Input whose form is wrong, before any rule of the domain is asked.
    pub(crate) fn malformed(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "INVALID_INPUT", message)
    }

    pub(crate) fn with_details(mut self, details: Value) -> Self {
        self.0.details = Some(details);
        self
    }

    /// What happened, for people; what only the log may tell goes there. For where no answer of HTTP can be given any more.
    pub(crate) fn into_words(self) -> String {
        let parts = *self.0;
        if let Some(cause) = &parts.cause {
            tracing::error!(error = %cause, "a console failed");
        }
        parts.message
    }

    /// The one place that says which HTTP status an error has.
    fn status(error: &Error) -> StatusCode {
        match error {
            Error::NotFound(_) => StatusCode::NOT_FOUND,
            Error::Forbidden(_) => StatusCode::FORBIDDEN,
            Error::Unauthenticated(_) | Error::SecondFactorRequired => StatusCode::UNAUTHORIZED,
            Error::Invalid(_) | Error::InvalidFields(_) | Error::Repository { .. } => StatusCode::UNPROCESSABLE_ENTITY,
            Error::SlugTaken(_) | Error::Conflict(_) | Error::PlanLimitReached(_) => StatusCode::CONFLICT,
            Error::InsufficientFunds(_) => StatusCode::PAYMENT_REQUIRED,
            Error::TooMany { .. } => StatusCode::TOO_MANY_REQUESTS,
            Error::Upstream(_) => StatusCode::BAD_GATEWAY,
            Error::Blob(_) => StatusCode::SERVICE_UNAVAILABLE,
            Error::Database(_) if error.is_passing() => StatusCode::SERVICE_UNAVAILABLE,
            Error::Database(_) | Error::Secret | Error::System(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        let details = match &error {
            Error::InvalidFields(fields) => {
                let fields: BTreeMap<&str, &str> =
                    fields.iter().map(|field| (field.field.as_str(), field.problem.as_str())).collect();
                Some(json!({ "fields": fields }))
            }
            Error::Repository { field, reason } => Some(json!({ "fields": { *field: reason } })),
            _ => None,
        };
        let retry_after = match &error {
            Error::TooMany { retry_after, .. } => Some(*retry_after),
            _ => None,
        };
        let status = Self::status(&error);
        let message = match &error {
            // What the operating system or the blob store said may name paths and hosts of the operator.
            Error::System(_) | Error::Blob(_) => {
                "Skypanel could not do this. The operator finds the reason in its log under this request id.".to_owned()
            }
            other => other.to_string(),
        };
        let code = error.code();
        let cause = status.is_server_error().then_some(error);
        Self(Box::new(Parts { status, code, message, details, retry_after, cause }))
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let parts = *self.0;
        if let Some(cause) = &parts.cause {
            let source = std::error::Error::source(cause).map(ToString::to_string);
            tracing::error!(error = %cause, source, "a request failed");
        }
        let body = ErrorBody {
            error: parts.message,
            code: parts.code,
            details: parts.details,
            timestamp: Utc::now(),
            request_id: request::current_id(),
        };
        let mut response = (parts.status, Json(body)).into_response();
        if let Some(after) = parts.retry_after {
            let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)));
        }
        if parts.status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

/// Any path below `/api` that means nothing.
pub(crate) async fn unknown_path(uri: Uri) -> ApiError {
    let path: String = uri.path().chars().take(200).collect();
    ApiError::new(StatusCode::NOT_FOUND, "NOT_FOUND", format!("The API has nothing at {path}."))
}

/// A known path with a method it does not have; the header `Allow` names those it has.
pub(crate) async fn wrong_method(method: Method, uri: Uri) -> ApiError {
    ApiError::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "METHOD_NOT_ALLOWED",
        format!("{} does not take the method {method}. The header \"Allow\" names those it takes.", uri.path()),
    )
}

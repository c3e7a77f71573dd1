//! What requests bring, read with errors that name what is wrong: JSON bodies, paths, queries.

use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use skypanel_core::Error;

use crate::error::ApiError;

/// Largest body, in bytes, unless a route sets another limit.
pub(crate) const MAX_BODY: usize = 1024 * 1024;

/// A NUL character in a path; PostgreSQL's texts cannot hold one.
const NUL_IN_ADDRESS: &str = "%00";

/// A JSON body. The rules of the domain are the actions' to check.
#[derive(Debug)]
pub(crate) struct ValidJson<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for ValidJson<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        if !is_json(&request) {
            return Err(ApiError::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "UNSUPPORTED_MEDIA_TYPE",
                "The body must be JSON, with the header \"Content-Type: application/json\".",
            ));
        }
        let body = Bytes::from_request(request, state).await.map_err(|rejection| unreadable(&rejection))?;
        // Neither the database nor a process takes it; seldom, so that almost no body is read twice.
        if body.windows(6).any(|bytes| bytes == br"\u0000")
            && serde_json::from_slice(&body).is_ok_and(|value: Value| holds_nul(&value))
        {
            return Err(ApiError::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "INVALID_INPUT",
                "A text in the body holds a NUL character, which no text here may.",
            ));
        }
        // serde would read a list as a record's fields in their order.
        if body.trim_ascii_start().first() == Some(&b'[') {
            return Err(ApiError::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "INVALID_INPUT",
                "The body must be a JSON object, with its fields named.",
            ));
        }
        let mut reader = serde_json::Deserializer::from_slice(&body);
        let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| not_as_described(&error))?;
        reader.end().map_err(|error| ApiError::malformed(format!("The body is not JSON: {error}.")))?;
        Ok(Self(value))
    }
}

fn holds_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(holds_nul),
        Value::Object(fields) => fields.iter().any(|(name, value)| name.contains('\0') || holds_nul(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

fn is_json(request: &Request) -> bool {
    request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).is_some_and(|value| {
        let essence = value.split(';').next().unwrap_or_default().trim();
        essence.eq_ignore_ascii_case("application/json")
    })
}

fn unreadable(rejection: &BytesRejection) -> ApiError {
    if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
        return ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "BODY_TOO_LARGE", "The body is larger than this takes.");
    }
    ApiError::malformed("The body could not be read to its end.")
}

fn not_as_described(error: &serde_path_to_error::Error<serde_json::Error>) -> ApiError {
    let inner = error.inner();
    if inner.is_data() {
        let text = inner.to_string();
        // serde says where in the text; the path says it better.
        let problem = text.split(" at line ").next().unwrap_or(&text).trim_end_matches('.');
        let path = error.path().to_string();
        let field = match missing_field(problem) {
            Some(name) if path == "." => name.to_owned(),
            Some(name) => format!("{path}.{name}"),
            None => path,
        };
        return ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "INVALID_INPUT", format!("{field}: {problem}."))
            .with_details(json!({ "fields": { field: problem } }));
    }
    ApiError::malformed(format!("The body is not JSON: {inner}."))
}

fn missing_field(problem: &str) -> Option<&str> {
    problem.strip_prefix("missing field `")?.strip_suffix('`')
}

/// The variable parts of a path. What cannot be read names nothing, so that the answer is 404.
#[derive(Debug)]
pub(crate) struct PathOf<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for PathOf<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        if parts.uri.path().contains(NUL_IN_ADDRESS) {
            return Err(nothing_there());
        }
        match Path::<T>::from_request_parts(parts, state).await {
            Ok(Path(value)) => Ok(Self(value)),
            Err(_) => Err(nothing_there()),
        }
    }
}

fn nothing_there() -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, "NOT_FOUND", "There is nothing of that name or id that you have access to.")
}

/// The query of a path.
#[derive(Debug)]
pub(crate) struct QueryOf<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for QueryOf<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        let query = parts.uri.query().unwrap_or_default();
        let pairs = form_urlencoded::parse(query.as_bytes());
        serde_path_to_error::deserialize(serde_urlencoded::Deserializer::new(pairs)).map(Self).map_err(|error| {
            let path = error.path().to_string();
            let text = error.inner().to_string();
            let problem = text.trim_end_matches('.');
            Error::field(missing_field(problem).unwrap_or(&path), format!("{problem}.")).into()
        })
    }
}

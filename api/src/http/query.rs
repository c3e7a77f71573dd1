//! The query of every request, held against the OpenAPI document: a parameter that an operation does not have would
//! otherwise be passed over, and a misspelt `dry_run` would change what it should only have priced.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use skypanel_core::Error;
use skypanel_core::error::FieldError;
use utoipa::openapi::path::{Operation, Parameter, ParameterIn};
use utoipa::openapi::schema::Schema;
use utoipa::openapi::{OpenApi, RefOr};

use crate::error::ApiError;
use crate::http::openapi;

/// What queries each operation takes, by path and method.
#[derive(Debug, Default)]
pub(crate) struct Queries(HashMap<String, HashMap<&'static str, Vec<Known>>>);

#[derive(Debug)]
struct Known {
    name: String,
    /// Most characters of its value.
    max_length: Option<usize>,
}

impl Queries {
    pub(crate) fn of(document: &OpenApi) -> Self {
        // Hosts may add parameters of their own to the address of a webhook.
        let held = document.paths.paths.iter().filter(|(path, _)| !path.starts_with("/api/webhooks/"));
        let of_path = |item| openapi::operations(item).map(|(method, operation)| (method, known(operation))).collect();
        Self(held.map(|(path, item)| (path.clone(), of_path(item))).collect())
    }
}

fn known(operation: &Operation) -> Vec<Known> {
    let in_query =
        openapi::parameters(operation).filter(|parameter| matches!(parameter.parameter_in, ParameterIn::Query));
    in_query.map(|parameter| Known { name: parameter.name.clone(), max_length: max_length(parameter) }).collect()
}

fn max_length(parameter: &Parameter) -> Option<usize> {
    match &parameter.schema {
        Some(RefOr::T(Schema::Object(object))) => object.max_length,
        _ => None,
    }
}

/// The layer.
pub(crate) async fn check(State(queries): State<Arc<Queries>>, request: Request, next: Next) -> Response {
    let Some(query) = request.uri().query().filter(|query| !query.is_empty()) else { return next.run(request).await };
    let path = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str);
    let Some(known) = queries.0.get(path).and_then(|methods| methods.get(request.method().as_str())) else {
        return next.run(request).await;
    };
    let problems = problems(known, query);
    if problems.is_empty() {
        return next.run(request).await;
    }
    ApiError::from(Error::InvalidFields(problems)).into_response()
}

fn problems(known: &[Known], query: &str) -> Vec<FieldError> {
    let mut problems = Vec::new();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        let problem = match known.iter().find(|known| known.name == name) {
            None if known.is_empty() => "This takes no parameters in its query.".to_owned(),
            None => {
                let names: Vec<&str> = known.iter().map(|known| known.name.as_str()).collect();
                format!("There is no such parameter here, only: {}.", names.join(", "))
            }
            // PostgreSQL's texts cannot hold one.
            Some(_) if value.contains('\0') => "This holds a NUL character, which no text here may.".to_owned(),
            Some(Known { max_length: Some(most), .. }) if value.chars().count() > *most => {
                format!("Use up to {most} characters.")
            }
            Some(_) => continue,
        };
        problems.push(FieldError { field: name.into_owned(), problem });
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_operation_does_not_take_is_named() {
        let known = [Known { name: "search".to_owned(), max_length: Some(3) }];
        let fields = |query: &str| -> Vec<String> {
            problems(&known, query).into_iter().map(|error| format!("{}: {}", error.field, error.problem)).collect()
        };
        assert_eq!(fields("search=%C3%A4%C3%B6%C3%BC"), Vec::<String>::new());
        assert_eq!(fields("search=abcd"), ["search: Use up to 3 characters."]);
        assert_eq!(fields("search=%00"), ["search: This holds a NUL character, which no text here may."]);
        assert_eq!(fields("saerch=a"), ["saerch: There is no such parameter here, only: search."]);
        assert_eq!(problems(&[], "x").len(), 1);
    }
}

//! The route table: each noun lists its own routes, and all stand behind the same layers.

use std::future::Ready;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::DefaultBodyLimit;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{any, get};
use axum::{Router, middleware};
use skypanel_core::Error;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;

use crate::error::ApiError;
use crate::http::{Shared, etag, idempotency, input, openapi, origin, query, rate_limit, request};
use crate::{
    admin, alerts, apps, audit, auth, billing, console, dashboard, deployments, device_page, docs, domains, drains,
    env, error, events, health, jobs, logs, me, metrics, nodes, notifications, organizations, overview, pages, plans,
    platform, processes, repositories, requests, settings, usage, webhooks,
};

/// Everything that is served to people, programs and the edge.
pub(crate) fn all(shared: Shared) -> Router {
    let (api, mut document) = nouns().split_for_parts();
    openapi::complete(&mut document);
    let queries = Arc::new(query::Queries::of(&document));
    api.route("/api/openapi.json", get(served_document(&document)))
        .merge(docs::routes())
        .merge(console::routes())
        .route("/api", any(error::unknown_path))
        .route("/api/{*path}", any(error::unknown_path))
        .method_not_allowed_fallback(error::wrong_method)
        .layer(DefaultBodyLimit::max(input::MAX_BODY))
        .layer(middleware::from_fn_with_state(queries, query::check))
        .layer(middleware::from_fn(etag::tag))
        .layer(middleware::from_fn_with_state(shared.clone(), idempotency::repeat))
        .layer(middleware::from_fn_with_state(shared.clone(), origin::check))
        .layer(middleware::from_fn_with_state(shared.clone(), rate_limit::limit))
        .route("/_edge/unknown", any(pages::unknown_host))
        .route("/_edge/stopped/{slug}", any(pages::stopped))
        .route("/_edge/suspended/{slug}", any(pages::suspended))
        .route("/_edge/starting/{slug}", any(pages::starting))
        .route("/_edge/failed/{slug}", any(pages::failed))
        .merge(device_page::routes())
        .route("/", get(pages::welcome))
        .merge(dashboard::routes())
        .fallback(dashboard::page_or_nothing)
        .layer(middleware::from_fn_with_state(shared.clone(), request::answer))
        .layer(middleware::from_fn_with_state(shared.metrics.clone(), metrics::measure))
        .with_state(shared)
}

/// Answers the document. Only its text is kept, and only once: with what it is made of, every copy of the route would be
/// megabytes.
fn served_document(document: &OpenApi) -> impl Fn() -> Ready<Result<Response, ApiError>> + Clone + use<> {
    let text = serde_json::to_vec(document).map(Bytes::from).map_err(|error| error.to_string());
    move || {
        std::future::ready(match &text {
            Ok(text) => Ok(([(header::CONTENT_TYPE, "application/json")], text.clone()).into_response()),
            Err(error) => Err(Error::System(format!("The document cannot be written: {error}.")).into()),
        })
    }
}

/// The document alone.
pub(crate) fn document() -> OpenApi {
    let mut document = nouns().into_openapi();
    openapi::complete(&mut document);
    document
}

/// All operations of the API, noun by noun.
fn nouns() -> OpenApiRouter<Shared> {
    OpenApiRouter::with_openapi(openapi::begin())
        .merge(admin::routes())
        .merge(alerts::routes())
        .merge(apps::routes())
        .merge(audit::routes())
        .merge(auth::routes())
        .merge(billing::routes())
        .merge(deployments::routes())
        .merge(domains::routes())
        .merge(drains::routes())
        .merge(env::routes())
        .merge(events::routes())
        .merge(health::routes())
        .merge(jobs::routes())
        .merge(logs::routes())
        .merge(me::routes())
        .merge(metrics::routes())
        .merge(nodes::routes())
        .merge(notifications::routes())
        .merge(organizations::routes())
        .merge(overview::routes())
        .merge(plans::routes())
        .merge(platform::routes())
        .merge(processes::routes())
        .merge(repositories::routes())
        .merge(requests::routes())
        .merge(settings::routes())
        .merge(usage::routes())
        .merge(webhooks::routes())
}

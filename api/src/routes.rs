//! The route table: each noun lists its own routes, and all stand behind the same layers.

use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use axum::routing::{any, get};
use axum::{Json, Router, middleware};
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;

use crate::http::{Shared, etag, idempotency, input, openapi, origin, query, rate_limit, request};
use crate::{
    admin, alerts, apps, audit, auth, billing, console, dashboard, deployments, device_page, docs, domains, env, error,
    events, health, jobs, logs, me, metrics, nodes, notifications, organizations, overview, pages, plans, platform,
    processes, repositories, settings, usage, webhooks,
};

/// Everything that is served to people, programs and the edge.
pub(crate) fn all(shared: Shared) -> Router {
    let (api, mut document) = nouns().split_for_parts();
    openapi::complete(&mut document);
    let queries = Arc::new(query::Queries::of(&document));
    let document = Json(document);
    api.route("/api/openapi.json", get(move || std::future::ready(document.clone())))
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
        .merge(settings::routes())
        .merge(usage::routes())
        .merge(webhooks::routes())
}

//! `GET /api/paas/apps/{app}`.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use skypanel_core::model::{AppRef, Formation, ProcessType, resolve_formation};
use utoipa::ToSchema;

use super::AppItem;
use crate::http::{Answer, Caller, PathOf, Shared};

/// An app with what it runs.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AppAnswer {
    #[serde(flatten)]
    app: AppItem,
    /// The host name under which it is reached on the platform's default domain.
    host: String,
    /// The same as an address to open.
    url: String,
    /// Process types of its release and their commands.
    #[schema(value_type = BTreeMap<String, String>)]
    processes: BTreeMap<ProcessType, String>,
    /// Replicas of each process type, while it runs.
    #[schema(value_type = BTreeMap<String, u32>)]
    formation: Formation,
}

/// Show an app
#[utoipa::path(
    get,
    path = "/api/paas/apps/{app}",
    tag = "apps",
    params(("app" = String, Path, description = "Its slug or id")),
    responses((status = OK, body = AppAnswer))
)]
pub(crate) async fn show_app(
    State(shared): State<Shared>,
    caller: Caller,
    PathOf(app): PathOf<AppRef>,
) -> Answer<AppAnswer> {
    let actions = &shared.actions;
    let view = actions.app_view(&caller, &app).await?;
    let processes = actions.process_types(&view.app).await?;
    let formation = resolve_formation(&processes, &actions.store.formation(view.app.id).await?);
    let domain = actions.store.settings().await?.apps_default_domain;
    Ok(Json(AppAnswer {
        url: shared.options.addresses.of(&view.app.subdomain, &domain),
        host: format!("{}.{domain}", view.app.subdomain),
        processes,
        formation,
        app: view.into(),
    }))
}

//! `POST /api/paas/apps/{app}/deploy/archive`.

use std::fs::File;
use std::io::{Seek as _, Write as _};

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use futures_util::StreamExt as _;
use serde::Deserialize;
use skypanel_core::Error;
use skypanel_core::actions::{Actions, ArchiveDeploy};
use skypanel_core::model::AppRef;
use skypanel_core::store::Access;
use utoipa::IntoParams;

use super::QueuedDeployment;
use crate::error::{ApiError, ErrorBody};
use crate::http::{Caller, PathOf, QueryOf};

/// How to deploy an archive.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct How {
    /// What the list of releases shows of it, such as a version.
    #[param(max_length = 100)]
    description: Option<String>,
    /// Build without the build cache.
    #[serde(default)]
    no_cache: bool,
}

/// Deploy an archive
///
/// Builds and releases an uploaded `tar`, `tar.gz` or `tar.zst` of the app's source: the body is the archive itself. As
/// large as a push may be at most. It takes the place of deployments that still wait to be built.
#[utoipa::path(
    post,
    path = "/api/paas/apps/{app}/deploy/archive",
    tag = "deployments",
    params(("app" = String, Path, description = "Its slug or id"), How),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses(
        (status = ACCEPTED, body = QueuedDeployment),
        (status = PAYMENT_REQUIRED, body = ErrorBody),
        (status = CONFLICT, body = ErrorBody),
    )
)]
pub(crate) async fn deploy_archive(
    State(actions): State<Actions>,
    caller: Caller,
    PathOf(app): PathOf<AppRef>,
    QueryOf(how): QueryOf<How>,
    body: Body,
) -> Result<(StatusCode, Json<QueuedDeployment>), ApiError> {
    // Before any of it is read.
    actions.app_of(&caller, &app, Access::Change).await?;
    let most = actions.store.settings().await?.git_max_pack_mb * 1024 * 1024;
    let file = spool(&actions, body, most).await?;
    let archive = ArchiveDeploy { file, description: how.description, no_cache: how.no_cache };
    let started = actions.deploy_from_archive(&caller, &app, archive).await?;
    Ok((StatusCode::ACCEPTED, Json(started.into())))
}

/// Writes the body to a file that nobody else sees.
async fn spool(actions: &Actions, body: Body, most: u64) -> Result<File, ApiError> {
    let unwritable = |error: std::io::Error| Error::System(format!("An upload could not be written: {error}."));
    let mut file = actions.blobs.spool().map_err(Error::from)?.into_file();
    let mut body = body.into_data_stream();
    let mut length = 0u64;
    while let Some(piece) = body.next().await {
        let piece = piece.map_err(|_| ApiError::malformed("The archive could not be read to its end."))?;
        length += piece.len() as u64;
        if length > most {
            return Err(ApiError::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "BODY_TOO_LARGE",
                format!("The archive is larger than {} MiB.", most / 1024 / 1024),
            ));
        }
        file = tokio::task::spawn_blocking(move || file.write_all(&piece).map(|()| file))
            .await
            .map_err(|_| Error::System("An upload could not be written.".to_owned()))?
            .map_err(unwritable)?;
    }
    file.rewind().map_err(unwritable)?;
    Ok(file)
}

//! `POST /api/paas/apps/{app}/deploy/archive`.

use std::fs::File;
use std::io::{Seek as _, Write as _};
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use futures_util::StreamExt as _;
use serde::Deserialize;
use skypanel_core::Error;
use skypanel_core::actions::{ArchiveDeploy, Upload};
use skypanel_core::model::AppRef;
use utoipa::IntoParams;

use super::QueuedDeployment;
use crate::error::{ApiError, ErrorBody};
use crate::http::{Caller, PathOf, QueryOf, Shared};

/// Longest that nothing may come of an upload.
const SILENCE_LIMIT: Duration = Duration::from_secs(30);
/// Bytes after which the space on the disk is looked at again.
const LOOK_EVERY: u64 = 64 << 20;

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
/// large as a push may be at most. It takes the place of deployments that still wait to be built. A user uploads two
/// archives at a time, and an upload must keep coming. With an idempotency key, an archive has 1 MiB at most.
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
    State(shared): State<Shared>,
    caller: Caller,
    PathOf(app): PathOf<AppRef>,
    QueryOf(how): QueryOf<How>,
    body: Body,
) -> Result<(StatusCode, Json<QueuedDeployment>), ApiError> {
    let actions = &shared.actions;
    let place = shared.uploads.take(caller.user()?.id, caller.address)?;
    let file = spool(actions.begin_upload(&caller, &app).await?, body).await?;
    let archive = ArchiveDeploy { file, description: how.description, no_cache: how.no_cache };
    let started = actions.deploy_from_archive(&caller, &app, archive).await?;
    drop(place);
    Ok((StatusCode::ACCEPTED, Json(started.into())))
}

fn room_for_more(upload: &Upload) -> Result<(), ApiError> {
    if upload.has_room()? {
        return Ok(());
    }
    Err(ApiError::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "DISK_FULL",
        "The server's disk is nearly full, so nothing can be uploaded. Ask the operator to make room: what runs goes on \
         running.",
    ))
}

/// Writes the body to the upload's file.
async fn spool(upload: Upload, body: Body) -> Result<File, ApiError> {
    let unwritable = |error: std::io::Error| Error::System(format!("An upload could not be written: {error}."));
    let broken_off = || ApiError::malformed("The archive could not be read to its end.");
    let mut body = body.into_data_stream();
    let (mut upload, mut length, mut look_at) = (upload, 0u64, LOOK_EVERY);
    room_for_more(&upload)?;
    while let Some(piece) = tokio::time::timeout(SILENCE_LIMIT, body.next()).await.map_err(|_| broken_off())? {
        let piece = piece.map_err(|_| broken_off())?;
        length += piece.len() as u64;
        if length > upload.most {
            return Err(ApiError::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "BODY_TOO_LARGE",
                format!("The archive is larger than {} MiB.", upload.most >> 20),
            ));
        }
        if length >= look_at {
            room_for_more(&upload)?;
            look_at = length + LOOK_EVERY;
        }
        upload = tokio::task::spawn_blocking(move || upload.file.write_all(&piece).map(|()| upload))
            .await
            .map_err(|_| Error::System("An upload could not be written.".to_owned()))?
            .map_err(unwritable)?;
    }
    let mut file = upload.file;
    file.rewind().map_err(unwritable)?;
    Ok(file)
}

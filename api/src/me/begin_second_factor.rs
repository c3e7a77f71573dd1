//! `POST /api/me/totp`.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use skypanel_core::actions::Actions;
use utoipa::ToSchema;

use crate::error::ErrorBody;
use crate::http::{Answer, Caller, ValidJson};

/// The caller's password, once more.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SecondFactorRequest {
    password: String,
}

/// A second factor that waits for its first code.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SecondFactorSecret {
    /// To be typed into an authenticator app.
    secret: String,
    /// The same, to be shown as a QR code.
    #[schema(example = "otpauth://totp/Skypanel:ada%40example.com?secret=…&issuer=Skypanel")]
    url: String,
}

/// Set up a second factor
///
/// Makes a secret for an authenticator app (TOTP, RFC 6238). It is in force once it is confirmed with a first code.
#[utoipa::path(
    post, path = "/api/me/totp", tag = "me", request_body = SecondFactorRequest,
    responses(
        (status = OK, body = SecondFactorSecret),
        (status = CONFLICT, body = ErrorBody, description = "There is one already."),
    ),
)]
pub(crate) async fn begin_second_factor(
    State(actions): State<Actions>,
    caller: Caller,
    ValidJson(request): ValidJson<SecondFactorRequest>,
) -> Answer<SecondFactorSecret> {
    let enrolment = actions.begin_second_factor(&caller, &request.password).await?;
    Ok(Json(SecondFactorSecret { secret: enrolment.secret, url: enrolment.url }))
}

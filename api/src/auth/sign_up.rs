//! `POST /api/auth/sign-up`.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use skypanel_core::actions::Actions;
use skypanel_core::model::Role;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::error::{ApiError, ErrorBody};
use crate::http::{ValidJson, Visitor, schema};

/// Who was invited.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SignUpRequest {
    /// The invitation, as in its link.
    token: String,
    /// 12 characters or more.
    password: String,
}

/// The new account.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SignedUp {
    user_id: Uuid,
    email: String,
    /// Name of the organisation that was joined.
    organization: String,
    #[schema(value_type = schema::Role)]
    role: Role,
}

/// Sign up with an invitation
///
/// Makes an account for the invited e-mail address and joins the organisation. Who has an account already logs in and
/// accepts the invitation instead. The address is the inviter's word: nobody has checked whose it is.
#[utoipa::path(
    post, path = "/api/auth/sign-up", tag = "auth", request_body = SignUpRequest, security(()),
    responses(
        (status = CREATED, body = SignedUp),
        (status = NOT_FOUND, body = ErrorBody, description = "The invitation is unknown, used, taken back or too old."),
        (status = CONFLICT, body = ErrorBody, description = "There is an account for that address already."),
    ),
)]
pub(crate) async fn sign_up(
    State(actions): State<Actions>,
    visitor: Visitor,
    ValidJson(request): ValidJson<SignUpRequest>,
) -> Result<(StatusCode, Json<SignedUp>), ApiError> {
    let (user, organization, role) =
        actions.sign_up(&request.token, &request.password, visitor.address, visitor.request_id).await?;
    let body = SignedUp { user_id: user.id.0, email: user.email, organization: organization.name, role };
    Ok((StatusCode::CREATED, Json(body)))
}

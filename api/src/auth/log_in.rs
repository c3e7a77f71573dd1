//! `POST /api/auth/login`.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use serde::Deserialize;
use skypanel_core::actions::Login;
use utoipa::ToSchema;

use super::session::{OpenedSession, opened};
use crate::error::{ApiError, ErrorBody};
use crate::http::{Shared, ValidJson, Visitor};

/// Who logs in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LogInRequest {
    #[schema(example = "ada@example.com")]
    email: String,
    password: String,
    /// The code of the second factor, or a recovery code. Needed once the answer was `SECOND_FACTOR_REQUIRED`.
    code: Option<String>,
}

/// Log in
///
/// Opens a browser session, kept in cookies. With a second factor set up, a right password alone is answered with
/// 401 and the code `SECOND_FACTOR_REQUIRED`. After ten failures an account, and after fifty an address, must wait for
/// up to 15 minutes.
#[utoipa::path(
    post, path = "/api/auth/login", tag = "auth", request_body = LogInRequest, security(()),
    responses(
        (status = OK, body = OpenedSession),
        (status = UNAUTHORIZED, body = ErrorBody, description = "The password or the code is wrong, or a code is needed."),
    ),
)]
pub(crate) async fn log_in(
    State(shared): State<Shared>,
    visitor: Visitor,
    headers: HeaderMap,
    ValidJson(request): ValidJson<LogInRequest>,
) -> Result<(HeaderMap, Json<OpenedSession>), ApiError> {
    let login = Login {
        email: &request.email,
        password: &request.password,
        code: request.code.as_deref().filter(|code| !code.is_empty()),
        user_agent: headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok()),
        address: visitor.address,
        request_id: visitor.request_id,
    };
    let open = shared.actions.log_in(login).await?;
    Ok(opened(&shared, open))
}

//! `GET /api/platform`.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::{Answer, Shared};

/// User name that Git and `ssh` are told; the receiver takes any.
const SSH_USER: &str = "git";

/// The platform, as anybody may know it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Platform {
    /// Version of Skypanel.
    version: &'static str,
    /// Where browsers find it.
    #[schema(example = "https://paas.example")]
    url: String,
    ssh: SshAddress,
}

/// Where Git and commands go.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SshAddress {
    #[schema(example = "paas.example")]
    host: String,
    #[schema(example = 2222)]
    port: u16,
    user: &'static str,
    /// Public keys of the SSH servers, as in `known_hosts` files without the host's name. Empty until a server has
    /// started.
    #[schema(example = json!(["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJySykK18nyfYWW/A+yKBMRbHjc36mgcMmxaKn4S4bFo"]))]
    host_keys: Vec<String>,
}

/// Show the platform
///
/// Where its SSH server is and by which key it is known, so that a client need not ask whether it is the right one.
#[utoipa::path(
    get, path = "/api/platform", tag = "platform", security(()),
    responses((status = OK, body = Platform)),
)]
pub(crate) async fn show_platform(State(shared): State<Shared>) -> Answer<Platform> {
    let options = &shared.options;
    Ok(Json(Platform {
        version: env!("CARGO_PKG_VERSION"),
        url: options.public_url.clone(),
        ssh: SshAddress {
            host: options.ssh_host.clone(),
            port: options.ssh_port,
            user: SSH_USER,
            host_keys: shared.actions.store.host_keys().await?,
        },
    }))
}

//! What Skypanel serves over HTTP: the API, the pages that the edge shows for apps that cannot answer, and the
//! images that the engine pulls. Started by the `api` role.

mod admin;
mod alerts;
mod apps;
mod audit;
mod auth;
mod billing;
mod connections;
mod console;
mod dashboard;
mod deployments;
mod device_page;
mod docs;
mod domains;
mod drains;
mod env;
mod error;
mod events;
mod health;
mod http;
mod images;
mod jobs;
mod layer;
mod logs;
mod me;
mod metrics;
mod nodes;
mod notifications;
mod organizations;
mod overview;
mod pages;
mod plans;
mod platform;
mod processes;
mod repositories;
mod requests;
mod routes;
mod server;
mod settings;
mod usage;
mod webhooks;

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use axum::Router;
use skypanel_core::actions::Actions;
use skypanel_core::model::AddressFormat;
use skypanel_core::network::Networks;
use skypanel_core::{Error, Result};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub use crate::http::request::Peer;

use crate::http::Shared;

/// Where to listen, and what the texts say.
#[derive(Clone, Debug)]
pub struct ApiOptions {
    /// Address of the API and of all pages.
    pub listen: SocketAddr,
    /// Address that the engine pulls images from. Loopback only: images are served without authentication.
    pub image_listen: SocketAddr,
    /// Name of this host in the SSH addresses shown to users.
    pub ssh_host: String,
    /// Port of the SSH receiver in those addresses.
    pub ssh_port: u16,
    /// Where browsers find the API, such as `https://paas.example`. Cookies are for encrypted connections only when
    /// it begins with `https`.
    pub public_url: String,
    /// How the addresses of apps look.
    pub addresses: AddressFormat,
    /// Requests a client may send in a minute; none for any number.
    pub requests_per_minute: Option<NonZeroU32>,
    /// Proxies that are believed when they say in `X-Forwarded-For` where a request comes from.
    pub trusted_proxies: Networks,
    /// How often it is looked whether the follower of a live stream may still see it.
    pub recheck: Duration,
}

/// Both HTTP servers, bound and ready to run.
#[derive(Debug)]
pub struct Api {
    people: (TcpListener, Router),
    engine: (TcpListener, Router),
    shared: Shared,
    trusted_proxies: Networks,
}

impl Api {
    /// Binds both addresses. Fails with words for the operator when one is in use or not loopback.
    pub async fn bind(actions: Actions, options: ApiOptions) -> Result<Self> {
        if !options.image_listen.ip().is_loopback() {
            return Err(Error::Invalid(format!(
                "Images are served without authentication, so {} cannot be their address. \
                 Set SKYPANEL_IMAGE_LISTEN to a loopback address, such as 127.0.0.1:5100.",
                options.image_listen
            )));
        }
        let api = server::bind(options.listen, "The API", "SKYPANEL_API_LISTEN").await?;
        let images = server::bind(options.image_listen, "The image endpoint", "SKYPANEL_IMAGE_LISTEN").await?;
        let image_routes = images::routes(actions.blobs.clone());
        let trusted_proxies = options.trusted_proxies.clone();
        let shared = Shared::new(actions, options);
        let people = (api, routes::all(shared.clone()));
        Ok(Self { people, engine: (images, image_routes), shared, trusted_proxies })
    }

    /// The addresses that are listened on, API first: the real ports where port 0 was asked for.
    pub fn addresses(&self) -> Result<(SocketAddr, SocketAddr)> {
        let address = |listener: &TcpListener| {
            listener.local_addr().map_err(|error| Error::System(format!("A listener has no address: {error}.")))
        };
        Ok((address(&self.people.0)?, address(&self.engine.0)?))
    }

    /// Serves until `cancel`, then lets requests that are being answered end, for a bounded time.
    pub async fn run(self, cancel: CancellationToken) -> Result<()> {
        let Self { people: (api, api_routes), engine: (images, image_routes), shared, trusted_proxies } = self;
        tokio::join!(
            server::run(api, api_routes, server::Patience::People, &trusted_proxies, &cancel),
            server::run(images, image_routes, server::Patience::Engine, &trusted_proxies, &cancel),
            shared.consoles.run(&cancel),
            shared.metrics.tell(&shared.actions.store, &cancel),
        );
        Ok(())
    }
}

/// Everything that people and programs ask for, without a listener: what [`Api`] serves, for tests.
pub fn router(actions: Actions, options: ApiOptions) -> Router {
    routes::all(Shared::new(actions, options))
}

/// The OpenAPI document of the API, as at `/api/openapi.json`.
pub fn openapi() -> utoipa::openapi::OpenApi {
    routes::document()
}

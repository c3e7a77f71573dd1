//! What Skypanel serves over HTTP: the API, the pages that the edge shows for apps that cannot answer, and the
//! images that the engine pulls. Started by the `api` role.

mod error;
mod health;
mod images;
mod layer;
mod pages;
mod server;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::routing::any;
use skypanel_core::blob::Blobs;
use skypanel_core::store::Store;
use skypanel_core::{Error, Result};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::health::Health;
use crate::pages::Welcome;

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
}

/// Both HTTP servers, bound and ready to run.
#[derive(Debug)]
pub struct Api {
    people: (TcpListener, Router),
    engine: (TcpListener, Router),
}

impl Api {
    /// Binds both addresses. Fails with words for the operator when one is in use or not loopback.
    pub async fn bind(store: Store, blobs: Blobs, options: ApiOptions) -> Result<Self> {
        if !options.image_listen.ip().is_loopback() {
            return Err(Error::Invalid(format!(
                "Images are served without authentication, so {} cannot be their address. \
                 Set SKYPANEL_IMAGE_LISTEN to a loopback address, such as 127.0.0.1:5100.",
                options.image_listen
            )));
        }
        let api = server::bind(options.listen, "The API", "SKYPANEL_API_LISTEN").await?;
        let images = server::bind(options.image_listen, "The image endpoint", "SKYPANEL_IMAGE_LISTEN").await?;
        let welcome = Welcome { ssh_host: options.ssh_host, ssh_port: options.ssh_port };
        let api_routes = api_routes(Arc::new(Health::new(store, blobs.clone())), Arc::new(welcome));
        Ok(Self { people: (api, api_routes), engine: (images, images::routes(blobs)) })
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
        let Self { people: (api, api_routes), engine: (images, image_routes) } = self;
        tokio::join!(
            server::run(api, api_routes, server::Patience::People, &cancel),
            server::run(images, image_routes, server::Patience::Engine, &cancel),
        );
        Ok(())
    }
}

fn api_routes(health: Arc<Health>, welcome: Arc<Welcome>) -> Router {
    Router::new()
        .route("/api/health", axum::routing::get(health::show).with_state(health).fallback(error::wrong_method))
        .route("/api", any(error::unknown_path))
        .route("/api/{*path}", any(error::unknown_path))
        .route("/_edge/unknown", any(pages::unknown_host))
        .route("/_edge/stopped/{slug}", any(pages::stopped))
        .route("/_edge/suspended/{slug}", any(pages::suspended))
        .route("/_edge/starting/{slug}", any(pages::starting))
        .route("/", axum::routing::get(pages::welcome).with_state(welcome))
        .fallback(pages::nothing_here)
}

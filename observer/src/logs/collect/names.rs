//! Whose the edge's routers are: apps by their names and domains, as the deployer calls their routers.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use skypanel_core::Result;
use skypanel_core::model::AppId;
use skypanel_core::store::Store;
use tokio::sync::Mutex;

/// How old what was read may be: apps and domains come, go and change hands.
const FRESH: Duration = Duration::from_secs(10);
/// The same where a name is not known.
const FRESH_ENOUGH: Duration = Duration::from_secs(1);
/// Longest the store may take.
const LIMIT: Duration = Duration::from_secs(5);

/// Whose a line is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Owner {
    App(AppId),
    /// The app of this name.
    Slug(String),
    /// The app that has this domain.
    Domain(String),
}

impl Owner {
    /// The owner of a router of the edge, such as `app-shop@file`; none for those that are no app's.
    pub(super) fn of_router(router: &str) -> Option<Self> {
        let name = router.strip_suffix("@file")?;
        let (kind, of) = name.split_once('-').filter(|(_, of)| !of.is_empty())?;
        match kind {
            "app" | "tls" => Some(Self::Slug(of.to_owned())),
            "domain" | "secure" => Some(Self::Domain(of.to_owned())),
            _ => None,
        }
    }
}

/// Whether requests to a router came over HTTPS.
pub(super) fn is_secure(router: &str) -> bool {
    router.starts_with("tls-") || router.starts_with("secure-")
}

/// Which apps the names are of.
pub(super) struct Names {
    store: Store,
    known: Mutex<Option<(Instant, Known)>>,
}

#[derive(Default)]
struct Known {
    slugs: HashMap<String, AppId>,
    domains: HashMap<String, AppId>,
}

impl Names {
    pub(super) fn new(store: Store) -> Self {
        Self { store, known: Mutex::new(None) }
    }

    /// The app; none where there is none of that name, or that cannot be found out.
    pub(super) async fn app(&self, owner: &Owner) -> Option<AppId> {
        if let Owner::App(app) = owner {
            return Some(*app);
        }
        let mut known = self.known.lock().await;
        let fresh = |limit| move |(read, _): &(Instant, Known)| read.elapsed() < limit;
        let app = known.as_ref().filter(|known| fresh(FRESH)(known)).and_then(|(_, known)| known.app(owner));
        if app.is_some() || known.as_ref().is_some_and(fresh(FRESH_ENOUGH)) {
            return app;
        }
        match tokio::time::timeout(LIMIT, self.read()).await {
            Ok(Ok(read)) => *known = Some((Instant::now(), read)),
            Ok(Err(error)) => tracing::warn!(%error, "whose requests are cannot be read; going by what was read last"),
            Err(_) => tracing::warn!("whose requests are was not told in time; going by what was read last"),
        }
        known.as_ref().and_then(|(_, known)| known.app(owner))
    }

    async fn read(&self) -> Result<Known> {
        let slugs = self.store.apps(None).await?.into_iter().map(|app| (app.slug.to_string(), app.id)).collect();
        let domains = self.store.routed_domains().await?;
        let domains =
            domains.into_iter().map(|domain| (domain.domain.as_str().to_owned(), domain.application_id)).collect();
        Ok(Known { slugs, domains })
    }
}

impl Known {
    fn app(&self, owner: &Owner) -> Option<AppId> {
        match owner {
            Owner::App(app) => Some(*app),
            Owner::Slug(slug) => self.slugs.get(slug).copied(),
            Owner::Domain(domain) => self.domains.get(domain).copied(),
        }
    }
}

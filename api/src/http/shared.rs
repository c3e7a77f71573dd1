//! What every handler can ask for, made once when the API starts.

use std::sync::Arc;

use axum::extract::FromRef;
use skypanel_core::actions::Actions;

use crate::ApiOptions;
use crate::console::Consoles;
use crate::health::Health;
use crate::http::places::Places;
use crate::http::rate_limit::Limits;
use crate::metrics::Metrics;
use crate::nodes::Nodes;
use crate::requests::Requests;

/// State of the API. Cheap to clone. Most handlers want `State<Actions>` only.
#[derive(Clone)]
pub(crate) struct Shared {
    /// What users do.
    pub(crate) actions: Actions,
    /// Where this API is and what its texts say.
    pub(crate) options: Arc<ApiOptions>,
    /// The checks of the platform's health.
    pub(crate) health: Arc<Health>,
    /// What this process counts.
    pub(crate) metrics: Arc<Metrics>,
    /// The machines that apps run on.
    pub(crate) nodes: Arc<Nodes>,
    /// How many requests apps get.
    pub(crate) requests: Arc<Requests>,
    /// How many requests clients may send; none for any number.
    pub(crate) limits: Option<Arc<Limits>>,
    /// The live streams that are open.
    pub(crate) streams: Arc<Places>,
    /// The archives that are being uploaded.
    pub(crate) uploads: Arc<Places>,
    /// The consoles that are open.
    pub(crate) consoles: Consoles,
}

impl Shared {
    pub(crate) fn new(actions: Actions, options: ApiOptions) -> Self {
        let nodes = Arc::new(Nodes::new(actions.console.clone()));
        let requests = Arc::new(Requests::new(actions.measurements.clone(), actions.clock.clone()));
        let limits = options.requests_per_minute.map(|most| Arc::new(Limits::per_minute(most)));
        let health = Arc::new(Health::new(actions.clone(), nodes.clone()));
        let (options, metrics) = (Arc::new(options), Arc::new(Metrics::new()));
        let (streams, uploads) = (Places::for_streams(), Places::for_uploads());
        let consoles = Consoles::default();
        Self { actions, options, health, metrics, nodes, requests, limits, streams, uploads, consoles }
    }

    /// Whether browsers come over encrypted connections.
    pub(crate) fn is_encrypted(&self) -> bool {
        self.options.public_url.starts_with("https://")
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Shared")
    }
}

impl FromRef<Shared> for Actions {
    fn from_ref(shared: &Shared) -> Self {
        shared.actions.clone()
    }
}

impl FromRef<Shared> for Arc<Health> {
    fn from_ref(shared: &Shared) -> Self {
        shared.health.clone()
    }
}

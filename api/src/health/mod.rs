//! `GET /api/health` and its kin: whether everything that Skypanel depends on answers, for load balancers and
//! operators. Public; reasons go to the log only.

mod check;
mod live;
mod ready;
mod show;

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use skypanel_core::Error;
use skypanel_core::actions::Actions;
use skypanel_core::console::Edge;
use skypanel_core::mail::MailServer;
use skypanel_core::probes;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::check::{Check, Kept};
use crate::http::Shared;
use crate::nodes::Nodes;

/// How long it is told again what our own parts answered.
const KEPT: Duration = Duration::from_secs(2);
/// The same for services that others may use and count the use of.
const SERVICES_KEPT: Duration = Duration::from_secs(15);
/// The same for the mail server: many let nobody greet them all the time.
const MAIL_KEPT: Duration = Duration::from_secs(60);

/// The routes.
pub(crate) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(show::show_health))
        .routes(routes!(live::show_liveness))
        .routes(routes!(ready::show_readiness))
}

/// Checks the dependencies, each at most once at a time.
pub(crate) struct Health {
    actions: Actions,
    nodes: Arc<Nodes>,
    needed: Kept<Needed>,
    engine: Kept<(Check, Check)>,
    mail: Kept<Check>,
    log_store: Kept<Check>,
    metrics: Kept<Check>,
}

/// What requests need.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Needed {
    /// PostgreSQL.
    database: Check,
    /// The job queue's tables.
    queue: Check,
    /// Where sources, slugs and caches are kept.
    blobs: Check,
}

impl Needed {
    fn is_ready(&self) -> bool {
        [&self.database, &self.queue, &self.blobs].into_iter().all(Check::is_ok)
    }
}

/// What requests go on without.
struct Beside {
    engine: Check,
    edge: Check,
    mail: Check,
    log_store: Check,
    metrics: Check,
}

impl Beside {
    fn is_well(&self) -> bool {
        ![&self.engine, &self.edge, &self.mail, &self.log_store, &self.metrics].into_iter().any(Check::is_failed)
    }
}

impl Health {
    /// Checks what these actions and nodes stand on.
    pub(crate) fn new(actions: Actions, nodes: Arc<Nodes>) -> Self {
        Self {
            actions,
            nodes,
            needed: Kept::new(KEPT),
            engine: Kept::new(KEPT),
            mail: Kept::new(MAIL_KEPT),
            log_store: Kept::new(SERVICES_KEPT),
            metrics: Kept::new(SERVICES_KEPT),
        }
    }

    async fn needed(&self) -> Needed {
        let Actions { store, blobs, .. } = &self.actions;
        let look = async {
            let (database, queue, blobs) = tokio::join!(
                Check::of("database", async { store.ping().await.map(Some) }),
                Check::of("queue", async { store.queue().await.map(Some) }),
                Check::of("blobs", async { blobs.probe().await.map(Some) }),
            );
            Needed { database, queue, blobs }
        };
        let (seen, age) = self.needed.get(0, look).await;
        Needed { database: seen.database.aged(age), queue: seen.queue.aged(age), blobs: seen.blobs.aged(age) }
    }

    async fn beside(&self) -> Beside {
        let settings = *self.actions.store.settings_changes().borrow();
        let engine = async {
            tokio::join!(
                Check::of("engine", async { self.nodes.list().await.map(Some) }),
                Check::of("edge", async {
                    self.actions.console.edge().await.map(|edge| (edge == Edge::Serves).then_some(()))
                }),
            )
        };
        let (((engine, edge), age), mail, log_store, metrics) = tokio::join!(
            self.engine.get(0, engine),
            self.mail.get(settings, Check::of("mail", self.greet_mail())),
            self.log_store.get(settings, Check::of("log_store", self.ask_log_store())),
            self.metrics.get(settings, Check::of("metrics", self.ask_metrics())),
        );
        let aged = |(check, age): (Check, Duration)| check.aged(age);
        Beside {
            engine: engine.aged(age),
            edge: edge.aged(age),
            mail: aged(mail),
            log_store: aged(log_store),
            metrics: aged(metrics),
        }
    }

    /// What requests go on without, by its name: whether it answers. What is not there is not told of.
    pub(crate) async fn services(&self) -> Vec<(&'static str, bool)> {
        let Beside { engine, edge, mail, log_store, metrics } = self.beside().await;
        [("engine", engine), ("edge", edge), ("mail", mail), ("log_store", log_store), ("metrics_source", metrics)]
            .into_iter()
            .filter(|(_, check)| check.is_ok() || check.is_failed())
            .map(|(name, check)| (name, check.is_ok()))
            .collect()
    }

    async fn greet_mail(&self) -> Result<Option<()>, Error> {
        match MailServer::of(&self.actions.store.settings().await?)? {
            Some(server) => server.greet().await.map(Some),
            None => Ok(None),
        }
    }

    async fn ask_log_store(&self) -> Result<Option<()>, Error> {
        probes::ask_log_store(&self.actions.store.settings().await?, self.actions.clock.now()).await
    }

    async fn ask_metrics(&self) -> Result<Option<()>, Error> {
        probes::ask_metrics_source(&self.actions.store.settings().await?).await
    }
}

//! Certificates of custom domains: the agent, which is beside the edge, asks it for those that are due by the store, and
//! notes what it serves.

use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::StreamExt as _;
use skypanel_core::model::{CertificateStatus, Domain};
use skypanel_core::store::Store;
use tokio_util::sync::CancellationToken;

use crate::{DeployError, Deployer};

/// Between two looks at the store.
const PAUSE: Duration = Duration::from_secs(10);
/// Most domains of one look.
const MOST: i64 = 200;
/// Most at the same time.
const AT_ONCE: usize = 8;

/// Looks at the certificates of this host's edge until cancelled.
pub(crate) async fn follow(deployer: &Deployer, store: &Store, cancel: &CancellationToken) {
    let go_on = async {
        loop {
            look(deployer, store).await;
            tokio::time::sleep(PAUSE).await;
        }
    };
    cancel.run_until_cancelled(go_on).await;
}

async fn look(deployer: &Deployer, store: &Store) {
    let now = store.clock().now();
    let due = match store.certificates_due(now, MOST).await {
        Ok(due) => due,
        Err(error) => return tracing::warn!(%error, "it is not known which certificates are due"),
    };
    let looks = due.into_iter().map(|domain| note(deployer, store, domain, now));
    let outcomes: Vec<_> = futures_util::stream::iter(looks).buffer_unordered(AT_ONCE).collect().await;
    let failures: Vec<DeployError> = outcomes.into_iter().filter_map(Result::err).collect();
    if let Some(error) = failures.first() {
        tracing::warn!(%error, domains = failures.len(), "the edge could not be asked for certificates");
    }
}

async fn note(deployer: &Deployer, store: &Store, domain: Domain, now: DateTime<Utc>) -> Result<(), DeployError> {
    let seen = deployer.served_certificate(&domain, now).await?;
    if seen.status != domain.ssl_status && seen.status == CertificateStatus::Failed {
        tracing::warn!(domain = %domain.domain, problem = seen.problem, "a domain has no good certificate");
    }
    Ok(store.note_certificate(domain.id, &seen, now).await?)
}

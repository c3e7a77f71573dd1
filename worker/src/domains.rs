//! Custom domains: looks after those that are due. The store knows when each is; a name server that does not answer
//! changes nothing for a long time. What certificates the edge serves is for the agent beside it to see.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use skypanel_core::actions::{Actor, check_domain, note_silence};
use skypanel_core::jobs::CheckDomains;
use skypanel_core::model::Domain;
use skypanel_core::{Error, Result};

use crate::{Job, Worker};

/// Most domains at the same time. One whose name servers are silent takes its time, and no other one waits for it longer.
const AT_ONCE: i64 = 16;
/// After this a run takes no more domains; the next one comes within a minute.
const LIMIT: Duration = Duration::from_secs(45);

impl Job for CheckDomains {
    async fn run(self, worker: Worker, _attempt: i16) -> Result<()> {
        let begun = Instant::now();
        while begun.elapsed() < LIMIT {
            let due = worker.store.take_due_domains(worker.store.clock().now(), AT_ONCE).await?;
            if due.is_empty() {
                break;
            }
            join_all(due.into_iter().map(|domain| check(&worker, domain))).await;
        }
        Ok(())
    }
}

/// Asks DNS about one domain.
async fn check(worker: &Worker, domain: Domain) {
    let after = match check_domain(&worker.store, &Actor::system(), domain.id).await {
        Ok((after, _)) => Ok(after),
        Err(Error::Upstream(_)) => note_silence(&worker.store, domain.id).await,
        Err(error) => Err(error),
    };
    match after {
        Ok(after) if after.status != domain.status => {
            tracing::info!(domain = %domain.domain, before = %domain.status, after = %after.status, "a domain changed");
        }
        // Removed meanwhile.
        Ok(_) | Err(Error::NotFound(_)) => {}
        // It was taken for some minutes, after which it is due again.
        Err(error) => tracing::warn!(domain = %domain.domain, %error, "a domain could not be checked"),
    }
}

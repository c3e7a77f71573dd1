//! Custom domains: looks after those that are due, and asks the edge which certificates it serves. The store knows
//! when each is due; a name server that does not answer changes nothing.

use chrono::TimeDelta;
use futures_util::StreamExt as _;
use skypanel_core::actions::{Actor, check_domain};
use skypanel_core::jobs::CheckDomains;
use skypanel_core::model::{CertificateStatus, Domain};
use skypanel_core::{Error, Result};

use crate::{Job, Worker};

/// Most domains that one run looks at; the next one comes within a minute.
const MOST: i64 = 200;
/// Most at the same time.
const AT_ONCE: usize = 8;
/// When a domain is asked for again whose name servers did not answer.
const NO_ANSWER_PAUSE: TimeDelta = TimeDelta::minutes(5);

impl Job for CheckDomains {
    async fn run(self, worker: Worker, _attempt: i16) -> Result<()> {
        let now = worker.store.clock().now();
        let due = worker.store.domains_due(now, MOST).await?;
        futures_util::stream::iter(due).for_each_concurrent(AT_ONCE, |domain| check(&worker, domain)).await;
        let unasked = worker.store.certificates_due(now, MOST).await?;
        futures_util::stream::iter(unasked).for_each_concurrent(AT_ONCE, |domain| look(&worker, domain)).await;
        Ok(())
    }
}

/// Asks DNS about one domain.
async fn check(worker: &Worker, domain: Domain) {
    match check_domain(&worker.store, &Actor::system(), domain.id).await {
        Ok((after, _)) if after.status != domain.status => {
            tracing::info!(domain = %domain.domain, before = %domain.status, after = %after.status, "a domain changed");
        }
        // Removed meanwhile.
        Ok(_) | Err(Error::NotFound(_)) => {}
        Err(error) => {
            tracing::warn!(domain = %domain.domain, %error, "a domain could not be checked");
            let until = worker.store.clock().now() + NO_ANSWER_PAUSE;
            if let Err(error) = worker.store.put_off_domain(domain.id, until).await {
                tracing::warn!(domain = %domain.domain, %error, "its next check could not be put off");
            }
        }
    }
}

/// Asks the edge about the certificate of one domain.
async fn look(worker: &Worker, domain: Domain) {
    let now = worker.store.clock().now();
    let seen = match worker.deployer.served_certificate(&domain, now).await {
        Ok(seen) => seen,
        Err(error) => {
            tracing::warn!(domain = %domain.domain, %error, "the edge could not be asked for a certificate");
            return;
        }
    };
    if seen.status != domain.ssl_status && seen.status == CertificateStatus::Failed {
        tracing::warn!(domain = %domain.domain, problem = seen.problem, "a domain has no good certificate");
    }
    if let Err(error) = worker.store.note_certificate(domain.id, &seen, now).await {
        tracing::warn!(domain = %domain.domain, %error, "a certificate could not be noted");
    }
}

//! What the platform works with: whether the edge, the log store, the source of metrics and the mail server answer.

use std::time::Duration;

use super::outside::Outside;
use crate::alerts::{Finding, Moment, Seen};
use crate::mail::MailServer;
use crate::model::{Severity, Subject, SubjectKind};
use crate::probes;
use crate::{Error, Result};

/// Longest that something may take to answer.
const LIMIT: Duration = Duration::from_secs(20);

/// The edge of this machine; that of another one is for a worker there to look at.
pub(super) async fn edge(outside: &Outside) -> Result<Seen> {
    let name = outside.host.clone();
    let message =
        format!("The edge of {name} does not answer: apps cannot be reached through it. Skypanel's log says why.");
    let subject = Subject { kind: SubjectKind::Host, key: name.clone(), name, organization: None };
    let wrong = || Finding::plain(subject.clone(), Severity::Critical, message);
    let finding = answer("edge", outside.console.edge()).await.err().map(|_| wrong());
    Ok(Seen::Of(vec![subject], finding.into_iter().collect()))
}

pub(super) async fn log_store(moment: &Moment<'_>) -> Result<Seen> {
    let asked = answer("log store", probes::ask_log_store(moment.settings, moment.now)).await;
    Ok(seen(&asked, Subject::service("log_store", "log store"), "The Loki of the setting logs.loki_url"))
}

pub(super) async fn metrics_source(moment: &Moment<'_>) -> Result<Seen> {
    let asked = answer("metrics source", probes::ask_metrics_source(moment.settings)).await;
    let subject = Subject::service("metrics_source", "metrics source");
    Ok(seen(&asked, subject, "The Prometheus of the setting metrics.prometheus_url"))
}

pub(super) async fn mail(moment: &Moment<'_>) -> Result<Seen> {
    let greet = async {
        match MailServer::of(moment.settings)? {
            Some(server) => server.greet().await.map(Some),
            None => Ok(None),
        }
    };
    let subject = Subject::service("mail", "mail server");
    Ok(seen(&answer("mail server", greet).await, subject, "The mail server of the settings smtp."))
}

/// What something answers in time. Why it does not is for the log: that may be anything that a stranger sent.
async fn answer<T>(what: &str, work: impl Future<Output = Result<T>>) -> Result<T> {
    let late = |_| Error::Upstream(format!("It took longer than {} s.", LIMIT.as_secs()));
    let answer = tokio::time::timeout(LIMIT, work).await.map_err(late).flatten();
    answer.inspect_err(|error| tracing::warn!(what, %error, "does not answer as it should"))
}

/// Of a service: that it answers, that there is none, or that it does not answer.
fn seen(answer: &Result<Option<()>>, subject: Subject, what: &str) -> Seen {
    match answer {
        Ok(Some(())) => Seen::All(Vec::new()),
        Ok(None) => Seen::Off,
        Err(_) => {
            let message =
                format!("{what} does not answer as it should. Skypanel's log says why; admin:settings:check tries it.");
            Seen::All(vec![Finding::plain(subject, Severity::Critical, message)])
        }
    }
}

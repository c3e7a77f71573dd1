//! How apps answer, as the edge counts it.

use super::number;
use super::outside::Outside;
use crate::alerts::{Finding, Moment, Seen};
use crate::measurements::Traffic;
use crate::model::{AppId, Severity, Subject, SubjectKind};
use crate::{Error, Result};

pub(super) async fn errors(outside: &Outside, moment: &Moment<'_>) -> Result<Seen> {
    let threshold = number(moment.settings.alerts_app_error_percent);
    look(outside, moment, threshold, |traffic| Some(traffic.errors * 100.0 / traffic.requests), |slug, share| {
        format!("{share:.0} % of the requests to {slug} within five minutes were answered with 500 or more. Why: logs -a {slug}")
    })
    .await
}

pub(super) async fn latency(outside: &Outside, moment: &Moment<'_>) -> Result<Seen> {
    let threshold = number(moment.settings.alerts_app_latency_ms);
    look(outside, moment, threshold, |traffic| Some(traffic.p95_seconds? * 1_000.0), |slug, milliseconds| {
        format!("One in twenty of the requests to {slug} within five minutes took {milliseconds:.0} ms or more: metrics -a {slug}")
    })
    .await
}

async fn look(
    outside: &Outside,
    moment: &Moment<'_>,
    threshold: f64,
    value: impl Fn(&Traffic) -> Option<f64>,
    message: impl Fn(&str, f64) -> String,
) -> Result<Seen> {
    let least = number(moment.settings.alerts_app_requests_least);
    let (mut looked, mut findings) = (Vec::new(), Vec::new());
    for (app, traffic) in outside.measurements.traffic(moment.now).await? {
        let nameless = subject(app);
        let value = value(&traffic).filter(|_| traffic.requests >= least);
        let finding = value
            .and_then(|value| Finding::of_high(nameless.clone(), Severity::Warning, String::new(), value, threshold));
        looked.push(nameless);
        let (Some(value), Some(finding)) = (value, finding) else { continue };
        let app = match moment.store.app(app).await {
            Ok(app) => app,
            // It was destroyed a moment ago.
            Err(Error::NotFound(_)) => continue,
            Err(error) => return Err(error),
        };
        let (name, organization) = (app.slug.to_string(), Some(app.organization_id));
        let message = message(&name, value);
        findings.push(Finding { subject: Subject { name, organization, ..finding.subject }, message, ..finding });
    }
    Ok(Seen::Of(looked, findings))
}

fn subject(app: AppId) -> Subject {
    Subject { kind: SubjectKind::App, key: app.to_string(), name: String::new(), organization: None }
}

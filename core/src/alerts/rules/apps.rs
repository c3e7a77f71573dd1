//! Apps that crash or fail their health checks again and again, or were given up because of that. What happened to each replica is among the app's events.

use super::{app, eased, minutes, number};
use crate::Result;
use crate::alerts::{Finding, Moment, Seen};
use crate::model::Severity;
use crate::store::Incident;

pub(super) async fn crashes(moment: &Moment<'_>) -> Result<Seen> {
    let words = "ended unasked and were started again";
    look(moment, Incident::Crash, moment.settings.alerts_app_crashes, words, Severity::Critical).await
}

pub(super) async fn unhealthy(moment: &Moment<'_>) -> Result<Seen> {
    let words = "failed their health checks";
    look(moment, Incident::Health, moment.settings.alerts_app_unhealthy, words, Severity::Warning).await
}

/// Of which nobody tries to start something any more.
pub(super) async fn given_up(moment: &Moment<'_>) -> Result<Seen> {
    let threshold = moment.settings.alerts_app_given_up;
    let apps = moment.store.apps_given_up(eased(threshold)).await?;
    let findings = apps.iter().filter_map(|count| {
        let (types, slug) = (count.count, &count.slug);
        let message = format!(
            "{types} of the process types of {slug} crashed again and again and are not started any more. Why: events -a \
             {slug}, logs -a {slug}. Once that is mended: ps:restart -a {slug}"
        );
        Finding::of_high(app(count), Severity::Critical, message, number(types), number(threshold))
    });
    Ok(Seen::All(findings.collect()))
}

async fn look(
    moment: &Moment<'_>,
    incident: Incident,
    threshold: u64,
    words: &str,
    severity: Severity,
) -> Result<Seen> {
    let window = moment.settings.alerts_app_minutes;
    let apps = moment.store.incidents(incident, moment.now - minutes(window), eased(threshold)).await?;
    let findings = apps.iter().filter_map(|count| {
        // What a replica wrote last is not told: anybody could have written it.
        let (times, slug) = (count.count, &count.slug);
        let message = format!(
            "Replicas of {slug} {words}, {times} times within {window} minutes. What happened: events -a {slug}, logs -a {slug}"
        );
        Finding::of_high(app(count), severity, message, number(times), number(threshold))
    });
    Ok(Seen::All(findings.collect()))
}

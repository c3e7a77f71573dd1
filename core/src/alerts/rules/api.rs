//! How the API answers, all of its processes together.

use chrono::TimeDelta;

use super::number;
use crate::Result;
use crate::alerts::{Finding, Moment, Seen};
use crate::model::{Severity, Subject};
use crate::store::ApiAnswers;

/// How far back.
const WINDOW: TimeDelta = TimeDelta::minutes(5);
/// Fewer requests than this say nothing.
const LEAST: u64 = 50;
/// So many of a hundred answers may be slow.
const SLOW_PERCENT: f64 = 5.0;

pub(super) async fn errors(moment: &Moment<'_>) -> Result<Seen> {
    let threshold = number(moment.settings.alerts_api_error_percent);
    look(moment, threshold, Severity::Critical, |answers| answers.errors, "failed").await
}

pub(super) async fn latency(moment: &Moment<'_>) -> Result<Seen> {
    let words = format!("took longer than {} ms", moment.settings.alerts_api_slow_ms);
    look(moment, SLOW_PERCENT, Severity::Warning, |answers| answers.slow, &words).await
}

async fn look(
    moment: &Moment<'_>,
    threshold: f64,
    severity: Severity,
    bad: fn(&ApiAnswers) -> u64,
    words: &str,
) -> Result<Seen> {
    let answers = moment.store.api_answers(moment.now - WINDOW).await?;
    if answers.requests < LEAST {
        return Ok(Seen::All(Vec::new()));
    }
    let (bad, all) = (bad(&answers), answers.requests);
    let share = number(bad) * 100.0 / number(all);
    let message = format!(
        "{bad} of {all} requests to the API within five minutes {words} ({share:.1} %). /metrics says which, Skypanel's log why."
    );
    let finding = Finding::of_high(Subject::platform(), severity, message, share, threshold);
    Ok(Seen::All(finding.into_iter().collect()))
}

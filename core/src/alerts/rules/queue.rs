//! Jobs that wait: too many, or for too long.

use super::number;
use crate::Result;
use crate::alerts::{Finding, Moment, Seen};
use crate::model::{Severity, Subject};

pub(super) async fn depth(moment: &Moment<'_>) -> Result<Seen> {
    let queue = moment.store.queue().await?;
    let waiting: u64 = queue.iter().filter_map(|depth| u64::try_from(depth.waiting).ok()).sum();
    let most = queue.iter().max_by_key(|depth| depth.waiting).map_or("", |depth| depth.task.as_str());
    let message = format!(
        "{waiting} jobs wait for a worker, most of the kind {most}. Are there enough workers, and do they run?"
    );
    let threshold = number(moment.settings.alerts_jobs_waiting);
    let finding = Finding::of_high(Subject::platform(), Severity::Warning, message, number(waiting), threshold);
    Ok(Seen::All(finding.into_iter().collect()))
}

pub(super) async fn age(moment: &Moment<'_>) -> Result<Seen> {
    let queue = moment.store.queue().await?;
    let oldest = queue.iter().max_by(|one, other| one.oldest_seconds.total_cmp(&other.oldest_seconds));
    let finding = oldest.and_then(|depth| {
        let age = depth.oldest_seconds;
        let message = format!(
            "A job of the kind {} that could begin has waited for {age:.0} s: for a worker, or for others of its queue.",
            depth.task
        );
        let threshold = number(moment.settings.alerts_jobs_oldest_seconds);
        Finding::of_high(Subject::platform(), Severity::Warning, message, age, threshold)
    });
    Ok(Seen::All(finding.into_iter().collect()))
}

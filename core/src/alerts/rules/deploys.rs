//! Deployments that fail, one app's again and again or many of the platform's, and those that take long.

use chrono::TimeDelta;

use super::{app, minutes, number};
use crate::Result;
use crate::alerts::{Finding, Moment, Seen};
use crate::model::{Severity, Stage, Subject};

/// An app that failed longer ago is not being worked on.
const LATELY: TimeDelta = TimeDelta::hours(24);
/// Fewer stages than this say nothing about how long they take.
const LEAST: u64 = 3;

/// One app's.
pub(super) async fn of_apps(moment: &Moment<'_>) -> Result<Seen> {
    let threshold = moment.settings.alerts_app_deploy_failures;
    let failing = moment.store.apps_that_fail(moment.now - LATELY, threshold).await?;
    let findings = failing.iter().map(|failing| {
        let (count, slug) = (failing.count, &failing.slug);
        let message = format!("The last {count} deployments of {slug} failed. What went wrong: builds -a {slug}");
        Finding::plain(app(failing), Severity::Warning, message).measured(number(count), number(threshold))
    });
    Ok(Seen::All(findings.collect()))
}

/// The whole platform's.
pub(super) async fn of_the_platform(moment: &Moment<'_>) -> Result<Seen> {
    let settings = moment.settings;
    let window = settings.alerts_window_minutes;
    let (succeeded, failed) = moment.store.deployments_ended(moment.now - minutes(window)).await?;
    let all = succeeded + failed;
    if all < settings.alerts_deploy_failure_least {
        return Ok(Seen::All(Vec::new()));
    }
    let share = number(failed) * 100.0 / number(all.max(1));
    let message = format!("{failed} of {all} deployments within {window} minutes failed ({share:.0} %).");
    let threshold = number(settings.alerts_deploy_failure_percent);
    let finding = Finding::of_high(Subject::platform(), Severity::Warning, message, share, threshold);
    Ok(Seen::All(finding.into_iter().collect()))
}

pub(super) async fn build_time(moment: &Moment<'_>) -> Result<Seen> {
    stage_time(moment, Stage::Build, "builds", moment.settings.alerts_build_seconds).await
}

pub(super) async fn rollout_time(moment: &Moment<'_>) -> Result<Seen> {
    stage_time(moment, Stage::Deploy, "rollouts", moment.settings.alerts_rollout_seconds).await
}

async fn stage_time(moment: &Moment<'_>, stage: Stage, what: &str, threshold: u64) -> Result<Seen> {
    let window = moment.settings.alerts_window_minutes;
    let (count, mean) = moment.store.stage_time(stage, moment.now - minutes(window)).await?;
    if count < LEAST {
        return Ok(Seen::All(Vec::new()));
    }
    let message = format!("{count} {what} within {window} minutes took {mean:.0} s on average.");
    let finding = Finding::of_high(Subject::platform(), Severity::Warning, message, mean, number(threshold));
    Ok(Seen::All(finding.into_iter().collect()))
}

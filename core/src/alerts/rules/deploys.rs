//! Deployments that fail: one app's again and again, or many of the platform's.

use async_trait::async_trait;
use chrono::TimeDelta;

use super::minutes;
use crate::Result;
use crate::alerts::{Finding, Level, Moment, Rule, Seen};
use crate::model::{AlertRule, Severity, Subject, SubjectKind};

/// An app that failed longer ago is not being worked on.
const LATELY: TimeDelta = TimeDelta::hours(24);

/// Several deployments of an app in a row failed.
#[derive(Clone, Copy, Debug)]
pub struct AppDeploysFailing;

#[async_trait]
impl Rule for AppDeploysFailing {
    fn name(&self) -> AlertRule {
        AlertRule::AppDeploysFailing
    }

    async fn look(&self, moment: &Moment<'_>) -> Result<Seen> {
        let threshold = moment.settings.alerts_app_deploy_failures;
        if threshold == 0 {
            return Ok(Seen::Off);
        }
        let failing = moment.store.apps_that_fail(moment.now - LATELY, threshold).await?;
        let findings = failing.into_iter().map(|app| {
            let message = format!(
                "The last {} deployments of {} failed. What went wrong: builds -a {}",
                app.count, app.slug, app.slug
            );
            let subject = Subject {
                kind: SubjectKind::App,
                key: app.id.to_string(),
                name: app.slug.to_string(),
                organization: Some(app.organization_id),
            };
            Finding::plain(subject, Severity::Warning, message).measured(number(app.count), number(threshold))
        });
        Ok(Seen::All(findings.collect()))
    }
}

/// Many of the platform's deployments fail.
#[derive(Clone, Copy, Debug)]
pub struct DeployFailures;

#[async_trait]
impl Rule for DeployFailures {
    fn name(&self) -> AlertRule {
        AlertRule::DeployFailures
    }

    async fn look(&self, moment: &Moment<'_>) -> Result<Seen> {
        let settings = moment.settings;
        let threshold = settings.alerts_deploy_failure_percent;
        if threshold == 0 {
            return Ok(Seen::Off);
        }
        let window = settings.alerts_window_minutes;
        let (succeeded, failed) = moment.store.deployments_ended(moment.now - minutes(window)).await?;
        let all = succeeded + failed;
        if all < settings.alerts_deploy_failure_least {
            return Ok(Seen::All(Vec::new()));
        }
        let (share, threshold) = (number(failed) * 100.0 / number(all.max(1)), number(threshold));
        let finding = Level::of_high(share, threshold).map(|level| {
            let message = format!("{failed} of {all} deployments within {window} minutes failed ({share:.0} %).");
            Finding::plain(Subject::platform(), Severity::Warning, message).measured(share, threshold).at(level)
        });
        Ok(Seen::All(finding.into_iter().collect()))
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of deployments, far below 2^53")]
fn number(count: u64) -> f64 {
    count as f64
}

//! Wallets that get low or are empty, budgets that are used up, and whether billing is right: hours are settled soon
//! after their end, and what is charged is what was used.

use chrono::{NaiveTime, TimeDelta};

use super::{eased, number};
use crate::Result;
use crate::alerts::{EASED, Finding, Level, Moment, Seen};
use crate::model::{Hour, Month, OrganizationId, Severity, Subject, SubjectKind};

pub(super) async fn low_balance(moment: &Moment<'_>) -> Result<Seen> {
    let settings = moment.settings;
    let low = moment.store.low_wallets(settings.low_balance_hours(None), EASED).await?;
    let findings = low.into_iter().filter_map(|wallet| {
        let level = Level::of_low(wallet.hours, wallet.threshold)?;
        let is_last = wallet.hours <= number(settings.billing_last_warning_hours);
        let severity = if is_last { Severity::Critical } else { Severity::Warning };
        let message = format!(
            "The wallet of {} holds {} and its apps use {} an hour: it lasts for {:.0} hours. At zero the apps are suspended.",
            wallet.name, wallet.balance, wallet.burn, wallet.hours
        );
        let subject = organization(wallet.id, wallet.name);
        Some(Finding::plain(subject, severity, message).measured(wallet.hours, wallet.threshold).at(level))
    });
    Ok(Seen::All(findings.collect()))
}

/// What is charged only grows within a month, so that nothing hovers at a threshold: a higher budget ends an alert at
/// once, and so does the next month.
pub(super) async fn month_budget(moment: &Moment<'_>) -> Result<Seen> {
    let warned = moment.settings.alerts_budget_percent;
    let month = Month::of(moment.now);
    let used = moment.store.budgets_used(month, warned).await?;
    let findings = used.into_iter().map(|used| {
        let is_used_up = used.charged >= used.budget;
        let (severity, threshold) = if is_used_up { (Severity::Critical, 100) } else { (Severity::Warning, warned) };
        let message = format!(
            "{} was charged {} in {month}, {:.0} % of its budget of {}. Nothing is stopped for that.",
            used.name,
            used.charged,
            used.percent.floor(),
            used.budget
        );
        let subject = organization(used.id, used.name);
        Finding::plain(subject, severity, message).measured(used.percent, number(threshold))
    });
    Ok(Seen::All(findings.collect()))
}

pub(super) async fn wallet_empty(moment: &Moment<'_>) -> Result<Seen> {
    let threshold = moment.settings.alerts_held_apps;
    let held = moment.store.held_by_wallets(eased(threshold)).await?;
    let findings = held.into_iter().filter_map(|(id, name, count)| {
        let message =
            format!("{count} of the apps of {name} are suspended: its wallet is empty. A top-up starts them again.");
        let subject = organization(id, name);
        Finding::of_high(subject, Severity::Critical, message, number(count), number(threshold))
    });
    Ok(Seen::All(findings.collect()))
}

pub(super) async fn settlement_late(moment: &Moment<'_>) -> Result<Seen> {
    // What is settled up to before this belongs to an hour that is over.
    let oldest = moment.store.unsettled_since(Hour::of(moment.now).begin()).await?;
    let finding = oldest.and_then(|settled_until| {
        let ended = Hour::of(settled_until).end();
        let message = format!(
            "The hour that ended at {} is not settled yet. Skypanel's log says why; admin:billing:settle tries it again.",
            ended.format("%Y-%m-%d %H:%M UTC")
        );
        #[expect(clippy::cast_precision_loss, reason = "seconds of a wait, far below 2^53")]
        let minutes = (moment.now - ended).max(TimeDelta::zero()).num_seconds() as f64 / 60.0;
        let threshold = number(moment.settings.alerts_settlement_minutes);
        Finding::of_high(Subject::platform(), Severity::Critical, message, minutes, threshold)
    });
    Ok(Seen::All(finding.into_iter().collect()))
}

pub(super) async fn mismatch(moment: &Moment<'_>) -> Result<Seen> {
    let first = moment.settings.first_billing_day(moment.now);
    let differences = moment.store.billing_differences(first).await?;
    let findings = differences.into_iter().map(|one| {
        let name = one.name.unwrap_or_else(|| one.organization.to_string());
        let message = format!(
            "Since {}, {name} used {} that was to be charged, and was charged {}.",
            first.and_time(NaiveTime::MIN).format("%Y-%m-%d %H:%M UTC"),
            one.used,
            one.charged
        );
        // For admins: its people could do nothing about it.
        let subject = Subject { organization: None, ..organization(one.organization, name) };
        Finding::plain(subject, Severity::Critical, message)
    });
    Ok(Seen::All(findings.collect()))
}

fn organization(id: OrganizationId, name: String) -> Subject {
    Subject { kind: SubjectKind::Organization, key: id.to_string(), name, organization: Some(id) }
}

//! Money as people see and move it: wallets, ledgers, usage.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::plans::admin;
use super::{Actions, Actor};
use crate::model::{
    AppId, Hour, LedgerEntry, LedgerKind, Money, Month, NewLedgerEntry, Organization, OrganizationId, SuspensionReason,
    UsageLine, WalletThresholds, cost_over,
};
use crate::store::{Access, AuditEntry, add_lines, audit, ledger, settlement, suspension};
use crate::{Error, Result};

/// A wallet and where it is going.
#[derive(Clone, Debug)]
pub struct Wallet {
    /// What is in it.
    pub balance: Money,
    /// Whether hours are charged to it.
    pub billing_enabled: bool,
    /// What all that runs now costs an hour.
    pub cost_per_hour: Money,
    /// Whole hours that what is left, with what is not settled yet taken off, lasts at that; none where nothing costs
    /// anything or nothing is charged.
    pub lasts_hours: Option<u64>,
    /// The current month.
    pub month: Month,
    /// What was used in it until now, the current hour included.
    pub month_to_date: Money,
    /// What of it was charged: what a budget is held against.
    pub month_charged: Money,
    /// What it comes to if everything goes on as it is, rounded half up.
    pub forecast: Money,
    /// Apps that an empty wallet holds.
    pub suspended_apps: u64,
    /// What is about to happen and what helps, where the balance is low.
    pub warning: Option<String>,
    /// When its owners want to be warned.
    pub thresholds: WalletThresholds,
    /// The hours that count where they do not say; where it is 0, nobody is warned before the last time.
    pub platform_low_balance_hours: u64,
    /// Hours below which they are warned for the last time.
    pub last_warning_hours: u64,
    /// Percent of their budget from which on they are warned; 0 for never.
    pub budget_percent: u64,
}

/// What was used in a time.
#[derive(Clone, Debug)]
pub struct Usage {
    /// Since when.
    pub from: DateTime<Utc>,
    /// Until when: the end of the period, or now.
    pub to: DateTime<Utc>,
    /// By app, process type, plan and price.
    pub lines: Vec<UsageLine>,
    /// What all of it cost.
    pub cost: Money,
    /// What of it was charged.
    pub charged: Money,
    /// What of the cost belongs to hours that are not settled yet.
    pub unsettled: Money,
}

/// A movement that an admin made, and what followed from it.
#[derive(Clone, Debug)]
pub struct Movement {
    /// What the ledger has now.
    pub entry: LedgerEntry,
    /// Apps that go on, because the wallet is not empty any more.
    pub resumed: Vec<AppId>,
    /// Apps that were suspended, because it is.
    pub suspended: Vec<AppId>,
}

/// Usage of a time, as asked for.
#[derive(Clone, Copy, Debug)]
pub enum Period {
    /// A month.
    Month(Month),
    /// From the beginning of an hour until that of another.
    Hours(Hour, Hour),
}

impl Period {
    fn bounds(self) -> (Hour, Hour) {
        match self {
            Self::Month(month) => (Hour::of(month.begin()), Hour::of(month.end())),
            Self::Hours(from, to) => (from, to),
        }
    }
}

impl Actions {
    /// The wallet of an organisation.
    pub async fn wallet(&self, actor: &Actor, organization: &Organization) -> Result<Wallet> {
        check(actor, organization.id, Access::Read)?;
        let now = self.clock.now();
        let month = Month::of(now);
        let usage = self.usage_of(organization.id, None, Period::Month(month), now).await?;
        let cost_per_hour = self.store.burn(organization.id, None).await?;
        let left = self.store.funds(organization.id, now).await?;
        let settings = self.store.settings().await?;
        let thresholds = self.store.wallet_thresholds(organization.id).await?;
        let low_balance_hours = settings.low_balance_hours(thresholds.low_balance_hours);
        let lasts = |left: Money| u64::try_from(left.millionths() / cost_per_hour.millionths()).unwrap_or(0);
        Ok(Wallet {
            balance: self.store.balance(organization.id).await?,
            billing_enabled: left.is_some(),
            cost_per_hour,
            lasts_hours: left.filter(|_| cost_per_hour > Money::ZERO).map(lasts),
            month,
            month_to_date: usage.cost,
            forecast: usage.cost + cost_over(cost_per_hour, month.end() - now),
            suspended_apps: self.store.apps_held(organization.id, SuspensionReason::Wallet).await?,
            month_charged: usage.charged,
            warning: left.and_then(|left| warning(left, cost_per_hour, &low_balance_hours)),
            thresholds,
            platform_low_balance_hours: settings.billing_low_balance_hours,
            last_warning_hours: settings.billing_last_warning_hours,
            budget_percent: settings.alerts_budget_percent,
        })
    }

    /// The newest entries of a ledger, from before the entry `before` on.
    pub async fn ledger(
        &self,
        actor: &Actor,
        organization: OrganizationId,
        before: Option<i64>,
        limit: i64,
    ) -> Result<Vec<LedgerEntry>> {
        check(actor, organization, Access::Read)?;
        self.store.ledger(organization, before, limit).await
    }

    /// What an organisation, or one of its apps, used in a period, up to this moment.
    pub async fn usage(
        &self,
        actor: &Actor,
        organization: OrganizationId,
        app: Option<AppId>,
        period: Period,
    ) -> Result<Usage> {
        check(actor, organization, Access::Read)?;
        self.usage_of(organization, app, period, self.clock.now()).await
    }

    async fn usage_of(
        &self,
        organization: OrganizationId,
        app: Option<AppId>,
        period: Period,
        now: DateTime<Utc>,
    ) -> Result<Usage> {
        let (from, to) = period.bounds();
        let mut lines = match period {
            Period::Month(month) => self.store.usage_of_month(organization, app, month).await?,
            Period::Hours(from, to) => self.store.usage(organization, app, from, to).await?,
        };
        let until = to.begin().min(now).max(from.begin());
        let used = self.store.unsettled_usage(organization, app, from, until).await?;
        let unsettled = used.iter().map(|line| line.cost).sum();
        add_lines(&mut lines, used);
        Ok(Usage {
            from: from.begin(),
            to: until,
            cost: lines.iter().map(|line| line.cost).sum(),
            charged: lines.iter().map(|line| line.charged).sum(),
            unsettled,
            lines,
        })
    }

    /// Moves money by an admin's hand: a top-up, a refund or an adjustment. Apps follow the balance at once: above
    /// zero, those that the empty wallet held go on as they were.
    pub async fn move_money(
        &self,
        actor: &Actor,
        organization: OrganizationId,
        new: NewLedgerEntry,
    ) -> Result<Movement> {
        admin(actor)?;
        check_entry(&new)?;
        let now = self.clock.now();
        let mut transaction = self.store.pool().begin().await?;
        let entry = ledger::add(&mut transaction, organization, actor, &new, now).await?;
        if entry.amount > Money::ZERO {
            settlement::forget_low_balance(&mut transaction, organization).await?;
        }
        let (mut resumed, mut suspended) = (Vec::new(), Vec::new());
        if entry.balance_after > Money::ZERO {
            resumed = suspension::release(&mut transaction, organization, SuspensionReason::Wallet, now).await?;
        } else if suspension::billing_is_on(&mut transaction).await? {
            suspended = suspension::hold(&mut transaction, organization, SuspensionReason::Wallet, now).await?;
        }
        let audited = AuditEntry {
            action: match new.kind {
                LedgerKind::TopUp => "wallet.top_up",
                LedgerKind::Refund => "wallet.refund",
                LedgerKind::Charge | LedgerKind::Adjustment => "wallet.adjust",
            },
            organization: Some(organization),
            target_kind: "organization",
            target: &organization.to_string(),
            before: json!({ "balance": entry.balance_after - entry.amount }),
            after: json!({
                "balance": entry.balance_after, "amount": entry.amount, "reference": entry.reference, "note": entry.note,
            }),
        };
        audit::record(&mut transaction, actor, now, audited).await?;
        transaction.commit().await?;
        Ok(Movement { entry, resumed, suspended })
    }

    /// Settles at once, rather than within minutes after the next full hour; for admins.
    pub async fn settle_usage_now(&self, actor: &Actor) -> Result<crate::store::Settled> {
        admin(actor)?;
        // A settlement is many transactions, of which none may happen unaudited. What it charged is in the ledger.
        let entry = AuditEntry {
            action: "billing.settle",
            organization: None,
            target_kind: "platform",
            target: "billing",
            before: Value::Null,
            after: Value::Null,
        };
        audit::record(&mut *self.store.pool().acquire().await?, actor, self.clock.now(), entry).await?;
        self.store.settle_usage().await
    }
}

/// What to tell people of a wallet that holds so much and is used by so much an hour.
fn warning(left: Money, cost_per_hour: Money, thresholds: &[u64]) -> Option<String> {
    if left <= Money::ZERO {
        let words = "The wallet is empty: nothing starts or deploys, and apps that run are suspended. Ask an admin of the \
                     platform to top it up.";
        return Some(words.to_owned());
    }
    let reached = thresholds.iter().filter_map(|hours| u32::try_from(*hours).ok());
    let hours = reached.filter(|hours| left < cost_per_hour.times(*hours)).min()?;
    Some(format!(
        "The wallet lasts for less than {hours} hours of what runs now. At zero the apps are suspended: ask an admin of \
         the platform to top it up before."
    ))
}

pub(super) fn check(actor: &Actor, organization: OrganizationId, access: Access) -> Result<()> {
    actor.check(organization, access, || {
        Error::NotFound("There is no such organisation that you have access to.".to_owned())
    })
}

fn check_entry(new: &NewLedgerEntry) -> Result<()> {
    let fits = match new.kind {
        LedgerKind::Charge => {
            return Err(Error::field(
                "kind",
                "Charges come from the settlement only. Use top_up, refund or adjustment.",
            ));
        }
        LedgerKind::TopUp | LedgerKind::Refund => new.amount > Money::ZERO,
        LedgerKind::Adjustment => new.amount != Money::ZERO,
    };
    if !fits {
        return Err(Error::field("amount", "Use an amount above zero; an adjustment may be below it."));
    }
    if new.kind == LedgerKind::TopUp && new.reference.is_none() {
        return Err(Error::field("reference", "Give the payment's reference, by which it is credited once only."));
    }
    let limit = Money::from_millionths(100_000_000_000_000);
    if new.amount > limit || new.amount < -limit {
        return Err(Error::field("amount", "Use at most 100 million at a time."));
    }
    for (field, text, most) in [("reference", &new.reference, 200), ("note", &new.note, 1_000)] {
        let Some(text) = text else { continue };
        if text.trim().is_empty() || text.chars().count() > most || text.chars().any(char::is_control) {
            return Err(Error::field(field, format!("Use 1 to {most} characters on one line.")));
        }
    }
    Ok(())
}

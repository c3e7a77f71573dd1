//! Wallets: the ledger's entries and why an app may be held.

use chrono::{DateTime, Utc};

use super::{AppId, AppSlug, Money, OrganizationId, UserId};

text_enum! {
    /// Why money moved.
    LedgerKind {
        /// The organisation paid in.
        TopUp = "top_up",
        /// An hour of an app.
        Charge = "charge",
        /// A charge was given back.
        Refund = "refund",
        /// An admin's correction, up or down.
        Adjustment = "adjustment",
    }
}

/// A movement of a wallet. Entries are never changed; the balance is their sum.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct LedgerEntry {
    /// Goes up with every entry.
    pub id: i64,
    /// Whose wallet.
    pub organization_id: OrganizationId,
    /// Why it moved.
    pub kind: LedgerKind,
    /// What it adds to the balance; a charge is negative.
    pub amount: Money,
    /// The balance it led to.
    pub balance_after: Money,
    /// Of a charge: which app, which may be gone.
    pub application_id: Option<AppId>,
    /// Of a charge: the app's name.
    pub app_slug: Option<AppSlug>,
    /// Of a charge: which hour, by its beginning.
    pub hour: Option<DateTime<Utc>>,
    /// Of all others: who did it.
    pub actor_id: Option<UserId>,
    /// Their e-mail address at that time, or `system`.
    pub actor: Option<String>,
    /// What it refers to, such as a payment's number.
    pub reference: Option<String>,
    /// Why, in words.
    pub note: Option<String>,
    /// When.
    pub occurred_at: DateTime<Utc>,
}

/// When an organisation is warned of its spending, as far as its owners say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WalletThresholds {
    /// Hours of what runs that the balance must last for; none: as the setting `billing.low_balance_hours` says.
    pub low_balance_hours: Option<u32>,
    /// What it means to be charged in a month; none for no budget.
    pub month_budget: Option<Money>,
}

impl WalletThresholds {
    /// Most hours that can be asked for: a year.
    pub const MOST_HOURS: u32 = 8_760;
}

/// A movement to be written by an admin.
#[derive(Clone, Debug)]
pub struct NewLedgerEntry {
    /// Why; not a charge, those come from the settlement.
    pub kind: LedgerKind,
    /// What it adds to the balance.
    pub amount: Money,
    /// What it refers to; one reference of a kind is taken once.
    pub reference: Option<String>,
    /// Why, in words.
    pub note: Option<String>,
}

text_enum! {
    /// Why an app is suspended.
    SuspensionReason {
        /// The organisation's wallet is empty.
        Wallet = "wallet",
        /// An admin holds the organisation.
        Admin = "admin",
    }
}

//! Money: exact decimals, never floats.

use std::fmt;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

/// An amount in the platform's one currency, exact to six decimals (`NUMERIC(…, 6)`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize, sqlx::Type)]
#[serde(transparent)]
#[sqlx(transparent)]
pub struct Money(pub Decimal);

impl Money {
    /// Hours in the month that prices are quoted for.
    pub const HOURS_PER_MONTH: u32 = 730;

    /// An hourly price as a monthly one.
    #[must_use]
    pub fn per_month(self) -> Self {
        Self(self.0 * Decimal::from(Self::HOURS_PER_MONTH))
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "${}", self.0.normalize())
    }
}

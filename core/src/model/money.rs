//! Money: exact decimals, never floats.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Neg, Sub};
use std::str::FromStr;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::Error;

/// An amount in the platform's one currency, exact to six decimals (`NUMERIC(…, 6)`). In JSON it is a string with
/// all six of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default, sqlx::Type)]
#[sqlx(transparent)]
pub struct Money(pub Decimal);

impl Money {
    /// Hours in the month that prices are quoted for.
    pub const HOURS_PER_MONTH: u32 = 730;
    /// Nothing.
    pub const ZERO: Self = Self(Decimal::ZERO);
    /// Decimals it is exact to.
    pub const DECIMALS: u32 = 6;

    /// An amount of millionths.
    #[must_use]
    pub fn from_millionths(millionths: i64) -> Self {
        Self(Decimal::new(millionths, Self::DECIMALS))
    }

    /// The amount in millionths. What lies beyond the sixth decimal does not exist in stored amounts and is cut.
    pub fn millionths(self) -> i128 {
        let mut exact = self.0.trunc_with_scale(Self::DECIMALS);
        exact.rescale(Self::DECIMALS);
        exact.mantissa()
    }

    /// An hourly price as a monthly one.
    #[must_use]
    pub fn per_month(self) -> Self {
        self.times(Self::HOURS_PER_MONTH)
    }

    /// So many times the amount.
    #[must_use]
    pub fn times(self, count: u32) -> Self {
        Self(self.0 * Decimal::from(count))
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < Decimal::ZERO { "-" } else { "" };
        write!(f, "{sign}${}", self.0.abs().normalize())
    }
}

impl FromStr for Money {
    type Err = Error;

    /// Reads `12.5` or `-0.000001`: at most six decimals, below a trillion, so that storing it loses nothing.
    fn from_str(text: &str) -> Result<Self, Error> {
        let shape =
            || Error::Invalid(format!("{text:?} is not an amount. Write it like 12.50, with up to 6 decimals."));
        let digits = text.strip_prefix('-').unwrap_or(text);
        let (whole, decimals) = digits.split_once('.').unwrap_or((digits, "0"));
        let numeric = |part: &str, most: usize| {
            (1..=most).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit())
        };
        if !numeric(whole, 12) || !numeric(decimals, 6) {
            return Err(shape());
        }
        text.parse().map(Self).map_err(|_| shape())
    }
}

impl Serialize for Money {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:.6}", self.0))
    }
}

impl<'de> Deserialize<'de> for Money {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str> as Deserialize>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl Add for Money {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl AddAssign for Money {
    fn add_assign(&mut self, other: Self) {
        self.0 += other.0;
    }
}

impl Sub for Money {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0 - other.0)
    }
}

impl Neg for Money {
    type Output = Self;
    fn neg(self) -> Self {
        Self(-self.0)
    }
}

impl Sum for Money {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, Add::add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_exactly_or_not_at_all() {
        for (text, millionths) in
            [("12.5", 12_500_000), ("-0.000001", -1), ("0", 0), ("999999999999.999999", 999_999_999_999_999_999)]
        {
            assert_eq!(text.parse::<Money>().expect("is an amount").millionths(), millionths, "{text}");
        }
        for text in
            ["", "-", ".5", "5.", "1.0000001", "1e3", "NaN", "+1", "1_000", " 1", "1,5", "1000000000000", "--1", "١"]
        {
            assert!(text.parse::<Money>().is_err(), "{text}");
        }
    }

    #[test]
    fn json_shows_all_decimals_and_people_see_none_they_do_not_need() {
        let price = Money::from_millionths(6_900);
        assert_eq!(serde_json::to_string(&price).expect("writes"), "\"0.006900\"");
        assert_eq!(serde_json::from_str::<Money>("\"0.0069\"").expect("reads"), price);
        assert!(serde_json::from_str::<Money>("0.0069").is_err(), "a JSON number is a float");
        assert_eq!((price.to_string(), (-price).to_string()), ("$0.0069".to_owned(), "-$0.0069".to_owned()));
        assert_eq!(price.per_month(), "5.037".parse().expect("is an amount"));
    }
}

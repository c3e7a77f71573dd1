//! What goes wrong on the platform, found by rules that look once a minute: the worker has them look, the store keeps
//! what they find, and [`crate::notifications`] tells whoever wants to know.

mod course;
mod info;
pub mod rules;

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;

pub(crate) use course::{Found, Next, Open, Timing, next};
pub use info::{Audience, RuleInfo};

use crate::model::{AlertRule, News, Severity, Subject};
use crate::settings::Settings;
use crate::store::Store;
use crate::{Error, Result};

/// Longest a rule may look.
const LOOK_LIMIT: Duration = Duration::from_secs(40);
/// What is not as bad as a threshold any more, but not this much better either, is not over yet: so that a value that
/// hovers there makes one alert and not many.
const EASED: f64 = 0.9;

/// What a rule needs to look.
#[derive(Clone, Copy, Debug)]
pub struct Moment<'a> {
    /// The platform's state.
    pub store: &'a Store,
    /// The settings at that time.
    pub settings: &'a Settings,
    /// The time.
    pub now: DateTime<Utc>,
}

/// One thing that can go wrong.
#[async_trait]
pub trait Rule: Send + Sync {
    /// Its name.
    fn name(&self) -> AlertRule;

    /// For how long it must go wrong before it counts.
    fn lasts(&self, _settings: &Settings) -> TimeDelta {
        TimeDelta::zero()
    }

    /// What is wrong now, unless the rule is switched off by the first of its settings. An error means that nobody knows: what was wrong before counts as wrong.
    async fn look(&self, moment: &Moment<'_>) -> Result<Seen>;
}

/// What a rule saw.
#[derive(Clone, Debug)]
pub enum Seen {
    /// It is switched off.
    Off,
    /// All that is wrong, of all there is.
    All(Vec<Finding>),
    /// What is wrong with these things; others look at the others.
    Of(Vec<Subject>, Vec<Finding>),
}

/// Something that is wrong.
#[derive(Clone, Debug)]
pub struct Finding {
    /// With what.
    pub subject: Subject,
    /// How grave that is.
    pub severity: Severity,
    /// What is wrong, in words, without anything secret.
    pub message: String,
    /// What was measured, where it is about a number.
    pub value: Option<f64>,
    /// What that was held against.
    pub threshold: Option<f64>,
    /// Whether it is bad enough to begin an alert with.
    pub level: Level,
}

/// How bad something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Bad enough to begin an alert with.
    Over,
    /// Not as bad, but not good enough to end one either.
    Eased,
}

impl Level {
    /// The level of a value that should stay below `threshold`; none for a good one.
    pub fn of_high(value: f64, threshold: f64) -> Option<Self> {
        if value >= threshold { Some(Self::Over) } else { (value > threshold * EASED).then_some(Self::Eased) }
    }

    /// The level of a value that should stay above `threshold`; none for a good one.
    pub fn of_low(value: f64, threshold: f64) -> Option<Self> {
        if value <= threshold { Some(Self::Over) } else { (value < threshold / EASED).then_some(Self::Eased) }
    }
}

impl Finding {
    /// Something that is wrong, or is not: there is no number to it.
    pub fn plain(subject: Subject, severity: Severity, message: String) -> Self {
        Self { subject, severity, message, value: None, threshold: None, level: Level::Over }
    }

    /// What is wrong where a value should stay below a threshold; none where it does.
    pub fn of_high(subject: Subject, severity: Severity, message: String, value: f64, threshold: f64) -> Option<Self> {
        let level = Level::of_high(value, threshold)?;
        Some(Self { level, ..Self::plain(subject, severity, message).measured(value, threshold) })
    }

    /// The same with the numbers it is about.
    #[must_use]
    pub fn measured(self, value: f64, threshold: f64) -> Self {
        Self { value: Some(value), threshold: Some(threshold), ..self }
    }

    /// The same at another level.
    #[must_use]
    pub fn at(self, level: Level) -> Self {
        Self { level, ..self }
    }
}

/// What became of the alerts of all rules.
#[derive(Clone, Debug, Default)]
pub struct Looked {
    /// What is told of which, for the log.
    pub news: Vec<(AlertRule, String, News)>,
    /// Rules that could not look, and why.
    pub blind: Vec<(AlertRule, String)>,
}

/// Has rules look, and keeps what they find.
pub struct Watch {
    store: Store,
    rules: Vec<Box<dyn Rule>>,
}

impl std::fmt::Debug for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watch").field("rules", &self.rules.len()).finish_non_exhaustive()
    }
}

impl Watch {
    /// With these rules.
    pub fn new(store: Store, rules: Vec<Box<dyn Rule>>) -> Self {
        Self { store, rules }
    }

    /// Looks once. Any number of processes may do this at once: what is new is told of once.
    pub async fn look(&self) -> Result<Looked> {
        let settings = self.store.settings().await?;
        let now = self.store.clock().now();
        let moment = Moment { store: &self.store, settings: &settings, now };
        let all = self.rules.iter().map(async |rule| {
            if rule.name().is_off(&settings) {
                return (rule, Ok(Seen::Off));
            }
            let seen = tokio::time::timeout(LOOK_LIMIT, rule.look(&moment))
                .await
                .unwrap_or_else(|_| Err(Error::System(format!("It took longer than {} s.", LOOK_LIMIT.as_secs()))));
            (rule, seen)
        });
        let mut looked = Looked::default();
        for (rule, seen) in join_all(all).await {
            match seen {
                Ok(seen) => {
                    let timing = Timing::of(&settings, rule.lasts(&settings));
                    let news = self.store.keep_findings(rule.name(), &seen, &timing, &settings, now).await?;
                    looked.news.extend(news.into_iter().map(|(name, news)| (rule.name(), name, news)));
                }
                Err(error) => looked.blind.push((rule.name(), error.to_string())),
            }
        }
        Ok(looked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_hovers_at_a_threshold_is_not_over() {
        assert_eq!(Level::of_high(50.0, 50.0), Some(Level::Over));
        assert_eq!(Level::of_high(49.0, 50.0), Some(Level::Eased));
        assert_eq!(Level::of_high(45.0, 50.0), None);
        assert_eq!(Level::of_low(10.0, 10.0), Some(Level::Over));
        assert_eq!(Level::of_low(11.0, 10.0), Some(Level::Eased));
        assert_eq!(Level::of_low(11.2, 10.0), None);
    }
}

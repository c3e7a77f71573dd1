//! How often and how patiently an app's health is checked.

use crate::settings::Settings;

/// What an app has chosen about its health check, beside the path; none is what the platform's settings say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, sqlx::FromRow)]
pub struct HealthTimes {
    /// Time between two checks of a healthy replica, in seconds.
    #[sqlx(rename = "health_check_interval_seconds")]
    pub interval_seconds: Option<i32>,
    /// Longest a check may wait for its answer, in seconds.
    #[sqlx(rename = "health_check_timeout_seconds")]
    pub timeout_seconds: Option<i32>,
    /// Failed checks in a row after which a replica is replaced.
    #[sqlx(rename = "health_check_retries")]
    pub retries: Option<i32>,
    /// Longest a new replica may take until it is healthy, in seconds.
    #[sqlx(rename = "health_check_start_seconds")]
    pub start_seconds: Option<i32>,
}

impl HealthTimes {
    /// The same with the platform's settings in place of what was not chosen.
    pub fn or(&self, settings: &Settings) -> HealthTiming {
        let or = |chosen: Option<i32>, usual| chosen.and_then(|value| u64::try_from(value).ok()).unwrap_or(usual);
        HealthTiming {
            interval_seconds: or(self.interval_seconds, settings.health_interval_seconds),
            timeout_seconds: or(self.timeout_seconds, settings.health_timeout_seconds),
            retries: or(self.retries, settings.health_retries),
            start_seconds: or(self.start_seconds, settings.health_start_seconds),
        }
    }

    /// The numbers by the names they have in requests, with the most they may be.
    pub fn named(&self) -> [(&'static str, Option<i32>, i32); 4] {
        [
            ("health_check_interval_seconds", self.interval_seconds, 3_600),
            ("health_check_timeout_seconds", self.timeout_seconds, 300),
            ("health_check_retries", self.retries, 100),
            ("health_check_start_seconds", self.start_seconds, 3_600),
        ]
    }
}

/// What holds for the health checks of a replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HealthTiming {
    /// Time between two checks of a healthy replica, in seconds.
    pub interval_seconds: u64,
    /// Longest a check may wait for its answer, in seconds.
    pub timeout_seconds: u64,
    /// Failed checks in a row after which a replica is replaced.
    pub retries: u64,
    /// Longest a new replica may take until it is healthy, in seconds.
    pub start_seconds: u64,
}

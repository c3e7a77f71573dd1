//! What an app's health check asks, how often and how patiently.

use std::fmt;
use std::str::FromStr;

use crate::settings::Settings;
use crate::{Error, Result};

text_enum! {
    /// How a health check speaks to an app.
    HealthProtocol {
        /// It asks for a path and looks at the answer's status.
        Http = "http",
        /// It connects, and that is all.
        Tcp = "tcp",
    }
}

/// The path that a health check over HTTP asks for where none was chosen.
const DEFAULT_PATH: &str = "/health";

/// Longest list of statuses, in bytes.
const MAX_STATUSES: usize = 100;

/// The statuses of HTTP that count as healthy: numbers and ranges with commas between them, such as `200-299,401`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpectedStatus(String);

impl FromStr for ExpectedStatus {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let status = |text: &str| {
            let digits = text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_digit());
            text.parse::<u16>().ok().filter(|status| digits && (100..=599).contains(status))
        };
        let is_range = |text: &str| {
            let (first, last) = text.split_once('-').unwrap_or((text, text));
            status(first).zip(status(last)).is_some_and(|(first, last)| first <= last)
        };
        if text.len() > MAX_STATUSES || !text.split(',').all(is_range) {
            return Err(Error::Invalid(
                "Give statuses from 100 to 599, or ranges of them, with commas between, such as 200-299,401."
                    .to_owned(),
            ));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for ExpectedStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

text_value!(ExpectedStatus);

/// What an app has chosen about what its health check asks, beside the path.
#[derive(Clone, Debug, Default, PartialEq, Eq, sqlx::FromRow)]
pub struct HealthTarget {
    /// How it speaks; none means HTTP where a path or statuses are chosen, and else HTTP where that works.
    #[sqlx(rename = "health_check_protocol")]
    pub protocol: Option<HealthProtocol>,
    /// The port; none means the one that requests go to.
    #[sqlx(rename = "health_check_port")]
    pub port: Option<i32>,
    /// The statuses that count as healthy; none means 200 to 399.
    #[sqlx(rename = "health_check_expected_status")]
    pub expected_status: Option<ExpectedStatus>,
}

impl HealthTarget {
    /// The question as init in the container reads it: `auto`, `http:/path` or `tcp`.
    pub fn question(&self, path: Option<&str>) -> String {
        match (self.protocol, path) {
            (Some(HealthProtocol::Tcp), _) => "tcp".to_owned(),
            (None, None) if self.expected_status.is_none() => "auto".to_owned(),
            (_, path) => format!("http:{}", path.unwrap_or(DEFAULT_PATH)),
        }
    }

    /// The question as people read it.
    pub fn in_words(&self, path: Option<&str>) -> String {
        let question = self.question(path);
        let words = match question.split_once(':') {
            Some((_, path)) => path.to_owned(),
            None if question == "tcp" => "whether the port is open".to_owned(),
            None => "/health if it answers, else the port".to_owned(),
        };
        let port = self.port.map(|port| format!(", on port {port}")).unwrap_or_default();
        let expected = self.expected_status.as_ref().filter(|_| question != "tcp");
        let expected = expected.map(|expected| format!(", healthy with {expected}")).unwrap_or_default();
        words + &port + &expected
    }
}

/// A change of [`HealthTarget`]. What is none stays as it is; an empty text, and 0, are what is usual.
#[derive(Clone, Debug, Default)]
pub struct HealthTargetChange {
    /// `http` or `tcp`.
    pub protocol: Option<String>,
    /// The port.
    pub port: Option<i32>,
    /// The statuses that count as healthy.
    pub expected_status: Option<String>,
}

impl HealthTargetChange {
    /// Refuses what cannot be, by the names that the values have in requests.
    pub fn check(&self) -> Result<()> {
        let chosen = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        if chosen(&self.protocol).is_some_and(|text| text.parse::<HealthProtocol>().is_err()) {
            let text = "Give http or tcp, or an empty text for the usual check.";
            return Err(Error::field("health_check_protocol", text));
        }
        if self.port.is_some_and(|port| !(0..=65_535).contains(&port)) {
            return Err(Error::field("health_check_port", "Use 1 to 65535, or 0 for the port that requests go to."));
        }
        match chosen(&self.expected_status).map(|text| text.parse::<ExpectedStatus>()) {
            Some(Err(error)) => Err(Error::field("health_check_expected_status", error.to_string())),
            _ => Ok(()),
        }
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_numbers_and_ranges() {
        for good in ["200", "200-399", "204,301-308,401", "100-599"] {
            assert_eq!(good.parse::<ExpectedStatus>().expect("is one").to_string(), good);
        }
        let long = ["200"; 26].join(",");
        for bad in
            ["", "20", "2000", "099", "600", "+20", "300-200", "200-", "-200", "200, 204", "200,,204", "2xx", &long]
        {
            assert!(bad.parse::<ExpectedStatus>().is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_asked_follows_from_what_was_chosen() {
        let target = |protocol, status: Option<&str>| HealthTarget {
            protocol,
            port: None,
            expected_status: status.map(|status| status.parse().expect("is one")),
        };
        for (target, path, question, words) in [
            (target(None, None), None, "auto", "/health if it answers, else the port"),
            (target(None, None), Some("/up"), "http:/up", "/up"),
            (target(None, Some("200")), None, "http:/health", "/health, healthy with 200"),
            (target(Some(HealthProtocol::Http), None), None, "http:/health", "/health"),
            (target(Some(HealthProtocol::Tcp), Some("200")), Some("/up"), "tcp", "whether the port is open"),
        ] {
            assert_eq!((target.question(path).as_str(), target.in_words(path).as_str()), (question, words));
        }
        let elsewhere = HealthTarget { port: Some(9090), ..HealthTarget::default() };
        assert_eq!(elsewhere.in_words(Some("/up")), "/up, on port 9090");
    }
}

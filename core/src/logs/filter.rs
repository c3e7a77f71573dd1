//! What a filter means for one line, and how users write its parts.

use chrono::{DateTime, TimeDelta, Utc};
use regex::bytes::RegexBuilder;

use super::{LogFilter, LogRecord, TextMatch};
use crate::{Error, Result};

/// Longest text or expression to search for, in bytes.
const MAX_PATTERN: usize = 1_000;
/// Most memory an expression may take, in bytes; what it matches is found in linear time whatever it is.
const MAX_EXPRESSION: usize = 1024 * 1024;

impl LogFilter {
    /// Whether a line is wanted.
    pub fn wants(&self, record: &LogRecord) -> bool {
        self.since.is_none_or(|since| record.at >= since)
            && self.until.is_none_or(|until| record.at < until)
            && (self.sources.is_empty() || self.sources.contains(&record.source))
            && self.process.as_deref().is_none_or(|process| is_of(&record.process, process))
            && self.level.is_none_or(|least| record.level.is_some_and(|level| level >= least))
            && self.text.as_ref().is_none_or(|text| text.is_in(&record.text))
    }
}

/// Whether a process and replica, such as `web.1`, is this one or of this type.
fn is_of(process: &str, wanted: &str) -> bool {
    process.strip_prefix(wanted).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

impl TextMatch {
    /// Lines that hold `text`.
    pub fn text(text: &str) -> Result<Self> {
        if text.len() > MAX_PATTERN {
            return Err(Error::field("text", format!("Search for up to {MAX_PATTERN} bytes.")));
        }
        Ok(Self::Holds(text.to_owned()))
    }

    /// Lines that match an expression, in the syntax of the crate `regex`.
    pub fn expression(expression: &str) -> Result<Self> {
        if expression.len() > MAX_PATTERN {
            return Err(Error::field("regex", format!("Use up to {MAX_PATTERN} bytes.")));
        }
        let built = RegexBuilder::new(expression)
            .size_limit(MAX_EXPRESSION)
            .dfa_size_limit(MAX_EXPRESSION)
            .nest_limit(50)
            .build();
        built.map(Self::Matches).map_err(|error| {
            let why = match error {
                regex::Error::CompiledTooBig(_) => {
                    "it takes too much memory; use fewer or smaller repetitions".to_owned()
                }
                // Its last line says what is wrong, those before show where.
                error => error.to_string().lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned(),
            };
            Error::field("regex", format!("This is no regular expression that can be used: {why}."))
        })
    }

    /// Whether a line's text is like this.
    pub fn is_in(&self, text: &[u8]) -> bool {
        match self {
            Self::Holds(wanted) if wanted.is_empty() => true,
            Self::Holds(wanted) => text.windows(wanted.len()).any(|part| part.eq_ignore_ascii_case(wanted.as_bytes())),
            Self::Matches(expression) => expression.is_match(text),
        }
    }
}

/// A time as users give it: RFC 3339, or how long ago, such as `90s`, `15m`, `2h`, `1d` or `1w`.
pub fn parse_when(text: &str, now: DateTime<Utc>) -> Result<DateTime<Utc>, String> {
    if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        return Ok(at.to_utc());
    }
    let ago = || {
        let number = text.trim_end_matches(|last: char| last.is_ascii_alphabetic());
        let amount: u32 = number.parse().ok()?;
        let seconds = match &text[number.len()..] {
            "s" => 1,
            "m" => 60,
            "h" => 3_600,
            "d" => 86_400,
            "w" => 604_800,
            _ => return None,
        };
        now.checked_sub_signed(TimeDelta::try_seconds(i64::from(amount) * seconds)?)
    };
    ago().ok_or_else(|| {
        "Give a time such as 2026-03-01T12:00:00Z, or how long ago, such as 90s, 15m, 2h, 1d or 1w.".to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_absolute_or_ago() {
        let now: DateTime<Utc> = "2026-03-01T12:00:00Z".parse().expect("a time");
        for (text, expected) in [
            ("2026-02-28T23:30:00+01:00", "2026-02-28T22:30:00Z"),
            ("90s", "2026-03-01T11:58:30Z"),
            ("15m", "2026-03-01T11:45:00Z"),
            ("2h", "2026-03-01T10:00:00Z"),
            ("1d", "2026-02-28T12:00:00Z"),
            ("1w", "2026-02-22T12:00:00Z"),
        ] {
            assert_eq!(parse_when(text, now), Ok(expected.parse().expect("a time")), "{text}");
        }
        for wrong in ["", "m", "15", "15 m", "-1h", "1y", "1é", "yesterday", "99999999999d", "4294967295w"] {
            assert!(parse_when(wrong, now).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_process_is_of_its_type_and_of_itself() {
        for (process, wanted, is) in [
            ("web.1", "web", true),
            ("web.1", "web.1", true),
            ("web.10", "web.1", false),
            ("webber.1", "web", false),
            ("web", "web.1", false),
        ] {
            assert_eq!(is_of(process, wanted), is, "{process} {wanted}");
        }
    }

    #[test]
    fn expressions_are_bounded_and_explained() {
        assert!(TextMatch::expression("(?i)error|warn").expect("one").is_in(b"An ERROR \xff"));
        for (wrong, why) in [("(", "unclosed group"), ("(a{1000}){1000}", "memory"), (&"a".repeat(1_001)[..], "1000")] {
            let error = TextMatch::expression(wrong).expect_err(wrong).to_string();
            assert!(error.contains(why), "{error}");
        }
        assert!(TextMatch::text("Tomcat").expect("one").is_in(b"a tomCAT"));
        assert!(!TextMatch::text("Tomcat").expect("one").is_in(b"tom"));
    }
}

//! The statuses of HTTP that count as healthy, as the app's settings spell them.

use std::fmt;

/// Ranges, both ends included.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Statuses(Vec<(u16, u16)>);

impl Default for Statuses {
    fn default() -> Self {
        Self(vec![(200, 399)])
    }
}

impl Statuses {
    /// Reads numbers and ranges with commas between, such as `200-299,401`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let range = |text: &str| {
            let (first, last) = text.split_once('-').unwrap_or((text, text));
            let (first, last) = (first.parse().ok()?, last.parse().ok()?);
            (first <= last).then_some((first, last))
        };
        text.split(',').map(range).collect::<Option<_>>().map(Self)
    }

    pub(super) fn contains(&self, status: u16) -> bool {
        self.0.iter().any(|(first, last)| (*first..=*last).contains(&status))
    }
}

impl fmt::Display for Statuses {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (first, last)) in self.0.iter().enumerate() {
            let comma = if index > 0 { "," } else { "" };
            match (first, last) {
                (200, 399) => write!(formatter, "{comma}2xx or 3xx")?,
                (first, last) if first == last => write!(formatter, "{comma}{first}")?,
                (first, last) => write!(formatter, "{comma}{first}-{last}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_ranges_are_read() {
        let chosen = Statuses::parse("200-204,401").expect("is a list");
        let healthy: Vec<u16> = (100..600).filter(|status| chosen.contains(*status)).collect();
        assert_eq!(healthy, [200, 201, 202, 203, 204, 401]);
        assert_eq!(chosen.to_string(), "200-204,401");
        assert_eq!(Statuses::default().to_string(), "2xx or 3xx");
        for bad in ["", "ok", "200,", "204-200", "-", "99999"] {
            assert_eq!(Statuses::parse(bad), None, "{bad}");
        }
    }
}

//! Numbers and words that Skypanel passes to the container in its environment, read by `start` and `health`.

use std::{env, fmt, time::Duration};

/// A setting that cannot be understood; names the variable and what it should hold.
#[derive(Debug)]
pub(crate) struct SettingError {
    name: &'static str,
    wanted: &'static str,
}

impl SettingError {
    pub(crate) fn new(name: &'static str, wanted: &'static str) -> Self {
        Self { name, wanted }
    }
}

impl fmt::Display for SettingError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} must be {}", self.name, self.wanted)
    }
}

/// The variable's value as a TCP port; none where it is unset.
pub(crate) fn port(name: &'static str) -> Result<Option<u16>, SettingError> {
    let Some(text) = env::var_os(name) else { return Ok(None) };
    let port = text.to_str().and_then(|text| text.parse().ok()).filter(|port| *port != 0);
    port.map(Some).ok_or(SettingError::new(name, "a TCP port"))
}

/// The variable's value as milliseconds, or `default` where it is unset or empty.
pub(crate) fn milliseconds(name: &'static str, default: u32) -> Result<Duration, SettingError> {
    let value = match env::var_os(name) {
        Some(text) if !text.is_empty() => text
            .to_str()
            .and_then(|text| text.parse().ok())
            .ok_or(SettingError::new(name, "a whole number of milliseconds"))?,
        _ => default,
    };
    Ok(Duration::from_millis(u64::from(value)))
}

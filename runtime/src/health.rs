//! `init health`, the image's health check: polls a starting app until it answers, then probes once an interval.
//!
//! The engine may be told an interval of a fraction of a second: while the app starts, the first check waits for
//! it and returns at once when it is ready; later checks wait out most of the real interval themselves.

mod excerpt;
mod listeners;
mod probe;
mod statuses;

use std::{
    env, fs,
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
    process::ExitCode,
    thread,
    time::{Duration, Instant},
};

use crate::{
    settings::{self, SettingError},
    start,
};
use listeners::Exposure;
use probe::{Mode, Target};
use statuses::Statuses;

/// Pause between two probes of an app that has never been healthy. A refused connection costs microseconds.
const POLL: Duration = Duration::from_millis(25);

/// What the engine's own, short interval adds to ours.
const ENGINE_INTERVAL: Duration = Duration::from_millis(100);

const DEFAULT_INTERVAL_MS: u32 = 30_000;
const DEFAULT_TIMEOUT_MS: u32 = 5_000;
const DEFAULT_START_MS: u32 = 60_000;

struct Settings {
    target: Target,
    /// Where requests go; the health check may ask elsewhere.
    port: u16,
    interval: Duration,
    timeout: Duration,
    start: Duration,
}

impl Settings {
    fn from_environment() -> Result<Self, SettingError> {
        let port = settings::port("PORT")?.ok_or(SettingError::new("PORT", "a TCP port"))?;
        Ok(Self {
            port,
            target: Target {
                port: settings::port("SKYPANEL_HEALTH_PORT")?.unwrap_or(port),
                host: env::var("SKYPANEL_HEALTH_HOST")
                    .ok()
                    .filter(|host| probe::is_header_safe(host))
                    .unwrap_or_else(|| "localhost".into()),
                mode: Mode::parse(&env::var("SKYPANEL_HEALTH").unwrap_or_default())
                    .ok_or(SettingError::new("SKYPANEL_HEALTH", "auto[:/path], http:/path or tcp"))?,
                expected: match env::var("SKYPANEL_HEALTH_STATUS") {
                    Ok(text) => Statuses::parse(&text)
                        .ok_or(SettingError::new("SKYPANEL_HEALTH_STATUS", "a list such as 200-299,401"))?,
                    Err(_) => Statuses::default(),
                },
            },
            interval: settings::milliseconds("SKYPANEL_HEALTH_INTERVAL_MS", DEFAULT_INTERVAL_MS)?,
            timeout: settings::milliseconds("SKYPANEL_HEALTH_TIMEOUT_MS", DEFAULT_TIMEOUT_MS)?,
            start: settings::milliseconds("SKYPANEL_HEALTH_START_MS", DEFAULT_START_MS)?,
        })
    }
}

/// Checks once, as the engine asks. `marker` is the file that says that this container was healthy before.
///
/// Prints one line, which the engine keeps in its health log; exits 0 when healthy and 1 when not.
pub(crate) fn run(marker: &Path) -> ExitCode {
    let (line, code) = match check(marker) {
        Ok(words) => (format!("healthy: {words}\n"), ExitCode::SUCCESS),
        Err(reason) => (format!("unhealthy: {reason}\n"), ExitCode::FAILURE),
    };
    // The exit code is what counts, also where the engine has stopped listening.
    let _ = io::stdout().write_all(line.as_bytes());
    code
}

fn check(marker: &Path) -> Result<String, String> {
    start::give_up_privileges().map_err(|error| format!("privileges remain ({error})"))?;
    let settings = Settings::from_environment().map_err(|error| error.to_string())?;
    if fs::symlink_metadata(marker).is_ok() {
        thread::sleep(settings.interval.saturating_sub(ENGINE_INTERVAL));
        return probe::probe(&settings.target, settings.timeout).map_err(|unhealthy| unhealthy.reason);
    }
    let words = poll_until_healthy(&settings)?;
    match leave_marker(marker) {
        Ok(()) => Ok(words),
        // Healthy all the same: the next check just polls again instead of waiting.
        Err(error) => Ok(format!("{words}; no marker at {} ({error})", marker.display())),
    }
}

fn poll_until_healthy(settings: &Settings) -> Result<String, String> {
    let begun = Instant::now();
    let mut found = None;
    loop {
        let left = settings.start.saturating_sub(begun.elapsed());
        let reason = match probe::probe(&settings.target, settings.timeout.min(left)) {
            // What answers health checks elsewhere may be ready before requests are.
            Ok(_)
                if settings.target.port != settings.port
                    && !probe::is_open(settings.port, settings.timeout.min(left)) =>
            {
                format!("nothing listens on port {}, where requests go", settings.port)
            }
            Ok(words) => match listeners::exposure(settings.port) {
                Exposure::Reachable => return Ok(words),
                Exposure::LoopbackOnly => format!(
                    "the app listens on port {0} of the loopback interface only, where no request reaches it; \
                     bind 0.0.0.0:{0}",
                    settings.port
                ),
            },
            // The last probes have less time than an answer may take; what was found before tells more.
            Err(cut) if cut.out_of_time && left < settings.timeout => found.unwrap_or(cut.reason),
            Err(unhealthy) => unhealthy.reason,
        };
        if begun.elapsed() + POLL >= settings.start {
            let limit = settings.start.as_millis();
            return Err(format!("not ready {limit} ms after its start: {reason}"));
        }
        found = Some(reason);
        thread::sleep(POLL);
    }
}

/// Creates the marker anew, never through a link that the app may have put there.
fn leave_marker(marker: &Path) -> io::Result<()> {
    let created = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(marker);
    match created {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

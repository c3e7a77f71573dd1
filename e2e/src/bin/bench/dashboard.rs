//! The dashboard in Chromium, as `infra/dev/dashboard speed` drives it against the measured Skypanel.

use std::fs;
use std::process::Command;
use std::time::Duration;

use crate::process::run;
use crate::{Bench, Result};

/// Longest that all of it may take: a log is followed for a minute, and two apps are pushed.
const LIMIT: Duration = Duration::from_mins(6);

pub(crate) fn dashboard(bench: &mut Bench) -> Result<()> {
    let described = bench.work.join("instance.json");
    fs::write(&described, bench.platform.description().to_string())?;
    let mut drive = Command::new(skypanel_e2e::root().join("infra/dev/dashboard"));
    drive.arg("speed").env("SKYPANEL_E2E", &described).env_remove("SKYPANEL_DASHBOARD");
    run(&mut drive, LIMIT)?;
    let measured = fs::read_to_string(skypanel_e2e::root().join("target/bench/dashboard.json"))?;
    bench.results.insert("dashboard".into(), serde_json::from_str(&measured)?);
    Ok(())
}

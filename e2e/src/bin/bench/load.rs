//! Constant load on one app through the edge with `wrk`, which counts every request that fails.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::Result;
use crate::page::Page;
use crate::process::Running;

const CONNECTIONS: &str = "20";
/// Longer than any run: the load ends when it is told to.
const DURATION: &str = "300s";
const END_LIMIT: Duration = Duration::from_secs(310);

/// Every connection rests between an answer and the next request, so that the load is constant and leaves the
/// machine room to roll releases.
const SCRIPT: &str = r#"
function delay()
  return 20
end

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format("counted requests=%d connect=%d read=%d write=%d timeout=%d status=%d p99_us=%d\n",
    summary.requests, errors.connect, errors.read, errors.write, errors.timeout, errors.status, latency:percentile(99)))
end
"#;

/// Whether the connections of the load live on.
#[derive(Clone, Copy)]
pub(crate) enum Connections {
    KeptAlive,
    OnePerRequest,
}

/// What came of a load.
#[derive(Default)]
pub(crate) struct Counted {
    pub(crate) requests: u64,
    /// Refused or broken connections, time-outs, and every status above 399.
    pub(crate) failed: u64,
    /// The same by kind, of kinds that occurred.
    pub(crate) kinds: BTreeMap<String, u64>,
    pub(crate) p99: Duration,
}

/// A running load.
pub(crate) struct Load(Running);

impl Load {
    pub(crate) fn start(page: &Page, connections: Connections, directory: &Path) -> Result<Self> {
        let script = directory.join("load.lua");
        fs::write(&script, SCRIPT)?;
        let mut wrk = Command::new("wrk");
        wrk.args(["--threads", "1", "--connections", CONNECTIONS, "--duration", DURATION, "--timeout", "10s"])
            .arg("--script")
            .arg(&script)
            .args(["--header", &format!("Host: {}", page.host())]);
        if matches!(connections, Connections::OnePerRequest) {
            wrk.args(["--header", "Connection: close"]);
        }
        wrk.arg(format!("http://127.0.0.1:{}/", page.edge_port));
        Ok(Self(Running::start(&mut wrk)?))
    }

    /// Ends it and answers the count.
    pub(crate) fn end(self) -> Result<Counted> {
        // wrk takes an interrupt for the end of its time, and counts no request that is under way.
        let pid = self.0.id().to_string();
        crate::process::run(Command::new("kill").args(["-INT", &pid]), Duration::from_secs(5))?;
        let output = self.0.succeed(END_LIMIT)?.output;
        parse(&output).ok_or_else(|| format!("wrk's count is missing:\n{output}").into())
    }
}

fn parse(output: &str) -> Option<Counted> {
    let line = output.lines().find_map(|line| line.strip_prefix("counted "))?;
    let mut counted = Counted::default();
    for field in line.split(' ') {
        let (name, value) = field.split_once('=')?;
        let value: u64 = value.parse().ok()?;
        match name {
            "requests" => counted.requests = value,
            "p99_us" => counted.p99 = Duration::from_micros(value),
            _ if value == 0 => {}
            kind => {
                counted.failed += value;
                counted.kinds.insert(kind.to_owned(), value);
            }
        }
    }
    Some(counted)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::parse;

    #[test]
    fn every_kind_of_failure_counts() {
        let output = "Running\ncounted requests=100 connect=1 read=2 write=3 timeout=4 status=5 p99_us=700\n";
        let counted = parse(output).expect("a count");
        assert_eq!((counted.requests, counted.failed, counted.p99), (100, 15, Duration::from_micros(700)));
    }
}

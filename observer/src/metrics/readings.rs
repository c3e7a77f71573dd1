//! From what is counted to what readers see: counters of two moments become rates between them. A counter that went
//! down began anew.

use std::collections::HashMap;
use std::sync::Arc;

use skypanel_core::measurements::Replica;
use skypanel_core::model::AppId;

use super::columns::{node, replica, router};
use super::counters::{Counters, EdgeCounters, HostCounters, Measured, Task};
use super::store::{Reading, Subject};

/// What was measured between `before` and `now`, in everything that was there at the end.
/// `apps` are the ids of apps by their slugs.
pub(super) fn readings(
    before: Option<&Measured>,
    now: &Measured,
    node: &str,
    apps: &HashMap<String, AppId>,
) -> Vec<Reading> {
    let seconds = before.map(|before| now.moment.duration_since(before.moment).as_secs_f64()).filter(|s| *s > 0.0);
    let then = before.map(replicas).unwrap_or_default();
    let mut readings: Vec<Reading> = replicas(now)
        .into_iter()
        .map(|((app, name), (task, counters))| {
            let earlier = then.get(&(app, name));
            let change = Change { now, before, seconds, task, earlier: earlier.copied() };
            Reading { of: Subject::Replica(app, name.clone()), values: change.values(counters) }
        })
        .collect();
    if let Some(host) = &now.host {
        let earlier = before.and_then(|before| before.host.as_ref());
        let restarts = readings.iter().filter_map(|replica| replica.values[replica::RESTARTS]).sum();
        let values = host_values(earlier, host, now.containers, restarts, seconds);
        readings.push(Reading { of: Subject::Node(node.to_owned()), values });
    }
    // Without two looks at the edge nothing is known of the time between them.
    if let (Some(edge), Some(earlier), Some(seconds)) = (&now.edge, before.and_then(|of| of.edge.as_ref()), seconds) {
        let known = edge.apps.iter().filter_map(|(slug, counters)| Some((*apps.get(slug)?, slug, counters)));
        readings.extend(known.map(|(app, slug, counters)| {
            let same = earlier.started.total_cmp(&edge.started).is_eq();
            let then = same.then(|| earlier.apps.get(slug).copied()).flatten().unwrap_or_default();
            Reading { of: Subject::Router(app), values: router_values(&then, counters, seconds) }
        }));
    }
    readings
}

fn router_values(then: &EdgeCounters, now: &EdgeCounters, seconds: f64) -> Vec<Option<f64>> {
    // One that went down began anew.
    let rate = |then: f64, now: f64| Some(if now >= then { now - then } else { now } / seconds);
    let mut values = vec![None; router::COUNT];
    values[router::REQUESTS] = rate(then.requests, now.requests);
    for (place, (then, now)) in then.classes.iter().zip(now.classes).enumerate() {
        values[router::CLASSES + place] = rate(*then, now);
    }
    values[router::REQUEST_BYTES] = rate(then.request_bytes, now.request_bytes);
    values[router::RESPONSE_BYTES] = rate(then.response_bytes, now.response_bytes);
    let mut shorter = 0.0;
    for (place, (then, now)) in then.within.iter().zip(now.within).enumerate() {
        let within = rate(*then, now).unwrap_or(0.0);
        values[router::BUCKETS + place] = Some((within - shorter).max(0.0));
        shorter = within;
    }
    values
}

type Replicas<'a> = HashMap<(AppId, &'a Replica), (&'a Arc<Task>, &'a Counters)>;

/// The newest container of each replica: while one replaces another, both run.
fn replicas(measured: &Measured) -> Replicas<'_> {
    let mut newest = Replicas::new();
    for (task, counters) in &measured.tasks {
        let place = newest.entry((task.app, &task.replica)).or_insert((task, counters));
        if task.started_at > place.0.started_at {
            *place = (task, counters);
        }
    }
    newest
}

/// A replica now and the moment before.
struct Change<'a> {
    now: &'a Measured,
    before: Option<&'a Measured>,
    seconds: Option<f64>,
    task: &'a Arc<Task>,
    earlier: Option<(&'a Arc<Task>, &'a Counters)>,
}

impl Change<'_> {
    fn values(&self, counters: &Counters) -> Vec<Option<f64>> {
        let mut values = vec![None; replica::COUNT];
        let limit = counters.memory_limit.or(self.now.host.map(|host| host.memory_limit));
        let restarted = self.earlier.is_some_and(|(task, _)| !is_same(task, self.task));
        let uptime = (self.now.at - self.task.started_at).as_seconds_f64().max(0.0);
        values[replica::CPU] = self.rate(|of| Some(of.cpu), counters).map(|nanoseconds| nanoseconds / 1e9);
        values[replica::MEMORY] = Some(number(counters.memory));
        values[replica::MEMORY_LIMIT] = limit.map(number);
        values[replica::NETWORK_RECEIVED] = self.rate(|of| of.received, counters);
        values[replica::NETWORK_SENT] = self.rate(|of| of.sent, counters);
        values[replica::BLOCK_READ] = self.rate(|of| of.read, counters);
        values[replica::BLOCK_WRITTEN] = self.rate(|of| of.written, counters);
        values[replica::PROCESSES] = counters.processes.map(number);
        values[replica::OPEN_CONNECTIONS] = counters.open_connections.map(number);
        values[replica::UPTIME] = Some(uptime);
        values[replica::RESTARTS] = Some(f64::from(u8::from(restarted)));
        values
    }

    /// How much a second a counter went up. One of a container that was started since began at zero; of one that was
    /// not seen before it is unknown.
    fn rate(&self, of: impl Fn(&Counters) -> Option<u64>, counters: &Counters) -> Option<f64> {
        let (seconds, before, now) = (self.seconds?, self.before?, of(counters)?);
        let same = self.earlier.filter(|(task, _)| is_same(task, self.task));
        let then = match same {
            Some((_, earlier)) => of(earlier)?,
            None if self.task.started_at >= before.at => 0,
            None => return None,
        };
        Some(number(since(then, now)) / seconds)
    }
}

fn is_same(one: &Task, other: &Task) -> bool {
    one.id == other.id && one.started_at == other.started_at
}

/// How much a counter went up; all of it where it began anew.
fn since(then: u64, now: u64) -> u64 {
    now.checked_sub(then).unwrap_or(now)
}

fn host_values(
    before: Option<&HostCounters>,
    host: &HostCounters,
    containers: u64,
    restarts: f64,
    seconds: Option<f64>,
) -> Vec<Option<f64>> {
    let mut values = vec![None; node::COUNT];
    // The machine's counters begin anew with the machine, and this process with them.
    values[node::CPU] = before.zip(seconds).map(|(before, seconds)| ((host.busy - before.busy) / seconds).max(0.0));
    values[node::MEMORY] = Some(number(host.memory));
    values[node::MEMORY_LIMIT] = Some(number(host.memory_limit));
    values[node::DISK] = Some(number(host.disk));
    values[node::DISK_LIMIT] = Some(number(host.disk_limit));
    values[node::LOAD] = Some(host.load);
    values[node::CONTAINERS] = Some(number(containers));
    // What went down is less hardware than before, of which nothing is known.
    let rate = |of: fn(&HostCounters) -> Option<u64>| {
        let went_up = of(host)?.checked_sub(of(before?)?)?;
        Some(number(went_up) / seconds?)
    };
    values[node::NETWORK_RECEIVED] = rate(|of| of.received);
    values[node::NETWORK_SENT] = rate(|of| of.sent);
    values[node::BLOCK_READ] = rate(|of| of.read);
    values[node::BLOCK_WRITTEN] = rate(|of| of.written);
    values[node::PROCESSES] = host.processes.map(number);
    values[node::RESTARTS] = Some(restarts);
    values
}

#[expect(clippy::cast_precision_loss, reason = "sizes below 2^53 are exact")]
fn number(value: u64) -> f64 {
    value as f64
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use chrono::{DateTime, TimeDelta, Utc};
    use tokio::time::Instant;

    use super::*;
    use crate::metrics::columns::BOUNDS;
    use crate::metrics::edge::Edge;

    fn time(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + second, 0).expect("is a time")
    }

    fn task(app: AppId, id: &str, started: i64) -> Arc<Task> {
        Arc::new(Task {
            id: id.to_owned(),
            name: String::new(),
            image: String::new(),
            service: String::new(),
            app,
            slug: "shop".to_owned(),
            replica: "web.1".parse().expect("is one"),
            started_at: time(started),
        })
    }

    fn counters(cpu: u64, received: u64) -> Counters {
        Counters { cpu, memory: 1_000, received: Some(received), ..Counters::default() }
    }

    fn measured(start: Instant, second: i64, tasks: Vec<(Arc<Task>, Counters)>) -> Measured {
        let moment = start + Duration::from_secs(second.unsigned_abs());
        let host = HostCounters {
            memory_limit: 2_000,
            busy: f64::from(i32::try_from(second).expect("fits")),
            ..HostCounters::default()
        };
        Measured { at: time(second), moment, tasks, host: Some(host), containers: 3, edge: None }
    }

    fn values(before: Option<&Measured>, now: &Measured) -> Vec<Option<f64>> {
        let readings = readings(before, now, "one", &HashMap::new());
        let [Reading { of: Subject::Replica(..), values }, Reading { of: Subject::Node(_), .. }] = &readings[..] else {
            panic!("{readings:?}");
        };
        values.clone()
    }

    #[test]
    fn counters_become_rates() {
        let (start, app) = (Instant::now(), AppId::new());
        let old = task(app, "1", -100);
        let first = measured(start, 0, vec![(old.clone(), counters(5_000_000_000, 100))]);
        let none = values(None, &first);
        assert_eq!(
            (none[replica::CPU], none[replica::MEMORY], none[replica::UPTIME]),
            (None, Some(1_000.0), Some(100.0))
        );
        assert_eq!(none[replica::MEMORY_LIMIT], Some(2_000.0), "where there is none, it is the machine's");
        let second = measured(start, 10, vec![(old, counters(10_000_000_000, 150))]);
        let some = values(Some(&first), &second);
        assert_eq!((some[replica::CPU], some[replica::NETWORK_RECEIVED]), (Some(0.5), Some(5.0)));
        assert_eq!((some[replica::BLOCK_READ], some[replica::RESTARTS]), (None, Some(0.0)));
        let node = readings(Some(&first), &second, "one", &HashMap::new()).pop().expect("has one");
        assert_eq!((node.values[super::node::CPU], node.values[super::node::CONTAINERS]), (Some(1.0), Some(3.0)));
    }

    #[test]
    fn what_was_started_since_began_at_zero() {
        let (start, app) = (Instant::now(), AppId::new());
        let first = measured(start, 0, vec![(task(app, "1", -100), counters(90_000_000_000, 100))]);
        let replaced = measured(start, 10, vec![(task(app, "2", 4), counters(1_000_000_000, 20))]);
        let seen = values(Some(&first), &replaced);
        assert_eq!(
            (seen[replica::CPU], seen[replica::NETWORK_RECEIVED], seen[replica::RESTARTS]),
            (Some(0.1), Some(2.0), Some(1.0))
        );
        let node = readings(Some(&first), &replaced, "one", &HashMap::new()).pop().expect("has one");
        assert_eq!(node.values[super::node::RESTARTS], Some(1.0), "its node counts it");
        // The same container, whose counters went down without a word.
        let reset = measured(start, 20, vec![(task(app, "2", 4), counters(500_000_000, 10))]);
        let seen = values(Some(&replaced), &reset);
        assert_eq!((seen[replica::CPU], seen[replica::RESTARTS]), (Some(0.05), Some(0.0)));
        // One that ran before, and was not seen.
        let unseen = measured(start, 30, vec![(task(app, "3", -50), counters(500_000_000, 10))]);
        assert_eq!(values(Some(&reset), &unseen)[replica::CPU], None);
    }

    #[test]
    fn a_node_with_less_hardware_than_before_has_no_rate() {
        let start = Instant::now();
        let at = |second: i64, received: u64, written: u64| {
            let mut measured = measured(start, second, Vec::new());
            let host = measured.host.as_mut().expect("is there");
            (host.received, host.written, host.processes) = (Some(received), Some(written), Some(7));
            measured
        };
        let (first, second) = (at(0, 1_000, 1_000), at(10, 1_050, 400));
        let values = readings(Some(&first), &second, "one", &HashMap::new()).pop().expect("has one").values;
        assert_eq!((values[node::NETWORK_RECEIVED], values[node::NETWORK_SENT]), (Some(5.0), None));
        assert_eq!((values[node::BLOCK_WRITTEN], values[node::PROCESSES]), (None, Some(7.0)));
        assert_eq!(values[node::RESTARTS], Some(0.0));
    }

    #[test]
    fn of_two_that_replace_each_other_the_new_one_counts() {
        let (start, app) = (Instant::now(), AppId::new());
        let (old, new) = (task(app, "1", -100), task(app, "2", 1));
        let first = measured(start, 0, vec![(old.clone(), counters(0, 0))]);
        for both in [[(old.clone(), 7), (new.clone(), 1)], [(new, 1), (old, 7)]] {
            let both = both.map(|(task, cpu)| (task, counters(cpu * 10_000_000_000, 0))).to_vec();
            assert_eq!(values(Some(&first), &measured(start, 10, both))[replica::CPU], Some(1.0));
        }
    }

    #[test]
    fn what_the_edge_counts_becomes_rates() {
        let (start, app) = (Instant::now(), AppId::new());
        let apps = HashMap::from([("shop".to_owned(), app), ("new".to_owned(), AppId::new())]);
        let counted = |requests: f64| {
            let mut within = [requests; BOUNDS.len() + 1];
            within[0] = requests / 2.0;
            EdgeCounters { requests, classes: [requests, 0.0, 0.0, 0.0], within, ..EdgeCounters::default() }
        };
        let at = |second: i64, started: f64, of: &[(&str, f64)]| {
            let apps = of.iter().map(|(slug, requests)| ((*slug).to_owned(), counted(*requests))).collect();
            Measured { edge: Some(Edge { started, apps }), host: None, ..measured(start, second, Vec::new()) }
        };
        let rates = |before: Option<&Measured>, now: &Measured| {
            let mut rates: Vec<(Subject, f64, f64, f64)> = readings(before, now, "one", &apps)
                .into_iter()
                .map(|Reading { of, values }| {
                    let value = |place: usize| values[place].expect("has a value");
                    (of, value(router::REQUESTS), value(router::BUCKETS), value(router::BUCKETS + 1))
                })
                .collect();
            rates.sort_by(|a, b| a.1.total_cmp(&b.1));
            rates
        };
        let shop = |requests: f64| (Subject::Router(app), requests, requests / 2.0, requests / 2.0);
        let first = at(0, 1.0, &[("shop", 100.0), ("unknown", 5.0)]);
        assert_eq!(rates(None, &first), []);
        let second = at(10, 1.0, &[("shop", 150.0), ("new", 200.0)]);
        let found = rates(Some(&first), &second);
        assert_eq!((&found[0], found[1].1), (&shop(5.0), 20.0));
        // The edge was started anew, whether that shows or not.
        assert_eq!(rates(Some(&second), &at(20, 2.0, &[("shop", 170.0)])), [shop(17.0)]);
        assert_eq!(rates(Some(&second), &at(20, 1.0, &[("shop", 20.0)])), [shop(2.0)]);
    }

    #[test]
    fn a_clock_that_jumps_changes_no_rate() {
        let (start, app) = (Instant::now(), AppId::new());
        let running = task(app, "1", -100);
        let first = measured(start, 0, vec![(running.clone(), counters(0, 0))]);
        for jump in [-86_400, 86_400] {
            let mut second = measured(start, 10, vec![(running.clone(), counters(5_000_000_000, 0))]);
            second.at += TimeDelta::seconds(jump);
            let seen = values(Some(&first), &second);
            assert_eq!(seen[replica::CPU], Some(0.5));
            assert!(seen[replica::UPTIME].is_some_and(|uptime| uptime >= 0.0), "{seen:?}");
        }
    }
}

//! The store as a whole: what is written is read, at every step, whatever happens to the writer and to the clock.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, SystemTime};

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use skypanel_core::clock::Clock;
use skypanel_core::measurements::{Measurements as _, Series, Traffic};
use skypanel_core::model::AppId;

use super::file::SeriesFile;
use super::tier::{MINUTE, RAW, TEN_MINUTES};
use super::{EmbeddedMeasurements, Reading, Subject, Writer};
use crate::metrics::columns::{BOUNDS, Layout, node, replica, router};

/// At the beginning of an hour.
const START: u32 = 1_800_000_000 / RAW.step;

fn time(slot: u32) -> DateTime<Utc> {
    DateTime::from_timestamp(i64::from(slot) * i64::from(RAW.step), 0).expect("is a time")
}

fn web(app: AppId, cpu: f64) -> Reading {
    let mut values = vec![None; replica::COUNT];
    values[replica::CPU] = Some(cpu);
    values[replica::MEMORY_LIMIT] = Some(cpu * 2.0);
    values[replica::RESTARTS] = Some(1.0);
    Reading { of: Subject::Replica(app, "web.1".parse().expect("is one")), values }
}

/// All series of an app within the time before `to`, which is now.
async fn read(dir: &Path, app: AppId, before: TimeDelta, to: u32) -> Vec<Series> {
    let reader = EmbeddedMeasurements::new(dir, Clock::standing_at(time(to)));
    reader.of_app(app, time(to) - before, time(to)).await.expect("reads")
}

fn named<'a>(series: &'a [Series], name: &str) -> &'a Series {
    series.iter().find(|series| series.name == name).unwrap_or_else(|| panic!("{name} is missing: {series:?}"))
}

/// Numbers that two bytes hold as they are.
fn value(slot: u32) -> f64 {
    f64::from(slot % 512)
}

#[tokio::test]
async fn every_range_is_answered_in_its_steps() {
    let dir = tempfile::tempdir().expect("makes a directory");
    let app = AppId::new();
    let mut writer = Writer::open(dir.path()).expect("opens");
    // Eight days, but for an hour of the last day.
    let (first, last) = (START - 8 * 8_640, START);
    for slot in first..last {
        if !(last - 720..last - 360).contains(&slot) {
            writer.append(slot, &[web(app, value(slot))]).expect("writes");
        }
    }
    for (hours, step, count) in [(1, 10, 360), (6, 60, 300), (24, 300, 276), (24 * 7, 1_800, 334)] {
        let series = read(dir.path(), app, TimeDelta::hours(hours), last).await;
        let names: Vec<&str> = series.iter().map(|series| series.name).collect();
        assert_eq!(names, ["cpu", "memory_limit", "restarts"], "what was not measured has no series");
        let cpu = named(&series, "cpu");
        assert_eq!((cpu.unit, cpu.step, cpu.points.len()), ("cores", Duration::from_secs(step), count), "{hours} h");
        let wide = u32::try_from(step).expect("fits") / RAW.step;
        for point in &cpu.points {
            let begins = u32::try_from(point.at.timestamp() / i64::from(RAW.step)).expect("fits");
            assert_eq!(begins % wide, 0);
            let values: Vec<f64> = (begins..begins + wide).map(value).collect();
            let mean = values.iter().sum::<f64>() / f64::from(wide);
            let max = values.iter().copied().fold(0.0, f64::max);
            assert!((point.mean - mean).abs() <= mean / 900.0, "{hours} h, {}: {point:?} is not {mean}", point.at);
            assert!((point.max - max).abs() <= max / 1_900.0, "{hours} h, {}: {point:?} is not {max}", point.at);
            assert!(point.p95 >= point.mean && point.p95 <= point.max, "{point:?}");
        }
        let restarts: f64 = named(&series, "restarts").points.iter().map(|point| point.mean).sum();
        let expected = f64::from(wide) * f64::from(u32::try_from(count).expect("fits"));
        assert!((restarts - expected).abs() < 1.0, "{hours} h: sums stay sums: {restarts}");
        let limit = named(&series, "memory_limit").points.last().expect("has points").mean;
        assert!((limit - 2.0 * value(last - 1)).abs() <= 1.0, "the last one: {limit}");
    }
    let gone = read(dir.path(), AppId::new(), TimeDelta::hours(1), last).await;
    assert_eq!(gone, []);
}

#[tokio::test]
async fn what_is_not_yet_put_together_is_part_of_the_answer() {
    let dir = tempfile::tempdir().expect("makes a directory");
    let app = AppId::new();
    let mut writer = Writer::open(dir.path()).expect("opens");
    for slot in START..START + 64 {
        writer.append(slot, &[web(app, 4.0)]).expect("writes");
    }
    for (hours, points) in [(1, 64), (6, 11), (24, 3), (24 * 7, 1)] {
        let series = read(dir.path(), app, TimeDelta::hours(hours), START + 64).await;
        let cpu = named(&series, "cpu");
        assert_eq!(cpu.points.len(), points, "{hours} h");
        assert!(cpu.points.iter().all(|point| (point.mean, point.max) == (4.0, 4.0)), "{cpu:?}");
    }
    // An hour of yesterday comes in the steps that are left of it.
    let reader = EmbeddedMeasurements::new(dir.path(), Clock::standing_at(time(START + 8_640)));
    let series = reader.of_app(app, time(START), time(START + 360)).await.expect("reads");
    assert_eq!((named(&series, "cpu").step.as_secs(), named(&series, "cpu").points.len()), (60, 11));
}

#[tokio::test]
async fn what_goes_in_the_middle_of_a_step_is_kept() {
    let dir = tempfile::tempdir().expect("makes a directory");
    let (app, other) = (AppId::new(), AppId::new());
    let mut writer = Writer::open(dir.path()).expect("opens");
    for slot in START..START + 63 {
        let both = [web(app, 1.0), web(other, 2.0)];
        writer.append(slot, if slot < START + 3 { &both } else { &both[..1] }).expect("writes");
    }
    let file = dir.path().join("apps").join(other.to_string()).join("web.1");
    let file = SeriesFile::open(&file, Layout::Replica).expect("opens").expect("is there");
    for tier in [MINUTE, TEN_MINUTES] {
        assert_eq!(file.ring(tier).expect("reads").len(), 1, "{tier:?}");
    }
}

#[tokio::test]
async fn the_edge_s_durations_are_percentiles() {
    let dir = tempfile::tempdir().expect("makes a directory");
    let app = AppId::new();
    let mut writer = Writer::open(dir.path()).expect("opens");
    let mut values = vec![Some(0.0); router::COUNT];
    // Of a hundred, 90 took up to 10 ms, 9 up to 0.25 s, and one was longer than the last bound.
    values[router::REQUESTS] = Some(100.0);
    values[router::BUCKETS + 1] = Some(90.0);
    values[router::BUCKETS + 5] = Some(9.0);
    values[router::BUCKETS + BOUNDS.len()] = Some(1.0);
    for slot in START..START + 6 {
        writer.append(slot, &[Reading { of: Subject::Router(app), values: values.clone() }]).expect("writes");
    }
    let idle = Reading { of: Subject::Router(app), values: vec![Some(0.0); router::COUNT] };
    writer.append(START + 6, &[idle]).expect("writes");
    for hours in [1, 6] {
        let series = read(dir.path(), app, TimeDelta::hours(hours), START + 7).await;
        let first = |name: &str| named(&series, name).points[0].mean;
        for (name, expected) in [
            ("response_time_p50", 0.005 + 0.005 * 50.0 / 90.0),
            ("response_time_p95", 0.1 + 0.15 * 5.0 / 9.0),
            ("response_time_p99", 0.25),
        ] {
            assert!((first(name) - expected).abs() < 1e-9, "{name}: {}", first(name));
            assert_eq!(named(&series, name).points.len(), if hours == 1 { 6 } else { 1 }, "without requests none");
        }
        assert!((first("requests") - 100.0).abs() < 1e-9);
        assert!(series.iter().all(|series| !series.name.is_empty() && series.of.is_none()));
    }
}

#[tokio::test]
async fn nodes_are_told_as_they_are_now() {
    let dir = tempfile::tempdir().expect("makes a directory");
    let mut writer = Writer::open(dir.path()).expect("opens");
    let reading = |name: &str, cpu: f64| {
        let mut values = vec![Some(1.0); node::COUNT];
        values[node::CPU] = Some(cpu);
        Reading { of: Subject::Node(name.to_owned()), values }
    };
    writer.append(START, &[reading("one", 0.5), reading("../two", 2.0)]).expect("writes");
    writer.append(START + 1, &[reading("one", 0.25)]).expect("writes");
    let reader = EmbeddedMeasurements::new(dir.path(), Clock::standing_at(time(START + 2)));
    let nodes = reader.nodes_now(time(START + 2)).await.expect("reads");
    let cores: BTreeMap<&str, f64> = nodes.iter().map(|(name, usage)| (name.as_str(), usage.cpu_cores)).collect();
    assert_eq!(cores, BTreeMap::from([("../two", 2.0), ("one", 0.25)]));
    assert_eq!(nodes["one"].at, time(START + 1));
    assert!(reader.nodes_now(time(START + 100)).await.expect("reads").is_empty(), "that was long ago");
    let series = reader.of_node("one", time(START), time(START + 2)).await.expect("reads");
    assert_eq!((series.len(), named(&series, "cpu").points.len()), (node::COUNT, 2));
    assert_eq!(reader.of_node("three", time(START), time(START + 2)).await.expect("reads"), []);
}

#[tokio::test]
async fn a_node_s_file_with_fewer_columns_is_replaced() {
    let dir = tempfile::tempdir().expect("makes a directory");
    let reading = || Reading { of: Subject::Node("one".to_owned()), values: vec![Some(1.0); node::COUNT] };
    drop(Writer::open(dir.path()).expect("opens"));
    // The first seven were all, and a row as long as they were is where one is looked for now.
    let path = reading().of.path(dir.path());
    let mut old = b"SKYM01\x03\x07".to_vec();
    old.extend(crc32fast::hash(&old).to_le_bytes());
    old.resize(326_176, 1);
    std::fs::write(&path, old).expect("writes");
    let reader = EmbeddedMeasurements::new(dir.path(), Clock::standing_at(time(START + 2)));
    let read = || reader.of_node("one", time(START), time(START + 2));
    assert_eq!(read().await.expect("reads"), [], "nothing of it is taken for something else");
    let mut writer = Writer::open(dir.path()).expect("opens");
    writer.make_up(time(START).timestamp()).expect("passes over it");
    writer.append(START, &[reading()]).expect("writes");
    let series = read().await.expect("reads");
    assert_eq!((series.len(), named(&series, "restarts").points.len()), (node::COUNT, 1));
    drop(SeriesFile::open(&path, Layout::Node).expect("opens").expect("is one of today's"));
}

#[tokio::test]
async fn traffic_is_told_as_it_is_now() {
    let dir = tempfile::tempdir().expect("makes a directory");
    let mut writer = Writer::open(dir.path()).expect("opens");
    let (app, silent, other) = (AppId::new(), AppId::new(), AppId::new());
    let reading = |app: AppId, requests: f64, errors: f64| {
        let mut values = vec![Some(0.0); router::COUNT];
        values[router::REQUESTS] = Some(requests);
        values[router::CLASSES + 3] = Some(errors);
        // All within 50 to 100 ms.
        values[router::BUCKETS + 4] = Some(requests);
        Reading { of: Subject::Router(app), values }
    };
    writer.append(START - 31, &[reading(app, 99.0, 99.0), reading(silent, 1.0, 0.0)]).expect("writes");
    for slot in START - 29..=START {
        writer.append(slot, &[reading(app, 8.0, 2.0), web(other, 1.0)]).expect("writes");
    }
    let reader = EmbeddedMeasurements::new(dir.path(), Clock::standing_at(time(START)));
    let traffic = reader.traffic(time(START)).await.expect("reads");
    assert_eq!(traffic.len(), 2, "{traffic:?}");
    // Thirty steps of ten seconds.
    assert!((traffic[&app].requests - 2_400.0).abs() < 1e-9 && (traffic[&app].errors - 600.0).abs() < 1e-9);
    assert!(traffic[&app].p95_seconds.is_some_and(|seconds| (0.05..=0.1).contains(&seconds)), "{traffic:?}");
    assert_eq!(traffic[&silent], Traffic::default());
    let later = time(START + 100);
    assert!(reader.traffic(later).await.expect("reads").is_empty(), "nothing is measured any more");
}

#[test]
fn a_second_writer_is_refused() {
    let dir = tempfile::tempdir().expect("makes a directory");
    let writer = Writer::open(dir.path()).expect("opens");
    let refused = Writer::open(dir.path()).expect_err("is taken").to_string();
    assert!(refused.contains("Another process"), "{refused}");
    drop(writer);
    Writer::open(dir.path()).expect("opens");
}

#[tokio::test]
async fn a_destroyed_app_goes_and_comes_back_empty() {
    let dir = tempfile::tempdir().expect("makes a directory");
    let (app, other) = (AppId::new(), AppId::new());
    let mut writer = Writer::open(dir.path()).expect("opens");
    writer.append(START, &[web(app, 1.0), web(other, 1.0)]).expect("writes");
    assert_eq!(writer.apps().expect("reads").len(), 2);
    writer.remove(app).expect("removes");
    writer.remove(AppId::new()).expect("there is nothing to remove");
    assert_eq!(writer.apps().expect("reads"), [other]);
    writer.append(START + 1, &[web(app, 2.0)]).expect("writes");
    let series = read(dir.path(), app, TimeDelta::hours(1), START + 2).await;
    assert_eq!(named(&series, "cpu").points.len(), 1);
}

#[test]
fn what_is_too_old_goes_when_that_is_seen_twice() {
    let dir = tempfile::tempdir().expect("makes a directory");
    let (old, young) = (AppId::new(), AppId::new());
    let mut writer = Writer::open(dir.path()).expect("opens");
    writer.append(START, &[web(old, 1.0), web(young, 1.0)]).expect("writes");
    let path = dir.path().join("apps").join(old.to_string()).join("web.1");
    let age = |days: u64| {
        let file = std::fs::File::options().write(true).open(&path).expect("opens");
        file.set_modified(SystemTime::now() - Duration::from_secs(days * 86_400)).expect("sets");
    };
    age(31);
    writer.remove_aged().expect("looks");
    assert!(path.exists());
    // The clock was wrong.
    age(0);
    writer.remove_aged().expect("looks");
    age(31);
    writer.remove_aged().expect("looks");
    assert!(path.exists());
    writer.remove_aged().expect("looks");
    assert!(!path.parent().expect("has one").exists());
    assert_eq!(writer.apps().expect("reads"), [young]);
}

#[test]
fn files_that_are_none_harm_nothing() {
    let dir = tempfile::tempdir().expect("makes a directory");
    let app = AppId::new();
    let mut writer = Writer::open(dir.path()).expect("opens");
    let of_app = dir.path().join("apps").join(app.to_string());
    std::fs::create_dir_all(&of_app).expect("makes it");
    for (name, content) in [("web.1", "SKY"), ("web.2.part", "x"), ("notes", "x"), ("web.3", "")] {
        std::fs::write(of_app.join(name), content).expect("writes");
    }
    writer.make_up(1_800_000_000).expect("looks");
    assert!(!of_app.join("web.2.part").exists(), "what was being made when a writer was killed");
    writer.append(START, &[web(app, 1.0)]).expect("writes anew");
    let file = SeriesFile::open(&of_app.join("web.1"), Layout::Replica).expect("opens");
    assert_eq!(file.expect("is one").read(RAW, START, START).expect("reads").len(), 1);
}

/// Where the child of the next test writes; it does nothing where it is run as a test.
const CHILD: &str = "SKYPANEL_TEST_METRICS_CHILD";

#[test]
fn writes_until_it_is_killed() {
    let Some(told) = std::env::var_os(CHILD) else { return };
    let told = told.into_string().expect("is text");
    let (dir, app, first) = match told.splitn(3, ' ').collect::<Vec<_>>()[..] {
        [first, app, dir] => (dir, AppId(app.parse().expect("is an id")), first.parse::<u32>().expect("is a number")),
        _ => panic!("{told}"),
    };
    let mut writer = Writer::open(Path::new(dir)).expect("opens");
    writer.make_up(time(first).timestamp()).expect("makes up");
    println!();
    for slot in first.. {
        writer.append(slot, &[web(app, value(slot))]).expect("writes");
        println!("{slot}");
    }
}

#[test]
fn a_writer_that_is_killed_at_any_moment_loses_nothing_it_wrote() {
    use std::io::{BufRead as _, BufReader};
    let dir = tempfile::tempdir().expect("makes a directory");
    let app = AppId::new();
    let mut next = START;
    let mut written = std::collections::BTreeSet::new();
    for round in 0..12 {
        let mut child = std::process::Command::new(std::env::current_exe().expect("has a path"))
            .args(["--exact", "metrics::store::tests::writes_until_it_is_killed", "--nocapture"])
            .env(CHILD, format!("{next} {app} {}", dir.path().display()))
            .stdout(std::process::Stdio::piped())
            .spawn()
            .expect("starts");
        // At another place of a row, or between two, each time.
        let mut lines = BufReader::new(child.stdout.take().expect("is piped")).lines().map_while(Result::ok);
        let begun = lines.by_ref().find_map(|line| line.parse::<u32>().ok()).expect("writes");
        written.insert(begun);
        let enough = uuid::Uuid::new_v4().as_fields().0 % 900;
        written.extend(lines.by_ref().filter_map(|line| line.parse::<u32>().ok()).take(enough as usize));
        std::thread::sleep(Duration::from_micros(u64::from(uuid::Uuid::new_v4().as_fields().1)));
        child.kill().expect("is killed");
        child.wait().expect("is gone");
        // A line can be cut off, and then stands for another number.
        let told: Vec<String> = lines.collect();
        let whole = told.len().saturating_sub(1);
        written.extend(told[..whole].iter().filter_map(|line| line.parse::<u32>().ok()));
        let last = *written.last().expect("has written");

        let path = dir.path().join("apps").join(app.to_string()).join("web.1");
        let mut writer = Writer::open(dir.path()).expect("the lock went with its process");
        writer.make_up(time(last + 600).timestamp()).expect("makes up");
        drop(writer);
        let file = SeriesFile::open(&path, Layout::Replica).expect("opens").expect("is one");
        let found: BTreeMap<u32, Option<f64>> = file
            .ring(RAW)
            .expect("reads")
            .into_iter()
            .map(|(slot, row)| (slot, row[replica::CPU].map(|cell| cell.mean)))
            .collect();
        // The last rows may have been written without a word.
        for slot in written.iter().filter(|slot| **slot + RAW.rows - 64 > last) {
            assert_eq!(found.get(slot), Some(&Some(value(*slot))), "round {round}: {slot} of {last} is lost");
        }
        for tier in [MINUTE, TEN_MINUTES] {
            let steps: std::collections::BTreeSet<u32> =
                file.ring(tier).expect("reads").into_iter().map(|row| row.0).collect();
            let kept = |step: &u32| step + tier.rows - 20 > last / tier.raw_steps();
            for step in written.iter().map(|slot| slot / tier.raw_steps()).filter(kept) {
                assert!(steps.contains(&step), "round {round}: the {tier:?} {step} is lost");
            }
        }
        next = found.keys().last().expect("has rows") + 1;
    }
}

/// What happens to a writer in the course of its life.
#[derive(Clone, Debug)]
enum Event {
    /// Measured this many times in a row.
    Measured(u32),
    /// Away, or the clock goes forward, by this many steps.
    Forward(u32),
    /// The clock goes back.
    Back(u32),
    /// Killed, and started again.
    Killed,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => (1_u32..200).prop_map(Event::Measured),
        1 => (1_u32..2_000).prop_map(Event::Forward),
        1 => (1_u32..500).prop_map(Event::Back),
        2 => Just(Event::Killed),
    ]
}

#[test]
fn what_was_measured_before_the_clock_went_back_is_put_together() {
    let dir = tempfile::tempdir().expect("makes a directory");
    let app = AppId::new();
    let mut writer = Writer::open(dir.path()).expect("opens");
    writer.append(START, &[web(app, 1.0)]).expect("writes");
    drop(writer);
    Writer::open(dir.path()).expect("opens").make_up(time(START - 363).timestamp()).expect("makes up");
    let path = dir.path().join("apps").join(app.to_string()).join("web.1");
    let file = SeriesFile::open(&path, Layout::Replica).expect("opens").expect("is there");
    for tier in [MINUTE, TEN_MINUTES] {
        let slot = START / tier.raw_steps();
        assert_eq!(file.read(tier, slot, slot).expect("reads").len(), 1, "{tier:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    /// Whatever happens, what was measured last is there as measured, and each longer step that is over has a row. Unless
    /// the clock went back into a step that was over, that row is of all that was measured within it.
    #[test]
    fn nothing_that_was_measured_is_lost(events in proptest::collection::vec(event(), 1..20)) {
        let dir = tempfile::tempdir().expect("makes a directory");
        let app = AppId::new();
        let mut writer = Writer::open(dir.path()).expect("opens");
        let (mut in_ring, mut ever) = (BTreeMap::new(), BTreeMap::new());
        let (mut now, mut count, mut went_back) = (START, 0_u32, false);
        for event in events {
            match event {
                Event::Measured(times) => {
                    for _ in 0..times {
                        count += 1;
                        let value = f64::from(count % 1_000);
                        writer.append(now, &[web(app, value)]).expect("writes");
                        in_ring.insert(now % RAW.rows, (now, value));
                        ever.insert(now, value);
                        now += 1;
                    }
                }
                Event::Forward(steps) => now += steps,
                Event::Back(steps) => (now, went_back) = (now - steps, true),
                Event::Killed => {
                    drop(writer);
                    writer = Writer::open(dir.path()).expect("opens");
                    writer.make_up(time(now).timestamp()).expect("makes up");
                }
            }
        }
        drop(writer);
        Writer::open(dir.path()).expect("opens").make_up(time(now).timestamp()).expect("makes up");
        let path = dir.path().join("apps").join(app.to_string()).join("web.1");
        let Some(file) = SeriesFile::open(&path, Layout::Replica).expect("opens") else {
            prop_assert!(ever.is_empty());
            return Ok(());
        };
        let cell = |tier, slot| {
            let rows = file.read(tier, slot, slot).expect("reads");
            rows.first().and_then(|(_, row)| row[replica::CPU])
        };
        for (slot, value) in in_ring.values() {
            prop_assert_eq!(cell(RAW, *slot).map(|cell| cell.mean), Some(*value));
        }
        for tier in [MINUTE, TEN_MINUTES] {
            let wide = tier.raw_steps();
            // What the ring holds at most, whatever was written to it.
            let newest = ever.keys().last().map_or(0, |slot| slot / wide);
            let steps: std::collections::BTreeSet<u32> = ever.keys().map(|slot| slot / wide).collect();
            for step in steps.into_iter().filter(|step| *step < now / wide && step + tier.rows > newest) {
                let found = cell(tier, step);
                prop_assert!(found.is_some(), "the step {step} of {tier:?} is missing");
                let values: Vec<f64> = ever.range(step * wide..(step + 1) * wide).map(|(_, value)| *value).collect();
                #[expect(clippy::cast_precision_loss, reason = "at most sixty")]
                let mean = values.iter().sum::<f64>() / values.len() as f64;
                let max = values.iter().copied().fold(0.0, f64::max);
                if let Some(found) = found.filter(|_| !went_back) {
                    prop_assert!((found.mean - mean).abs() <= mean / 1_900.0, "{found:?} of {values:?}");
                    prop_assert!((found.max - max).abs() <= max / 1_900.0, "{found:?} of {values:?}");
                }
            }
        }
    }
}

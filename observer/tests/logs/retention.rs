//! What is kept, and for how long.

use std::time::Duration;

use skypanel_core::logs::LogSource;
use skypanel_core::model::AppId;
use skypanel_observer::logs::{EmbeddedLogs, LogLimits, LogStoreOptions};

use crate::world::{AGE, World, numbered, record, records, texts};

const DAY: Duration = Duration::from_hours(24);

/// Lines that cannot be packed.
fn noise(seed: u64, bytes: usize) -> String {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        char::from(b'!' + u8::try_from(state % 90).expect("below 90"))
    };
    (0..bytes).map(|_| next()).collect()
}

#[tokio::test]
async fn lines_go_when_they_are_too_old() {
    let world = World::with_limits(LogLimits { retention: DAY, ..LogLimits::default() });
    world.append(&numbered(0..10));
    world.seal();
    world.append(&numbered(10..20));
    world.seal();
    assert_eq!(world.all().await.len(), 20);
    world.clock.advance(DAY.saturating_sub(AGE) + Duration::from_secs(1));
    world.logs().look_through().expect("removes");
    assert_eq!(records(&world.all().await), numbered(10..20));
    world.clock.advance(DAY);
    world.logs().look_through().expect("removes");
    assert!(world.all().await.is_empty());
    assert!(world.files("blocks").is_empty());
}

#[tokio::test]
async fn a_clock_that_was_wrong_keeps_nothing_for_ever() {
    let world = World::with_limits(LogLimits { retention: DAY, ..LogLimits::default() });
    let right = world.clock.now();
    world.clock.advance(1_000 * DAY);
    world.append(&numbered(0..10));
    world.seal();
    world.clock.set(right);
    world.append(&numbered(10..20));
    world.seal();
    assert_eq!(world.all().await.len(), 20, "nothing is removed early");
    world.clock.advance(2 * DAY);
    world.logs().look_through().expect("removes");
    assert!(world.all().await.is_empty());
}

#[tokio::test]
async fn what_goes_for_its_size_is_told_in_the_log() {
    let limits = LogLimits { app_bytes: 4 << 20, ..LogLimits::default() };
    let world = World::with_limits(limits);
    for number in 0..120 {
        world.append(&[record(number, &noise(number.unsigned_abs(), 60_000))]);
        world.logs().seal().expect("seals");
    }
    world.logs().look_through().expect("removes");
    let lines = world.all().await;
    let notices: Vec<_> = lines.iter().filter(|line| line.record.source == LogSource::System).collect();
    let removed: usize = notices
        .iter()
        .map(|line| {
            let text = String::from_utf8_lossy(&line.record.text).into_owned();
            assert!(text.contains("logs.max_mb_per_app"), "{text}");
            text.split(' ').nth(1).and_then(|count| count.parse::<usize>().ok()).expect("a number")
        })
        .sum();
    assert!(removed > 0);
    assert_eq!(lines.len() - notices.len() + removed, 120, "every line is there or counted");
    let bytes: u64 = ["active", "blocks", "index"]
        .iter()
        .flat_map(|ending| world.files(ending))
        .map(|path| path.metadata().expect("there").len())
        .sum();
    assert!(bytes <= limits.app_bytes + (1 << 20), "{bytes}");
}

#[tokio::test]
async fn the_largest_log_gives_way_to_the_others() {
    let world = World::with_limits(LogLimits { total_bytes: 8 << 20, app_bytes: 64 << 20, ..LogLimits::default() });
    let quiet = AppId::new();
    world.logs().append_now(quiet, &numbered(0..100)).expect("appends");
    for number in 0..300 {
        world.append(&[record(number, &noise(number.unsigned_abs(), 60_000))]);
        if number % 100 == 99 {
            world.seal();
        }
    }
    world.logs().look_through().expect("removes");
    assert!(world.logs().bytes() <= 8 << 20, "{}", world.logs().bytes());
    let left = World {
        app: quiet,
        writer: None,
        root: tempfile::tempdir().expect("a directory"),
        clock: world.clock.clone(),
        limits: world.limits,
    };
    let filter = skypanel_core::logs::LogFilter::default();
    let lines =
        crate::world::all(world.logs(), left.app, &filter, skypanel_core::logs::LogDirection::Forward, 1_000).await;
    assert_eq!(records(&lines), numbered(0..100));
    let told = texts(&world.all().await);
    assert!(told.iter().any(|text| text.contains("(setting logs.max_mb)")), "the flood's log says why");
}

#[tokio::test]
async fn a_removed_app_leaves_nothing() {
    let world = World::new();
    world.append(&numbered(0..10));
    world.logs().remove(world.app).expect("removes");
    assert!(!world.directory().exists());
    world.append(&numbered(10..20));
    assert!(!world.directory().exists(), "what comes late is dropped");
    assert!(world.all().await.is_empty());
}

#[tokio::test]
async fn only_one_process_writes() {
    let mut world = World::new();
    let second = EmbeddedLogs::open(world.root.path(), LogStoreOptions::default());
    assert!(second.expect_err("is refused").to_string().contains("Another process"));
    assert!(world.reader().append_now(world.app, &numbered(0..1)).is_err());
    world.writer = None;
    EmbeddedLogs::open(world.root.path(), LogStoreOptions::default()).expect("opens when the first is gone");
}

#[tokio::test]
async fn only_we_may_read_them() {
    use std::os::unix::fs::PermissionsExt as _;
    let world = World::new();
    world.append(&numbered(0..10));
    world.seal();
    world.append(&numbered(10..20));
    let mode = |path: &std::path::Path| path.metadata().expect("there").permissions().mode() & 0o777;
    assert_eq!(mode(&world.directory()), 0o700);
    for path in ["active", "blocks", "index"].iter().flat_map(|ending| world.files(ending)) {
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
}

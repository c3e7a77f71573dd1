//! What is measured is what the engine itself says.

use skypanel_core::measurements::Series;

use crate::world::World;

/// Spins, and has written 4 MB to its disk.
const BUSY: &str = "head -c 4194304 /dev/zero > /written; while :; do :; done";
/// Two processes that do nothing.
const QUIET: &str = "sleep 600 & exec sleep 600";

fn of<'a>(series: &'a [Series], name: &str, replica: &str) -> Option<&'a Series> {
    series.iter().find(|one| one.name == name && one.of.as_ref().is_some_and(|of| of.to_string() == replica))
}

/// Of whole numbers.
fn same(one: f64, other: f64) -> bool {
    (one - other).abs() < 0.5
}

fn points(series: &[Series], name: &str, replica: &str) -> usize {
    of(series, name, replica).map_or(0, |series| series.points.len())
}

#[tokio::test(flavor = "multi_thread")]
async fn counters_are_the_engine_s_own() {
    let world = World::new().await;
    let busy = world.replica("web.1", BUSY).await;
    let quiet = world.replica("worker.2", QUIET).await;
    let series =
        world.series(|series| points(series, "cpu", "web.1") > 1 && points(series, "cpu", "worker.2") > 1).await;

    // What only goes up lies between two looks of ours.
    for (id, replica) in [(&busy, "web.1"), (&quiet, "worker.2")] {
        let before = world.exposed().await;
        let engine = world.statistics(id).await;
        // Within a second, the same is told again.
        tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
        let after = world.exposed().await;
        let ours = |name: &str| {
            let key = (name.to_owned(), replica.to_owned());
            (before[&key], after[&key])
        };
        #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
        let number = |value: Option<u64>| value.expect("is told") as f64;
        let cpu = number(engine.cpu_stats.and_then(|cpu| cpu.cpu_usage?.total_usage)) / 1e9;
        let (least, most) = ours("container_cpu_usage_seconds_total");
        assert!(least <= cpu && cpu <= most, "{replica}: {cpu} is not between {least} and {most}");
        let received = number(engine.networks.and_then(|networks| networks.get("eth0")?.rx_bytes));
        let (least, most) = ours("container_network_receive_bytes_total");
        assert!(least <= received && received <= most, "{replica}: {received} is not between {least} and {most}");
        let threads = number(engine.pids_stats.and_then(|pids| pids.current));
        assert!(same(ours("container_threads").1, threads), "{replica}: {threads}");
        let memory = engine.memory_stats.expect("is told");
        assert!(same(ours("container_spec_memory_limit_bytes").1, number(memory.limit)), "{replica}: {memory:?}");
        let stats = memory.stats.expect("is told");
        let cached = stats.get("total_inactive_file").or_else(|| stats.get("inactive_file")).copied().unwrap_or(0);
        let used = number(memory.usage) - number(Some(cached));
        let (one, other) = ours("container_memory_working_set_bytes");
        // The kernel counts memory in lots of pages, for each core.
        let near = (one - used).abs().min((other - used).abs());
        assert!(near <= 1_048_576.0, "{replica}: {used} is far from {one} and {other}");
        assert!(used > 4_096.0);
    }

    let last = |name: &str, replica: &str| of(&series, name, replica).and_then(|series| series.points.last()).copied();
    let cpu = |replica: &str| last("cpu", replica).expect("is measured").mean;
    // A fifth of a core, which is all that it may use; a loaded machine may give it less.
    assert!(cpu("web.1") > 0.05 && cpu("web.1") < 0.25, "{series:#?}");
    assert!(cpu("worker.2") < 0.05, "{series:#?}");
    assert_eq!(last("memory_limit", "web.1").map(|point| point.mean), Some(67_108_864.0));
    assert_eq!(last("processes", "worker.2").map(|point| point.mean), Some(2.0));
    assert_eq!(last("restarts", "web.1").map(|point| point.mean), Some(0.0));
    let uptime = last("uptime", "web.1").expect("is measured").mean;
    assert!(uptime > 1.0 && uptime < 120.0, "{uptime}");
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_is_replaced_goes_on_under_its_name() {
    let world = World::new().await;
    let first = world.replica("web.1", QUIET).await;
    world.series(|series| points(series, "memory", "web.1") > 0).await;
    world.replica("web.1", QUIET).await;
    world.remove(&first).await;
    let restarted = |series: &[Series]| {
        of(series, "restarts", "web.1").is_some_and(|series| series.points.iter().any(|point| point.mean > 0.0))
    };
    let series = world.series(restarted).await;
    let restarts: f64 = of(&series, "restarts", "web.1").expect("is there").points.iter().map(|point| point.mean).sum();
    assert!((restarts - 1.0).abs() < 1e-9, "{series:#?}");
    let names: Vec<&str> = series.iter().filter(|series| series.name == "memory").map(|series| series.name).collect();
    assert_eq!(names.len(), 1, "one series, not two: {series:#?}");
    world.close().await;
}

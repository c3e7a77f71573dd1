//! What an app's replicas on this node use at the moment, by the engine's own statistics.

use bollard::models::{ContainerStatsResponse, ContainerSummary};
use bollard::query_parameters::{ListContainersOptionsBuilder, StatsOptionsBuilder};
use futures_util::StreamExt as _;
use skypanel_core::console::ReplicaUsage;
use skypanel_core::model::Application;

use crate::engine::{call, filters, status};
use crate::{DeployError, Parts, names};

/// Containers that are asked for at once: for the rate of CPU time the engine looks twice, a second apart.
const AT_ONCE: usize = 32;

/// Usage of all running replicas, by process and number.
pub(super) async fn read(parts: &Parts, app: &Application) -> Result<Vec<ReplicaUsage>, DeployError> {
    let labels = vec![
        names::pair(names::INSTALLATION, &parts.options.installation),
        names::pair(names::APP, app.slug.as_str()),
        names::pair(names::ROLE, names::role::TASK),
    ];
    let running = filters([("label", labels), ("status", vec!["running".to_owned()])]);
    let options = ListContainersOptionsBuilder::new().filters(&running).build();
    let containers = call("Listing the tasks' containers", parts.engine.list_containers(Some(options))).await?;
    let asked = containers.into_iter().map(|container| replica(parts, container));
    let mut found: Vec<ReplicaUsage> = Vec::new();
    let mut answers = futures_util::stream::iter(asked).buffer_unordered(AT_ONCE);
    while let Some(answer) = answers.next().await {
        found.extend(answer?);
    }
    found.sort_by(|a, b| (&a.process, a.replica, a.at).cmp(&(&b.process, b.replica, b.at)));
    // While one replaces another both run, and either does.
    found.dedup_by(|a, b| (&a.process, a.replica) == (&b.process, b.replica));
    Ok(found)
}

/// Usage of one container; none for one that ended meanwhile.
async fn replica(parts: &Parts, container: ContainerSummary) -> Result<Option<ReplicaUsage>, DeployError> {
    let label = |key: &str| container.labels.as_ref().and_then(|labels| labels.get(key));
    let (Some(id), Some(process)) = (&container.id, label(names::PROCESS).and_then(|text| text.parse().ok())) else {
        return Ok(None);
    };
    let number = label("com.docker.swarm.task.name").and_then(|name| number(name)).unwrap_or(1);
    let options = StatsOptionsBuilder::new().stream(false).one_shot(false).build();
    let mut answers = Box::pin(parts.engine.stats(id, Some(options)));
    let action = "Reading a container's statistics";
    let asked = async {
        match answers.next().await {
            Some(answer) => answer.map(Some),
            None => Ok(None),
        }
    };
    match call(action, asked).await {
        Ok(statistics) => Ok(statistics.and_then(|statistics| usage(process, number, statistics))),
        Err(error) if matches!(status(&error), Some(404 | 409)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// `2` of `skypanel-shop--web.2.y5hrkz…`.
fn number(task: &str) -> Option<u64> {
    task.rsplit('.').nth(1)?.parse().ok()
}

/// None for statistics of a container that has ended: they hold no numbers.
fn usage(
    process: skypanel_core::model::ProcessType,
    replica: u64,
    statistics: ContainerStatsResponse,
) -> Option<ReplicaUsage> {
    let (now, before) = (statistics.cpu_stats?, statistics.precpu_stats.unwrap_or_default());
    let memory = statistics.memory_stats?;
    let spent = |stats: &bollard::models::ContainerCpuStats| stats.cpu_usage.as_ref()?.total_usage;
    let time = spent(&now)?.checked_sub(spent(&before)?)?;
    // Time of all cores together, so their number makes cores of the share.
    let all = now.system_cpu_usage?.checked_sub(before.system_cpu_usage?)?;
    let cores = f64::from(now.online_cpus?);
    let cached = memory
        .stats
        .as_ref()
        .and_then(|stats| stats.get("total_inactive_file").or_else(|| stats.get("inactive_file")))
        .copied()
        .unwrap_or(0);
    let networks = statistics.networks.unwrap_or_default();
    let (mut received, mut sent) = (0, 0);
    for network in networks.values() {
        received += network.rx_bytes.unwrap_or(0);
        sent += network.tx_bytes.unwrap_or(0);
    }
    Some(ReplicaUsage {
        process,
        replica,
        at: super::time(statistics.read.as_deref())?,
        cpu_cores: if all == 0 { 0.0 } else { fraction(time, all) * cores },
        memory_bytes: memory.usage?.saturating_sub(cached),
        memory_limit_bytes: memory.limit?,
        received_bytes: received,
        sent_bytes: sent,
    })
}

#[expect(clippy::cast_precision_loss, reason = "a share of a second needs no more digits")]
fn fraction(part: u64, whole: u64) -> f64 {
    part as f64 / whole as f64
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn statistics(time: u64) -> ContainerStatsResponse {
        let cpu = |total: u64, system: u64| json!({ "cpu_usage": { "total_usage": total }, "system_cpu_usage": system, "online_cpus": 4 });
        serde_json::from_value(json!({
            "read": "2026-11-22T10:00:01.5Z",
            "cpu_stats": cpu(time, 12_000_000_000),
            "precpu_stats": cpu(1_000_000_000, 8_000_000_000),
            "memory_stats": { "usage": 5_000_000, "limit": 512 << 20, "stats": { "total_inactive_file": 1_000_000 } },
            "networks": { "eth0": { "rx_bytes": 10, "tx_bytes": 1 }, "eth1": { "rx_bytes": 5, "tx_bytes": 2 } },
        }))
        .expect("are statistics")
    }

    #[test]
    fn usage_is_what_the_engine_counted_between_two_looks() {
        let seen = usage("web".parse().expect("is one"), 2, statistics(1_500_000_000)).expect("has numbers");
        // Half a second of one core within one second of four.
        assert!((seen.cpu_cores - 0.5).abs() < 1e-9, "{seen:?}");
        assert_eq!((seen.memory_bytes, seen.memory_limit_bytes), (4_000_000, 512 << 20));
        assert_eq!((seen.received_bytes, seen.sent_bytes, seen.replica), (15, 3, 2));
        assert_eq!(seen.at.to_rfc3339(), "2026-11-22T10:00:01.500+00:00");
    }

    #[test]
    fn what_ended_has_no_usage() {
        let ended = serde_json::from_value(json!({ "read": "0001-01-01T00:00:00Z", "cpu_stats": {} }));
        assert!(usage("web".parse().expect("is one"), 1, ended.expect("are statistics")).is_none());
        assert_eq!(number("skypanel-shop--web.12.y5hrkz"), Some(12));
        assert_eq!(number("x"), None);
    }
}

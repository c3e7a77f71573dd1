//! What a Prometheus reads from this node: counters and gauges under the names that dashboards for cAdvisor and Traefik
//! know, with labels for the app, its process and replica, and the node.

use std::fmt::Write as _;

use super::counters::{Counters, HostCounters, Measured, Task};
use super::edge::text::{Sample, escaped};

/// A value of a container, under its name.
struct Family {
    name: &'static str,
    kind: &'static str,
    help: &'static str,
    value: fn(&Task, &Counters, u64) -> Option<f64>,
}

/// `0` stands for the machine's memory where there is no limit, as cAdvisor has it.
const FAMILIES: [Family; 13] = [
    Family {
        name: "container_cpu_usage_seconds_total",
        kind: "counter",
        help: "CPU time in seconds",
        value: |_, of, _| Some(number(of.cpu) / 1e9),
    },
    Family {
        name: "container_memory_working_set_bytes",
        kind: "gauge",
        help: "Memory in bytes, without what is only cached",
        value: |_, of, _| Some(number(of.memory)),
    },
    Family {
        name: "container_spec_memory_limit_bytes",
        kind: "gauge",
        help: "The most memory it may use, in bytes; 0 for no limit",
        value: |_, of, _| Some(number(of.memory_limit.unwrap_or(0))),
    },
    Family {
        name: "container_network_receive_bytes_total",
        kind: "counter",
        help: "Bytes received over all networks",
        value: |_, of, _| of.received.map(number),
    },
    Family {
        name: "container_network_transmit_bytes_total",
        kind: "counter",
        help: "Bytes sent over all networks",
        value: |_, of, _| of.sent.map(number),
    },
    Family {
        name: "container_fs_reads_bytes_total",
        kind: "counter",
        help: "Bytes read from disks",
        value: |_, of, _| of.read.map(number),
    },
    Family {
        name: "container_fs_writes_bytes_total",
        kind: "counter",
        help: "Bytes written to disks",
        value: |_, of, _| of.written.map(number),
    },
    Family {
        name: "container_processes",
        kind: "gauge",
        help: "Running processes",
        value: |_, of, _| of.processes.map(number),
    },
    Family {
        name: "container_threads",
        kind: "gauge",
        help: "Running processes and their threads",
        value: |_, of, _| of.threads.map(number),
    },
    Family {
        name: "container_start_time_seconds",
        kind: "gauge",
        help: "When it was started, in seconds since 1970",
        value: |task, _, _| Some(seconds(task.started_at)),
    },
    Family {
        name: "container_last_seen",
        kind: "gauge",
        help: "When it was last measured, in seconds since 1970",
        value: |_, _, now| Some(number(now)),
    },
    Family {
        name: "skypanel_open_connections",
        kind: "gauge",
        help: "Open connections of the edge to it",
        value: |_, of, _| of.open_connections.map(number),
    },
    Family {
        name: "skypanel_replica_info",
        kind: "gauge",
        help: "1 for each running replica",
        value: |_, _, _| Some(1.0),
    },
];

/// All of it but what the edge counts.
pub(super) fn text(measured: &Measured, node: &str) -> String {
    let node = escaped(node);
    let labels: Vec<String> = measured.tasks.iter().map(|(task, _)| labels(task, &node)).collect();
    let now = u64::try_from(measured.at.timestamp()).unwrap_or(0);
    let mut text = String::with_capacity(4_096 + measured.tasks.len() * 8_192);
    for Family { name, kind, help, value } in &FAMILIES {
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for ((task, counters), labels) in measured.tasks.iter().zip(&labels) {
            if let Some(value) = value(task, counters, now) {
                let _ = writeln!(text, "{name}{{{labels}}} {value}");
            }
        }
    }
    if let Some(host) = &measured.host {
        of_node(&mut text, host, measured.containers, &node);
    }
    text
}

fn of_node(text: &mut String, host: &HostCounters, containers: u64, node: &str) {
    for (name, kind, help, value) in [
        ("skypanel_node_cpu_seconds_total", "counter", "Time that cores were busy, in seconds", host.busy),
        ("skypanel_node_memory_used_bytes", "gauge", "Memory that is not available, in bytes", number(host.memory)),
        ("skypanel_node_memory_bytes", "gauge", "Memory it has, in bytes", number(host.memory_limit)),
        ("skypanel_node_disk_used_bytes", "gauge", "Space in use where the data directory is", number(host.disk)),
        ("skypanel_node_disk_bytes", "gauge", "Space where the data directory is", number(host.disk_limit)),
        ("skypanel_node_load1", "gauge", "Processes that run or want to, over a minute", host.load),
        ("skypanel_node_containers", "gauge", "Running containers", number(containers)),
    ] {
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name}{{node=\"{node}\"}} {value}");
    }
    for (name, kind, help, value) in [
        ("skypanel_node_network_receive_bytes_total", "counter", "Bytes received by its hardware", host.received),
        ("skypanel_node_network_transmit_bytes_total", "counter", "Bytes sent by its hardware", host.sent),
        ("skypanel_node_disk_read_bytes_total", "counter", "Bytes read from its disks", host.read),
        ("skypanel_node_disk_written_bytes_total", "counter", "Bytes written to its disks", host.written),
        ("skypanel_node_processes", "gauge", "Processes, the kernel's own among them", host.processes),
    ] {
        if let Some(value) = value {
            let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name}{{node=\"{node}\"}} {value}");
        }
    }
}

/// A line of the edge's, with our labels. `app` is the slug and the id of the app that it is of.
pub(super) fn line_of_edge(line: &str, app: Option<(&str, String)>, node: &str) -> String {
    let Some(sample) = Sample::parse(line) else { return line.to_owned() };
    let node = escaped(node);
    let of = app.map_or_else(String::new, |(slug, id)| format!("app=\"{}\",app_id=\"{id}\",", escaped(slug)));
    sample.with_labels(&format!("{of}node=\"{node}\""))
}

fn labels(task: &Task, node: &str) -> String {
    let Task { id, name, image, service, app, slug, replica, .. } = task;
    format!(
        "id=\"/docker/{}\",name=\"{}\",image=\"{}\",container_label_com_docker_swarm_service_name=\"{}\",app=\"{}\",\
         app_id=\"{app}\",process=\"{}\",replica=\"{}\",node=\"{node}\"",
        escaped(id),
        escaped(name),
        escaped(image),
        escaped(service),
        escaped(slug),
        replica.process,
        replica.number
    )
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 are far below 2^53")]
fn seconds(at: chrono::DateTime<chrono::Utc>) -> f64 {
    at.timestamp_millis() as f64 / 1_000.0
}

#[expect(clippy::cast_precision_loss, reason = "sizes below 2^53 are exact")]
fn number(value: u64) -> f64 {
    value as f64
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use skypanel_core::model::AppId;
    use tokio::time::Instant;

    use super::*;

    #[test]
    fn values_have_the_names_that_dashboards_know() {
        let app = AppId::new();
        let task = Task {
            id: "5af2".to_owned(),
            name: "skypanel-shop--web.2.x".to_owned(),
            image: "127.0.0.1:5100/shop".to_owned(),
            service: "skypanel-shop--web".to_owned(),
            app,
            slug: "shop".to_owned(),
            replica: "web.2".parse().expect("is one"),
            started_at: chrono::DateTime::from_timestamp(1_800_000_000, 500_000_000).expect("is a time"),
        };
        let counters = Counters { cpu: 1_500_000_000, memory: 4_194_304, received: Some(7), ..Counters::default() };
        let host =
            HostCounters { busy: 12.5, memory: 5, memory_limit: 10, written: Some(512), ..HostCounters::default() };
        let measured = Measured {
            at: chrono::DateTime::from_timestamp(1_800_000_100, 0).expect("is a time"),
            moment: Instant::now(),
            tasks: vec![(Arc::new(task), counters)],
            host: Some(host),
            containers: 3,
            edge: None,
        };
        let text = text(&measured, "no\"de");
        let labels = format!(
            "id=\"/docker/5af2\",name=\"skypanel-shop--web.2.x\",image=\"127.0.0.1:5100/shop\",\
             container_label_com_docker_swarm_service_name=\"skypanel-shop--web\",app=\"shop\",app_id=\"{app}\",\
             process=\"web\",replica=\"2\",node=\"no\\\"de\""
        );
        for line in [
            format!("container_cpu_usage_seconds_total{{{labels}}} 1.5"),
            format!("container_memory_working_set_bytes{{{labels}}} 4194304"),
            format!("container_spec_memory_limit_bytes{{{labels}}} 0"),
            format!("container_network_receive_bytes_total{{{labels}}} 7"),
            format!("container_start_time_seconds{{{labels}}} 1800000000.5"),
            format!("container_last_seen{{{labels}}} 1800000100"),
            "skypanel_node_cpu_seconds_total{node=\"no\\\"de\"} 12.5".to_owned(),
            "skypanel_node_disk_written_bytes_total{node=\"no\\\"de\"} 512".to_owned(),
            "# TYPE container_cpu_usage_seconds_total counter".to_owned(),
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is missing in {text}");
        }
        assert!(!text.contains("skypanel_node_processes"), "what is not known is not told: {text}");
        assert!(!text.contains("container_processes{"), "what is not known is not told: {text}");
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        assert!(lines.map(Sample::parse).all(|sample| sample.is_some_and(|sample| sample.value().is_some())));
    }

    #[test]
    fn lines_of_the_edge_get_our_labels() {
        let line = r#"traefik_service_requests_total{code="200",service="app-shop@file"} 7"#;
        assert_eq!(
            line_of_edge(line, Some(("shop", "1".to_owned())), "one"),
            r#"traefik_service_requests_total{app="shop",app_id="1",node="one",code="200",service="app-shop@file"} 7"#
        );
        assert_eq!(line_of_edge("traefik_x 1", None, "one"), r#"traefik_x{node="one"} 1"#);
        assert_eq!(line_of_edge("# TYPE traefik_x counter", None, "one"), "# TYPE traefik_x counter");
    }
}

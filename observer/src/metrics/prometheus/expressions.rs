//! What is asked of a Prometheus, in its language: the columns of the embedded store, made of what the agents expose.

use skypanel_core::measurements::TRAFFIC_SPAN;

use super::super::columns::{Column, Kind, Layout, node, replica, router};
use super::super::edge::text::escaped;

/// Over how long a rate is a rate. Four times as long as a Prometheus usually waits between two looks.
const RATE: &str = "1m";
/// How finely the inside of a step is looked at: at most this often, and no more often than measured.
const LOOKS: u64 = 30;
const FINEST: u64 = 10;
/// The label that tells the columns of one query apart.
pub(super) const COLUMN: &str = "column";
/// The columns of [`traffic`].
pub(super) const REQUESTS: &str = "requests";
pub(super) const ERRORS: &str = "requests_5xx";
pub(super) const P95: &str = "response_time_p95";
/// Percentiles of durations, as readers know them.
pub(super) const PERCENTILES: [(&str, f64); 3] =
    [("response_time_p50", 0.5), ("response_time_p95", 0.95), ("response_time_p99", 0.99)];

/// Which value of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    /// The mean, or what else the column holds.
    Mean,
    /// The greatest.
    Max,
    /// The 95th percentile.
    P95,
}

/// One query for all columns of a layout, each under its name in the label [`COLUMN`]. `of` is the id of the app, or the
/// node's name. None where nothing has such a value.
pub(super) fn query(layout: Layout, of: &str, which: Which, step: u64) -> Option<String> {
    let columns = layout.columns().iter().enumerate().filter(|(_, column)| !column.name.is_empty());
    let of = escaped(of);
    let mut parts: Vec<String> = columns
        .filter_map(|(place, column)| {
            let mut within = within_step(column, &inner(layout, place, &of)?, which, step)?;
            if (layout, place) == (Layout::Node, node::RESTARTS) {
                // Of all its replicas; none of a node that runs none.
                within = format!("(sum({within}) or 0 * max(skypanel_node_containers{{node=\"{of}\"}}))");
            }
            Some(named(&within, column.name))
        })
        .collect();
    if layout == Layout::Router && which == Which::Mean {
        parts.extend(PERCENTILES.map(|(name, share)| named(&percentile(&of, share, step), name)));
    }
    (!parts.is_empty()).then(|| parts.join(" or "))
}

/// The newest values of all nodes.
pub(super) fn nodes_now() -> String {
    let gauge = |name: &str| format!("max by (node) (skypanel_node_{name})");
    let columns = [
        (node::CPU, format!("sum by (node) (rate(skypanel_node_cpu_seconds_total[{RATE}]))")),
        (node::MEMORY, gauge("memory_used_bytes")),
        (node::MEMORY_LIMIT, gauge("memory_bytes")),
        (node::DISK, gauge("disk_used_bytes")),
        (node::DISK_LIMIT, gauge("disk_bytes")),
        (node::LOAD, gauge("load1")),
        (node::CONTAINERS, gauge("containers")),
    ];
    columns.map(|(place, inner)| named(&inner, Layout::Node.columns()[place].name)).join(" or ")
}

/// What the edges counted of all apps' requests lately.
pub(super) fn traffic() -> String {
    let span = format!("[{}s]", TRAFFIC_SPAN.as_secs());
    let requests =
        |code: &str| format!("sum by (app_id) (increase(traefik_service_requests_total{{app_id!=\"\"{code}}}{span}))");
    let buckets = format!("traefik_service_request_duration_seconds_bucket{{app_id!=\"\"}}{span}");
    let p95 = format!("histogram_quantile(0.95,sum by (app_id,le) (rate({buckets})))");
    [(REQUESTS, requests("")), (ERRORS, requests(",code=~\"5..\"")), (P95, p95)]
        .map(|(name, expression)| named(&expression, name))
        .join(" or ")
}

fn named(expression: &str, name: &str) -> String {
    format!("label_replace({expression},\"{COLUMN}\",\"{name}\",\"\",\"\")")
}

/// The value of a column at a moment.
fn inner(layout: Layout, place: usize, of: &str) -> Option<String> {
    Some(match layout {
        Layout::Replica => of_replica(place, of)?,
        Layout::Router => of_router(place, of)?,
        Layout::Node => of_node(place, of)?,
    })
}

/// While one container replaces another, both are measured: what they use is added, what they hold is not.
fn of_replica(place: usize, app: &str) -> Option<String> {
    let gauge = |name: &str| format!("max by (process,replica) ({name}{{app_id=\"{app}\"}})");
    let rate = |name: &str| format!("sum by (process,replica) (rate({name}{{app_id=\"{app}\"}}[{RATE}]))");
    Some(match place {
        replica::CPU => rate("container_cpu_usage_seconds_total"),
        replica::MEMORY => gauge("container_memory_working_set_bytes"),
        replica::MEMORY_LIMIT => format!("({} > 0)", gauge("container_spec_memory_limit_bytes")),
        replica::NETWORK_RECEIVED => rate("container_network_receive_bytes_total"),
        replica::NETWORK_SENT => rate("container_network_transmit_bytes_total"),
        replica::BLOCK_READ => rate("container_fs_reads_bytes_total"),
        replica::BLOCK_WRITTEN => rate("container_fs_writes_bytes_total"),
        replica::PROCESSES => gauge("container_processes"),
        replica::OPEN_CONNECTIONS => gauge("skypanel_open_connections"),
        replica::UPTIME => format!("(time() - {})", gauge("container_start_time_seconds")),
        replica::RESTARTS => gauge("container_start_time_seconds"),
        _ => return None,
    })
}

fn of_router(place: usize, app: &str) -> Option<String> {
    const CLASSES_END: usize = router::CLASSES + 3;
    let rate = |name: &str, code: &str| format!("sum(rate(traefik_service_{name}{{app_id=\"{app}\"{code}}}[{RATE}]))");
    Some(match place {
        router::REQUESTS => rate("requests_total", ""),
        router::CLASSES..=CLASSES_END => {
            let class = place - router::CLASSES + 2;
            // Where there were none of this class, as many as none of all.
            let of_class = rate("requests_total", &format!(",code=~\"{class}..\""));
            format!("({of_class} or 0 * {})", rate("requests_total", ""))
        }
        router::REQUEST_BYTES => rate("requests_bytes_total", ""),
        router::RESPONSE_BYTES => rate("responses_bytes_total", ""),
        _ => return None,
    })
}

fn of_node(place: usize, node: &str) -> Option<String> {
    let gauge = |name: &str| format!("max(skypanel_node_{name}{{node=\"{node}\"}})");
    let rate = |name: &str| format!("sum(rate(skypanel_node_{name}{{node=\"{node}\"}}[{RATE}]))");
    Some(match place {
        node::CPU => rate("cpu_seconds_total"),
        node::MEMORY => gauge("memory_used_bytes"),
        node::MEMORY_LIMIT => gauge("memory_bytes"),
        node::DISK => gauge("disk_used_bytes"),
        node::DISK_LIMIT => gauge("disk_bytes"),
        node::LOAD => gauge("load1"),
        node::CONTAINERS => gauge("containers"),
        node::NETWORK_RECEIVED => rate("network_receive_bytes_total"),
        node::NETWORK_SENT => rate("network_transmit_bytes_total"),
        node::BLOCK_READ => rate("disk_read_bytes_total"),
        node::BLOCK_WRITTEN => rate("disk_written_bytes_total"),
        node::PROCESSES => gauge("processes"),
        node::RESTARTS => {
            format!("max by (app_id,process,replica) (container_start_time_seconds{{node=\"{node}\"}})")
        }
        _ => return None,
    })
}

/// What the values within a step are together; none where only the mean is known.
fn within_step(column: &Column, inner: &str, which: Which, step: u64) -> Option<String> {
    let looks = (step / LOOKS).max(FINEST);
    // The step before is where a counted change begins.
    let window = if column.kind == Kind::Sum { step + looks } else { step };
    let over = |function: &str| format!("{function}(({inner})[{window}s:{looks}s])");
    match (column.kind, which) {
        (Kind::Sum, Which::Mean) => Some(over("changes")),
        (Kind::Last, Which::Mean) => Some(over("last_over_time")),
        (Kind::Varying | Kind::Mean, Which::Mean) if step <= FINEST => Some(inner.to_owned()),
        (Kind::Varying | Kind::Mean, Which::Mean) => Some(over("avg_over_time")),
        (Kind::Varying, Which::Max) if step > FINEST => Some(over("max_over_time")),
        (Kind::Varying, Which::P95) if step > FINEST => {
            Some(format!("quantile_over_time(0.95,({inner})[{window}s:{looks}s])"))
        }
        _ => None,
    }
}

fn percentile(app: &str, share: f64, step: u64) -> String {
    let window = step.max(60);
    format!(
        "histogram_quantile({share},sum by (le) \
         (rate(traefik_service_request_duration_seconds_bucket{{app_id=\"{app}\"}}[{window}s])))"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_column_is_asked_for() {
        for (layout, percentiles) in [(Layout::Replica, 0), (Layout::Router, 3), (Layout::Node, 0)] {
            let columns = || layout.columns().iter().filter(|column| !column.name.is_empty());
            let count = |which| query(layout, "x", which, 60).map_or(0, |query| query.matches(COLUMN).count());
            let varying = columns().filter(|column| column.kind == Kind::Varying).count();
            assert_eq!(count(Which::Mean), columns().count() + percentiles, "{layout:?}");
            assert_eq!((count(Which::Max), count(Which::P95)), (varying, varying), "{layout:?}");
            assert_eq!((query(layout, "x", Which::Max, 10), query(layout, "x", Which::P95, 10)), (None, None));
        }
        assert_eq!(nodes_now().matches(COLUMN).count(), 7, "what is told of nodes as they are now");
    }

    #[test]
    fn no_name_breaks_out_of_a_query() {
        let query = query(Layout::Node, "a\"} or b{c=\"\\", Which::Mean, 60).expect("is one");
        assert!(query.contains(r#"{node="a\"} or b{c=\"\\"}"#), "{query}");
    }
}

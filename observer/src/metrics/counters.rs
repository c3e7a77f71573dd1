//! What is measured, as it is counted: since a container was started, since the machine was, since the edge was.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use skypanel_core::measurements::Replica;
use skypanel_core::model::AppId;
use tokio::time::Instant;

use super::columns::BOUNDS;
use super::edge::Edge;

/// A running replica of an app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Task {
    /// Id of its container.
    pub(crate) id: String,
    /// Name of its container.
    pub(crate) name: String,
    /// Reference of its image.
    pub(crate) image: String,
    /// Name of its Swarm service.
    pub(crate) service: String,
    pub(crate) app: AppId,
    /// Slug of the app.
    pub(crate) slug: String,
    pub(crate) replica: Replica,
    pub(crate) started_at: DateTime<Utc>,
}

/// What a container has used since it was started, and what it holds. None is what cannot be measured here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counters {
    /// CPU time, in nanoseconds.
    pub(crate) cpu: u64,
    /// Memory in bytes, without what is only cached.
    pub(crate) memory: u64,
    /// The most memory it may use, in bytes; none for no limit.
    pub(crate) memory_limit: Option<u64>,
    /// Bytes over the network.
    pub(crate) received: Option<u64>,
    pub(crate) sent: Option<u64>,
    /// Bytes from and to disks.
    pub(crate) read: Option<u64>,
    pub(crate) written: Option<u64>,
    pub(crate) processes: Option<u64>,
    /// Processes and their threads.
    pub(crate) threads: Option<u64>,
    /// Connections of the edge to it.
    pub(crate) open_connections: Option<u64>,
}

/// What the machine has used and holds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct HostCounters {
    /// Time that its cores were busy, in seconds.
    pub(crate) busy: f64,
    /// Memory that it has and that is not available, in bytes.
    pub(crate) memory_limit: u64,
    pub(crate) memory: u64,
    /// Space on the disk of the data directory, and what is in use of it, in bytes.
    pub(crate) disk_limit: u64,
    pub(crate) disk: u64,
    /// Processes that run or want to, as a mean over a minute.
    pub(crate) load: f64,
    /// Bytes over the interfaces that are hardware; none where it shows no such.
    pub(crate) received: Option<u64>,
    pub(crate) sent: Option<u64>,
    /// Bytes from and to the disks that are hardware; none where it shows no such.
    pub(crate) read: Option<u64>,
    pub(crate) written: Option<u64>,
    /// All processes, the kernel's own among them.
    pub(crate) processes: Option<u64>,
}

/// What the edge has counted of an app since it was started.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct EdgeCounters {
    pub(crate) requests: f64,
    /// Those that were answered with 2xx to 5xx.
    pub(crate) classes: [f64; 4],
    pub(crate) request_bytes: f64,
    pub(crate) response_bytes: f64,
    /// Requests that took no longer than each of the bounds, and at last all of them.
    pub(crate) within: [f64; BOUNDS.len() + 1],
}

/// Everything, at one moment.
#[derive(Debug)]
pub(crate) struct Measured {
    pub(crate) at: DateTime<Utc>,
    /// The same by a clock that never jumps.
    pub(crate) moment: Instant,
    pub(crate) tasks: Vec<(Arc<Task>, Counters)>,
    pub(crate) host: Option<HostCounters>,
    /// Running containers of the whole machine.
    pub(crate) containers: u64,
    /// What the edge counts; none where it does not tell.
    pub(crate) edge: Option<Edge>,
}

//! What is kept of replicas, of the edge and of nodes: names and units as readers see them, and how values of a short
//! step become one of a longer step. A layout is part of the files' form: columns are never changed or moved, and
//! when some are added, a file without them is replaced by an empty one.

/// What a file is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// One replica of an app.
    Replica,
    /// An app, as the edge sees it.
    Router,
    /// A node.
    Node,
}

/// One value of a row.
#[derive(Debug)]
pub(crate) struct Column {
    pub(crate) name: &'static str,
    pub(crate) unit: &'static str,
    pub(crate) kind: Kind,
}

/// How values of short steps become one of a longer step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Their mean, beside which their maximum and the 95th percentile are kept.
    Varying,
    /// Their mean alone.
    Mean,
    /// The last of them.
    Last,
    /// Their sum.
    Sum,
}

impl Kind {
    /// How many numbers are kept for a longer step.
    pub(crate) fn width(self) -> usize {
        match self {
            Self::Varying => 3,
            Self::Mean | Self::Last | Self::Sum => 1,
        }
    }
}

const fn varying(name: &'static str, unit: &'static str) -> Column {
    Column { name, unit, kind: Kind::Varying }
}

/// Places of a replica's columns.
pub(crate) mod replica {
    pub(crate) const CPU: usize = 0;
    pub(crate) const MEMORY: usize = 1;
    pub(crate) const MEMORY_LIMIT: usize = 2;
    pub(crate) const NETWORK_RECEIVED: usize = 3;
    pub(crate) const NETWORK_SENT: usize = 4;
    pub(crate) const BLOCK_READ: usize = 5;
    pub(crate) const BLOCK_WRITTEN: usize = 6;
    pub(crate) const PROCESSES: usize = 7;
    pub(crate) const OPEN_CONNECTIONS: usize = 8;
    pub(crate) const UPTIME: usize = 9;
    pub(crate) const RESTARTS: usize = 10;
    pub(crate) const COUNT: usize = 11;
}

const REPLICA: [Column; replica::COUNT] = [
    varying("cpu", "cores"),
    varying("memory", "bytes"),
    Column { name: "memory_limit", unit: "bytes", kind: Kind::Last },
    varying("network_received", "bytes_per_second"),
    varying("network_sent", "bytes_per_second"),
    varying("block_read", "bytes_per_second"),
    varying("block_written", "bytes_per_second"),
    varying("processes", "processes"),
    varying("open_connections", "connections"),
    Column { name: "uptime", unit: "seconds", kind: Kind::Last },
    Column { name: "restarts", unit: "restarts", kind: Kind::Sum },
];

/// Places of a node's columns.
pub(crate) mod node {
    pub(crate) const CPU: usize = 0;
    pub(crate) const MEMORY: usize = 1;
    pub(crate) const MEMORY_LIMIT: usize = 2;
    pub(crate) const DISK: usize = 3;
    pub(crate) const DISK_LIMIT: usize = 4;
    pub(crate) const LOAD: usize = 5;
    pub(crate) const CONTAINERS: usize = 6;
    pub(crate) const NETWORK_RECEIVED: usize = 7;
    pub(crate) const NETWORK_SENT: usize = 8;
    pub(crate) const BLOCK_READ: usize = 9;
    pub(crate) const BLOCK_WRITTEN: usize = 10;
    pub(crate) const PROCESSES: usize = 11;
    pub(crate) const RESTARTS: usize = 12;
    pub(crate) const COUNT: usize = 13;
}

const NODE: [Column; node::COUNT] = [
    varying("cpu", "cores"),
    varying("memory", "bytes"),
    Column { name: "memory_limit", unit: "bytes", kind: Kind::Last },
    varying("disk", "bytes"),
    Column { name: "disk_limit", unit: "bytes", kind: Kind::Last },
    varying("load", "processes"),
    varying("containers", "containers"),
    varying("network_received", "bytes_per_second"),
    varying("network_sent", "bytes_per_second"),
    varying("block_read", "bytes_per_second"),
    varying("block_written", "bytes_per_second"),
    varying("processes", "processes"),
    Column { name: "restarts", unit: "restarts", kind: Kind::Sum },
];

/// Upper bounds of the durations that the edge tells apart, in seconds; one more column is for what takes longer.
pub(crate) const BOUNDS: [f64; 11] = skypanel_core::measurements::DURATION_BOUNDS;

/// Places of the edge's columns.
pub(crate) mod router {
    pub(crate) const REQUESTS: usize = 0;
    /// The first of those of the status classes 2xx to 5xx.
    pub(crate) const CLASSES: usize = 1;
    pub(crate) const REQUEST_BYTES: usize = 5;
    pub(crate) const RESPONSE_BYTES: usize = 6;
    /// The first of those of the durations.
    pub(crate) const BUCKETS: usize = 7;
    pub(crate) const COUNT: usize = BUCKETS + super::BOUNDS.len() + 1;
}

/// How many requests a second took that long; readers see percentiles.
const BUCKET: Column = Column { name: "", unit: "requests_per_second", kind: Kind::Mean };

const ROUTER: [Column; router::COUNT] = [
    varying("requests", "requests_per_second"),
    varying("requests_2xx", "requests_per_second"),
    varying("requests_3xx", "requests_per_second"),
    varying("requests_4xx", "requests_per_second"),
    varying("requests_5xx", "requests_per_second"),
    varying("request_bytes", "bytes_per_second"),
    varying("response_bytes", "bytes_per_second"),
    BUCKET,
    BUCKET,
    BUCKET,
    BUCKET,
    BUCKET,
    BUCKET,
    BUCKET,
    BUCKET,
    BUCKET,
    BUCKET,
    BUCKET,
    BUCKET,
];

impl Layout {
    /// What a row holds.
    pub(crate) fn columns(self) -> &'static [Column] {
        match self {
            Self::Replica => &REPLICA,
            Self::Router => &ROUTER,
            Self::Node => &NODE,
        }
    }

    /// Its mark in files.
    pub(crate) fn mark(self) -> u8 {
        match self {
            Self::Replica => 1,
            Self::Router => 2,
            Self::Node => 3,
        }
    }
}

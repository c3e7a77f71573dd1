//! The machines that apps run on, as the Swarm's managers tell of them.

use chrono::{DateTime, Utc};

text_enum! {
    /// What a node of the Swarm is there for.
    NodeRole {
        /// Decides where things run, and may run some.
        Manager = "manager",
        /// Runs them.
        Worker = "worker",
    }
}

text_enum! {
    /// Whether a node answers.
    NodeState {
        /// It does.
        Ready = "ready",
        /// It does not.
        Down = "down",
        /// It was there and went away.
        Disconnected = "disconnected",
        /// Not known yet.
        Unknown = "unknown",
    }
}

text_enum! {
    /// Whether a node is given processes.
    NodeAvailability {
        /// It is.
        Active = "active",
        /// It keeps what it has and gets no more.
        Pause = "pause",
        /// It gets none, and what it had went elsewhere.
        Drain = "drain",
    }
}

/// A machine of the Swarm as it is now.
#[derive(Clone, Debug)]
pub struct Node {
    /// The engine's id of it.
    pub id: String,
    /// Its host name.
    pub name: String,
    /// Its address as the managers see it.
    pub address: Option<String>,
    /// What it is there for.
    pub role: NodeRole,
    /// Whether it is the manager that leads.
    pub is_leader: bool,
    /// Whether it answers.
    pub state: NodeState,
    /// Why it is in that state, where the engine says.
    pub message: Option<String>,
    /// Whether it is given processes.
    pub availability: NodeAvailability,
    /// Version of its engine.
    pub engine_version: Option<String>,
    /// Its CPU, in thousandths of a core.
    pub cpu_millicores: u64,
    /// Its memory, in bytes.
    pub memory_bytes: u64,
    /// Replicas of apps that are meant to run there.
    pub replicas: u64,
    /// When it joined.
    pub joined_at: Option<DateTime<Utc>>,
}

impl Node {
    /// Whether it answers and is given processes.
    pub fn is_ready(&self) -> bool {
        self.state == NodeState::Ready && self.availability == NodeAvailability::Active
    }
}

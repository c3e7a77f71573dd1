//! The roles a process can take. `skypanel up` takes all of them.

use clap::ValueEnum;

/// A part of the platform that can run by itself; they meet only in Postgres and in the blob store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Role {
    /// Git pushes and commands over SSH
    Receiver,
    /// HTTP API, dashboard, image endpoint
    Api,
    /// Builds, releases and all other jobs
    Worker,
    /// Routes of this node
    Agent,
}

impl Role {
    /// All of them.
    pub(crate) const ALL: [Self; 4] = [Self::Receiver, Self::Api, Self::Worker, Self::Agent];

    /// Its name in file names.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Receiver => "receiver",
            Self::Api => "api",
            Self::Worker => "worker",
            Self::Agent => "agent",
        }
    }
}

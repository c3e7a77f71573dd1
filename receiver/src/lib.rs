//! The SSH side of Skypanel: `git push` and `git fetch` with registered public keys, commands, live streams.
//!
//! It knows no container engine: it validates, authorises, writes to the store, enqueues a job and follows
//! the job's live stream. One task per connection owns that connection's state.

mod channel;
mod client;
mod commands;
mod connection;
mod exec;
mod git;
mod handler;
mod host_key;
mod keys;
mod output;
mod push;
mod server;
mod stream;
mod turns;
mod words;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use russh::keys::PrivateKey;
use skypanel_core::actions::Actions;
use skypanel_core::locks::Locks;
use skypanel_core::model::AddressFormat;
use skypanel_core::{Error, Result};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use skypanel_core::source::SourceLimits;

pub use crate::commands::{ClientLine, answers, command_help, command_list, platform_commands};
pub use crate::keys::parse_public_key;

use crate::git::Repositories;
use crate::turns::Turns;

/// What the receiver is told at start.
#[derive(Clone, Debug)]
pub struct ReceiverOptions {
    /// Where to listen for SSH.
    pub listen: SocketAddr,
    /// Where host key, repositories and hook sockets lie. The hook sockets' path must stay under 108 bytes.
    pub data_dir: PathBuf,
    /// The `skypanel-hook` binary.
    pub hook_binary: PathBuf,
    /// The host name users reach this receiver under, for hints such as `ssh -p 2222 git@HOST`.
    pub public_host: String,
    /// Where people reach the HTTP API, without a slash at its end: for addresses of webhooks and invitations.
    pub public_url: String,
    /// How apps are reached, for `apps:info`.
    pub addresses: AddressFormat,
}

/// Limits on connections. The defaults suit one machine.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at once.
    pub connections: usize,
    /// Connections at once from one address.
    pub connections_per_address: usize,
    /// Connections at once that have not authenticated yet.
    pub unauthenticated: usize,
    /// The same, of one address.
    pub unauthenticated_per_address: usize,
    /// Refused authentication tries until a connection is ended; each key a client offers is one.
    pub auth_tries: usize,
    /// Time a client has to authenticate.
    pub auth_time: Duration,
    /// Time a connection may be open without a running command.
    pub idle_time: Duration,
    /// Time a connection may be open in all.
    pub total_time: Duration,
    /// Time after connecting in which a client is taken for who it was then; later its key is looked up anew
    /// for every command, because keys are removed and roles change.
    pub identity_time: Duration,
    /// Time after which it is looked again whether whoever runs a command, or watches something, still may. Pushes
    /// go on once they have begun.
    pub recheck_time: Duration,
    /// Commands at once on one connection.
    pub channels: usize,
    /// Time a push may wait until the ones to the same app before it have ended.
    pub turn_time: Duration,
    /// Time between two looks for repositories of apps that are gone.
    pub collect_time: Duration,
    /// Time a push may take until its pack is received.
    pub receive_time: Duration,
    /// Time that commands and pushes have to end when Skypanel stops.
    pub shutdown_time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 512,
            connections_per_address: 64,
            unauthenticated: 128,
            unauthenticated_per_address: 16,
            auth_tries: 12,
            auth_time: Duration::from_secs(30),
            idle_time: Duration::from_mins(5),
            total_time: Duration::from_hours(24),
            identity_time: Duration::from_secs(30),
            recheck_time: Duration::from_secs(30),
            channels: 10,
            turn_time: Duration::from_hours(2),
            collect_time: Duration::from_mins(1),
            receive_time: Duration::from_hours(2),
            shutdown_time: Duration::from_secs(5),
        }
    }
}

/// What every connection works with.
pub(crate) struct Shared {
    /// What users do, and what that stands on.
    pub(crate) actions: Actions,
    pub(crate) options: ReceiverOptions,
    pub(crate) limits: Limits,
    pub(crate) source_limits: SourceLimits,
    pub(crate) repositories: Repositories,
    pub(crate) turns: Turns,
    /// Pushes go on when their client is gone, so they belong to the receiver and not to a connection.
    pub(crate) pushes: TaskTracker,
    /// Set when Skypanel stops.
    pub(crate) stopping: CancellationToken,
}

impl Shared {
    /// How a user spells a command, for hints: `ssh -p 2222 git@host COMMAND`.
    pub(crate) fn hint(&self, command: &str) -> String {
        let host = &self.options.public_host;
        match self.options.listen.port() {
            22 => format!("ssh git@{host} {command}"),
            port => format!("ssh -p {port} git@{host} {command}"),
        }
    }
}

/// The SSH server, listening.
pub struct Receiver {
    shared: Shared,
    listener: TcpListener,
    host_key: PrivateKey,
}

impl Receiver {
    /// Prepares directories and host key and starts to listen. Clients that connect from now on are served as
    /// soon as [`Receiver::run`] is awaited.
    pub async fn bind(actions: Actions, mut options: ReceiverOptions) -> Result<Self> {
        let host_key = host_key::open_or_create(&options.data_dir.join("ssh_host_ed25519_key"))?;
        let listener = TcpListener::bind(options.listen).await.map_err(|error| {
            Error::System(format!(
                "The SSH server cannot listen on {}: {error}. Choose another address with SKYPANEL_SSH_LISTEN, \
                 or stop what uses it.",
                options.listen
            ))
        })?;
        // Only now: it clears away what an earlier receiver left, which another that has the address may be using.
        let repositories = Repositories::prepare(&options.data_dir, &options.hook_binary)?;
        options.listen = listener
            .local_addr()
            .map_err(|error| Error::System(format!("The SSH server's address is unknown: {error}.")))?;
        let turns = Turns::new(Locks::new(actions.store.pool()));
        let shared = Shared {
            actions,
            options,
            limits: Limits::default(),
            source_limits: SourceLimits::default(),
            repositories,
            turns,
            pushes: TaskTracker::new(),
            stopping: CancellationToken::new(),
        };
        Ok(Self { shared, listener, host_key })
    }

    /// With other limits on connections.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.shared.limits = limits;
        self
    }

    /// With other limits on pushed trees.
    #[must_use]
    pub fn with_source_limits(mut self, limits: SourceLimits) -> Self {
        self.shared.source_limits = limits;
        self
    }

    /// The address it listens on; tells the port when port 0 was asked for.
    pub fn local_addr(&self) -> SocketAddr {
        self.shared.options.listen
    }

    /// The host key's fingerprint as `ssh` shows it, `SHA256:…`.
    pub fn host_key_fingerprint(&self) -> String {
        keys::fingerprint(self.host_key.public_key())
    }

    /// The host key as a `known_hosts` file has it, without the host: `ssh-ed25519 AAAA…`.
    pub fn host_key_line(&self) -> String {
        host_key::public_line(&self.host_key)
    }

    /// Serves until `cancel`, then ends what runs within [`Limits::shutdown_time`] and some seconds.
    pub async fn run(self, cancel: CancellationToken) -> Result<()> {
        server::run(Arc::new(self.shared), self.listener, self.host_key, cancel).await
    }
}

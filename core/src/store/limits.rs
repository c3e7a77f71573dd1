//! Time limits that the database server itself keeps for our connections: what hangs there gives back its
//! locks and its place in the pool, even when nobody waits for the answer any more.

use std::time::Duration;

use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

/// Longest a connection may take to be there.
pub(super) const ANSWER_LIMIT: Duration = Duration::from_secs(10);

/// Parameters of a connection and their values, as in PostgreSQL's chapter on client connection defaults. An
/// address that sets one itself (`?options=-c%20statement_timeout%3D5min`) is left its own value.
const LIMITS: [(&str, &str); 3] = [
    // Statements take milliseconds; the longest delete the old output of many deployments.
    ("statement_timeout", "60s"),
    // A transaction is a few statements on end; one that waits for us has lost us.
    ("idle_in_transaction_session_timeout", "30s"),
    // Shorter than a statement's, so that the log tells which of the two it was.
    ("lock_timeout", "20s"),
];

/// `options` with all limits.
pub(super) fn limited(options: PgConnectOptions) -> PgConnectOptions {
    let given = options.get_options().unwrap_or_default().to_owned();
    options.options(LIMITS.into_iter().filter(|(name, _)| !given.contains(name)))
}

/// A single connection to where `pool` leads, without any of them, for what may take long: bringing tables up to
/// date, and waiting for another process that does.
pub(crate) fn unlimited(pool: &PgPool) -> PgPool {
    // Of a parameter that is given twice the last value counts.
    let options = pool.connect_options().as_ref().clone().options(LIMITS.map(|(name, _)| (name, "0")));
    PgPoolOptions::new().max_connections(1).acquire_timeout(ANSWER_LIMIT).connect_lazy_with(options)
}

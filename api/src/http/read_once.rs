//! What lies outside of this process, read once for all who ask at about the same time, failures included: the nodes of the
//! Swarm, and how many requests apps get.

use std::sync::Arc;
use std::time::{Duration, Instant};

use skypanel_core::{Error, Result};
use tokio::sync::Mutex;

/// Longest that reading it may take.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);

/// The last answer.
pub(crate) struct ReadOnce<T> {
    /// How long what was read is given again.
    kept: Duration,
    last: Mutex<Option<Read<T>>>,
}

/// What was told, or why nothing.
struct Read<T> {
    at: Instant,
    answer: Result<Arc<T>, String>,
}

/// What is told where there is no answer.
pub(crate) struct Unread {
    /// In the log, with the reason.
    pub(crate) log: &'static str,
    /// To callers, a sentence.
    pub(crate) failed: &'static str,
    /// Behind it comes after how long.
    pub(crate) late: &'static str,
}

impl<T> ReadOnce<T> {
    pub(crate) fn new(kept: Duration) -> Self {
        Self { kept, last: Mutex::new(None) }
    }

    /// What was read lately, or what `read` tells now: [`Error::Upstream`] where that fails or takes too long.
    pub(crate) async fn get(&self, read: impl Future<Output = Result<T>>, unread: Unread) -> Result<Arc<T>> {
        let mut last = self.last.lock().await;
        if let Some(read) = last.as_ref().filter(|read| read.at.elapsed() < self.kept) {
            return read.answer.clone().map_err(Error::Upstream);
        }
        let answer = match tokio::time::timeout(ANSWER_LIMIT, read).await {
            Ok(Ok(told)) => Ok(Arc::new(told)),
            Ok(Err(error)) => {
                tracing::warn!(%error, "{}", unread.log);
                Err(format!("{} The operator finds the reason in Skypanel's log.", unread.failed))
            }
            Err(_) => Err(format!("{} within {} s. Try again in a minute.", unread.late, ANSWER_LIMIT.as_secs())),
        };
        *last = Some(Read { at: Instant::now(), answer: answer.clone() });
        answer.map_err(Error::Upstream)
    }
}

//! Which request of somebody is being answered: one id that the log, the audit log and the jobs that follow from it
//! have in common.

tokio::task_local! {
    static CURRENT: String;
}

/// Does `work` as part of the request `id`.
pub async fn within<F: Future>(id: String, work: F) -> F::Output {
    CURRENT.scope(id, work).await
}

/// The same where it may be part of none.
pub async fn within_any<F: Future>(id: Option<String>, work: F) -> F::Output {
    match id {
        Some(id) => within(id, work).await,
        None => work.await,
    }
}

/// The id of the request that this task is part of.
pub fn current() -> Option<String> {
    CURRENT.try_with(Clone::clone).ok()
}

/// A new id, in order of time.
pub fn new_id() -> String {
    uuid::Uuid::now_v7().simple().to_string()
}

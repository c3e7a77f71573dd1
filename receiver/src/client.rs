//! Who is at the other end of a connection, at its beginning and for as long as something runs for them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use skypanel_core::actions::Actor;
use skypanel_core::model::{AppId, AppRef, StreamId};
use skypanel_core::store::Access;
use skypanel_core::{Error, Result};
use zeroize::Zeroizing;

use crate::Shared;

/// Longest the database may be away until what runs is ended, because nobody knows any more who may see it. Live
/// streams wait for it as long.
const AWAY_LIMIT: Duration = Duration::from_mins(5);

/// What a client showed to be who it is.
pub(crate) enum Proof {
    /// A registered key of this fingerprint.
    Key(String),
    /// An API token.
    Token(Zeroizing<String>),
}

/// What somebody must be allowed for as long as something runs for them.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Right {
    /// To come in at all.
    Enter,
    /// To do that with an app.
    App(AppId, Access),
    /// To see the output of a deployment or another job.
    Stream(StreamId),
}

/// Who is at the other end of a connection.
pub(crate) struct Client {
    actor: Arc<Actor>,
    proof: Proof,
    since: Instant,
}

impl Client {
    pub(crate) fn new(actor: Actor, proof: Proof) -> Self {
        Self { actor: Arc::new(actor), proof, since: Instant::now() }
    }

    /// Who it was when it came.
    pub(crate) fn first_actor(&self) -> &Actor {
        &self.actor
    }

    /// Who it is by now. A connection may be kept open for hours, in which a key is removed, a token revoked or a role
    /// changed.
    pub(crate) async fn actor(&self, shared: &Shared) -> Result<Arc<Actor>> {
        if self.since.elapsed() < shared.limits.identity_time {
            return Ok(Arc::clone(&self.actor));
        }
        self.again(shared).await.map(Arc::new)
    }

    /// The outcome of `work`, or why it was ended before: a right to it was taken away meanwhile.
    pub(crate) async fn while_allowed<T, E: From<Error>>(
        &self,
        shared: &Shared,
        right: Right,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        tokio::select! {
            outcome = work => outcome,
            error = self.refused(shared, right) => Err(error.into()),
        }
    }

    /// Looks again and again whether the client still has a right, until it has not.
    async fn refused(&self, shared: &Shared, right: Right) -> Error {
        let mut known = Instant::now();
        loop {
            tokio::time::sleep(shared.limits.recheck_time).await;
            match self.check(shared, right).await {
                Ok(()) => known = Instant::now(),
                Err(Error::Database(cause)) if known.elapsed() < AWAY_LIMIT => {
                    tracing::warn!(%cause, "it is not known whether a client still may see what runs for it");
                }
                Err(error) => {
                    return Error::Forbidden(format!("This was ended, because your right to it was. {error}"));
                }
            }
        }
    }

    async fn check(&self, shared: &Shared, right: Right) -> Result<()> {
        let actor = self.again(shared).await?;
        match right {
            Right::Enter => Ok(()),
            Right::App(app, access) => shared.actions.app_of(&actor, &AppRef::Id(app), access).await.map(drop),
            Right::Stream(stream) => shared.actions.operation(&actor, stream).await.map(drop),
        }
    }

    async fn again(&self, shared: &Shared) -> Result<Actor> {
        let Actor { address, request_id, .. } = (*self.actor).clone();
        match &self.proof {
            Proof::Key(fingerprint) => {
                let identity = shared.actions.store.identify(fingerprint).await?;
                let gone = || Error::Forbidden("Your key is not registered any more.".to_owned());
                Ok(Actor { request_id, ..Actor::ssh(identity.ok_or_else(gone)?, address) })
            }
            Proof::Token(token) => shared.actions.by_token(token, address, request_id).await,
        }
    }
}

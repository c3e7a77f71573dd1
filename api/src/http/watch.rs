//! Live streams: who may have how many at a time, and that they end with the right to see them.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::response::sse::Event;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt as _, stream};
use skypanel_core::Error;
use skypanel_core::actions::{Actions, Actor};
use skypanel_core::model::{SessionId, UserId};

use crate::error::ApiError;
use crate::http::{Shared, caller, cookies, rate_limit};

/// Most live streams of one process; the rest of its connections is for everything else.
const MOST: usize = 384;
/// Most of one account.
const MOST_OF_ACCOUNT: usize = 32;
/// Most from one address.
const MOST_OF_ADDRESS: usize = 128;
/// When to try again once there are too many.
const RETRY_AFTER: Duration = Duration::from_secs(10);

/// The live streams that are open in this process.
#[derive(Debug, Default)]
pub(crate) struct OpenStreams {
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    all: usize,
    accounts: HashMap<UserId, usize>,
    addresses: HashMap<Option<IpAddr>, usize>,
}

impl OpenStreams {
    fn open(self: &Arc<Self>, account: UserId, address: Option<IpAddr>) -> Result<Place, Error> {
        let address = address.map(rate_limit::network);
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let of_account = counts.accounts.get(&account).copied().unwrap_or(0);
        let of_address = counts.addresses.get(&address).copied().unwrap_or(0);
        if counts.all >= MOST || of_account >= MOST_OF_ACCOUNT || of_address >= MOST_OF_ADDRESS {
            let message = "You follow too many logs at a time. Close some of them.".to_owned();
            return Err(Error::TooMany { message, retry_after: RETRY_AFTER });
        }
        counts.all += 1;
        counts.accounts.insert(account, of_account + 1);
        counts.addresses.insert(address, of_address + 1);
        Ok(Place { streams: self.clone(), account, address })
    }
}

/// The place of one stream; free again when this is dropped.
#[derive(Debug)]
struct Place {
    streams: Arc<OpenStreams>,
    account: UserId,
    address: Option<IpAddr>,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.streams.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.all -= 1;
        less(&mut counts.accounts, self.account);
        less(&mut counts.addresses, self.address);
    }
}

fn less<K: Eq + std::hash::Hash>(counts: &mut HashMap<K, usize>, key: K) {
    if let std::collections::hash_map::Entry::Occupied(mut entry) = counts.entry(key) {
        *entry.get_mut() -= 1;
        if *entry.get() == 0 {
            entry.remove();
        }
    }
}

/// Whoever follows a stream, by what they came with.
#[derive(Clone)]
pub(crate) struct Follower {
    shared: Shared,
    actor: Actor,
    came_with: CameWith,
}

#[derive(Clone)]
enum CameWith {
    Token(String),
    Session(SessionId),
}

impl FromRequestParts<Shared> for Follower {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, shared: &Shared) -> Result<Self, ApiError> {
        let caller::Caller(actor) = caller::Caller::from_request_parts(parts, shared).await?;
        let came_with = if let Some(token) = caller::bearer(&parts.headers)? {
            CameWith::Token(token.to_owned())
        } else {
            let token = cookies::value(shared, &parts.headers, cookies::SESSION).unwrap_or_default();
            let read = shared.actions.store.session_tokens()?.read(token, shared.actions.clock.now());
            let (_, session) =
                read.ok_or_else(|| Error::Unauthenticated("Your session has ended. Log in again.".to_owned()))?;
            CameWith::Session(session)
        };
        Ok(Self { shared: shared.clone(), actor, came_with })
    }
}

impl Follower {
    pub(crate) fn actor(&self) -> &Actor {
        &self.actor
    }

    pub(crate) fn actions(&self) -> &Actions {
        &self.shared.actions
    }

    /// Who this is now; none if the token or the session has ended, or the user is locked out.
    async fn again(&self) -> Result<Option<Actor>, Error> {
        let store = &self.shared.actions.store;
        let now = self.shared.actions.clock.now();
        let Actor { address, request_id, .. } = self.actor.clone();
        Ok(match &self.came_with {
            CameWith::Token(token) => store
                .identify_token(token, address, now)
                .await?
                .map(|(identity, scope)| Actor::token(identity, scope, address, request_id)),
            CameWith::Session(session) => store
                .identify_session(self.actor.user()?.id, *session, now)
                .await?
                .map(|identity| Actor::browser(identity, address, request_id)),
        })
    }

    /// `events` for as long as the follower may see them, which `may` looks at again and again.
    pub(crate) fn follow<F>(
        self,
        events: BoxStream<'static, Result<Event, Infallible>>,
        may: impl Fn(Actions, Actor) -> F + Send + Sync + 'static,
    ) -> Result<BoxStream<'static, Result<Event, Infallible>>, ApiError>
    where
        F: Future<Output = Result<(), Error>> + Send + 'static,
    {
        let place = self.shared.streams.open(self.actor.user()?.id, self.actor.address)?;
        let ended = async move {
            let _place = place;
            let mut looks = tokio::time::interval(self.shared.options.recheck);
            looks.tick().await;
            loop {
                looks.tick().await;
                let still = match self.again().await {
                    Ok(Some(actor)) => may(self.shared.actions.clone(), actor).await,
                    Ok(None) => Err(Error::Unauthenticated("The credential has ended.".to_owned())),
                    Err(error) => Err(error),
                };
                // Whatever cannot be known is not shown: the client connects again, and is asked who it is.
                if let Err(error) = still {
                    tracing::debug!(%error, "a live stream ended before its end");
                    return;
                }
            }
        };
        Ok(stream::StreamExt::boxed(events.take_until(Box::pin(ended))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_account_leaves_places_for_others_and_gives_its_own_back() {
        let streams = Arc::new(OpenStreams::default());
        let (ada, bob) = (UserId::new(), UserId::new());
        let address = |last| Some(IpAddr::from([192, 0, 2, last]));
        let mut open: Vec<Place> =
            (0..MOST_OF_ACCOUNT).map(|_| streams.open(ada, address(1)).expect("is one of some")).collect();
        assert!(matches!(streams.open(ada, address(2)), Err(Error::TooMany { .. })));
        drop(streams.open(bob, address(1)).expect("is another's"));
        open.pop();
        drop(streams.open(ada, address(2)).expect("has a place again"));
        while open.len() < MOST_OF_ADDRESS {
            open.push(streams.open(UserId::new(), address(1)).expect("is one of some"));
        }
        assert!(streams.open(bob, address(1)).is_err(), "the address has enough");
        drop(streams.open(bob, address(2)).expect("comes from elsewhere"));
        drop(open);
        let counts = streams.counts.lock().expect("is whole");
        assert!(counts.all == 0 && counts.accounts.is_empty() && counts.addresses.is_empty(), "{counts:?}");
    }
}

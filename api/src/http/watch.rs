//! Live streams end with the right to see them.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::response::sse::Event;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt as _, stream};
use skypanel_core::Error;
use skypanel_core::actions::{Actions, Actor};
use skypanel_core::model::SessionId;

use crate::error::ApiError;
use crate::http::places::Place;
use crate::http::{Shared, caller, cookies};

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
            CameWith::Token(token) => {
                store.identify_token(token, address, now).await?.map(|holder| Actor::token(holder, address, request_id))
            }
            CameWith::Session(session) => store
                .identify_session(self.actor.user()?.id, *session, now)
                .await?
                .map(|identity| Actor::browser(identity, address, request_id)),
        })
    }

    /// A place among what is followed at a time, unless there is too much of it.
    pub(crate) fn place(&self) -> Result<Place, ApiError> {
        Ok(self.shared.streams.take(self.actor.user()?.id, self.actor.address)?)
    }

    /// Ends once the follower is not one who `may` any more, which is looked at again and again, or nobody can tell.
    pub(crate) async fn until_refused<F>(&self, may: impl Fn(Actions, Actor) -> F + Send + Sync)
    where
        F: Future<Output = Result<(), Error>> + Send,
    {
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
                tracing::debug!(%error, "what is live ended before its end");
                return;
            }
        }
    }

    /// `events` for as long as the follower may see them.
    pub(crate) fn follow<F>(
        self,
        events: BoxStream<'static, Result<Event, Infallible>>,
        may: impl Fn(Actions, Actor) -> F + Send + Sync + 'static,
    ) -> Result<BoxStream<'static, Result<Event, Infallible>>, ApiError>
    where
        F: Future<Output = Result<(), Error>> + Send + 'static,
    {
        let place = self.place()?;
        let ended = async move {
            let _place = place;
            self.until_refused(may).await;
        };
        Ok(stream::StreamExt::boxed(events.take_until(Box::pin(ended))))
    }
}

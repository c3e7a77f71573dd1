//! How many requests a client may send, counted in this process: per credential, or per address without one. Every
//! answer says what is left (`RateLimit-*`), a refusal when to come again (`Retry-After`).

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use governor::clock::{Clock as _, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::keyed::DefaultKeyedStateStore;
use governor::{Quota, RateLimiter};
use skypanel_core::Error;
use skypanel_core::credentials;

use crate::error::ApiError;
use crate::http::request::Peer;
use crate::http::{Shared, cookies};

/// Requests after which clients that have been quiet are forgotten.
const FORGET_EVERY: u32 = 10_000;

type Key = Vec<u8>;
type Limiter = RateLimiter<Key, DefaultKeyedStateStore<Key>, DefaultClock, StateInformationMiddleware>;

/// The counts of one process.
pub(crate) struct Limits {
    limiter: Limiter,
    per_minute: NonZeroU32,
    clock: DefaultClock,
    counted: AtomicU32,
}

impl Limits {
    /// So many requests a minute, in any rhythm.
    pub(crate) fn per_minute(per_minute: NonZeroU32) -> Self {
        let limiter = RateLimiter::keyed(Quota::per_minute(per_minute)).with_middleware();
        Self { limiter, per_minute, clock: DefaultClock::default(), counted: AtomicU32::new(0) }
    }

    /// What is left of the key's requests, or when to come again.
    fn count(&self, key: &Key) -> Result<u32, Duration> {
        if self.counted.fetch_add(1, Ordering::Relaxed) % FORGET_EVERY == FORGET_EVERY - 1 {
            self.limiter.retain_recent();
        }
        match self.limiter.check_key(key) {
            Ok(state) => Ok(state.remaining_burst_capacity()),
            Err(refused) => Err(refused.wait_time_from(self.clock.now())),
        }
    }
}

/// The layer.
pub(crate) async fn limit(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    let Some(limits) = shared.limits.clone() else { return next.run(request).await };
    let counted = limits.count(&key(&request));
    let limit = limits.per_minute.get();
    let (mut response, left) = match counted {
        Ok(left) => (next.run(request).await, left),
        Err(retry_after) => {
            let message = format!("That is more than {limit} requests a minute. Send fewer.");
            (ApiError::from(Error::TooMany { message, retry_after }).into_response(), 0)
        }
    };
    // A token comes back every 60/limit seconds; all are there again when the used ones have come back.
    let full_in = (u64::from(limit - left.min(limit)) * 60).div_ceil(u64::from(limit));
    for (name, value) in [
        (HeaderName::from_static("ratelimit-limit"), u64::from(limit)),
        (HeaderName::from_static("ratelimit-remaining"), u64::from(left)),
        (HeaderName::from_static("ratelimit-reset"), full_in),
    ] {
        response.headers_mut().insert(name, HeaderValue::from(value));
    }
    response
}

/// By whom a request is counted. A made-up credential gains nothing: those are counted by address elsewhere.
fn key(request: &Request) -> Key {
    match credential(request.headers()) {
        Some(credential) => credentials::hash(credential),
        None => request.extensions().get::<Peer>().map_or_else(Vec::new, |peer| peer.0.ip().to_string().into_bytes()),
    }
}

fn credential(headers: &HeaderMap) -> Option<&str> {
    let token = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    token.or_else(|| cookies::value(headers, cookies::SESSION))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_client_has_its_own_count() {
        let limits = Limits::per_minute(NonZeroU32::new(3).expect("is not 0"));
        let (one, other) = (b"one".to_vec(), b"other".to_vec());
        assert_eq!([limits.count(&one), limits.count(&one), limits.count(&one)], [Ok(2), Ok(1), Ok(0)]);
        let wait = limits.count(&one).expect_err("is too much");
        assert!(wait > Duration::from_secs(15) && wait <= Duration::from_secs(20), "{wait:?}");
        assert_eq!(limits.count(&other), Ok(2));
    }
}

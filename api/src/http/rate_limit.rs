//! How many requests may come, counted in this process: per account once its credential has proved good here, per address
//! otherwise, and per address altogether. Every answer says what is left (`RateLimit-*`), a refusal when to come again
//! (`Retry-After`).

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use governor::clock::{Clock as _, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::keyed::DefaultKeyedStateStore;
use governor::{Quota, RateLimiter};
use skypanel_core::Error;
use skypanel_core::credentials;
use skypanel_core::model::UserId;

use crate::error::ApiError;
use crate::http::client::Client;
use crate::http::{Shared, caller};

/// Requests after which clients that have been quiet are forgotten.
const FORGET_EVERY: u32 = 10_000;
/// How many times as much as one client may come from one address: many people share some of those.
const CLIENTS_OF_AN_ADDRESS: NonZeroU32 = NonZeroU32::MIN.saturating_add(9);
/// Most credentials that are remembered as good ones.
const MOST_KNOWN: usize = 10_000;

type Limiter<K> = RateLimiter<K, DefaultKeyedStateStore<K>, DefaultClock, StateInformationMiddleware>;

/// By whom a request is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Who {
    Account(UserId),
    Network(Option<IpAddr>),
}

/// What a request too many came up against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct TooMany {
    per_minute: NonZeroU32,
    retry_after: Duration,
}

/// How many may come from one address, whoever sends them.
fn altogether(per_minute: NonZeroU32) -> NonZeroU32 {
    per_minute.saturating_mul(CLIENTS_OF_AN_ADDRESS)
}

/// The counts of one process.
pub(crate) struct Limits {
    clients: Limiter<Who>,
    networks: Limiter<Who>,
    per_minute: NonZeroU32,
    clock: DefaultClock,
    counted: AtomicU32,
    /// Whose the credentials are that were good at their last use, by their hashes.
    known: Mutex<HashMap<Vec<u8>, UserId>>,
}

impl Limits {
    /// So many requests of a client a minute, in any rhythm.
    pub(crate) fn per_minute(per_minute: NonZeroU32) -> Self {
        Self {
            clients: RateLimiter::keyed(Quota::per_minute(per_minute)).with_middleware(),
            networks: RateLimiter::keyed(Quota::per_minute(altogether(per_minute))).with_middleware(),
            per_minute,
            clock: DefaultClock::default(),
            counted: AtomicU32::new(0),
            known: Mutex::default(),
        }
    }

    /// Notes that a credential is a user's: from now on its requests are that user's, wherever they come from.
    pub(crate) fn learn(&self, credential: &str, user: UserId) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST_KNOWN {
            known.clear();
        }
        known.insert(credentials::hash(credential), user);
    }

    /// Notes that a credential is good no more.
    pub(crate) fn unlearn(&self, credential: &str) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).remove(&credentials::hash(credential));
    }

    /// What is left of the client's requests, or what they came up against. A credential that nobody has seen to be good is
    /// none: whoever makes up a new one for each request gains nothing by it.
    fn count(&self, credential: Option<&str>, address: Option<IpAddr>) -> Result<u32, TooMany> {
        if self.counted.fetch_add(1, Ordering::Relaxed) % FORGET_EVERY == FORGET_EVERY - 1 {
            self.clients.retain_recent();
            self.networks.retain_recent();
        }
        let network = Who::Network(address.map(network));
        let account = credential.and_then(|credential| {
            self.known.lock().unwrap_or_else(PoisonError::into_inner).get(&credentials::hash(credential)).copied()
        });
        let left = self.check(&self.clients, account.map_or(network, Who::Account), self.per_minute)?;
        self.check(&self.networks, network, altogether(self.per_minute))?;
        Ok(left)
    }

    fn check(&self, limiter: &Limiter<Who>, who: Who, per_minute: NonZeroU32) -> Result<u32, TooMany> {
        match limiter.check_key(&who) {
            Ok(state) => Ok(state.remaining_burst_capacity()),
            Err(refused) => Err(TooMany { per_minute, retry_after: refused.wait_time_from(self.clock.now()) }),
        }
    }
}

/// What one client can be told by: a subscriber has a /64 of IPv6 at least.
pub(crate) fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) & !u128::from(u64::MAX)).into()),
        v4 @ IpAddr::V4(_) => v4,
    }
}

/// The layer.
pub(crate) async fn limit(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    let Some(limits) = shared.limits.clone() else { return next.run(request).await };
    let address = request.extensions().get::<Client>().map(|client| client.0);
    let counted = limits.count(caller::credential(request.headers(), &shared), address);
    let (mut response, left, limit) = match counted {
        Ok(left) => (next.run(request).await, left, limits.per_minute.get()),
        Err(TooMany { per_minute, retry_after }) => {
            let message = format!("That is more than {per_minute} requests a minute. Send fewer.");
            (ApiError::from(Error::TooMany { message, retry_after }).into_response(), 0, per_minute.get())
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

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> Limits {
        Limits::per_minute(NonZeroU32::new(3).expect("is not 0"))
    }

    #[test]
    fn each_address_has_its_own_count_whatever_credentials_it_makes_up() {
        let limits = limits();
        let (one, other) = (Some([192, 0, 2, 7].into()), Some([192, 0, 2, 8].into()));
        let counts = ["a", "b", "c"].map(|made_up| limits.count(Some(made_up), one));
        assert_eq!(counts, [Ok(2), Ok(1), Ok(0)]);
        let wait = limits.count(Some("d"), one).expect_err("is too much").retry_after;
        assert!(wait > Duration::from_secs(15) && wait <= Duration::from_secs(20), "{wait:?}");
        assert_eq!(limits.count(None, other), Ok(2));
    }

    #[test]
    fn an_account_has_one_count_for_all_its_credentials_and_addresses() {
        let limits = limits();
        let address = |last| Some(IpAddr::from([192, 0, 2, last]));
        let (ada, bob) = (UserId::new(), UserId::new());
        for (credential, user) in [("laptop", ada), ("server", ada), ("bob's", bob)] {
            limits.learn(credential, user);
        }
        assert_eq!(
            [limits.count(Some("laptop"), address(1)), limits.count(Some("server"), address(2))],
            [Ok(2), Ok(1)]
        );
        assert_eq!(limits.count(Some("laptop"), address(3)), Ok(0));
        assert!(limits.count(Some("server"), address(4)).is_err());
        assert_eq!(limits.count(Some("bob's"), address(1)), Ok(2));
        limits.unlearn("bob's");
        assert_eq!(limits.count(Some("bob's"), address(9)), Ok(2), "by its address again");
    }

    #[test]
    fn an_address_ends_somewhere_however_many_accounts_come_from_it() {
        let limits = limits();
        let address = Some([192, 0, 2, 7].into());
        let mut taken = 0;
        for number in 0..20 {
            let credential = number.to_string();
            limits.learn(&credential, UserId::new());
            taken += (0..3).filter(|_| limits.count(Some(&credential), address).is_ok()).count();
        }
        assert_eq!(taken, 30);
        limits.learn("one more", UserId::new());
        let refused = limits.count(Some("one more"), address).expect_err("is too much");
        assert_eq!(refused.per_minute.get(), 30, "the limit of the address is the one that is told");
    }

    #[test]
    fn addresses_of_one_subscriber_are_one() {
        let of = |text: &str| network(text.parse().expect("is an address"));
        assert_eq!(of("2001:db8:1:2:3:4:5:6"), of("2001:db8:1:2::1"));
        assert_ne!(of("2001:db8:1:3::1"), of("2001:db8:1:2::1"));
    }
}

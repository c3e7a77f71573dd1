//! How much of what takes long may be under way at a time in one process: altogether, for one account, from one address.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use skypanel_core::model::UserId;
use skypanel_core::{Error, Result};

use crate::http::rate_limit;

/// When to try again once there are too many.
const RETRY_AFTER: Duration = Duration::from_secs(10);

/// What is under way of one kind.
#[derive(Debug)]
pub(crate) struct Places {
    most: usize,
    most_of_account: usize,
    most_of_address: usize,
    refusal: &'static str,
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    all: usize,
    accounts: HashMap<UserId, usize>,
    addresses: HashMap<Option<IpAddr>, usize>,
}

impl Places {
    /// For live streams. The rest of the connections is for everything else.
    pub(crate) fn for_streams() -> Arc<Self> {
        Self::new((384, 32, 128), "You follow too many logs at a time. Close some of them.")
    }

    /// For uploads, each of which takes space on the disk before it is known what is in it.
    pub(crate) fn for_uploads() -> Arc<Self> {
        Self::new((8, 2, 4), "Too many archives are being uploaded at the moment. Wait for one to end.")
    }

    fn new((most, most_of_account, most_of_address): (usize, usize, usize), refusal: &'static str) -> Arc<Self> {
        Arc::new(Self { most, most_of_account, most_of_address, refusal, counts: Mutex::default() })
    }

    /// A place, unless there are too many.
    pub(crate) fn take(self: &Arc<Self>, account: UserId, address: Option<IpAddr>) -> Result<Place> {
        let address = address.map(rate_limit::network);
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let of_account = counts.accounts.get(&account).copied().unwrap_or(0);
        let of_address = counts.addresses.get(&address).copied().unwrap_or(0);
        if counts.all >= self.most || of_account >= self.most_of_account || of_address >= self.most_of_address {
            return Err(Error::TooMany { message: self.refusal.to_owned(), retry_after: RETRY_AFTER });
        }
        counts.all += 1;
        counts.accounts.insert(account, of_account + 1);
        counts.addresses.insert(address, of_address + 1);
        Ok(Place { of: self.clone(), account, address })
    }
}

/// A place that was taken; free again when this is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    of: Arc<Places>,
    account: UserId,
    address: Option<IpAddr>,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.of.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.all -= 1;
        less(&mut counts.accounts, self.account);
        less(&mut counts.addresses, self.address);
    }
}

fn less<K: Eq + Hash>(counts: &mut HashMap<K, usize>, key: K) {
    if let Entry::Occupied(mut entry) = counts.entry(key) {
        *entry.get_mut() -= 1;
        if *entry.get() == 0 {
            entry.remove();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_account_leaves_places_for_others_and_gives_its_own_back() {
        let places = Places::for_streams();
        let (ada, bob) = (UserId::new(), UserId::new());
        let address = |last| Some(IpAddr::from([192, 0, 2, last]));
        let mut taken: Vec<Place> = (0..32).map(|_| places.take(ada, address(1)).expect("is one of some")).collect();
        assert!(matches!(places.take(ada, address(2)), Err(Error::TooMany { .. })));
        drop(places.take(bob, address(1)).expect("is another's"));
        taken.pop();
        drop(places.take(ada, address(2)).expect("has a place again"));
        while taken.len() < 128 {
            taken.push(places.take(UserId::new(), address(1)).expect("is one of some"));
        }
        assert!(places.take(bob, address(1)).is_err(), "the address has enough");
        drop(places.take(bob, address(2)).expect("comes from elsewhere"));
        drop(taken);
        let counts = places.counts.lock().expect("is whole");
        assert!(counts.all == 0 && counts.accounts.is_empty() && counts.addresses.is_empty(), "{counts:?}");
    }
}

//! The connections of a listener: how many there are, and how many of them one address may have.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use skypanel_core::network::Networks;

use crate::http::rate_limit::network;

/// Most connections of one listener.
const MOST: usize = 512;
/// As many of them are for this machine alone: its checks of our health, and the edge.
const KEPT: usize = 32;
/// Most connections from one address, unless it is this machine or a trusted proxy, behind which there are many.
const MOST_OF_ADDRESS: usize = 128;

/// The connections that are open.
#[derive(Clone, Debug)]
pub(crate) struct Connections {
    trusted: Networks,
    counts: Arc<Mutex<Counts>>,
}

#[derive(Debug, Default)]
struct Counts {
    all: usize,
    addresses: HashMap<IpAddr, usize>,
}

impl Connections {
    pub(crate) fn new(trusted: Networks) -> Self {
        Self { trusted, counts: Arc::default() }
    }

    /// A place for a connection from `peer`, unless there are too many.
    pub(crate) fn open(&self, peer: IpAddr) -> Option<Connection> {
        let peer = peer.to_canonical();
        let most = if peer.is_loopback() { MOST } else { MOST - KEPT };
        let address = (!peer.is_loopback() && !self.trusted.contains(peer)).then(|| network(peer));
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.all >= most {
            return None;
        }
        if let Some(address) = address {
            let of_address = counts.addresses.entry(address).or_default();
            if *of_address >= MOST_OF_ADDRESS {
                return None;
            }
            *of_address += 1;
        }
        counts.all += 1;
        Some(Connection { address, counts: self.counts.clone() })
    }
}

/// The place of one connection; free again when this is dropped.
#[derive(Debug)]
pub(crate) struct Connection {
    address: Option<IpAddr>,
    counts: Arc<Mutex<Counts>>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.all -= 1;
        let Some(address) = self.address else { return };
        let left = counts.addresses.get(&address).map_or(0, |open| open - 1);
        if left == 0 {
            counts.addresses.remove(&address)
        } else {
            counts.addresses.insert(address, left)
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().expect("is an address")
    }

    #[test]
    fn one_address_leaves_places_for_others() {
        let connections = Connections::new("10.0.0.1".parse().expect("is a network"));
        let mut open: Vec<Connection> =
            (0..MOST_OF_ADDRESS).map(|_| connections.open(address("192.0.2.7")).expect("has a place")).collect();
        assert!(connections.open(address("192.0.2.7")).is_none());
        assert!(connections.open(address("::ffff:192.0.2.7")).is_none(), "is the same");
        open.pop();
        open.push(connections.open(address("192.0.2.7")).expect("has a place again"));
        open.extend((0..200).map(|_| connections.open(address("10.0.0.1")).expect("is a proxy of ours")));
        drop(open);
        let counts = connections.counts.lock().expect("is whole");
        assert!(counts.all == 0 && counts.addresses.is_empty(), "{counts:?}");
    }

    #[test]
    fn this_machine_gets_in_when_the_rest_is_full() {
        let connections = Connections::new(Networks::all());
        let open: Vec<Connection> =
            (0..MOST - KEPT).map(|_| connections.open(address("192.0.2.7")).expect("has a place")).collect();
        assert!(connections.open(address("192.0.2.8")).is_none());
        let ours: Vec<Connection> =
            (0..KEPT).map(|_| connections.open(address("127.0.0.1")).expect("is kept for us")).collect();
        assert!(connections.open(address("127.0.0.1")).is_none());
        drop((open, ours));
    }
}

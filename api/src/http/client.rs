//! Where a request comes from: the address of its connection, or what trusted proxies say of the one behind them.

use std::net::{IpAddr, SocketAddr};

use axum::http::HeaderMap;
use skypanel_core::network::Networks;

/// The address of whoever sent a request; put into every request before anything looks at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Client(pub(crate) IpAddr);

impl Client {
    /// Every proxy adds the address that it was called from at the end of `X-Forwarded-For`. From the end on, an address
    /// is believed for as long as it was written by a proxy of `trusted`; whatever stands before that, anybody may have
    /// written.
    pub(crate) fn of(headers: &HeaderMap, peer: SocketAddr, trusted: &Networks) -> Self {
        let lines = headers.get_all("x-forwarded-for");
        let hops: Vec<&str> =
            lines.iter().flat_map(|line| line.to_str().unwrap_or("unreadable").split(',')).map(str::trim).collect();
        let mut address = peer.ip().to_canonical();
        for hop in hops.into_iter().rev() {
            if !trusted.contains(address) {
                break;
            }
            let Some(before) = address_of(hop) else { break };
            address = before;
        }
        Self(address)
    }
}

/// Some proxies write the port, too.
fn address_of(hop: &str) -> Option<IpAddr> {
    let address = hop.parse().ok().or_else(|| hop.parse::<SocketAddr>().ok().map(|address| address.ip()))?;
    Some(IpAddr::to_canonical(&address))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn client(peer: &str, lines: &[&'static str], trusted: &str) -> String {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append("x-forwarded-for", HeaderValue::from_static(line));
        }
        let peer = SocketAddr::new(peer.parse().expect("is an address"), 4711);
        Client::of(&headers, peer, &trusted.parse().expect("are networks")).0.to_string()
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        let hops = &["203.0.113.9, 198.51.100.7", "10.0.0.2"];
        assert_eq!(client("10.0.0.1", hops, ""), "10.0.0.1");
        assert_eq!(client("127.0.0.1", hops, "10.0.0.0/8"), "127.0.0.1", "loopback is no exception");
        assert_eq!(client("10.0.0.1", hops, "10.0.0.0/8"), "198.51.100.7", "the last that a proxy of ours saw");
        assert_eq!(client("10.0.0.1", hops, "10.0.0.1"), "10.0.0.2");
        assert_eq!(client("::ffff:10.0.0.1", hops, "10.0.0.0/8"), "198.51.100.7");
        assert_eq!(client("10.0.0.1", &[], "10.0.0.0/8"), "10.0.0.1");
        assert_eq!(client("10.0.0.1", &["198.51.100.7, unknown"], "10.0.0.0/8"), "10.0.0.1");
        assert_eq!(client("10.0.0.1", &["[2001:db8::7]:443"], "10.0.0.0/8"), "2001:db8::7");
    }
}

//! The way to hosts that users name: which of their addresses may be connected to, and a small HTTP client that
//! connects to nothing else.
//!
//! A name is resolved once; what was checked is what is connected to, so a name that points elsewhere a moment later
//! gains nothing.

mod http;
mod ranges;

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::net::TcpStream;
use tokio::time::timeout;

pub use http::{Connection, HttpAnswer, HttpClient, HttpRequest, Stream};

use crate::{Error, Result};

/// Longest a name may take to resolve.
const RESOLVE_TIME: Duration = Duration::from_secs(8);
/// Longest a connection to one address may take to open.
const CONNECT_TIME: Duration = Duration::from_secs(6);
/// Most addresses of a name that are tried.
const MAX_ADDRESSES: usize = 8;

/// A range of addresses, written `192.168.0.0/16` or as a single address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    first: u128,
    mask: u128,
    v6: bool,
}

impl Network {
    /// Whether the address lies in it.
    pub fn contains(&self, address: IpAddr) -> bool {
        let (bits, v6) = bits(address);
        v6 == self.v6 && bits & self.mask == self.first
    }
}

fn bits(address: IpAddr) -> (u128, bool) {
    match address {
        IpAddr::V4(v4) => (u128::from(u32::from(v4)), false),
        IpAddr::V6(v6) => (u128::from(v6), true),
    }
}

impl FromStr for Network {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let wrong = || {
            Error::Invalid(format!(
                "{text:?} is no range of addresses. Write it as 192.168.0.0/16, fd00::/8 or a single address."
            ))
        };
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        let (first, v6) = bits(address.parse().map_err(|_| wrong())?);
        let most: u32 = if v6 { 128 } else { 32 };
        let length = match length {
            Some(length) => length.parse().ok().filter(|length| *length <= most).ok_or_else(wrong)?,
            None => most,
        };
        let all = if v6 { u128::MAX } else { u128::from(u32::MAX) };
        let mask = all & all.checked_shl(most - length).unwrap_or(0);
        if first & mask == first { Ok(Self { first, mask, v6 }) } else { Err(wrong()) }
    }
}

/// Ranges of addresses, separated by commas or spaces; as a setting has them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Networks {
    ranges: Vec<Network>,
    text: String,
}

impl Networks {
    /// All there are.
    pub fn all() -> Self {
        let every = |v6| Network { first: 0, mask: 0, v6 };
        Self { ranges: vec![every(false), every(true)], text: "0.0.0.0/0, ::/0".to_owned() }
    }

    /// Whether the address lies in one of them.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.ranges.iter().any(|network| network.contains(address))
    }
}

impl FromStr for Networks {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let parts: Vec<&str> = text.split([',', ' ']).filter(|part| !part.is_empty()).collect();
        let ranges = parts.iter().map(|part| part.parse()).collect::<Result<_>>()?;
        Ok(Self { ranges, text: parts.join(", ") })
    }
}

impl fmt::Display for Networks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Looks host names up.
#[async_trait]
pub trait Resolve: Send + Sync + 'static {
    /// All addresses of a name; that of an address is itself.
    async fn resolve(&self, host: &str) -> std::io::Result<Vec<IpAddr>>;
}

/// The host's own resolver.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemResolver;

#[async_trait]
impl Resolve for SystemResolver {
    async fn resolve(&self, host: &str) -> std::io::Result<Vec<IpAddr>> {
        Ok(tokio::net::lookup_host((host, 0)).await?.map(|address| address.ip()).collect())
    }
}

/// Why a host cannot be talked to.
#[derive(Debug, thiserror::Error)]
pub enum Unreachable {
    /// The name has no address, or cannot be looked up.
    #[error("The host {host} cannot be found: {reason}. Check its name.")]
    Unknown {
        /// The name.
        host: String,
        /// What the resolver said.
        reason: String,
    },
    /// The name leads to an address that is not on the public Internet.
    #[error(
        "The host {host} has the address {address}, which is {kind}. Only hosts on the public Internet are connected to; \
         an admin can allow others with the setting network.allowed."
    )]
    Refused {
        /// The name.
        host: String,
        /// The address.
        address: IpAddr,
        /// What kind of address that is.
        kind: &'static str,
    },
    /// Nothing answers there.
    #[error("The host {host} does not answer on port {port}: {reason}.")]
    Silent {
        /// The name.
        host: String,
        /// The port.
        port: u16,
        /// What went wrong with the address tried last.
        reason: String,
    },
}

/// Decides which addresses may be connected to. Cheap to clone.
#[derive(Clone)]
pub struct Guard {
    resolver: Arc<dyn Resolve>,
    allowed: Networks,
}

impl Guard {
    /// Allows the public Internet and the networks of `allowed`.
    pub fn new(resolver: Arc<dyn Resolve>, allowed: Networks) -> Self {
        Self { resolver, allowed }
    }

    /// The addresses of a host, all of which may be connected to.
    pub async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, Unreachable> {
        let unknown = |reason: &str| Unreachable::Unknown { host: host.to_owned(), reason: reason.to_owned() };
        let found = match host.parse() {
            Ok(address) => vec![address],
            Err(_) => match timeout(RESOLVE_TIME, self.resolver.resolve(host)).await {
                Ok(Ok(found)) => found,
                Ok(Err(_)) => return Err(unknown("no name server knows it")),
                Err(_) => return Err(unknown("the name servers do not answer")),
            },
        };
        let mut addresses: Vec<IpAddr> = Vec::new();
        for address in found {
            // One bad address is enough: a name that mixes them wants to be tried until the bad one is taken.
            if let Some(kind) = self.refusal(address) {
                return Err(Unreachable::Refused { host: host.to_owned(), address, kind });
            }
            if !addresses.contains(&address) && addresses.len() < MAX_ADDRESSES {
                addresses.push(address);
            }
        }
        if addresses.is_empty() { Err(unknown("it has no address")) } else { Ok(addresses) }
    }

    /// Why an address may not be connected to, if so.
    fn refusal(&self, address: IpAddr) -> Option<&'static str> {
        let address = ranges::embedded(address);
        if self.allowed.contains(address) { None } else { ranges::special(address) }
    }

    /// Opens a connection to the first address of a host that answers.
    pub async fn connect(&self, host: &str, port: u16) -> Result<TcpStream, Unreachable> {
        let mut reason = String::new();
        for address in self.addresses(host).await? {
            match timeout(CONNECT_TIME, TcpStream::connect(SocketAddr::new(address, port))).await {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(error)) => reason = error.to_string(),
                Err(_) => "it takes too long".clone_into(&mut reason),
            }
        }
        Err(Unreachable::Silent { host: host.to_owned(), port, reason })
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").field("allowed", &self.allowed).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed(Vec<IpAddr>);

    #[async_trait]
    impl Resolve for Fixed {
        async fn resolve(&self, _: &str) -> std::io::Result<Vec<IpAddr>> {
            Ok(self.0.clone())
        }
    }

    fn guard(addresses: &[&str], allowed: &str) -> Guard {
        let addresses = addresses.iter().map(|address| address.parse().expect("is one")).collect();
        Guard::new(Arc::new(Fixed(addresses)), allowed.parse().expect("are networks"))
    }

    #[tokio::test]
    async fn names_that_lead_inside_are_refused_after_resolution() {
        for address in ["127.0.0.1", "10.1.2.3", "169.254.169.254", "::1", "::ffff:127.0.0.1", "fd00:ec2::254"] {
            let error = guard(&[address], "").addresses("git.example.com").await.expect_err(address).to_string();
            assert!(error.contains(address) && error.contains("network.allowed"), "{error}");
        }
        // One public address does not help.
        assert!(guard(&["93.184.216.34", "127.0.0.1"], "").addresses("git.example.com").await.is_err());
        let addresses = guard(&["93.184.216.34", "2606:2800::1"], "").addresses("git.example.com").await;
        assert_eq!(addresses.expect("are public").len(), 2);
    }

    #[tokio::test]
    async fn an_admin_can_allow_networks() {
        let guard = guard(&["10.1.2.3"], "10.1.0.0/16, fd00::/8");
        assert!(guard.addresses("git.example.com").await.is_ok());
        assert!(guard.addresses("10.1.255.255").await.is_ok());
        assert!(guard.addresses("::ffff:10.1.0.1").await.is_ok());
        assert!(guard.addresses("fd12::1").await.is_ok());
        assert!(guard.addresses("10.2.0.0").await.is_err());
    }

    #[test]
    fn networks_are_written_as_ranges() {
        let all: Network = "0.0.0.0/0".parse().expect("is one");
        assert!(all.contains("8.8.8.8".parse().expect("is one")) && !all.contains("::1".parse().expect("is one")));
        let one: Network = "192.0.2.7".parse().expect("is one");
        assert!(
            one.contains("192.0.2.7".parse().expect("is one")) && !one.contains("192.0.2.8".parse().expect("is one"))
        );
        for wrong in ["10.0.0.1/8", "10.0.0.0/33", "10/8", "x", "::/129", "10.0.0.0/-1", "fd00::1/8"] {
            assert!(wrong.parse::<Network>().is_err(), "{wrong}");
        }
        assert_eq!(" , ".parse::<Networks>().expect("is empty"), Networks::default());
    }
}

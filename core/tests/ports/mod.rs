//! Ports for the servers that tests start. None of those that the system gives to outgoing connections: one of them
//! could take the port after it was found free, or while its server restarts.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::sync::atomic::{AtomicU32, Ordering};

/// How many a test may ask for before it comes to those of the test that runs beside it.
const APART: u32 = 97;

static NEXT: AtomicU32 = AtomicU32::new(0);

/// A port that nobody listens at, over TCP or UDP, on any address of this host. None is given twice within a process,
/// and processes that run at the same time look in different places.
pub(crate) fn free_port() -> u16 {
    let begin = std::process::id().wrapping_mul(APART);
    std::iter::repeat_with(|| begin.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % 10_000)
        .map(|offset| 10_000 + u16::try_from(offset).expect("is below 10,000"))
        .take(1_000)
        .find(|&port| {
            let any = SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
            TcpListener::bind(any).is_ok() && UdpSocket::bind(any).is_ok()
        })
        .expect("there are free ports")
}

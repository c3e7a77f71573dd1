//! Ports for the servers that tests start. None of those that the system gives to outgoing connections: one of them
//! could take the port after it was found free, or while its server restarts.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};

/// A port that nobody listens at, over TCP or UDP, on any address of this host.
pub(crate) fn free_port() -> u16 {
    std::iter::repeat_with(|| 10_000 + (uuid::Uuid::new_v4().as_fields().1 % 10_000))
        .take(1_000)
        .find(|&port| {
            let any = SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
            TcpListener::bind(any).is_ok() && UdpSocket::bind(any).is_ok()
        })
        .expect("there are free ports")
}

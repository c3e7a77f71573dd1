//! Accepts connections within the limits, and ends everything in order when Skypanel stops.

use std::borrow::Cow;
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use russh::keys::{Algorithm, EcdsaCurve, HashAlg, PrivateKey};
use russh::server::Config;
use russh::{MethodKind, MethodSet, Preferred, SshId, cipher, compression, kex, mac};
use skypanel_core::Result;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::{Limits, Shared, connection, host_key};

/// How often the host key is told.
const TELL_EVERY: Duration = Duration::from_hours(1);
/// A client that answers nothing for this long three times over is gone.
const KEEPALIVE: Duration = Duration::from_secs(20);
/// Window of a channel in bytes: enough that a push over a long, fast line is never held up by it.
const WINDOW: u32 = 16 << 20;
/// Largest packet the library takes.
const PACKET: u32 = 65_535;
/// Pause after a failed accept, which is nearly always a lack of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Key exchanges: hybrid with ML-KEM first, then Curve25519; with strict ordering against prefix truncation.
const KEX: &[kex::Name] = &[
    kex::MLKEM768X25519_SHA256,
    kex::CURVE25519,
    kex::CURVE25519_PRE_RFC_8731,
    kex::EXTENSION_SUPPORT_AS_SERVER,
    kex::EXTENSION_OPENSSH_STRICT_KEX_AS_SERVER,
];

/// Signatures taken from clients. The host key is Ed25519 alone.
const SIGNATURES: &[Algorithm] = &[
    Algorithm::Ed25519,
    Algorithm::SkEd25519,
    Algorithm::Ecdsa { curve: EcdsaCurve::NistP256 },
    Algorithm::Ecdsa { curve: EcdsaCurve::NistP384 },
    Algorithm::Ecdsa { curve: EcdsaCurve::NistP521 },
    Algorithm::SkEcdsaSha2NistP256,
    Algorithm::Rsa { hash: Some(HashAlg::Sha512) },
    Algorithm::Rsa { hash: Some(HashAlg::Sha256) },
];

/// AES-GCM runs in the processor and is several times as fast as the others. A client's order decides in SSH
/// and OpenSSH's begins with ChaCha20, so that is offered only where AES is slow.
const CIPHERS_WITH_AES: &[cipher::Name] = &[cipher::AES_256_GCM, cipher::AES_128_GCM];
const CIPHERS_WITHOUT_AES: &[cipher::Name] = &[cipher::CHACHA20_POLY1305, cipher::AES_256_GCM, cipher::AES_128_GCM];

/// Of no effect with the ciphers above, which authenticate by themselves, but the protocol wants a choice.
const MACS: &[mac::Name] = &[mac::HMAC_SHA256_ETM, mac::HMAC_SHA512_ETM];

/// Accepts until `cancel`.
pub(crate) async fn run(
    shared: Arc<Shared>,
    listener: TcpListener,
    host_key: PrivateKey,
    cancel: CancellationToken,
) -> Result<()> {
    let connections = TaskTracker::new();
    connections.spawn(keep_house(Arc::clone(&shared), host_key::public_line(&host_key)));
    let config = Arc::new(configuration(&shared.limits, host_key));
    let doors = Arc::new(Doors::default());
    loop {
        tokio::select! {
            () = cancel.cancelled() => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => match doors.enter(peer.ip(), &shared.limits) {
                    Ok(place) => {
                        connections.spawn(connection::serve(Arc::clone(&shared), Arc::clone(&config), stream, peer, place));
                    }
                    Err(reason) => turn_away(&stream, peer, reason),
                },
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
    drop(listener);
    shared.stopping.cancel();
    shared.pushes.close();
    connections.close();
    let ended = async {
        shared.pushes.wait().await;
        connections.wait().await;
    };
    // Each ends by itself within the shutdown time; the rest is for telling clients.
    if tokio::time::timeout(shared.limits.shutdown_time + Duration::from_secs(5), ended).await.is_err() {
        tracing::warn!("some connections did not end in time");
    }
    Ok(())
}

/// Tells the host key and removes the repositories of apps that are gone, until Skypanel stops. Apps are destroyed by
/// workers, which may be on other machines, so it looks by itself.
async fn keep_house(shared: Arc<Shared>, host_key: String) {
    let store = &shared.actions.store;
    let mut tell = tokio::time::interval(TELL_EVERY);
    let mut collect = tokio::time::interval(shared.limits.collect_time);
    collect.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = shared.stopping.cancelled() => return,
            _ = tell.tick() => if let Err(error) = store.note_host_key(&host_key, shared.actions.clock.now()).await {
                tracing::warn!(%error, "clients cannot be told the SSH host key");
            },
            _ = collect.tick() => shared.repositories.collect(store).await,
        }
    }
}

fn configuration(limits: &Limits, host_key: PrivateKey) -> Config {
    let ciphers = if aes_in_hardware() { CIPHERS_WITH_AES } else { CIPHERS_WITHOUT_AES };
    Config {
        server_id: SshId::Standard(Cow::Borrowed(concat!("SSH-2.0-Skypanel_", env!("CARGO_PKG_VERSION")))),
        // A password is an API token. The third is there to tell strangers what to do; it lets nobody in.
        methods: MethodSet::from(
            [MethodKind::PublicKey, MethodKind::Password, MethodKind::KeyboardInteractive].as_slice(),
        ),
        // Neither a key nor a token can be guessed: there is nothing that a pause would hide or slow down.
        auth_rejection_time: Duration::ZERO,
        auth_rejection_time_initial: Some(Duration::ZERO),
        keys: vec![host_key],
        window_size: WINDOW,
        maximum_packet_size: PACKET,
        channel_buffer_size: 64,
        event_buffer_size: 32,
        preferred: Preferred {
            kex: Cow::Borrowed(KEX),
            key: Cow::Borrowed(SIGNATURES),
            cipher: Cow::Borrowed(ciphers),
            mac: Cow::Borrowed(MACS),
            compression: Cow::Borrowed(&[compression::NONE]),
            ..Preferred::DEFAULT
        },
        max_auth_attempts: limits.auth_tries,
        inactivity_timeout: Some(KEEPALIVE * 6),
        keepalive_interval: Some(KEEPALIVE),
        keepalive_max: 3,
        nodelay: true,
        ..Config::default()
    }
}

/// Whether the processor has instructions for AES and for GCM's multiplication.
fn aes_in_hardware() -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        std::arch::is_x86_feature_detected!("aes") && std::arch::is_x86_feature_detected!("pclmulqdq")
    }
    #[cfg(target_arch = "aarch64")]
    {
        std::arch::is_aarch64_feature_detected!("aes") && std::arch::is_aarch64_feature_detected!("pmull")
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    {
        false
    }
}

/// A line before the version exchange is legal (RFC 4253 §4.2) and shown by clients that are asked to be loud.
fn turn_away(stream: &TcpStream, peer: SocketAddr, reason: &str) {
    tracing::warn!(%peer, reason, "a connection was turned away");
    let _ = stream.try_write(format!("Skypanel: {reason}. Try again in a minute.\r\n").as_bytes());
}

/// Counts who is in, for the limits. Its lock is held for a few instructions only.
#[derive(Debug, Default)]
pub(crate) struct Doors(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    all: usize,
    unauthenticated: usize,
    by_address: HashMap<IpAddr, FromHere>,
}

/// Connections from one address.
#[derive(Debug, Default)]
struct FromHere {
    all: usize,
    unauthenticated: usize,
}

/// A place inside; given back when dropped.
#[derive(Debug)]
pub(crate) struct Place {
    doors: Arc<Doors>,
    address: IpAddr,
    authenticated: bool,
}

impl Doors {
    fn enter(self: &Arc<Self>, address: IpAddr, limits: &Limits) -> Result<Place, &'static str> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.all >= limits.connections {
            return Err("too many connections");
        }
        if counts.unauthenticated >= limits.unauthenticated {
            return Err("too many connections that have not authenticated");
        }
        let from_here = counts.by_address.entry(address).or_default();
        if from_here.all >= limits.connections_per_address {
            return Err("too many connections from your address");
        }
        // So that nobody alone takes all places of those who still have to authenticate.
        if from_here.unauthenticated >= limits.unauthenticated_per_address {
            return Err("too many connections from your address that have not authenticated");
        }
        from_here.all += 1;
        from_here.unauthenticated += 1;
        counts.all += 1;
        counts.unauthenticated += 1;
        Ok(Place { doors: Arc::clone(self), address, authenticated: false })
    }
}

impl Place {
    /// Notes that the one inside has authenticated.
    pub(crate) fn authenticated(&mut self) {
        if !std::mem::replace(&mut self.authenticated, true) {
            let mut counts = self.doors.0.lock().unwrap_or_else(PoisonError::into_inner);
            counts.unauthenticated -= 1;
            if let Some(from_here) = counts.by_address.get_mut(&self.address) {
                from_here.unauthenticated -= 1;
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.authenticated();
        let mut counts = self.doors.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.all -= 1;
        if let Some(from_here) = counts.by_address.get_mut(&self.address) {
            from_here.all -= 1;
            if from_here.all == 0 {
                counts.by_address.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> Limits {
        Limits { connections: 3, connections_per_address: 2, unauthenticated: 2, ..Limits::default() }
    }

    #[test]
    fn places_are_limited_and_given_back() {
        let doors = Arc::new(Doors::default());
        let (here, there) = (IpAddr::from([127, 0, 0, 1]), IpAddr::from([127, 0, 0, 2]));
        let mut first = doors.enter(here, &limits()).expect("free");
        let mut second = doors.enter(here, &limits()).expect("free");
        assert!(doors.enter(there, &limits()).is_err(), "two have not authenticated");
        first.authenticated();
        first.authenticated();
        second.authenticated();
        assert!(doors.enter(here, &limits()).is_err(), "two from one address");
        let third = doors.enter(there, &limits()).expect("free");
        assert!(doors.enter(IpAddr::from([127, 0, 0, 3]), &limits()).is_err(), "three in all");
        drop((first, second, third));
        {
            let counts = doors.0.lock().expect("not poisoned");
            assert_eq!((counts.all, counts.unauthenticated, counts.by_address.len()), (0, 0, 0));
        }
        let limits = Limits { unauthenticated_per_address: 1, ..limits() };
        let mut silent = doors.enter(here, &limits).expect("free");
        assert!(doors.enter(here, &limits).is_err(), "one from here has not authenticated");
        let other = doors.enter(there, &limits).expect("others are not kept out by it");
        silent.authenticated();
        drop(doors.enter(here, &limits).expect("free again"));
        drop((silent, other));
        let counts = doors.0.lock().expect("not poisoned");
        assert_eq!((counts.all, counts.unauthenticated, counts.by_address.len()), (0, 0, 0));
    }
}

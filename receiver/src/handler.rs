//! Turns the SSH library's callbacks into events for the connection's own loop. It answers at once what the
//! protocol wants answered at once, and holds nothing but what authentication needs.

use std::fmt::Write as _;
use std::net::IpAddr;
use std::sync::Arc;

use russh::keys::{Algorithm, PublicKey};
use russh::server::{Auth, ChannelOpenHandle, Handler, Msg, PublicKeyOffer, Response, Session, VerifiedPublicKey};
use russh::{Channel, ChannelId, MethodKind, MethodSet, Pty};
use skypanel_core::Error;
use skypanel_core::actions::Actor;
use skypanel_core::credentials::TOKEN_PREFIX;
use tokio::sync::mpsc;
use zeroize::Zeroizing;

use crate::client::Proof;
use crate::{Shared, keys};

/// What a connection's loop is told.
pub(crate) enum Event {
    /// The client proved who it is, and by what.
    Authenticated(Actor, Proof),
    /// A session channel was opened. Its requests and data come through it, in order.
    Channel(Channel<Msg>),
}

/// The callbacks of one connection.
pub(crate) struct Callbacks {
    shared: Arc<Shared>,
    events: mpsc::Sender<Event>,
    /// Where the client is.
    address: IpAddr,
    /// Who it proved to be, and by what; taken once authentication is over.
    proved: Option<(Actor, Proof)>,
    /// Fingerprints of keys that were offered and are nobody's.
    unknown: Vec<String>,
    /// Why an API token was refused.
    refusal: Option<String>,
    /// Set when a key could not be looked up.
    store_failed: bool,
}

impl Callbacks {
    pub(crate) fn new(shared: Arc<Shared>, events: mpsc::Sender<Event>, address: IpAddr) -> Self {
        Self { shared, events, address, proved: None, unknown: Vec::new(), refusal: None, store_failed: false }
    }

    /// What a client reads that none of whose keys is known: SSH has no better place for words than the
    /// instructions of a keyboard-interactive request, which this answers with no question at all.
    fn denial(&self) -> String {
        if self.store_failed {
            return " !     Skypanel's database did not answer, so your key or token could not be looked up. Try again in a minute.\n"
                .to_owned();
        }
        if let Some(refusal) = &self.refusal {
            return crate::output::error_lines(refusal);
        }
        let mut text = String::new();
        match self.unknown.as_slice() {
            [] => {
                text.push_str(" !     Your client offered no key that Skypanel accepts.\n");
                text.push_str(" !     Make one with: ssh-keygen -t ed25519\n");
            }
            [fingerprint] => {
                text.push_str(" !     Skypanel does not know your key:\n");
                let _ = writeln!(text, " !       {fingerprint}");
            }
            fingerprints => {
                text.push_str(" !     Skypanel knows none of your keys:\n");
                for fingerprint in fingerprints {
                    let _ = writeln!(text, " !       {fingerprint}");
                }
            }
        }
        text.push_str(" !     To register one, ask the operator to run on the server:\n");
        text.push_str(" !       skypanel admin key:add YOUR_KEY.pub --email YOUR@EMAIL\n");
        let _ = writeln!(
            text,
            " !     or, from where a key of yours is known: {} < YOUR_KEY.pub",
            self.shared.hint("keys:add")
        );
        text.push_str(" !     To go without a key, log in with the client, in a browser: skypanel login\n");
        text
    }

    fn only_keys() -> Auth {
        Auth::Reject {
            proceed_with_methods: Some(MethodSet::from([MethodKind::PublicKey].as_slice())),
            partial_success: false,
        }
    }
}

/// Signatures over SHA-1 are refused whoever's key it is.
fn is_modern(algorithm: &Algorithm) -> bool {
    !matches!(algorithm, Algorithm::Dsa | Algorithm::Rsa { hash: None })
}

impl Handler for Callbacks {
    type Error = russh::Error;

    async fn auth_publickey_offered(&mut self, _user: &str, offer: PublicKeyOffer<'_>) -> Result<Auth, Self::Error> {
        if !is_modern(offer.algorithm) {
            return Ok(Auth::reject());
        }
        let fingerprint = keys::fingerprint(offer.public_key);
        match self.shared.actions.store.knows_key(&fingerprint).await {
            Ok(true) => return Ok(Auth::Accept),
            Ok(false) if self.unknown.contains(&fingerprint) => {}
            Ok(false) => self.unknown.push(fingerprint),
            Err(error) => {
                tracing::error!(%error, "an offered key could not be looked up");
                self.store_failed = true;
            }
        }
        Ok(Auth::reject())
    }

    async fn auth_publickey(&mut self, _user: &str, key: VerifiedPublicKey<'_>) -> Result<Auth, Self::Error> {
        if !is_modern(key.algorithm) {
            return Ok(Auth::reject());
        }
        self.proved = self.identify(key.public_key).await;
        Ok(if self.proved.is_some() { Auth::Accept } else { Auth::reject() })
    }

    /// A password is an API token, or nothing.
    async fn auth_password(&mut self, _user: &str, password: &str) -> Result<Auth, Self::Error> {
        if password.starts_with(TOKEN_PREFIX) {
            let token = Zeroizing::new(password.to_owned());
            match self.shared.actions.by_token(&token, Some(self.address), None).await {
                Ok(actor) => {
                    self.proved = Some((actor, Proof::Token(token)));
                    return Ok(Auth::Accept);
                }
                Err(error @ (Error::Unauthenticated(_) | Error::TooMany { .. })) => {
                    self.refusal = Some(error.to_string());
                }
                Err(error) => {
                    tracing::error!(%error, "a token could not be looked up");
                    self.store_failed = true;
                }
            }
        } else if !password.is_empty() {
            // What bots try; not worth a query.
            self.refusal = Some("Passwords are not taken here, only keys and API tokens (skp_...).".to_owned());
        }
        // One try a connection. What is left says why it failed, to clients that ask.
        Ok(Auth::Reject {
            proceed_with_methods: Some(MethodSet::from(
                [MethodKind::PublicKey, MethodKind::KeyboardInteractive].as_slice(),
            )),
            partial_success: false,
        })
    }

    async fn auth_keyboard_interactive<'a>(
        &'a mut self,
        _user: &str,
        _submethods: &str,
        response: Option<Response<'a>>,
    ) -> Result<Auth, Self::Error> {
        Ok(match response {
            None => Auth::Partial { name: "".into(), instructions: self.denial().into(), prompts: vec![].into() },
            Some(_) => Self::only_keys(),
        })
    }

    async fn auth_succeeded(&mut self, _session: &mut Session) -> Result<(), Self::Error> {
        let (actor, proof) = self.proved.take().ok_or(russh::Error::Inconsistent)?;
        self.send(Event::Authenticated(actor, proof)).await
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        // Accepted first: what the channel's task sends must come after the confirmation.
        reply.accept().await;
        self.send(Event::Channel(channel)).await
    }

    async fn pty_request(
        &mut self,
        channel: ChannelId,
        _term: &str,
        _columns: u32,
        _rows: u32,
        _pixel_width: u32,
        _pixel_height: u32,
        _modes: &[(Pty, u32)],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        session.channel_success(channel)
    }

    async fn env_request(
        &mut self,
        channel: ChannelId,
        name: &str,
        _value: &str,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        if name == "GIT_PROTOCOL" { session.channel_success(channel) } else { session.channel_failure(channel) }
    }

    async fn shell_request(&mut self, channel: ChannelId, session: &mut Session) -> Result<(), Self::Error> {
        session.channel_success(channel)
    }

    async fn exec_request(
        &mut self,
        channel: ChannelId,
        _command: &[u8],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        session.channel_success(channel)
    }

    async fn subsystem_request(
        &mut self,
        channel: ChannelId,
        _name: &str,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        session.channel_failure(channel)
    }

    async fn x11_request(
        &mut self,
        channel: ChannelId,
        _single_connection: bool,
        _protocol: &str,
        _cookie: &str,
        _screen: u32,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        session.channel_failure(channel)
    }
}

impl Callbacks {
    async fn identify(&mut self, key: &PublicKey) -> Option<(Actor, Proof)> {
        let fingerprint = keys::fingerprint(key);
        match self.shared.actions.store.identify(&fingerprint).await {
            Ok(identity) => {
                identity.map(|identity| (Actor::ssh(identity, Some(self.address)), Proof::Key(fingerprint)))
            }
            Err(error) => {
                tracing::error!(%error, "a key could not be looked up");
                self.store_failed = true;
                None
            }
        }
    }

    async fn send(&self, event: Event) -> Result<(), russh::Error> {
        // The loop ends the connection by dropping its end.
        self.events.send(event).await.map_err(|_| russh::Error::Disconnect)
    }
}

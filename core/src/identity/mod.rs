//! How people prove who they are: passwords, one-time codes, the signed tokens of browser sessions. What is kept of
//! them is the store's; what may be done is the actions'.

pub(crate) mod one_time;
pub(crate) mod passwords;
mod session_tokens;
mod ssh_keys;

pub use session_tokens::SessionTokens;
pub use ssh_keys::parse_public_key;

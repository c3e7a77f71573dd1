//! Drives the built hook the way `git receive-pack` does, against a receiver on a real Unix socket.

mod failures;
mod frames;
mod request;
mod stand_in;

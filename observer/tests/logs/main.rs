//! The embedded store of logs against real files: what is appended is read again, whatever happens in between.

mod crash;
mod following;
mod model;
mod retention;
mod world;

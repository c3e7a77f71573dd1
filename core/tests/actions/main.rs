//! Actions on a real database, where they meet each other: suspensions, few connections, changes at the same time.

mod connections;
#[path = "../webhooks/console.rs"]
mod console;
mod crashes;
mod ends;
mod limits;
mod logs;
mod meanwhile;
mod operators;
mod releases;
#[path = "../support/mod.rs"]
mod support;
mod suspended;
mod turns;
mod world;

//! Actions on a real database, where they meet each other: suspensions, few connections, changes at the same time.

#[path = "../webhooks/console.rs"]
mod console;
mod suspended;
#[path = "../support/mod.rs"]
mod support;
mod world;

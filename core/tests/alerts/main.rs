//! Alerts from what is wrong to what is told of it, on a real database and to real listeners, with the clock in the
//! test's hands.

#[path = "../webhooks/console.rs"]
mod console;
mod course;
mod deliveries;
mod hook;
mod outside;
mod rules;
#[path = "../services/stand_ins.rs"]
mod stand_ins;
#[path = "../support/mod.rs"]
mod support;
mod targets;
mod watched;
#[expect(dead_code, reason = "these tests need fewer of the world's people and things")]
#[path = "../actions/world.rs"]
mod world;

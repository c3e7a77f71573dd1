//! Money against a real PostgreSQL: what ran becomes charges exactly and once, wallets are the sum of their ledger,
//! and empty ones stop what costs.

mod deletion;
mod histories;
mod history_model;
mod history_steps;
mod ledger;
mod metering;
mod plans;
mod scale;
mod settlement;
#[path = "../support/mod.rs"]
mod support;
mod suspension;
mod terms;
mod thousand;
mod usage;
mod world;

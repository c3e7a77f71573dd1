//! What runs, seen: the agent's collectors of logs and measurements on each node, the stores that keep them, and the
//! ways to Loki and Prometheus. Transports read through the traits of `skypanel_core::logs` and
//! `skypanel_core::measurements`; the binary hands the implementations in.

pub mod logs;
pub mod metrics;

//! End-to-end tests against a running Skypanel; `infra/dev/e2e` starts one and runs them. A module is a theme, a
//! test's name says what it proves. What ends Skypanel or changes its settings is in `infra`, `limits`, `metrics`,
//! `resilience`, `several` and `storage`, which run alone.

mod buildpacks;
mod client;
mod config;
mod control;
mod failures;
mod git;
mod hostile;
mod infra;
mod isolation;
mod limits;
mod metrics;
mod operator;
mod processes;
mod resilience;
mod several;
mod ssh;
mod storage;

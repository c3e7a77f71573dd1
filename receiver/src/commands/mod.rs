//! placeholder
use std::sync::Arc;
use skypanel_core::console::Terminal;
use skypanel_core::store::Identity;
use crate::{Shared, channel::Requests, exec::CommandLine, output::Output};
pub(crate) async fn run(_shared: &Arc<Shared>, _identity: Arc<Identity>, line: CommandLine, _terminal: Option<Terminal>, output: Output, _requests: Requests) {
    let _ = output.error(&format!("Unknown command {:?}.", line.line)).await;
    output.finish(1).await;
}

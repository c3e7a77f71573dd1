//! The last lines an app wrote, to show why it failed.

use std::time::Duration;

use bollard::query_parameters::LogsOptionsBuilder;
use futures_util::TryStreamExt as _;

use crate::Parts;

const LIMIT: Duration = Duration::from_secs(5);
/// Longest line shown, in characters.
const MAX_LINE: usize = 500;

/// The last lines of a container, oldest first, fit for a terminal; none where they cannot be had, since they only
/// accompany a message.
pub(crate) async fn last_lines_of_container(parts: &Parts, container: &str, lines: u32) -> Vec<String> {
    let options = LogsOptionsBuilder::new().stdout(true).stderr(true).tail(&lines.to_string()).build();
    let mut bytes = Vec::new();
    let read = parts.engine.logs(container, Some(options)).try_for_each(|output| {
        bytes.extend_from_slice(output.as_ref());
        std::future::ready(Ok(()))
    });
    if !matches!(tokio::time::timeout(LIMIT, read).await, Ok(Ok(()))) {
        tracing::warn!(container, "the last lines of a container could not be read to their end");
    }
    let text = String::from_utf8_lossy(&bytes);
    text.lines().map(printable).filter(|line| !line.is_empty()).collect()
}

fn printable(line: &str) -> String {
    line.trim_end().chars().filter(|c| !c.is_control() || *c == '\t').take(MAX_LINE).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_cannot_steer_the_terminal() {
        assert_eq!(printable("\u{1b}[31mred\u{7}\r"), "[31mred");
        assert_eq!(printable(&"x".repeat(1_000)).len(), MAX_LINE);
    }
}

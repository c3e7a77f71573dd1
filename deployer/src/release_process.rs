//! The `release` process of a `Procfile`: runs once, with the new slug and config vars, before the rollout; its
//! failure stops the release.

use std::time::Duration;

use bollard::container::LogOutput;
use futures_util::StreamExt as _;
use skypanel_core::model::ProcessType;
use skypanel_core::stream::StreamWriter;

use crate::one_off::{OneOff, OneOffSpec};
use crate::{DeployError, Deployer, Release, names};

/// Longest line that is held back until its end comes.
const MAX_LINE: usize = 64 * 1024;
/// What is left of the output once the process has ended is already on its way.
const OUTPUT_LIMIT: Duration = Duration::from_secs(5);

impl Deployer {
    /// Runs the release's `release` process, if it has one, with its output in the log.
    pub async fn run_release_process(&self, release: &Release<'_>) -> Result<(), DeployError> {
        let Some(command) = release.artifact.processes.get(&ProcessType::release()) else { return Ok(()) };
        let spec = OneOffSpec {
            app: release.app,
            plan: release.plan,
            deployment: release.deployment,
            version: release.version,
            artifact: release.artifact,
            config: release.config,
            role: names::role::RELEASE,
            name: "release.1",
            command,
            terminal: None,
            input: false,
        };
        let process = OneOff::create(&self.parts, &spec).await?;
        let limit = Duration::from_secs(release.settings.release_timeout_seconds);
        let ended = tokio::select! {
            ended = tokio::time::timeout(limit, run(&process, release.log)) => ended,
            () = release.cancel.cancelled() => Ok(Err(DeployError::Cancelled)),
        };
        process.remove().await?;
        match ended {
            Ok(Ok(0)) => Ok(()),
            Ok(Ok(status)) => {
                Err(DeployError::Release(format!("The release command failed with exit status {status}: {command}")))
            }
            Ok(Err(error)) => Err(error),
            Err(_) => Err(DeployError::Release(format!(
                "The release command did not end within {} s and was stopped: {command}",
                limit.as_secs()
            ))),
        }
    }
}

async fn run(process: &OneOff, log: &StreamWriter) -> Result<i64, DeployError> {
    let mut attached = process.attach(false).await?;
    process.start().await?;
    // Each of its two streams has lines of its own.
    let (mut stdout, mut stderr) = (Lines::default(), Lines::default());
    let read = async {
        while let Some(Ok(output)) = attached.output.next().await {
            let lines = if matches!(output, LogOutput::StdErr { .. }) { &mut stderr } else { &mut stdout };
            if let Some(text) = lines.add(output.as_ref()) {
                log.detail(&text).await;
            }
        }
        for text in [stdout.rest(), stderr.rest()].into_iter().flatten() {
            log.detail(&text).await;
        }
    };
    tokio::pin!(read);
    let status = tokio::select! {
        () = &mut read => return Ok(process.wait().await),
        status = process.wait() => status,
    };
    if tokio::time::timeout(OUTPUT_LIMIT, read).await.is_err() {
        tracing::warn!(container = process.id(), "the output of a release command did not come to its end");
    }
    Ok(status)
}

/// Puts pieces of output together to whole lines.
#[derive(Default)]
struct Lines {
    pending: Vec<u8>,
}

impl Lines {
    /// Takes a piece; gives the whole lines there are now.
    fn add(&mut self, piece: &[u8]) -> Option<String> {
        self.pending.extend_from_slice(piece);
        let end = match self.pending.iter().rposition(|byte| *byte == b'\n') {
            Some(at) => at + 1,
            None if self.pending.len() > MAX_LINE => self.pending.len(),
            None => return None,
        };
        let whole: Vec<u8> = self.pending.drain(..end).collect();
        Some(String::from_utf8_lossy(&whole).into_owned())
    }

    /// What came after the last line's end.
    fn rest(&mut self) -> Option<String> {
        let rest = std::mem::take(&mut self.pending);
        (!rest.is_empty()).then(|| String::from_utf8_lossy(&rest).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_whole_whatever_the_pieces() {
        let mut lines = Lines::default();
        assert_eq!(lines.add(b"one"), None);
        assert_eq!(lines.add(b"\ntwo\nthr").as_deref(), Some("one\ntwo\n"));
        assert_eq!(lines.add("ée".as_bytes().split_at(1).0), None);
        assert_eq!(lines.add("ée".as_bytes().split_at(1).1), None);
        assert_eq!(lines.rest().as_deref(), Some("thrée"));
        assert_eq!(lines.rest(), None);
    }
}

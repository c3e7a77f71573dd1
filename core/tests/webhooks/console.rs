//! In place of a container engine.

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use skypanel_core::console::{Console, LogLine, LogQuery, OneOff, OneOffSession, ProcessState};
use skypanel_core::model::Application;
use skypanel_core::{Error, Result};

/// Has nothing to show.
pub(crate) struct NoEngine;

#[async_trait]
impl Console for NoEngine {
    async fn logs(&self, _: &Application, _: LogQuery) -> Result<BoxStream<'static, Result<LogLine>>> {
        Err(Error::System("There is no engine.".to_owned()))
    }

    async fn processes(&self, _: &Application) -> Result<Vec<ProcessState>> {
        Err(Error::System("There is no engine.".to_owned()))
    }

    async fn run(&self, _: &Application, _: OneOff) -> Result<OneOffSession> {
        Err(Error::System("There is no engine.".to_owned()))
    }
}

//! Removing the sources that nothing is built from again: when a deployment ends, and in clean-up.

use skypanel_core::model::AppId;

use crate::Worker;
use crate::failure::chain;

impl Worker {
    /// Removes the sources of an app that are not kept. What goes wrong is for the next clean-up.
    pub(crate) async fn remove_old_sources(&self, app: AppId) {
        let sources = match self.store.give_up_sources(app).await {
            Ok(sources) => sources,
            Err(error) => {
                tracing::warn!(error = %chain(&error), "sources that are not needed any more could not be given up");
                return;
            }
        };
        for source in sources {
            if let Err(error) = self.blobs.delete(&source).await {
                tracing::warn!(error = %chain(&error), "a source that is not needed any more could not be removed");
            }
        }
    }
}

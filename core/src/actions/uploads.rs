//! What is asked before an archive is sent, which takes a while and space on the disk.

use std::fs::File;

use super::{Actions, Actor};
use crate::model::AppRef;
use crate::store::{Access, quotas};
use crate::{Error, Result};

/// A file that an upload goes into.
#[derive(Debug)]
pub struct Upload {
    /// Nobody else sees it, and it goes when it is closed.
    pub file: File,
    /// Most bytes it may get.
    pub most: u64,
    least_free_mb: u64,
}

impl Actions {
    /// Begins an upload of an archive, unless it could not be deployed anyway: it is for those who may deploy the app,
    /// while its organisation may run something and has a deployment left.
    pub async fn begin_upload(&self, actor: &Actor, app: &AppRef) -> Result<Upload> {
        let app = self.app_of(actor, app, Access::Change).await?;
        self.store.ensure_may_run(app.organization_id).await?;
        let settings = self.store.settings().await?;
        let mut transaction = self.store.pool().begin().await?;
        quotas::check_deployments(&mut transaction, app.organization_id, &settings, self.clock.now()).await?;
        drop(transaction);
        let file = self.blobs.spool()?.into_file();
        Ok(Upload { file, most: settings.git_max_pack_mb << 20, least_free_mb: settings.git_min_free_mb })
    }
}

impl Upload {
    /// Whether the disk has room for more: what runs on it needs some to go on.
    pub fn has_room(&self) -> Result<bool> {
        let disk = rustix::fs::fstatvfs(&self.file)
            .map_err(|error| Error::System(format!("The space left on the disk is not known: {error}.")))?;
        Ok(disk.f_bavail.saturating_mul(disk.f_frsize) >> 20 >= self.least_free_mb)
    }
}

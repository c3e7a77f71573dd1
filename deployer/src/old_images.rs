//! Images that the engine pulled for releases which are not kept any more.

use std::collections::{HashMap, HashSet};

use bollard::query_parameters::{ListImagesOptionsBuilder, RemoveImageOptionsBuilder};
use skypanel_core::model::Sha256Digest;

use crate::engine::{call, status};
use crate::{DeployError, Deployer};

impl Deployer {
    /// Removes from this node's engine what it pulled from our image endpoint, but for `keep` and what containers
    /// use. An image that is wanted again is pulled again. Answers how many went.
    pub async fn remove_old_images(&self, keep: &HashSet<Sha256Digest>) -> Result<usize, DeployError> {
        let parts = &self.parts;
        let ours = format!("{}/", parts.options.image_endpoint);
        let filters = HashMap::from([("reference", vec![format!("{ours}*")])]);
        let options = ListImagesOptionsBuilder::new().filters(&filters).digests(true).build();
        let images = call("Listing images", parts.engine.list_images(Some(options))).await?;
        let mut removed = 0;
        for reference in images.iter().flat_map(|image| &image.repo_digests) {
            let Some((name, digest)) = reference.rsplit_once('@') else { continue };
            // Stacks have a name of two parts, which the filter's star does not match; this says so once more.
            let an_app = name.strip_prefix(&ours).is_some_and(|name| !name.contains('/'));
            if !an_app || digest.parse().is_ok_and(|digest| keep.contains(&digest)) {
                continue;
            }
            let options = RemoveImageOptionsBuilder::new().force(false).build();
            match call("Removing an old image", parts.engine.remove_image(reference, Some(options), None)).await {
                Ok(_) => removed += 1,
                // In use by a container that is about to end; or somebody else was faster.
                Err(error) if matches!(status(&error), Some(404 | 409)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(removed)
    }
}

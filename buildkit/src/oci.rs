//! Image configurations and manifests as the OCI image specification 1.0 writes them. The same content
//! always gives the same bytes, and so the same digest.

use serde::Serialize;
use skypanel_core::blob::{BlobKey, reuse};
use skypanel_core::model::Sha256Digest;

use crate::{BuildError, Parts};

const MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG_TYPE: &str = "application/vnd.oci.image.config.v1+json";
/// Layers are named by their raw tar: engines before 23 cannot read zstd.
const LAYER_TYPE: &str = "application/vnd.oci.image.layer.v1.tar";

/// A layer: a tar in the blob store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Layer {
    /// Digest of the raw tar.
    pub(crate) digest: Sha256Digest,
    /// Size of the raw tar in bytes.
    pub(crate) bytes: u64,
}

/// What containers of an image start with.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Runtime {
    pub(crate) user: String,
    pub(crate) working_dir: String,
    pub(crate) env: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) entrypoint: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) cmd: Vec<String>,
}

#[derive(Serialize)]
struct Configuration<'a, R: Serialize> {
    architecture: &'a str,
    os: &'static str,
    config: &'a R,
    rootfs: RootFs,
}

#[derive(Serialize)]
struct RootFs {
    r#type: &'static str,
    diff_ids: Vec<Sha256Digest>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Manifest {
    schema_version: u8,
    media_type: &'static str,
    config: Descriptor,
    layers: Vec<Descriptor>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    media_type: &'static str,
    digest: Sha256Digest,
    size: u64,
}

/// An image's two documents.
#[derive(Debug)]
pub(crate) struct Image {
    config: Vec<u8>,
    manifest: Vec<u8>,
}

impl Image {
    /// An image of `layers`, the lowest first. `runtime` is the `config` object of the configuration.
    pub(crate) fn new(
        architecture: &str,
        runtime: &impl Serialize,
        layers: &[Layer],
    ) -> Result<Self, serde_json::Error> {
        let rootfs = RootFs { r#type: "layers", diff_ids: layers.iter().map(|layer| layer.digest).collect() };
        let config = serde_json::to_vec(&Configuration { architecture, os: "linux", config: runtime, rootfs })?;
        let manifest = Manifest {
            schema_version: 2,
            media_type: MANIFEST_TYPE,
            config: Descriptor {
                media_type: CONFIG_TYPE,
                digest: Sha256Digest::of(&config),
                size: config.len() as u64,
            },
            layers: layers
                .iter()
                .map(|layer| Descriptor { media_type: LAYER_TYPE, digest: layer.digest, size: layer.bytes })
                .collect(),
        };
        let manifest = serde_json::to_vec(&manifest)?;
        Ok(Self { config, manifest })
    }

    /// Digest of the manifest, by which the image is pulled.
    pub(crate) fn digest(&self) -> Sha256Digest {
        Sha256Digest::of(&self.manifest)
    }

    /// Puts both documents into the blob store; those already there are left alone.
    pub(crate) async fn store(&self, parts: &Parts) -> Result<Sha256Digest, BuildError> {
        let digest = self.digest();
        let put = async |bytes: &[u8]| {
            let key = BlobKey::image(Sha256Digest::of(bytes));
            if reuse(&parts.store, &*parts.blobs, &key).await? == Some(bytes.len() as u64) {
                return Ok(());
            }
            Ok::<_, BuildError>(parts.blobs.put_bytes(&key, bytes).await?)
        };
        tokio::try_join!(put(&self.config), put(&self.manifest))?;
        Ok(digest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documents_are_those_of_the_specification() {
        let layers = [
            Layer { digest: Sha256Digest::of(b"stack"), bytes: 5 },
            Layer { digest: Sha256Digest::of(b"slug"), bytes: 4 },
        ];
        let runtime = Runtime {
            user: "app".to_owned(),
            working_dir: "/app".to_owned(),
            env: vec!["PATH=/bin".to_owned()],
            entrypoint: vec!["/.skypanel/init".to_owned()],
            cmd: Vec::new(),
        };
        let image = Image::new("amd64", &runtime, &layers).expect("serialises");
        let config: serde_json::Value = serde_json::from_slice(&image.config).expect("is JSON");
        assert_eq!(config["os"], "linux");
        assert_eq!(config["config"]["User"], "app");
        assert_eq!(config["config"]["WorkingDir"], "/app");
        assert_eq!(config["config"]["Entrypoint"][0], "/.skypanel/init");
        assert!(config["config"].get("Cmd").is_none());
        assert_eq!(config["rootfs"]["type"], "layers");
        assert_eq!(config["rootfs"]["diff_ids"][1], Sha256Digest::of(b"slug").to_string());
        let manifest: serde_json::Value = serde_json::from_slice(&image.manifest).expect("is JSON");
        assert_eq!(manifest["schemaVersion"], 2);
        assert_eq!(manifest["mediaType"], MANIFEST_TYPE);
        assert_eq!(manifest["config"]["digest"], Sha256Digest::of(&image.config).to_string());
        assert_eq!(manifest["config"]["size"], image.config.len());
        assert_eq!(manifest["layers"][0]["mediaType"], LAYER_TYPE);
        assert_eq!(manifest["layers"][0]["size"], 5);
    }

    #[test]
    fn the_same_content_has_the_same_digest() {
        let layers = [Layer { digest: Sha256Digest::of(b"a"), bytes: 1 }];
        let digest =
            |architecture| Image::new(architecture, &Runtime::default(), &layers).expect("serialises").digest();
        assert_eq!(digest("amd64"), digest("amd64"));
        assert_ne!(digest("amd64"), digest("arm64"));
    }
}

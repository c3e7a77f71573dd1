//! The image of these tests: this program and a few of the host's, with the libraries they need, and init.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;
use skypanel_core::model::Sha256Digest;

/// Where this test program lies in the image.
pub(crate) const PROGRAM: &str = "/app/task";
const TOOLS: [&str; 6] = ["bash", "cat", "id", "sleep", "stty", "timeout"];

/// The parts of an image, raw.
pub(crate) struct Image {
    pub(crate) manifest: Vec<u8>,
    pub(crate) config: Vec<u8>,
    pub(crate) layer: Vec<u8>,
}

impl Image {
    /// Builds it. The same programs give the same image.
    pub(crate) fn build() -> Self {
        let layer = layer();
        let config = json!({
            "architecture": "amd64",
            "os": "linux",
            "config": { "User": "app", "WorkingDir": "/app", "Env": ["PATH=/bin"], "ExposedPorts": { "5000/tcp": {} } },
            "rootfs": { "type": "layers", "diff_ids": [Sha256Digest::of(&layer).to_string()] },
            "history": [{ "created_by": "tests" }],
        })
        .to_string()
        .into_bytes();
        let part = |media_type: &str, bytes: &[u8]| json!({ "mediaType": media_type, "size": bytes.len(), "digest": Sha256Digest::of(bytes).to_string() });
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
            "config": part("application/vnd.docker.container.image.v1+json", &config),
            "layers": [part("application/vnd.docker.image.rootfs.diff.tar", &layer)],
        })
        .to_string()
        .into_bytes();
        Self { manifest, config, layer }
    }
}

fn layer() -> Vec<u8> {
    let own = std::env::current_exe().expect("has a path");
    let mut programs = vec![(own.clone(), PROGRAM.to_owned())];
    programs.extend(TOOLS.map(|tool| (PathBuf::from("/bin").join(tool), format!("/bin/{tool}"))));
    programs.push((init(&own), "/.skypanel/init".to_owned()));
    let mut libraries = BTreeSet::new();
    for (program, _) in &programs {
        libraries.extend(libraries_of(program));
    }
    programs.extend(libraries.into_iter().map(|library| (PathBuf::from(&library), library)));
    let mut archive = tar::Builder::new(Vec::new());
    archive.mode(tar::HeaderMode::Deterministic);
    for (directory, mode, owner) in [("app", 0o755, 10001), ("tmp", 0o1777, 0), ("run", 0o755, 0), ("etc", 0o755, 0)] {
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(tar::EntryType::Directory);
        header.set_mode(mode);
        header.set_uid(owner);
        header.set_gid(owner);
        header.set_size(0);
        archive.append_data(&mut header, format!("{directory}/"), std::io::empty()).expect("packs");
    }
    let users = "root:x:0:0::/:/bin/bash\napp:x:10001:10001::/app:/bin/bash\n";
    append(&mut archive, "etc/passwd", users.as_bytes(), 0o644);
    for (from, to) in programs {
        let bytes = std::fs::read(&from).unwrap_or_else(|error| panic!("{}: {error}", from.display()));
        append(&mut archive, to.trim_start_matches('/'), &bytes, 0o755);
    }
    archive.into_inner().expect("packs")
}

fn append(archive: &mut tar::Builder<Vec<u8>>, path: &str, bytes: &[u8], mode: u32) {
    let mut header = tar::Header::new_ustar();
    header.set_mode(mode);
    header.set_size(bytes.len() as u64);
    archive.append_data(&mut header, path, bytes).expect("packs");
}

/// The static init that `infra/dev/build` makes, which lies beside this program's own target directory.
fn init(own: &Path) -> PathBuf {
    let configured = std::env::var_os("SKYPANEL_INIT_BINARY").map(PathBuf::from);
    let built = own.ancestors().map(|directory| directory.join("static/release/skypanel-init"));
    configured
        .into_iter()
        .chain(built)
        .find(|path| path.exists())
        .expect("skypanel-init is built: run infra/dev/build dev, or set SKYPANEL_INIT_BINARY")
}

fn libraries_of(program: &Path) -> Vec<String> {
    let output = Command::new("ldd").arg(program).output().expect("ldd runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.split_whitespace().filter(|word| word.starts_with('/')).map(str::to_owned).collect()
}

//! A stack of a few megabytes, made of this machine's own shell, whose build is the app's `build.sh`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use skypanel_core::model::Sha256Digest;

const TOOLS: [&str; 12] = ["bash", "cat", "cp", "curl", "dd", "id", "ln", "ls", "mkdir", "mkfifo", "sleep", "stat"];
const BUILD: &str = "#!/bin/bash
cd /tmp/app || exit 1
echo '-----> Test app detected'
if [ -f build.sh ]; then . ./build.sh; fi
cp -a /tmp/app/. /app/
";

/// Writes `stack.tar` and `stack.json` of the stack `name` into `directory`.
pub(crate) fn write(directory: &Path, name: &str) {
    let file = std::fs::File::create(directory.join("stack.tar")).expect("makes the file");
    let mut builder = tar::Builder::new(file);
    let mut add = |kind, path: &str, mode, owner, content: &[u8], link: &str| {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_uid(owner);
        header.set_gid(owner);
        header.set_mtime(0);
        header.set_size(content.len() as u64);
        if !link.is_empty() {
            header.set_link_name(link).expect("is short");
        }
        builder.append_data(&mut header, path, content).expect("writes");
    };
    let directory_entry = tar::EntryType::Directory;
    for (path, mode, owner) in [
        ("bin", 0o755, 0),
        ("etc", 0o755, 0),
        ("tmp", 0o1777, 0),
        ("app", 0o755, 10_001),
        ("tmp/app", 0o755, 10_001),
        ("tmp/cache", 0o755, 10_001),
        ("tmp/env", 0o755, 10_001),
        ("tmp/build", 0o755, 10_001),
    ] {
        add(directory_entry, path, mode, owner, b"", "");
    }
    let file = tar::EntryType::Regular;
    add(file, "build", 0o755, 0, BUILD.as_bytes(), "");
    add(file, "etc/passwd", 0o644, 0, b"root:x:0:0::/:/bin/bash\napp:x:10001:10001::/app:/bin/bash\n", "");
    add(file, "etc/group", 0o644, 0, b"root:x:0:\napp:x:10001:\n", "");
    add(tar::EntryType::Symlink, "bin/sh", 0o777, 0, b"", "bash");
    let mut libraries = BTreeSet::new();
    for tool in TOOLS {
        let path = ["/bin", "/usr/bin"].map(|directory| Path::new(directory).join(tool));
        let path = path.iter().find(|path| path.exists()).expect("is installed");
        add(file, &format!("bin/{tool}"), 0o755, 0, &std::fs::read(path).expect("reads"), "");
        let listed = Command::new("ldd").arg(path).output().expect("runs").stdout;
        let listed = String::from_utf8(listed).expect("is text");
        libraries.extend(listed.split_whitespace().filter(|word| word.starts_with('/')).map(PathBuf::from));
    }
    for library in libraries {
        let content = std::fs::read(&library).expect("reads");
        add(file, library.to_str().expect("is text").trim_start_matches('/'), 0o755, 0, &content, "");
    }
    builder.into_inner().expect("writes");
    let tar = std::fs::read(directory.join("stack.tar")).expect("reads");
    let digest = Sha256Digest::of(&tar);
    let architecture = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
    let description = format!(
        r#"{{"name":"{name}","architecture":"{architecture}","digest":"{digest}","user":"app","workdir":"/app","env":["PATH=/bin","HOME=/app"]}}"#
    );
    std::fs::write(directory.join("stack.json"), description).expect("writes");
}

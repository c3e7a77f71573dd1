//! The image of these tests: this program with the libraries it needs.

use std::path::Path;
use std::process::{Command, Stdio};

/// Where this program lies in the image.
pub(crate) const PROGRAM: &str = "/task";

/// Imports it; the same program gives the same image.
pub(crate) fn import() -> String {
    let own = std::env::current_exe().expect("has a path");
    let output = Command::new("ldd").arg(&own).output().expect("ldd runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let libraries = text.split_whitespace().filter(|word| word.starts_with('/'));
    let mut archive = tar::Builder::new(Vec::new());
    append(&mut archive, &own, PROGRAM);
    for library in libraries {
        append(&mut archive, Path::new(library), library);
    }
    let archive = archive.into_inner().expect("packs");
    let name = format!("skypanel-test/collect:{}", uuid::Uuid::new_v4().simple());
    let mut import = Command::new("docker")
        .args(["import", "-", &name])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("docker runs");
    std::io::Write::write_all(&mut import.stdin.take().expect("is piped"), &archive).expect("is taken");
    assert!(import.wait().expect("ends").success(), "the image is imported");
    name
}

fn append(archive: &mut tar::Builder<Vec<u8>>, from: &Path, to: &str) {
    let bytes = std::fs::read(from).unwrap_or_else(|error| panic!("{}: {error}", from.display()));
    let mut header = tar::Header::new_ustar();
    header.set_mode(0o755);
    header.set_size(bytes.len() as u64);
    archive.append_data(&mut header, to.trim_start_matches('/'), bytes.as_slice()).expect("packs");
}

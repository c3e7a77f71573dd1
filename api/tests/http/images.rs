//! The image endpoint against the real clients, the engine and skopeo, and against hostile requests.

use std::path::Path;
use std::process::Output;
use std::time::{Duration, Instant};

use rand::Rng as _;
use serde_json::{Value, json};
use skypanel_core::blob::{BlobKey, BlobStore as _, LocalBlobs};
use skypanel_core::model::Sha256Digest;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::serving::{Serving, request, request_head};

/// An image of one file, `data`, of random bytes.
struct Image {
    manifest: Sha256Digest,
    config: Sha256Digest,
    layer: Sha256Digest,
    raw: Vec<u8>,
}

async fn put_image(blobs: &LocalBlobs, bytes: usize) -> Image {
    let mut content = vec![0; bytes];
    // Half of it random: compressible, but not to nothing.
    rand::rng().fill_bytes(&mut content[..bytes / 2]);
    let raw = tar_of("data", &content);
    let layer = Sha256Digest::of(&raw);
    let stored = zstd::encode_all(raw.as_slice(), 1).expect("compresses");
    blobs.put_bytes(&BlobKey::slug(layer), &stored).await.expect("stores the layer");
    let config = json!({
        "architecture": "amd64", "os": "linux", "config": { "Cmd": ["/data"] },
        "rootfs": { "type": "layers", "diff_ids": [layer] },
    });
    let config = config.to_string().into_bytes();
    let config_digest = Sha256Digest::of(&config);
    blobs.put_bytes(&BlobKey::image(config_digest), &config).await.expect("stores the configuration");
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {
            "mediaType": "application/vnd.oci.image.config.v1+json",
            "digest": config_digest, "size": config.len(),
        },
        "layers": [{
            "mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": layer, "size": raw.len(),
        }],
    });
    let manifest = manifest.to_string().into_bytes();
    let manifest_digest = Sha256Digest::of(&manifest);
    blobs.put_bytes(&BlobKey::image(manifest_digest), &manifest).await.expect("stores the manifest");
    Image { manifest: manifest_digest, config: config_digest, layer, raw }
}

/// A tar of one file, written out by hand after POSIX ustar.
fn tar_of(name: &str, content: &[u8]) -> Vec<u8> {
    let mut header = [0_u8; 512];
    header[..name.len()].copy_from_slice(name.as_bytes());
    header[100..108].copy_from_slice(b"0000755\0");
    header[108..116].copy_from_slice(b"0000000\0");
    header[116..124].copy_from_slice(b"0000000\0");
    header[124..136].copy_from_slice(format!("{:011o}\0", content.len()).as_bytes());
    header[136..148].copy_from_slice(b"14000000000\0");
    header[148..156].copy_from_slice(b"        ");
    header[156] = b'0';
    header[257..265].copy_from_slice(b"ustar\x0000");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let mut tar = header.to_vec();
    tar.extend_from_slice(content);
    tar.resize(tar.len().next_multiple_of(512) + 1024, 0);
    tar
}

async fn command(program: &str, arguments: &[&str]) -> Output {
    let run = tokio::process::Command::new(program).args(arguments).kill_on_drop(true).output();
    let output = tokio::time::timeout(Duration::from_secs(120), run).await.expect("ends in time");
    output.unwrap_or_else(|error| panic!("{program} runs: {error}"))
}

async fn succeeds(program: &str, arguments: &[&str]) -> String {
    let output = command(program, arguments).await;
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {errors}");
    String::from_utf8(output.stdout).expect("is text")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_engine_pulls_an_image() {
    let serving = Serving::start().await;
    let image = put_image(&serving.blobs, 100 << 20).await;
    let reference = format!("{}/an-app@{}", serving.images, image.manifest);
    let started = Instant::now();
    succeeds("docker", &["pull", "--quiet", &reference]).await;
    let took = started.elapsed().as_secs_f64();
    println!("docker pull of a layer of {} MB: {took:.2} s", image.raw.len() / 1_000_000);
    let inspected: Value =
        serde_json::from_str(&succeeds("docker", &["image", "inspect", &reference]).await).expect("is JSON");
    succeeds("docker", &["image", "rm", &reference]).await;
    assert_eq!(inspected[0]["RootFS"]["Layers"][0], image.layer.to_string());
    assert_eq!(inspected[0]["Config"]["Cmd"][0], "/data");
    serving.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_engine_pulls_layers_whose_size_was_forgotten() {
    let serving = Serving::start().await;
    let image = put_image(&serving.blobs, 1 << 20).await;
    // Nobody asked for the manifest yet, as after a restart in mid-pull: the layer comes without a length.
    let (head, body) = request(serving.images, "GET", &format!("/v2/a/blobs/{}", image.layer), "").await;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert!(head.contains("transfer-encoding: chunked"), "{head}");
    assert!(body.len() > image.raw.len());
    let reference = format!("{}/an-app@{}", serving.images, image.manifest);
    succeeds("docker", &["pull", "--quiet", &reference]).await;
    succeeds("docker", &["image", "rm", &reference]).await;
    serving.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn skopeo_inspects_and_copies_an_image() {
    let serving = Serving::start().await;
    let image = put_image(&serving.blobs, 3 << 20).await;
    let source = format!("docker://{}/stacks/skypanel-12@{}", serving.images, image.manifest);
    let inspected = succeeds("skopeo", &["inspect", "--tls-verify=false", &source]).await;
    let inspected: Value = serde_json::from_str(&inspected).expect("is JSON");
    assert_eq!(inspected["Digest"], image.manifest.to_string());
    assert_eq!(inspected["Layers"][0], image.layer.to_string());
    let target = tempfile::tempdir().expect("makes a directory");
    let to = format!("dir:{}", target.path().display());
    succeeds("skopeo", &["--insecure-policy", "copy", "--quiet", "--src-tls-verify=false", &source, &to]).await;
    let copied = |name: &str| std::fs::read(Path::new(target.path()).join(name)).expect("was copied");
    let hex = |digest: Sha256Digest| digest.to_string().replace("sha256:", "");
    assert_eq!(copied(&hex(image.layer)), image.raw);
    assert_eq!(Sha256Digest::of(&copied(&hex(image.config))), image.config);
    assert_eq!(Sha256Digest::of(&copied("manifest.json")), image.manifest);
    serving.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_are_those_of_the_specification() {
    let serving = Serving::start().await;
    let image = put_image(&serving.blobs, 1 << 20).await;
    let manifest = format!("/v2/a/b/manifests/{}", image.manifest);
    for method in ["HEAD", "GET"] {
        let (head, body) = request(serving.images, method, &manifest, "").await;
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        assert!(head.contains("content-type: application/vnd.oci.image.manifest.v1+json"), "{head}");
        assert!(head.contains(&format!("docker-content-digest: {}", image.manifest)), "{head}");
        assert!(head.contains("docker-distribution-api-version: registry/2.0"), "{head}");
        assert_eq!(body.is_empty(), method == "HEAD");
    }
    let layer = format!("/v2/a/b/blobs/{}", image.layer);
    let (head, body) = request(serving.images, "GET", &layer, "").await;
    assert!(head.contains(&format!("content-length: {}", image.raw.len())), "{head}");
    assert_eq!(Sha256Digest::of(&body), image.layer);
    let (head, body) = request(serving.images, "HEAD", &layer, "").await;
    assert!(head.contains(&format!("content-length: {}", image.raw.len())), "{head}");
    assert!(body.is_empty());
    let fresh = format!("If-None-Match: \"{}\"\r\n", image.layer);
    let (head, _) = request(serving.images, "GET", &layer, &fresh).await;
    assert!(head.starts_with("HTTP/1.1 304"), "{head}");
    serving.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_or_not_allowed_is_refused_in_the_specified_form() {
    let serving = Serving::start().await;
    let image = put_image(&serving.blobs, 1024).await;
    let nowhere = Sha256Digest::of(b"nowhere");
    for (method, path, status, code) in [
        ("GET", format!("/v2/a/manifests/{nowhere}"), 404, "MANIFEST_UNKNOWN"),
        ("GET", "/v2/a/manifests/latest".to_owned(), 404, "MANIFEST_UNKNOWN"),
        // A configuration is no manifest, nor is a layer.
        ("GET", format!("/v2/a/manifests/{}", image.config), 404, "MANIFEST_UNKNOWN"),
        ("GET", format!("/v2/a/manifests/{}", image.layer), 404, "MANIFEST_UNKNOWN"),
        ("GET", format!("/v2/a/blobs/{nowhere}"), 404, "BLOB_UNKNOWN"),
        ("GET", "/v2/a/blobs/sha256:../../../etc/passwd".to_owned(), 404, "UNSUPPORTED"),
        ("GET", "/v2/a/blobs/..".to_owned(), 400, "DIGEST_INVALID"),
        ("GET", format!("/v2/../../etc/blobs/{nowhere}"), 400, "NAME_INVALID"),
        ("GET", format!("/v2/{}/blobs/{nowhere}", "a/".repeat(2_000)), 400, "NAME_INVALID"),
        ("PUT", format!("/v2/a/manifests/{nowhere}"), 405, "UNSUPPORTED"),
        ("POST", "/v2/a/blobs/uploads/".to_owned(), 405, "UNSUPPORTED"),
        ("DELETE", format!("/v2/a/blobs/{}", image.layer), 405, "UNSUPPORTED"),
        ("GET", "/".to_owned(), 404, "UNSUPPORTED"),
    ] {
        let (head, body) = request(serving.images, method, &path, "").await;
        assert!(head.starts_with(&format!("HTTP/1.1 {status}")), "{method} {path}: {head}");
        let body: Value = serde_json::from_slice(&body).expect("is JSON");
        assert_eq!(body["errors"][0]["code"], code, "{method} {path}");
    }
    let (head, _) = request(serving.images, "GET", "/v2/", "").await;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    serving.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_layer_ends_without_looking_whole() {
    let serving = Serving::start().await;
    let image = put_image(&serving.blobs, 2 << 20).await;
    let (mut stored, _) = serving.blobs.get(&BlobKey::slug(image.layer)).await.expect("opens");
    let mut content = Vec::new();
    stored.read_to_end(&mut content).await.expect("reads");
    content.truncate(content.len() / 2);
    serving.blobs.put_bytes(&BlobKey::slug(image.layer), &content).await.expect("stores");
    let (head, body) = request(serving.images, "GET", &format!("/v2/a/blobs/{}", image.layer), "").await;
    assert!(head.contains("transfer-encoding: chunked"), "{head}");
    assert!(!body.ends_with(b"0\r\n\r\n"), "the body looks complete");
    serving.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_away_or_dawdles_does_not_hold_up_the_end() {
    let serving = Serving::start().await;
    let image = put_image(&serving.blobs, 64 << 20).await;
    let path = format!("/v2/a/blobs/{}", image.layer);
    let mut gone = TcpStream::connect(serving.images).await.expect("connects");
    gone.write_all(request_head("GET", &path, "").as_bytes()).await.expect("asks");
    gone.read_exact(&mut [0; 1024]).await.expect("begins");
    drop(gone);
    // Takes nothing of its layer; it is cut off after the grace that a stop gives.
    let mut slow = TcpStream::connect(serving.images).await.expect("connects");
    slow.write_all(request_head("GET", &path, "").as_bytes()).await.expect("asks");
    slow.read_exact(&mut [0; 1024]).await.expect("begins");
    let started = Instant::now();
    serving.stop().await;
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
}

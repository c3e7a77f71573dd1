//! Both backends of the blob store, and the switch between them, against a real S3 server.

mod seaweed;

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::Rng as _;
use seaweed::{ACCESS_KEY, SECRET_KEY, Seaweed};
use skypanel_core::blob::{BlobError, BlobKey, BlobStore, ConfiguredBlobs, LocalBlobs, S3Blobs, check_storage};
use skypanel_core::model::{DeploymentId, Sha256Digest};
use skypanel_core::settings::Settings;
use tokio::io::AsyncReadExt as _;

const MB: usize = 1 << 20;

#[tokio::test(flavor = "multi_thread")]
async fn the_local_backend_keeps_its_promises() {
    let directory = tempfile::tempdir().expect("makes a directory");
    let blobs = Arc::new(LocalBlobs::open(directory.path()).expect("opens"));
    keeps_promises(blobs).await;
    let spool = std::fs::read_dir(directory.path().join(".spool")).expect("is there").count();
    assert_eq!(spool, 0, "temporary files are left");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_s3_backend_keeps_its_promises() {
    let server = Seaweed::start().await;
    let directory = tempfile::tempdir().expect("makes a directory");
    let blobs = S3Blobs::connect(&server.options("blobs", directory.path())).expect("connects");
    keeps_promises(Arc::new(blobs)).await;
    assert_eq!(std::fs::read_dir(directory.path()).expect("is there").count(), 0, "temporary files are left");
    assert_eq!(server.unfinished_uploads().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn half_written_files_of_a_crash_are_dropped() {
    let directory = tempfile::tempdir().expect("makes a directory");
    let blobs = LocalBlobs::open(directory.path()).expect("opens");
    let (_, path) = blobs.spool().expect("makes a file").keep().expect("keeps it");
    drop(blobs);
    assert!(path.exists());
    LocalBlobs::open(directory.path()).expect("opens again");
    assert!(!path.exists());
}

/// What every backend must do.
async fn keeps_promises(blobs: Arc<dyn BlobStore>) {
    blobs.probe().await.expect("works");
    missing_blobs_are_missing(&*blobs).await;
    the_later_content_wins_whole(&*blobs).await;
    a_touched_blob_is_young_and_the_same(&*blobs).await;
    large_blobs_come_back_as_they_were(&*blobs).await;
    listings_are_complete(&blobs).await;
    assert!(blobs.list("probe/").await.expect("lists").is_empty(), "the probe left something");
}

async fn missing_blobs_are_missing(blobs: &dyn BlobStore) {
    let key = BlobKey::image(Sha256Digest::of(b"missing"));
    assert!(matches!(blobs.get(&key).await.err(), Some(BlobError::Missing(missing)) if missing == key));
    assert_eq!(blobs.size(&key).await.expect("answers"), None);
    blobs.delete(&key).await.expect("deleting what is not there is fine");
    assert!(blobs.list(BlobKey::REPOSITORIES).await.expect("lists").is_empty());
}

async fn the_later_content_wins_whole(blobs: &dyn BlobStore) {
    let key = BlobKey::image(Sha256Digest::of(b"twice"));
    blobs.put_bytes(&key, b"the first, longer content").await.expect("stores");
    blobs.put_bytes(&key, b"second").await.expect("stores again");
    assert_eq!(read(blobs, &key).await, b"second");
    assert_eq!(blobs.size(&key).await.expect("answers"), Some(6));
    blobs.put_bytes(&key, b"").await.expect("stores nothing");
    assert_eq!(read(blobs, &key).await, b"");
    blobs.delete(&key).await.expect("deletes");
    blobs.delete(&key).await.expect("deletes twice");
    assert_eq!(blobs.size(&key).await.expect("answers"), None);
}

async fn a_touched_blob_is_young_and_the_same(blobs: &dyn BlobStore) {
    let key = BlobKey::image(Sha256Digest::of(b"touched"));
    assert_eq!(blobs.touch(&key).await.expect("answers"), None);
    assert_eq!(blobs.modified(&key).await.expect("answers"), None);
    blobs.put_bytes(&key, b"content").await.expect("stores");
    let written = blobs.modified(&key).await.expect("answers").expect("is there");
    // S3 tells whole seconds.
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    assert_eq!(blobs.touch(&key).await.expect("answers"), Some(7));
    assert!(blobs.modified(&key).await.expect("answers").expect("is there") > written);
    assert_eq!(read(blobs, &key).await, b"content");
    blobs.delete(&key).await.expect("deletes");
}

async fn large_blobs_come_back_as_they_were(blobs: &dyn BlobStore) {
    // 16 MiB is the size of a part: one below, at and above it, and one of several parts.
    for bytes in [16 * MB - 1, 16 * MB, 16 * MB + 1, 40 * MB] {
        let (key, content) = content(bytes);
        let started = Instant::now();
        assert_eq!(put(blobs, &key, &content).await.expect("stores"), bytes as u64);
        let stored = started.elapsed();
        assert_eq!(blobs.size(&key).await.expect("answers"), Some(bytes as u64));
        assert_eq!(Sha256Digest::of(&read(blobs, &key).await), Sha256Digest::of(&content));
        println!("{bytes} bytes: stored after {stored:?}, read after {:?}", started.elapsed());
        blobs.delete(&key).await.expect("deletes");
    }
}

async fn listings_are_complete(blobs: &Arc<dyn BlobStore>) {
    // More than the 1,000 keys that S3 lists at once, by many at once.
    let mut tasks = tokio::task::JoinSet::new();
    for worker in 0..20 {
        let blobs = blobs.clone();
        tasks.spawn(async move {
            for number in 0..55 {
                let key = BlobKey::cache(Sha256Digest::of(format!("{worker} {number}").as_bytes()));
                blobs.put_bytes(&key, &[7; 10]).await.expect("stores");
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.expect("stores all");
    }
    blobs.put_bytes(&BlobKey::source(DeploymentId::new()), b"another prefix").await.expect("stores");
    let listed = blobs.list(BlobKey::CACHES).await.expect("lists");
    let keys: std::collections::BTreeSet<_> = listed.iter().map(|info| info.key.clone()).collect();
    assert_eq!((listed.len(), keys.len()), (1_100, 1_100));
    let now = chrono::Utc::now();
    for info in &listed {
        assert_eq!(info.bytes, 10);
        assert!((now - info.modified).num_seconds().abs() < 300, "{:?}", info.modified);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_bucket_is_told_without_credentials() {
    let server = Seaweed::start().await;
    let directory = tempfile::tempdir().expect("makes a directory");
    let right = server.options("blobs", directory.path());
    S3Blobs::connect(&right).expect("connects").probe().await.expect("works");

    let mut no_bucket = right.clone();
    no_bucket.bucket = "no-such-bucket".to_owned();
    let mut wrong_access = right.clone();
    wrong_access.access_key = "AKIDUNKNOWN".to_owned();
    let mut wrong_secret = right.clone();
    wrong_secret.secret_key = "another-secret-that-no-message-repeats".to_owned();
    let mut nobody = right.clone();
    nobody.endpoint = Some("http://127.0.0.1:9".to_owned());
    let mut no_name = right.clone();
    no_name.endpoint = Some("http://s3.invalid".to_owned());
    for (options, blame) in [
        (no_bucket, "storage.s3_bucket"),
        (wrong_access, "storage.s3_access_key"),
        (wrong_secret, "storage.s3_secret_key"),
        (nobody, "storage.s3_endpoint"),
        (no_name, "storage.s3_endpoint"),
    ] {
        let started = Instant::now();
        let error = S3Blobs::connect(&options).expect("connects").probe().await.expect_err("fails").to_string();
        println!("{error}");
        assert!(error.contains(blame), "{blame}: {error}");
        assert!(!error.contains("no-message-repeats") && !error.contains("AKIDUNKNOWN"), "{error}");
        assert!(started.elapsed() < Duration::from_secs(25), "{:?}", started.elapsed());
    }
    let mut no_scheme = right;
    no_scheme.endpoint = Some("s3.example.com".to_owned());
    assert!(S3Blobs::connect(&no_scheme).is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_goes_away_in_mid_upload_is_told_in_bounded_time() {
    let mut server = Seaweed::start().await;
    let directory = tempfile::tempdir().expect("makes a directory");
    let blobs = S3Blobs::connect(&server.options("blobs", directory.path())).expect("connects");
    let (key, content) = content(200 * MB);
    let file = spooled(&blobs, &content);
    let upload = tokio::spawn({
        let blobs = blobs.clone();
        async move { blobs.put_file(&key, file).await }
    });
    tokio::time::sleep(Duration::from_millis(150)).await;
    assert!(!upload.is_finished(), "the upload was over before the server was");
    server.kill();
    let killed = Instant::now();
    let error = upload.await.expect("does not panic").expect_err("fails").to_string();
    println!("after {:?}: {error}", killed.elapsed());
    assert!(killed.elapsed() < Duration::from_secs(60));
    assert!(error.contains("cannot be reached") || error.contains("did not answer"), "{error}");
    assert!(!error.contains(SECRET_KEY) && !error.contains(ACCESS_KEY), "{error}");
    assert_eq!(std::fs::read_dir(directory.path()).expect("is there").count(), 0, "temporary files are left");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_upload_leaves_nothing_on_the_server() {
    let server = Seaweed::start().await;
    let directory = tempfile::tempdir().expect("makes a directory");
    let blobs = S3Blobs::connect(&server.options("blobs", directory.path())).expect("connects");
    let (key, content) = content(200 * MB);
    let file = spooled(&blobs, &content);
    let cut = tokio::time::timeout(Duration::from_millis(150), blobs.put_file(&key, file)).await;
    assert!(cut.is_err(), "the upload was over before it was cancelled");
    for _ in 0..50 {
        if server.unfinished_uploads().await == 0 {
            assert_eq!(blobs.size(&key).await.expect("answers"), None);
            return;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    panic!("an unfinished upload is left");
}

#[tokio::test(flavor = "multi_thread")]
async fn switching_backends_loses_nothing() {
    let mut server = Seaweed::start().await;
    let directory = tempfile::tempdir().expect("makes a directory");
    let root = directory.path();
    let mut settings = Settings::default();
    let blobs = ConfiguredBlobs::open(root, &settings).await.expect("opens");
    let old = BlobKey::image(Sha256Digest::of(b"old"));
    blobs.put_bytes(&old, b"old").await.expect("stores");

    settings.set("storage.backend", "s3").expect("sets");
    let error = check_storage(&settings, root).await.expect_err("no bucket yet").to_string();
    assert!(error.contains("storage.s3_bucket"), "{error}");
    assert!(blobs.reload(&settings).is_err());
    describe(&mut settings, &server.endpoint);
    check_storage(&settings, root).await.expect("works");
    blobs.reload(&settings).expect("switches");

    let new = BlobKey::image(Sha256Digest::of(b"new"));
    // A file begun before a switch is stored after it, wherever that is.
    let mut file = blobs.spool().expect("makes a file");
    file.write_all(b"new").expect("writes");
    blobs.put_file(&new, file).await.expect("stores");
    assert!(!root.join(new.as_str()).exists(), "it went to the local disk");
    assert_eq!((read(&blobs, &old).await, read(&blobs, &new).await), (b"old".to_vec(), b"new".to_vec()));
    assert_eq!(blobs.size(&old).await.expect("answers"), Some(3));
    assert_eq!(blobs.list(BlobKey::IMAGES).await.expect("lists").len(), 2);

    settings.set("storage.backend", "local").expect("sets");
    blobs.reload(&settings).expect("switches back");
    assert_eq!(read(&blobs, &new).await, b"new");
    let copy = BlobKey::image(Sha256Digest::of(b"copy"));
    blobs.put_bytes(&copy, b"copy").await.expect("stores");
    blobs.delete(&new).await.expect("deletes from wherever it is");
    assert!(matches!(blobs.get(&new).await.err(), Some(BlobError::Missing(_))));

    // The server gone: what is local is still served, and nothing that may be there is called missing.
    settings.set("storage.backend", "s3").expect("sets");
    blobs.reload(&settings).expect("switches");
    server.kill();
    assert_eq!(read(&blobs, &copy).await, b"copy");
    assert!(matches!(blobs.get(&new).await.err(), Some(BlobError::Remote { .. })));
    let error = check_storage(&settings, root).await.expect_err("is gone").to_string();
    assert!(error.contains("storage.s3_endpoint"), "{error}");
}

fn describe(settings: &mut Settings, endpoint: &str) {
    for (key, value) in [
        ("storage.s3_endpoint", endpoint),
        ("storage.s3_bucket", "blobs"),
        ("storage.s3_access_key", ACCESS_KEY),
        ("storage.s3_secret_key", SECRET_KEY),
    ] {
        settings.set(key, value).expect("sets");
    }
}

fn content(bytes: usize) -> (BlobKey, Vec<u8>) {
    let mut content = vec![0; bytes];
    rand::rng().fill_bytes(&mut content[..bytes.min(MB)]);
    // Different in every part without a slow random source.
    for (index, chunk) in content.chunks_mut(4096).enumerate() {
        let mark = index.to_le_bytes();
        let length = chunk.len().min(mark.len());
        chunk[..length].copy_from_slice(&mark[..length]);
    }
    (BlobKey::slug(Sha256Digest::of(&content)), content)
}

fn spooled(blobs: &dyn BlobStore, content: &[u8]) -> tempfile::NamedTempFile {
    let mut file = blobs.spool().expect("makes a file");
    file.write_all(content).expect("writes");
    assert!(Path::new(file.path()).exists());
    file
}

async fn put(blobs: &dyn BlobStore, key: &BlobKey, content: &[u8]) -> Result<u64, BlobError> {
    blobs.put_file(key, spooled(blobs, content)).await
}

async fn read(blobs: &dyn BlobStore, key: &BlobKey) -> Vec<u8> {
    let (mut reader, bytes) = blobs.get(key).await.expect("opens");
    let mut content = Vec::new();
    reader.read_to_end(&mut content).await.expect("reads");
    assert_eq!(content.len() as u64, bytes);
    content
}

#[tokio::test]
async fn what_another_process_is_writing_is_left_alone() {
    let directory = tempfile::tempdir().expect("makes a directory");
    let first = LocalBlobs::open(directory.path()).expect("opens");
    let writing = first.spool().expect("begins to write");
    let second = LocalBlobs::open(directory.path()).expect("opens beside it");
    assert!(writing.path().exists());
    drop((first, second));
    let (_, left) = writing.keep().expect("is left as a crash leaves it");
    let _third = LocalBlobs::open(directory.path()).expect("opens alone");
    assert!(!left.exists());
}

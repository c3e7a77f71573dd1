//! Blobs on S3, with a real S3 server that can be taken away. Runs alone.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, SystemTime};

use skypanel_e2e::{App, Connection, Instance, PUSH_LIMIT, Push, Running, SETTLE_LIMIT, SettingGuard, run, until};
use tempfile::TempDir;

const BUCKET: &str = "skypanel-e2e";

#[test]
fn with_s3_gone_while_building_the_push_fails_clearly_and_the_next_one_works() {
    let instance = Instance::attach();
    let mut server = S3::start(&instance);
    let described = server.describe(&instance);
    let chosen = instance.set("storage.backend", "s3");
    // Not waiting until it looks by itself, the settings are taken over by a restart.
    instance.stop();
    instance.start();
    let app = App::probe("bucket");
    app.push().live();
    assert_eq!(app.page("/"), "one");
    assert!(server.holds("slugs/"), "the slug is in the bucket");

    app.repository.write("bin/pre_compile", "#!/bin/sh\necho building for a while\nsleep 3\n");
    app.version("two");
    let mut push = app.start_push(&["skypanel", "main"]);
    push.wait_for("building for a while", PUSH_LIMIT);
    server.stop();
    Push(push.finish(PUSH_LIMIT)).refused_for("S3");
    assert_eq!(app.page("/"), "one", "the release before serves on");

    server.launch(&instance);
    app.push().live();
    app.wait_for_page("two");
    let _ = app.command("rollback", &["v1"]).success();
    app.wait_for_page("one");

    // What lies in the bucket is found there when new blobs go to the local disk again.
    drop(chosen);
    let _ = app.command("rollback", &["v2"]).success();
    app.wait_for_page("two");

    // A bucket that is only kept for what lies in it must not be in the way of what is new.
    server.stop();
    instance.stop();
    instance.start();
    app.version("local");
    app.push().live();
    app.wait_for_page("local");
    drop(described);
}

#[test]
fn what_only_dropped_releases_need_is_collected_and_nothing_else() {
    let app = App::probe("collect");
    let instance = &app.instance;
    let keep = instance.set("releases.keep", "2");
    app.push().live();
    for version in ["two", "three", "four"] {
        app.version(version);
        app.push().live();
    }
    let blobs = instance.data_dir.join("blobs");
    // Of v1 to v4, slug and image each.
    let digests = instance.query(&format!(
        "SELECT replace(d.slug_digest, 'sha256:', ''), replace(d.image_digest, 'sha256:', '')
         FROM paas_deployments d JOIN paas_applications a ON a.id = application_id WHERE slug = '{}' ORDER BY version",
        app.slug
    ));
    let of_releases: Vec<[PathBuf; 2]> = digests
        .iter()
        .map(|row| {
            let (slug, image) = row.split_once('|').expect("two columns");
            [blobs.join(format!("slugs/{slug}.tar.zst")), blobs.join(format!("images/{image}.json"))]
        })
        .collect();
    assert_eq!(of_releases.len(), 4);
    assert!(of_releases.iter().flatten().all(|blob| blob.exists()), "{of_releases:?}");
    let files = || {
        let mut find = Command::new("find");
        run(find.arg(&blobs).args(["-type", "f", "-not", "-path", "*/.*"]), SETTLE_LIMIT).success().out()
    };
    // Beside the one that each release leaves for later.
    let collect = || instance.query("SELECT id FROM skypanel_jobs.add_job('clean_up', '{}', job_key => 'now')");
    let collected = || instance.query("SELECT id FROM skypanel_jobs.jobs WHERE key = 'now'").is_empty();

    // Young blobs may belong to a build that has not written them down yet.
    collect();
    until("the young are spared", SETTLE_LIMIT, collected);
    assert!(of_releases.iter().flatten().all(|blob| blob.exists()), "{of_releases:?}");

    for file in files().lines() {
        let long_ago = SystemTime::now() - Duration::from_hours(48);
        std::fs::File::open(file).and_then(|file| file.set_modified(long_ago)).expect("can be made old");
    }
    collect();
    until("the old are collected", SETTLE_LIMIT, collected);
    for (blobs, kept) in of_releases.iter().zip([false, false, true, true]) {
        assert!(blobs.iter().all(|blob| blob.exists() == kept), "{blobs:?}");
    }
    assert!(files().contains("/layers/"), "the stack's are kept");
    let refused = app.command("rollback", &["v1"]);
    assert!(!refused.ok() && refused.err().contains("v1 is not kept any more"), "{refused:?}");
    let _ = app.command("rollback", &["v3"]).success();
    app.wait_for_page("three");
    drop(keep);
}

/// A running `weed server -s3` with a bucket, on free ports.
struct S3 {
    directory: TempDir,
    port: u16,
    running: Option<Running>,
}

impl S3 {
    fn start(instance: &Instance) -> Self {
        let directory = tempfile::Builder::new().prefix("skypanel-e2e-s3-").tempdir().expect("a temporary directory");
        let identities = r#"{"identities": [{"name": "e2e", "actions": ["Admin", "Read", "Write", "List", "Tagging"],
            "credentials": [{"accessKey": "e2e-access", "secretKey": "e2e-secret-key"}]}]}"#;
        std::fs::write(directory.path().join("s3.json"), identities).expect("its configuration can be written");
        let mut server = Self { directory, port: free_port(), running: None };
        server.launch(instance);
        server.make_bucket(instance);
        server
    }

    fn launch(&mut self, instance: &Instance) {
        let directory = self.directory.path();
        let mut weed = instance.tool("weed");
        weed.current_dir(directory).arg("server").arg(format!("-dir={}", directory.display()));
        weed.args(["-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-s3", "-master.volumeSizeLimitMB=64", "-volume.max=20"]);
        weed.arg(format!("-s3.config={}", directory.join("s3.json").display()));
        for (option, offset) in [("s3.port", 0), ("master.port", 1), ("volume.port", 2), ("filer.port", 3)] {
            weed.arg(format!("-{option}={}", self.port + offset));
        }
        self.running = Some(Running::start(&mut weed));
        until("the S3 server answers", Duration::from_mins(1), || {
            Connection::open(self.port)
                .and_then(|mut s3| s3.get("127.0.0.1", "/status"))
                .is_ok_and(|answer| answer.status < 500)
        });
    }

    fn make_bucket(&self, instance: &Instance) {
        let mut shell = instance.tool("weed");
        shell.args(["shell", &format!("-master=127.0.0.1:{}", self.port + 1)]);
        let mut running = Running::start(&mut shell);
        running.type_in(format!("s3.bucket.create -name {BUCKET}\nexit\n").as_bytes());
        running.close_input();
        let _ = running.finish(Duration::from_mins(1));
    }

    fn stop(&mut self) {
        self.running = None;
    }

    /// Describes it to Skypanel; forgotten again when the answer is dropped.
    fn describe(&self, instance: &Instance) -> [SettingGuard; 4] {
        let endpoint = format!("http://127.0.0.1:{}", self.port);
        [
            ("storage.s3_endpoint", endpoint.as_str()),
            ("storage.s3_bucket", BUCKET),
            ("storage.s3_access_key", "e2e-access"),
            ("storage.s3_secret_key", "e2e-secret-key"),
        ]
        .map(|(key, value)| instance.set(key, value))
    }

    /// Whether the bucket holds anything under this prefix.
    fn holds(&self, prefix: &str) -> bool {
        let mut find = Command::new("curl");
        find.args(["--silent", "--max-time", "10"]);
        find.arg(format!("http://127.0.0.1:{}/buckets/{BUCKET}/{prefix}?limit=1", self.port + 3));
        run(find.arg("--header").arg("Accept: application/json"), SETTLE_LIMIT).out().contains("FullPath")
    }
}

/// The first of four ports in a row that nobody uses, with room for the ones weed puts 10,000 above.
fn free_port() -> u16 {
    let free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
    let first = (20_400..30_000)
        .step_by(8)
        .find(|first| (0..4).all(|offset| free(first + offset) && free(first + offset + 10_000)));
    first.expect("there are free ports")
}

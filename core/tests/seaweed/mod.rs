//! A real S3 server for tests: SeaweedFS on loopback, with its data in a temporary directory.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{BehaviorVersion, Config, Credentials, Region};
use skypanel_core::blob::S3Options;

pub(crate) const ACCESS_KEY: &str = "skypanel-tests";
pub(crate) const SECRET_KEY: &str = "a-secret-that-no-message-repeats";

/// The server; it ends with this.
pub(crate) struct Seaweed {
    child: Child,
    pub(crate) endpoint: String,
    directory: tempfile::TempDir,
    sockets: Vec<PathBuf>,
}

impl Seaweed {
    /// Starts a server with one bucket, `blobs`.
    pub(crate) async fn start() -> Self {
        let directory = tempfile::tempdir().expect("makes a directory");
        let identities = serde_json::json!({ "identities": [{
            "name": "tests",
            "credentials": [{ "accessKey": ACCESS_KEY, "secretKey": SECRET_KEY }],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"],
        }]});
        let config = directory.path().join("s3.json");
        std::fs::write(&config, identities.to_string()).expect("writes");
        let ports = free_ports();
        let log = std::fs::File::create(directory.path().join("log")).expect("makes a log");
        let mut command = Command::new(program());
        command.args(["server", "-s3", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-master.telemetry=false"]);
        // Its other servers have fixed ports.
        command.args(["-s3.port.iceberg=0", "-s3.port.lance=0"]);
        command.args(["-master.volumeSizeLimitMB=256", "-volume.max=32", "-volume.minFreeSpace=1"]);
        command.arg(format!("-dir={}", directory.path().display()));
        command.arg(format!("-s3.config={}", config.display()));
        let names = ["master.port", "volume.port", "filer.port", "s3.port"];
        for (name, pair) in names.iter().zip(ports.chunks(2)) {
            command.arg(format!("-{name}={}", pair[0])).arg(format!("-{name}.grpc={}", pair[1]));
        }
        command.stdin(Stdio::null()).stderr(log.try_clone().expect("is a file")).stdout(log);
        let child = command.spawn().unwrap_or_else(|error| panic!("weed starts: {error}"));
        // It puts sockets beside its ports, whatever the directory for temporary files is.
        let sockets = ["master", "volume", "filer", "s3"].iter().zip(ports.chunks(2));
        let socket = |name: &str, port: u16| format!("/tmp/seaweedfs-{name}-{port}.sock").into();
        let sockets =
            sockets.flat_map(|(name, pair)| [socket(name, pair[0]), socket(&format!("{name}-grpc"), pair[1])]);
        let endpoint = format!("http://127.0.0.1:{}", ports[6]);
        let server = Self { child, endpoint, directory, sockets: sockets.collect() };
        server.make_bucket("blobs").await;
        server
    }

    async fn make_bucket(&self, name: &str) {
        let client = client(&self.options("blobs", Path::new("/")));
        for _ in 0..240 {
            if client.create_bucket().bucket(name).send().await.is_ok() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
        let log = std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default();
        panic!("weed did not come up: {log}");
    }

    /// How to reach a bucket of this server.
    pub(crate) fn options(&self, bucket: &str, spool_dir: &Path) -> S3Options {
        S3Options {
            endpoint: Some(self.endpoint.clone()),
            region: "us-east-1".to_owned(),
            bucket: bucket.to_owned(),
            access_key: ACCESS_KEY.to_owned(),
            secret_key: SECRET_KEY.to_owned(),
            path_style: true,
            spool_dir: spool_dir.to_owned(),
        }
    }

    /// Uploads that were begun and neither completed nor aborted.
    pub(crate) async fn unfinished_uploads(&self) -> usize {
        let client = client(&self.options("blobs", Path::new("/")));
        let listed = client.list_multipart_uploads().bucket("blobs").send().await.expect("lists");
        listed.uploads().len()
    }

    /// Kills the server at once.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        for socket in &self.sockets {
            let _ = std::fs::remove_file(socket);
        }
    }
}

impl Drop for Seaweed {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A client of the same making as the blob store's, for what the blob store has no call for.
fn client(options: &S3Options) -> Client {
    let http = aws_smithy_http_client::Builder::new().build_http();
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(http)
        .region(Region::new(options.region.clone()))
        .credentials_provider(Credentials::new(&options.access_key, &options.secret_key, None, None, "tests"))
        .force_path_style(true)
        .endpoint_url(options.endpoint.as_deref().expect("has an endpoint"));
    Client::from_conf(config.build())
}

/// Eight ports nobody uses, each held until all are known.
fn free_ports() -> Vec<u16> {
    let held: Vec<TcpListener> =
        (0..8).map(|_| TcpListener::bind(("127.0.0.1", 0)).expect("finds a free port")).collect();
    held.iter().map(|listener| listener.local_addr().expect("has an address").port()).collect()
}

/// On the path, or where `infra/dev/tools.sh weed` puts it.
fn program() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut places: Vec<PathBuf> = std::env::split_paths(&path).collect();
    // Where this runs, not where it was built: a build may be used by several clones.
    places.extend(std::env::var_os("CARGO_MANIFEST_DIR").map(|core| Path::new(&core).join("../.work/tools")));
    let found = places.into_iter().map(|place| place.join("weed")).find(|program| program.is_file());
    found.expect("weed is missing: run `infra/dev/tools.sh weed`")
}

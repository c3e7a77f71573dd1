//! A real certificate authority for one test: `pebble`, which speaks ACME and asks the domains itself.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use serde_json::json;
use skypanel_deployer::AcmeOptions;

use crate::name_server::{NameServer, until_open};
use crate::ports::free_port;

/// How long its certificates hold, in seconds: less than what the edge renews them before, so that it renews them
/// whenever it starts.
const VALIDITY: u32 = 10 * 24 * 3_600;

pub(crate) struct Authority {
    child: Child,
    address: SocketAddr,
    management: SocketAddr,
    directory: tempfile::TempDir,
}

impl Authority {
    /// One that finds domains by this name server, and asks them on this port.
    pub(crate) async fn start(dns: &NameServer, http_port: u16) -> Self {
        let [address, management] = [free_port(), free_port()].map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
        let directory = tempfile::tempdir().expect("makes a directory");
        let path = |name: &str| directory.path().join(name);
        // By whom its own address is certified has nothing to do with what it issues.
        let mut ca = CertificateParams::new(Vec::new()).expect("can be");
        // A name of its own: who is certified by somebody of the same name counts as self-signed.
        ca.distinguished_name.push(DnType::CommonName, "Skypanel tests");
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca = CertifiedIssuer::self_signed(ca, KeyPair::generate().expect("makes a key")).expect("is signed");
        let key = KeyPair::generate().expect("makes a key");
        let names = vec!["127.0.0.1".to_owned(), "localhost".to_owned()];
        let own = CertificateParams::new(names).expect("can be").signed_by(&key, &ca).expect("is signed");
        for (name, pem) in [("ca.pem", ca.pem()), ("own.pem", own.pem()), ("own.key", key.serialize_pem())] {
            std::fs::write(path(name), pem).expect("writes");
        }
        let config = json!({ "pebble": {
            "listenAddress": address,
            "managementListenAddress": management,
            "certificate": path("own.pem"),
            "privateKey": path("own.key"),
            "httpPort": http_port,
            "tlsPort": 1,
            "ocspResponderURL": "",
            "externalAccountBindingRequired": false,
            "certificateValidityPeriod": VALIDITY,
        }});
        std::fs::write(path("pebble.json"), config.to_string()).expect("writes");
        let child = Command::new("pebble")
            .args(["-config".as_ref(), path("pebble.json").as_os_str()])
            .args(["-dnsserver", &dns.address.to_string()])
            // It is meant for tests of clients: by itself it waits, and refuses good nonces now and then.
            .envs([("PEBBLE_VA_NOSLEEP", "1"), ("PEBBLE_WFE_NONCEREJECT", "0")])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("starts; infra/dev/prepare test installs it");
        let authority = Self { child, address, management, directory };
        until_open(address).await;
        until_open(management).await;
        authority
    }

    pub(crate) fn options(&self) -> AcmeOptions {
        AcmeOptions {
            directory: format!("https://{}/dir", self.address),
            email: "operator@example.com".to_owned(),
            ca_bundle: Some(self.path("ca.pem")),
        }
    }

    /// What a browser that trusts this authority has: its root, in a file.
    pub(crate) fn root(&self) -> PathBuf {
        let output = Command::new("curl")
            .args(["--silent", "--show-error", "--fail", "--max-time", "10", "--cacert"])
            .arg(self.path("ca.pem"))
            .arg(format!("https://{}/roots/0", self.management))
            .output()
            .expect("runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let path = self.path("root.pem");
        std::fs::write(&path, output.stdout).expect("writes");
        path
    }

    /// From now on it answers nobody; its files stay.
    pub(crate) fn stop(&mut self) {
        self.child.kill().expect("ends");
        self.child.wait().expect("ended");
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }
}

impl Drop for Authority {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Asks for `url` of a domain at this host, trusting only `root`; the status and the body, or why not.
pub(crate) fn curl(url: &str, domain: &str, port: u16, root: &Path) -> Result<(String, String), String> {
    let output = Command::new("curl")
        .args(["--silent", "--show-error", "--max-time", "10", "--noproxy", "*"])
        .args(["--write-out", "\n%{http_code} %{redirect_url}"])
        .args(["--resolve", &format!("{domain}:{port}:127.0.0.1"), "--cacert"])
        .arg(root)
        .arg(url)
        .env_remove("SSL_CERT_DIR")
        .output()
        .expect("runs");
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let (body, status) = text.rsplit_once('\n').expect("says the status");
    Ok((status.trim().to_owned(), body.to_owned()))
}

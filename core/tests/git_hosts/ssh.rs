//! A real `sshd` with a host key and an authorized key of its own.

use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// A serving `sshd`; killed when dropped.
pub(crate) struct SshHost {
    pub(crate) port: u16,
    directory: TempDir,
    process: Option<Child>,
}

impl SshHost {
    /// Starts one that lets `authorized` in, a line of an authorized_keys file.
    pub(crate) fn start(authorized: &str) -> Self {
        let directory = tempfile::tempdir().expect("makes a directory");
        // Where sshd puts its unprivileged half, if it runs as root.
        let _ = std::fs::create_dir_all("/run/sshd");
        let mut host = Self { port: crate::ports::free_port(), directory, process: None };
        host.new_host_key();
        std::fs::write(host.path("authorized_keys"), authorized).expect("writes");
        host.run();
        host
    }

    /// As if its operator had installed it anew.
    pub(crate) fn restart_with_another_host_key(&mut self) {
        self.stop();
        self.new_host_key();
        self.run();
    }

    /// Its host key, as `ssh-keyscan` prints it.
    pub(crate) fn host_key(&self) -> String {
        let key = std::fs::read_to_string(self.path("host_key.pub")).expect("reads");
        format!("[127.0.0.1]:{} {key}", self.port)
    }

    /// The address of a repository on this machine.
    pub(crate) fn url(&self, repository: &Path) -> String {
        format!("ssh://{}@127.0.0.1:{}{}", user(), self.port, repository.display())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn new_host_key(&self) {
        for name in ["host_key", "host_key.pub"] {
            let _ = std::fs::remove_file(self.path(name));
        }
        let made = Command::new("ssh-keygen")
            .args(["-q", "-t", "ed25519", "-N", "", "-f"])
            .arg(self.path("host_key"))
            .status()
            .expect("runs");
        assert!(made.success());
    }

    fn run(&mut self) {
        let at = self.directory.path().display();
        let config = format!(
            "Port {}\nListenAddress 127.0.0.1\nHostKey {at}/host_key\nAuthorizedKeysFile {at}/authorized_keys\n\
             PidFile none\nStrictModes no\nUsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n\
             PermitRootLogin prohibit-password\n",
            self.port
        );
        std::fs::write(self.path("sshd_config"), config).expect("writes");
        let log = std::fs::File::create(self.path("log")).expect("makes a file");
        let process = Command::new("/usr/sbin/sshd")
            .args(["-D", "-e", "-f"])
            .arg(self.path("sshd_config"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("starts sshd");
        self.process = Some(process);
        let started = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            let log = std::fs::read_to_string(self.path("log")).unwrap_or_default();
            assert!(started.elapsed() < Duration::from_secs(10), "sshd does not answer: {log}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

impl Drop for SshHost {
    fn drop(&mut self) {
        self.stop();
    }
}

fn user() -> String {
    let output = Command::new("id").arg("-un").output().expect("runs");
    String::from_utf8(output.stdout).expect("is text").trim().to_owned()
}

//! The yardstick for large pushes: Debian's OpenSSH server on a port of the loopback, as it comes, with
//! `git receive-pack` into a fresh bare repository that checks objects the way Skypanel does.

use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::Result;
use crate::client::Client;
use crate::process::{pause, run};

const PORT: u16 = 23_022;
const LIMIT: Duration = Duration::from_secs(20);

/// A running `sshd`. Dropping it ends it.
pub(crate) struct OpenSsh {
    child: Child,
    directory: PathBuf,
}

impl OpenSsh {
    pub(crate) fn start(directory: &Path, client: &Client) -> Result<Self> {
        fs::create_dir_all(directory)?;
        let host_key = directory.join("host_key");
        run(Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&host_key), LIMIT)?;
        let keys = directory.join("authorized_keys");
        fs::copy(client.public_key(), &keys)?;
        // Only what it takes to run beside a system's own server; algorithms and the rest are the defaults.
        let configuration = format!(
            "Port {PORT}\nListenAddress 127.0.0.1\nHostKey {}\nAuthorizedKeysFile {}\nPidFile none\nStrictModes no\n\
             UsePAM no\nPermitRootLogin prohibit-password\nPasswordAuthentication no\nUseDNS no\n",
            host_key.display(),
            keys.display()
        );
        let file = directory.join("sshd_config");
        fs::write(&file, configuration)?;
        // Debian's server wants this directory, which its start script makes.
        let _ = fs::create_dir("/run/sshd");
        let log = fs::File::create(directory.join("sshd.log"))?;
        let child = Command::new("/usr/sbin/sshd")
            .args(["-D", "-e", "-f"])
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .map_err(|error| format!("/usr/sbin/sshd could not be started: {error} (Debian: openssh-server)"))?;
        let server = Self { child, directory: directory.to_owned() };
        server.wait_until_up()?;
        Ok(server)
    }

    fn wait_until_up(&self) -> Result<()> {
        let started = Instant::now();
        while TcpStream::connect(("127.0.0.1", PORT)).is_err() {
            if started.elapsed() > LIMIT {
                let log = fs::read_to_string(self.directory.join("sshd.log")).unwrap_or_default();
                return Err(format!("sshd does not answer: {log}").into());
            }
            pause(Duration::from_millis(20))?;
        }
        Ok(())
    }

    /// Makes an empty bare repository and answers its remote address.
    pub(crate) fn repository(&self, name: &str) -> Result<(PathBuf, String)> {
        let path = self.directory.join(name);
        let mut init = Command::new("git");
        init.args(["init", "--quiet", "--bare", "--initial-branch=main"]).arg(&path);
        run(&mut init, LIMIT)?;
        for (key, value) in [("receive.fsckObjects", "true"), ("receive.autogc", "false"), ("gc.auto", "0")] {
            run(Command::new("git").arg("-C").arg(&path).args(["config", key, value]), LIMIT)?;
        }
        let user = whoami()?;
        let remote = format!("ssh://{user}@127.0.0.1:{PORT}{}", path.display());
        Ok((path, remote))
    }
}

impl Drop for OpenSsh {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn whoami() -> Result<String> {
    Ok(run(Command::new("id").arg("-un"), LIMIT)?.output.trim().to_owned())
}

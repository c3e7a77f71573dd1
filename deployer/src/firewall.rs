//! Keeps containers of apps and builds away from the host's own ports and from the cloud's metadata service.
//! Two chains of our own, replaced as one, hooked once into the chains of the host and of the engine.

use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use crate::DeployError;
use crate::host::BRIDGE;

/// The bridge of build containers, as the build crate names it.
const BUILD_BRIDGE: &str = "skypanel-build0";
const INPUT: &str = "SKYPANEL-INPUT";
const FORWARD: &str = "SKYPANEL-FORWARD";
const LINK_LOCAL: &str = "169.254.0.0/16";
const LIMIT: Duration = Duration::from_secs(15);
/// Longest to wait for another program that is changing the rules, in seconds.
const LOCK_WAIT: &str = "10";
/// iptables lies here, which is not in every user's `PATH`.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Brings the rules in place. What is there already stays; other rules are never touched.
pub(crate) async fn ensure() -> Result<(), DeployError> {
    let resolvers = tokio::fs::read_to_string("/etc/resolv.conf").await.unwrap_or_default();
    let rules = rules(&own_and_link_local_resolvers(&resolvers));
    let restore = ["--wait", LOCK_WAIT, "--noflush"];
    let output = run("iptables-restore", &restore, &rules).await?;
    if !output.status.success() {
        return Err(refused("iptables-restore", &output.stderr));
    }
    hook("INPUT", INPUT).await?;
    // The engine makes this chain when it starts and calls it before its own rules.
    hook("DOCKER-USER", FORWARD).await
}

/// Both chains in the form of `iptables-restore`, which replaces them as one.
fn rules(resolvers: &Resolvers) -> String {
    let mut lines = vec![
        "*filter".to_owned(),
        format!(":{INPUT} - [0:0]"),
        format!(":{FORWARD} - [0:0]"),
        format!("-A {INPUT} -m conntrack --ctstate RELATED,ESTABLISHED -j RETURN"),
    ];
    for bridge in [BRIDGE, BUILD_BRIDGE] {
        for (chain, addresses) in [(INPUT, &resolvers.own), (FORWARD, &resolvers.link_local)] {
            for address in addresses {
                for protocol in ["udp", "tcp"] {
                    lines.push(format!("-A {chain} -i {bridge} -d {address}/32 -p {protocol} --dport 53 -j RETURN"));
                }
            }
        }
        lines.push(format!("-A {INPUT} -i {bridge} -j DROP"));
        lines.push(format!("-A {FORWARD} -i {bridge} -d {LINK_LOCAL} -j DROP"));
    }
    lines.push("COMMIT\n".to_owned());
    lines.join("\n")
}

/// Name servers that the rules would cut off, though containers ask them through the engine's own resolver.
#[derive(Debug, Default, PartialEq, Eq)]
struct Resolvers {
    /// On an address of this host.
    own: Vec<Ipv4Addr>,
    /// On a link-local address, as clouds have it.
    link_local: Vec<Ipv4Addr>,
}

fn own_and_link_local_resolvers(resolv_conf: &str) -> Resolvers {
    let mut resolvers = Resolvers::default();
    for line in resolv_conf.lines() {
        let Some(IpAddr::V4(address)) =
            line.trim().strip_prefix("nameserver").and_then(|rest| rest.trim().parse().ok())
        else {
            continue;
        };
        if address.is_link_local() {
            resolvers.link_local.push(address);
        } else if !address.is_loopback() && UdpSocket::bind((address, 0)).is_ok() {
            // Only an address of this host can be bound. The loopback ones the engine asks from the host itself.
            resolvers.own.push(address);
        }
    }
    resolvers
}

/// Calls `chain` first thing in `from`.
async fn hook(from: &str, chain: &str) -> Result<(), DeployError> {
    let check = run("iptables", &["--wait", LOCK_WAIT, "-C", from, "-j", chain], "").await?;
    if check.status.success() {
        return Ok(());
    }
    let insert = run("iptables", &["--wait", LOCK_WAIT, "-I", from, "1", "-j", chain], "").await?;
    if insert.status.success() { Ok(()) } else { Err(refused("iptables", &insert.stderr)) }
}

async fn run(program: &str, arguments: &[&str], input: &str) -> Result<std::process::Output, DeployError> {
    let missing = |error: std::io::Error| {
        DeployError::Host(format!(
            "The firewall rules that keep apps away from this host's ports need {program}, which cannot be run: {error}. \
             On Debian: apt-get install iptables."
        ))
    };
    let mut child = Command::new(program)
        .args(arguments)
        .env("PATH", PATH)
        .env("LC_ALL", "C")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(missing)?;
    let work = async {
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(input.as_bytes()).await?;
        }
        child.wait_with_output().await
    };
    tokio::time::timeout(LIMIT, work)
        .await
        .map_err(|_| DeployError::Host(format!("{program} did not end within {} s.", LIMIT.as_secs())))?
        .map_err(missing)
}

fn refused(program: &str, stderr: &[u8]) -> DeployError {
    DeployError::Host(format!(
        "{program} refused the rules that keep apps away from this host's ports: {} Skypanel needs root for them.",
        String::from_utf8_lossy(stderr).trim()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_is_closed_after_what_is_established_and_its_resolvers() {
        let resolvers =
            Resolvers { own: vec![Ipv4Addr::new(10, 0, 0, 1)], link_local: vec![Ipv4Addr::new(169, 254, 169, 253)] };
        let rules = rules(&resolvers);
        let at = |line: &str| rules.lines().position(|l| l == line).unwrap_or_else(|| panic!("{line} in {rules}"));
        for bridge in ["docker_gwbridge", "skypanel-build0"] {
            let drop = at(&format!("-A SKYPANEL-INPUT -i {bridge} -j DROP"));
            assert!(at("-A SKYPANEL-INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j RETURN") < drop);
            assert!(at(&format!("-A SKYPANEL-INPUT -i {bridge} -d 10.0.0.1/32 -p udp --dport 53 -j RETURN")) < drop);
            let metadata = at(&format!("-A SKYPANEL-FORWARD -i {bridge} -d 169.254.0.0/16 -j DROP"));
            let cloud = format!("-A SKYPANEL-FORWARD -i {bridge} -d 169.254.169.253/32 -p tcp --dport 53 -j RETURN");
            assert!(at(&cloud) < metadata);
        }
    }

    #[test]
    fn only_name_servers_that_the_rules_would_cut_off_are_excepted() {
        let text =
            "# comment\nnameserver 127.0.0.53\nnameserver 192.0.2.200\nnameserver 169.254.169.253\nnameserver ::1\n";
        let expected = Resolvers { own: vec![], link_local: vec![Ipv4Addr::new(169, 254, 169, 253)] };
        assert_eq!(own_and_link_local_resolvers(text), expected);
    }
}

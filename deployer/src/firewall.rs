//! Keeps containers of apps and builds away from the host's own ports and from the cloud's metadata service.
//! Two chains of our own, replaced as one, hooked once into the chains of the host and of the engine; for IPv4, and
//! for IPv6 where the host knows it.

use std::net::{IpAddr, UdpSocket};
use std::process::Stdio;
use std::sync::Once;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use crate::DeployError;
use crate::host::BRIDGE;

/// The bridge of build containers, as the build crate names it.
const BUILD_BRIDGE: &str = "skypanel-build0";
const INPUT: &str = "SKYPANEL-INPUT";
const FORWARD: &str = "SKYPANEL-FORWARD";
const LIMIT: Duration = Duration::from_secs(15);
/// Longest to wait for another program that is changing the rules, in seconds.
const LOCK_WAIT: &str = "10";
/// iptables lies here, which is not in every user's `PATH`.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What differs between the two versions of IP.
struct Family {
    program: &'static str,
    restore: &'static str,
    /// Length of a prefix that is one address.
    host_prefix: u8,
    /// Where clouds have their metadata service.
    metadata: &'static str,
    /// Beginnings of rules for what a container needs of the host's bridge itself.
    needed: &'static [&'static str],
    is: fn(&IpAddr) -> bool,
}

const IPV4: Family = Family {
    program: "iptables",
    restore: "iptables-restore",
    host_prefix: 32,
    metadata: "169.254.0.0/16",
    needed: &[],
    is: IpAddr::is_ipv4,
};

/// The engine gives containers addresses of it only where its operator has told it to.
const IPV6: Family = Family {
    program: "ip6tables",
    restore: "ip6tables-restore",
    host_prefix: 128,
    metadata: "fd00:ec2::254/128",
    // Without these a container would not find its own gateway.
    needed: &[
        "-p ipv6-icmp --icmpv6-type neighbour-solicitation",
        "-p ipv6-icmp --icmpv6-type neighbour-advertisement",
    ],
    is: IpAddr::is_ipv6,
};

/// Brings the rules in place. What is there already stays; other rules are never touched.
pub(crate) async fn ensure() -> Result<(), DeployError> {
    let resolvers = tokio::fs::read_to_string("/etc/resolv.conf").await.unwrap_or_default();
    let resolvers = own_and_link_local_resolvers(&resolvers);
    close(&IPV4, &resolvers).await?;
    let listed = run(IPV6.program, &["--wait", LOCK_WAIT, "-n", "-L", "INPUT"], "").await;
    match listed {
        Ok(output) if output.status.success() => close(&IPV6, &resolvers).await,
        _ => {
            static TOLD: Once = Once::new();
            TOLD.call_once(|| tracing::info!("this host has no ip6tables that works; there are no rules for IPv6"));
            Ok(())
        }
    }
}

async fn close(family: &Family, resolvers: &Resolvers) -> Result<(), DeployError> {
    let restore = ["--wait", LOCK_WAIT, "--noflush"];
    let output = run(family.restore, &restore, &rules(family, resolvers)).await?;
    if !output.status.success() {
        return Err(refused(family.restore, &output.stderr));
    }
    hook(family, "INPUT", INPUT).await?;
    // The engine makes this chain when it starts and calls it before its own rules; for IPv6 not every engine does.
    let engines = run(family.program, &["--wait", LOCK_WAIT, "-n", "-L", "DOCKER-USER"], "").await?;
    hook(family, if engines.status.success() { "DOCKER-USER" } else { "FORWARD" }, FORWARD).await
}

/// Both chains in the form of `iptables-restore`, which replaces them as one.
fn rules(family: &Family, resolvers: &Resolvers) -> String {
    let mut lines = vec![
        "*filter".to_owned(),
        format!(":{INPUT} - [0:0]"),
        format!(":{FORWARD} - [0:0]"),
        format!("-A {INPUT} -m conntrack --ctstate RELATED,ESTABLISHED -j RETURN"),
    ];
    for bridge in [BRIDGE, BUILD_BRIDGE] {
        for (chain, addresses) in [(INPUT, &resolvers.own), (FORWARD, &resolvers.link_local)] {
            for address in addresses.iter().filter(|address| (family.is)(address)) {
                for protocol in ["udp", "tcp"] {
                    let to = format!("{address}/{}", family.host_prefix);
                    lines.push(format!("-A {chain} -i {bridge} -d {to} -p {protocol} --dport 53 -j RETURN"));
                }
            }
        }
        lines.extend(family.needed.iter().map(|needed| format!("-A {INPUT} -i {bridge} {needed} -j RETURN")));
        lines.push(format!("-A {INPUT} -i {bridge} -j DROP"));
        lines.push(format!("-A {FORWARD} -i {bridge} -d {} -j DROP", family.metadata));
    }
    lines.push("COMMIT\n".to_owned());
    lines.join("\n")
}

/// Name servers that the rules would cut off, though containers ask them through the engine's own resolver.
#[derive(Debug, Default, PartialEq, Eq)]
struct Resolvers {
    /// On an address of this host.
    own: Vec<IpAddr>,
    /// On a link-local address, as clouds have it.
    link_local: Vec<IpAddr>,
}

fn own_and_link_local_resolvers(resolv_conf: &str) -> Resolvers {
    let mut resolvers = Resolvers::default();
    for line in resolv_conf.lines() {
        let address = line.trim().strip_prefix("nameserver").and_then(|rest| rest.trim().parse().ok());
        let Some(address): Option<IpAddr> = address else { continue };
        if matches!(address, IpAddr::V4(address) if address.is_link_local()) {
            resolvers.link_local.push(address);
        } else if !address.is_loopback() && UdpSocket::bind((address, 0)).is_ok() {
            // Only an address of this host can be bound. The loopback ones the engine asks from the host itself.
            resolvers.own.push(address);
        }
    }
    resolvers
}

/// Calls `chain` first thing in `from`.
async fn hook(family: &Family, from: &str, chain: &str) -> Result<(), DeployError> {
    let check = run(family.program, &["--wait", LOCK_WAIT, "-C", from, "-j", chain], "").await?;
    if check.status.success() {
        return Ok(());
    }
    let insert = run(family.program, &["--wait", LOCK_WAIT, "-I", from, "1", "-j", chain], "").await?;
    if insert.status.success() { Ok(()) } else { Err(refused(family.program, &insert.stderr)) }
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

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn the_host_is_closed_after_what_is_established_and_its_resolvers() {
        let resolvers = Resolvers {
            own: vec![address("10.0.0.1"), address("fd00::1")],
            link_local: vec![address("169.254.169.253")],
        };
        for (family, own, metadata) in
            [(&IPV4, "10.0.0.1/32", "169.254.0.0/16"), (&IPV6, "fd00::1/128", "fd00:ec2::254/128")]
        {
            let rules = rules(family, &resolvers);
            let at = |line: &str| rules.lines().position(|l| l == line).unwrap_or_else(|| panic!("{line} in {rules}"));
            for bridge in ["docker_gwbridge", "skypanel-build0"] {
                let drop = at(&format!("-A SKYPANEL-INPUT -i {bridge} -j DROP"));
                assert!(at("-A SKYPANEL-INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j RETURN") < drop);
                assert!(at(&format!("-A SKYPANEL-INPUT -i {bridge} -d {own} -p udp --dport 53 -j RETURN")) < drop);
                at(&format!("-A SKYPANEL-FORWARD -i {bridge} -d {metadata} -j DROP"));
            }
            assert_eq!(rules.matches("--dport 53").count(), if family.host_prefix == 32 { 8 } else { 4 }, "{rules}");
            assert_eq!(rules.contains("neighbour-solicitation"), family.host_prefix == 128);
        }
        let rules = rules(&IPV4, &resolvers);
        let cloud = "-A SKYPANEL-FORWARD -i docker_gwbridge -d 169.254.169.253/32 -p tcp --dport 53 -j RETURN";
        assert!(rules.find(cloud) < rules.find("-A SKYPANEL-FORWARD -i docker_gwbridge -d 169.254.0.0/16 -j DROP"));
        assert!(rules.contains(cloud), "{rules}");
    }

    #[test]
    fn only_name_servers_that_the_rules_would_cut_off_are_excepted() {
        let text = "# comment\nnameserver 127.0.0.53\nnameserver 192.0.2.200\nnameserver 169.254.169.253\nnameserver ::1\n\
             nameserver 2001:db8::1\n";
        let expected = Resolvers { own: vec![], link_local: vec![address("169.254.169.253")] };
        assert_eq!(own_and_link_local_resolvers(text), expected);
    }
}

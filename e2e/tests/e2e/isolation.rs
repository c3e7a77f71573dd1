//! What an app can reach and what it may do: nothing of other apps, nothing of the host, nothing as root.
//!
//! A network may answer connections in the name of anybody, so what counts is what is heard, not whether a
//! connection was made.

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::Value;
use skypanel_e2e::{App, COMMAND_LIMIT, Engine, Instance, run};

#[test]
fn an_app_hears_nothing_from_another_apps_tasks() {
    let (mine, theirs) = (App::probe("isolated-a"), App::probe("isolated-b"));
    mine.push().live();
    theirs.version("the words of the other app");
    theirs.push().live();
    let targets = task_addresses(&theirs);
    assert!(targets.len() >= 2, "overlay and bridge: {targets:?}");
    let own = task_addresses(&mine);

    let heard = mine.hears(targets.iter().chain(&own).map(String::as_str).chain(["web:5000", "127.0.0.1:5000"]));
    assert!(heard["127.0.0.1:5000"].ends_with("one"), "the probe hears itself: {heard:?}");
    assert!(heard["web:5000"].ends_with("one"), "an app reaches its own processes by name: {heard:?}");
    for target in &targets {
        assert!(!heard[target].contains("the words of the other app"), "{target} was reached: {heard:?}");
    }
    let names = [format!("skypanel-{}--web:5000", theirs.slug), format!("tasks.skypanel-{}--web:5000", theirs.slug)];
    for (name, text) in mine.hears(names.iter().map(String::as_str)) {
        assert!(!text.contains("the words of the other app"), "{name} was reached");
    }
}

#[test]
fn an_app_hears_nothing_from_any_port_of_the_host() {
    let app = App::probe("host-ports");
    app.push().live();
    let ports = host_ports(&app.instance);
    let heard = app.hears(ports.iter().map(String::as_str));
    for (address, text) in &heard {
        assert!(!sounds_like_the_host(text), "{address} was heard: {text:?}");
    }
    assert!(heard.len() >= 10, "{heard:?}");
}

#[test]
fn a_build_hears_nothing_from_the_host_and_has_no_engine() {
    let app = App::probe("build-net");
    app.repository.write("addresses", host_ports(&app.instance).join("\n"));
    app.repository.write(
        "bin/pre_compile",
        r#"#!/usr/bin/env python3
import os, socket
from concurrent.futures import ThreadPoolExecutor

def hear(address):
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host, int(port)), timeout=2) as connection:
            connection.settimeout(2)
            connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
            return connection.recv(200)
    except OSError:
        return b""

addresses = open("addresses").read().split()
with ThreadPoolExecutor(32) as pool:
    for address, text in zip(addresses, pool.map(hear, addresses)):
        print(f"heard {address}: {text!r}")
status = dict(line.split(":\t") for line in open("/proc/self/status").read().splitlines() if ":\t" in line)
print("uid", os.getuid(), "groups", os.getgroups())
print("capabilities", status["CapEff"].strip(), "new privileges", status["NoNewPrivs"].strip())
print("engine", [path for path in ("/var/run/docker.sock", "/run/docker.sock") if os.path.exists(path)])
"#,
    );
    app.commit("Look around while building");
    let output = app.push().live();
    let heard: Vec<&str> = output.lines().filter(|line| line.contains("heard ")).collect();
    assert!(heard.len() >= 10, "{output}");
    for line in heard {
        assert!(!sounds_like_the_host(line), "{line}");
    }
    for expected in ["uid 10001", "capabilities 0000000000000000 new privileges 1", "engine []"] {
        assert!(output.contains(expected), "{expected:?} is not in:\n{output}");
    }
}

#[test]
fn processes_are_nobody_special_and_their_memory_is_limited() {
    let app = App::probe("powers");
    app.push().live();
    let _ = app.command("ps:scale", &["worker=1"]).success();
    let engine = Engine::of(&app.instance);
    for process in ["web", "worker"] {
        let task = &engine.tasks(&app.slug, process)[0];
        let host = &task["HostConfig"];
        assert_eq!(host["Memory"], 512 << 20, "{process}: the plan's memory");
        assert_eq!(host["NanoCpus"], 500_000_000, "{process}: the plan's CPU");
        assert_eq!(host["Privileged"], false, "{process}");
        assert!(host["PidsLimit"].as_i64().is_some_and(|limit| limit > 0), "{process}: {host}");
        let binds = host["Binds"].as_array().is_none_or(Vec::is_empty);
        let mounts: Vec<&Value> =
            task["Mounts"].as_array().into_iter().flatten().filter(|mount| mount["Type"] == "bind").collect();
        assert!(
            binds
                && mounts
                    .iter()
                    .all(|mount| mount["Destination"].as_str().is_some_and(|path| path.starts_with("/run/secrets/")))
        );
        // Process 1 is init, the next one the app's own.
        for pid in children(task["State"]["Pid"].as_u64().expect("it runs")) {
            let status = status(pid);
            assert_eq!(status["Uid"], "10001\t10001\t10001\t10001", "{process}");
            for set in ["CapInh", "CapPrm", "CapEff", "CapAmb", "CapBnd"] {
                assert_eq!(status[set], "0000000000000000", "{process}: {set}");
            }
            assert_eq!(status["NoNewPrivs"], "1", "{process}");
        }
    }
    let inside =
        app.run("id -u; grep -E 'Cap(Eff|Prm|Bnd)|NoNewPrivs' /proc/self/status; ls /var/run/docker.sock").out();
    assert_eq!(inside.lines().next(), Some("10001"), "{inside}");
    assert!(inside.contains("NoNewPrivs:\t1") && !inside.contains("docker.sock"), "{inside}");
    assert_eq!(inside.matches("0000000000000000").count(), 3, "{inside}");
    let greedy = app.run(r#"python3 -c "print(len(b'x' * (700 << 20)))""#);
    assert_eq!(greedy.status, Some(137), "700 MB are more than the plan's 512: {greedy:?}");
    let writes = app.run("touch /etc/x /usr/bin/x /.skypanel/x; test -w /app && echo app is writable").out();
    assert_eq!(writes, "app is writable\n");
}

trait Hears {
    fn hears<'a>(&self, addresses: impl IntoIterator<Item = &'a str>) -> BTreeMap<String, String>;
}

impl Hears for App {
    /// What the app's web process hears from each address when it asks for a page.
    #[track_caller]
    fn hears<'a>(&self, addresses: impl IntoIterator<Item = &'a str>) -> BTreeMap<String, String> {
        let query: Vec<String> = addresses.into_iter().map(|address| format!("to={address}")).collect();
        let mut heard = BTreeMap::new();
        for part in query.chunks(40) {
            let answer = self.page(&format!("/connect?{}", part.join("&")));
            heard.extend(serde_json::from_str::<BTreeMap<String, String>>(&answer).expect("the probe answers JSON"));
        }
        heard
    }
}

/// Addresses of an app's web task, on its own network and on the bridge to the host.
#[track_caller]
fn task_addresses(app: &App) -> Vec<String> {
    let task = &Engine::of(&app.instance).tasks(&app.slug, "web")[0];
    let id = task["Id"].as_str().expect("it has an id");
    let mut addresses: Vec<String> = task["NetworkSettings"]["Networks"]
        .as_object()
        .into_iter()
        .flatten()
        .filter_map(|(_, network)| network["IPAddress"].as_str().map(str::to_owned))
        .collect();
    let bridge = Engine::inspect("network", "docker_gwbridge");
    let on_bridge = bridge["Containers"][id]["IPv4Address"].as_str().expect("it is on the bridge");
    addresses.extend(on_bridge.split('/').next().map(str::to_owned));
    addresses.retain(|address| !address.is_empty());
    addresses.sort();
    addresses.dedup();
    addresses.into_iter().map(|address| format!("{address}:5000")).collect()
}

/// Every TCP port something listens on outside the loopback, at every address of this host; and Skypanel's own ports,
/// wherever they listen.
#[track_caller]
fn host_ports(instance: &Instance) -> Vec<String> {
    let ask =
        |program: &str, arguments: &[&str]| run(Command::new(program).args(arguments), COMMAND_LIMIT).success().out();
    let mut ports: Vec<u16> = ask("ss", &["-Htln"])
        .lines()
        .filter_map(|line| line.split_whitespace().nth(3))
        .filter(|address| !address.starts_with("127.") && !address.starts_with("[::1]"))
        .filter_map(|address| address.rsplit(':').next()?.parse().ok())
        .collect();
    ports.extend([instance.ssh_port, instance.api_port, instance.image_port, instance.metrics_port]);
    ports.extend([instance.http_port, instance.https_port]);
    ports.extend([22, 2375, 2377, 5432, 7946]);
    ports.sort_unstable();
    ports.dedup();
    let addresses: Vec<String> = ask("ip", &["-brief", "-4", "address"])
        .lines()
        .flat_map(|line| line.split_whitespace().skip(2).map(str::to_owned).collect::<Vec<_>>())
        .filter_map(|address| address.split('/').next().map(str::to_owned))
        .filter(|address| !address.starts_with("127.") && address.parse::<std::net::Ipv4Addr>().is_ok())
        .collect();
    assert!(!addresses.is_empty(), "this host has addresses");
    addresses.iter().flat_map(|address| ports.iter().map(move |port| format!("{address}:{port}"))).collect()
}

/// Whether this is the voice of Skypanel, its edge, the engine or a service of the host, and not of a network in
/// between that answers for everybody.
fn sounds_like_the_host(text: &str) -> bool {
    ["SSH-", "Skypanel", "HTTPS server", "no app here", "404 page", "registry", "docker", "Docker", "PostgreSQL"]
        .iter()
        .any(|voice| text.contains(voice))
}

fn children(pid: u64) -> Vec<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    let found: Vec<u64> = text.split_whitespace().filter_map(|pid| pid.parse().ok()).collect();
    assert!(!found.is_empty(), "init has a child");
    found
}

fn status(pid: u64) -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    text.lines()
        .filter_map(|line| line.split_once(":\t"))
        .map(|(key, value)| (key.to_owned(), value.trim().to_owned()))
        .collect()
}

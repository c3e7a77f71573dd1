//! What a task cannot do: reach another app's tasks, the host's ports, the cloud's metadata; and what it can: its own
//! app's processes, and names.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bollard::container::LogOutput;
use bollard::exec::{CreateExecOptions, StartExecResults};
use bollard::models::NetworkInspect;
use bollard::query_parameters::InspectNetworkOptions;
use futures_util::StreamExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::task::command;
use crate::world::World;

/// What a task must not get to read.
const SECRET: &str = "not for others";

/// Runs a line of bash inside a container; answers what it writes.
async fn inside(world: &World, container: &str, line: &str) -> String {
    let options = CreateExecOptions {
        cmd: Some(vec!["/bin/bash", "-c", line]),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        ..Default::default()
    };
    let exec = world.engine.create_exec(container, options).await.expect("is made");
    let StartExecResults::Attached { mut output, .. } = world.engine.start_exec(&exec.id, None).await.expect("starts")
    else {
        panic!("is attached");
    };
    let mut text = String::new();
    while let Some(piece) = output.next().await {
        if let LogOutput::StdOut { message } | LogOutput::StdErr { message } = piece.expect("reads") {
            text.push_str(&String::from_utf8_lossy(&message));
        }
    }
    text.trim().to_owned()
}

/// What an HTTP server answers to a task that asks it; nothing where it cannot be reached. An open port proves little,
/// as networks may have something of their own that takes every connection.
async fn ask(world: &World, container: &str, host: &str, port: u16) -> String {
    let line = format!(
        "exec 3<>/dev/tcp/{host}/{port} && printf 'GET / HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n' >&3 && cat <&3"
    );
    inside(world, container, &format!("timeout 1 bash -c \"{line}\" 2>/dev/null")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_reaches_its_own_app_and_nothing_of_ours() {
    let mut world = World::new().await;
    let (mine, other) = (world.app().await, world.app().await);
    let (web, worker) = (command("web"), command("worker"));
    let processes = [("web", web.as_str()), ("worker", worker.as_str())];
    for app in [&mine, &other] {
        world.configure(app, &[("GREETING", SECRET)]).await;
    }
    world.release(&mine, &processes, &[("web", 1), ("worker", 1)]).await.expect("goes live");
    world.release(&other, &processes[..1], &[("web", 1)]).await.expect("goes live");
    let of = |slug: &str, process: &str| [("skypanel.app", slug.to_owned()), ("skypanel.process", process.to_owned())];
    let find = async |slug: &str, process: &str| {
        let labels = of(slug, process);
        let labels: Vec<_> = labels.iter().map(|(key, value)| (*key, value.as_str())).collect();
        world.containers(&labels).await.pop().expect("one runs")
    };
    let task = find(mine.slug.as_str(), "worker").await;
    let own_web = find(mine.slug.as_str(), "web").await;
    let victim = find(other.slug.as_str(), "web").await;

    // Its own app, by name.
    let answer = ask(&world, &task, "web", 5000).await;
    assert!(answer.contains(SECRET), "{answer}");

    // The other app, at every address that it has.
    let mut addresses = Vec::new();
    for network in ["docker_gwbridge".to_owned(), format!("skypanel-{}", other.slug)] {
        let found: NetworkInspect =
            world.engine.inspect_network(&network, None::<InspectNetworkOptions>).await.expect("is there");
        let endpoint = found.containers.unwrap_or_default().remove(&victim).expect("is attached");
        let address = endpoint.ipv4_address.expect("has one");
        addresses.push(address.split('/').next().expect("an address").to_owned());
    }
    for address in &addresses {
        for from in [&task, &own_web] {
            let answer = ask(&world, from, address, 5000).await;
            assert!(!answer.contains(SECRET), "{address}: {answer}");
        }
    }
    // The host itself reaches it, so that it was the isolation and not the task.
    let over_bridge: SocketAddr = format!("{}:5000", addresses[0]).parse().expect("an address");
    assert!(crate::load::get(over_bridge, "x").await.expect("answers").1.contains(SECRET));

    // The host's ports: the edge's, and one that listens everywhere, at the host's addresses that a task can know.
    let port = serve_everywhere().await;
    let bridge: NetworkInspect =
        world.engine.inspect_network("docker_gwbridge", None::<InspectNetworkOptions>).await.expect("is there");
    let gateway = bridge.ipam.and_then(|ipam| ipam.config?.pop()?.gateway).expect("has a gateway");
    for host in [gateway, host_address(), "127.0.0.1".to_owned()] {
        for port in [port, world.edge.port()] {
            let answer = ask(&world, &task, &host, port).await;
            assert!(!answer.contains(SECRET) && !answer.contains("_edge"), "{host}:{port}: {answer}");
        }
        let own: SocketAddr = format!("{host}:{port}").parse().expect("an address");
        assert!(crate::load::get(own, "x").await.expect("the host reaches its own port").1.contains(SECRET));
    }
    assert_eq!(ask(&world, &task, "169.254.169.254", 80).await, "");
    // Nothing else of the host either: whatever listens, Swarm's own ports among it, and over either version of IP.
    closed(&world, &task, &host_addresses(&world).await).await;

    // It is nobody, with no rights to gain.
    assert_eq!(inside(&world, &task, "id -u; id -g").await, "10001\n10001");
    let status = inside(&world, &task, "cat /proc/1/status").await;
    for line in
        ["CapPrm:\t0000000000000000", "CapEff:\t0000000000000000", "CapBnd:\t0000000000000000", "NoNewPrivs:\t1"]
    {
        assert!(status.contains(line), "{line} in {status}");
    }
    world.close().await;
}

/// The addresses of this host that a task might try: the bridge's, and those by which it is known outside.
async fn host_addresses(world: &World) -> Vec<IpAddr> {
    let bridge: NetworkInspect =
        world.engine.inspect_network("docker_gwbridge", None::<InspectNetworkOptions>).await.expect("is there");
    let gateway = bridge.ipam.and_then(|ipam| ipam.config?.pop()?.gateway).expect("has a gateway");
    let mut addresses: Vec<IpAddr> = vec![gateway.parse().expect("is one"), host_address().parse().expect("is one")];
    // The hexadecimal digits, index, length of the prefix, scope, flags and device of each.
    for line in std::fs::read_to_string("/proc/net/if_inet6").unwrap_or_default().lines() {
        let mut fields = line.split_whitespace();
        let (digits, device) = (fields.next().expect("an address"), fields.next_back().expect("a device"));
        let address = u128::from_str_radix(digits, 16).expect("is one").to_be_bytes();
        let address = std::net::Ipv6Addr::from(address);
        if device == "docker_gwbridge" || !(address.is_loopback() || address.is_unicast_link_local()) {
            addresses.push(address.into());
        }
    }
    addresses
}

/// Asserts that no port of the host that something listens on takes a connection, and that no datagram arrives.
async fn closed(world: &World, task: &str, addresses: &[IpAddr]) {
    let mut ports = BTreeSet::from([2377, 7946, 4789]);
    for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
        for line in std::fs::read_to_string(table).unwrap_or_default().lines().skip(1) {
            let fields: Vec<&str> = line.split_whitespace().collect();
            // 0A is a listener; its own address is the second field.
            if fields[3] == "0A" {
                let port = fields[1].rsplit(':').next().expect("a port");
                ports.insert(u16::from_str_radix(port, 16).expect("is one"));
            }
        }
    }
    let datagrams = tokio::net::UdpSocket::bind("[::]:0").await.expect("binds");
    let port = datagrams.local_addr().expect("is bound").port();
    let ports = ports.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    for address in addresses {
        // A link-local address is one of the device that leads to it.
        let scope = if matches!(address, IpAddr::V6(v6) if v6.is_unicast_link_local()) { "%eth1" } else { "" };
        let line = format!(
            "for p in {ports}; do timeout 2 bash -c \"</dev/tcp/{address}{scope}/$p\" 2>/dev/null && echo open $p & done; \
             echo x 2>/dev/null >/dev/udp/{address}{scope}/{port}; wait"
        );
        assert_eq!(inside(world, task, &line).await, "", "of {address}, {ports} tried");
    }
    let arrived = tokio::time::timeout(Duration::from_millis(200), datagrams.recv_from(&mut [0; 16])).await;
    assert!(arrived.is_err(), "a datagram arrived: {arrived:?}");
    // The same from the host arrives, so that it was the rules.
    let own = tokio::net::UdpSocket::bind("0.0.0.0:0").await.expect("binds");
    own.send_to(b"x", (addresses[0], port)).await.expect("is sent");
    let arrived = tokio::time::timeout(Duration::from_secs(2), datagrams.recv_from(&mut [0; 16])).await;
    assert!(arrived.is_ok(), "the host reaches itself");
    for program in ["iptables", "ip6tables"] {
        let rules = std::process::Command::new(program).args(["--wait", "-S"]).output().expect("runs");
        // Only a kernel without IPv6 has none.
        if !rules.status.success() && program == "ip6tables" {
            continue;
        }
        let rules = String::from_utf8_lossy(&rules.stdout).into_owned();
        for rule in ["-A INPUT -j SKYPANEL-INPUT", "-A SKYPANEL-INPUT -i docker_gwbridge -j DROP"] {
            assert!(rules.contains(rule), "{program} lacks {rule}: {rules}");
        }
    }
}

/// A server of the host on all its addresses; answers its port.
async fn serve_everywhere() -> u16 {
    let listener = tokio::net::TcpListener::bind("0.0.0.0:0").await.expect("binds");
    let port = listener.local_addr().expect("is bound").port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{SECRET}", SECRET.len());
            let _ = stream.read(&mut [0; 1024]).await;
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    port
}

/// The address by which this host is known outside.
fn host_address() -> String {
    let socket = std::net::UdpSocket::bind("0.0.0.0:0").expect("binds");
    // Sends nothing: only chooses the route.
    socket.connect("192.0.2.1:9").expect("has a route");
    socket.local_addr().expect("has an address").ip().to_string()
}

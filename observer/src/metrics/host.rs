//! What the machine itself uses, from the kernel's files.

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::Path;

use super::counters::HostCounters;
use super::files::{Roots, read};

/// Ticks a second in which the kernel counts time for programs. The same on every machine that Linux runs on today.
const TICKS: f64 = 100.0;
/// A connection that is open, as the kernel writes it.
const ESTABLISHED: &str = "01";

/// Reads them; `disk` is a directory on the disk that counts.
pub(crate) fn measure(roots: &Roots, disk: &Path, buffer: &mut String) -> io::Result<HostCounters> {
    read(&roots.proc.join("stat"), buffer)?;
    let busy = busy(buffer).ok_or(io::ErrorKind::InvalidData)?;
    read(&roots.proc.join("meminfo"), buffer)?;
    let kilobytes = |name: &str| {
        buffer.lines().find_map(|line| {
            line.strip_prefix(name)?.strip_prefix(':')?.split_ascii_whitespace().next()?.parse::<u64>().ok()
        })
    };
    let memory_limit = kilobytes("MemTotal").ok_or(io::ErrorKind::InvalidData)? << 10;
    let available = kilobytes("MemAvailable").ok_or(io::ErrorKind::InvalidData)? << 10;
    read(&roots.proc.join("loadavg"), buffer)?;
    let load = buffer.split_ascii_whitespace().next().and_then(|word| word.parse().ok()).unwrap_or(0.0);
    let space = rustix::fs::statvfs(disk)?;
    Ok(HostCounters {
        busy,
        memory_limit,
        memory: memory_limit.saturating_sub(available),
        disk_limit: space.f_blocks.saturating_mul(space.f_frsize),
        disk: space.f_blocks.saturating_sub(space.f_bfree).saturating_mul(space.f_frsize),
        load,
    })
}

/// Seconds that the cores were busy. Waiting for disks is no work, and what guests use is counted as the user's already.
fn busy(stat: &str) -> Option<f64> {
    let mut numbers = stat.lines().next()?.strip_prefix("cpu ")?.split_ascii_whitespace();
    let mut next = || numbers.next().and_then(|word| word.parse::<f64>().ok());
    let (user, nice, system) = (next()?, next()?, next()?);
    let (_idle, _waiting) = (next()?, next());
    let rest: f64 = std::iter::from_fn(next).take(3).sum();
    Some((user + nice + system + rest) / TICKS)
}

/// Open connections of this machine to each address. One look at the table is for all containers: it is long however
/// few connections there are.
pub(crate) fn connections(roots: &Roots, buffer: &mut String) -> io::Result<HashMap<SocketAddrV4, u64>> {
    read(&roots.proc.join("self/net/tcp"), buffer)?;
    let mut counted = HashMap::new();
    for line in buffer.lines().skip(1) {
        let mut words = line.split_ascii_whitespace().skip(2);
        let (Some(remote), Some(ESTABLISHED)) = (words.next().and_then(address), words.next()) else { continue };
        *counted.entry(remote).or_default() += 1;
    }
    Ok(counted)
}

/// `0100007F:1388`: the address as the machine's own number, the port as it is read.
fn address(text: &str) -> Option<SocketAddrV4> {
    let (address, port) = text.split_once(':')?;
    let address = Ipv4Addr::from(u32::from_str_radix(address, 16).ok()?.to_ne_bytes());
    Some(SocketAddrV4::new(address, u16::from_str_radix(port, 16).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::files::tests::write;

    #[test]
    fn the_kernel_s_files_are_read() {
        let dir = tempfile::tempdir().expect("makes a directory");
        let roots = Roots { proc: dir.path().to_owned(), cgroup: dir.path().to_owned() };
        write(
            dir.path(),
            &[
                ("stat", "cpu  100 20 30 4000 500 6 7 8 50 60\ncpu0 1 2 3 4 5 6 7 8 9 10\n"),
                ("meminfo", "MemTotal:       1000 kB\nMemFree:         100 kB\nMemAvailable:    400 kB\n"),
                ("loadavg", "0.52 0.40 0.30 1/123 456\n"),
                (
                    "self/net/tcp",
                    "  sl  local_address rem_address   st tx_queue\n   \
                     0: 010012AC:C350 030012AC:1388 01 00000000:00000000\n   \
                     1: 010012AC:C351 030012AC:1388 01 00000000:00000000\n   \
                     2: 010012AC:C352 030012AC:1388 06 00000000:00000000\n   \
                     3: 0100007F:0050 00000000:0000 0A 00000000:00000000\n",
                ),
            ],
        );
        let mut buffer = String::new();
        let host = measure(&roots, dir.path(), &mut buffer).expect("reads");
        assert!((host.busy - 1.71).abs() < 1e-9, "{host:?}");
        assert_eq!((host.memory_limit, host.memory), (1_000 << 10, 600 << 10));
        assert!((host.load - 0.52).abs() < 1e-9 && host.disk > 0 && host.disk <= host.disk_limit, "{host:?}");
        let open = connections(&roots, &mut buffer).expect("reads");
        if cfg!(target_endian = "little") {
            let task = SocketAddrV4::new(Ipv4Addr::new(172, 18, 0, 3), 5_000);
            assert_eq!(open, HashMap::from([(task, 2)]));
        }
    }

    #[test]
    fn this_machine_is_measured() {
        let mut buffer = String::new();
        let host = measure(&Roots::default(), Path::new("/"), &mut buffer).expect("reads");
        assert!(host.busy > 0.0 && host.memory > 0 && host.memory < host.memory_limit, "{host:?}");
        connections(&Roots::default(), &mut buffer).expect("reads");
    }
}

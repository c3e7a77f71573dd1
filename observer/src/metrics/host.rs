//! What the machine itself uses, from the kernel's files.

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::Path;

use super::counters::HostCounters;
use super::files::{Roots, interfaces, read, sum};

/// Ticks a second in which the kernel counts time for programs. The same on every machine that Linux runs on today.
const TICKS: f64 = 100.0;
/// Bytes of a sector, as the kernel counts them, whatever the disk's are.
const SECTOR: u64 = 512;
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
    let (received, sent) = network(roots, buffer).unzip();
    let (from, to) = disks(roots, buffer).unzip();
    let space = rustix::fs::statvfs(disk)?;
    Ok(HostCounters {
        busy,
        memory_limit,
        memory: memory_limit.saturating_sub(available),
        disk_limit: space.f_blocks.saturating_mul(space.f_frsize),
        disk: space.f_blocks.saturating_sub(space.f_bfree).saturating_mul(space.f_frsize),
        load,
        received,
        sent,
        read: from,
        written: to,
        processes: processes(roots),
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

/// Bytes received and sent by the machine: over hardware, or what a hypervisor shows as such. Bridges, tunnels and the
/// interfaces of containers pass on what went over those, or never leaves the machine.
fn network(roots: &Roots, buffer: &mut String) -> Option<(u64, u64)> {
    read(&roots.proc.join("self/net/dev"), buffer).ok()?;
    let class = roots.sys.join("class/net");
    let own = interfaces(buffer).filter(|(name, ..)| is_hardware(&class.join(name)));
    sum(own.map(|(_, received, sent)| (received, sent)))
}

/// Bytes read from and written to the machine's disks. Partitions, loops and what is made of several disks lie on
/// those, and memory is none.
fn disks(roots: &Roots, buffer: &mut String) -> Option<(u64, u64)> {
    read(&roots.proc.join("diskstats"), buffer).ok()?;
    let block = roots.sys.join("block");
    sum(buffer.lines().filter_map(|line| {
        let mut words = line.split_ascii_whitespace().skip(2);
        // A name may have a slash, for which the directory has another sign.
        let name = words.next()?.replace('/', "!");
        let mut sectors = |skipped: usize| words.nth(skipped)?.parse::<u64>().ok();
        let (from, to) = (sectors(2)?, sectors(3)?);
        is_hardware(&block.join(name)).then_some((from.saturating_mul(SECTOR), to.saturating_mul(SECTOR)))
    }))
}

/// Whether there is a device behind the directory of an interface or of a whole disk.
fn is_hardware(directory: &Path) -> bool {
    directory.join("device").exists()
}

/// Each has a directory that is called by its number.
fn processes(roots: &Roots) -> Option<u64> {
    let entries = std::fs::read_dir(&roots.proc).ok()?.filter_map(Result::ok);
    let numbered = entries.filter(|entry| entry.file_name().as_encoded_bytes().iter().all(u8::is_ascii_digit));
    u64::try_from(numbered.count()).ok()
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
        let roots = Roots { proc: dir.path().to_owned(), cgroup: dir.path().to_owned(), sys: dir.path().join("sys") };
        write(
            dir.path(),
            &[
                ("stat", "cpu  100 20 30 4000 500 6 7 8 50 60\ncpu0 1 2 3 4 5 6 7 8 9 10\n"),
                ("meminfo", "MemTotal:       1000 kB\nMemFree:         100 kB\nMemAvailable:    400 kB\n"),
                ("loadavg", "0.52 0.40 0.30 1/123 456\n"),
                (
                    "self/net/dev",
                    "Inter-|   Receive  |  Transmit\n face |bytes packets|bytes packets\n    \
                     lo: 1000 1 0 0 0 0 0 0 1000 1 0 0 0 0 0 0\n  \
                     eth0: 700 1 0 0 0 0 0 0 50 1 0 0 0 0 0 0\n  \
                     eth1: 7 1 0 0 0 0 0 0 5 1 0 0 0 0 0 0\n\
                     docker_gwbridge: 1000 1 0 0 0 0 0 0 1000 1 0 0 0 0 0 0\n\
                     vethd993ee3: 1000 1 0 0 0 0 0 0 1000 1 0 0 0 0 0 0\n",
                ),
                ("sys/class/net/lo/mtu", "65536\n"),
                ("sys/class/net/eth0/device/vendor", "0x1af4\n"),
                ("sys/class/net/eth1/device/vendor", "0x1af4\n"),
                ("sys/class/net/docker_gwbridge/mtu", "1500\n"),
                ("sys/class/net/vethd993ee3/mtu", "1500\n"),
                (
                    "diskstats",
                    "   7       0 loop0 1 0 1000 1 1 0 1000 1 0 1 1\n 254       0 vda 9 8 20 7 6 5 4 3 0 1 2 0 0 0 0\n \
                     254       1 vda1 9 8 20 7 6 5 4 3 0 1 2\n 104       0 cciss/c0d0 9 8 1 7 6 5 1 3 0 1 2\n \
                     252       0 dm-0 9 8 20 7 6 5 4 3 0 1 2\n 253       0 zram0 1 0 1000 1 1 0 1000 1 0 1 1\n",
                ),
                ("sys/block/loop0/size", "0\n"),
                ("sys/block/vda/device/vendor", "0x1af4\n"),
                ("sys/block/cciss!c0d0/device/vendor", "0x103c\n"),
                ("sys/block/dm-0/size", "0\n"),
                ("sys/block/zram0/size", "0\n"),
                ("1/comm", "init\n"),
                ("17/comm", "bash\n"),
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
        assert_eq!((host.received, host.sent), (Some(707), Some(55)), "hardware alone counts");
        assert_eq!((host.read, host.written), (Some(21 * 512), Some(5 * 512)), "whole disks alone count");
        assert_eq!(host.processes, Some(2));
        std::fs::remove_dir_all(&roots.sys).expect("removes");
        let hidden = measure(&roots, dir.path(), &mut buffer).expect("reads");
        assert_eq!((hidden.received, hidden.written, hidden.memory), (None, None, host.memory));
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
        assert!(host.processes.is_some_and(|count| count > 0), "{host:?}");
        connections(&Roots::default(), &mut buffer).expect("reads");
    }
}

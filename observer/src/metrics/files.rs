//! What the kernel counts of a container, read from its own files: control groups in their first or second version, and
//! `/proc`. It costs a thousandth of asking the engine. The files are only there for a process that sees the machine as
//! it is; where it runs in a container itself, the engine is asked instead.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use super::counters::Counters;

/// Most bytes of a file.
const MAX_FILE: u64 = 4 << 20;
/// Where the limits of memory begin that are none.
const NO_LIMIT: u64 = 1 << 60;

/// Where the kernel shows itself.
#[derive(Clone, Debug)]
pub(crate) struct Roots {
    pub(crate) proc: PathBuf,
    pub(crate) cgroup: PathBuf,
    pub(crate) sys: PathBuf,
}

impl Default for Roots {
    fn default() -> Self {
        Self { proc: "/proc".into(), cgroup: "/sys/fs/cgroup".into(), sys: "/sys".into() }
    }
}

/// The files of one container.
#[derive(Clone, Debug)]
pub(crate) struct ContainerFiles {
    network: PathBuf,
    groups: Groups,
}

#[derive(Clone, Debug)]
enum Groups {
    /// A directory for each controller.
    First { cpu: PathBuf, memory: PathBuf, disks: PathBuf, processes: PathBuf },
    /// One for all.
    Second(PathBuf),
}

impl ContainerFiles {
    /// Those of the container `id` with the first process `pid`; none where they are not visible from here.
    pub(crate) fn find(roots: &Roots, id: &str, pid: u64) -> Option<Self> {
        let process = roots.proc.join(pid.to_string());
        let told = std::fs::read_to_string(process.join("cgroup")).ok()?;
        // In another namespace that number is another process.
        if !told.contains(id) {
            return None;
        }
        let path = |line: &str| line.rsplit_once(':').map(|(_, path)| path.trim_start_matches('/').to_owned());
        let of = |controller: &str| {
            let line = told.lines().find(|line| {
                line.split(':').nth(1).is_some_and(|controllers| controllers.split(',').any(|one| one == controller))
            })?;
            let directory = roots.cgroup.join(controller).join(path(line)?);
            directory.is_dir().then_some(directory)
        };
        let groups = if let (Some(cpu), Some(memory), Some(disks), Some(processes)) =
            (of("cpuacct"), of("memory"), of("blkio"), of("pids"))
        {
            Groups::First { cpu, memory, disks, processes }
        } else {
            let directory = roots.cgroup.join(path(told.lines().find(|line| line.starts_with("0::"))?)?);
            directory.join("memory.current").is_file().then_some(Groups::Second(directory))?
        };
        Some(Self { network: process.join("net/dev"), groups })
    }

    /// What they say now. `buffer` is for reading them, so that it need not be made anew for each.
    pub(crate) fn read(&self, buffer: &mut String) -> io::Result<Counters> {
        let mut counters = match &self.groups {
            Groups::First { cpu, memory, disks, processes } => first(cpu, memory, disks, processes, buffer)?,
            Groups::Second(directory) => second(directory, buffer)?,
        };
        if read(&self.network, buffer).is_ok() {
            let (received, sent) = network(buffer);
            (counters.received, counters.sent) = (Some(received), Some(sent));
        }
        Ok(counters)
    }
}

fn first(cpu: &Path, memory: &Path, disks: &Path, processes: &Path, buffer: &mut String) -> io::Result<Counters> {
    let used = number(&memory.join("memory.usage_in_bytes"), buffer)?;
    let limit = number(&memory.join("memory.limit_in_bytes"), buffer)?;
    read(&memory.join("memory.stat"), buffer)?;
    let cached = field(buffer, "total_inactive_file").unwrap_or(0);
    let (mut from, mut to) = (None, None);
    if read(&disks.join("blkio.throttle.io_service_bytes_recursive"), buffer).is_ok() {
        (from, to) = (Some(column(buffer, "Read")), Some(column(buffer, "Write")));
    }
    Ok(Counters {
        cpu: number(&cpu.join("cpuacct.usage"), buffer)?,
        memory: used.saturating_sub(cached),
        memory_limit: (limit < NO_LIMIT).then_some(limit),
        read: from,
        written: to,
        threads: number(&processes.join("pids.current"), buffer).ok(),
        processes: lines(&processes.join("cgroup.procs"), buffer),
        ..Counters::default()
    })
}

fn second(directory: &Path, buffer: &mut String) -> io::Result<Counters> {
    let used = number(&directory.join("memory.current"), buffer)?;
    // `max` for none.
    let limit = number(&directory.join("memory.max"), buffer).ok();
    read(&directory.join("memory.stat"), buffer)?;
    let cached = field(buffer, "inactive_file").unwrap_or(0);
    let (mut from, mut to) = (None, None);
    if read(&directory.join("io.stat"), buffer).is_ok() {
        (from, to) = (Some(pairs(buffer, "rbytes=")), Some(pairs(buffer, "wbytes=")));
    }
    read(&directory.join("cpu.stat"), buffer)?;
    let cpu = field(buffer, "usage_usec").ok_or(io::ErrorKind::InvalidData)?.saturating_mul(1_000);
    Ok(Counters {
        cpu,
        memory: used.saturating_sub(cached),
        memory_limit: limit,
        read: from,
        written: to,
        threads: number(&directory.join("pids.current"), buffer).ok(),
        processes: lines(&directory.join("cgroup.procs"), buffer),
        ..Counters::default()
    })
}

/// Reads a file of the kernel's as a whole.
pub(super) fn read(path: &Path, buffer: &mut String) -> io::Result<()> {
    buffer.clear();
    File::open(path)?.take(MAX_FILE).read_to_string(buffer).map(drop)
}

fn number(path: &Path, buffer: &mut String) -> io::Result<u64> {
    read(path, buffer)?;
    buffer.trim().parse().map_err(|_| io::ErrorKind::InvalidData.into())
}

fn lines(path: &Path, buffer: &mut String) -> Option<u64> {
    read(path, buffer).ok()?;
    u64::try_from(buffer.lines().count()).ok()
}

/// The number behind a name at the beginning of a line.
pub(super) fn field(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok())
}

/// Sum of the lines `8:0 Read 4096` of this operation; the one without a device is the sum of all operations.
fn column(text: &str, operation: &str) -> u64 {
    text.lines()
        .filter_map(|line| {
            let mut words = line.split_ascii_whitespace().skip(1);
            (words.next()? == operation).then(|| words.next()?.parse::<u64>().ok()).flatten()
        })
        .fold(0, u64::saturating_add)
}

/// Sum of what is behind `name` in the lines `8:0 rbytes=1 wbytes=2`.
fn pairs(text: &str, name: &str) -> u64 {
    text.split_ascii_whitespace()
        .filter_map(|word| word.strip_prefix(name)?.parse::<u64>().ok())
        .fold(0, u64::saturating_add)
}

/// Bytes received and sent over all interfaces but the loopback.
fn network(text: &str) -> (u64, u64) {
    sum(interfaces(text).filter(|(name, ..)| *name != "lo").map(|(_, received, sent)| (received, sent)))
        .unwrap_or_default()
}

/// The interfaces in `net/dev`, with the bytes that each has received and sent.
pub(super) fn interfaces(text: &str) -> impl Iterator<Item = (&str, u64, u64)> {
    text.lines().filter_map(|line| {
        let (name, numbers) = line.split_once(':')?;
        let mut numbers = numbers.split_ascii_whitespace().map(|word| word.parse::<u64>().unwrap_or(0));
        Some((name.trim(), numbers.next().unwrap_or(0), numbers.nth(7).unwrap_or(0)))
    })
}

/// Both sums; none of nothing.
pub(super) fn sum(pairs: impl Iterator<Item = (u64, u64)>) -> Option<(u64, u64)> {
    pairs.reduce(|one, other| (one.0.saturating_add(other.0), one.1.saturating_add(other.1)))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    const ID: &str = "5af2e6612b31c683e15eda5d2d696893eefb4e730f6b862e751b567ee1cbae0c";
    const NETWORK: &str = "Inter-|   Receive                                                |  Transmit\n face \
         |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier \
         compressed\n    lo:     500       1    0    0    0     0          0         0      500       1    0    0    0     \
         0       0          0\n  eth0:    1086      13    0    0    0     0          0         0       42       3    0    0    \
         0     0       0          0\neth1:7 0 0 0 0 0 0 0 8 0 0 0 0 0 0 0\n";

    /// Files as a kernel shows them, in a directory of the test's own.
    pub(crate) fn write(directory: &Path, files: &[(&str, &str)]) {
        for (path, text) in files {
            let path = directory.join(path);
            std::fs::create_dir_all(path.parent().expect("has one")).expect("makes directories");
            std::fs::write(path, text).expect("writes");
        }
    }

    fn roots(directory: &Path) -> Roots {
        Roots { proc: directory.join("proc"), cgroup: directory.join("cgroup"), sys: directory.join("sys") }
    }

    fn counters(directory: &Path) -> Counters {
        let files = ContainerFiles::find(&roots(directory), ID, 7).expect("are visible");
        files.read(&mut String::new()).expect("reads")
    }

    #[test]
    fn groups_of_the_first_version_are_read() {
        let dir = tempfile::tempdir().expect("makes a directory");
        let of = |controller: &str, file: &str| format!("cgroup/{controller}/docker/{ID}/{file}");
        let told = format!(
            "8:pids:/docker/{ID}\n7:blkio:/docker/{ID}\n4:memory:/docker/{ID}\n2:cpu,cpuacct:/docker/{ID}\n0::/\n"
        );
        write(
            dir.path(),
            &[
                ("proc/7/cgroup", told.as_str()),
                ("proc/7/net/dev", NETWORK),
                (&of("cpuacct", "cpuacct.usage"), "24365976\n"),
                (&of("memory", "memory.usage_in_bytes"), "5000000\n"),
                (&of("memory", "memory.limit_in_bytes"), "67108864\n"),
                (&of("memory", "memory.stat"), "cache 1\ninactive_file 5\ntotal_inactive_file 1000000\n"),
                (
                    &of("blkio", "blkio.throttle.io_service_bytes_recursive"),
                    "8:0 Read 4096\n8:0 Write 10\n8:16 Read 4\n8:16 Write 20\n8:16 Total 24\nTotal 4130\n",
                ),
                (&of("pids", "pids.current"), "11\n"),
                (&of("pids", "cgroup.procs"), "7\n8\n"),
            ],
        );
        let expected = Counters {
            cpu: 24_365_976,
            memory: 4_000_000,
            memory_limit: Some(64 << 20),
            received: Some(1_093),
            sent: Some(50),
            read: Some(4_100),
            written: Some(30),
            processes: Some(2),
            threads: Some(11),
            open_connections: None,
        };
        assert_eq!(counters(dir.path()), expected);
        write(dir.path(), &[(&of("memory", "memory.limit_in_bytes"), "9223372036854771712\n")]);
        assert_eq!(counters(dir.path()).memory_limit, None);
    }

    #[test]
    fn groups_of_the_second_version_are_read() {
        let dir = tempfile::tempdir().expect("makes a directory");
        let of = |file: &str| format!("cgroup/system.slice/docker-{ID}.scope/{file}");
        let told = format!("0::/system.slice/docker-{ID}.scope\n");
        write(
            dir.path(),
            &[
                ("proc/7/cgroup", told.as_str()),
                ("proc/7/net/dev", NETWORK),
                (&of("cpu.stat"), "usage_usec 24365\nuser_usec 20000\nsystem_usec 4365\n"),
                (&of("memory.current"), "5000000\n"),
                (&of("memory.max"), "max\n"),
                (&of("memory.stat"), "anon 3\ninactive_file 1000000\nactive_file 5\n"),
                (&of("io.stat"), "8:0 rbytes=4096 wbytes=10 rios=1 wios=1 dbytes=0 dios=0\n8:16 rbytes=4 wbytes=20\n"),
                (&of("pids.current"), "11\n"),
                (&of("cgroup.procs"), "7\n"),
            ],
        );
        let expected = Counters {
            cpu: 24_365_000,
            memory: 4_000_000,
            memory_limit: None,
            received: Some(1_093),
            sent: Some(50),
            read: Some(4_100),
            written: Some(30),
            processes: Some(1),
            threads: Some(11),
            open_connections: None,
        };
        assert_eq!(counters(dir.path()), expected);
        write(dir.path(), &[(&of("memory.max"), "536870912\n")]);
        assert_eq!(counters(dir.path()).memory_limit, Some(512 << 20));
    }

    #[test]
    fn a_process_of_another_namespace_is_not_taken_for_the_container() {
        let dir = tempfile::tempdir().expect("makes a directory");
        let roots = roots(dir.path());
        assert!(ContainerFiles::find(&roots, ID, 7).is_none(), "there is none");
        write(dir.path(), &[("proc/7/cgroup", "0::/user.slice\n"), ("cgroup/user.slice/memory.current", "1\n")]);
        assert!(ContainerFiles::find(&roots, ID, 7).is_none());
        // With a namespace of groups of its own, it sees where they are but has no such directory.
        write(dir.path(), &[("proc/7/cgroup", &format!("0::/../{ID}\n"))]);
        assert!(ContainerFiles::find(&roots, ID, 7).is_none());
    }
}

//! Where the app listens, from `/proc/net`: the health check connects over loopback, requests do not.

use std::{
    fs::File,
    io::Read as _,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

/// The most that is read of a table, in bytes; a busy app has many connections.
const MAX_TABLE: u64 = 4 << 20;

/// State `TCP_LISTEN` of the tables (proc_net_tcp in the kernel's documentation).
const LISTEN: &str = "0A";

/// Who can connect to a port.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Exposure {
    /// Something listens on more than loopback, or nothing is known about it.
    Reachable,
    LoopbackOnly,
}

/// Who can connect to `port` in this network namespace.
pub(super) fn exposure(port: u16) -> Exposure {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(|path| {
        let mut text = String::new();
        // An unreadable table says nothing, and nothing is held against the app for it.
        if let Ok(file) = File::open(path) {
            let _ = file.take(MAX_TABLE).read_to_string(&mut text);
        }
        text
    });
    judge(tables.iter().flat_map(|table| addresses(table, port)))
}

fn judge(addresses: impl Iterator<Item = IpAddr>) -> Exposure {
    let mut any = false;
    for address in addresses {
        if !address.to_canonical().is_loopback() {
            return Exposure::Reachable;
        }
        any = true;
    }
    if any { Exposure::LoopbackOnly } else { Exposure::Reachable }
}

/// The local addresses of the table's listening sockets on `port`.
fn addresses(table: &str, port: u16) -> impl Iterator<Item = IpAddr> {
    table.lines().filter_map(move |line| {
        let mut fields = line.split_ascii_whitespace().skip(1);
        let (address, its_port) = fields.next()?.split_once(':')?;
        let state = fields.nth(1)?;
        if state != LISTEN || u16::from_str_radix(its_port, 16) != Ok(port) {
            return None;
        }
        parse_address(address)
    })
}

/// The kernel prints an address in groups of four bytes, each as one number of this machine.
fn parse_address(hex: &str) -> Option<IpAddr> {
    let word = |index: usize| {
        let digits = hex.get(index * 8..index * 8 + 8)?;
        u32::from_str_radix(digits, 16).ok().map(u32::to_ne_bytes)
    };
    match hex.len() {
        8 => Some(Ipv4Addr::from(word(0)?).into()),
        32 => {
            let mut octets = [0; 16];
            for (index, group) in octets.chunks_exact_mut(4).enumerate() {
                group.copy_from_slice(&word(index)?);
            }
            Some(Ipv6Addr::from(octets).into())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when\n";

    fn table(rows: &[(&str, &str)]) -> String {
        rows.iter().enumerate().fold(HEAD.to_owned(), |table, (index, (address, state))| {
            table + &format!("   {index}: {address} 00000000:0000 {state} 00000000:00000000 00:0\n")
        })
    }

    fn judged(rows: &[(&str, &str)]) -> Exposure {
        judge(addresses(&table(rows), 8080))
    }

    #[test]
    fn loopback_alone_is_told_from_everything_else() {
        let loopback = ("0100007F:1F90", "0A");
        assert_eq!(judged(&[loopback]), Exposure::LoopbackOnly);
        assert_eq!(judged(&[loopback, ("0B00007F:1F90", "0A")]), Exposure::LoopbackOnly);
        assert_eq!(judged(&[loopback, ("00000000:1F90", "0A")]), Exposure::Reachable);
        assert_eq!(judged(&[("050011AC:1F90", "0A")]), Exposure::Reachable);
    }

    #[test]
    fn both_families_are_understood() {
        let any = "00000000000000000000000000000000:1F90";
        let one = "00000000000000000000000001000000:1F90";
        let mapped = "0000000000000000FFFF00000100007F:1F90";
        assert_eq!(judged(&[(any, "0A")]), Exposure::Reachable);
        assert_eq!(judged(&[(one, "0A")]), Exposure::LoopbackOnly);
        assert_eq!(judged(&[(mapped, "0A")]), Exposure::LoopbackOnly);
    }

    #[test]
    fn other_ports_connections_and_garbage_do_not_count() {
        assert_eq!(judged(&[("0100007F:1F91", "0A"), ("0100007F:1F90", "01")]), Exposure::Reachable);
        assert_eq!(judged(&[("zz:1F90", "0A"), ("0100:1F90", "0A"), ("", "")]), Exposure::Reachable);
        assert_eq!(judge(addresses("\n:\n1 2 3", 8080)), Exposure::Reachable);
    }
}

//! Reads the members of a tar with their whole names. The long-name records of PAX are read by their stated
//! length here, because a file name may hold line breaks, at which the `tar` crate ends them.

use std::io::{self, ErrorKind, Read};

use tar::{Archive, Entry, EntryType, Header};

/// Most bytes of one record of long names.
const MAX_RECORD: u64 = 1 << 20;

/// A file, directory or link in a tar.
pub struct Member<'a, R: Read> {
    /// Its name, as written.
    pub name: Vec<u8>,
    /// What it links to, if it is a link.
    pub link: Vec<u8>,
    entry: Entry<'a, R>,
}

impl<R: Read> Member<'_, R> {
    /// Its header; names in it may be cut off.
    pub fn header(&self) -> &Header {
        self.entry.header()
    }

    /// What kind of thing it is.
    pub fn kind(&self) -> EntryType {
        self.entry.header().entry_type()
    }

    /// Bytes of its content.
    pub fn size(&self) -> u64 {
        self.entry.size()
    }
}

impl<R: Read> Read for Member<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.entry.read(buffer)
    }
}

/// Calls `visit` with every member of the tar that `source` holds, in order.
pub fn visit<R: Read, E: From<io::Error>>(
    source: R,
    mut visit: impl FnMut(Member<'_, R>) -> Result<(), E>,
) -> Result<(), E> {
    let mut archive = Archive::new(source);
    let (mut name, mut link) = (None, None);
    for entry in archive.entries()?.raw(true) {
        let mut entry = entry?;
        match entry.header().entry_type() {
            EntryType::XHeader => {
                let record = read_record(&mut entry)?;
                for (key, value) in pax_records(&record)? {
                    match key {
                        b"path" => name = Some(value.to_vec()),
                        b"linkpath" => link = Some(value.to_vec()),
                        b"size" => return Err(damaged("a file in it is over 8 GB").into()),
                        _ => {}
                    }
                }
            }
            EntryType::GNULongName => name = Some(long_name(&mut entry)?),
            EntryType::GNULongLink => link = Some(long_name(&mut entry)?),
            EntryType::XGlobalHeader => {}
            _ => {
                let header = entry.header();
                let short_link = || header.link_name_bytes().map(std::borrow::Cow::into_owned).unwrap_or_default();
                let link = link.take().unwrap_or_else(short_link);
                let name = name.take().unwrap_or_else(|| header.path_bytes().into_owned());
                visit(Member { name, link, entry })?;
            }
        }
    }
    Ok(())
}

fn read_record(entry: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut record = Vec::new();
    if entry.take(MAX_RECORD + 1).read_to_end(&mut record)? as u64 > MAX_RECORD {
        return Err(damaged("a name in it is over 1 MB"));
    }
    Ok(record)
}

/// The name in a record of GNU tar, which a zero byte ends.
fn long_name(entry: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut name = read_record(entry)?;
    if name.last() == Some(&0) {
        name.pop();
    }
    Ok(name)
}

/// Splits `<length> <key>=<value>\n …`, where the length counts the whole record (POSIX.1-2001, pax).
fn pax_records(mut bytes: &[u8]) -> io::Result<Vec<(&[u8], &[u8])>> {
    let mut records = Vec::new();
    while !bytes.is_empty() {
        let record = split_record(&mut bytes).ok_or_else(|| damaged("a PAX record in it has no right form"))?;
        records.push(record);
    }
    Ok(records)
}

fn split_record<'a>(bytes: &mut &'a [u8]) -> Option<(&'a [u8], &'a [u8])> {
    let space = bytes.iter().position(|b| *b == b' ')?;
    let length: usize = std::str::from_utf8(&bytes[..space]).ok()?.parse().ok()?;
    let (record, rest) = bytes.split_at_checked(length)?;
    let body = record.get(space + 1..)?.strip_suffix(b"\n")?;
    let equals = body.iter().position(|b| *b == b'=')?;
    *bytes = rest;
    Some((&body[..equals], &body[equals + 1..]))
}

fn damaged(why: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, format!("the tar cannot be read: {why}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn records_are_read_by_their_length() {
        let records = pax_records("18 path=a\n 9 b=c=\n11 mtime=0\n".as_bytes()).expect("is right");
        assert_eq!(records, [(&b"path"[..], &b"a\n 9 b=c="[..]), (&b"mtime"[..], &b"0"[..])][..]);
        for wrong in ["x", "5 a=b", "99 a=b\n", "0 a=b\n", "3 \n", "6 ab\n"] {
            assert!(pax_records(wrong.as_bytes()).is_err(), "{wrong:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_end_well(bytes in proptest::collection::vec(any::<u8>(), 0..2_000)) {
            let _ = pax_records(&bytes);
            let _ = visit(&bytes[..], |_| Ok::<(), io::Error>(()));
        }
    }
}

//! The engine's own log files, entry by entry. They are of its driver `local`: for each entry a length, a protocol
//! buffer and the length again. That driver keeps an app's bytes as they were, while `json-file` makes text of them
//! and so breaks each character that stands across two pieces of a long line.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// Bytes of a length before and behind an entry.
const LENGTH: usize = 4;
/// Largest entry that is taken for one. The engine cuts lines at 16 KiB.
const MAX_ENTRY: usize = 1 << 20;
/// Where the engine cuts a line.
pub(super) const PIECE: usize = 16 * 1024;

/// Which of a process's two outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Output {
    Stdout,
    Stderr,
}

/// A line, or a piece of a long one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) output: Output,
    /// In nanoseconds since 1970. Pieces of one line have the same.
    pub(super) at: i64,
    pub(super) text: Bytes,
    pub(super) piece: Option<Piece>,
}

/// Which piece of a long line an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) struct Piece {
    /// Whether the line's end is behind it. The engine also says no of what a process wrote last and did not end.
    pub(super) last: bool,
    /// From 1 on.
    pub(super) ordinal: i64,
}

/// Why bytes are no entries.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Broken;

/// Takes the whole entries from the beginning of `bytes`; answers how many bytes those were.
pub(super) fn take(bytes: &Bytes, entries: &mut Vec<Entry>) -> Result<usize, Broken> {
    let mut at = 0;
    while let Some(length) = bytes.get(at..at + LENGTH) {
        let length = usize::try_from(u32::from_be_bytes(length.try_into().map_err(|_| Broken)?)).map_err(|_| Broken)?;
        if length > MAX_ENTRY {
            return Err(Broken);
        }
        let body = at + LENGTH;
        let Some(again) = bytes.get(body + length..body + length + LENGTH) else { break };
        if again != &bytes[at..body] {
            return Err(Broken);
        }
        entries.push(entry(bytes, body, body + length).ok_or(Broken)?);
        at = body + length + LENGTH;
    }
    Ok(at)
}

/// The entry that lies between these places: source = 1, time = 2, line = 3, partial = 4, what piece = 5.
fn entry(bytes: &Bytes, begin: usize, end: usize) -> Option<Entry> {
    let mut entry = Entry { output: Output::Stdout, at: 0, text: Bytes::new(), piece: None };
    let mut fields = Fields { bytes: bytes.get(..end)?, at: begin };
    while !fields.is_over() {
        match fields.next()? {
            (1, Value::Bytes(from, to)) if &bytes[from..to] == b"stderr" => entry.output = Output::Stderr,
            (2, Value::Number(at)) => entry.at = at.cast_signed(),
            (3, Value::Bytes(from, to)) => entry.text = bytes.slice(from..to),
            (4, Value::Number(1)) => entry.piece = Some(entry.piece.unwrap_or_default()),
            (5, Value::Bytes(from, to)) => entry.piece = Some(piece(bytes.get(..to)?, from)?),
            _ => {}
        }
    }
    Some(entry)
}

/// last = 1, id = 2, ordinal = 3.
fn piece(bytes: &[u8], begin: usize) -> Option<Piece> {
    let mut piece = Piece::default();
    let mut fields = Fields { bytes, at: begin };
    while !fields.is_over() {
        match fields.next()? {
            (1, Value::Number(last)) => piece.last = last == 1,
            (3, Value::Number(ordinal)) => piece.ordinal = ordinal.cast_signed(),
            _ => {}
        }
    }
    Some(piece)
}

/// Fields of a protocol buffer.
struct Fields<'a> {
    bytes: &'a [u8],
    at: usize,
}

enum Value {
    Number(u64),
    /// From and to where.
    Bytes(usize, usize),
    Other,
}

impl Fields<'_> {
    fn is_over(&self) -> bool {
        self.at == self.bytes.len()
    }

    /// The next field with its number; none where the bytes are no fields.
    fn next(&mut self) -> Option<(u64, Value)> {
        let key = self.number()?;
        let value = match key & 7 {
            0 => Value::Number(self.number()?),
            1 => self.skip(8)?,
            2 => {
                let length = usize::try_from(self.number()?).ok()?;
                let from = self.at;
                self.skip(length)?;
                Value::Bytes(from, self.at)
            }
            5 => self.skip(4)?,
            _ => return None,
        };
        Some((key >> 3, value))
    }

    fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = *self.bytes.get(self.at)?;
            self.at += 1;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    fn skip(&mut self, length: usize) -> Option<Value> {
        self.at = self.at.checked_add(length).filter(|at| *at <= self.bytes.len())?;
        Some(Value::Other)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    fn number(mut value: u64, into: &mut Vec<u8>) {
        while value >= 0x80 {
            into.push(value.to_le_bytes()[0] | 0x80);
            value >>= 7;
        }
        into.push(value.to_le_bytes()[0]);
    }

    fn field(key: u8, bytes: &[u8], into: &mut Vec<u8>) {
        into.push(key << 3 | 2);
        number(bytes.len() as u64, into);
        into.extend_from_slice(bytes);
    }

    /// An entry as the engine writes it.
    pub(in super::super) fn written(entry: &Entry) -> Vec<u8> {
        let mut body = Vec::new();
        field(1, if entry.output == Output::Stdout { b"stdout" } else { b"stderr" }, &mut body);
        body.push(2 << 3);
        number(entry.at.cast_unsigned(), &mut body);
        field(3, &entry.text, &mut body);
        if let Some(piece) = entry.piece {
            body.extend([4 << 3, 1]);
            let mut inner = Vec::new();
            if piece.last {
                inner.extend([1 << 3, 1]);
            }
            field(2, b"an id", &mut inner);
            inner.push(3 << 3);
            number(piece.ordinal.cast_unsigned(), &mut inner);
            field(5, &inner, &mut body);
        }
        let length = u32::try_from(body.len()).expect("is short").to_be_bytes();
        [&length, body.as_slice(), &length].concat()
    }

    fn taken(bytes: &[u8]) -> Result<(usize, Vec<Entry>), Broken> {
        let mut entries = Vec::new();
        take(&Bytes::copy_from_slice(bytes), &mut entries).map(|length| (length, entries))
    }

    #[test]
    fn entries_are_taken_whole() {
        let one = Entry { output: Output::Stderr, at: 1_767_322_800_123_456_789, text: "one".into(), piece: None };
        let two = Entry { text: Bytes::new(), piece: Some(Piece { last: true, ordinal: 300 }), ..one.clone() };
        let bytes = [written(&one), written(&two)].concat();
        assert_eq!(taken(&bytes), Ok((bytes.len(), vec![one.clone(), two])));
        let first = written(&one).len();
        for cut in first..bytes.len() {
            assert_eq!(taken(&bytes[..cut]), Ok((first, vec![one.clone()])), "cut at {cut}");
        }
        assert_eq!(taken(b""), Ok((0, Vec::new())));
    }

    #[test]
    fn what_a_crash_left_is_told_from_entries() {
        assert_eq!(taken(&[0xff; 64]), Err(Broken));
        let mut bytes = written(&Entry { output: Output::Stdout, at: 1, text: "x".into(), piece: None });
        *bytes.last_mut().expect("is there") ^= 1;
        assert_eq!(taken(&bytes), Err(Broken));
    }

    proptest! {
        #[test]
        fn no_bytes_break_it(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = taken(&bytes);
            let length = u32::try_from(bytes.len()).expect("is short").to_be_bytes();
            let _ = taken(&[&length, bytes.as_slice(), &length].concat());
        }
    }
}

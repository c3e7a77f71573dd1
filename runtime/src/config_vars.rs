//! The app's config vars, mounted as a Swarm secret so that `docker inspect` never shows them.
//!
//! The file holds `KEY=VALUE` entries, each ended by a NUL byte: a value may have any number of lines.

use std::{
    ffi::{OsStr, OsString},
    fmt,
    fs::File,
    io::{self, Read as _},
    os::unix::ffi::OsStrExt as _,
    path::Path,
};

/// The largest file read, in bytes; Swarm refuses secrets above 500 kB.
const MAX_SIZE: u64 = 1 << 20;

/// Names that the platform injects: what the container's environment says wins over a config var.
const RESERVED: [&str; 4] = ["PORT", "DYNO", "PS", "HOME"];

/// Why the config vars cannot be had. Never holds a value.
#[derive(Debug)]
pub(crate) enum ConfigVarsError {
    Unreadable(io::Error),
    TooLarge,
    Malformed { entry: usize },
}

impl fmt::Display for ConfigVarsError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(error) => write!(formatter, "they cannot be read ({error})"),
            Self::TooLarge => write!(formatter, "they are larger than {MAX_SIZE} bytes"),
            Self::Malformed { entry } => write!(formatter, "entry {entry} is not KEY=VALUE"),
        }
    }
}

/// Reads the file at `path`; an app without config vars has none.
pub(crate) fn read(path: &Path) -> Result<Vec<(OsString, OsString)>, ConfigVarsError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(ConfigVarsError::Unreadable(error)),
    };
    let mut bytes = Vec::new();
    file.take(MAX_SIZE + 1).read_to_end(&mut bytes).map_err(ConfigVarsError::Unreadable)?;
    if bytes.len() as u64 > MAX_SIZE {
        return Err(ConfigVarsError::TooLarge);
    }
    parse(&bytes)
}

fn parse(bytes: &[u8]) -> Result<Vec<(OsString, OsString)>, ConfigVarsError> {
    bytes
        .split(|byte| *byte == 0)
        .enumerate()
        .filter(|(_, entry)| !entry.is_empty())
        .map(|(index, entry)| {
            let equals = entry.iter().position(|byte| *byte == b'=').filter(|at| *at > 0);
            let (key, value) = entry
                .split_at_checked(equals.unwrap_or(usize::MAX))
                .ok_or(ConfigVarsError::Malformed { entry: index + 1 })?;
            Ok((OsStr::from_bytes(key).into(), OsStr::from_bytes(&value[1..]).into()))
        })
        .collect()
}

/// Whether the container's own environment decides about `key`; `is_set` says if it has a value there.
pub(crate) fn is_overruled(key: &OsStr, is_set: impl Fn(&OsStr) -> bool) -> bool {
    RESERVED.iter().any(|reserved| key == OsStr::new(reserved)) && is_set(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(bytes: &[u8]) -> Vec<(OsString, OsString)> {
        parse(bytes).expect("well-formed config vars")
    }

    #[test]
    fn values_keep_newlines_equal_signs_and_odd_bytes() {
        let vars = parsed(b"A=1\0\0KEY=-----BEGIN-----\nx=y==\n\0EMPTY=\0BYTES=\xff\xfe\0LAST=no end");
        let wanted: [(&str, &[u8]); 5] = [
            ("A", b"1"),
            ("KEY", b"-----BEGIN-----\nx=y==\n"),
            ("EMPTY", b""),
            ("BYTES", b"\xff\xfe"),
            ("LAST", b"no end"),
        ];
        let wanted = wanted.map(|(key, value)| (key.into(), OsStr::from_bytes(value).into()));
        assert_eq!(vars, wanted);
    }

    #[test]
    fn a_malformed_entry_is_named_by_its_place_only() {
        for bytes in [&b"A=1\0s3cret\0"[..], b"A=1\0=s3cret\0"] {
            let text = parse(bytes).expect_err("a malformed entry").to_string();
            assert_eq!(text, "entry 2 is not KEY=VALUE");
        }
    }

    #[test]
    fn only_reserved_names_that_are_set_are_overruled() {
        assert!(is_overruled(OsStr::new("PORT"), |_| true));
        assert!(!is_overruled(OsStr::new("PORT"), |_| false));
        assert!(!is_overruled(OsStr::new("PATH"), |_| true));
    }
}

//! The level in a line that is a JSON object: the value of one of the keys that loggers use, at its top. A scanner and
//! no parser: it neither checks nor keeps anything.

use skypanel_core::logs::LogLevel;

use super::value;

/// How much of a line is looked at: some loggers write the level behind the message.
const LOOKED_AT: usize = 8 * 1024;
/// What loggers call it, in lower case.
const KEYS: [&[u8]; 10] = [
    b"level",
    b"severity",
    b"lvl",
    b"loglevel",
    b"log_level",
    b"log.level",
    b"levelname",
    b"level_name",
    b"@level",
    b"@l",
];
/// Longest of them.
const LONGEST: usize = 10;

/// The level of a line that begins with `{`.
pub(super) fn level(line: &[u8]) -> Option<LogLevel> {
    let mut scan = Scan { text: &line[..line.len().min(LOOKED_AT)], at: 0 };
    let mut depth = 0_u32;
    // Whether the next string is a key of the outermost object.
    let mut key = false;
    while let Some(byte) = scan.next() {
        match byte {
            b'{' | b'[' => {
                depth += 1;
                key = depth == 1;
            }
            b'}' | b']' => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return None;
                }
            }
            b',' => key = depth == 1,
            b'"' => {
                let name = scan.string()?;
                if !std::mem::take(&mut key) || !is_level(name) {
                    continue;
                }
                if let Some(level) = scan.value().and_then(value) {
                    return Some(level);
                }
            }
            _ => {}
        }
    }
    None
}

fn is_level(name: &[u8]) -> bool {
    (2..=LONGEST).contains(&name.len()) && KEYS.iter().any(|key| name.eq_ignore_ascii_case(key))
}

struct Scan<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Scan<'a> {
    fn next(&mut self) -> Option<u8> {
        let byte = self.text.get(self.at).copied();
        self.at += 1;
        byte
    }

    /// What is left of a string whose opening quote was taken, escapes as they are; none where it does not end.
    fn string(&mut self) -> Option<&'a [u8]> {
        let begin = self.at;
        loop {
            match self.next()? {
                b'"' => return self.text.get(begin..self.at - 1),
                b'\\' => self.at += 1,
                _ => {}
            }
        }
    }

    /// The value behind a key if it is a string or a number; it is not taken where it is anything else.
    fn value(&mut self) -> Option<&'a [u8]> {
        let mut rest = self.text.get(self.at..)?.trim_ascii_start();
        rest = rest.strip_prefix(b":")?.trim_ascii_start();
        if let Some(string) = rest.strip_prefix(b"\"") {
            self.at = self.text.len() - string.len();
            return self.string();
        }
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        (digits > 0).then(|| &rest[..digits])
    }
}

//! How grave a line says that it is, read from the line itself: JSON, logfmt and the headers that common frameworks
//! write. Called for every line that is collected, so it looks at no more than a line's beginning, where levels stand,
//! and allocates nothing.

mod header;
mod json;
#[cfg(test)]
mod tests;

use skypanel_core::logs::LogLevel;

/// How much of a line that is not JSON is looked at.
const LOOKED_AT: usize = 256;

/// The level that a line names; none where it names none.
pub fn level_of(line: &[u8]) -> Option<LogLevel> {
    let line = line.trim_ascii_start();
    if line.first() == Some(&b'{') {
        return json::level(line);
    }
    let mut plain = [0; LOOKED_AT];
    let length = without_colours(line, &mut plain);
    let text = &plain[..length];
    header::level(text).or_else(|| logfmt(text))
}

/// Copies the beginning of a line without the sequences that set colours; answers how much that was.
fn without_colours(line: &[u8], plain: &mut [u8; LOOKED_AT]) -> usize {
    let mut length = 0;
    let mut rest = line.iter().copied();
    while length < LOOKED_AT {
        let Some(byte) = rest.next() else { break };
        if byte == 0x1b {
            // ESC [ … up to the letter that ends it.
            if rest.next() == Some(b'[') {
                rest.by_ref().find(|byte| (0x40..0x7f).contains(byte));
            }
            continue;
        }
        plain[length] = byte;
        length += 1;
    }
    length
}

/// The value of `level=`, `lvl=` or `severity=`, outside of quotes.
fn logfmt(text: &[u8]) -> Option<LogLevel> {
    const KEYS: [&[u8]; 4] = [b"level=", b"lvl=", b"severity=", b"log.level="];
    let mut quoted = false;
    let mut begins = true;
    for (at, byte) in text.iter().enumerate() {
        if begins && !quoted {
            for key in KEYS {
                if let Some(value) = strip_prefix(&text[at..], key) {
                    let value = value.strip_prefix(b"\"").unwrap_or(value);
                    return self::value(value.split(|byte| !byte.is_ascii_alphanumeric()).next()?);
                }
            }
        }
        quoted ^= *byte == b'"';
        begins = *byte == b' ' || *byte == b'\t';
    }
    None
}

/// `text` behind `prefix`, whose case does not matter.
fn strip_prefix<'a>(text: &'a [u8], prefix: &[u8]) -> Option<&'a [u8]> {
    let (head, rest) = text.split_at_checked(prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then_some(rest)
}

/// The level of a value that says it: a word, or a number.
fn value(text: &[u8]) -> Option<LogLevel> {
    if text.iter().all(u8::is_ascii_digit) {
        return numbered(text);
    }
    let usual = [&b"http"[..], b"default", b"success", b"log"];
    if usual.iter().any(|word| text.eq_ignore_ascii_case(word)) { Some(LogLevel::Info) } else { word(text) }
}

/// The level that a word of any case names, where it can hardly mean anything else.
fn word(word: &[u8]) -> Option<LogLevel> {
    /// Longer than any of the words below.
    const LONGEST: usize = 16;
    let mut lower = [0; LONGEST];
    let lower = lower.get_mut(..word.len())?;
    lower.copy_from_slice(word);
    lower.make_ascii_lowercase();
    Some(match &*lower {
        b"trace" | b"trce" | b"trc" | b"verbose" | b"verb" | b"silly" | b"finest" | b"finer" => LogLevel::Trace,
        b"debug" | b"dbug" | b"dbg" | b"fine" => LogLevel::Debug,
        b"info" | b"information" | b"informational" | b"inf" | b"notice" => LogLevel::Info,
        b"warn" | b"warning" | b"wrn" => LogLevel::Warn,
        b"error" | b"err" | b"eror" | b"fail" | b"severe" => LogLevel::Error,
        b"fatal" | b"ftl" | b"critical" | b"crit" | b"panic" | b"dpanic" | b"alert" | b"emerg" | b"emergency" => {
            LogLevel::Fatal
        }
        _ => return None,
    })
}

/// The level that a number stands for. The ways to number levels do not overlap: syslog from 0 to 7, pino and bunyan
/// in tens up to 60, Monolog in hundreds.
fn numbered(digits: &[u8]) -> Option<LogLevel> {
    let number = std::str::from_utf8(digits).ok()?.parse().ok()?;
    Some(match number {
        0_u16..=2 | 60 | 500 | 550 | 600 => LogLevel::Fatal,
        3 | 50 | 400 => LogLevel::Error,
        4 | 40 | 300 => LogLevel::Warn,
        5 | 6 | 30 | 200 | 250 => LogLevel::Info,
        7 | 20 | 100 => LogLevel::Debug,
        10 => LogLevel::Trace,
        _ => return None,
    })
}

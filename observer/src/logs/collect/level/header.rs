//! The level in what frameworks write before a message: `[ERROR]`, `2026-01-02 03:04:05 WARN`, `E, [`, `INFO:root:`.

use skypanel_core::logs::LogLevel;

use super::word;

/// Most words before the message.
const WORDS: usize = 12;

/// The level in a line's header. Words are looked at up to the first that is part of a message.
pub(super) fn level(text: &[u8]) -> Option<LogLevel> {
    if let Some(level) = lettered(text).or_else(|| named_first(text)).or_else(|| of_php(text)) {
        return Some(level);
    }
    // Whether the word before was a dash or a bar, behind which one of a header's parts stands, whatever it is.
    let mut separated = false;
    for part in text.split(u8::is_ascii_whitespace).filter(|part| !part.is_empty()).take(WORDS) {
        if part.first() == Some(&b'"') {
            return None;
        }
        if let Some(level) = of_word(part) {
            return Some(level);
        }
        let separator = matches!(part, b"-" | b"|" | b"--" | b"---" | b"::" | b":");
        if !separator && !separated && !is_header(part) {
            return None;
        }
        separated = separator;
    }
    None
}

/// Ruby's `E, [2026-…`, and `E0102 03:04:05.678901` of glog and klog.
fn lettered(text: &[u8]) -> Option<LogLevel> {
    let (letter, rest) = text.split_first()?;
    let level = match letter {
        b'D' => LogLevel::Debug,
        b'I' | b'A' => LogLevel::Info,
        b'W' => LogLevel::Warn,
        b'E' => LogLevel::Error,
        b'F' => LogLevel::Fatal,
        _ => return None,
    };
    let ruby = rest.starts_with(b", [");
    let glog = rest.len() > 5 && rest[..4].iter().all(u8::is_ascii_digit) && rest[4] == b' ' && *letter != b'A';
    (ruby || glog).then_some(level)
}

/// `error: …`, `Warning: …`, `WARNING:root:…`, and npm's `npm ERR!`: a word of any case, right at the beginning.
fn named_first(text: &[u8]) -> Option<LogLevel> {
    if let Some(rest) = text.strip_prefix(b"npm ") {
        let name = rest.split(|byte| matches!(byte, b' ' | b'!')).next()?;
        return word(name);
    }
    let end = text.iter().position(|byte| !byte.is_ascii_alphabetic())?;
    if text[end] == b':' { word(&text[..end]) } else { None }
}

/// `PHP Fatal error:  …`, also behind a date in brackets.
fn of_php(text: &[u8]) -> Option<LogLevel> {
    let text = match text.strip_prefix(b"[") {
        Some(dated) => dated.get(dated.iter().position(|byte| *byte == b']')? + 1..)?.trim_ascii_start(),
        None => text,
    };
    let kind = text.strip_prefix(b"PHP ")?.split(|byte| matches!(byte, b' ' | b':')).next()?;
    match kind {
        b"Parse" | b"Recoverable" => Some(LogLevel::Error),
        b"Deprecated" => Some(LogLevel::Warn),
        kind => word(kind),
    }
}

/// The level of one word of a header: in capitals, or in brackets, with what may stand around it.
fn of_word(part: &[u8]) -> Option<LogLevel> {
    if let Some(inner) = bracketed(part) {
        // Apache's `[core:error]`.
        let name = inner.rsplit(|byte| *byte == b':').next()?;
        return word(name);
    }
    // `INFO:`, `WARNING/MainProcess]`, `[ERROR`, `ERROR]`, `|INFO|`, and Laravel's `production.ERROR:`.
    let begin = part.iter().position(u8::is_ascii_alphabetic)?;
    let (before, rest) = part.split_at(begin);
    if !before.iter().all(|byte| matches!(byte, b'[' | b'(' | b'<' | b'|')) {
        return None;
    }
    let name = match rest.iter().position(|byte| *byte == b'.') {
        Some(dot) if rest[..dot].iter().all(u8::is_ascii_lowercase) => &rest[dot + 1..],
        _ => rest,
    };
    let end = name.iter().position(|byte| !byte.is_ascii_uppercase()).unwrap_or(name.len());
    let (name, after) = name.split_at(end);
    let ends = matches!(after.first(), None | Some(b':' | b']' | b'|' | b',' | b'/' | b')' | b'>' | b'['));
    if name.len() < 3 || !ends {
        return None;
    }
    if matches!(name, b"LOG" | b"SUCCESS") { Some(LogLevel::Info) } else { word(name) }
}

/// What stands between brackets of one kind, without blanks.
fn bracketed(part: &[u8]) -> Option<&[u8]> {
    let part = part.strip_suffix(b":").unwrap_or(part);
    let (first, rest) = part.split_first()?;
    let (last, inner) = rest.split_last()?;
    let pair = matches!((first, last), (b'[', b']') | (b'<', b'>') | (b'(', b')') | (b'|', b'|'));
    pair.then_some(inner)
}

/// Whether a word can stand before a level: part of a time, a number, a name with marks in it or in brackets.
fn is_header(part: &[u8]) -> bool {
    const METHODS: [&[u8]; 7] = [b"GET", b"POST", b"PUT", b"HEAD", b"PATCH", b"DELETE", b"OPTIONS"];
    if METHODS.contains(&part) {
        return false;
    }
    let short_capitals = part.len() <= 5 && part.iter().all(u8::is_ascii_uppercase);
    let month_or_day = part.len() == 3 && part[0].is_ascii_uppercase() && part[1..].iter().all(u8::is_ascii_lowercase);
    let marked = part.iter().any(|byte| matches!(byte, b'[' | b']' | b'(' | b'<' | b'|' | b'=' | b'#' | b'/'));
    let inner = part.get(..part.len() - 1).unwrap_or_default();
    let named = inner.iter().any(|byte| matches!(byte, b'.' | b':' | b'@' | b'_'));
    short_capitals || month_or_day || marked || named || part.iter().any(u8::is_ascii_digit)
}

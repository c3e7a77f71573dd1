//! JSON text written by hand, so that the hook needs no crate and starts at once. Used by [`crate::request`].

use std::fmt::Write as _;

/// Appends `bytes` to `out` as a JSON string (RFC 8259 §7).
///
/// Bytes that are not UTF-8 become U+FFFD. Control characters are escaped, so a string never breaks the line.
pub(crate) fn push_string(out: &mut String, bytes: &[u8]) {
    out.push('"');
    for character in String::from_utf8_lossy(bytes).chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            control if control.is_control() => {
                // All control characters lie below U+10000: one escape is enough, and writing to a String
                // cannot fail.
                let _ = write!(out, "\\u{:04x}", u32::from(control));
            }
            plain => out.push(plain),
        }
    }
    out.push('"');
}

/// Appends a JSON string, or `null` where there is none.
pub(crate) fn push_optional(out: &mut String, bytes: Option<&[u8]>) {
    match bytes {
        Some(bytes) => push_string(out, bytes),
        None => out.push_str("null"),
    }
}

/// Appends a JSON array; `element` writes one element of it.
pub(crate) fn push_array<T>(out: &mut String, items: &[T], element: impl Fn(&mut String, &T)) {
    out.push('[');
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        element(out, item);
    }
    out.push(']');
}

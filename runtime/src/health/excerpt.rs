//! The beginning of what an app said beside its status, made fit for one line of text. Every byte is the app's.

/// Longest excerpt, in characters.
const LENGTH: usize = 120;

/// The first words of the body of an answer, of which `bytes` is the beginning; empty where there are none.
pub(super) fn of_answer(bytes: &[u8]) -> String {
    let Some(end) = bytes.windows(4).position(|bytes| bytes == b"\r\n\r\n") else { return String::new() };
    let (head, body) = (&bytes[..end], &bytes[end + 4..]);
    let chunked = head.to_ascii_lowercase().windows(7).any(|bytes| bytes == b"chunked");
    let body = match body.iter().position(|byte| *byte == b'\n') {
        // The line before the first chunk is its length.
        Some(line) if chunked => &body[line + 1..],
        _ => body,
    };
    printable(body)
}

/// Letters, digits and signs; everything else, such as what moves a cursor or turns the direction of text, is a space.
fn printable(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(LENGTH * 8)]);
    let shown = |c: char| if c.is_ascii_graphic() || c.is_alphanumeric() { c } else { ' ' };
    let text: String = text.chars().map(shown).collect();
    let words: Vec<&str> = text.split(' ').filter(|word| !word.is_empty()).collect();
    words.join(" ").chars().take(LENGTH).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_body_is_told_from_the_head() {
        assert_eq!(of_answer(b"HTTP/1.1 500 Oh\r\nX: y\r\n\r\nno database\n"), "no database");
        let chunked = b"HTTP/1.1 500 Oh\r\nTransfer-Encoding: Chunked\r\n\r\n8\r\nno  disk\r\n0\r\n\r\n";
        assert_eq!(of_answer(chunked), "no disk 0");
        assert_eq!(of_answer(b"HTTP/1.1 500 Oh\r\nX: y\r\n"), "");
        assert_eq!(of_answer(b""), "");
    }

    #[test]
    fn nothing_in_it_reaches_a_terminal() {
        let hostile = "HTTP/1.1 500\r\n\r\n\u{1b}[2Ja\0b\u{202e}c\u{7}d\r\ne\u{9b}f \u{e9}";
        assert_eq!(of_answer(hostile.as_bytes()), "[2Ja b c d e f \u{e9}");
        let endless = [b"HTTP/1.1 500\r\n\r\n".as_slice(), &[b'x'; 10_000]].concat();
        assert_eq!(of_answer(&endless).len(), LENGTH);
        assert_eq!(of_answer(b"HTTP/1.1 500\r\n\r\n\xff\xfe\xfd"), "");
    }
}

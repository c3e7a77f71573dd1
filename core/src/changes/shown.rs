//! Text of repositories as it may be shown anywhere: what a terminal would obey, or a reader would not see, is replaced
//! by a sign for it.

use std::fmt::Write as _;

/// Most characters of a path.
const MAX_PATH: usize = 512;

/// A path.
pub(super) fn path(bytes: &[u8]) -> String {
    short(bytes, MAX_PATH)
}

/// One line of at most `longest` characters, with a mark where it was longer.
pub(super) fn short(bytes: &[u8], longest: usize) -> String {
    let mut shown = String::new();
    if !line(bytes, longest, &mut shown) {
        shown.push('…');
    }
    // The one that lines may have.
    shown.replace('\t', "␉")
}

/// Adds at most `longest` characters to `shown`; tabs stay. Answers whether these were all.
pub(super) fn line(bytes: &[u8], longest: usize, shown: &mut String) -> bool {
    // No character has more than four bytes, and what is no UTF-8 is one for three at most.
    let some = &bytes[..bytes.len().min(longest.saturating_mul(4))];
    let text = String::from_utf8_lossy(some);
    let mut characters = text.chars();
    for character in characters.by_ref().take(longest) {
        push(character, shown);
    }
    characters.next().is_none() && some.len() == bytes.len()
}

fn push(character: char, shown: &mut String) {
    match character {
        '\t' => shown.push('\t'),
        // Unicode has a picture for each of them, in their order.
        '\0'..='\x1f' => shown.push(char::from_u32(0x2400 + u32::from(character)).unwrap_or('␀')),
        '\x7f' => shown.push('␡'),
        '\u{80}'..='\u{9f}'
        | '\u{ad}'
        | '\u{61c}'
        | '\u{180e}'
        | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e007f}' => {
            let _ = write!(shown, "⟨U+{:04X}⟩", u32::from(character));
        }
        other => shown.push(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_seen_is_shown() {
        assert_eq!(path(b"a\nb\x1b[31m\tc"), "a␊b␛[31m␉c");
        assert_eq!(path("caf\u{e9}/\u{202e}txt.exe".as_bytes()), "caf\u{e9}/⟨U+202E⟩txt.exe");
        assert_eq!(path(b"caf\xe9"), "caf\u{fffd}");
        assert_eq!(path("\u{9b}31m".as_bytes()), "⟨U+009B⟩31m");
    }

    #[test]
    fn what_is_long_is_cut_between_characters() {
        assert_eq!(short("äöü".as_bytes(), 2), "äö…");
        assert_eq!(short("äöü".as_bytes(), 3), "äöü");
        assert_eq!(short("😀😀😀".as_bytes(), 2), "😀😀…");
        let mut kept = String::new();
        assert!(!line(&[b'a'; 100], 10, &mut kept));
        assert_eq!(kept, "a".repeat(10));
    }
}

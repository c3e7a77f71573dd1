//! What apps and builds write, made fit for somebody's terminal: colours stay, everything else a terminal would obey
//! goes. It was written by whoever sent the app a request or pushed its source, and is read by others, too.

use std::str;

/// What begins an escape sequence (ECMA-48).
const ESCAPE: char = '\x1b';
/// Ends a string to the terminal, besides ESC \.
const BELL: char = '\x07';
/// Takes back all colours.
const RESET: &[u8] = b"\x1b[0m";
/// Longest parameters of a sequence that sets colours.
const MAX_PARAMETERS: usize = 64;

/// Goes over output that comes in pieces, which may end inside a character or a sequence. What comes out is UTF-8
/// with no control characters but tab, line feed, carriage return and the sequences that set colours.
#[derive(Debug, Default)]
pub struct Sanitizer {
    state: State,
    /// Parameters of the sequence so far.
    parameters: String,
    /// The beginning of a character whose rest has not come.
    partial: Vec<u8>,
    coloured: bool,
}

/// Where in a sequence the last piece ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Text,
    /// After ESC.
    Escape,
    /// After ESC and what may stand between it and the end of a two-character sequence.
    Intermediate,
    /// After ESC [.
    Control,
    /// In a string to the terminal, such as its title or its clipboard.
    String,
}

impl Sanitizer {
    /// Adds to `clean` what may be shown of the next piece.
    pub fn add(&mut self, bytes: &[u8], clean: &mut Vec<u8>) {
        if self.partial.is_empty() {
            return self.decode(bytes, clean);
        }
        let mut joined = std::mem::take(&mut self.partial);
        joined.extend_from_slice(bytes);
        self.decode(&joined, clean);
    }

    /// Ends what was begun: a cut character is shown as one that is none, a cut sequence is dropped, and colours are
    /// taken back. What comes next begins anew.
    pub fn end(&mut self, clean: &mut Vec<u8>) {
        if !std::mem::take(&mut self.partial).is_empty() {
            self.text(char::REPLACEMENT_CHARACTER.encode_utf8(&mut [0; 4]), clean);
        }
        self.state = State::Text;
        self.parameters.clear();
        if std::mem::take(&mut self.coloured) {
            clean.extend_from_slice(RESET);
        }
    }

    fn decode(&mut self, bytes: &[u8], clean: &mut Vec<u8>) {
        let mut chunks = bytes.utf8_chunks().peekable();
        while let Some(chunk) = chunks.next() {
            self.text(chunk.valid(), clean);
            let invalid = chunk.invalid();
            if invalid.is_empty() {
                continue;
            }
            let may_go_on = str::from_utf8(invalid).is_err_and(|error| error.error_len().is_none());
            if may_go_on && chunks.peek().is_none() {
                self.partial = invalid.to_vec();
            } else {
                self.text(char::REPLACEMENT_CHARACTER.encode_utf8(&mut [0; 4]), clean);
            }
        }
    }

    fn text(&mut self, mut rest: &str, clean: &mut Vec<u8>) {
        loop {
            if self.state == State::Text {
                let end = next_control(rest.as_bytes()).unwrap_or(rest.len());
                clean.extend_from_slice(&rest.as_bytes()[..end]);
                rest = &rest[end..];
            }
            let Some(character) = rest.chars().next() else { return };
            // A character that does not belong to the sequence ends it and is looked at again by itself.
            if self.take(character, clean) {
                rest = &rest[character.len_utf8()..];
            }
        }
    }

    /// Takes one character inside a sequence, or the control character that may begin one; false where it ended the
    /// sequence and is no part of it.
    fn take(&mut self, character: char, clean: &mut Vec<u8>) -> bool {
        let (next, taken) = match (self.state, character) {
            (_, ESCAPE) => (State::Escape, true),
            (State::Text, _) => (State::Text, true),
            // No line is lost to a sequence that never ends.
            (_, '\n') => (State::Text, false),
            (State::String, BELL) => (State::Text, true),
            (State::String, _) => (State::String, true),
            (_, control) if control.is_control() => (State::Text, false),
            (State::Escape, '[') => {
                self.parameters.clear();
                (State::Control, true)
            }
            (State::Escape, ']' | 'P' | 'X' | '^' | '_') => (State::String, true),
            (State::Escape | State::Intermediate, ' '..='/') => (State::Intermediate, true),
            (State::Escape | State::Intermediate, _) => (State::Text, true),
            (State::Control, parameter @ ' '..='?') => {
                // One more than may be shown tells that it was too long.
                if self.parameters.len() <= MAX_PARAMETERS {
                    self.parameters.push(parameter);
                }
                (State::Control, true)
            }
            (State::Control, last) => {
                if last == 'm' {
                    self.colour(clean);
                }
                (State::Text, true)
            }
        };
        self.state = next;
        taken
    }

    /// Copies a sequence that sets colours, if its parameters are such a sequence's.
    fn colour(&mut self, clean: &mut Vec<u8>) {
        let parameters = self.parameters.as_bytes();
        let plain = parameters.iter().all(|byte| byte.is_ascii_digit() || matches!(byte, b';' | b':'));
        if plain && parameters.len() <= MAX_PARAMETERS {
            clean.extend_from_slice(b"\x1b[");
            clean.extend_from_slice(parameters);
            clean.push(b'm');
            self.coloured = parameters.iter().any(|byte| *byte != b'0');
        }
    }
}

/// Where the next control character begins that is no plain white space. `text` is UTF-8, in which C2 is followed by
/// 80 to 9F in the control characters U+0080 to U+009F and in nothing else.
fn next_control(text: &[u8]) -> Option<usize> {
    let mut from = 0;
    while let Some(at) = text[from..]
        .iter()
        .position(|byte| (*byte < b' ' && !matches!(byte, b'\t' | b'\n' | b'\r')) || *byte == 0x7f || *byte == 0xc2)
    {
        let at = from + at;
        if text[at] != 0xc2 || text.get(at + 1).is_some_and(|byte| *byte < 0xa0) {
            return Some(at);
        }
        from = at + 1;
    }
    None
}

/// One line as a terminal may show it, in one piece. Bytes that are not UTF-8 become replacement characters.
pub fn line(bytes: &[u8]) -> String {
    let mut clean = Vec::with_capacity(bytes.len());
    let mut sanitizer = Sanitizer::default();
    sanitizer.add(bytes, &mut clean);
    sanitizer.end(&mut clean);
    clean.retain(|byte| !matches!(byte, b'\n' | b'\r'));
    String::from_utf8_lossy(&clean).replace(breaks_a_line, "\u{fffd}")
}

/// Characters that begin a new line although they control nothing, and those that change the direction of text, with
/// which it would read as what it is not.
fn breaks_a_line(character: char) -> bool {
    matches!(character, '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn in_pieces<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
        let (mut sanitizer, mut clean) = (Sanitizer::default(), Vec::new());
        for piece in pieces {
            sanitizer.add(piece, &mut clean);
        }
        sanitizer.end(&mut clean);
        clean
    }

    #[test]
    fn colours_stay_and_the_rest_goes() {
        for (raw, clean) in [
            ("plain\ttext", "plain\ttext"),
            ("\x1b[1;32mok\x1b[0m", "\x1b[1;32mok\x1b[0m"),
            ("\x1b[38:5:9mok\x1b[m", "\x1b[38:5:9mok\x1b[m"),
            ("a\x1b[2Jb\x1b[10;10Hc", "abc"),
            ("\x1b]0;title\x07text", "text"),
            ("\x1b]52;c;aGk=\x1b\\text", "text"),
            ("\x1bPq#0\x1b\\text", "text"),
            ("\x1b]0;tit\x1b[31mred\x1b[0m", "\x1b[31mred\x1b[0m"),
            ("\x1bctext\x1b(Bmore", "textmore"),
            ("over\rwritten\x08\x07", "overwritten"),
            ("\u{9b}2Jtext\u{a0}é", "2Jtext\u{a0}é"),
            ("cut\x1b[31", "cut"),
            ("cut\x1b]0;tit", "cut"),
            ("\x1b[?25ltext\x1b[>0mx", "textx"),
            ("\x1b[3\x071mtext", "1mtext"),
            // Hidden text stays hidden no longer than its line.
            ("\x1b[8mhidden", "\x1b[8mhidden\x1b[0m"),
        ] {
            assert_eq!(line(raw.as_bytes()), clean, "{raw:?}");
        }
        assert_eq!(line(b"a\xffb"), "a\u{fffd}b");
        assert_eq!(line("a\u{2028}b\u{202e}c".as_bytes()), "a\u{fffd}b\u{fffd}c");
    }

    #[test]
    fn lines_stay_and_end_what_was_not_ended() {
        let raw: &[&[u8]] = &[b"10 %\r20 %\r\n\x1b]0;title\nnext\x1b[3\nlast\n"];
        assert_eq!(in_pieces(raw.iter().copied()), b"10 %\r20 %\r\n\nnext\nlast\n");
    }

    #[test]
    fn a_very_long_sequence_is_no_colour() {
        let raw = format!("a\x1b[{}mb", "1;".repeat(100_000));
        assert_eq!(line(raw.as_bytes()), "ab");
    }

    proptest! {
        #[test]
        fn nothing_but_colours_gets_through(bytes in any_output()) {
            let clean = line(&bytes);
            let mut rest = clean.as_str();
            while let Some(at) = rest.find('\x1b') {
                prop_assert!(rest[..at].chars().all(|c| !c.is_control() || c == '\t'));
                let body = rest[at..].strip_prefix("\x1b[").expect("a control sequence");
                let end = body.find('m').expect("that sets colours");
                prop_assert!(body[..end].bytes().all(|b| b.is_ascii_digit() || b == b';' || b == b':'));
                rest = &body[end + 1..];
            }
            prop_assert!(rest.chars().all(|c| !c.is_control() || c == '\t'));
        }

        #[test]
        fn pieces_do_not_matter(bytes in any_output(), size in 1_usize..5) {
            prop_assert_eq!(in_pieces(bytes.chunks(size)), in_pieces([bytes.as_slice()]));
        }

        #[test]
        fn text_without_control_characters_is_left_alone(text in "[^\\pC\\p{Zl}\\p{Zp}]*") {
            prop_assert_eq!(line(text.as_bytes()), text);
        }
    }

    fn any_output() -> impl Strategy<Value = Vec<u8>> {
        let byte = prop_oneof![
            Just(0x1b_u8),
            Just(b'['),
            Just(b']'),
            Just(b'm'),
            Just(b';'),
            Just(b'1'),
            Just(0xc2),
            Just(0x9b),
            any::<u8>()
        ];
        proptest::collection::vec(byte, 0..64)
    }
}

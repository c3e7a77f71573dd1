//! App logs on a terminal: colours stay, everything else a terminal would obey goes. A log line is written by
//! whoever sent the app a request.

/// What an escape sequence is made of (ECMA-48).
const ESCAPE: char = '\x1b';

/// A line as a terminal may show it. Bytes that are not UTF-8 become replacement characters.
pub(crate) fn line(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut clean = String::with_capacity(text.len());
    let mut rest = text.as_ref();
    while let Some(character) = rest.chars().next() {
        rest = &rest[character.len_utf8()..];
        match character {
            ESCAPE => rest = escape(rest, &mut clean),
            '\t' => clean.push('\t'),
            control if control.is_control() => {}
            plain => clean.push(plain),
        }
    }
    clean
}

/// Passes over the sequence that follows an ESC; copies it when it only sets colours. Answers what follows.
fn escape<'a>(rest: &'a str, clean: &mut String) -> &'a str {
    let Some(kind) = rest.chars().next() else { return rest };
    let body = &rest[kind.len_utf8()..];
    match kind {
        '[' => {
            let end = body.find(|c: char| !matches!(c, ' '..='?')).unwrap_or(body.len());
            let (parameters, after) = body.split_at(end);
            let Some(last) = after.chars().next() else { return after };
            if last == 'm' && parameters.bytes().all(|b| b.is_ascii_digit() || b == b';' || b == b':') {
                clean.push(ESCAPE);
                clean.push('[');
                clean.push_str(parameters);
                clean.push('m');
            }
            // A control character is no end of a sequence; it is looked at by itself.
            if last.is_control() { after } else { &after[last.len_utf8()..] }
        }
        // Strings to the terminal, such as its title: up to BEL or ESC \.
        ']' | 'P' | 'X' | '^' | '_' => match body.find(['\x07', ESCAPE]) {
            Some(end) => body[end..].strip_prefix('\x07').unwrap_or_else(|| {
                let after = &body[end + 1..];
                after.strip_prefix('\\').unwrap_or(after)
            }),
            None => "",
        },
        // An ESC that begins another sequence.
        ESCAPE => rest,
        // Two-character sequences, with what stands between.
        ' '..='/' => {
            let after = body.trim_start_matches(|c: char| matches!(c, ' '..='/'));
            after.chars().next().map_or("", |last| &after[last.len_utf8()..])
        }
        _ => body,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::line;

    #[test]
    fn colours_stay_and_the_rest_goes() {
        for (raw, clean) in [
            ("plain\ttext", "plain\ttext"),
            ("\x1b[1;32mok\x1b[0m", "\x1b[1;32mok\x1b[0m"),
            ("a\x1b[2Jb\x1b[10;10Hc", "abc"),
            ("\x1b]0;title\x07text", "text"),
            ("\x1b]52;c;aGk=\x1b\\text", "text"),
            ("\x1bPq#0\x1b\\text", "text"),
            ("\x1bctext\x1b(Bmore", "textmore"),
            ("over\rwritten\x08\x07", "overwritten"),
            ("\u{9b}2Jtext", "2Jtext"),
            ("cut\x1b[31", "cut"),
            ("cut\x1b]0;tit", "cut"),
            ("\x1b[?25ltext\x1b[>0mx", "textx"),
        ] {
            assert_eq!(line(raw.as_bytes()), clean, "{raw:?}");
        }
        assert_eq!(line(b"a\xffb"), "a\u{fffd}b");
    }

    proptest! {
        #[test]
        fn nothing_but_colours_gets_through(bytes in proptest::collection::vec(
            prop_oneof![Just(0x1b_u8), Just(b'['), Just(b'm'), Just(b';'), any::<u8>()], 0..64,
        )) {
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
    }
}

//! Splits a command line into words the way a POSIX shell quotes them, and does nothing else a shell does:
//! no variables, no globs, no substitution. OpenSSH sends commands as one string, so somebody must split it.

/// A word and where it began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Word {
    /// Byte at which the word began in the line, its quotes included.
    pub(crate) start: usize,
    /// The word without its quotes.
    pub(crate) text: String,
}

/// Why a line cannot be split.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum WordsError {
    /// A quote without its end.
    #[error("A quote is opened and not closed.")]
    OpenQuote,
    /// A backslash at the very end.
    #[error("The line ends with a backslash.")]
    OpenBackslash,
    /// A control character where no command has one.
    #[error("The line holds a control character.")]
    Control,
}

/// Splits `line` at spaces and tabs outside quotes. Line breaks and tabs are allowed inside quotes only.
pub(crate) fn split(line: &str) -> Result<Vec<Word>, WordsError> {
    let mut words = Vec::new();
    let mut current: Option<Word> = None;
    let mut characters = line.char_indices();
    while let Some((at, character)) = characters.next() {
        if matches!(character, ' ' | '\t') {
            words.extend(current.take());
            continue;
        }
        let word = &mut current.get_or_insert_with(|| Word { start: at, text: String::new() }).text;
        match character {
            '\'' => loop {
                match characters.next() {
                    Some((_, '\'')) => break,
                    Some((_, inner)) => word.push(allowed_in_quotes(inner)?),
                    None => return Err(WordsError::OpenQuote),
                }
            },
            '"' => loop {
                match characters.next() {
                    Some((_, '"')) => break,
                    Some((_, '\\')) => match characters.next() {
                        Some((_, escaped @ ('"' | '\\' | '$' | '`'))) => word.push(escaped),
                        Some((_, '\n')) => {}
                        Some((_, other)) => {
                            word.push('\\');
                            word.push(allowed_in_quotes(other)?);
                        }
                        None => return Err(WordsError::OpenQuote),
                    },
                    Some((_, inner)) => word.push(allowed_in_quotes(inner)?),
                    None => return Err(WordsError::OpenQuote),
                }
            },
            '\\' => match characters.next() {
                Some((_, escaped)) => word.push(allowed_in_quotes(escaped)?),
                None => return Err(WordsError::OpenBackslash),
            },
            plain if plain.is_control() => return Err(WordsError::Control),
            plain => word.push(plain),
        }
    }
    words.extend(current);
    Ok(words)
}

fn allowed_in_quotes(character: char) -> Result<char, WordsError> {
    if character == '\0' { Err(WordsError::Control) } else { Ok(character) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn texts(line: &str) -> Result<Vec<String>, WordsError> {
        split(line).map(|words| words.into_iter().map(|word| word.text).collect())
    }

    /// As Git quotes for a shell: everything in single quotes, quotes and exclamation marks outside.
    fn quote(word: &str) -> String {
        format!("'{}'", word.replace('\'', "'\\''").replace('!', "'\\!'"))
    }

    #[test]
    fn quotes_as_shells_do() {
        assert_eq!(texts("").expect("empty"), Vec::<String>::new());
        assert_eq!(texts("  a\t b ").expect("blanks"), ["a", "b"]);
        assert_eq!(texts(r#"a'b c'd "e \" \n" \$x ''"#).expect("quotes"), ["ab cd", "e \" \\n", "$x", ""]);
        assert_eq!(texts(r"git-receive-pack '/it'\''s'\!'.git'").expect("git"), ["git-receive-pack", "/it's!.git"]);
        assert_eq!(texts("a 'b\nc'").expect("a line break in quotes"), ["a", "b\nc"]);
    }

    #[test]
    fn refuses_what_is_not_finished_or_not_text() {
        assert_eq!(texts("a 'b"), Err(WordsError::OpenQuote));
        assert_eq!(texts("a \"b\\"), Err(WordsError::OpenQuote));
        assert_eq!(texts("a \\"), Err(WordsError::OpenBackslash));
        assert_eq!(texts("a\nb"), Err(WordsError::Control));
        assert_eq!(texts("'a\0b'"), Err(WordsError::Control));
        assert_eq!(texts("a\x1b[2J"), Err(WordsError::Control));
    }

    proptest! {
        #[test]
        fn never_panics_and_starts_lie_in_the_line(line in any::<String>()) {
            if let Ok(words) = split(&line) {
                for word in words {
                    prop_assert!(line.is_char_boundary(word.start));
                    prop_assert!(!word.text.contains('\0'));
                }
            }
        }

        #[test]
        fn quoted_words_come_back(words in proptest::collection::vec("[^\0]*", 0..6)) {
            let line = words.iter().map(|word| quote(word)).collect::<Vec<_>>().join(" ");
            prop_assert_eq!(texts(&line).expect("well quoted"), words);
        }
    }
}

//! A Dockerfile's instructions, cut as the engine's own parser cuts them: what it takes for two instructions
//! must not pass our rules as one, and our own lines must not end up in the middle of another.

/// An instruction with its continuations joined, without comments.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Instruction {
    /// Its first word in capitals.
    pub(super) keyword: String,
    /// What follows the first word.
    pub(super) rest: String,
    /// The number of the line that follows it, from 0.
    pub(super) end: usize,
}

impl Instruction {
    /// The instruction as one line.
    pub(super) fn line(&self) -> String {
        format!("{} {}", self.keyword, self.rest)
    }
}

/// Cuts `text` into instructions. An error is a line that engines of different versions read differently, and why.
pub(super) fn instructions(text: &str) -> Result<Vec<Instruction>, (String, &'static str)> {
    let mut directives = Directives::default();
    let mut found = Vec::new();
    let mut current: Option<String> = None;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut end = 0;
    for (number, line) in text.split('\n').enumerate() {
        let line = line.strip_suffix('\r').unwrap_or(line);
        let trimmed = line.trim_start();
        directives.read(trimmed)?;
        // Neither a comment nor an empty line ends an instruction that goes on.
        if trimmed.is_empty() || trimmed.starts_with('#') {
            continue;
        }
        end = number + 1;
        if line.trim_end_matches([' ', '\t']) != line.trim_end() && line.trim_end().ends_with(directives.escape) {
            return Err((
                line.to_owned(),
                "Only spaces and tabs may follow an escape character at a line's end: engines disagree on others.",
            ));
        }
        let part = if current.is_some() { line } else { trimmed };
        let so_far = current.get_or_insert_default();
        let Some(begun) = part.trim_end_matches([' ', '\t']).strip_suffix(directives.escape) else {
            so_far.push_str(part);
            found.extend(current.take().and_then(|whole| instruction(&whole, end)));
            continue;
        };
        if begun.ends_with(directives.escape) {
            return Err((
                line.to_owned(),
                "A line may not end in two escape characters: engines disagree on what follows.",
            ));
        }
        so_far.push_str(begun);
    }
    found.extend(current.and_then(|whole| instruction(&whole, end)));
    Ok(found)
}

fn instruction(whole: &str, end: usize) -> Option<Instruction> {
    let whole = whole.trim();
    let (keyword, rest) = whole.split_once(char::is_whitespace).unwrap_or((whole, ""));
    (!keyword.is_empty()).then(|| Instruction {
        keyword: keyword.to_ascii_uppercase(),
        rest: rest.trim_start().to_owned(),
        end,
    })
}

/// The parser directives (`# escape=`): comments above everything else.
struct Directives {
    escape: char,
    over: bool,
    /// Whether one was seen that only newer engines know, after which older ones read no more directives.
    newer: bool,
}

impl Default for Directives {
    fn default() -> Self {
        Self { escape: '\\', over: false, newer: false }
    }
}

impl Directives {
    fn read(&mut self, line: &str) -> Result<(), (String, &'static str)> {
        if self.over {
            return Ok(());
        }
        let directive = line.strip_prefix('#').and_then(|comment| comment.split_once('='));
        // The kinds of space that are allowed here differ between engines.
        let odd = |text: &str| text.trim() != text.trim_matches([' ', '\t']);
        if let Some((name, value)) = directive
            && name.trim().eq_ignore_ascii_case("escape")
            && (odd(name) || odd(value))
        {
            return Err((line.to_owned(), "Only spaces and tabs may be around the parts of a directive."));
        }
        let Some((name, value)) = directive.map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim()))
        else {
            self.over = true;
            return Ok(());
        };
        match (name.as_str(), value) {
            ("escape", _) if self.newer => {
                return Err((line.to_owned(), "The escape directive has to come before other directives."));
            }
            ("escape", "`") => self.escape = '`',
            ("escape", "\\") => self.escape = '\\',
            ("escape", _) => return Err((line.to_owned(), "The escape character may be \\ or ` only.")),
            ("syntax" | "check", _) => self.newer = true,
            _ => self.over = true,
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &str) -> Vec<(String, usize)> {
        instructions(text).expect("is clear").iter().map(|found| (found.line(), found.end)).collect()
    }

    fn expected(lines: &[(&str, usize)]) -> Vec<(String, usize)> {
        lines.iter().map(|(line, end)| ((*line).to_owned(), *end)).collect()
    }

    #[test]
    fn continuations_comments_and_empty_lines() {
        let text = "# syntax=x\n\n  from a \\\n# note\n\n  # indented\n  AS b\nRUN x \\  \n && y\n#RUN z \\\nCMD w";
        assert_eq!(cut(text), expected(&[("FROM a   AS b", 7), ("RUN x  && y", 9), ("CMD w", 11)]));
    }

    #[test]
    fn the_escape_character_is_what_the_file_says() {
        assert_eq!(cut("# Escape = `\nRUN a `\n b\\\nRUN c"), expected(&[("RUN a  b\\", 3), ("RUN c", 4)]));
        // Below an ordinary comment it is one, too.
        assert_eq!(cut("# hello\n# escape=`\nRUN a `\nRUN c"), expected(&[("RUN a `", 3), ("RUN c", 4)]));
        assert!(instructions("# check=skip=all\n# escape=`\nRUN c").is_err());
        assert!(instructions("# syntax=x\n# escape=`\nRUN c").is_err());
        assert!(instructions("#\u{a0}escape=`\nRUN c").is_err());
        assert_eq!(cut("\u{feff}# escape=`\nRUN a `\n b"), expected(&[("RUN a  b", 3)]));
        assert!(instructions("# escape=x\nRUN c").is_err());
    }

    #[test]
    fn odd_ends() {
        assert_eq!(cut("\u{feff}RUN a\r\nRUN b \\\r\n c\r\n"), expected(&[("RUN a", 1), ("RUN b  c", 3)]));
        assert_eq!(cut("RUN b \\ \t\nc"), expected(&[("RUN b c", 2)]));
        for odd in ["RUN b \\\r\r\nADD c d", "RUN b \\\u{a0}\nADD c d", "RUN b \\\u{b}\nADD c d"] {
            assert!(instructions(odd).is_err(), "{odd:?}");
        }
        assert_eq!(cut("RUN b \\"), expected(&[("RUN b", 1)]));
        assert!(instructions("RUN b \\\\\nADD http://x /").is_err());
    }
}

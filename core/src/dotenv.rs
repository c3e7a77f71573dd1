//! Config vars in `.env` form: read with comments, `export`, quotes and values over several lines; written with names
//! only, because values never leave the platform.
//!
//! The rules are those that most readers of such files share. A line is `NAME=VALUE`, `NAME: VALUE` is not understood.
//! Unquoted values end at ` #` or the line's end and lose spaces around them. In single quotes everything stands for
//! itself. In double quotes `\n`, `\r`, `\t`, `\"`, `\\`, `\$` and a backslash before a line's end are escapes, and other
//! backslashes stay. Lines may end as on Windows, which counts as a line's end everywhere. References such as `$OTHER` are not followed: a value is what is written.

use std::collections::BTreeMap;
use std::iter::Peekable;
use std::str::Chars;

use zeroize::Zeroizing;

use crate::error::FieldError;
use crate::model::ConfigKey;
use crate::{Error, Result};

const BAD_NAME: &str = "What stands before the = is no name that can be set. Use capital letters, digits and underscores; \
                        PORT, DYNO, PS and HOME are set by Skypanel itself.";

/// Reads `.env` text. Of a name that is set twice the last value counts. What cannot be read is told by its line, without
/// its text, which may be part of a secret.
pub fn parse(text: &str) -> Result<BTreeMap<ConfigKey, Zeroizing<Vec<u8>>>> {
    let text = Zeroizing::new(text.replace("\r\n", "\n"));
    let mut reader = Reader { rest: text.strip_prefix('\u{feff}').unwrap_or(&text).chars().peekable(), line: 1 };
    let (mut vars, mut problems) = (BTreeMap::new(), Vec::new());
    loop {
        reader.skip_blank();
        if reader.rest.peek().is_none() {
            break;
        }
        let line = reader.line;
        match reader.assignment() {
            Ok((name, value)) => match name.parse::<ConfigKey>() {
                Ok(key) => {
                    vars.insert(key, value);
                }
                // What stands for a name may be the end of a key that lost its quotes.
                Err(_) => problems.push(problem(line, BAD_NAME)),
            },
            Err(reason) => {
                problems.push(problem(line, reason));
                reader.skip_line();
            }
        }
    }
    if problems.is_empty() { Ok(vars) } else { Err(Error::InvalidFields(problems)) }
}

/// The names as a `.env` file to fill in.
pub fn template<'a>(names: impl IntoIterator<Item = &'a ConfigKey>) -> String {
    names.into_iter().flat_map(|name| [name.as_str(), "=\n"]).collect()
}

fn problem(line: usize, reason: &str) -> FieldError {
    FieldError { field: format!("line {line}"), problem: reason.to_owned() }
}

struct Reader<'a> {
    rest: Peekable<Chars<'a>>,
    line: usize,
}

impl Reader<'_> {
    fn next(&mut self) -> Option<char> {
        let next = self.rest.next();
        self.line += usize::from(next == Some('\n'));
        next
    }

    /// Passes over white space and comments.
    fn skip_blank(&mut self) {
        while let Some(next) = self.rest.peek() {
            match next {
                '#' => self.skip_line(),
                next if next.is_whitespace() => {
                    self.next();
                }
                _ => return,
            }
        }
    }

    /// Passes over what is left of the line, but not its end.
    fn skip_line(&mut self) {
        while self.rest.peek().is_some_and(|next| *next != '\n') {
            self.next();
        }
    }

    fn skip_spaces(&mut self) {
        while self.rest.peek().is_some_and(|next| matches!(next, ' ' | '\t')) {
            self.next();
        }
    }

    fn word(&mut self) -> String {
        let mut word = String::new();
        while let Some(next) = self.rest.peek().copied().filter(|next| *next != '=' && !next.is_whitespace()) {
            word.push(next);
            self.next();
        }
        word
    }

    fn assignment(&mut self) -> Result<(String, Zeroizing<Vec<u8>>), &'static str> {
        let mut name = self.word();
        self.skip_spaces();
        if name == "export" && self.rest.peek() != Some(&'=') {
            name = self.word();
            self.skip_spaces();
        }
        if self.rest.peek() != Some(&'=') {
            return Err("This is not of the form NAME=VALUE.");
        }
        self.next();
        self.skip_spaces();
        let value = match self.rest.peek() {
            Some(quote @ ('\'' | '"')) => {
                let quote = *quote;
                self.next();
                let value = if quote == '\'' { self.single_quoted()? } else { self.double_quoted()? };
                self.skip_spaces();
                if self.rest.peek().is_some_and(|next| !matches!(next, '#' | '\n')) {
                    return Err("Something follows the closing quote.");
                }
                self.skip_line();
                value
            }
            _ => self.unquoted(),
        };
        Ok((name, Zeroizing::new(value.as_bytes().to_vec())))
    }

    fn single_quoted(&mut self) -> Result<Zeroizing<String>, &'static str> {
        let mut value = Zeroizing::new(String::new());
        loop {
            match self.next() {
                Some('\'') => return Ok(value),
                Some(next) => value.push(next),
                None => return Err("The quote that begins here is never closed."),
            }
        }
    }

    fn double_quoted(&mut self) -> Result<Zeroizing<String>, &'static str> {
        let mut value = Zeroizing::new(String::new());
        loop {
            match self.next() {
                Some('"') => return Ok(value),
                Some('\\') => match self.next() {
                    Some('n') => value.push('\n'),
                    Some('r') => value.push('\r'),
                    Some('t') => value.push('\t'),
                    Some(same @ ('"' | '\\' | '$')) => value.push(same),
                    Some('\n') => {}
                    Some(other) => {
                        value.push('\\');
                        value.push(other);
                    }
                    None => return Err("The quote that begins here is never closed."),
                },
                Some(next) => value.push(next),
                None => return Err("The quote that begins here is never closed."),
            }
        }
    }

    fn unquoted(&mut self) -> Zeroizing<String> {
        let mut value = Zeroizing::new(String::new());
        while let Some(next) = self.rest.peek().copied().filter(|next| *next != '\n') {
            if next == '#' && value.ends_with([' ', '\t']) {
                self.skip_line();
                break;
            }
            value.push(next);
            self.next();
        }
        let length = value.trim_end().len();
        value.truncate(length);
        // `NAME= # comment`
        if value.starts_with('#') {
            value.clear();
        }
        value
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Vec<(String, String)> {
        let vars = parse(text).unwrap_or_else(|error| panic!("{text:?}: {error}"));
        vars.into_iter()
            .map(|(key, value)| (key.to_string(), String::from_utf8(value.to_vec()).expect("is text")))
            .collect()
    }

    #[test]
    fn all_forms_of_values_are_read() {
        for (text, value) in [
            ("A=plain", "plain"),
            ("A=", ""),
            ("A=   ", ""),
            ("A= # none", ""),
            ("A=x # comment", "x"),
            ("A=x#no-comment", "x#no-comment"),
            ("  export   A = spaced out  ", "spaced out"),
            ("export\tA=1", "1"),
            ("A='single $B \\n' # comment", "single $B \\n"),
            ("A=\"double \\\"quoted\\\"\\n\\$B \\d\"", "double \"quoted\"\n$B \\d"),
            ("A=\"over\nlines\" # end", "over\nlines"),
            ("A='over\n# no comment\nlines'", "over\n# no comment\nlines"),
            ("A=\"joined \\\nlines\"", "joined lines"),
            ("A=it's", "it's"),
            ("A=a=b=c", "a=b=c"),
            ("A=\"\"", ""),
            ("A=1\r\n", "1"),
            ("A='1'\r\n", "1"),
            ("A='1' # one\r\n# two\r\n", "1"),
            ("A=\"over\r\nlines\"\r\n", "over\nlines"),
            ("A='over\r\nlines'\r\n", "over\nlines"),
            ("A=\"joined \\\r\nlines\"\r\n", "joined lines"),
            ("A=\"kept\\r\\n\"\r\n", "kept\r\n"),
            ("\u{feff}# first\n\n  # second\nA=ä", "ä"),
            ("A=first\nA=last", "last"),
            ("A=-----BEGIN", "-----BEGIN"),
        ] {
            assert_eq!(read(text), [("A".to_owned(), value.to_owned())], "{text:?}");
        }
        let several = "export A=1\nB='2\n2' \n\n#C=3\nD=\"4\"";
        assert_eq!(read(several).iter().map(|(key, _)| key.as_str()).collect::<Vec<_>>(), ["A", "B", "D"]);
        assert!(read("\n# nothing\n").is_empty());
    }

    #[test]
    fn what_cannot_be_read_is_told_by_line_without_its_text() {
        let text = "A=1\nsecret word\nB='2'secret\nlower=secret\nPORT=secret\nC=\"secret";
        let Err(Error::InvalidFields(problems)) = parse(text) else { panic!("is refused") };
        let lines: Vec<&str> = problems.iter().map(|problem| problem.field.as_str()).collect();
        assert_eq!(lines, ["line 2", "line 3", "line 4", "line 5", "line 6"]);
        assert!(problems.iter().all(|problem| !problem.problem.contains("secret")), "{problems:?}");
    }

    #[test]
    fn a_template_has_names_only() {
        let vars = parse("A=secret\nB=secret").expect("reads");
        assert_eq!(template(vars.keys()), "A=\nB=\n");
    }

    proptest! {
        #[test]
        fn no_text_breaks_the_reader(text in "[A-Z=\"'\\\\#\n\r $a-z]{0,80}") {
            let _ = parse(&text);
        }

        #[test]
        fn quoted_values_come_out_as_they_went_in(value in "[^\u{0}]{0,60}") {
            let quoted = value.replace('\\', "\\\\").replace('"', "\\\"");
            let kept = value.replace("\r\n", "\n");
            prop_assert_eq!(read(&format!("A=\"{quoted}\"")), [("A".to_owned(), kept)]);
        }
    }
}

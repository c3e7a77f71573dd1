//! `.dockerignore`, as Docker's documentation and clients have it. The engine leaves this to whoever sends the
//! context, and looks only at whether the Dockerfile and the file itself are named in it.

use crate::{BuildError, source};

/// What a repository keeps out of its builds.
#[derive(Debug, Default)]
pub(super) struct Ignore {
    patterns: Vec<Pattern>,
    /// The directory asked about last, and which patterns fit it or one above it.
    last: (Vec<char>, Vec<bool>),
}

#[derive(Debug)]
struct Pattern {
    parts: Vec<Part>,
    /// Whether it takes back what earlier ones keep out.
    exception: bool,
}

#[derive(Debug)]
enum Part {
    One(char),
    /// `?`
    Any,
    /// `*`
    Some,
    /// `**/`: directories, or none.
    Directories,
    /// `**` at the end.
    Rest,
    /// `[a-z]` or `[^a-z]`.
    Class {
        ranges: Vec<(char, char)>,
        negated: bool,
    },
}

impl Ignore {
    /// Reads the file's content.
    pub(super) fn parse(content: &[u8]) -> Result<Self, BuildError> {
        if content.len() as u64 > source::MAX_DOCKERIGNORE {
            return Err(refused("A .dockerignore may have 64 KB at most.".to_owned()));
        }
        let text = String::from_utf8_lossy(content);
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
        let mut patterns = Vec::new();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let line = line.trim();
            let (exception, pattern) = match line.strip_prefix('!') {
                Some(pattern) => (true, pattern.trim()),
                None => (false, line),
            };
            let cleaned = clean(pattern);
            if exception && pattern.is_empty() {
                return Err(wrong(line));
            }
            // Nothing lies outside the context, and the whole of it cannot be named.
            if !cleaned.is_empty() && !cleaned.starts_with("../") {
                let parts = parts(&cleaned).ok_or_else(|| wrong(line))?;
                patterns.push(Pattern { parts, exception });
            }
        }
        Ok(Self { patterns, last: Default::default() })
    }

    /// Whether `path`, a path in the repository, is kept out. The last pattern that fits it, or a directory it is
    /// in, decides.
    pub(super) fn keeps_out(&mut self, path: &str) -> bool {
        if self.patterns.is_empty() {
            return false;
        }
        let path: Vec<char> = path.chars().collect();
        let directory = path.iter().rposition(|c| *c == '/').map_or(&[][..], |end| &path[..end]);
        if self.last.0 != directory || self.last.1.is_empty() {
            let mut fits = vec![false; self.patterns.len()];
            let ends = directory.iter().enumerate().filter_map(|(at, c)| (*c == '/').then_some(at));
            for end in ends.chain((!directory.is_empty()).then_some(directory.len())) {
                for (fits, pattern) in fits.iter_mut().zip(&self.patterns) {
                    *fits = *fits || pattern.fits(&directory[..end]);
                }
            }
            self.last = (directory.to_vec(), fits);
        }
        let mut decisive = self.patterns.iter().zip(&self.last.1).rev();
        decisive.find(|(pattern, above)| **above || pattern.fits(&path)).is_some_and(|(pattern, _)| !pattern.exception)
    }
}

fn wrong(line: &str) -> BuildError {
    let line: String = line.chars().filter(|character| !character.is_control()).take(200).collect();
    refused(format!("The pattern \"{line}\" is not complete. Correct it, and push again."))
}

fn refused(message: String) -> BuildError {
    BuildError::Dockerfile { step: "reading .dockerignore".to_owned(), message }
}

/// The pattern without empty segments, `.` and what `..` takes back, and without a slash in front.
fn clean(pattern: &str) -> String {
    let mut segments: Vec<&str> = Vec::new();
    for segment in pattern.split('/') {
        match segment {
            "" | "." => {}
            ".." if segments.last().is_some_and(|last| *last != "..") => drop(segments.pop()),
            ".." if pattern.starts_with('/') => {}
            segment => segments.push(segment),
        }
    }
    segments.join("/")
}

/// The parts of a pattern; none where it is not complete.
fn parts(pattern: &str) -> Option<Vec<Part>> {
    let mut parts = Vec::new();
    let mut rest = pattern.chars().peekable();
    while let Some(c) = rest.next() {
        parts.push(match c {
            '*' if rest.next_if_eq(&'*').is_some() => {
                rest.next_if_eq(&'/');
                if rest.peek().is_some() { Part::Directories } else { Part::Rest }
            }
            '*' => Part::Some,
            '?' => Part::Any,
            '\\' => Part::One(rest.next()?),
            '[' => {
                let negated = rest.next_if_eq(&'^').is_some();
                let mut ranges = Vec::new();
                loop {
                    let low = match rest.next()? {
                        ']' if !ranges.is_empty() => break,
                        ']' | '-' => return None,
                        '\\' => rest.next()?,
                        c => c,
                    };
                    let high = if rest.next_if_eq(&'-').is_some() {
                        match rest.next()? {
                            ']' | '-' => return None,
                            '\\' => rest.next()?,
                            c => c,
                        }
                    } else {
                        low
                    };
                    ranges.push((low, high));
                }
                Part::Class { ranges, negated }
            }
            c => Part::One(c),
        });
    }
    Some(parts)
}

impl Pattern {
    /// Whether it fits the whole of `path`. Takes no more than the product of both lengths, whatever the pattern.
    fn fits(&self, path: &[char]) -> bool {
        // Most patterns begin with a letter that most paths do not.
        if let Some(Part::One(first)) = self.parts.first()
            && path.first() != Some(first)
        {
            return false;
        }
        let mut reached = vec![false; path.len() + 1];
        reached[0] = true;
        for part in &self.parts {
            reached = part.advance(path, &reached);
        }
        reached[path.len()]
    }
}

impl Part {
    /// Up to where in `path` a pattern fits with this part, given up to where it does without.
    fn advance(&self, path: &[char], reached: &[bool]) -> Vec<bool> {
        let mut next = vec![false; reached.len()];
        let mut begun = false;
        for at in 0..reached.len() {
            begun |= reached[at];
            let before = at.checked_sub(1).map(|before| (path[before], reached[before]));
            next[at] = match self {
                Self::Rest => begun,
                Self::Directories => reached[at] || (begun && before.is_some_and(|(c, _)| c == '/')),
                Self::Some => reached[at] || before.is_some_and(|(c, _)| c != '/' && next[at - 1]),
                Self::Any => before.is_some_and(|(c, reached)| reached && c != '/'),
                Self::One(one) => before.is_some_and(|(c, reached)| reached && c == *one),
                Self::Class { ranges, negated } => before.is_some_and(|(c, reached)| {
                    reached && c != '/' && ranges.iter().any(|(low, high)| (*low..=*high).contains(&c)) != *negated
                }),
            };
        }
        next
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn kept_out(ignore: &str, paths: &[&str]) -> Vec<String> {
        let mut ignore = Ignore::parse(ignore.as_bytes()).expect("is right");
        paths.iter().filter(|path| ignore.keeps_out(path)).map(|path| (*path).to_owned()).collect()
    }

    #[test]
    fn patterns_mean_what_they_mean_to_docker() {
        let cases: &[(&str, &[&str], &[&str])] = &[
            ("# comment\n\n  *.md  ", &["a.md"], &["d/a.md", "a.mdx"]),
            ("/foo/bar\n", &["foo/bar", "foo/bar/x"], &["foo/barn", "x/foo/bar"]),
            ("foo/\n./bar\nx/../y//z", &["foo", "foo/x", "bar", "y/z"], &["d/foo", "x"]),
            ("*/temp*", &["a/temp", "a/temporary.txt", "a/temp/x"], &["temp", "a/b/temp"]),
            ("temp?", &["tempa"], &["temp", "tempab", "temp/"]),
            ("**/*.go", &["a.go", "d/e/a.go"], &["a.god"]),
            ("**/node_modules", &["node_modules/x/y", "a/b/node_modules/z"], &["node_modules2/x"]),
            ("a/**", &["a/b", "a/b/c"], &["a", "b/a/c"]),
            ("a/**/b", &["a/b", "a/x/b", "a/x/y/b/z"], &["ab", "a/xb"]),
            ("**", &["a", "a/b"], &[]),
            ("**b", &["b", "a/b"], &["ab"]),
            ("[a-c]x\n[^a]y\n\\*z\n[\\]]", &["bx", "by", "*z", "]"], &["dx", "ay", "bz"]),
            // The last that fits decides.
            ("*.md\n!README*.md\nREADME-secret.md", &["a.md", "README-secret.md"], &["README.md", "README-x.md"]),
            ("*\n!src\nsrc/*.log", &["a", "src/x.log"], &["src/a", "src/d/x.log"]),
            ("docs\n!docs/**/keep", &["docs/a", "docs/d/a"], &["docs/keep", "docs/d/keep/x"]),
            ("!a\na", &["a"], &[]),
            (".\n/\n..\n../x\n", &[], &["a", "x"]),
            ("ü?", &["üö"], &["ü"]),
        ];
        for (ignore, out, stay) in cases {
            let all: Vec<&str> = out.iter().chain(*stay).copied().collect();
            assert_eq!(kept_out(ignore, &all), *out, "{ignore:?}");
        }
    }

    #[test]
    fn incomplete_patterns_are_refused() {
        for wrong in ["!", "a\n[a", "[]a]", "[a-]", "x\\"] {
            assert!(Ignore::parse(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_end_well(file in proptest::collection::vec(any::<u8>(), 0..300), path in "[a-c*/.]{0,40}") {
            if let Ok(mut ignore) = Ignore::parse(&file) {
                ignore.keeps_out(&path);
            }
        }

        #[test]
        fn many_stars_take_no_longer(path in "a{100}") {
            let mut ignore = Ignore::parse("*a".repeat(50).as_bytes()).expect("is right");
            prop_assert!(ignore.keeps_out(&path));
        }
    }
}

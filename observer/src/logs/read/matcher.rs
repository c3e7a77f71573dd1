//! Which lines, and which blocks can hold such.

use regex::bytes::{Regex, RegexBuilder};
use skypanel_core::logs::{LogFilter, LogLevel, LogRecord, TextMatch};

use crate::logs::store::{Block, Entry, Frame, level_code, nanoseconds, process_bits, source_code};

/// A filter, made ready for many lines.
#[derive(Clone, Debug)]
pub(super) struct Matcher {
    since: i64,
    until: i64,
    /// A bit for each source that is wanted.
    sources: u8,
    /// A bit for each level that is wanted, the lowest for lines without one.
    levels: u8,
    process: Option<Process>,
    text: Text,
}

#[derive(Clone, Debug)]
struct Process {
    /// Its own name, such as `web.1`, or a type's.
    name: String,
    /// What the replicas of a type begin with.
    prefix: String,
    bits: u64,
}

#[derive(Clone, Debug)]
enum Text {
    Any,
    /// Nothing that could go over from one line into the next: many can be searched at once.
    Holds(Regex),
    Matches(Regex),
}

impl Matcher {
    pub(super) fn new(filter: LogFilter) -> Self {
        let levels = filter.level.map_or(u8::MAX, |least| {
            LogLevel::ALL
                .iter()
                .filter(|level| **level >= least)
                .fold(0, |bits, level| bits | 1 << level_code(Some(*level)))
        });
        let sources = filter.sources.iter().fold(0, |bits, source| bits | 1 << source_code(*source));
        Self {
            since: filter.since.map_or(i64::MIN, nanoseconds),
            until: filter.until.map_or(i64::MAX, nanoseconds),
            sources: if filter.sources.is_empty() { u8::MAX } else { sources },
            levels,
            process: filter.process.map(|name| Process { prefix: format!("{name}."), bits: process_bits(&name), name }),
            text: match filter.text {
                None => Text::Any,
                Some(TextMatch::Holds(text)) if text.is_empty() => Text::Any,
                Some(TextMatch::Holds(text)) => holds(&text),
                Some(TextMatch::Matches(expression)) => Text::Matches(expression),
            },
        }
    }

    /// Whether some line of a block can be wanted.
    pub(super) fn may_be_in(&self, entry: &Entry) -> bool {
        entry.newest >= self.since
            && self.is_before_end(entry.oldest)
            && entry.contents.sources & self.sources != 0
            && entry.contents.levels & self.levels != 0
            && self.process.as_ref().is_none_or(|process| entry.contents.processes & process.bits == process.bits)
    }

    /// The lines of a block that are wanted, by their places in it.
    pub(super) fn select(&self, block: &Block) -> Vec<usize> {
        match &self.text {
            Text::Holds(expression) => {
                let mut found = held(expression, block);
                found.retain(|line| self.frame_but_text(&block.line(*line)));
                found
            }
            Text::Any | Text::Matches(_) => (0..block.len()).filter(|line| self.frame(&block.line(*line))).collect(),
        }
    }

    /// Whether a line is wanted.
    pub(super) fn frame(&self, frame: &Frame<'_>) -> bool {
        self.frame_but_text(frame) && self.text(frame.text)
    }

    /// Whether a line is wanted that was read by another.
    pub(super) fn record(&self, record: &LogRecord) -> bool {
        self.frame(&Frame {
            seq: 0,
            at: nanoseconds(record.at),
            source: record.source,
            level: record.level,
            continues: record.continues,
            process: &record.process,
            text: &record.text,
        })
    }

    fn frame_but_text(&self, frame: &Frame<'_>) -> bool {
        frame.at >= self.since
            && self.is_before_end(frame.at)
            && self.sources & 1 << source_code(frame.source) != 0
            && self.levels & 1 << level_code(frame.level) != 0
            && self
                .process
                .as_ref()
                .is_none_or(|process| frame.process == process.name || frame.process.starts_with(&process.prefix))
    }

    /// What is moved to the end of all time is before none.
    fn is_before_end(&self, at: i64) -> bool {
        at < self.until || self.until == i64::MAX
    }

    fn text(&self, text: &[u8]) -> bool {
        match &self.text {
            Text::Any => true,
            Text::Holds(expression) | Text::Matches(expression) => expression.is_match(text),
        }
    }
}

fn holds(text: &str) -> Text {
    let built =
        RegexBuilder::new(&regex::escape(text)).case_insensitive(true).unicode(false).size_limit(1 << 24).build();
    match built {
        // A text with a line end could be found across two lines, so each is looked at by itself.
        Ok(expression) if text.contains('\n') => Text::Matches(expression),
        Ok(expression) => Text::Holds(expression),
        Err(error) => {
            // Longer than any line that holds it.
            tracing::debug!(%error, "a text that is searched for is too long");
            Text::Matches(nothing())
        }
    }
}

/// Matches no text.
fn nothing() -> Regex {
    #[expect(clippy::expect_used, reason = "it is the same each time")]
    Regex::new("[^\\s\\S]").expect("an expression")
}

/// The lines of a block that hold what an expression stands for, which has no line end in it.
fn held(expression: &Regex, block: &Block) -> Vec<usize> {
    let texts = block.texts();
    let (mut found, mut from) = (Vec::new(), 0);
    while let Some(hit) = expression.find_at(texts, from) {
        let line = block.line_at(hit.start());
        let span = block.span(line);
        // Behind the last line there is nothing but its end.
        if hit.end() <= span.end {
            found.push(line);
        }
        from = span.end + 1;
        if line + 1 >= block.len() {
            break;
        }
    }
    found
}

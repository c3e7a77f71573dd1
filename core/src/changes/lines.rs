//! Compares a file with what it was, line by line, as far as it is text and not too large.

use git2::{DiffLineType, DiffOptions, ErrorCode, ObjectType, Patch};

use super::trees::Entry;
use super::{ChangeLimits, Work, shown};
use crate::model::Omission;

/// Mode of a submodule, as Git writes it.
const SUBMODULE: i32 = 0o160_000;
/// Bytes at the beginning of a file among which a zero makes it binary, as for Git.
const LOOKED_AT: usize = 8_000;
/// Most characters of a line: some files have one line alone.
const MAX_LINE: usize = 1_000;

/// Most lines of both sides that are compared: from there on it can take seconds, which nothing interrupts.
const MAX_LINES: usize = 80_000;

/// What is left of what may be kept.
pub(super) struct Room {
    all: usize,
    limits: ChangeLimits,
}

impl Room {
    pub(super) fn new(limits: ChangeLimits) -> Self {
        Self { all: limits.patch, limits }
    }
}

/// The lines of a file that differ.
#[derive(Debug, Default)]
pub(super) struct Lines {
    pub(super) added: u64,
    pub(super) removed: u64,
    pub(super) omitted: Option<Omission>,
    pub(super) patch: String,
}

/// The content of a file.
pub(super) enum Content {
    Text(Vec<u8>),
    Binary,
    TooLarge,
}

/// Compares the two.
pub(super) fn compare(
    work: &Work,
    old: Option<Entry>,
    new: Option<Entry>,
    room: &mut Room,
) -> Result<Lines, git2::Error> {
    if old.map(|entry| entry.id) == new.map(|entry| entry.id) {
        return Ok(Lines::default());
    }
    let without = |omitted| Ok(Lines { omitted: Some(omitted), ..Lines::default() });
    if work.is_late() {
        return without(Omission::Cut);
    }
    let (old, new) = match (content(work, old)?, content(work, new)?) {
        (Content::TooLarge, _) | (_, Content::TooLarge) => return without(Omission::TooLarge),
        (Content::Binary, _) | (_, Content::Binary) => return without(Omission::Binary),
        (Content::Text(old), Content::Text(new)) => (old, new),
    };
    if count_lines(&old) + count_lines(&new) > MAX_LINES {
        return without(Omission::TooLarge);
    }
    let mut options = DiffOptions::new();
    options.force_text(true).context_lines(3).indent_heuristic(true);
    let patch = Patch::from_buffers(&old, None, &new, None, Some(&mut options))?;
    let (_, added, removed) = patch.line_stats()?;
    let mut lines = Lines { added: added as u64, removed: removed as u64, ..Lines::default() };
    write(&patch, &mut lines, room)?;
    Ok(lines)
}

fn count_lines(text: &[u8]) -> usize {
    text.split(|byte| *byte == b'\n').count()
}

/// What is compared of a file: of a link its target, of a submodule its commit, of what is not there nothing.
pub(super) fn content(work: &Work, entry: Option<Entry>) -> Result<Content, git2::Error> {
    let Some(entry) = entry else { return Ok(Content::Text(Vec::new())) };
    if entry.mode == SUBMODULE {
        return Ok(Content::Text(format!("Subproject commit {}\n", entry.id).into_bytes()));
    }
    let odb = work.repository.odb()?;
    // Asked before it is read: a few megabytes of pack can unfold to more than this machine's memory.
    let (bytes, kind) = match odb.read_header(entry.id) {
        Ok(header) => header,
        // A clone with a filter has not all of them.
        Err(error) if error.code() == ErrorCode::NotFound => return Ok(Content::TooLarge),
        Err(error) => return Err(error),
    };
    if kind != ObjectType::Blob || bytes > work.limits.file_bytes {
        return Ok(Content::TooLarge);
    }
    let object = odb.read(entry.id)?;
    let data = object.data();
    if data[..data.len().min(LOOKED_AT)].contains(&0) {
        return Ok(Content::Binary);
    }
    Ok(Content::Text(data.to_vec()))
}

/// Writes the hunks as they are in a unified diff, as far as there is room.
fn write(patch: &Patch<'_>, lines: &mut Lines, room: &mut Room) -> Result<(), git2::Error> {
    let most = room.all.min(room.limits.patch_of_file);
    let mut text = String::new();
    for hunk in 0..patch.num_hunks() {
        let (header, count) = patch.hunk(hunk)?;
        let mut next = String::new();
        let mut whole = shown::line(header.header().trim_ascii_end(), MAX_LINE, &mut next);
        next.push('\n');
        if text.len() + next.len() > most {
            lines.omitted = Some(Omission::Cut);
            break;
        }
        text.push_str(&next);
        for number in 0..count {
            let line = patch.line_in_hunk(hunk, number)?;
            next.clear();
            whole &= write_line(&line, &mut next);
            if text.len() + next.len() > most {
                whole = false;
                break;
            }
            text.push_str(&next);
        }
        if !whole {
            lines.omitted = Some(Omission::Cut);
        }
        if text.len() >= most {
            break;
        }
    }
    room.all -= text.len();
    lines.patch = text;
    Ok(())
}

/// Answers whether it is the whole line.
fn write_line(line: &git2::DiffLine<'_>, text: &mut String) -> bool {
    let sign = match line.origin_value() {
        DiffLineType::Addition => '+',
        DiffLineType::Deletion => '-',
        DiffLineType::Context => ' ',
        DiffLineType::ContextEOFNL | DiffLineType::AddEOFNL | DiffLineType::DeleteEOFNL => {
            text.push_str("\\ No newline at end of file\n");
            return true;
        }
        _ => return true,
    };
    text.push(sign);
    let content = line.content();
    let content = content.strip_suffix(b"\n").unwrap_or(content);
    // Where all lines end in it, it would only be in the way.
    let content = if sign == ' ' { content.strip_suffix(b"\r").unwrap_or(content) } else { content };
    let whole = shown::line(content, MAX_LINE, text);
    if !whole {
        text.push('…');
    }
    text.push('\n');
    whole
}

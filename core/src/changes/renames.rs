//! Finds files that went and came again under another path, by their content.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use git2::Oid;

use super::Work;
use super::lines::{Content, content};
use super::trees::Difference;

/// Most files on either side that are held against each other by their lines.
const MAX_COMPARED: usize = 60;
/// Most bytes of such a file.
const MAX_BYTES: usize = 256 << 10;
/// Percent of its bytes that the larger one has to have in common with the other.
const ALIKE: usize = 50;

/// Makes one difference of two where a file was renamed.
pub(super) fn find(work: &Work, differences: &mut Vec<Difference>) -> Result<(), git2::Error> {
    let mut pairs = Vec::new();
    let mut gone: HashMap<Oid, Vec<usize>> = HashMap::new();
    for (place, difference) in differences.iter().enumerate() {
        if let (Some(old), None) = (difference.old, difference.new) {
            gone.entry(old.id).or_default().push(place);
        }
    }
    let nothing = Oid::hash_object(git2::ObjectType::Blob, &[])?;
    for (place, difference) in differences.iter().enumerate() {
        let (None, Some(new)) = (difference.old, difference.new) else { continue };
        if new.id != nothing
            && let Some(from) = gone.get_mut(&new.id).and_then(Vec::pop)
        {
            pairs.push((from, place));
        }
    }
    join(differences, &pairs);
    let pairs = alike(work, differences)?;
    join(differences, &pairs);
    Ok(())
}

/// Pairs of what went and what came, by their places.
fn join(differences: &mut Vec<Difference>, pairs: &[(usize, usize)]) {
    let mut drop: Vec<bool> = vec![false; differences.len()];
    for &(from, to) in pairs {
        let old = differences[from].old;
        let old_path = std::mem::take(&mut differences[from].path);
        differences[to].old = old;
        differences[to].old_path = Some(old_path);
        drop[from] = true;
    }
    let mut place = 0;
    differences.retain(|_| {
        place += 1;
        !drop[place - 1]
    });
}

/// Finds those that changed on the way; the most alike first.
fn alike(work: &Work, differences: &[Difference]) -> Result<Vec<(usize, usize)>, git2::Error> {
    let (mut went, mut came) = (Vec::new(), Vec::new());
    for (place, difference) in differences.iter().enumerate() {
        match (difference.old, difference.new) {
            (Some(old), None) => went.push((place, old)),
            (None, Some(new)) => came.push((place, new)),
            _ => {}
        }
    }
    if went.is_empty() || came.is_empty() || went.len() > MAX_COMPARED || came.len() > MAX_COMPARED {
        return Ok(Vec::new());
    }
    let read = |files: Vec<(usize, super::trees::Entry)>| {
        let mut read = Vec::new();
        for (place, entry) in files {
            if work.is_late() {
                return Ok(Vec::new());
            }
            if let Content::Text(text) = content(work, Some(entry))?
                && !text.is_empty()
                && text.len() <= MAX_BYTES
            {
                read.push((place, entry.mode, Fingerprint::of(&text)));
            }
        }
        Ok::<_, git2::Error>(read)
    };
    let (went, came) = (read(went)?, read(came)?);
    let mut found = Vec::new();
    for (from, old_mode, old) in &went {
        for (to, new_mode, new) in &came {
            // A link that became a file is not the same thing.
            if old_mode & 0o170_000 == new_mode & 0o170_000 && !work.is_late() {
                found.push((old.common(new), *from, *to));
            }
        }
    }
    found.retain(|(percent, ..)| *percent >= ALIKE);
    found.sort_by_key(|(percent, from, to)| (std::cmp::Reverse(*percent), *from, *to));
    let mut pairs: Vec<(usize, usize)> = Vec::new();
    for (_, from, to) in found {
        if !pairs.iter().any(|(other_from, other_to)| *other_from == from || *other_to == to) {
            pairs.push((from, to));
        }
    }
    Ok(pairs)
}

/// How many bytes the lines of a file have, by the lines' hashes.
struct Fingerprint {
    lines: HashMap<u64, usize>,
    bytes: usize,
}

impl Fingerprint {
    fn of(text: &[u8]) -> Self {
        let mut lines = HashMap::new();
        for line in text.split_inclusive(|byte| *byte == b'\n') {
            let mut hash = DefaultHasher::new();
            line.hash(&mut hash);
            *lines.entry(hash.finish()).or_default() += line.len();
        }
        Self { lines, bytes: text.len() }
    }

    /// Percent of the larger one that both have.
    fn common(&self, other: &Self) -> usize {
        let larger = self.bytes.max(other.bytes);
        if self.bytes.min(other.bytes) * 100 < larger * ALIKE {
            return 0;
        }
        let common = |(line, bytes): (&u64, &usize)| other.lines.get(line).map_or(0, |others| *bytes.min(others));
        self.lines.iter().map(common).sum::<usize>() * 100 / larger
    }
}

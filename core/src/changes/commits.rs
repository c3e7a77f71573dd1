//! The commits that a new one has in its history and an old one has not. Histories may be of any length and may end
//! anywhere, as those of shallow clones do.

use std::collections::{BinaryHeap, HashMap};

use chrono::DateTime;
use git2::Oid;

use super::{Work, shown};
use crate::model::ChangedCommit;
use crate::source::commit::MAX_COMMIT;

/// Most characters that are kept of an author's name, and of the first line of a message.
const MAX_NAME: usize = 100;
const MAX_SUBJECT: usize = 200;

/// How many known commits are looked at when no others are left: clocks go wrong, and one that was met as new may be
/// behind them.
const FURTHER: u32 = 50;

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Walked {
    /// The newest first.
    pub(super) commits: Vec<ChangedCommit>,
    /// How many more were seen.
    pub(super) more: u64,
    /// Whether the old commit is in the history of the new one; none where that is cut off or too long to tell.
    pub(super) goes_on: Option<bool>,
}

/// A commit that was seen.
#[derive(Default)]
struct Seen {
    /// Whether the old commit has it, too.
    known: bool,
    /// Whether its parents were looked at; they are these.
    walked: bool,
    parents: Vec<Oid>,
}

/// Walks back from both by the time of the commits until only known ones are left.
pub(super) fn between(work: &Work, old: Oid, new: Oid) -> Result<Walked, git2::Error> {
    let mut walk = Walk { seen: HashMap::new(), queue: BinaryHeap::new(), unknown: 0, cut: false };
    walk.meet(work, old, true)?;
    walk.meet(work, new, false)?;
    let mut order = Vec::new();
    let mut goes_on = false;
    let mut further = FURTHER;
    while order.len() < work.limits.history && walk.seen.len() < work.limits.history * 2 && !work.is_late() {
        if walk.unknown == 0 {
            if further == 0 {
                break;
            }
            further -= 1;
        }
        let Some((_, id)) = walk.queue.pop() else { break };
        let parents = parents(&work.repository.find_commit(id)?);
        let seen = walk.seen.entry(id).or_default();
        seen.walked = true;
        seen.parents.clone_from(&parents);
        let known = seen.known;
        if !known {
            walk.unknown -= 1;
            order.push(id);
            goes_on |= parents.contains(&old);
        }
        for parent in parents {
            walk.meet(work, parent, known)?;
        }
    }
    let is_whole = walk.unknown == 0 && !walk.cut;
    let goes_on = if goes_on || is_whole { Some(goes_on) } else { None };
    let mut walked = Walked { goes_on, ..Walked::default() };
    for id in order.into_iter().filter(|id| !walk.seen[id].known) {
        if walked.commits.len() == work.limits.commits {
            walked.more += 1;
        } else {
            walked.commits.push(describe(work, id)?);
        }
    }
    Ok(walked)
}

struct Walk {
    seen: HashMap<Oid, Seen>,
    queue: BinaryHeap<(i64, Oid)>,
    /// Commits in the queue that are not known.
    unknown: usize,
    /// Whether a commit that is not known has parents that are not there.
    cut: bool,
}

impl Walk {
    /// Puts a commit into the queue, if it is there and was not met before, and passes on that it is known.
    fn meet(&mut self, work: &Work, id: Oid, known: bool) -> Result<(), git2::Error> {
        if let Some(seen) = self.seen.get(&id) {
            if known && !seen.known {
                self.make_known(id);
            }
            return Ok(());
        }
        match work.repository.odb()?.read_header(id) {
            Ok((bytes, _)) if bytes <= MAX_COMMIT => {}
            // A shallow history ends here.
            _ => {
                self.cut |= !known;
                return Ok(());
            }
        }
        let time = work.repository.find_commit(id)?.time().seconds();
        self.seen.insert(id, Seen { known, ..Seen::default() });
        self.queue.push((time, id));
        self.unknown += usize::from(!known);
        Ok(())
    }

    fn make_known(&mut self, id: Oid) {
        let mut left = vec![id];
        while let Some(id) = left.pop() {
            let Some(seen) = self.seen.get_mut(&id).filter(|seen| !seen.known) else { continue };
            seen.known = true;
            if seen.walked {
                left.extend_from_slice(&seen.parents);
            } else {
                self.unknown -= 1;
            }
        }
    }
}

/// Its parents as it names them: those that a shallow clone has not are among them.
fn parents(commit: &git2::Commit<'_>) -> Vec<Oid> {
    let lines = commit.raw_header_bytes().split(|byte| *byte == b'\n');
    let hashes = lines.filter_map(|line| std::str::from_utf8(line.strip_prefix(b"parent ")?).ok());
    hashes.filter_map(|hash| Oid::from_str(hash).ok()).collect()
}

fn describe(work: &Work, id: Oid) -> Result<ChangedCommit, git2::Error> {
    let commit = work.repository.find_commit(id)?;
    Ok(ChangedCommit {
        hash: id.to_string(),
        author: shown::short(commit.author().name_bytes(), MAX_NAME),
        subject: shown::short(commit.summary_bytes().unwrap_or_default(), MAX_SUBJECT),
        committed_at: DateTime::from_timestamp(commit.time().seconds(), 0),
    })
}

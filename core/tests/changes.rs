//! What lies between two commits, of real repositories: well-meant ones and others.

use std::time::{Duration, Instant};

use git2::build::TreeUpdateBuilder;
use git2::{FileMode, ObjectType, Oid, Repository, Signature, Time};
use skypanel_core::changes::{ChangeLimits, Range, changes_between};
use skypanel_core::model::{ChangedFile, Changes, FileStatus, NoChanges, Omission};

struct Place {
    directory: tempfile::TempDir,
    repository: Repository,
}

type Files<'a> = &'a [(&'a [u8], &'a [u8])];

impl Place {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("makes a directory");
        let repository = Repository::init_bare(directory.path()).expect("makes a repository");
        Self { directory, repository }
    }

    fn blob(&self, content: &[u8]) -> Oid {
        self.repository.blob(content).expect("writes")
    }

    fn tree(&self, entries: &[(&[u8], FileMode, Oid)]) -> Oid {
        let empty = self.repository.treebuilder(None).and_then(|builder| builder.write()).expect("writes");
        let empty = self.repository.find_tree(empty).expect("reads");
        let mut builder = TreeUpdateBuilder::new();
        for (path, mode, id) in entries {
            builder.upsert(*path, *id, *mode);
        }
        builder.create_updated(&self.repository, &empty).expect("writes")
    }

    fn files(&self, files: Files<'_>) -> Oid {
        let entries: Vec<_> = files.iter().map(|(path, content)| (*path, FileMode::Blob, self.blob(content))).collect();
        self.tree(&entries)
    }

    fn commit_tree(&self, tree: Oid, parents: &[Oid], message: &str, seconds: i64) -> Oid {
        let who = Signature::new("Ada", "ada@example.com", &Time::new(1_700_000_000 + seconds, 0)).expect("is one");
        let parents: Vec<_> = parents.iter().map(|id| self.repository.find_commit(*id).expect("is there")).collect();
        let tree = self.repository.find_tree(tree).expect("is there");
        self.repository.commit(None, &who, &who, message, &tree, &parents.iter().collect::<Vec<_>>()).expect("commits")
    }

    fn commit(&self, files: Files<'_>, parents: &[Oid], message: &str, seconds: i64) -> Oid {
        self.commit_tree(self.files(files), parents, message, seconds)
    }

    fn range(&self, base: Oid, commit: Oid, limits: ChangeLimits) -> Range {
        Range {
            repository: self.directory.path().to_owned(),
            quarantine: None,
            base: base.to_string(),
            commit: commit.to_string(),
            limits,
        }
    }

    fn changes(&self, base: Oid, commit: Oid) -> Changes {
        changes_between(&self.range(base, commit, ChangeLimits::default())).expect("are found")
    }

    /// What differs between two sets of files.
    fn between(&self, old: Files<'_>, new: Files<'_>) -> Changes {
        let base = self.commit(old, &[], "Old", 0);
        let commit = self.commit(new, &[base], "New", 1);
        self.changes(base, commit)
    }
}

fn only(changes: &Changes) -> &ChangedFile {
    let [file] = &changes.files[..] else { panic!("one file: {changes:#?}") };
    file
}

fn subjects(changes: &Changes) -> Vec<&str> {
    changes.commits.iter().map(|commit| commit.subject.as_str()).collect()
}

#[test]
fn files_that_came_went_and_changed_are_told_with_their_lines() {
    let place = Place::new();
    let base = place.commit(
        &[(b"app.txt", b"one\ntwo\nthree\n"), (b"lib/gone.txt", b"here\n"), (b"same", b"s")],
        &[],
        "Begin",
        0,
    );
    let between = place.commit(&[(b"app.txt", b"one\n")], &[base], "Between\n\nNot shown.", 1);
    let commit = place.commit(
        &[(b"app.txt", b"one\n2\nthree\nfour"), (b"new/a.txt", b"new\n"), (b"same", b"s")],
        &[between],
        "Say \x1b[31mhello",
        2,
    );
    let changes = place.changes(base, commit);
    assert_eq!(subjects(&changes), ["Say ␛[31mhello", "Between"]);
    assert_eq!(changes.commits[0].hash, commit.to_string());
    assert_eq!(changes.commits[0].author, "Ada");
    assert_eq!(changes.commits[0].committed_at.map(|at| at.timestamp()), Some(1_700_000_002));
    assert!(changes.goes_on == Some(true) && !changes.truncated, "{changes:#?}");
    let files: Vec<_> =
        changes.files.iter().map(|file| (file.path.as_str(), file.status, file.added, file.removed)).collect();
    assert_eq!(
        files,
        [
            ("app.txt", FileStatus::Modified, 2, 1),
            ("lib/gone.txt", FileStatus::Removed, 0, 1),
            ("new/a.txt", FileStatus::Added, 1, 0),
        ]
    );
    assert_eq!((changes.added, changes.removed), (3, 2));
    let patch = "@@ -1,3 +1,4 @@\n one\n-two\n+2\n three\n+four\n\\ No newline at end of file\n";
    assert_eq!(changes.files[0].patch, patch);
    assert_eq!(changes.files[2].patch, "@@ -0,0 +1 @@\n+new\n");
}

#[test]
fn a_file_that_was_renamed_is_told_as_one_also_when_it_changed() {
    let place = Place::new();
    let text = (0..40).map(|line| format!("line {line}\n")).collect::<Vec<_>>().concat();
    let changed = text.replace("line 7\n", "line seven\n");
    let changes = place.between(
        &[(b"a.txt", text.as_bytes()), (b"b.txt", b"moved as it is\n"), (b"c.txt", b"something else\n")],
        &[(b"dir/a2.txt", changed.as_bytes()), (b"dir/b.txt", b"moved as it is\n"), (b"d.txt", b"not at all alike\n")],
    );
    let files: Vec<_> =
        changes.files.iter().map(|file| (file.path.as_str(), file.old_path.as_deref(), file.status)).collect();
    assert_eq!(
        files,
        [
            ("c.txt", None, FileStatus::Removed),
            ("d.txt", None, FileStatus::Added),
            ("dir/a2.txt", Some("a.txt"), FileStatus::Renamed),
            ("dir/b.txt", Some("b.txt"), FileStatus::Renamed),
        ]
    );
    assert_eq!((changes.files[2].added, changes.files[2].removed), (1, 1));
    assert!(changes.files[2].patch.contains("-line 7\n+line seven\n"), "{}", changes.files[2].patch);
    assert_eq!(changes.files[3].patch, "");
}

#[test]
fn what_is_no_text_or_too_large_is_told_without_lines() {
    let place = Place::new();
    let huge = vec![b'a'; ChangeLimits::default().file_bytes + 1];
    let changes = place.between(
        &[(b"picture", b"\x89PNG\0\x01"), (b"huge", b"small\n")],
        &[(b"picture", b"\x89PNG\0\x02"), (b"huge", &huge)],
    );
    let files: Vec<_> =
        changes.files.iter().map(|file| (file.path.as_str(), file.omitted, file.patch.as_str())).collect();
    assert_eq!(files, [("huge", Some(Omission::TooLarge), ""), ("picture", Some(Omission::Binary), "")]);
    assert!(!changes.truncated);
}

#[test]
fn any_bytes_become_text_that_can_be_shown() {
    let place = Place::new();
    let changes = place.between(&[], &[(b"caf\xe9\n\x1b[31m", b"gr\xfcn\n\x1b]0;title\x07\tx\r\nlater \0\n")]);
    // A zero makes it binary.
    assert_eq!(only(&changes).omitted, Some(Omission::Binary));
    assert_eq!(only(&changes).path, "caf\u{fffd}␊␛[31m");
    let changes = place.between(&[], &[(b"a", "gr\u{fc}n \u{202e}\n\x1b]0;t\x07\tx\r\n".as_bytes())]);
    assert_eq!(only(&changes).patch, "@@ -0,0 +1,2 @@\n+grün ⟨U+202E⟩\n+␛]0;t␇\tx␍\n");
    let changes = place.between(&[], &[(b"a", b"gr\xfcn\n")]);
    assert_eq!(only(&changes).patch, "@@ -0,0 +1 @@\n+gr\u{fffd}n\n");
}

#[test]
fn links_submodules_and_modes_are_told() {
    let place = Place::new();
    let (old, new) = (place.blob(b"one"), place.blob(b"two"));
    let (first, second) = (Oid::from_str(&"1".repeat(40)), Oid::from_str(&"2".repeat(40)));
    let (first, second) = (first.expect("is one"), second.expect("is one"));
    let before = place.tree(&[
        (b"link", FileMode::Link, old),
        (b"run", FileMode::Blob, old),
        (b"sub", FileMode::Commit, first),
        (b"thing", FileMode::Blob, old),
    ]);
    let after = place.tree(&[
        (b"link", FileMode::Link, new),
        (b"run", FileMode::BlobExecutable, old),
        (b"sub", FileMode::Commit, second),
        (b"thing/inside", FileMode::Blob, new),
    ]);
    let base = place.commit_tree(before, &[], "Old", 0);
    let changes = place.changes(base, place.commit_tree(after, &[base], "New", 1));
    let [link, run, sub, thing, inside] = &changes.files[..] else { panic!("{changes:#?}") };
    assert!(link.patch.contains("-one\n") && link.patch.contains("+two\n"), "{}", link.patch);
    assert_eq!((run.old_mode.as_deref(), run.new_mode.as_deref()), (Some("100644"), Some("100755")));
    assert_eq!(run.patch, "");
    assert!(sub.patch.contains(&format!("+Subproject commit {second}\n")), "{}", sub.patch);
    assert_eq!((thing.path.as_str(), thing.status), ("thing", FileStatus::Removed));
    assert_eq!((inside.path.as_str(), inside.status), ("thing/inside", FileStatus::Added));
}

#[test]
fn a_merge_brings_the_commits_of_both_sides() {
    let place = Place::new();
    let root = place.commit(&[(b"a", b"1\n")], &[], "Root", 0);
    let base = place.commit(&[(b"a", b"2\n")], &[root], "Base", 1);
    let side = place.commit(&[(b"a", b"1\n"), (b"b", b"1\n")], &[root], "Side", 2);
    let merge = place.commit(&[(b"a", b"2\n"), (b"b", b"1\n")], &[base, side], "Merge", 3);
    let changes = place.changes(base, merge);
    assert_eq!(subjects(&changes), ["Merge", "Side"]);
    assert_eq!(changes.goes_on, Some(true));
    assert_eq!(only(&changes).path, "b");
    // Clocks go wrong: the side branch says that it is younger than what follows, the root that it is the youngest.
    let root = place.commit(&[(b"a", b"1\n")], &[], "Root", 90);
    let base = place.commit(&[(b"a", b"2\n")], &[root], "Base", 1);
    let side = place.commit(&[(b"b", b"1\n")], &[root], "Side", 50);
    let merge = place.commit(&[(b"b", b"2\n")], &[base, side], "Merge", 3);
    assert_eq!(subjects(&place.changes(base, merge)), ["Merge", "Side"]);
}

#[test]
fn a_history_that_does_not_go_on_says_so() {
    let place = Place::new();
    let base = place.commit(&[(b"a", b"1\n")], &[], "Base", 0);
    let first = place.commit(&[(b"a", b"2\n")], &[], "Elsewhere", 1);
    let other = place.commit(&[(b"a", b"3\n")], &[first], "Unrelated", 2);
    let changes = place.changes(base, other);
    assert_eq!(changes.goes_on, Some(false));
    assert_eq!(subjects(&changes), ["Unrelated", "Elsewhere"]);
    assert_eq!(only(&changes).patch, "@@ -1 +1 @@\n-1\n+3\n");
    // Back to an older commit.
    let changes = place.changes(other, first);
    assert!(changes.goes_on == Some(false) && changes.commits.is_empty());
    assert_eq!(only(&changes).patch, "@@ -1 +1 @@\n-3\n+2\n");
}

#[test]
fn what_cannot_be_compared_is_told_apart() {
    let place = Place::new();
    let commit = place.commit(&[(b"a", b"1\n")], &[], "One", 0);
    let missing = |base: &str| {
        let range = Range { base: base.to_owned(), ..place.range(commit, commit, ChangeLimits::default()) };
        changes_between(&range).expect_err("is not known")
    };
    assert_eq!(missing(&commit.to_string()), NoChanges::SameCommit);
    assert_eq!(missing(&"3".repeat(40)), NoChanges::NotInHistory);
    assert_eq!(missing(&"3".repeat(64)), NoChanges::NotInHistory);
    assert_eq!(missing(&place.blob(b"no commit").to_string()), NoChanges::Unreadable);
    // A shallow clone has a commit whose parent it has not.
    let shallow = Place::new();
    let tree = shallow.files(&[(b"a", b"2\n")]);
    let about = format!(
        "tree {tree}\nparent {}\nauthor A <a@example.com> 1700000000 +0000\ncommitter A <a@example.com> 1700000000 \
         +0000\n\nCut off\n",
        "4".repeat(40)
    );
    let odb = shallow.repository.odb().expect("opens");
    let cut = odb.write(ObjectType::Commit, about.as_bytes()).expect("writes");
    let next = shallow.commit(&[(b"a", b"3\n")], &[cut], "Next", 1);
    let other = shallow.commit(&[(b"a", b"4\n")], &[], "Other", 1);
    for file in [None, Some(format!("{cut}\n"))] {
        // Git's own note of where it ends.
        if let Some(file) = file {
            std::fs::write(shallow.directory.path().join("shallow"), file).expect("writes");
        }
        let changes = shallow.changes(cut, next);
        assert_eq!((subjects(&changes), changes.goes_on), (vec!["Next"], Some(true)));
        let changes = shallow.changes(other, next);
        assert_eq!((subjects(&changes), changes.goes_on), (vec!["Next", "Cut off"], None));
    }
}

#[test]
fn pushed_objects_are_found_in_quarantine() {
    let place = Place::new();
    let base = place.commit(&[(b"a", b"1\n")], &[], "Base", 0);
    let pushed = Place::new();
    let copy = pushed.commit(&[(b"a", b"1\n")], &[], "Base", 0);
    assert_eq!(base, copy);
    let commit = pushed.commit(&[(b"a", b"2\n")], &[copy], "New", 1);
    let range = Range {
        quarantine: Some(pushed.directory.path().join("objects")),
        ..place.range(base, commit, ChangeLimits::default())
    };
    assert_eq!(subjects(&changes_between(&range).expect("are found")), ["New"]);
}

#[test]
fn no_more_is_kept_than_there_is_room_for() {
    let place = Place::new();
    let limits = ChangeLimits { commits: 2, files: 3, patch_of_file: 400, patch: 1_000, ..ChangeLimits::default() };
    let paths: Vec<String> = (0..10).map(|number| format!("f{number}")).collect();
    let text = (0..100).map(|line| format!("{line}\n")).collect::<Vec<_>>().concat();
    let files: Vec<(&[u8], &[u8])> = paths.iter().map(|path| (path.as_bytes(), text.as_bytes())).collect();
    let base = place.commit(&[], &[], "Base", 0);
    let mut commit = base;
    for number in 0..5 {
        commit = place.commit(&files, &[commit], &format!("{number}"), 1 + number);
    }
    let changes = changes_between(&place.range(base, commit, limits)).expect("are found");
    assert!(changes.truncated);
    assert_eq!((subjects(&changes), changes.more_commits), (vec!["4", "3"], 3));
    assert_eq!((changes.files.len(), changes.more_files), (3, 7));
    let kept: Vec<usize> = changes.files.iter().map(|file| file.patch.len()).collect();
    assert!(kept.iter().all(|kept| (150..=400).contains(kept)) && kept.iter().sum::<usize>() <= 1_000, "{kept:?}");
    assert!(changes.files.iter().all(|file| file.omitted == Some(Omission::Cut) && file.added == 100), "{changes:#?}");
    // One line of a megabyte.
    let changes = place.between(&[], &[(b"app.min.js", &vec![b'x'; 1 << 20])]);
    assert_eq!(only(&changes).omitted, Some(Omission::Cut));
    assert!(only(&changes).patch.len() < 2_000);
}

#[test]
fn hostile_trees_end_soon() {
    let place = Place::new();
    let base = place.commit(&[(b"a", b"1\n")], &[], "Base", 0);
    // Deeper than anything that is built.
    let mut tree = place.files(&[(b"a", b"2\n")]);
    for _ in 0..300 {
        let mut builder = place.repository.treebuilder(None).expect("begins");
        builder.insert("d", tree, 0o040_000).expect("adds");
        tree = builder.write().expect("writes");
    }
    let changes = place.changes(base, place.commit_tree(tree, &[base], "Deep", 1));
    assert!(changes.truncated);
    // Ten to the tenth files in eleven objects.
    let mut tree = place.files(&[(b"a", b"2\n")]);
    for _ in 0..10 {
        let mut builder = place.repository.treebuilder(None).expect("begins");
        for name in 0..10 {
            builder.insert(format!("d{name}"), tree, 0o040_000).expect("adds");
        }
        tree = builder.write().expect("writes");
    }
    let commit = place.commit_tree(tree, &[base], "Wide", 1);
    let changes = place.changes(base, commit);
    assert!(changes.truncated);
    assert_eq!(changes.files.len(), 300);
    // Without any time something is answered, too.
    let begun = Instant::now();
    let limits = ChangeLimits { time: Duration::ZERO, ..ChangeLimits::default() };
    let changes = changes_between(&place.range(base, commit, limits)).expect("answers");
    assert!(changes.truncated && changes.files.is_empty());
    assert!(begun.elapsed() < Duration::from_secs(2));
}

#[test]
fn lines_that_are_hard_to_compare_take_no_longer() {
    let place = Place::new();
    let lines = |count: usize, seed: u32| -> Vec<u8> {
        let mut state = seed;
        (0..count)
            .flat_map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                [b'a' + u8::try_from((state >> 16) % 26).expect("is small"), b'\n']
            })
            .collect()
    };
    let begun = Instant::now();
    let changes = place.between(&[(b"a", &lines(39_000, 1))], &[(b"a", &lines(39_000, 2))]);
    println!("took {:?}", begun.elapsed());
    assert_eq!(only(&changes).omitted, Some(Omission::Cut));
    let changes = place.between(&[(b"a", &lines(500_000, 1))], &[(b"a", &lines(500_000, 2))]);
    assert_eq!(only(&changes).omitted, Some(Omission::TooLarge));
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

//! A crash at any byte, and files that were damaged: what is left is whole lines, in order, none twice.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;

use proptest::prelude::*;
use skypanel_core::logs::LogRecord;

use crate::world::{World, at, numbered, record, records, texts};

#[tokio::test]
async fn a_file_that_is_cut_off_anywhere_loses_only_what_was_cut() {
    let written = numbered(0..4);
    let mut whole = World::new();
    whole.append(&written);
    whole.writer = None;
    let path = whole.files("active").pop().expect("an active file");
    let bytes = fs::read(&path).expect("readable");
    let mut before = 0;
    for length in 0..=bytes.len() {
        fs::write(&path, &bytes[..length]).expect("writable");
        whole.open();
        let left = records(&whole.all().await);
        assert!(left.len() >= before && written.starts_with(&left), "cut at {length}");
        before = left.len();
        // What comes next is behind that, also for readers.
        whole.append(&[record(9, "next")]);
        let lines = whole.all().await;
        assert_eq!(texts(&lines).last().map(String::as_str), Some("next"), "cut at {length}");
        assert_eq!(lines.len(), left.len() + 1);
        for path in whole.files("active") {
            fs::remove_file(path).expect("removable");
        }
    }
    assert_eq!(before, written.len());
}

/// Seals the same lines, stopped at any byte that is written; to the segment there is or to a new one.
async fn crash_while_sealing(begin_anew: bool) {
    let (earlier, written) = (numbered(0..50), numbered(50..150));
    let mut world = World::new();
    world.append(&earlier);
    world.seal();
    world.append(&written);
    world.writer = None;
    let before: HashMap<PathBuf, Vec<u8>> = contents(&world);
    if !begin_anew {
        // Back to when the first segment was begun, which is young then.
        world.clock.set(at(0));
    }
    let begun = world.clock.now();
    world.open();
    world.seal();
    let after = contents(&world);
    assert_eq!(world.files("index").len(), if begin_anew { 2 } else { 1 });
    let newest = |ending| world.files(ending).pop().expect("a file");
    let (blocks, index) = (newest("blocks"), newest("index"));
    let written_to = |path: &PathBuf| before.get(path).map_or(0, Vec::len)..=after[path].len();
    let states = written_to(&blocks)
        .map(|length| (length, *written_to(&index).start()))
        .chain(written_to(&index).map(|length| (after[&blocks].len(), length)))
        .collect::<Vec<_>>();
    let expected: Vec<LogRecord> = earlier.iter().chain(&written).cloned().collect();
    for (blocks_length, index_length) in states {
        world.writer = None;
        for path in contents(&world).keys() {
            fs::remove_file(path).expect("removable");
        }
        for (path, bytes) in &before {
            fs::write(path, bytes).expect("writable");
        }
        fs::write(&blocks, &after[&blocks][..blocks_length]).expect("writable");
        fs::write(&index, &after[&index][..index_length]).expect("writable");
        assert_eq!(records(&world.all().await), expected, "as it is: {blocks_length}, {index_length}");
        world.clock.set(begun);
        world.open();
        world.seal();
        assert_eq!(records(&world.all().await), expected, "taken over: {blocks_length}, {index_length}");
        assert!(world.files("active").is_empty());
    }
}

fn contents(world: &World) -> HashMap<PathBuf, Vec<u8>> {
    let paths = ["active", "blocks", "index"].iter().flat_map(|ending| world.files(ending));
    paths.map(|path| (path.clone(), fs::read(path).expect("readable"))).collect()
}

#[tokio::test]
async fn a_crash_while_sealing_to_the_same_segment_loses_and_doubles_nothing() {
    crash_while_sealing(false).await;
}

#[tokio::test]
async fn a_crash_while_sealing_to_a_new_segment_loses_and_doubles_nothing() {
    crash_while_sealing(true).await;
}

#[tokio::test]
async fn half_a_block_behind_the_last_one_is_written_over() {
    let mut world = World::new();
    world.append(&numbered(0..50));
    world.seal();
    world.writer = None;
    for (ending, rest) in [("blocks", &b"half of a block"[..]), ("index", b"half of an entry")] {
        let path = world.files(ending).remove(0);
        let mut bytes = fs::read(&path).expect("readable");
        bytes.extend_from_slice(rest);
        fs::write(path, bytes).expect("writable");
    }
    world.clock.set(at(0));
    world.open();
    world.append(&numbered(50..100));
    world.seal();
    assert_eq!(world.files("index").len(), 1);
    assert_eq!(records(&world.all().await), numbered(0..100));
}

fn damaged_anywhere(damages: &[(usize, usize, u8)], reopened: bool) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let mut world = World::new();
        let written = numbered(0..300);
        for lines in written.chunks(60) {
            world.append(lines);
            if lines[0].text != written[240].text {
                world.seal();
            }
        }
        world.writer = None;
        let files: Vec<_> = ["active", "blocks", "index"].iter().flat_map(|ending| world.files(ending)).collect();
        for (file, place, value) in damages {
            let path = &files[file % files.len()];
            let mut bytes = fs::read(path).expect("readable");
            let place = place % bytes.len();
            bytes[place] ^= value | 1;
            fs::write(path, bytes).expect("writable");
        }
        if reopened {
            world.open();
            world.append(&[record(1_000, "line 1000")]);
            world.seal();
        }
        let left = world.all().await;
        let mut expected =
            written.iter().chain(std::iter::once(&record(1_000, "line 1000"))).cloned().collect::<Vec<_>>().into_iter();
        // What is left is a part of what was written, in its order.
        for line in &left {
            assert!(expected.any(|record| record == line.record), "{:?}", line.record);
        }
        if reopened {
            assert_eq!(texts(&left).last().map(String::as_str), Some("line 1000"));
        }
    });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn damage_makes_no_line_up(
        damages in proptest::collection::vec((any::<usize>(), any::<usize>(), any::<u8>()), 1..4),
        reopened in any::<bool>(),
    ) {
        damaged_anywhere(&damages, reopened);
    }
}

//! One file of measurements: a head, then a ring of rows for each tier. It never grows. A row names its step and has a
//! checksum, so one that is torn, old or never written is no row, and writer and readers need no lock between them.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;

use super::number::{self, lengthen, shorten};
use super::row::{Cell, Row};
use super::tier::{RAW, TIERS, Tier};
use crate::metrics::columns::{Kind, Layout};

/// What the files begin with; the number is that of their form.
const MAGIC: &[u8; 6] = b"SKYM01";
const HEAD: usize = 16;
/// End of the names of files that are being made.
pub(super) const PART: &str = ".part";

/// A file of measurements that is open.
pub(super) struct SeriesFile {
    file: File,
    layout: Layout,
}

fn head(layout: Layout) -> [u8; HEAD] {
    let mut head = [0; HEAD];
    head[..6].copy_from_slice(MAGIC);
    head[6] = layout.mark();
    head[7] = u8::try_from(layout.columns().len()).unwrap_or(u8::MAX);
    let sum = crc32fast::hash(&head[..8]);
    head[8..12].copy_from_slice(&sum.to_le_bytes());
    head
}

/// How many numbers a row of this tier holds.
fn width(layout: Layout, tier: Tier) -> usize {
    layout.columns().iter().map(|column| if tier == RAW { 1 } else { column.kind.width() }).sum()
}

/// Length of a row, in bytes: its step, its numbers, its checksum.
fn row_bytes(layout: Layout, tier: Tier) -> usize {
    4 + 2 * width(layout, tier) + 4
}

fn offset(layout: Layout, tier: Tier, slot: u32) -> u64 {
    let before: usize = TIERS.iter().take(tier.index).map(|tier| tier.rows as usize * row_bytes(layout, *tier)).sum();
    (HEAD + before + (slot % tier.rows) as usize * row_bytes(layout, tier)) as u64
}

/// Length of a file, in bytes. What was never written takes no space on disk.
pub(super) fn file_bytes(layout: Layout) -> u64 {
    offset(layout, Tier { index: TIERS.len(), step: 1, rows: 1 }, 0)
}

impl SeriesFile {
    /// Opens what is there; none where there is none, or one of another form.
    pub(super) fn open(path: &Path, layout: Layout) -> io::Result<Option<Self>> {
        Self::open_with(OpenOptions::new().read(true), path, layout)
    }

    /// Opens it for writing; none where there is none, or one of another form.
    pub(super) fn open_to_write(path: &Path, layout: Layout) -> io::Result<Option<Self>> {
        Self::open_with(OpenOptions::new().read(true).write(true), path, layout)
    }

    fn open_with(options: &OpenOptions, path: &Path, layout: Layout) -> io::Result<Option<Self>> {
        let file = match options.open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut found = [0; HEAD];
        match file.read_exact_at(&mut found, 0) {
            Ok(()) if found == head(layout) => Ok(Some(Self { file, layout })),
            Ok(()) => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Makes an empty one in place of what is at `path`.
    pub(super) fn create(path: &Path, layout: Layout) -> io::Result<Self> {
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(PART);
        let part = path.with_file_name(name);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(true).mode(0o600);
        let file = options.open(&part)?;
        file.write_all_at(&head(layout), 0)?;
        file.set_len(file_bytes(layout))?;
        std::fs::rename(&part, path)?;
        Ok(Self { file, layout })
    }

    /// Puts a row in its place, over the one that is a whole ring older.
    pub(super) fn write(&self, tier: Tier, slot: u32, row: &Row) -> io::Result<()> {
        let mut bytes = Vec::with_capacity(row_bytes(self.layout, tier));
        bytes.extend_from_slice(&slot.to_le_bytes());
        for (place, column) in self.layout.columns().iter().enumerate() {
            let cell = row.get(place).copied().flatten();
            let wide = tier != RAW && column.kind == Kind::Varying;
            let take: &[fn(Cell) -> f64] =
                if wide { &[|cell| cell.mean, |cell| cell.max, |cell| cell.p95] } else { &[|cell| cell.mean] };
            for value in take {
                let number = cell.map_or(number::NONE, |cell| shorten(value(cell)));
                bytes.extend_from_slice(&number.to_le_bytes());
            }
        }
        let sum = checksum(tier, &bytes);
        bytes.extend_from_slice(&sum.to_le_bytes());
        self.file.write_all_at(&bytes, offset(self.layout, tier, slot))
    }

    /// The rows of the steps from `first` to `last`, oldest first; those that are there, and at most a ring of them.
    pub(super) fn read(&self, tier: Tier, first: u32, last: u32) -> io::Result<Vec<(u32, Row)>> {
        let mut rows = Vec::new();
        let mut next = first.max(last.saturating_sub(tier.rows - 1));
        while next <= last {
            // Up to where the ring begins anew.
            let until = last.min(next.saturating_add(tier.rows - 1 - next % tier.rows));
            self.read_in_a_row(tier, next, until, &mut rows)?;
            let Some(following) = until.checked_add(1) else { break };
            next = following;
        }
        Ok(rows)
    }

    /// All rows of a ring, of whatever step, oldest first.
    pub(super) fn ring(&self, tier: Tier) -> io::Result<Vec<(u32, Row)>> {
        let bytes = self.bytes(tier, 0, tier.rows)?;
        let mut rows: Vec<(u32, Row)> = bytes
            .chunks_exact(row_bytes(self.layout, tier))
            .filter_map(|bytes| {
                let slot = u32::from_le_bytes(*bytes.first_chunk()?);
                Some((slot, self.row(tier, slot, bytes)?))
            })
            .collect();
        rows.sort_by_key(|(slot, _)| *slot);
        Ok(rows)
    }

    fn read_in_a_row(&self, tier: Tier, first: u32, last: u32, rows: &mut Vec<(u32, Row)>) -> io::Result<()> {
        let bytes = self.bytes(tier, first, last - first + 1)?;
        let found = (first..=last).zip(bytes.chunks_exact(row_bytes(self.layout, tier)));
        rows.extend(found.filter_map(|(slot, bytes)| Some((slot, self.row(tier, slot, bytes)?))));
        Ok(())
    }

    /// `count` rows that lie one behind the other, as far as the file goes.
    fn bytes(&self, tier: Tier, first: u32, count: u32) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; count as usize * row_bytes(self.layout, tier)];
        let mut filled = 0;
        while filled < bytes.len() {
            match self.file.read_at(&mut bytes[filled..], offset(self.layout, tier, first) + filled as u64) {
                // Somebody cut it off: what is missing was not written.
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        bytes.truncate(filled);
        Ok(bytes)
    }

    /// The row, if it is whole and of this step.
    fn row(&self, tier: Tier, slot: u32, bytes: &[u8]) -> Option<Row> {
        let (content, sum) = bytes.split_last_chunk::<4>()?;
        let (of, numbers) = content.split_first_chunk::<4>()?;
        if u32::from_le_bytes(*of) != slot || u32::from_le_bytes(*sum) != checksum(tier, content) {
            return None;
        }
        let mut numbers = numbers.chunks_exact(2).map(|pair| lengthen(u16::from_le_bytes([pair[0], pair[1]])));
        let columns = self.layout.columns().iter();
        Some(
            columns
                .map(|column| {
                    let wide = tier != RAW && column.kind == Kind::Varying;
                    let mean = numbers.next().flatten();
                    let (max, p95) =
                        if wide { (numbers.next().flatten(), numbers.next().flatten()) } else { (mean, mean) };
                    Some(Cell { mean: mean?, max: max?, p95: p95? })
                })
                .collect(),
        )
    }
}

/// Of a row without its checksum. The tier is part of it: no row passes for one of another.
fn checksum(tier: Tier, content: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&tier.step.to_le_bytes());
    hasher.update(content);
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::metrics::store::tier::{MINUTE, TEN_MINUTES};

    const LAYOUT: Layout = Layout::Replica;

    fn row(value: f64) -> Row {
        let cell = Cell { mean: value, max: value * 2.0, p95: value * 1.5 };
        let wide = |kind| if kind == Kind::Varying { cell } else { Cell::of(value) };
        LAYOUT.columns().iter().map(|column| Some(wide(column.kind))).collect()
    }

    fn place() -> (tempfile::TempDir, std::path::PathBuf) {
        let dir = tempfile::tempdir().expect("makes a directory");
        let path = dir.path().join("web.1");
        (dir, path)
    }

    #[test]
    fn the_size_of_a_file_is_what_the_documents_say() {
        let documented = include_str!("../../../../docs/metrics.md");
        for layout in [Layout::Replica, Layout::Router, Layout::Node] {
            let kilobytes = file_bytes(layout).div_ceil(1_000);
            assert!(
                documented.contains(&format!("{kilobytes} kB")),
                "docs/metrics.md lacks {kilobytes} kB, of {layout:?}"
            );
        }
    }

    #[test]
    fn what_was_never_written_takes_no_space() {
        use std::os::unix::fs::MetadataExt as _;
        let (_dir, path) = place();
        let file = SeriesFile::create(&path, LAYOUT).expect("makes it");
        file.write(RAW, 1_000, &row(1.0)).expect("writes");
        let metadata = std::fs::metadata(&path).expect("is there");
        assert_eq!(metadata.len(), file_bytes(LAYOUT));
        assert!(metadata.blocks() * 512 <= 16_384, "{} blocks", metadata.blocks());
    }

    #[test]
    fn a_ring_keeps_the_newest() {
        let (_dir, path) = place();
        let file = SeriesFile::create(&path, LAYOUT).expect("makes it");
        for tier in TIERS {
            let first = 7 * tier.rows - 5;
            for slot in first..first + tier.rows + 10 {
                file.write(tier, slot, &row(f64::from(slot % 1_000))).expect("writes");
            }
            let last = first + tier.rows + 9;
            let rows = file.read(tier, 0, last).expect("reads");
            assert_eq!(rows.len(), tier.rows as usize);
            assert_eq!((rows[0].0, rows[rows.len() - 1].0), (last - tier.rows + 1, last));
            let of_old = file.read(tier, first, first + 9).expect("reads");
            assert!(of_old.is_empty(), "overwritten: {of_old:?}");
        }
    }

    #[test]
    fn files_of_another_form_are_none() {
        let (_dir, path) = place();
        assert!(SeriesFile::open(&path, LAYOUT).expect("looks").is_none());
        drop(SeriesFile::create(&path, LAYOUT).expect("makes it"));
        assert!(SeriesFile::open(&path, LAYOUT).expect("looks").is_some());
        assert!(SeriesFile::open(&path, Layout::Node).expect("looks").is_none());
        for content in [&b""[..], b"SKYM01", &[0; 64]] {
            std::fs::write(&path, content).expect("writes");
            assert!(SeriesFile::open(&path, LAYOUT).expect("looks").is_none(), "{content:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

        /// A writer that is killed has written a part of its row.
        #[test]
        fn a_torn_row_is_none_and_harms_no_other(cut in 0_usize..100, tier in 0_usize..3, slot in 5_u32..1_000_000) {
            let tier = TIERS[tier];
            let cut = cut % row_bytes(LAYOUT, tier);
            let (dir, path) = place();
            let file = SeriesFile::create(&path, LAYOUT).expect("makes it");
            for written in slot - 2..=slot + 2 {
                if written != slot {
                    file.write(tier, written, &row(3.0)).expect("writes");
                }
            }
            // What stands in its place is the row of a ring before, or nothing.
            if cut.is_multiple_of(2) && slot > tier.rows {
                file.write(tier, slot - tier.rows, &row(9.0)).expect("writes");
            }
            let other = SeriesFile::create(&dir.path().join("other"), LAYOUT).expect("makes it");
            other.write(tier, slot, &row(5.0)).expect("writes");
            let mut bytes = vec![0; cut];
            other.file.read_exact_at(&mut bytes, offset(LAYOUT, tier, slot)).expect("reads");
            file.file.write_all_at(&bytes, offset(LAYOUT, tier, slot)).expect("writes");
            let stored = |file: &SeriesFile| {
                let mut bytes = vec![0; row_bytes(LAYOUT, tier)];
                file.file.read_exact_at(&mut bytes, offset(LAYOUT, tier, slot)).map(|()| bytes).expect("reads")
            };
            // What was there before can end like the row.
            let whole = stored(&file) == stored(&other);
            let found = file.read(tier, slot - 2, slot + 2).expect("reads").into_iter().map(|row| row.0);
            let expected = (slot - 2..=slot + 2).filter(|written| *written != slot || whole);
            prop_assert_eq!(found.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
            // It is written anew as if nothing had been.
            file.write(tier, slot, &row(7.0)).expect("writes");
            let rewritten = file.read(tier, slot, slot).expect("reads");
            prop_assert_eq!(rewritten[0].1[0].map(|cell| cell.mean), Some(7.0));
        }

        #[test]
        fn any_bytes_are_read_without_harm(bytes in proptest::collection::vec(any::<u8>(), 0..4_096), at in 16_u64..100_000) {
            let (_dir, path) = place();
            let file = SeriesFile::create(&path, LAYOUT).expect("makes it");
            file.file.write_all_at(&bytes, at).expect("writes");
            for tier in [RAW, MINUTE, TEN_MINUTES] {
                prop_assert_eq!(file.read(tier, 1, u32::MAX).expect("reads").len(), 0);
            }
        }

        #[test]
        fn a_file_that_was_cut_off_is_read_as_far_as_it_goes(length in 16_u64..60_000) {
            let (_dir, path) = place();
            let file = SeriesFile::create(&path, LAYOUT).expect("makes it");
            for slot in 1_080..2_160 {
                file.write(RAW, slot, &row(1.0)).expect("writes");
            }
            file.file.set_len(length).expect("cuts");
            let whole = (usize::try_from(length).expect("fits") - HEAD) / row_bytes(LAYOUT, RAW);
            prop_assert_eq!(file.read(RAW, 1_080, 2_159).expect("reads").len(), whole.min(1_080));
        }
    }
}

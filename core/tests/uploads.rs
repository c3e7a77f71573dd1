//! Uploaded source archives: as people make them, and as an attacker would.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};

use proptest::prelude::*;
use skypanel_core::source::{ArchiveSource, Snapshot, SourceLimits, pack_archive};
use tar::{Builder, EntryType, Header};

/// Kind, name, target and content of a member to be written.
type Member<'a> = (u8, &'a [u8], &'a [u8], &'a [u8]);
/// What came out: kind, mode, content or target, by path.
type Packed = BTreeMap<String, (EntryType, u32, String)>;

const LIMITS: SourceLimits = SourceLimits { entries: 50, bytes: 10_000, time: std::time::Duration::from_secs(60) };

fn pack(upload: &[u8]) -> Result<(Packed, Snapshot), String> {
    let mut file = tempfile::tempfile().expect("makes a file");
    file.write_all(upload).expect("writes");
    let spool = tempfile::NamedTempFile::new().expect("makes a file");
    let snapshot = pack_archive(&ArchiveSource { file, limits: LIMITS }, spool).map_err(|error| error.to_string())?;
    let reader = zstd::Decoder::new(snapshot.file.reopen().expect("opens")).expect("is zstd");
    let mut packed = Packed::new();
    for entry in tar::Archive::new(reader).entries().expect("is a tar") {
        let mut entry = entry.expect("is a tar");
        let header = entry.header().clone();
        assert_eq!((header.uid().ok(), header.gid().ok()), (Some(10_001), Some(10_001)));
        let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).expect("reads");
        if let Some(target) = entry.link_name_bytes() {
            content = target.into_owned();
        }
        let content = String::from_utf8_lossy(&content).into_owned();
        let seen = packed.insert(path.clone(), (header.entry_type(), header.mode().expect("has one"), content));
        assert!(seen.is_none(), "{path} came out twice");
    }
    Ok((packed, snapshot))
}

/// A tar with these entries, headers written as given.
fn tar(entries: &[Member<'_>]) -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    for (kind, name, link, data) in entries {
        let mut header = Header::new_gnu();
        let old = header.as_old_mut();
        old.name[..name.len().min(100)].copy_from_slice(&name[..name.len().min(100)]);
        old.linkname[..link.len().min(100)].copy_from_slice(&link[..link.len().min(100)]);
        header.set_entry_type(EntryType::new(*kind));
        header.set_mode(0o4755);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(123);
        header.set_size(data.len() as u64);
        header.set_cksum();
        builder.append(&header, *data).expect("writes to memory");
    }
    builder.into_inner().expect("writes to memory")
}

fn file<'a>(name: &'a str, data: &'a str) -> Member<'a> {
    (b'0', name.as_bytes(), b"", data.as_bytes())
}

fn link<'a>(name: &'a str, target: &'a str) -> Member<'a> {
    (b'2', name.as_bytes(), target.as_bytes(), b"")
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).expect("writes");
    encoder.finish().expect("writes")
}

#[test]
fn archives_come_through_whatever_they_are_packed_with() {
    let plain =
        tar(&[file("app.py", "print()"), file("lib/x.py", "x"), link("lib/link", "../app.py"), link("dead", "none")]);
    let gz = gzip(&plain);
    let zst = zstd::encode_all(&plain[..], 3).expect("packs");
    for upload in [&plain, &gz, &zst] {
        let (packed, snapshot) = pack(upload).expect("is fine");
        let names: Vec<&str> = packed.keys().map(String::as_str).collect();
        assert_eq!(names, ["app.py", "dead", "lib/", "lib/link", "lib/x.py"]);
        assert_eq!(packed["app.py"], (EntryType::Regular, 0o755, "print()".to_owned()));
        assert_eq!(packed["lib/link"].2, "../app.py");
        assert_eq!((snapshot.files, snapshot.bytes), (4, 8));
    }
}

#[test]
fn a_directory_that_holds_everything_is_left_out() {
    let upload = tar(&[
        file("shop-1a2b/app.py", "x"),
        link("shop-1a2b/lib/up", "../app.py"),
        (b'1', b"shop-1a2b/copy", b"shop-1a2b/app.py", b""),
    ]);
    let (packed, _) = pack(&upload).expect("is fine");
    assert_eq!(packed.keys().map(String::as_str).collect::<Vec<_>>(), ["app.py", "copy", "lib/", "lib/up"]);
    assert_eq!((packed["copy"].0, packed["copy"].2.as_str()), (EntryType::Link, "app.py"));
    // Out of the app is out, even if it is not out of the archive.
    assert!(pack(&tar(&[file("shop/app.py", "x"), link("shop/up", "../shop/app.py")])).is_err());
    let (packed, _) = pack(&tar(&[file("./app.py", "x"), (b'5', b"./", b"", b"")])).expect("is fine");
    assert!(packed.contains_key("app.py"));
}

#[test]
fn the_archives_of_git_and_of_a_working_copy_come_through() {
    let directory = tempfile::tempdir().expect("makes a directory");
    let script = "git init -q -b main . && echo x > a && mkdir d && echo y > d/b && git add . && \
                  git -c user.name=A -c user.email=a@b.c commit -qm x && git archive --format=tar.gz HEAD > /dev/stdout";
    let made =
        std::process::Command::new("sh").args(["-c", script]).current_dir(directory.path()).output().expect("runs");
    let (packed, _) = pack(&made.stdout).expect("is fine");
    assert_eq!(packed.keys().map(String::as_str).collect::<Vec<_>>(), ["a", "d/", "d/b"]);
    let tared = std::process::Command::new("tar")
        .args(["--exclude=hooks", "--exclude=objects", "-cz", "."])
        .current_dir(directory.path())
        .output()
        .expect("runs");
    let (packed, snapshot) = pack(&tared.stdout).expect("is fine");
    assert_eq!(packed.keys().map(String::as_str).collect::<Vec<_>>(), ["a", "d/", "d/b"]);
    assert_eq!(snapshot.warnings.len(), 1, "the .git directory: {:?}", snapshot.warnings);
}

#[test]
fn what_leads_out_or_is_no_content_is_refused() {
    for (entries, words) in [
        (vec![file("/etc/passwd", "x")], "not a path inside"),
        (vec![file("../x", "x")], "leads out"),
        (vec![file("a/../../x", "x")], "leads out"),
        (vec![file("a", "x"), link("b", "/etc/passwd")], "leads out"),
        (vec![file("a", "x"), link("b", "../x")], "leads out"),
        (vec![file("d/a", "x"), link("d/b", "../../x")], "leads out"),
        (vec![file("a", "x"), link("l", "d/../.."), file("d/y", "y")], "leads out"),
        (vec![file("a", "x"), link("dir", "."), file("dir/y", "y")], "no directory"),
        (vec![file("a", "x"), file("a/b", "y")], "no directory"),
        (vec![file("a", "x"), file("a", "y")], "more than once"),
        (vec![link("a", "b"), file("a", "y")], "more than once"),
        (vec![file("a", "x"), (b'1', b"b", b"/etc/passwd", b"")], "not a path inside"),
        (vec![file("a", "x"), (b'1', b"b", b"c", b"")], "does not come before"),
        (vec![(b'1', b"b", b"a", b""), file("a", "x")], "does not come before"),
        (vec![file("a", "x"), link("l", "a"), (b'1', b"b", b"l", b"")], "does not come before"),
        (vec![file("a", "x"), (b'3', b"null", b"", b"")], "device"),
        (vec![file("a", "x"), (b'4', b"sda", b"", b"")], "device"),
        (vec![file("a", "x"), (b'S', b"sparse", b"", b"")], "device"),
        (vec![(b'5', b"only-a-directory/", b"", b"")], "holds no files"),
        (vec![file("a", "x"), link("empty", "")], "no path"),
    ] {
        let shown = format!("{entries:?}");
        let error = pack(&tar(&entries)).expect_err(&shown);
        assert!(error.contains(words), "{error}: {shown}");
    }
    for upload in [&b""[..], b"PK\x03\x04", b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"hello", &[0; 2_000]] {
        pack(upload).expect_err("is no archive");
    }
}

#[test]
fn limits_hold_however_small_the_upload_is() {
    let bomb = gzip(&tar(&[file("zeros", &"\0".repeat(10_001))]));
    assert!(pack(&bomb).expect_err("is too large").contains("unpacks to more than 9.7 KB"));
    let names: Vec<String> = (0..51).map(|number| format!("f{number}")).collect();
    let many: Vec<_> = names.iter().map(|name| file(name, "")).collect();
    assert!(pack(&tar(&many)).expect_err("are too many").contains("more than 50"));
    // A gigabyte of nothing, which no entry owns up to.
    let mut endless = tar(&[file("a", "x")]);
    endless.truncate(1_024);
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(&endless).expect("writes");
    for _ in 0..64 {
        encoder.write_all(&tar(&[(b'g', b"pax", b"", &vec![b'x'; 100_000])])[..100_864]).expect("writes");
    }
    pack(&encoder.finish().expect("writes")).expect_err("is too large");
    let whole = tar(&[file("a", &"x".repeat(2_000))]);
    assert!(pack(&whole[..1_500]).expect_err("is cut off").contains("damaged"));
}

proptest! {
    #[test]
    fn whatever_comes_in_nothing_outside_comes_out(entries in proptest::collection::vec(
        (prop::sample::select(&b"0125673xg\0"[..]), "(a|b|\\.\\.|\\.|/){1,5}(/(a|b|\\.\\.)?){0,3}", "(a|b|\\.\\.|/){0,4}(/(\\.\\.|a))?"), 1..6,
    )) {
        let entries: Vec<Member<'_>> =
            entries.iter().map(|(kind, name, link)| (*kind, name.as_bytes(), link.as_bytes(), &b""[..])).collect();
        let Ok((packed, _)) = pack(&tar(&entries)) else { return Ok(()) };
        // Unpacked by another program, everything lies inside.
        for (path, (kind, _, target)) in &packed {
            prop_assert!(!path.starts_with('/') && !path.split('/').any(|part| part == ".."), "{}", path);
            prop_assert!(matches!(kind, EntryType::Regular | EntryType::Directory | EntryType::Symlink | EntryType::Link));
            if *kind == EntryType::Symlink {
                let mut depth = i64::try_from(path.matches('/').count()).expect("is small");
                for part in target.split('/') {
                    depth += match part { ".." => -1, "" | "." => 0, _ => 1 };
                    prop_assert!(depth >= 0, "{} -> {}", path, target);
                }
            }
            let parents = path.trim_end_matches('/').match_indices('/').map(|(at, _)| &path[..=at]);
            for parent in parents {
                prop_assert!(packed.get(parent).is_some_and(|entry| entry.0 == EntryType::Directory), "{}", path);
            }
        }
    }
}

//! Moves tar members from one archive into another: below a new directory, owned by the app's user, and
//! nothing in it that reaches outside that directory or is no plain content.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

use tar::{Builder, EntryType, Header};

use crate::members::Member;

/// User and group id of the app's user in every stack.
pub(crate) const APP_ID: u64 = 10_001;
/// Prefix by which layers say that a file of a lower layer is gone (OCI image specification, "Whiteouts").
const WHITEOUT: &[u8] = b".wh.";

/// Why a member could not be moved.
#[derive(Debug)]
pub(crate) enum MoveError {
    /// The member may not be in the archive; says which and why.
    Refused(String),
    /// Reading or writing failed.
    Io(io::Error),
}

impl From<io::Error> for MoveError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// How members are moved.
pub(crate) struct Move {
    /// Directory they are all below in the archive they come from, one segment; empty for its top.
    pub(crate) from: &'static str,
    /// Directory they come below.
    pub(crate) to: &'static str,
    /// Their time in seconds since 1970, where it is not to be kept.
    pub(crate) modified: Option<u64>,
    /// Whether the result is an image layer, in which some names mean something else.
    pub(crate) layer: bool,
}

impl Move {
    /// Moves one member, or leaves it out because it has no content to keep (a pipe).
    pub(crate) fn member<R: Read>(
        &self,
        mut member: Member<'_, R>,
        builder: &mut Builder<impl Write>,
    ) -> Result<(), MoveError> {
        let kind = member.kind();
        if kind == EntryType::Fifo {
            return Ok(());
        }
        let path = self.place(&member.name)?;
        if path.as_os_str().is_empty() && self.from.is_empty() {
            return Ok(());
        }
        let target = Path::new(self.to).join(&path);
        let mut header = Header::new_gnu();
        header.set_uid(APP_ID);
        header.set_gid(APP_ID);
        header.set_mtime(self.modified.unwrap_or(member.header().mtime()?));
        header.set_mode(member.header().mode()? & 0o777);
        header.set_size(0);
        match kind {
            EntryType::Directory => {
                header.set_entry_type(EntryType::Directory);
                builder.append_data(&mut header, &target, io::empty())?;
            }
            EntryType::Regular | EntryType::Continuous => {
                header.set_entry_type(EntryType::Regular);
                header.set_size(member.size());
                builder.append_data(&mut header, &target, &mut member)?;
            }
            EntryType::Symlink => {
                header.set_entry_type(EntryType::Symlink);
                append_link(builder, &mut header, &target, link_of(&member)?)?;
            }
            EntryType::Link => {
                // The link's target is written as a path in the archive, so it moves as the member does.
                let link = Path::new(self.to).join(self.place(link_of(&member)?)?);
                header.set_entry_type(EntryType::Link);
                append_link(builder, &mut header, &target, link.as_os_str().as_encoded_bytes())?;
            }
            _ => return Err(refused(&member.name, "is a device or of another kind that only a system may have")),
        }
        Ok(())
    }

    /// The path of `name` below the directory that is moved.
    fn place(&self, name: &[u8]) -> Result<PathBuf, MoveError> {
        if name.starts_with(b"/") || name.contains(&0) {
            return Err(refused(name, "is not a path inside the app"));
        }
        let mut segments = name.split(|b| *b == b'/').filter(|segment| !segment.is_empty() && *segment != b".");
        if !self.from.is_empty() && segments.next() != Some(self.from.as_bytes()) {
            return Err(refused(name, "leads out of the app"));
        }
        let mut path = PathBuf::new();
        for segment in segments {
            if segment == b".." {
                return Err(refused(name, "leads out of the app"));
            }
            if self.layer && segment.starts_with(WHITEOUT) {
                return Err(refused(
                    name,
                    "begins with .wh., which in an image means that a file is deleted; rename it",
                ));
            }
            path.push(OsString::from_vec(segment.to_vec()));
        }
        Ok(path)
    }
}

fn link_of<'a, R: Read>(member: &'a Member<'_, R>) -> Result<&'a [u8], MoveError> {
    if member.link.is_empty() || member.link.contains(&0) {
        return Err(refused(&member.name, "is a link to nothing"));
    }
    Ok(&member.link)
}

fn append_link(builder: &mut Builder<impl Write>, header: &mut Header, path: &Path, link: &[u8]) -> io::Result<()> {
    // As it is where it fits: the other way tidies the target, which a program may compare.
    if header.set_link_name_literal(link).is_ok() {
        return builder.append_data(header, path, io::empty());
    }
    builder.append_link(header, path, PathBuf::from(OsString::from_vec(link.to_vec())))
}

fn refused(name: &[u8], why: &str) -> MoveError {
    MoveError::Refused(format!("{:?} {why}.", String::from_utf8_lossy(name)))
}

/// Adds a file with content at hand.
pub(crate) fn add_file(
    builder: &mut Builder<impl Write>,
    path: impl AsRef<Path>,
    mode: u32,
    owner: u64,
    modified: u64,
    content: &[u8],
) -> io::Result<()> {
    let mut header = Header::new_gnu();
    header.set_entry_type(EntryType::Regular);
    header.set_mode(mode);
    header.set_uid(owner);
    header.set_gid(owner);
    header.set_mtime(modified);
    header.set_size(content.len() as u64);
    builder.append_data(&mut header, path, content)
}

/// Adds a directory.
pub(crate) fn add_directory(builder: &mut Builder<impl Write>, path: &str, owner: u64) -> io::Result<()> {
    let mut header = Header::new_gnu();
    header.set_entry_type(EntryType::Directory);
    header.set_mode(0o755);
    header.set_uid(owner);
    header.set_gid(owner);
    header.set_mtime(0);
    header.set_size(0);
    builder.append_data(&mut header, path, io::empty())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tar::Archive;

    use super::*;
    use crate::members;

    const SLUG: Move = Move { from: "app", to: "app", modified: Some(7), layer: true };

    /// A tar with one entry whose header is written as given, with nothing checked.
    fn hostile(kind: u8, name: &[u8], link: &[u8], mode: u32, data: &[u8]) -> Vec<u8> {
        let mut builder = Builder::new(Vec::new());
        let mut header = Header::new_gnu();
        let old = header.as_old_mut();
        let length = name.len().min(old.name.len());
        old.name[..length].copy_from_slice(&name[..length]);
        let length = link.len().min(old.linkname.len());
        old.linkname[..length].copy_from_slice(&link[..length]);
        header.set_entry_type(EntryType::new(kind));
        header.set_mode(mode);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(123);
        header.set_size(data.len() as u64);
        header.set_cksum();
        builder.append(&header, data).expect("writes to memory");
        builder.into_inner().expect("writes to memory")
    }

    fn moved(rule: &Move, tar: &[u8]) -> Result<Vec<u8>, MoveError> {
        let mut builder = Builder::new(Vec::new());
        members::visit(tar, |member| rule.member(member, &mut builder))?;
        Ok(builder.into_inner()?)
    }

    fn refusal(kind: EntryType, name: &str, link: &str) -> String {
        match moved(&SLUG, &hostile(kind.as_byte(), name.as_bytes(), link.as_bytes(), 0o644, b"")) {
            Err(MoveError::Refused(words)) => words,
            other => panic!("{name} -> {link}: {other:?}"),
        }
    }

    #[test]
    fn what_leads_out_is_refused() {
        for name in ["../etc/passwd", "app/../../etc/passwd", "/etc/passwd", "etc/passwd", "app2/x", ""] {
            refusal(EntryType::Regular, name, "");
        }
        refusal(EntryType::Link, "app/x", "/etc/passwd");
        refusal(EntryType::Link, "app/x", "app/../etc/passwd");
        refusal(EntryType::Link, "app/x", "etc/passwd");
        refusal(EntryType::Link, "app/x", "");
        refusal(EntryType::Block, "app/disk", "");
        refusal(EntryType::Char, "app/mem", "");
        assert!(refusal(EntryType::Regular, "app/.wh.x", "").contains("rename it"));
    }

    #[test]
    fn content_is_kept_and_owners_and_times_are_not() {
        let tar = hostile(EntryType::Regular.as_byte(), b"app/bin/run", b"", 0o4755, b"hello");
        let out = moved(&SLUG, &tar).expect("is plain");
        let mut archive = Archive::new(&out[..]);
        let mut entry = archive.entries().expect("reads").next().expect("one").expect("reads");
        let header = entry.header();
        assert_eq!((header.uid().ok(), header.mtime().ok()), (Some(APP_ID), Some(7)));
        assert_eq!(header.mode().ok(), Some(0o755));
        assert_eq!(entry.path().expect("path"), Path::new("app/bin/run"));
        let mut content = String::new();
        entry.read_to_string(&mut content).expect("reads");
        assert_eq!(content, "hello");
    }

    #[test]
    fn symbolic_links_stay_as_they_are() {
        for link in ["/usr/bin/python3", "../../x", "a//b", &"x/".repeat(200)] {
            let mut builder = Builder::new(Vec::new());
            let mut header = Header::new_gnu();
            header.set_entry_type(EntryType::Symlink);
            header.set_size(0);
            header.set_mode(0o777);
            header.set_mtime(0);
            append_link(&mut builder, &mut header, Path::new("app/link"), link.as_bytes()).expect("writes");
            let out = moved(&SLUG, &builder.into_inner().expect("writes")).expect("is fine");
            let mut archive = Archive::new(&out[..]);
            let entry = archive.entries().expect("reads").next().expect("one").expect("reads");
            assert_eq!(entry.link_name_bytes().as_deref(), Some(link.as_bytes()));
        }
    }

    #[test]
    fn long_and_strange_names_survive() {
        let long = format!("{}/ü\n {}", "d".repeat(120), "f".repeat(200));
        let mut builder = Builder::new(Vec::new());
        add_file(&mut builder, &long, 0o644, 0, 0, b"x").expect("writes");
        let rule = Move { from: "", to: "tmp/app", modified: None, layer: false };
        let out = moved(&rule, &builder.into_inner().expect("writes")).expect("is fine");
        let mut archive = Archive::new(&out[..]);
        let entry = archive.entries().expect("reads").next().expect("one").expect("reads");
        assert_eq!(entry.path().expect("path"), Path::new("tmp/app").join(long));
    }

    #[test]
    fn names_that_the_engine_writes_as_pax_records_survive() {
        let name = "app/ü\n=1 file";
        let mut builder = Builder::new(Vec::new());
        builder.append_pax_extensions([("path", name.as_bytes())]).expect("writes");
        add_file(&mut builder, "app/short", 0o644, 0, 0, b"x").expect("writes");
        let out = moved(&SLUG, &builder.into_inner().expect("writes")).expect("is fine");
        let mut archive = Archive::new(&out[..]);
        let entry = archive.entries().expect("reads").next().expect("one").expect("reads");
        assert_eq!(entry.path().expect("path"), Path::new(name));
    }

    proptest! {
        #[test]
        fn whatever_comes_in_nothing_outside_comes_out(
            kind in prop::sample::select(&b"0123456S7gx\0Z"[..]),
            name in "(app|\\.\\.|\\.|/|etc|\\.wh\\.a|x|\u{e4}){1,8}(/(app|\\.\\.|x|\\.wh\\.)?){0,4}",
            link in "(app|\\.\\.|/|etc|x){0,3}(/(\\.\\.|x))?",
            mode in 0u32..0o7777,
            data in proptest::collection::vec(any::<u8>(), 0..600),
        ) {
            let Ok(out) = moved(&SLUG, &hostile(kind, name.as_bytes(), link.as_bytes(), mode, &data)) else { return Ok(()) };
            for entry in Archive::new(&out[..]).entries().expect("is a tar") {
                let entry = entry.expect("is a tar");
                let path = entry.path().expect("path").into_owned();
                prop_assert!(path.starts_with("app") && !path.components().any(|part| part.as_os_str() == ".."));
                prop_assert!(!path.components().any(|part| part.as_os_str().as_encoded_bytes().starts_with(WHITEOUT)));
                prop_assert_eq!(entry.header().uid().ok(), Some(APP_ID));
                prop_assert_eq!(entry.header().mode().unwrap_or(u32::MAX) & !0o777, 0);
                let kind = entry.header().entry_type();
                prop_assert!(kind.is_file() || kind.is_dir() || kind.is_symlink() || kind.is_hard_link());
                if kind.is_hard_link() {
                    let link = entry.link_name().expect("link").expect("link").into_owned();
                    prop_assert!(link.starts_with("app") && !link.components().any(|part| part.as_os_str() == ".."));
                }
            }
        }
    }
}

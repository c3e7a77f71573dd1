//! Hostile input: packs, trees, paths and command lines that no honest client sends.

use std::process::Stdio;

use skypanel_receiver::{Limits, SourceLimits};
use tokio::io::AsyncWriteExt as _;

use crate::world::{World, run};

#[tokio::test]
async fn links_that_lead_out_of_the_tree_are_refused() {
    use std::os::unix::fs::symlink;
    let world = World::new().await;
    for (number, target) in
        ["/etc/passwd", "../outside", "d/../../outside", "up/../outside", "..", "d/../.."].into_iter().enumerate()
    {
        let copy = world.working_copy(&format!("links-{number}"), &[("d/e/f", "1")]).await;
        // A link to a directory: stepping back out of it is not what it looks like.
        symlink("d/e", copy.join("up")).expect("links");
        symlink(target, copy.join("link")).expect("links");
        world.commit(&copy, &[]).await;
        let said = world.git(&copy, &["push", "skypanel", "main"]).await.failed();
        said.says(&["link is a symbolic link that leads out of the repository", "pre-receive hook declined"]);
    }
    assert!(world.worker.deployments().is_empty());
    world.close().await;
}

#[tokio::test]
async fn a_pack_over_the_limit_is_refused() {
    let world = World::new().await;
    world.store().set_setting("git.max_pack_mb", "1").await.expect("sets");
    let copy = world.working_copy("hello", &[]).await;
    let noise: Vec<u8> = (0..3 << 20).map(|_| rand::random()).collect();
    std::fs::write(copy.join("noise"), noise).expect("writes");
    world.commit(&copy, &[]).await;
    let said = world.git(&copy, &["push", "skypanel", "main"]).await.failed();
    said.says(&["The push is larger than 1 MB", "settings:set git.max_pack_mb=2"]);
    assert!(world.worker.deployments().is_empty());
    world.close().await;
}

#[tokio::test]
async fn too_many_or_too_large_files_are_refused() {
    let limits = SourceLimits { entries: 5, bytes: 1_000, ..SourceLimits::default() };
    let world = World::with(Limits::default(), limits).await;
    let files: Vec<(String, String)> = (0..6).map(|n| (format!("f{n}"), n.to_string())).collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let copy = world.working_copy("many", &files).await;
    world.git(&copy, &["push", "skypanel", "main"]).await.failed().says(&["more than 5 files and directories"]);
    let copy = world.working_copy("large", &[("a", &"x".repeat(1_001))]).await;
    world.git(&copy, &["push", "skypanel", "main"]).await.failed().says(&["larger than 1000 B together"]);
    world.close().await;
}

#[tokio::test]
async fn a_commit_that_unfolds_to_gigabytes_is_refused_before_it_is_read() {
    let world = World::new().await;
    let copy = world.working_copy("hello", &[("a", "1")]).await;
    let tree = world.git(&copy, &["rev-parse", "HEAD^{tree}"]).await.ok().stdout.trim().to_owned();
    let head = format!("tree {tree}\nauthor a <a@a> 1 +0000\ncommitter a <a@a> 1 +0000\n\n");
    for (name, megabytes, why) in [("long", 2, "message is too long"), ("huge", 620, "unpack")] {
        // A file, because as a whole it would not fit into this test either.
        let object = world.path(name);
        let mut file = std::fs::File::create(&object).expect("makes a file");
        std::io::Write::write_all(&mut file, head.as_bytes()).expect("writes");
        std::io::copy(&mut std::io::Read::take(std::io::repeat(b'a'), megabytes << 20), &mut file).expect("writes");
        let hash = [
            "-c",
            "core.bigFileThreshold=1g",
            "-c",
            "core.compression=1",
            "hash-object",
            "-t",
            "commit",
            "-w",
            "--literally",
        ];
        let path = object.display().to_string();
        let commit = world.git(&copy, &[&hash[..], &[path.as_str()]].concat()).await.ok().stdout.trim().to_owned();
        world.git(&copy, &["push", "skypanel", &format!("{commit}:refs/heads/main")]).await.failed().says(&[why]);
    }
    assert!(world.worker.deployments().is_empty());
    world.close().await;
}

#[tokio::test]
async fn a_push_that_would_fill_the_disk_is_refused() {
    let world = World::new().await;
    let copy = world.working_copy("hello", &[("a", "1")]).await;
    world.store().set_setting("git.min_free_mb", "1000000000").await.expect("sets");
    world.git(&copy, &["push", "skypanel", "main"]).await.failed().says(&["disk is nearly full"]);
    world.store().set_setting("git.min_free_mb", "1").await.expect("sets");
    world.git(&copy, &["push", "skypanel", "main"]).await.ok();
    world.close().await;
}

#[tokio::test]
async fn files_that_take_too_long_to_read_are_refused() {
    let limits = SourceLimits { time: std::time::Duration::ZERO, ..SourceLimits::default() };
    let world = World::with(Limits::default(), limits).await;
    let copy = world.working_copy("slow", &[("a", "1")]).await;
    world.git(&copy, &["push", "skypanel", "main"]).await.failed().says(&["took longer than 0 s"]);
    world.close().await;
}

#[tokio::test]
async fn a_corrupt_pack_is_refused_and_harms_nothing() {
    let world = World::new().await;
    let copy = world.working_copy("hello", &[("a", "1")]).await;
    let commit = world.commit(&copy, &[("b", "2")]).await;
    world.ssh("apps:create hello").await.ok();
    let zero = "0".repeat(40);
    let line = format!("{zero} {commit} refs/heads/main\0 report-status\n");
    let mut request = format!("{:04x}{line}0000", line.len() + 4).into_bytes();
    request
        .extend_from_slice(b"PACK\0\0\0\x02\0\0\0\x03\x95garbage that is no pack at all, and long enough to be read");
    let said = world.ssh_with_input(&[], "git-receive-pack '/hello.git'", &request).await;
    said.says(&["unpack "]);
    assert_eq!(world.server_ref("hello", "refs/heads/main").await, None);
    // One that ends in the middle.
    let said = world.ssh_with_input(&[], "git-receive-pack '/hello.git'", &request[..request.len() - 70]).await;
    assert_eq!(world.server_ref("hello", "refs/heads/main").await, None, "{said:?}");
    world.git(&copy, &["push", "skypanel", "main"]).await.ok();
    world.close().await;
}

#[tokio::test]
async fn objects_that_break_gits_rules_are_refused() {
    let world = World::new().await;
    let copy = world.working_copy("hello", &[("a", "1")]).await;
    let blob = world.git(&copy, &["rev-parse", "HEAD:a"]).await.ok().stdout.trim().to_owned();
    for name in [".git", "..", ".GIT"] {
        let tree = make_tree(&world, &copy, &format!("100644 blob {blob}\t{name}\n")).await;
        let commit = world.git(&copy, &["commit-tree", "-m", "bad", &tree]).await.ok().stdout.trim().to_owned();
        let refspec = format!("{commit}:refs/heads/main");
        world.git(&copy, &["push", "skypanel", &refspec]).await.failed().says(&["fsck"]);
    }
    assert!(world.worker.deployments().is_empty());
    world.close().await;
}

/// A tree with names that `git add` refuses: written as raw bytes.
async fn make_tree(world: &World, copy: &std::path::Path, listing: &str) -> String {
    let (entry, name) = listing.trim_end().split_once('\t').expect("has a name");
    let hash = entry.rsplit(' ').next().expect("has a hash");
    let mut raw = format!("100644 {name}\0").into_bytes();
    for pair in hash.as_bytes().chunks(2) {
        raw.push(u8::from_str_radix(str::from_utf8(pair).expect("is text"), 16).expect("is hex"));
    }
    let mut git = world.git_command("user", copy, &["hash-object", "-t", "tree", "-w", "--stdin", "--literally"]);
    let mut git = git.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("starts");
    git.stdin.take().expect("is piped").write_all(&raw).await.expect("writes");
    let output = git.wait_with_output().await.expect("ends");
    String::from_utf8(output.stdout).expect("is text").trim().to_owned()
}

#[tokio::test]
async fn paths_and_command_lines_lead_nowhere() {
    let world = World::new().await;
    for path in ["/../../etc", "/a/b.git", "/..", "/.ssh", "/hello;id.git", "/$(id).git"] {
        let said = world.ssh(&format!("git-receive-pack '{path}'")).await.failed();
        assert_eq!(said.status, Some(1), "{path}: {said:?}");
        assert!(said.stderr.starts_with(" !     "), "{path}: {said:?}");
    }
    for (command, says) in [
        ("sh -c id", "Unknown command \"sh\". Try: ssh -p"),
        ("; rm -rf /", "Unknown command \";\""),
        ("scp -t .", "Unknown command \"scp\""),
        ("git-upload-archive '/hello.git'", "Unknown command \"git-upload-archive\""),
        (" --version", "Unknown command"),
        ("apps 'unfinished", "A quote is opened and not closed."),
        ("apps extra", "Unexpected argument 'extra' found"),
        ("\u{1b}[2J", "control character"),
        ("a\u{9b}b", "control character"),
        ("", "Skypanel gives no shell"),
        ("   ", "The command is empty."),
    ] {
        let said = world.ssh(command).await.failed();
        assert_eq!(said.status, Some(1), "{command}: {said:?}");
        said.says(&[says]);
    }
    let long = "x".repeat(70_000);
    world.ssh(&long).await.failed().says(&["longer than 64 KiB"]);
    let entries: Vec<_> = std::fs::read_dir(world.data().join("repositories")).expect("is there").flatten().collect();
    assert!(entries.is_empty(), "{entries:?}");
    world.close().await;
}

#[tokio::test]
async fn a_hook_run_by_hand_is_told_to_go_away() {
    let world = World::new().await;
    let copy = world.working_copy("hello", &[("a", "1")]).await;
    world.git(&copy, &["push", "skypanel", "main"]).await.ok();
    let mut hook = tokio::process::Command::new(world.data().join("run/hooks/pre-receive"));
    hook.env_clear().stdin(Stdio::null());
    run(hook).await.failed().says(&["This repository takes pushes only through Skypanel."]);
    world.close().await;
}

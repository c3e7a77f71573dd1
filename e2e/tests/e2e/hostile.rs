//! Input made to do harm: each gets a clear refusal or does nothing, and Skypanel serves on.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::process::Command;

use skypanel_e2e::{App, COMMAND_LIMIT, Instance, Running, User, run};

#[test]
fn repository_names_are_never_paths() {
    let app = App::probe("traversal");
    app.push().live();
    let slug = &app.slug;
    let names = [
        "/../../../etc/passwd",
        "../repositories",
        &format!("/{slug}.git/../../master.key"),
        &format!("/./{slug}.git"),
        "//etc",
        "~root/.ssh",
        "/",
        "",
        "/.git",
        "-oProxyCommand=id",
        "--help",
        "/$(id).git",
        "/`id`.git",
        "/x;id.git",
        "/x\nid.git",
        "/Ärger.git",
        &"a".repeat(5_000),
    ];
    for program in ["git-upload-pack", "git-receive-pack"] {
        for name in names {
            let answer = app.user.command(&format!("{program} '{name}'"));
            assert_eq!(answer.status, Some(1), "{program} {name:?}: {answer:?}");
            assert!(answer.err().starts_with(" !     ") && answer.out().is_empty(), "{name:?}: {answer:?}");
        }
    }
    assert_eq!(app.page("/"), "one");
}

#[test]
fn odd_command_lines_end_with_one_line_and_status_1() {
    let user = User::owner(&Instance::attach());
    let long = "x".repeat(70_000);
    let many = "a ".repeat(20_000);
    let lines: Vec<&[u8]> = vec![
        b"apps; id",
        b"apps && id",
        b"$(id)",
        b"apps `id`",
        b"apps | cat",
        b"apps > /tmp/skypanel-e2e-was-here",
        b"'apps",
        b"\"apps",
        b"apps\\",
        b"apps\nid",
        b"\x1b[2Japps",
        b"\xff\xfe\xfd",
        b"apps \xc3\x28",
        b"config:set --app=../x A=b",
        b"--app=x",
        b"-",
        long.as_bytes(),
        many.as_bytes(),
    ];
    for line in lines {
        let mut ssh = user.ssh(&["-T"], "");
        ssh.arg("--").arg(OsStr::from_bytes(line));
        let answer = run(&mut ssh, COMMAND_LIMIT);
        let shown = String::from_utf8_lossy(&line[..line.len().min(60)]);
        assert_eq!(answer.status, Some(1), "{shown:?}: {answer:?}");
        assert!(answer.err().starts_with(" !     "), "{shown:?}: {answer:?}");
        assert!(answer.text().len() < 2_000 && !answer.text().contains("uid="), "{shown:?}: {answer:?}");
        assert!(!answer.text().contains('\x1b'), "{shown:?}: control characters are not sent back");
    }
    assert!(!std::path::Path::new("/tmp/skypanel-e2e-was-here").exists());
    let _ = user.command("apps").success();
}

#[test]
fn links_that_lead_out_of_the_tree_are_refused_and_others_kept() {
    let app = App::probe("links");
    app.repository.write("data/words", "inside");
    link(&app, "data/words", "inside-link");
    app.commit("A link that stays");
    app.push().live();
    assert_eq!(app.run("cat inside-link").success().out(), "inside");
    for target in ["/etc/passwd", "../../etc/passwd", "data/../../x", "/app/VERSION"] {
        link(&app, target, "leak");
        app.commit("A link that leads out");
        let output = app.push().refused();
        assert!(output.contains("leak is a symbolic link that leads out"), "{target}: {output}");
    }
    assert_eq!(app.page("/"), "one");
}

#[test]
fn ten_thousand_files_with_the_oddest_names_arrive_as_they_are() {
    let app = App::probe("many");
    for number in 0..10_000 {
        app.repository.write(format!("files/{}/{number}", number % 100), format!("{number}\n"));
    }
    let odd: [&[u8]; 10] = [
        b"new\nline",
        b"tab\tand \"quotes\" and 'these'",
        "Grüße 你好 🚀".as_bytes(),
        b"-rf",
        b" leading and trailing ",
        b"back\\slash",
        b"$(id)`id`",
        b"\xff\xfe not UTF-8",
        b"*",
        &[b'n'; 200],
    ];
    for name in odd {
        app.repository.write(std::path::Path::new("files").join(OsStr::from_bytes(name)), name);
    }
    app.repository.write(format!("files/{}end", "deep/".repeat(60)), "deep");
    app.commit("Many files");
    let output = app.push().live();
    assert!(output.contains("10015 files") || output.contains("10,015 files"), "{output}");
    let sum = "cd files && find . -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum -z | sha256sum";
    let local = run(Command::new("bash").current_dir(app.repository.path()).args(["-c", sum]), COMMAND_LIMIT).success();
    assert_eq!(app.run(sum).success().out(), local.out());
}

#[test]
fn a_corrupt_pack_is_refused_and_leaves_the_repository_as_it_was() {
    let app = App::probe("corrupt");
    app.push().live();
    let old = app.repository.ask(&app.user, &["rev-parse", "HEAD"]);
    let new = app.version("two");
    let mut objects =
        Running::start(&mut app.repository.command(&app.user, &["pack-objects", "--revs", "--stdout", "-q"]));
    objects.type_in(format!("{new}\n^{old}\n").as_bytes());
    objects.close_input();
    let pack = objects.finish(COMMAND_LIMIT).success().stdout;
    let mut flipped = pack.clone();
    flipped[pack.len() / 2] ^= 0x55;
    let cut = pack[..pack.len() / 2].to_vec();
    let noise: Vec<u8> = (0..50_000_u32).map(|number| (number.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let mut huge = b"PACK\0\0\0\x02\xff\xff\xff\xff".to_vec();
    huge.extend_from_slice(&pack[12..]);
    for (what, bytes) in
        [("flipped", flipped), ("cut", cut), ("noise", noise), ("huge count", huge), ("nothing", Vec::new())]
    {
        let line = format!("{old} {new} refs/heads/main\0 report-status");
        let mut request = format!("{:04x}{line}0000", line.len() + 4).into_bytes();
        request.extend_from_slice(&bytes);
        let mut push = Running::start(&mut app.user.ssh(&["-T"], &format!("git-receive-pack '/{}.git'", app.slug)));
        push.type_in(&request);
        push.close_input();
        let answer = push.finish(COMMAND_LIMIT);
        assert!(!answer.text().contains("unpack ok"), "{what}: {answer:?}");
        let refs = app.repository.ask(&app.user, &["ls-remote", "skypanel", "refs/heads/main"]);
        assert!(refs.starts_with(&old), "{what}: {refs}");
    }
    assert_eq!(app.page("/"), "one");
    app.push().live();
    app.wait_for_page("two");
}

#[test]
fn objects_that_git_itself_would_not_make_are_refused() {
    let app = App::probe("fsck");
    app.push().live();
    let git = |arguments: &[&str], input: &[u8]| {
        let mut running = Running::start(&mut app.repository.command(&app.user, arguments));
        running.type_in(input);
        running.close_input();
        running.finish(COMMAND_LIMIT).success().out().trim().to_owned()
    };
    let blob = git(&["hash-object", "-w", "--stdin"], b"[core]\n");
    for name in [".git", "..", ".GIT"] {
        let mut tree = format!("100644 {name}\0").into_bytes();
        tree.extend((0..20).map(|at| u8::from_str_radix(&blob[2 * at..2 * at + 2], 16).expect("a hash is hex digits")));
        let tree = git(&["hash-object", "-w", "--stdin", "-t", "tree", "--literally"], &tree);
        let commit = git(&["commit-tree", &tree, "-m", "Hostile"], b"");
        let push = app.push_with(&["--force", "skypanel", &format!("{commit}:refs/heads/main")]);
        assert!(!push.0.ok(), "{name}: {push:?}");
    }
    assert_eq!(app.page("/"), "one");
}

#[test]
fn a_small_push_that_unfolds_to_millions_of_files_is_refused_quickly() {
    let app = App::probe("bomb");
    app.push().live();
    let make_tree = |entries: String| {
        let mut git = Running::start(&mut app.repository.command(&app.user, &["mktree"]));
        git.type_in(entries.as_bytes());
        git.close_input();
        git.finish(COMMAND_LIMIT).success().out().trim().to_owned()
    };
    let blob = app.repository.ask(&app.user, &["hash-object", "-w", "VERSION"]);
    let mut tree = make_tree((0..10).map(|n| format!("100644 blob {blob}\tf{n}\n")).collect::<Vec<_>>().concat());
    for _ in 0..8 {
        tree = make_tree((0..10).map(|n| format!("040000 tree {tree}\td{n}\n")).collect::<Vec<_>>().concat());
    }
    let commit = app.repository.ask(&app.user, &["commit-tree", &tree, "-m", "Bomb"]);
    let output = app.push_with(&["--force", "skypanel", &format!("{commit}:refs/heads/main")]).refused();
    assert!(output.contains("files and directories"), "{output}");
    assert_eq!(app.page("/"), "one");
}

#[test]
fn a_build_cannot_smuggle_the_hosts_files_into_a_slug() {
    let app = App::probe("smuggle");
    app.repository.write(
        "bin/pre_compile",
        "#!/bin/sh\n\
         ln -s /etc/passwd absolute\n\
         ln -s ../../../../../../etc/hostname relative\n\
         ln VERSION twin\n\
         mkfifo pipe\n\
         chmod 6755 VERSION\n\
         mknod disk b 8 0 2>/dev/null && echo made a device\n\
         truncate -s 30M sparse\n\
         echo done\n",
    );
    app.commit("Smuggle");
    let output = app.push().live();
    assert!(output.contains("done") && !output.contains("made a device"), "{output}");
    let inside =
        app.run("cat absolute relative twin; test -u VERSION && echo setuid; test -b disk && echo device").out();
    let host = std::fs::read_to_string("/etc/hostname").unwrap_or_default();
    assert!(inside.contains("app:x:10001:10001"), "a link to /etc/passwd is the container's own: {inside}");
    assert!(host.trim().is_empty() || !inside.contains(host.trim()), "{inside}");
    assert!(inside.contains("one") && !inside.contains("setuid") && !inside.contains("device"), "{inside}");

    app.repository.write("bin/pre_compile", "#!/bin/sh\ntouch .wh.VERSION\n");
    app.commit("Delete a file of the layer below");
    let output = app.push().refused();
    assert!(output.contains(".wh.VERSION"), "{output}");
    assert_eq!(app.page("/"), "one");
}

fn link(app: &App, target: &str, name: &str) {
    let path = app.repository.path().join(name);
    let _ = std::fs::remove_file(&path);
    std::os::unix::fs::symlink(target, path).expect("a link is made");
}

//! `git push` to the deploy branch, as developers do it.

use skypanel_core::model::Stage;

use crate::worker::Script;
use crate::world::World;

#[tokio::test]
async fn a_push_is_stored_built_and_shown() {
    let world = World::new().await;
    let copy = world.working_copy("hello", &[("Procfile", "web: serve\n"), ("lib/a.txt", "a")]).await;
    world.script([Script::succeeds("-----> Building\n       with colours\n-----> Launched v1\n")]);
    let commit = world.git(&copy, &["rev-parse", "HEAD"]).await.ok().stdout.trim().to_owned();
    let said = world.git(&copy, &["push", "skypanel", "main"]).await.ok();
    said.says(&[
        "remote: -----> Created app hello",
        &format!("remote: -----> Received {} (2 files, 12 B)", &commit[..7]),
        "remote: -----> Building",
        "remote:        with colours",
        "remote: -----> Launched v1",
        "main -> main",
    ]);
    assert_eq!(world.server_ref("hello", "refs/heads/main").await, Some(commit.clone()));
    let [id] = world.worker.deployments()[..] else { panic!("one deployment") };
    let deployment = world.store().deployment(id).await.expect("is stored");
    assert_eq!(deployment.git_commit, Some(commit));
    assert_eq!(deployment.git_message.as_deref(), Some("Say hello"));
    assert_eq!(deployment.git_author.as_deref(), Some("Ada <ada@example.com>"));
    assert_eq!(deployment.created_by, Some(world.user.id));
    let stages = world.store().stages(id).await.expect("are stored");
    assert!(matches!(&stages[..], [stage] if stage.stage == Stage::Receive && stage.finished_at.is_some()));
    let source = world.source(id);
    assert_eq!(source[&b"lib/a.txt"[..]].1, b"a");
    assert_eq!(source[&b"Procfile"[..]].1, b"web: serve\n");
    let again = world.git(&copy, &["push", "skypanel", "main"]).await.ok();
    again.says(&["Everything up-to-date"]);
    world.close().await;
}

#[tokio::test]
async fn a_failing_build_rejects_the_push_and_the_next_one_works() {
    let world = World::new().await;
    let copy = world.working_copy("hello", &[("a", "1")]).await;
    world.script([Script::fails("-----> Building\n !     No buildpack matched.\n")]);
    let said = world.git(&copy, &["push", "skypanel", "main"]).await.failed();
    said.says(&["remote:  !     No buildpack matched.", "pre-receive hook declined"]);
    assert_eq!(world.server_ref("hello", "refs/heads/main").await, None);
    world.git(&copy, &["push", "skypanel", "main"]).await.ok();
    assert!(world.server_ref("hello", "refs/heads/main").await.is_some());
    world.close().await;
}

#[tokio::test]
async fn no_cache_reaches_the_build_and_unknown_options_are_refused() {
    let world = World::new().await;
    let copy = world.working_copy("hello", &[("a", "1")]).await;
    let said = world.git(&copy, &["push", "-o", "nocache", "skypanel", "main"]).await.failed();
    said.says(&["\"nocache\" is not a push option", "git push -o no-cache"]);
    assert!(world.worker.deployments().is_empty());
    world.git(&copy, &["push", "-o", "no-cache", "skypanel", "main"]).await.ok();
    let [id] = world.worker.deployments()[..] else { panic!("one deployment") };
    assert!(world.store().deployment(id).await.expect("is stored").no_cache);
    world.close().await;
}

#[tokio::test]
async fn ten_thousand_files_arrive() {
    let world = World::new().await;
    let copy = world.working_copy("many", &[]).await;
    for directory in 0..100 {
        let path = copy.join(format!("d{directory}"));
        std::fs::create_dir(&path).expect("makes a directory");
        for file in 0..100 {
            std::fs::write(path.join(format!("f{file}")), format!("{directory} {file}")).expect("writes");
        }
    }
    world.commit(&copy, &[]).await;
    let said = world.git(&copy, &["push", "skypanel", "main"]).await.ok();
    said.says(&["(10000 files, "]);
    let source = world.source(world.worker.deployments()[0]);
    assert_eq!(source.len(), 10_100);
    assert_eq!(source[&b"d42/f17"[..]].1, b"42 17");
    world.close().await;
}

#[tokio::test]
async fn odd_names_modes_and_links_arrive_as_they_are() {
    use std::os::unix::ffi::OsStrExt as _;
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    let world = World::new().await;
    let copy = world.working_copy("odd", &[("a b/ü", "umlaut"), ("run.sh", "#!/bin/sh\n")]).await;
    let long = format!("{}/{}", "d".repeat(150), "f".repeat(200));
    let names: [&[u8]; 5] = [b"line\nbreak", b"tab\tquote\"", b"not-utf8-\xff", b"-dash", long.as_bytes()];
    std::fs::create_dir(copy.join("d".repeat(150))).expect("makes a directory");
    for name in names {
        std::fs::write(copy.join(std::ffi::OsStr::from_bytes(name)), name).expect("writes");
    }
    std::fs::set_permissions(copy.join("run.sh"), std::fs::Permissions::from_mode(0o755)).expect("changes the mode");
    symlink("../run.sh", copy.join("a b/link")).expect("links");
    symlink("a b/../run.sh", copy.join("round-about")).expect("links");
    symlink("x".repeat(180), copy.join("long-and-dangling")).expect("links");
    world.commit(&copy, &[]).await;
    world.git(&copy, &["push", "skypanel", "main"]).await.ok().says(&["(10 files, "]);
    let source = world.source(world.worker.deployments()[0]);
    for name in names {
        assert_eq!(source[name].1, name, "{}", String::from_utf8_lossy(name));
    }
    assert_eq!(source["a b/ü".as_bytes()].1, b"umlaut");
    assert_eq!(source[&b"a b/link"[..]], (tar::EntryType::Symlink, b"../run.sh".to_vec()));
    assert_eq!(source[&b"round-about"[..]].1, b"a b/../run.sh");
    assert_eq!(source[&b"long-and-dangling"[..]].1, "x".repeat(180).as_bytes());
    world.close().await;
}

#[tokio::test]
async fn a_large_file_is_streamed() {
    let world = World::new().await;
    let copy = world.working_copy("large", &[]).await;
    let noise: Vec<u8> = (0..1 << 10).map(|_| rand::random()).collect();
    let content = noise.repeat(17 << 10);
    std::fs::write(copy.join("model.bin"), &content).expect("writes");
    world.commit(&copy, &[]).await;
    world.git(&copy, &["push", "skypanel", "main"]).await.ok().says(&["(1 file, 17 MB)"]);
    let source = world.source(world.worker.deployments()[0]);
    assert!(source[&b"model.bin"[..]].1 == content, "the file arrives whole");
    world.close().await;
}

#[tokio::test]
async fn submodules_are_named_and_left_out() {
    let world = World::new().await;
    let library = world.working_copy("library", &[("lib.txt", "x")]).await;
    let copy = world.working_copy("shop", &[("a", "1")]).await;
    let library = library.display().to_string();
    world.git(&copy, &["submodule", "--quiet", "add", &library, "vendor/lib"]).await.ok();
    world.commit(&copy, &[]).await;
    let said = world.git(&copy, &["push", "skypanel", "main"]).await.ok();
    said.says(&["(2 files, ", " !     vendor/lib is a submodule"]);
    world.close().await;
}

//! What `git` meets: branches, tags, deletions, forced and simultaneous pushes, clones, and who may do what.

use std::thread;

use skypanel_e2e::{App, COMMAND_LIMIT, Finished, Instance, PUSH_LIMIT, User, run};

#[test]
fn the_first_push_creates_the_app_and_the_page_is_there_when_it_returns() {
    let app = App::probe("first");
    let output = app.push().live();
    assert!(output.contains(&format!("-----> Created app {}", app.slug)), "{output}");
    assert!(output.contains("-----> Received "), "{output}");
    assert!(output.contains(&format!("http://{}:{} is live (v1,", app.host(), app.instance.http_port)), "{output}");
    assert_eq!(app.page("/"), "one");
    let apps = app.user.command("apps").success().out();
    assert!(apps.contains(&app.slug), "{apps}");

    app.version("two");
    app.push().live();
    for request in 0..50 {
        assert_eq!(app.page("/"), "two", "request {request} after the second push");
    }
    let again = app.push().live();
    assert!(again.contains("Everything up-to-date"), "{again}");
}

#[test]
fn another_branch_is_stored_and_not_released() {
    let app = App::probe("branch");
    app.push().live();
    let _ = app.repository.git(&app.user, &["switch", "--quiet", "--create", "feature"]).success();
    let commit = app.version("feature");
    let output = app.push_with(&["skypanel", "feature"]).live();
    assert!(output.contains("Stored branch feature"), "{output}");
    assert!(output.contains("git push skypanel feature:main"), "{output}");
    assert_eq!(app.page("/"), "one");
    assert!(remote_refs(&app).contains(&format!("{commit}\trefs/heads/feature")));

    app.push_with(&["skypanel", "feature:main"]).live();
    app.wait_for_page("feature");
}

#[test]
fn tags_are_stored_and_branches_deleted_but_for_the_deploy_branch() {
    let app = App::probe("refs");
    app.push().live();
    let _ = app.repository.git(&app.user, &["tag", "--annotate", "v1.0", "--message", "One"]).success();
    let output = app.push_with(&["skypanel", "v1.0", "main:refs/heads/old"]).live();
    assert!(output.contains("Stored tag v1.0"), "{output}");
    let output = app.push_with(&["skypanel", "--delete", "old"]).live();
    assert!(output.contains("Deleted branch old"), "{output}");
    let output = app.push_with(&["skypanel", "--delete", "main"]).refused();
    assert!(output.contains("cannot be deleted"), "{output}");
    let refs = remote_refs(&app);
    assert!(refs.contains("refs/tags/v1.0") && refs.contains("refs/heads/main") && !refs.contains("old"), "{refs}");
    assert_eq!(app.page("/"), "one");
}

#[test]
fn a_forced_push_is_released() {
    let app = App::probe("forced");
    app.push().live();
    app.repository.write("VERSION", "rewritten");
    let _ =
        app.repository.git(&app.user, &["commit", "--quiet", "--all", "--amend", "--message", "Rewritten"]).success();
    let output = app.push();
    assert!(!output.0.ok() && output.output().contains("non-fast-forward"), "{output:?}");
    assert_eq!(app.page("/"), "one");
    app.push_with(&["--force", "skypanel", "main"]).live();
    app.wait_for_page("rewritten");
}

#[test]
fn master_becomes_the_deploy_branch_of_an_app_pushed_that_way() {
    let app = App::probe("master");
    let output = app.push_with(&["skypanel", "main:master"]).live();
    assert!(output.contains("master is this app's deploy branch"), "{output}");
    assert_eq!(app.page("/"), "one");
}

#[test]
fn empty_repositories_and_empty_commits_get_a_friendly_answer() {
    let app = App::empty("empty");
    let nothing = app.push();
    assert!(!nothing.0.ok() && nothing.output().contains("src refspec main does not match any"), "{nothing:?}");
    let _ = app.user.command(&format!("apps:create {}", app.slug)).success();
    let clone = clone(&app, &["clone"]);
    assert!(clone.0.text().contains("empty repository"), "{:?}", clone.0);
    app.commit("Nothing in it");
    app.push().refused_for("holds no files");
}

#[test]
fn of_two_pushes_at_once_the_second_waits_and_sees_the_first() {
    let app = App::probe("twice");
    app.push().live();
    let (_, other) = clone(&app, &["clone", "--quiet"]);
    app.version("mine");
    std::fs::write(other.path().join("app/VERSION"), "theirs").expect("the clone is writable");
    let in_clone = |arguments: &[&str]| {
        let mut git = app.user.git();
        git.current_dir(other.path().join("app")).args(arguments);
        run(&mut git, PUSH_LIMIT)
    };
    let _ = in_clone(&["commit", "--quiet", "--all", "--message", "theirs"]).success();
    let (mine, theirs) = thread::scope(|scope| {
        let mine = scope.spawn(|| app.push());
        let theirs = in_clone(&["push", "origin", "main"]);
        (mine.join().expect("the push ends").0, theirs)
    });
    let (winner, loser, page) = if mine.ok() { (&mine, &theirs, "mine") } else { (&theirs, &mine, "theirs") };
    assert!(winner.ok() && !loser.ok(), "one of the two is released: {mine:?}\n{theirs:?}");
    assert!(loser.err().contains("[rejected]"), "{loser:?}");
    app.wait_for_page(page);
    assert_eq!(app.command("releases", &[]).success().out().matches("Deploy ").count(), 2);
}

#[test]
fn push_options_are_honoured_or_named() {
    let app = App::probe("options");
    app.push().live();
    app.version("two");
    let output = app.push_with(&["-o", "no-cash", "skypanel", "main"]).refused();
    assert!(output.contains("git push -o no-cache"), "{output}");
    app.repository.write("bin/pre_compile", "#!/bin/sh\necho \"cache off: ${SKYPANEL_NO_CACHE:-no}\"\n");
    app.commit("Tell about the cache");
    let output = app.push_with(&["-o", "no-cache", "skypanel", "main"]).live();
    assert!(output.contains("cache off: ") && !output.contains("cache off: no"), "{output}");
    app.wait_for_page("two");
}

#[test]
fn an_atomic_push_moves_all_refs_or_none() {
    let app = App::probe("atomic");
    app.push().live();
    let before = remote_refs(&app);
    app.repository.write("bin/pre_compile", "#!/bin/sh\nexit 1\n");
    app.commit("Broken");
    app.push_with(&["--atomic", "skypanel", "main", "main:side"]).refused();
    assert_eq!(remote_refs(&app), before);
    app.repository.remove("bin/pre_compile");
    app.version("mended");
    app.push_with(&["--atomic", "skypanel", "main", "main:side"]).live();
    assert!(remote_refs(&app).contains("refs/heads/side"));
    app.wait_for_page("mended");
}

#[test]
fn a_clone_gives_back_what_was_pushed_over_protocol_2() {
    let app = App::probe("clone");
    app.push().live();
    let (cloned, directory) = clone(&app, &["-c", "protocol.version=2", "clone", "--quiet"]);
    assert!(cloned.ok(), "{cloned:?}");
    let tree = |path| {
        let mut git = app.user.git();
        git.arg("-C").arg(path).args(["rev-parse", "HEAD^{tree}", "HEAD"]);
        run(&mut git, COMMAND_LIMIT).success().out()
    };
    assert_eq!(tree(directory.path().join("app")), tree(app.repository.path().to_owned()));

    let mut list = app.repository.command(&app.user, &["-c", "protocol.version=2", "ls-remote", "skypanel"]);
    let listed = run(list.env("GIT_TRACE_PACKET", "1"), COMMAND_LIMIT).success();
    assert!(listed.err().contains("< version 2"), "{listed:?}");
    let shallow = clone(&app, &["clone", "--quiet", "--depth=1"]).0;
    assert!(shallow.ok(), "{shallow:?}");
}

#[test]
fn a_stranger_gets_nothing() {
    let app = App::probe("stranger");
    app.push().live();
    let stranger = User::stranger(&app.instance);
    for line in ["apps", &format!("git-upload-pack '/{}.git'", app.slug), ""] {
        let answer = stranger.command(line);
        assert_eq!(answer.status, Some(255), "{answer:?}");
        assert!(answer.err().contains("Permission denied ("), "{answer:?}");
    }
}

#[test]
fn members_of_another_organisation_see_no_app_and_viewers_only_look() {
    let app = App::probe("members");
    app.push().live();
    let outsider = User::member(&app.instance, &format!("{}-others", app.slug), "owner");
    let apps = outsider.command("apps").success();
    assert!(!apps.text().contains(&app.slug), "{apps:?}");
    for line in ["apps:info", "config", "logs", "ps", "releases", "run id", "ps:stop"] {
        let (name, rest) = line.split_once(' ').unwrap_or((line, ""));
        outsider.command(&format!("{name} --app={} {rest}", app.slug)).says(1, "There is no app");
    }
    let push_as = |user: &User| {
        let remote = user.remote(&app.slug);
        run(&mut app.repository.command(user, &["push", &remote, "main"]), PUSH_LIMIT)
    };
    let pushed = push_as(&outsider);
    assert!(!pushed.ok() && pushed.err().contains("is taken"), "{pushed:?}");

    let viewer = User::member(&app.instance, &app.instance.organization, "viewer");
    let cloned = run(&mut app.repository.command(&viewer, &["ls-remote", &viewer.remote(&app.slug)]), COMMAND_LIMIT);
    assert!(cloned.ok(), "{cloned:?}");
    let pushed = push_as(&viewer);
    assert!(!pushed.ok() && pushed.err().contains("role developer"), "{pushed:?}");
    viewer.command(&format!("ps:stop --app={}", app.slug)).says(1, "role developer");
    assert_eq!(app.page("/"), "one");
}

#[test]
fn whatever_is_no_command_gets_one_line_and_status_1() {
    let user = User::owner(&Instance::attach());
    for line in ["frobnicate", "ls -la /", "scp -t /tmp", "git-shell", "bash -c id", "git-receive-pack a b c"] {
        let answer = user.command(line);
        assert_eq!(answer.status, Some(1), "{line:?}: {answer:?}");
        assert_eq!(answer.text().trim_end().lines().count(), 1, "{line:?}: {answer:?}");
        assert!(answer.err().starts_with(" !     "), "{line:?}: {answer:?}");
    }
    let no_shell = user.command("");
    no_shell.says(1, "Skypanel gives no shell");
    assert_eq!(no_shell.text().trim_end().lines().count(), 1, "{no_shell:?}");
    let help = user.command("help").success().out();
    for command in ["apps:create", "config:set", "ps:scale", "rollback", "logs", "run", "keys:add"] {
        assert!(help.contains(command), "{command} is not in:\n{help}");
    }
}

/// Clones into the directory `app` of the answered one.
fn clone(app: &App, arguments: &[&str]) -> (Finished, tempfile::TempDir) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut git = app.user.git();
    git.current_dir(directory.path()).args(arguments).args([&app.user.remote(&app.slug), "app"]);
    (run(&mut git, COMMAND_LIMIT), directory)
}

fn remote_refs(app: &App) -> String {
    app.repository.ask(&app.user, &["ls-remote", "skypanel"])
}

//! What a process finds when it starts, and what its end becomes.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, process::Command};

use crate::harness::{App, Ended, Running, init};

fn run(command: &mut Command) -> Ended {
    Running::spawn(command).end()
}

#[test]
fn exit_codes_are_the_commands_own() {
    let app = App::new();
    for (line, code) in [("true", 0), ("exit 3", 3), ("exit 255", 255), ("kill -TERM $$", 143)] {
        assert_eq!(app.run(line).code, Some(code), "{line}");
    }
}

#[test]
fn a_killed_process_is_explained() {
    let ended = App::new().run("kill -KILL $$");
    assert_eq!(ended.code, Some(137));
    assert!(ended.errors.starts_with(" !     The process `web` was killed by signal 9"));
    assert!(ended.errors.contains("more memory than its plan allows"), "{}", ended.errors);
}

#[test]
fn a_command_that_is_not_there_is_127() {
    let app = App::new();
    let ended = app.run("no-such-program --flag");
    assert_eq!(ended.code, Some(127));
    assert!(ended.errors.contains("no-such-program: command not found"), "{}", ended.errors);

    let ended = run(app.start(&["--exec"]).args(["--", "no-such-program"]));
    assert_eq!(ended.code, Some(127));
    assert!(
        ended.errors.starts_with(" !     The process `web` did not start: the program `no-such-program` was not found"),
        "{}",
        ended.errors
    );

    let script = app.file("script", "#!/no/such/interpreter\n");
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("permissions");
    let ended = run(app.start(&["--exec", "--"]).arg("--").arg(&script).env_clear());
    assert_eq!(ended.code, Some(125), "flags end at the first `--`: {}", ended.errors);
    let ended = run(app.start(&["--exec"]).arg("--").arg(&script));
    assert_eq!(ended.code, Some(127));
    assert!(ended.errors.contains("names an interpreter or loader"), "{}", ended.errors);
}

#[test]
fn a_command_that_is_no_program_is_126() {
    let app = App::new();
    let file = app.file("data", "no program\n");
    for program in [file.as_path(), app.path()] {
        let ended = run(app.start(&["--exec"]).arg("--").arg(program));
        assert_eq!(ended.code, Some(126));
        assert!(ended.errors.contains("cannot be executed: Permission denied"), "{}", ended.errors);
    }
    assert_eq!(app.run("./data").code, Some(126));
}

#[test]
fn config_vars_reach_the_process_whole() {
    let app = App::new();
    app.file("config", b"KEY=-----BEGIN-----\na=b\n\0\0EMPTY=\0QUOTED='\"$HOME`\\\0STACK=mine\0");
    let ended = run(app.start(&[]).env("STACK", "skypanel-12").args(["--", "env -0"]));
    assert_eq!(ended.code, Some(0), "{}", ended.errors);
    let environment: Vec<&str> = ended.output.split('\0').collect();
    for entry in ["KEY=-----BEGIN-----\na=b\n", "EMPTY=", "QUOTED='\"$HOME`\\", "STACK=mine"] {
        assert!(environment.contains(&entry), "{entry:?} in {environment:?}");
    }
}

#[test]
fn the_platform_wins_over_config_vars() {
    let app = App::new();
    app.file("config", "PORT=1\0DYNO=mine\0PS=mine\0HOME=/elsewhere\0PATH=/usr/bin:/mine\0");
    let platform = |command: &mut Command| {
        command.env("PORT", "5000").env("DYNO", "web.1").env("PS", "web.1");
    };
    let echo = "echo $PORT $DYNO $PS $HOME $PATH";
    let home = app.path().display();

    let mut command = app.start(&[]);
    platform(&mut command);
    let ended = run(command.args(["--", echo]));
    assert_eq!(ended.output, format!("5000 web.1 web.1 {home} /usr/bin:/mine\n"));

    let mut command = app.start(&["--exec"]);
    platform(&mut command);
    let ended = run(command.env("HOME", "/srv").args(["--", "sh", "-c", echo]));
    assert_eq!(ended.output, "5000 web.1 web.1 /srv /usr/bin:/mine\n");
}

#[test]
fn unusable_config_vars_stop_the_start_and_stay_secret() {
    let app = App::new();
    app.file("config", "GOOD=s3cret\0s3cret\0");
    let ended = app.run("true");
    assert_eq!(ended.code, Some(125));
    assert!(ended.errors.contains("entry 2 is not KEY=VALUE"), "{}", ended.errors);
    assert!(!ended.errors.contains("s3cret"), "{}", ended.errors);

    app.file("config", vec![b'x'; (1 << 20) + 1]);
    let ended = app.run("true");
    assert_eq!(ended.code, Some(125));
    assert!(ended.errors.contains("larger than 1048576 bytes"), "{}", ended.errors);

    app.file("config", format!("BIG={}\0", "x".repeat(200_000)));
    let ended = app.run("true");
    assert_eq!(ended.code, Some(126));
    assert!(ended.errors.contains("Argument list too long"), "{}", ended.errors);
}

#[test]
fn config_vars_may_be_readable_for_root_only() {
    let app = App::new();
    let config = app.file("config", "NAME=value\0");
    fs::set_permissions(&config, fs::Permissions::from_mode(0o400)).expect("permissions");
    assert_eq!(app.run("echo $NAME").output, "value\n");
}

#[test]
fn profile_scripts_are_sourced_before_the_command() {
    let app = App::new();
    app.file(".profile.d/10_first.sh", "export PATH=\"$HOME/bin:$PATH\" STEPS=first; set -- lost");
    app.file(".profile.d/20_second.sh", "STEPS=\"$STEPS second\"; skipped() { :; }; false");
    app.file(".profile.d/30_ignored.txt", "STEPS=ignored");
    app.file(".profile", "STEPS=\"$STEPS own\"");
    let ended = app.run("pwd; echo \"$STEPS\"; echo \"${PATH%%:*}\"");
    let home = app.path().display();
    assert_eq!(ended.output, format!("{home}\nfirst second own\n{home}/bin\n"));
    assert_eq!((ended.code, ended.errors.as_str()), (Some(0), ""));
}

#[test]
fn a_line_means_what_it_means_in_bash() {
    let app = App::new();
    let ended = app.run("NAME='a  b' && for x in {1..2}; do echo \"$x $NAME\" | tr a-z A-Z; done");
    assert_eq!(ended.output, "1 A  B\n2 A  B\n");
    let ended = run(app.start(&[]).args(["--", "echo", "several", "words"]));
    assert_eq!(ended.output, "several words\n");
}

#[test]
fn a_program_gets_its_arguments_untouched() {
    let app = App::new();
    app.file(".profile.d/10.sh", "echo sourced");
    let arguments = ["printf", "<%s>", "a b", "$HOME", "--", "", "'\n"];
    let ended = run(app.start(&["--exec"]).arg("--").args(arguments).current_dir("/usr"));
    assert_eq!(ended.output, "<a b><$HOME><--><><'\n>");
    let ended = run(app.start(&["--exec"]).args(["--", "pwd"]).current_dir("/usr"));
    assert_eq!(ended.output, "/usr\n", "the image's working directory is kept");
}

#[test]
fn root_is_given_up_for_good() {
    let app = App::new();
    let ended = app.run("id -u; id -g; id -G; grep -E '^(NoNewPrivs|CapEff|CapPrm)' /proc/self/status");
    assert_eq!(
        ended.output,
        "10001\n10001\n10001\nCapPrm:\t0000000000000000\nCapEff:\t0000000000000000\nNoNewPrivs:\t1\n"
    );
    let ended = app.run("grep NoNewPrivs /proc/$PPID/status; stat -c %u /proc/$PPID/comm");
    assert_eq!(ended.output, "NoNewPrivs:\t1\n0\n", "init itself, which is not dumpable any more");
    let ended = run(app.start(&["--exec"]).env("HOME", "/root").args(["--", "sh", "-c", "cd ~; pwd"]));
    assert_eq!(ended.output, "/tmp\n", "root's home would be closed to the app");
}

#[test]
fn the_log_can_be_opened_by_name() {
    let ended = App::new().run("echo out > /dev/stdout; echo err > /dev/stderr");
    assert_eq!((ended.output.as_str(), ended.errors.as_str()), ("out\n", "err\n"));
}

#[test]
fn signals_start_out_as_usual() {
    let ended = App::new().run("exec sed -n 's/^Sig[BI].*\t//p' /proc/self/status");
    let status = fs::read_to_string("/proc/self/status").expect("a status");
    let inherited = status.lines().find_map(|line| line.strip_prefix("SigIgn:\t")).expect("a mask");
    // Signals 32 and 33 are the C library's own. SIGPIPE is ignored by Rust's programs alone.
    let mask = |digits: &str| u64::from_str_radix(digits, 16).expect("a mask") & 0x7fff_ffff;
    let masks: Vec<u64> = ended.output.lines().map(mask).collect();
    assert_eq!(masks, [0, mask(inherited) & !(1 << 12)], "blocked and ignored signals");
}

#[test]
fn an_image_without_any_shell_is_enough_for_a_program() {
    let app = App::new();
    let binary = Path::new(env!("CARGO_BIN_EXE_skypanel-init"));
    let mut files = vec![(binary.to_path_buf(), app.path().join("init"))];
    let libraries = Command::new("ldd").arg(binary).output().expect("ldd runs");
    for word in String::from_utf8_lossy(&libraries.stdout).split_whitespace() {
        if let Some(inside) = word.strip_prefix('/') {
            files.push((word.into(), app.path().join(inside)));
        }
    }
    for (from, to) in files {
        fs::create_dir_all(to.parent().expect("a parent")).expect("a folder");
        fs::copy(from, to).expect("a copy");
    }
    let in_image = |arguments: &[&str]| {
        run(Command::new("chroot").arg(app.path()).args(["/init", "start", "--type", "web"]).args(arguments))
    };
    let ended = in_image(&["--exec", "--", "/init", "--version"]);
    assert_eq!(ended.code, Some(0), "{}", ended.errors);
    assert!(ended.output.starts_with("skypanel-init "), "{}", ended.output);
    let ended = in_image(&["--app-dir", "/", "--", "true"]);
    assert_eq!(ended.code, Some(127));
    assert!(ended.errors.contains("the image has no bash"), "{}", ended.errors);
    let ended = in_image(&["--", "true"]);
    assert_eq!(ended.code, Some(125));
    assert!(ended.errors.contains("the app's folder /app cannot be entered"), "{}", ended.errors);
}

#[test]
fn mistaken_arguments_are_explained() {
    for (arguments, reason) in [
        (&[][..], "the action is missing"),
        (&["stop"], "unknown argument stop"),
        (&["start", "--type"], "the value of --type is missing"),
        (&["start", "--type", "web"], "`--` and the command is missing"),
        (&["start", "--type", "web", "--"], "the command after `--` is missing"),
        (&["start", "--type", "web", "--exec", "--"], "the program after `--` is missing"),
        (&["start", "--", "true"], "--type is missing"),
        (&["start", "--type", "web", "true"], "unknown argument true"),
        (&["health", "--fast"], "unknown argument --fast"),
    ] {
        let ended = run(init().args(arguments));
        assert_eq!(ended.code, Some(125), "{arguments:?}");
        assert!(ended.errors.contains(reason), "{}", ended.errors);
        assert!(ended.errors.contains("Usage: init start"), "{}", ended.errors);
    }
}

#[test]
fn a_mistaken_setting_is_named() {
    let app = App::new();
    let ended = run(app.start(&[]).env("SKYPANEL_DRAIN_MS", "3s").args(["--", "true"]));
    assert_eq!(ended.code, Some(125));
    assert!(ended.errors.contains("SKYPANEL_DRAIN_MS must be a whole number"), "{}", ended.errors);
}

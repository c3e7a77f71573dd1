//! The SSH server itself: what an audit thinks of it, and what it does not do for anybody.

use std::time::Duration;

use skypanel_e2e::{COMMAND_LIMIT, Instance, User, run};

#[test]
fn an_audit_finds_nothing_to_fail() {
    let instance = Instance::attach();
    let mut audit = instance.tool("ssh-audit");
    audit.args(["--json", "--timeout=20", "--port", &instance.ssh_port.to_string(), "127.0.0.1"]);
    let finished = run(&mut audit, Duration::from_mins(2));
    let report: serde_json::Value =
        serde_json::from_slice(&finished.stdout).unwrap_or_else(|error| panic!("{error}: {finished:?}"));
    let mut algorithms = 0;
    for kind in ["kex", "key", "enc", "mac"] {
        for algorithm in report[kind].as_array().into_iter().flatten() {
            algorithms += 1;
            let failures = &algorithm["notes"]["fail"];
            assert!(failures.as_array().is_none_or(Vec::is_empty), "{kind} {}: {failures}", algorithm["algorithm"]);
        }
    }
    assert!(algorithms >= 6, "the audit saw the server's algorithms: {finished:?}");
    assert!(report["cves"].as_array().is_none_or(Vec::is_empty), "{}", report["cves"]);
    let host_keys: Vec<&str> =
        report["key"].as_array().into_iter().flatten().filter_map(|key| key["algorithm"].as_str()).collect();
    assert_eq!(host_keys, ["ssh-ed25519"]);
}

#[test]
fn nothing_but_git_and_our_commands_is_served() {
    let instance = Instance::attach();
    let user = User::owner(&instance);
    let sftp = run(&mut user.ssh(&["-s"], "sftp"), COMMAND_LIMIT);
    assert_ne!(sftp.status, Some(0), "{sftp:?}");
    let forward = format!("-W127.0.0.1:{}", instance.api_port);
    let forwarded = run(&mut user.ssh(&[&forward], ""), COMMAND_LIMIT);
    assert!(!forwarded.ok() && forwarded.out().is_empty(), "{forwarded:?}");
    let back = run(&mut user.ssh(&["-oExitOnForwardFailure=yes", "-R0:127.0.0.1:80"], "apps"), COMMAND_LIMIT);
    assert!(!back.ok(), "remote forwarding is refused: {back:?}");
    let shell = user.command("");
    assert_eq!(shell.status, Some(1), "{shell:?}");
    let password = run(
        &mut user
            .ssh(&["-oPubkeyAuthentication=no", "-oPreferredAuthentications=password,keyboard-interactive"], "apps"),
        COMMAND_LIMIT,
    );
    assert_eq!(password.status, Some(255), "{password:?}");
    assert!(password.err().contains("Permission denied ("), "{password:?}");
}

#[test]
fn the_host_key_is_kept() {
    let instance = Instance::attach();
    let user = User::owner(&instance);
    let _ = user.command("apps").success();
    let strict = run(&mut user.ssh(&["-oStrictHostKeyChecking=yes"], "apps"), COMMAND_LIMIT);
    assert!(strict.ok(), "{strict:?}");
    let mode = std::fs::metadata(instance.data_dir.join("ssh_host_ed25519_key"))
        .map(|found| std::os::unix::fs::PermissionsExt::mode(&found.permissions()) & 0o777);
    assert_eq!(mode.ok(), Some(0o600));
}

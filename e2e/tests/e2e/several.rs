//! Two processes of the API and two workers on one database. These run alone.

use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use skypanel_e2e::{Api, App, Instance, PUSH_LIMIT, Running, User, until, until_some};
use tempfile::TempDir;

use crate::control;

const API_PORT: u16 = 18090;
/// Within this time every process must know a changed setting.
const SEEN_WITHIN: Duration = Duration::from_secs(1);

/// A second process, with a data directory of its own that shares keys and blobs with the first.
struct Second {
    process: Option<Running>,
    _data: TempDir,
}

impl Second {
    fn start(instance: &Instance) -> Self {
        let data = tempfile::Builder::new().prefix("skypanel-e2e-second-").tempdir().expect("a temporary directory");
        for file in ["master.key", "installation"] {
            std::fs::copy(instance.data_dir.join(file), data.path().join(file)).expect("is copied");
        }
        std::os::unix::fs::symlink(instance.data_dir.join("blobs"), data.path().join("blobs")).expect("is linked");
        let socket = instance.data_dir.join("postgres/socket");
        let mut program = instance.program("skypanel");
        program
            .args(["serve", "api", "worker"])
            .env("SKYPANEL_DATA_DIR", data.path())
            .env("SKYPANEL_DATABASE_URL", format!("postgres://skypanel@localhost/postgres?host={}", socket.display()))
            .env("SKYPANEL_API_LISTEN", format!("127.0.0.1:{API_PORT}"))
            .env("SKYPANEL_IMAGE_LISTEN", format!("127.0.0.1:{}", instance.image_port + 1))
            .env("SKYPANEL_EDGE_HTTP_PORT", instance.http_port.to_string())
            .env("SKYPANEL_EDGE_HTTPS_PORT", instance.https_port.to_string());
        let mut process = Running::start(&mut program);
        process.wait_for("Ready", PUSH_LIMIT);
        Self { process: Some(process), _data: data }
    }

    /// As the kernel does when memory is out.
    fn kill(&mut self) {
        if let Some(process) = self.process.take() {
            process.kill();
        }
    }
}

impl Drop for Second {
    fn drop(&mut self) {
        self.kill();
    }
}

#[test]
fn both_processes_know_a_changed_setting_within_a_second() {
    let instance = Instance::attach();
    let _second = Second::start(&instance);
    let first = Api::of(&instance, &User::admin(&instance));
    let second = first.at(&[API_PORT]);
    // What a setting does, not only what is stored: who may create apps.
    let user = User::member(&instance, "several", "owner");
    let (one, two) = (Api::of(&instance, &user), Api::of(&instance, &user).at(&[API_PORT]));
    let refused = |api: &Api| {
        let answer = api.post("/api/paas/apps", &json!({}));
        if answer.status == 201 {
            let slug = answer.json["slug"].as_str().expect("has a slug");
            api.json("DELETE", &format!("/api/paas/apps/{slug}"), &json!({ "confirm": slug })).is(202);
            return false;
        }
        answer.is(409)["code"] == "PLAN_LIMIT_REACHED"
    };
    for (by, most) in [(&first, json!(0)), (&second, Value::Null), (&first, json!(0)), (&second, Value::Null)] {
        by.json("PUT", "/api/admin/paas/settings", &json!({ "settings": { "limits.apps": most } })).is(200);
        let changed = Instant::now();
        for api in [&one, &two] {
            until("the setting is known", SEEN_WITHIN, || refused(api) != most.is_null());
        }
        assert!(changed.elapsed() < SEEN_WITHIN, "{:?}", changed.elapsed());
    }
}

#[test]
fn everything_holds_with_two_of_each() {
    let _second = Second::start(&Instance::attach());
    let both = |instance: &Instance, user: &User| Api::of(instance, user).at(&[instance.api_port, API_PORT]);
    control::life_over_http(&both);
    control::webhook(&both);
    control::wallet(&both);
}

#[test]
fn what_a_killed_process_has_answered_is_kept() {
    let instance = Instance::attach();
    let mut second = Second::start(&instance);
    let user = User::member(&instance, "several-writes", "owner");
    let first = Api::of(&instance, &user);
    let app = first.post("/api/paas/apps", &json!({})).is(201);
    let [app, id] = ["slug", "id"].map(|name| app[name].as_str().expect("is text").to_owned());
    let path = format!("/api/paas/apps/{app}/env");
    let (written, heard) = mpsc::channel();
    let (writing, writes_to) = (first.at(&[API_PORT]), path.clone());
    let writer = thread::spawn(move || {
        for number in 0.. {
            let key = format!("WRITE_{number}");
            let body = json!({ "vars": { &key: "value" } }).to_string();
            let headers = [("Content-Type", "application/json")];
            let Ok(answer) = writing.try_send("PATCH", &writes_to, &headers, body.as_bytes()) else { return };
            answer.is(200);
            written.send(key).expect("is heard");
        }
    });
    let mut answered: Vec<String> = heard.iter().take(20).collect();
    second.kill();
    writer.join().expect("ends with its connection");
    answered.extend(heard.try_iter());
    let vars = first.get(&path).is(200);
    let kept: Vec<&str> =
        vars["items"].as_array().expect("a list").iter().filter_map(|var| var["key"].as_str()).collect();
    for key in &answered {
        assert!(kept.contains(&key.as_str()), "{key} was answered: {kept:?}");
    }
    // The one under way may be there as well, and then as a whole.
    assert!(kept.len() <= answered.len() + 1, "{kept:?}");
    let told =
        instance.query(&format!("SELECT 1 FROM paas_audit_log WHERE action = 'config.change' AND target = '{id}'"));
    assert_eq!(told.len(), kept.len(), "each change has its line in the audit log");
    first.json("DELETE", &format!("/api/paas/apps/{app}"), &json!({ "confirm": app })).is(202);
}

#[test]
fn a_killed_process_loses_nothing() {
    let instance = Instance::attach();
    let mut second = Second::start(&instance);
    let apps: Vec<App> = ["one", "two", "three", "four"].map(|name| App::probe(&format!("kill-{name}"))).into();
    let mut pushes = Vec::new();
    for app in &apps {
        app.repository.write("bin/pre_compile", "#!/bin/sh\necho building for a while\nsleep 6\n");
        app.commit("Slow");
        pushes.push(app.start_push(&["skypanel", "main"]));
    }
    let builds_of_the_second = || {
        instance.query(
            "SELECT 1 FROM skypanel_jobs._private_jobs WHERE locked_by =
             (SELECT id FROM skypanel_jobs._private_workers ORDER BY started_at DESC LIMIT 1)",
        )
    };
    let _ = until_some("the second worker builds", PUSH_LIMIT, || builds_of_the_second().pop());
    second.kill();
    for (app, push) in apps.iter().zip(pushes) {
        let finished = push.finish(PUSH_LIMIT);
        assert!(finished.ok(), "{finished:?}");
        app.wait_for_page("one");
    }
    let unfinished =
        instance.query("SELECT id FROM paas_deployments WHERE status NOT IN ('succeeded', 'failed', 'cancelled')");
    assert_eq!(unfinished, Vec::<String>::new());
}

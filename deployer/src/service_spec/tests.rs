//! What the engine is told of an app.

use std::collections::BTreeMap;

use serde_json::Value;
use skypanel_core::model::{AppId, AppStatus, Money, OrganizationId, PlanId};

use super::*;

fn app() -> Application {
    Application {
        id: AppId::new(),
        organization_id: OrganizationId::new(),
        slug: "hello".parse().expect("a slug"),
        subdomain: "hello".to_owned(),
        git_branch: "main".to_owned(),
        buildpack: None,
        stack: "skypanel-12".to_owned(),
        status: AppStatus::Running,
        suspended_reason: None,
        plan_id: PlanId::new(),
        price_per_hour: Money::default(),
        health_check_path: None,
        health_target: skypanel_core::model::HealthTarget::default(),
        health: skypanel_core::model::HealthTimes::default(),
        current_deployment_id: None,
        config_version: 1,
        restart_count: 2,
        created_at: chrono::DateTime::UNIX_EPOCH,
    }
}

/// The specification of a process type, as the engine gets it.
fn spec(app: &Application, process: &str, command: &str, replicas: u32) -> Value {
    let plan = Plan {
        id: PlanId::new(),
        name: "small".to_owned(),
        cpu_cores: "0.25".parse().expect("a number"),
        ram_mb: 512,
        disk_gb: 10,
        max_replicas: 4,
        price_per_hour: Money::default(),
        features: BTreeMap::new(),
        position: 1,
    };
    let ground = Ground {
        installation: "ours",
        app,
        plan: &plan,
        deployment: DeploymentId(uuid::Uuid::nil()),
        version: ReleaseVersion(3),
        settings: &Settings::default(),
        image: "127.0.0.1:5100/hello@sha256:00",
        facts: &ImageFacts {
            user: "app".to_owned(),
            owner: Some((10001, 10001)),
            port: 8000,
            command: vec!["/server".to_owned(), "--fast".to_owned()],
        },
        secret: &ConfigSecret { id: "s3cr3t".to_owned(), name: "skypanel-hello-config-1-00000000".to_owned() },
        network: "n3tw0rk",
    };
    json!(service_spec(&ground, &process.parse().expect("a process type"), command, replicas))
}

#[test]
fn a_routed_process_drains_and_is_checked() {
    let spec = spec(&app(), "web", "gunicorn app:app", 2);
    let task = &spec["TaskTemplate"];
    let container = &task["ContainerSpec"];
    assert_eq!(spec["Name"], "skypanel-hello--web");
    assert_eq!(spec["EndpointSpec"]["Mode"], "dnsrr");
    assert_eq!(spec["Mode"]["Replicated"]["Replicas"], 2);
    assert_eq!(container["Command"], json!(["/.skypanel/init"]));
    assert_eq!(container["Args"], json!(["start", "--routed", "--type", "web", "--", "gunicorn app:app"]));
    assert_eq!(container["StopSignal"], "SIGTERM");
    assert_eq!(container["StopGracePeriod"], 13 * SECOND);
    assert_eq!(container["HealthCheck"]["Test"], json!(["CMD", "/.skypanel/init", "health"]));
    assert_eq!(container["HealthCheck"]["Timeout"], 70 * SECOND);
    assert_eq!(container["Labels"]["skypanel.port"], "8000");
    let environment = container["Env"].as_array().expect("a list");
    for variable in ["PORT=8000", "DYNO=web.{{.Task.Slot}}", "SKYPANEL_DRAIN_MS=3000", "SKYPANEL_HEALTH=auto"] {
        assert!(environment.contains(&json!(variable)), "{variable} in {environment:?}");
    }
    let update = &spec["UpdateConfig"];
    assert_eq!((&update["Order"], &update["FailureAction"]), (&json!("start-first"), &json!("rollback")));
}

#[test]
fn an_app_is_checked_as_it_has_chosen() {
    let mut chosen = app();
    chosen.health_check_path = Some("/up".to_owned());
    chosen.health = skypanel_core::model::HealthTimes {
        interval_seconds: Some(7),
        timeout_seconds: Some(2),
        retries: Some(9),
        start_seconds: None,
    };
    let spec = spec(&chosen, "web", "serve", 1);
    let container = &spec["TaskTemplate"]["ContainerSpec"];
    let environment = container["Env"].as_array().expect("a list");
    for variable in ["HEALTH=http:/up", "HEALTH_INTERVAL_MS=7000", "HEALTH_TIMEOUT_MS=2000", "HEALTH_START_MS=60000"] {
        assert!(environment.contains(&json!(format!("SKYPANEL_{variable}"))), "{variable} in {environment:?}");
    }
    assert_eq!(container["HealthCheck"]["Retries"], 9);
    chosen.health.start_seconds = Some(300);
    let patient = self::spec(&chosen, "web", "serve", 1);
    assert_eq!(patient["TaskTemplate"]["ContainerSpec"]["HealthCheck"]["Timeout"], 310 * SECOND);
    let label = "skypanel.fingerprint";
    assert_ne!(spec["Labels"][label], patient["Labels"][label], "what runs is replaced");
    assert!(!container["Env"].to_string().contains("HEALTH_PORT"), "what nobody chose is not passed on");
    chosen.health_target.port = Some(9090);
    chosen.health_target.expected_status = Some("200-204".parse().expect("is one"));
    let elsewhere = self::spec(&chosen, "web", "serve", 1);
    let environment = elsewhere["TaskTemplate"]["ContainerSpec"]["Env"].to_string();
    assert!(environment.contains("SKYPANEL_HEALTH_PORT=9090"), "{environment}");
    assert!(environment.contains("SKYPANEL_HEALTH_STATUS=200-204"), "{environment}");
    assert!(environment.contains("\"PORT=8000\""), "requests go where they did: {environment}");
}

#[test]
fn every_container_is_confined() {
    for (process, command) in [("web", "serve"), ("worker", "work"), ("web", "")] {
        let spec = spec(&app(), process, command, 1);
        let task = &spec["TaskTemplate"];
        let container = &task["ContainerSpec"];
        assert_eq!(container["User"], "app");
        assert_eq!(container["CapabilityDrop"], json!(["ALL"]));
        assert_eq!(container["CapabilityAdd"], Value::Null);
        assert_eq!(container["Mounts"], Value::Null);
        assert_eq!(
            task["Resources"]["Limits"],
            json!({ "NanoCPUs": 250_000_000, "MemoryBytes": 512 << 20, "Pids": 1024 })
        );
        assert_eq!(
            container["Secrets"][0]["File"],
            json!({ "Name": "skypanel-config", "UID": "10001", "GID": "10001", "Mode": 0o400 })
        );
        assert_eq!(task["ForceUpdate"], 2);
    }
}

#[test]
fn a_process_without_a_command_line_is_the_image_s_own() {
    let spec = spec(&app(), "web", "", 1);
    let arguments = &spec["TaskTemplate"]["ContainerSpec"]["Args"];
    assert_eq!(arguments, &json!(["start", "--routed", "--type", "web", "--exec", "--", "/server", "--fast"]));
}

#[test]
fn an_unrouted_process_has_neither_port_nor_check() {
    let spec = spec(&app(), "My_Worker", "work", 1);
    let container = &spec["TaskTemplate"]["ContainerSpec"];
    assert_eq!(spec["Name"], "skypanel-hello--my-worker");
    assert_eq!(container["HealthCheck"]["Test"], json!(["NONE"]));
    assert_eq!(container["Labels"]["skypanel.port"], Value::Null);
    assert_eq!(container["StopGracePeriod"], 10 * SECOND);
    let environment = container["Env"].to_string();
    assert!(!environment.contains("PORT="), "{environment}");
}

#[test]
fn the_fingerprint_is_of_what_tasks_are_made_of() {
    let fingerprint = |spec: &Value| {
        let label = &spec["Labels"]["skypanel.fingerprint"];
        assert_eq!(label, &spec["TaskTemplate"]["ContainerSpec"]["Labels"]["skypanel.fingerprint"]);
        label.as_str().expect("is there").to_owned()
    };
    let app = app();
    let first = fingerprint(&spec(&app, "web", "serve", 1));
    for _ in 0..20 {
        assert_eq!(fingerprint(&spec(&app, "web", "serve", 1)), first);
    }
    assert_eq!(fingerprint(&spec(&app, "web", "serve", 4)), first, "a scale starts no new tasks");
    assert_ne!(fingerprint(&spec(&app, "web", "serve --fast", 1)), first);
    let restarted = Application { restart_count: 3, ..app };
    assert_ne!(fingerprint(&spec(&restarted, "web", "serve", 1)), first);
}

#[test]
fn few_replicas_are_replaced_at_once_and_many_in_quarters() {
    let parallelism = |replicas| spec(&app(), "web", "serve", replicas)["UpdateConfig"]["Parallelism"].clone();
    assert_eq!([1, 3, 4, 10].map(parallelism), [json!(0), json!(0), json!(1), json!(3)]);
}

//! What the operator does on the host with `skypanel admin`: plans, organisations, passwords. And what it does to a
//! build when its cache is thrown away.

use std::collections::BTreeSet;
use std::time::Duration;

use skypanel_e2e::{App, Engine, Instance, SETTLE_LIMIT, User, until};

#[test]
fn a_larger_plan_has_more_replicas_and_memory() {
    let app = App::probe("plan");
    app.push().live();
    let admin = |arguments: &[&str]| app.instance.admin(&[["app:plan", &app.slug].as_slice(), arguments].concat());
    let memory =
        || Engine::service(&app.slug, "web")["Spec"]["TaskTemplate"]["Resources"]["Limits"]["MemoryBytes"].clone();
    let refused = app.command("ps:scale", &["web=2", "worker=1"]);
    refused.says(1, "or choose a larger plan");
    assert!(admin(&[]).success().out().lines().any(|line| line.starts_with("* hobby ")));
    admin(&["gold"]).says(1, "Plans are: hobby, standard, pro, business.");
    app.instance.admin(&["app:plan", "no-such-app", "pro"]).says(1, "There is no app");
    assert_eq!(memory(), 512 << 20);

    let load = app.load("/", 2, Duration::from_millis(20));
    admin(&["standard"]).says(0, "web: 1 running");
    assert_eq!(memory(), 1024 << 20);
    let served = load.stop();
    assert!(served.requests > 10 && served.failures.is_empty(), "{served:?}");
    admin(&["standard"]).says(0, "already");
    app.command("apps:info", &[]).says(0, "standard");

    app.command("ps:scale", &["web=2", "worker=1"]).says(0, "web: 2 running");
    let engine = Engine::of(&app.instance);
    until("what ran on the smaller plan has drained", SETTLE_LIMIT, || engine.tasks(&app.slug, "web").len() == 2);
    assert_eq!(engine.tasks(&app.slug, "worker").len(), 1);
    let mut answered = BTreeSet::new();
    until("both web processes answer", SETTLE_LIMIT, || {
        answered.insert(app.page("/env?name=DYNO"));
        answered.len() == 2
    });
    assert_eq!(answered, BTreeSet::from(["web.1".to_owned(), "web.2".to_owned()]));
    until("the worker works", SETTLE_LIMIT, || {
        app.command("logs", &["-p", "worker"]).success().out().contains("worker.1 turn")
    });
    let ps = app.command("ps", &[]).success().out();
    assert!(["web.1", "web.2", "worker.1"].iter().all(|process| ps.contains(&format!("{process}: running"))), "{ps}");

    admin(&["hobby"]).says(1, "Scale it down first");
    let _ = app.command("ps:scale", &["web=1"]).success();
    admin(&["hobby"]).says(0, "web: 1 running");
    assert_eq!(memory(), 512 << 20);
    assert_eq!(app.page("/"), "one");
}

#[test]
fn an_organisation_is_made_with_its_owner() {
    let app = App::empty("company");
    let (admin, company) = (|arguments: &[&str]| app.instance.admin(arguments), app.slug.as_str());
    let email = format!("{company}@e2e.test");
    let first = format!("{company}-1");
    let _ = admin(&["user:create", &email, "--org", &first, "--role", "owner"]).success();
    let user = User::stranger(&app.instance);
    let _ = admin(&["key:add", "--email", &email, &user.key().with_extension("pub").to_string_lossy()]).success();

    admin(&["org:create", "Not A Name"]).says(1, "Use up to 39 lower-case letters");
    admin(&["org:create", company, "--owner", "nobody@e2e.test"]).says(1, "nobody@e2e.test");
    admin(&["org:create", company, "--owner", &email]).says(0, &format!("The organisation {company} is there."));
    admin(&["org:create", company]).says(0, "is there");

    user.command(&format!("apps:create {company}")).says(1, "--org");
    user.command(&format!("apps:create {company} --org {company}")).says(0, "Created app");
    user.command("apps").says(0, "ORGANISATION");
    user.command(&format!("apps:info {company}")).says(0, company);
    app.user.command(&format!("apps:info {company}")).says(1, "There is no app");
    user.command(&format!("apps:destroy {company} --confirm {company}")).says(0, "Destroyed");
}

#[test]
fn a_password_is_made_anew_and_told_once() {
    let instance = Instance::attach();
    let email = format!("{}@e2e.test", App::empty("password").slug);
    let hash = || instance.query(&format!("SELECT password_hash FROM users WHERE email = '{email}'"));
    let password = |told: &str| told.trim().rsplit(' ').next().unwrap_or_default().to_owned();
    instance.admin(&["user:reset-password", &email]).says(1, &email);
    let first = password(&instance.admin(&["user:create", &email]).success().out());
    let before = hash();
    let told = instance.admin(&["user:reset-password", &email]).success().out();
    assert!(told.contains(&email) && told.contains("shown only now"), "{told}");
    let second = password(&told);
    assert!(second.len() >= 20 && second != first, "{told}");
    let after = hash();
    assert!(after.len() == 1 && after[0].starts_with("$argon2id$") && after != before, "{before:?} {after:?}");
    assert!(!String::from_utf8_lossy(&instance.log()).contains(&second), "a password is in the log");
}

#[test]
fn a_purged_cache_is_empty_at_the_next_build() {
    let app = App::probe("purge");
    app.repository.write(
        "bin/pre_compile",
        "#!/bin/sh\nif [ -e /tmp/cache/mark ]; then echo 'the cache is warm'; else echo 'the cache is cold'; fi\n\
         mkdir -p /tmp/cache && touch /tmp/cache/mark\n",
    );
    app.commit("Look into the cache");
    let push = || {
        app.commit("Once more");
        app.push().live()
    };
    let volumes = || {
        let label = format!("skypanel.app={}", app.slug);
        Engine::of(&app.instance).list("volume", &[&label, "skypanel.role=cache"])
    };
    assert!(push().contains("the cache is cold"));
    assert!(push().contains("the cache is warm"));
    assert_eq!(volumes().len(), 1);
    app.command("cache:purge", &[]).says(0, "The build cache is empty");
    assert!(volumes().is_empty(), "its volume is gone");
    assert!(push().contains("the cache is cold"));
    assert!(push().contains("the cache is warm"));
}

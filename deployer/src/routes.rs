//! The edge's routes as files: one per app, replaced as a whole. What a route says follows from the app's state
//! and its tasks alone, so the same state always gives the same bytes and an unchanged file is not written. The edge
//! reads all files at once, so it is told after all that changed together is written, and not of each file.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::SystemTime;

use serde_json::{Value, json};
use skypanel_core::model::{AppStatus, Sha256Digest};

use crate::certificate;

/// Names of the edge's entry points.
pub(crate) const HTTP: &str = "web";
pub(crate) const HTTPS: &str = "websecure";
/// The file for hosts that no app has.
pub(crate) const FALLBACK: &str = "fallback.yml";
/// A request with this header and the route's revision is answered by the edge itself, which tells that the edge
/// has taken that revision over.
pub(crate) const REVISION_HEADER: &str = "X-Skypanel-Route";
/// The revision of the fallback.
pub(crate) const FALLBACK_REVISION: &str = "fallback";
/// What the edge answers to such a request.
pub(crate) const REVISION_STATUS: u16 = 418;

/// What is served under an app's host name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Route {
    /// The app's slug.
    pub(crate) slug: String,
    /// The host name, such as `hello.localhost`.
    pub(crate) host: String,
    /// Where requests go.
    pub(crate) target: Target,
}

/// Where an app's requests go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// To its tasks.
    Tasks(BTreeSet<SocketAddr>),
    /// To a page of ours that says why there is nothing else.
    Page(&'static str),
}

impl Target {
    /// What a state and the healthy tasks give.
    pub(crate) fn of(status: AppStatus, tasks: BTreeSet<SocketAddr>) -> Self {
        match status {
            AppStatus::Suspended => Self::Page("suspended"),
            AppStatus::Stopped => Self::Page("stopped"),
            AppStatus::Failed if tasks.is_empty() => Self::Page("failed"),
            _ if tasks.is_empty() => Self::Page("starting"),
            _ => Self::Tasks(tasks),
        }
    }
}

/// What the agent has written: by app.
pub(crate) type RouteTable = BTreeMap<String, Written>;

/// One app's route as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Written {
    /// The host name it is for.
    pub(crate) host: String,
    /// Digest of its content.
    pub(crate) revision: String,
    /// Ids of the containers it sends requests to.
    pub(crate) containers: BTreeSet<String>,
    /// The fingerprint that all of them share, where the app's last rollout asked for that.
    pub(crate) favoured: Option<String>,
}

/// Content of an app's file, and its revision.
pub(crate) fn file(route: &Route, pages: &str) -> (Value, String) {
    let slug = &route.slug;
    let (service, middleware) = match &route.target {
        Target::Tasks(tasks) => {
            let servers: Vec<Value> = tasks.iter().map(|task| json!({ "url": format!("http://{task}") })).collect();
            // For a task that dies without warning: a request that could not be handed over goes to the next task.
            // Nothing was sent of it yet, so this is safe for every method.
            (json!({ "loadBalancer": { "servers": servers } }), json!({ "retry": { "attempts": 4 } }))
        }
        Target::Page(page) => {
            (page_service(pages), json!({ "replacePath": { "path": format!("/_edge/{page}/{slug}") } }))
        }
    };
    let rule = format!("Host(`{}`)", route.host);
    let revision = Sha256Digest::of(format!("{rule} {service} {middleware}").as_bytes()).hex()[..16].to_owned();
    // All files share one space of names. What tells an app's routers apart stands before the slug: behind it, it could
    // be the end of another app's.
    let name = format!("app-{slug}");
    let router = json!({ "rule": rule, "entryPoints": [HTTP], "middlewares": [name], "service": name });
    let mut secure = router.clone();
    secure["entryPoints"] = json!([HTTPS]);
    secure["tls"] = json!({});
    let probe = json!({
        "rule": format!("{rule} && Header(`{REVISION_HEADER}`, `{revision}`)"),
        "entryPoints": [HTTP],
        "service": "noop@internal",
    });
    let content = json!({ "http": {
        "routers": { &name: router, format!("tls-{slug}"): secure, format!("revision-{slug}"): probe },
        "middlewares": { &name: middleware },
        "services": { &name: service },
    }});
    (content, revision)
}

/// What answers where no app has the host, and the certificate for it. `mounted` is the edge's directory as the
/// edge sees it.
pub(crate) fn fallback(pages: &str, mounted: &Path) -> Value {
    let router = json!({
        "rule": "PathPrefix(`/`)", "priority": 1, "entryPoints": [HTTP], "middlewares": ["unknown"], "service": "unknown",
    });
    let mut secure = router.clone();
    secure["entryPoints"] = json!([HTTPS]);
    secure["tls"] = json!({});
    let probe = json!({
        "rule": format!("Header(`{REVISION_HEADER}`, `{FALLBACK_REVISION}`)"),
        "priority": 2,
        "entryPoints": [HTTP],
        "service": "noop@internal",
    });
    json!({
        "http": {
            "routers": { "unknown": router, "unknown_tls": secure, "unknown_revision": probe },
            "middlewares": { "unknown": { "replacePath": { "path": "/_edge/unknown" } } },
            "services": { "unknown": page_service(pages) },
        },
        "tls": { "stores": { "default": { "defaultCertificate": {
            "certFile": mounted.join(certificate::CERTIFICATE),
            "keyFile": mounted.join(certificate::KEY),
        }}}},
    })
}

fn page_service(pages: &str) -> Value {
    // An address to listen on is not always one to connect to.
    let pages = pages.replacen("0.0.0.0:", "127.0.0.1:", 1).replacen("[::]:", "127.0.0.1:", 1);
    json!({ "loadBalancer": { "servers": [{ "url": format!("http://{pages}") }] } })
}

/// Whether the text can stand in a route's rule as a host name.
pub(crate) fn is_host(text: &str) -> bool {
    (1..=253).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.')
}

/// Puts `bytes` at `path` in one step, by way of the directory `staging` on the same file system; answers whether
/// there was anything to change.
pub(crate) fn write_if_changed(staging: &Path, path: &Path, bytes: &[u8]) -> std::io::Result<bool> {
    if std::fs::read(path).is_ok_and(|present| present == bytes) {
        return Ok(false);
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let part = staging.join(format!("{name}.{}", uuid::Uuid::new_v4().simple()));
    let mut file = std::fs::OpenOptions::new().create_new(true).write(true).open(&part)?;
    // The edge has no right to pass over modes, and ours may come with a strict umask.
    file.set_permissions(std::fs::Permissions::from_mode(0o644))?;
    let renamed = file.write_all(bytes).and_then(|()| std::fs::rename(&part, path));
    if renamed.is_err() {
        // What is left is swept at the next start.
        let _ = std::fs::remove_file(&part);
    }
    renamed.map(|()| true)
}

/// Removes the files of apps that are not in `table`; answers whether there were any.
pub(crate) fn remove_others(dir: &Path, table: &RouteTable) -> std::io::Result<bool> {
    let mut removed = false;
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        if path.extension().is_some_and(|extension| extension == "yml") && !table.contains_key(stem) {
            std::fs::remove_file(path)?;
            removed = true;
        }
    }
    Ok(removed)
}

/// Tells the edge that files in this directory changed: a change of the directory's own time is one of what is in the
/// directory above it, which the edge watches.
pub(crate) fn tell(dir: &Path) -> std::io::Result<()> {
    std::fs::File::open(dir)?.set_modified(SystemTime::now())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGES: &str = "0.0.0.0:8080";

    fn route(target: Target) -> Route {
        Route { slug: "hello".to_owned(), host: "hello.localhost".to_owned(), target }
    }

    fn tasks(addresses: &[&str]) -> Target {
        Target::Tasks(addresses.iter().map(|address| address.parse().expect("an address")).collect())
    }

    #[test]
    fn a_route_leads_to_its_tasks_over_http_and_https() {
        let (content, revision) = file(&route(tasks(&["172.18.0.4:5000", "172.18.0.3:5000"])), PAGES);
        let http = &content["http"];
        assert_eq!(
            http["services"]["app-hello"]["loadBalancer"]["servers"],
            json!([{ "url": "http://172.18.0.3:5000" }, { "url": "http://172.18.0.4:5000" }])
        );
        let (plain, secure) = (&http["routers"]["app-hello"], &http["routers"]["tls-hello"]);
        for router in [plain, secure] {
            assert_eq!(router["rule"], "Host(`hello.localhost`)");
            assert_eq!(router["service"], "app-hello");
        }
        assert_eq!((&plain["entryPoints"], &secure["entryPoints"]), (&json!(["web"]), &json!(["websecure"])));
        assert_eq!((&plain["tls"], &secure["tls"]), (&Value::Null, &json!({})));
        assert_eq!(
            http["routers"]["revision-hello"]["rule"],
            format!("Host(`hello.localhost`) && Header(`X-Skypanel-Route`, `{revision}`)")
        );
    }

    #[test]
    fn the_revision_changes_with_what_is_served_and_only_then() {
        let revision = |target| file(&route(target), PAGES).1;
        assert_eq!(revision(tasks(&["172.18.0.3:1"])), revision(tasks(&["172.18.0.3:1"])));
        let all =
            [tasks(&["172.18.0.3:1"]), tasks(&["172.18.0.4:1"]), Target::Page("stopped"), Target::Page("starting")];
        let revisions: BTreeSet<String> = all.into_iter().map(revision).collect();
        assert_eq!(revisions.len(), 4);
    }

    #[test]
    fn an_app_without_tasks_shows_a_page() {
        let none = BTreeSet::new;
        let some = || BTreeSet::from(["172.18.0.3:1".parse().expect("an address")]);
        assert_eq!(Target::of(AppStatus::Running, some()), Target::Tasks(some()));
        assert_eq!(Target::of(AppStatus::Failed, some()), Target::Tasks(some()));
        assert_eq!(Target::of(AppStatus::Running, none()), Target::Page("starting"));
        assert_eq!(Target::of(AppStatus::Failed, none()), Target::Page("failed"));
        // Also while its tasks still drain.
        assert_eq!(Target::of(AppStatus::Stopped, some()), Target::Page("stopped"));
        assert_eq!(Target::of(AppStatus::Suspended, some()), Target::Page("suspended"));
        let (content, _) = file(&route(Target::Page("stopped")), PAGES);
        assert_eq!(content["http"]["middlewares"]["app-hello"]["replacePath"]["path"], "/_edge/stopped/hello");
        let servers = &content["http"]["services"]["app-hello"]["loadBalancer"]["servers"];
        assert_eq!(servers, &json!([{ "url": "http://127.0.0.1:8080" }]));
    }

    /// Names of one kind in a file's content.
    fn names(content: &Value, kind: &str) -> BTreeSet<String> {
        content["http"][kind].as_object().expect("is there").keys().cloned().collect()
    }

    fn assert_apart(one: &str, other: &str) {
        let [one_file, other_file] = [one, other].map(|slug| {
            let host = format!("{slug}.localhost");
            file(&Route { slug: slug.to_owned(), host, target: Target::Page("stopped") }, PAGES).0
        });
        let fallback = fallback(PAGES, Path::new("/etc"));
        for kind in ["routers", "middlewares", "services"] {
            let (ours, theirs) = (names(&one_file, kind), names(&other_file, kind));
            assert!(ours.is_disjoint(&theirs), "{one} and {other}: {ours:?}, {theirs:?}");
            assert!(ours.is_disjoint(&names(&fallback, kind)), "{one}: {ours:?}");
        }
    }

    #[test]
    fn no_app_takes_another_s_place() {
        for suffix in ["tls", "revision", "app"] {
            assert_apart("shop", &format!("shop-{suffix}"));
            assert_apart("shop", &format!("{suffix}-shop"));
        }
    }

    proptest::proptest! {
        #[test]
        fn no_two_apps_share_a_name(
            one in "[a-z]([a-z]|-(app|tls|revision))?", before in "(app-|tls-|revision-|unknown-)?",
            after in "(-app|-tls|-revision|-x)?",
        ) {
            let other = format!("{before}{one}{after}");
            if other != one {
                assert_apart(&one, &other);
            }
        }
    }

    #[test]
    fn a_file_of_an_earlier_version_is_replaced_or_removed() {
        let dir = tempfile::tempdir().expect("makes a directory");
        let (staging, routes) = (dir.path().join("staging"), dir.path().join("routes"));
        for made in [&staging, &routes] {
            std::fs::create_dir(made).expect("is made");
        }
        for old in ["hello.yml", "gone.yml"] {
            std::fs::write(routes.join(old), r#"{"http":{"routers":{"app-hello-tls":{}}}}"#).expect("writes");
        }
        // What the agent does with every app that there is.
        let (content, revision) = file(&route(Target::Page("starting")), PAGES);
        write_if_changed(&staging, &routes.join("hello.yml"), content.to_string().as_bytes()).expect("writes");
        let written =
            Written { host: "hello.localhost".to_owned(), revision, containers: BTreeSet::new(), favoured: None };
        let table = RouteTable::from([("hello".to_owned(), written)]);
        assert!(remove_others(&routes, &table).expect("removes"));
        assert!(!remove_others(&routes, &table).expect("finds nothing to remove"));
        let left: Vec<_> =
            std::fs::read_dir(&routes).expect("is there").map(|entry| entry.expect("reads").file_name()).collect();
        assert_eq!(left, ["hello.yml"]);
        let left = std::fs::read_to_string(routes.join("hello.yml")).expect("reads");
        assert!(left.contains("tls-hello") && !left.contains("app-hello-tls"), "{left}");
    }

    #[test]
    fn a_domain_cannot_break_out_of_a_rule() {
        assert!(is_host("hello.localhost") && is_host("a-b.example.com"));
        for bad in ["", "a`) || PathPrefix(`/", "a b", "a\n", "ä.example", &"a".repeat(254)] {
            assert!(!is_host(bad), "{bad}");
        }
    }

    #[test]
    fn files_change_in_one_step_and_only_where_they_differ() {
        let dir = tempfile::tempdir().expect("makes a directory");
        let (staging, routes) = (dir.path().join("staging"), dir.path().join("routes"));
        for made in [&staging, &routes] {
            std::fs::create_dir(made).expect("is made");
        }
        let path = routes.join("hello.yml");
        assert!(write_if_changed(&staging, &path, b"1").expect("writes"));
        assert!(!write_if_changed(&staging, &path, b"1").expect("finds it the same"));
        assert!(write_if_changed(&staging, &path, b"2").expect("writes"));
        assert_eq!(std::fs::read(&path).expect("is there"), b"2");
        let mode = std::fs::metadata(&path).expect("is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o644);
        assert_eq!(std::fs::read_dir(&staging).expect("is there").count(), 0);

        // What is no app's file is not ours to remove.
        std::fs::write(routes.join("notes.txt"), b"").expect("writes");
        assert!(remove_others(&routes, &RouteTable::new()).expect("removes"));
        let left: Vec<_> =
            std::fs::read_dir(&routes).expect("is there").map(|e| e.expect("reads").file_name()).collect();
        assert_eq!(left, ["notes.txt"]);
    }
}

//! The OpenAPI document held against what the running API does: `schemathesis` asks for every operation, with good and
//! with bad input, as an admin and as nobody. No answer may be a server's error, or another than the document says. Two processes
//! on one database take turns at its connections.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use skypanel_api::{Api, ApiOptions};
use skypanel_core::actions::Scope;
use skypanel_core::model::Role;
use tokio::process::Command;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use utoipa::openapi::PathItem;

use crate::proxy::Proxy;
use crate::serving::options;
use crate::things::{Things, things};
use crate::world::World;

/// Requests to generate for each operation beside those that cover its parameters one by one.
const EXAMPLES: &str = "12";
/// Longest that one run may take.
const TIME_LIMIT: Duration = Duration::from_secs(240);

/// Operations that are not asked for with a token.
const LEFT_OUT: [&str; 3] = ["revoke_used_token", "stream_logs", "stream_changes"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_admin_gets_what_the_document_says() {
    let world = world().await;
    let token = world.token("admin", Scope::Manage).await;
    hold(&world, Some(&token)).await;
    world.get("/api/me").token(&token).send().await.is(200);
    world.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stranger_gets_what_the_document_says() {
    let world = world().await;
    hold(&world, None).await;
    world.close().await;
}

/// A world in which the admin also has an organisation with an app.
async fn world() -> World {
    let world = World::new().await;
    world.store().set_member(world.acme.id, world.users["admin"].id, Role::Owner).await.expect("joins");
    world
}

/// Serves the API from two processes and runs the program against both.
async fn hold(world: &World, token: Option<&str>) {
    let directory = tempfile::tempdir().expect("makes a directory");
    let things = things(world).await;
    let options = ApiOptions { requests_per_minute: None, ..options() };
    let cancel = CancellationToken::new();
    let (mut addresses, mut running) = (Vec::new(), JoinSet::new());
    for actions in [world.actions.clone(), world.other_process().await] {
        let api = Api::bind(actions, options.clone()).await.expect("binds");
        addresses.push(api.addresses().expect("has addresses").0);
        running.spawn(api.run(cancel.clone()));
    }
    let proxy = Proxy::before(addresses).await;
    let configuration = directory.path().join("schemathesis.toml");
    std::fs::write(&configuration, configure(world, &things, token)).expect("writes");
    let mut command = Command::new(program());
    command
        .arg("--config-file")
        .arg(&configuration)
        .args(["run", &format!("http://{}/api/openapi.json", proxy.address)])
        .current_dir(directory.path())
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let output = tokio::time::timeout(TIME_LIMIT, command.output())
        .await
        .expect("ends in time")
        .expect("starts; infra/dev/tools.sh schemathesis fetches it");
    cancel.cancel();
    while let Some(ended) = running.join_next().await {
        ended.expect("does not panic").expect("stops well");
    }
    let given = proxy.given();
    assert!(given.iter().all(|count| *count > 10), "both were asked: {given:?}");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(!said.contains("Rate limited"), "the run is not one of refusals:\n{said}");
    let left_out = if token.is_some() { LEFT_OUT.len() } else { 0 };
    assert!(said.contains(&format!("Tested: {}\n", operations() - left_out)), "all are asked for:\n{said}");
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
}

fn operations() -> usize {
    let document = skypanel_api::openapi();
    let of =
        |item: &PathItem| [&item.get, &item.put, &item.post, &item.delete, &item.patch].into_iter().flatten().count();
    document.paths.paths.values().map(of).sum()
}

/// Where `infra/dev/tools.sh` puts it, or else on the path.
fn program() -> PathBuf {
    let fetched = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.work/tools/schemathesis");
    if fetched.exists() { fetched } else { PathBuf::from("schemathesis") }
}

fn configure(world: &World, things: &Things, token: Option<&str>) -> String {
    // Not the admin, who must not be locked out on the way.
    let users = ["owner", "developer", "viewer", "outsider", "loner"];
    let users = users.map(|name| format!("\"{}\"", world.users[name].id)).join(", ");
    // One of each of what the owner has; what is not the caller's is answered as the document says, too.
    let named = ["domain", "drain", "webhook", "delivery", "fingerprint", "user_code", "month", "plan"];
    let mut dictionaries = String::new();
    for name in named.into_iter().chain(["deployment"]) {
        write!(dictionaries, "\n[dictionaries.{name}]\nvalues = [\"{}\"]\n", things.get(name)).expect("is text");
    }
    let parameters: String =
        named.map(|name| format!("\"path.{name}\" = {{ dictionary = \"{name}\", probability = 0.8 }}\n")).concat();
    let keys = (0..2_000).map(|number| format!("\"key-{number}\"")).collect::<Vec<_>>().join(", ");
    let mut text = format!(
        r#"
seed = 1
color = false
continue-on-failure = true
max-stream-events = 3
request-timeout = 10
suppress-health-check = ["all"]

[generation]
max-examples = {EXAMPLES}
database = "none"
no-shrink = true

[phases.stateful]
enabled = false

[checks.positive_data_acceptance]
# A schema says the form of what is sent; whether it also keeps to the rules of the domain is answered with 422.
expected-statuses = ["2xx", "3xx", 401, 402, 403, 404, 409, 422, 429]

[[operations]]
include-operation-id = "poll_device_login"
# As OAuth's device flow has it: 400 for a code that is pending or has ended.
checks.positive_data_acceptance.expected-statuses = [200, 400, 403, 422, 429]

[parameters]
"path.app" = {{ dictionary = "apps", probability = 0.8 }}
"path.organization" = {{ dictionary = "organizations", probability = 0.8 }}
"path.user" = {{ dictionary = "users", probability = 0.8 }}
"path.deployment" = {{ dictionary = "deployment", probability = 0.8 }}
"path.id" = {{ dictionary = "deployment", probability = 0.3 }}
"path.key" = {{ dictionary = "vars", probability = 0.8 }}
{parameters}"header.Idempotency-Key" = {{ dictionary = "keys", probability = 0.9 }}

[dictionaries.apps]
values = ["shop"]

[dictionaries.organizations]
values = ["acme", "globex"]

[dictionaries.vars]
values = ["NAME"]

[dictionaries.keys]
values = [{keys}]

[dictionaries.users]
values = [{users}]
{dictionaries}"#
    );
    if let Some(token) = token {
        write!(text, "\n[auth.openapi.token]\nbearer = \"{token}\"\n").expect("is text");
        // The first ends the very token that the run goes by. The others go on for ever, and would each time be waited for
        // until the limit of a request: `logs` and `live` hold what they send against the document.
        for left_out in LEFT_OUT {
            write!(text, "\n[[operations]]\ninclude-operation-id = \"{left_out}\"\nenabled = false\n")
                .expect("is text");
        }
    }
    text
}

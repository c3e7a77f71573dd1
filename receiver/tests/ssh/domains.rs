//! Commands about domains, with a real name server.

use serde_json::json;

use crate::name_server::NameServer;
use crate::world::World;

#[tokio::test]
async fn a_domain_is_added_verified_and_removed() {
    let world = World::new().await;
    world.ssh("apps:create shop").await.ok();
    let dns = NameServer::start().await;
    for (key, value) in [("dns.resolver", dns.address.to_string()), ("apps.default_domain", "apps.test".to_owned())] {
        world.store().set_setting(key, &value).await.expect("is set");
    }
    world.ssh("domains -a shop").await.ok().says(&["Always: shop.apps.test"]).says_not("DOMAIN");
    let added = world.ssh("domains:add -a shop WWW.Example.com").await.ok();
    let id = world.app("shop").await.id;
    added.says(&[
        "-----> Added www.example.com",
        "_paas-verify.www.example.com",
        &format!("paas-verify={id}"),
        "CNAME",
        "shop.apps.test",
        "domains:verify -a shop www.example.com",
    ]);
    world.ssh("domains:add -a shop www.example.com --json").await.refused("CONFLICT");
    world.ssh("domains:add -a shop '*.example.com' --json").await.refused("INVALID_INPUT");

    let wrong = world.ssh("domains:verify -a shop www.example.com").await.failed();
    assert_eq!(wrong.status, Some(1));
    wrong.says(&["TXT record:", "no", "Status:", "pending", " !     "]);
    let wrong = world.ssh("domains:verify -a shop www.example.com --json").await.refused("CONFLICT").json();
    assert_eq!((&wrong["proven"], &wrong["domain"]["status"]), (&json!(false), &json!("pending")));

    dns.set_txt("_paas-verify.www.example.com", &format!("paas-verify={id}")).await;
    dns.set_alias("www.example.com", "shop.apps.test").await;
    world.ssh("domains:verify -a shop www.example.com").await.ok().says(&["yes", "active"]);
    world.ssh("domains -a shop").await.ok().says(&["DOMAIN", "www.example.com", "active"]);
    let listed = world.ssh("domains -a shop --json").await.ok().json();
    assert_eq!((&listed["default_domain"], &listed["https_redirect"]), (&json!("shop.apps.test"), &json!(true)));
    let domain = &listed["items"][0];
    assert_eq!((&domain["domain"], &domain["status"]), (&json!("www.example.com"), &json!("active")));
    assert_eq!(domain["verification"]["type"], "TXT");

    world.ssh("domains:redirect -a shop off").await.ok().says(&["-----> shop answers over plain HTTP, too"]);
    assert_eq!(world.ssh("domains -a shop --json").await.ok().json()["https_redirect"], false);
    let removed = world.ssh("domains:remove -a shop www.example.com --json").await.ok().json();
    assert_eq!(removed, json!({ "succeeded": true }));
    world.ssh("domains:remove -a shop www.example.com").await.failed();
    world.close().await;
}

//! Every action gets by with one connection to the database: whoever asks for a second one while holding the first
//! waits, when all do so at once, for ever.

use skypanel_core::actions::{
    AppSettings, ArchiveDeploy, ConfigChanges, Login, NewApp, OrganizationLimits, RepositoryChange, RepositoryDeploy,
    Scope, UserChange,
};
use skypanel_core::model::{Formation, LedgerKind, Month, NewLedgerEntry, OrganizationRef, Role, WebhookProvider};
use skypanel_core::store::AuditFilter;
use skypanel_core::webhook::{Call, sign_generic};
use skypanel_core::{Error, Result};

use crate::suspended::archive;
use crate::world::{PASSWORD, World, pushed};

/// Which calls failed, and how.
#[derive(Default)]
struct Failed(Vec<String>);

impl Failed {
    /// What a call answered, if it went well.
    fn check<T>(&mut self, call: &str, answer: Result<T>) -> Option<T> {
        answer.map_err(|error| self.0.push(format!("{call}: {error:?}"))).ok()
    }

    /// Notes a call that was refused for want of a connection, whatever it was to be refused for.
    fn refused<T>(&mut self, call: &str, answer: Result<T>) {
        match answer {
            Ok(_) => self.0.push(format!("{call}: not refused")),
            Err(Error::Database(error)) => self.0.push(format!("{call}: {error:?}")),
            Err(_) => {}
        }
    }

    fn end(self) {
        assert!(self.0.is_empty(), "{:#?}", self.0);
    }
}

/// Calls an action by its name.
macro_rules! call {
    ($failed:ident, $actions:ident.$name:ident($($argument:expr),* $(,)?)) => {
        $failed.check(stringify!($name), $actions.$name($($argument),*).await)
    };
}

#[tokio::test]
async fn apps_and_their_deployments() {
    let world = World::with_connections(1).await;
    let (actions, dev, shop) = (&world.actions, &world.developer, &world.shop);
    let mut failed = Failed::default();
    world.release(world.app.id).await;
    world.release(world.app.id).await;
    call!(failed, actions.rollback(dev, shop, None));
    call!(failed, actions.cancel_deployment(dev, shop, None));
    let waiting = pushed(world.app.id);
    call!(failed, actions.begin(dev, shop, &waiting));
    call!(failed, actions.deployments(dev, shop, None, 10));
    call!(failed, actions.deployment(dev, shop, waiting.id));
    call!(failed, actions.deployment_log(dev, shop, waiting.id));
    call!(failed, actions.operation(dev, waiting.id.into()));
    call!(failed, actions.cancel_deployment(dev, shop, Some(waiting.id)));
    let (file, description) = (archive(), Some("1.2".to_owned()));
    call!(failed, actions.deploy_from_archive(dev, shop, ArchiveDeploy { file, description, no_cache: false }));
    let set = "UPDATE paas_applications SET git_url = 'http://127.0.0.1:1/acme/shop.git', auto_deploy = true";
    sqlx::query(set).execute(world.pool()).await.expect("connects");
    call!(failed, actions.deploy_from_repository(dev, shop, RepositoryDeploy::default()));
    failed.refused("check_repository", actions.check_repository(dev, shop).await);
    let branch = RepositoryChange { git_branch: Some("next".to_owned()), ..RepositoryChange::default() };
    failed.refused("change_repository", actions.change_repository(dev, shop, branch).await);
    let token = RepositoryChange { report_status: Some(false), ..RepositoryChange::default() };
    call!(failed, actions.change_repository(dev, shop, token));
    call!(failed, actions.create_deploy_key(dev, shop));
    call!(failed, actions.repository(dev, shop));

    call!(failed, actions.stop(dev, shop));
    call!(failed, actions.start(dev, shop));
    call!(failed, actions.restart(dev, shop));
    let wanted: Formation = [("web".parse().expect("is a type"), 2)].into();
    for dry_run in [true, false] {
        call!(failed, actions.move_to_plan(dev, shop, "standard", dry_run));
    }
    for dry_run in [true, false] {
        call!(failed, actions.scale(dev, shop, &wanted, dry_run));
    }
    let mut changes = ConfigChanges::default();
    changes.set.insert("A".parse().expect("is a key"), b"b".to_vec().into());
    call!(failed, actions.change_config(dev, shop, &changes));
    call!(failed, actions.config(dev, shop));
    let settings = AppSettings { name: Some("Shop".to_owned()), ..AppSettings::default() };
    call!(failed, actions.edit_app(dev, shop, &settings));
    call!(failed, actions.app_view(dev, shop));
    call!(failed, actions.apps(dev, None, None, None, 10));
    let new = NewApp { plan: Some("standard".to_owned()), replicas: Some(2), ..NewApp::default() };
    let made = call!(failed, actions.create_app(dev, &new)).expect("is made").app;
    let made_ref = skypanel_core::model::AppRef::Id(made.id);
    call!(failed, actions.destroy_app(&world.owner, &made_ref, made.slug.as_str()));
    failed.end();
    world.close().await;
}

#[tokio::test]
async fn domains_and_webhooks() {
    let world = World::with_connections(1).await;
    let (actions, dev, shop) = (&world.actions, &world.developer, &world.shop);
    let mut failed = Failed::default();
    let set = "UPDATE paas_applications SET git_url = 'https://git.example.test/acme/shop.git', auto_deploy = true";
    sqlx::query(set).execute(world.pool()).await.expect("connects");
    let name = "www.example.com".parse().expect("is a domain");
    let domain = call!(failed, actions.add_domain(dev, shop, &name)).expect("is added").domain;
    let domain = skypanel_core::model::DomainRef::Id(domain.id);
    call!(failed, actions.domains(dev, shop));
    call!(failed, actions.set_https_redirect(dev, shop, false));
    call!(failed, actions.remove_domain(dev, shop, &domain));

    let made = call!(failed, actions.create_webhook(dev, shop, WebhookProvider::Generic)).expect("is made");
    let webhook = made.webhook;
    let secret = call!(failed, actions.rotate_webhook(dev, shop, webhook.id)).map_or(made.secret, |new| new.secret);
    let at = world.clock.now().timestamp();
    let body = br#"{"ref": "refs/heads/main"}"#;
    let headers: Vec<(String, String)> = [
        ("x-skypanel-event", "push".to_owned()),
        ("x-skypanel-delivery", "1".to_owned()),
        ("x-skypanel-timestamp", at.to_string()),
        ("x-skypanel-signature", sign_generic(secret.as_bytes(), at, body)),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    let call = Call { provider: WebhookProvider::Generic, headers: &headers, body };
    let received = call!(failed, actions.receive_webhook(&webhook.token, call, None, None));
    call!(failed, actions.webhooks(dev, shop));
    call!(failed, actions.webhook_deliveries(dev, shop, webhook.id, None, 10));
    if let Some(received) = received {
        assert!(received.delivery.deployment_id.is_some(), "{:?}", received.delivery);
        call!(failed, actions.replay_delivery(dev, shop, webhook.id, received.delivery.id));
    }
    call!(failed, actions.remove_webhook(dev, shop, webhook.id));
    failed.end();
    world.close().await;
}

#[tokio::test]
async fn organisations_money_and_the_platform() {
    let world = World::with_connections(1).await;
    let (actions, admin, owner, acme) = (&world.actions, &world.admin, &world.owner, world.organization());
    let mut failed = Failed::default();
    world.release(world.app.id).await;
    call!(failed, actions.create_organization(admin, "globex"));
    call!(failed, actions.set_app_creation(owner, &acme, false));
    call!(failed, actions.members(owner, &acme, None, 10));
    let developer = world.developer.user_id().expect("is a user");
    call!(failed, actions.set_role(owner, &acme, developer, Role::Viewer));
    call!(failed, actions.admin_organizations(admin, None, None, 10));
    let limits = OrganizationLimits { max_apps: Some(Some(9)), ..OrganizationLimits::default() };
    call!(failed, actions.limit_organization(admin, &acme, limits));
    call!(failed, actions.suspend_organization(admin, &acme, None));
    call!(failed, actions.resume_organization(admin, &acme));
    let new = NewLedgerEntry {
        kind: LedgerKind::TopUp,
        amount: "5".parse().expect("is an amount"),
        reference: Some("payment 5".to_owned()),
        note: None,
    };
    call!(failed, actions.move_money(admin, world.acme.id, new));
    call!(failed, actions.settle_usage_now(admin));
    call!(failed, actions.wallet(owner, &world.acme));
    call!(failed, actions.ledger(owner, world.acme.id, None, 10));
    call!(failed, actions.invoice(owner, &world.acme, Month::of(world.clock.now())));
    call!(failed, actions.invoices(owner, world.acme.id));
    let plan = actions.plans().await.expect("lists").remove(0);
    let named = skypanel_core::model::Plan { name: "tiny".to_owned(), ..plan };
    let made = call!(failed, actions.create_plan(admin, named)).expect("is made");
    call!(failed, actions.edit_plan(admin, made.clone()));
    call!(failed, actions.delete_plan(admin, made.id));
    let changes = [("releases.keep".to_owned(), Some("3".to_owned()))].into();
    call!(failed, actions.change_settings(admin, &changes));
    call!(failed, actions.settings(admin));
    call!(failed, actions.admin_users(admin, None, None, 10));
    let change = UserChange { disabled: Some(true), is_admin: None };
    call!(failed, actions.change_user(admin, developer, change));
    call!(failed, actions.audit_log(admin, &AuditFilter::default(), None, 10));
    call!(failed, actions.remove_member(owner, &acme, developer));
    let globex = OrganizationRef::Name("globex".parse().expect("is a name"));
    let apps = skypanel_core::actions::AppsGo::To(globex.clone());
    // What is in the wallet has to go first.
    let back = NewLedgerEntry {
        kind: LedgerKind::Adjustment,
        amount: "-5".parse().expect("is an amount"),
        reference: Some("2".to_owned()),
        note: Some("Paid back".to_owned()),
    };
    call!(failed, actions.move_money(admin, world.acme.id, back));
    call!(failed, actions.delete_organization(admin, &acme, "acme", &apps));
    call!(failed, actions.delete_organization(admin, &globex, "globex", &skypanel_core::actions::AppsGo::Away));
    failed.end();
    world.close().await;
}

#[tokio::test]
async fn people_and_how_they_come_in() {
    let world = World::with_connections(1).await;
    let (actions, owner, dev) = (&world.actions, &world.owner, &world.developer);
    let mut failed = Failed::default();
    let log_in = || Login {
        email: "dev@x.io",
        password: PASSWORD,
        code: None,
        user_agent: None,
        address: None,
        request_id: None,
    };
    failed.refused("log_in", actions.log_in(Login { password: "wrong", ..log_in() }).await);
    let open = call!(failed, actions.log_in(log_in())).expect("logs in");
    call!(failed, actions.identify_session(&open.token));
    let next = call!(failed, actions.refresh_session(open.refresh.as_str(), None, None)).expect("goes on");
    call!(failed, actions.sessions(dev));
    call!(failed, actions.log_out(next.refresh.as_str(), None, None));
    let open = call!(failed, actions.log_in(log_in())).expect("logs in");
    call!(failed, actions.end_session(dev, open.session.id));
    let stolen = call!(failed, actions.log_in(log_in())).expect("logs in");
    call!(failed, actions.refresh_session(stolen.refresh.as_str(), None, None));
    world.clock.advance(std::time::Duration::from_secs(3600));
    failed.refused("refresh_session", actions.refresh_session(stolen.refresh.as_str(), None, None).await);
    call!(failed, actions.log_out_everywhere(dev));
    call!(failed, actions.change_password(dev, PASSWORD, "another horse battery", None, true));

    call!(failed, actions.begin_second_factor(owner, PASSWORD));
    call!(failed, actions.second_factor(owner));
    failed.refused("confirm_second_factor", actions.confirm_second_factor(owner, "000000").await);
    failed.refused("remove_second_factor", actions.remove_second_factor(owner, PASSWORD, "000000").await);

    let (token, presented) = call!(failed, actions.create_token(dev, "ci", Scope::Deploy, None)).expect("is made");
    call!(failed, actions.by_token(presented.as_str(), None, None));
    call!(failed, actions.tokens(dev));
    call!(failed, actions.revoke_token(dev, token.id));
    let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl";
    let key = call!(failed, actions.add_ssh_key(dev, key, Some("laptop"))).expect("is added");
    call!(failed, actions.ssh_keys(dev));
    call!(failed, actions.remove_ssh_key(dev, &key.fingerprint));

    let acme = world.organization();
    let (taken_back, _) = call!(failed, actions.invite(owner, &acme, "a@x.io", Role::Viewer)).expect("invites");
    call!(failed, actions.take_back_invitation(owner, &acme, taken_back.id));
    let (_, invitation) = call!(failed, actions.invite(owner, &acme, "new@x.io", Role::Viewer)).expect("invites");
    call!(failed, actions.invitations(owner, &acme));
    call!(failed, actions.sign_up(invitation.as_str(), PASSWORD, None, None));
    let (_, invitation) = call!(failed, actions.invite(owner, &acme, "admin@x.io", Role::Viewer)).expect("invites");
    call!(failed, actions.accept_invitation(&world.admin, invitation.as_str()));

    let (login, device) = call!(failed, actions.begin_device_login("cli", Scope::Deploy, None)).expect("begins");
    call!(failed, actions.poll_device_login(device.as_str(), None, None));
    call!(failed, actions.device_login(dev, &login.user_code));
    call!(failed, actions.decide_device_login(dev, &login.user_code, true));
    world.clock.advance(std::time::Duration::from_secs(60));
    call!(failed, actions.poll_device_login(device.as_str(), None, None));
    call!(failed, actions.poll_device_login("unknown", None, None));
    call!(failed, actions.note_bad_token(None));
    failed.end();
    world.close().await;
}

//! Organisations, users, keys, and who may do what.

use skypanel_core::Error;
use skypanel_core::model::Role;
use skypanel_core::store::{Access, NewUser};

use crate::support::Database;
use crate::{World, identity, key, slug, user};

#[tokio::test]
async fn an_app_does_not_exist_for_outsiders_and_roles_limit_members() {
    let world = World::new().await;
    let store = world.store();
    let stranger = user(store, "stranger@example.com").await;
    let stranger = identity(store, &stranger).await;
    let viewer = world.member("viewer@example.com", Role::Viewer).await;
    let developer = world.member("developer@example.com", Role::Developer).await;
    let owner = world.member("owner@example.com", Role::Owner).await;
    let shop = slug("shop");

    for access in [Access::Read, Access::Change, Access::Own] {
        let hidden = store.app_for(&stranger, &shop, access).await.expect_err("is hidden");
        let absent = store.app_for(&stranger, &slug("absent"), access).await.expect_err("is absent");
        assert!(matches!(hidden, Error::NotFound(_)));
        // Not even by its wording may an outsider tell them apart.
        assert_eq!(hidden.to_string().replace("shop", "absent"), absent.to_string());
    }
    for (caller, allowed) in [(&viewer, 1), (&developer, 2), (&owner, 3)] {
        for (index, access) in [Access::Read, Access::Change, Access::Own].into_iter().enumerate() {
            let outcome = store.app_for(caller, &shop, access).await;
            match outcome {
                Ok(app) => assert!(index < allowed && app.id == world.app.id),
                Err(error) => assert!(index >= allowed && matches!(error, Error::Forbidden(_)), "{error}"),
            }
        }
    }
    world.database.close().await;
}

#[tokio::test]
async fn an_admin_may_do_everything_and_an_app_being_destroyed_only_be_looked_at() {
    let world = World::new().await;
    let store = world.store();
    let new = NewUser { email: "admin@example.com", password: "correct horse battery", is_admin: true };
    assert!(!store.has_admin().await.expect("answers"));
    let admin = store.create_user(new).await.expect("makes it");
    assert!(store.has_admin().await.expect("answers"));
    let admin = identity(store, &admin).await;
    store.app_for(&admin, &slug("shop"), Access::Own).await.expect("may");
    let deleting = skypanel_core::model::AppStatus::Deleting;
    store.set_app_status(world.app.id, deleting).await.expect("sets");
    store.app_for(&admin, &slug("shop"), Access::Read).await.expect("may look");
    let error = store.app_for(&admin, &slug("shop"), Access::Change).await.expect_err("is being destroyed");
    assert!(matches!(error, Error::Conflict(_)));
    // Nothing brings it back.
    store.set_app_status(world.app.id, skypanel_core::model::AppStatus::Running).await.expect("is ignored");
    assert_eq!(store.app(world.app.id).await.expect("is there").status, deleting);
    world.database.close().await;
}

#[tokio::test]
async fn organisations_are_made_once_and_only_with_proper_names() {
    let database = Database::new().await;
    let store = database.store();
    let first = store.ensure_organization("acme").await.expect("makes it");
    assert_eq!(store.ensure_organization("acme").await.expect("finds it").id, first.id);
    for bad in ["", "-a", "Acme", "a b", "a\n", &"a".repeat(40)] {
        let error = store.ensure_organization(bad).await.expect_err("is no name");
        assert!(matches!(error, Error::Invalid(_)), "{bad:?}: {error}");
    }
    assert!(matches!(store.organization("nobody").await, Err(Error::NotFound(_))));
    database.close().await;
}

#[tokio::test]
async fn users_are_unique_whatever_the_case_and_their_passwords_are_hashed() {
    let database = Database::new().await;
    let store = database.store();
    let made = user(store, "Ann@example.com").await;
    assert_eq!(store.user("ann@EXAMPLE.com").await.expect("is found").id, made.id);
    let again = NewUser { email: "ANN@example.com", password: "correct horse battery", is_admin: false };
    assert!(matches!(store.create_user(again).await, Err(Error::Conflict(_))));
    for email in ["", "no-at", "a b@example.com", "a@b\n", &format!("{}@x", "a".repeat(254))] {
        let new = NewUser { email, password: "correct horse battery", is_admin: false };
        assert!(matches!(store.create_user(new).await, Err(Error::Invalid(_))), "{email:?}");
    }
    let short = NewUser { email: "bob@example.com", password: "elevenchars", is_admin: false };
    assert!(matches!(store.create_user(short).await, Err(Error::InvalidFields(_))));
    let hash = |pool: sqlx::PgPool| async move {
        let (hash,): (String,) = sqlx::query_as("SELECT password_hash FROM users").fetch_one(&pool).await.expect("one");
        hash
    };
    let before = hash(database.pool().clone()).await;
    assert!(before.starts_with("$argon2id$") && !before.contains("correct"), "{before}");
    store.reset_password("ann@example.com", "another long password").await.expect("resets");
    assert_ne!(hash(database.pool().clone()).await, before);
    assert!(store.reset_password("nobody@example.com", "another long password").await.is_err());
    database.close().await;
}

#[tokio::test]
async fn a_key_belongs_to_one_person_and_tells_who_they_are() {
    let world = World::new().await;
    let store = world.store();
    let ann = user(store, "ann@example.com").await;
    let bob = user(store, "bob@example.com").await;
    let laptop = key("laptop");
    assert!(!store.knows_key(&laptop.fingerprint).await.expect("answers"));
    assert!(store.identify(&laptop.fingerprint).await.expect("answers").is_none());
    store.add_ssh_key(ann.id, &laptop).await.expect("adds");
    store.add_ssh_key(ann.id, &laptop).await.expect("twice is fine");
    assert!(matches!(store.add_ssh_key(bob.id, &laptop).await, Err(Error::Conflict(_))));
    assert!(store.knows_key(&laptop.fingerprint).await.expect("answers"));
    assert!(store.ssh_keys(ann.id).await.expect("lists")[0].last_used_at.is_none());
    store.set_member(world.organization.id, ann.id, Role::Viewer).await.expect("joins");
    store.set_member(world.organization.id, ann.id, Role::Owner).await.expect("rises");
    let found = store.identify(&laptop.fingerprint).await.expect("answers").expect("is known");
    assert_eq!(found.user.id, ann.id);
    let memberships: Vec<_> = found.memberships.iter().map(|(org, role)| (org.name.as_str(), *role)).collect();
    assert_eq!(memberships, [("acme", Role::Owner)]);
    assert!(store.ssh_keys(ann.id).await.expect("lists")[0].last_used_at.is_some());
    assert!(store.ssh_keys(bob.id).await.expect("lists").is_empty());
    world.database.close().await;
}

#[tokio::test]
async fn a_new_app_goes_to_the_only_organisation_or_the_one_named() {
    let world = World::new().await;
    let store = world.store();
    let other = store.ensure_organization("other").await.expect("makes it");
    let viewed = store.ensure_organization("viewed").await.expect("makes it");
    let ann = world.member("ann@example.com", Role::Developer).await;
    store.set_member(viewed.id, ann.user.id, Role::Viewer).await.expect("joins");
    let again = || async { identity(store, &ann.user).await };
    let caller = again().await;
    assert_eq!(store.organization_for_new_app(&caller, None).expect("is the only one").name, "acme");
    assert!(matches!(store.organization_for_new_app(&caller, Some("viewed")), Err(Error::Forbidden(_))));
    assert!(matches!(store.organization_for_new_app(&caller, Some("nobody")), Err(Error::Forbidden(_))));
    store.set_member(other.id, ann.user.id, Role::Owner).await.expect("joins");
    let caller = again().await;
    let error = store.organization_for_new_app(&caller, None).expect_err("must be named").to_string();
    assert!(error.contains("acme") && error.contains("other") && !error.contains("viewed"), "{error}");
    assert_eq!(store.organization_for_new_app(&caller, Some("other")).expect("is named").id, other.id);
    world.database.close().await;
}

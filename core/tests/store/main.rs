//! The Postgres store against a real server: rules that only hold if SQL and code agree.

mod apps;
mod config_vars;
mod deployments;
mod limits;
mod settings;
mod sources;
#[path = "../support/mod.rs"]
mod support;
mod tenancy;

use skypanel_core::model::{Application, DeploymentId, NewDeployment, Organization, Role, Trigger, User};
use skypanel_core::store::{Identity, NewUser, Store};
use support::Database;

/// A database with the organisation `acme` and its app `shop`.
struct World {
    database: Database,
    organization: Organization,
    app: Application,
}

impl World {
    async fn new() -> Self {
        let database = Database::new().await;
        let organization = database.store().ensure_organization("acme").await.expect("makes it");
        let app = database.store().create_app(&slug("shop"), &organization).await.expect("makes it");
        Self { database, organization, app }
    }

    fn store(&self) -> &Store {
        self.database.store()
    }

    async fn member(&self, email: &str, role: Role) -> Identity {
        let user = user(self.store(), email).await;
        self.store().set_member(self.organization.id, user.id, role).await.expect("joins");
        identity(self.store(), &user).await
    }

    async fn deployment(&self) -> DeploymentId {
        deployment(self.store(), &self.app).await
    }
}

async fn user(store: &Store, email: &str) -> User {
    let new = NewUser { email, password: "correct horse battery", is_admin: false };
    store.create_user(new).await.expect("makes a user")
}

/// As a connection with one of their keys would find them.
async fn identity(store: &Store, user: &User) -> Identity {
    let key = key(&user.email);
    store.add_ssh_key(user.id, &key).await.expect("adds a key");
    store.identify(&key.fingerprint).await.expect("answers").expect("is known")
}

fn key(name: &str) -> skypanel_core::model::SshKey {
    skypanel_core::model::SshKey {
        fingerprint: format!("SHA256:{name}"),
        public_key: format!("ssh-ed25519 {name}"),
        name: name.to_owned(),
        last_used_at: None,
    }
}

async fn deployment(store: &Store, app: &Application) -> DeploymentId {
    let id = DeploymentId::new();
    let new = NewDeployment {
        id,
        application_id: app.id,
        trigger: Trigger::Push,
        git_branch: Some("main".to_owned()),
        git_commit: Some("0".repeat(40)),
        git_message: None,
        git_author: None,
        no_cache: false,
        description: "Deploy 0000000".to_owned(),
        parent_id: None,
        created_by: None,
    };
    store.create_deployment(&new).await.expect("makes a deployment");
    id
}

fn slug(text: &str) -> skypanel_core::model::AppSlug {
    text.parse().expect("is a slug")
}

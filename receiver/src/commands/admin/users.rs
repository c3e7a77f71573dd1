//! Users as admins see them.

use clap::Args;
use serde_json::{Value, json};
use skypanel_core::Error;
use skypanel_core::actions::UserChange;
use skypanel_core::store::AdminUser;

use crate::commands::context::{Context, Failure};
use crate::commands::shown::Switch;
use crate::commands::table::{plain, time};

/// Arguments of `admin:users`.
#[derive(Args, Debug)]
pub(crate) struct ListArguments {
    /// Only those with this in their e-mail address
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,
}

/// Arguments of `admin:users:edit`. What is not given stays as it is.
#[derive(Args, Debug)]
pub(crate) struct EditArguments {
    /// Their e-mail address
    email: String,
    /// Whether they administer the platform
    #[arg(long)]
    admin: Option<Switch>,
    /// Whether they are locked out: their sessions end, and their tokens and keys are refused
    #[arg(long)]
    locked: Option<Switch>,
}

pub(super) async fn list(context: &Context, arguments: &ListArguments) -> Result<u32, Failure> {
    let users = find(context, arguments.search.as_deref()).await?;
    let rows = users.iter().map(|user| {
        let names = user.organizations.as_array().into_iter().flatten();
        let names: Vec<String> =
            names.filter_map(|organization| Some(plain(organization.get("name")?.as_str()?))).collect();
        let row = vec![
            plain(&user.email),
            if user.is_admin { "admin" } else { "" }.to_owned(),
            user.disabled_at.map_or_else(String::new, |at| format!("since {}", time(at))),
            names.join(" "),
        ];
        (item(user), row)
    });
    context.list(&["E-MAIL", "ADMIN", "LOCKED OUT", "ORGANISATIONS"], "There are no users.", rows).await
}

pub(super) async fn edit(context: &Context, arguments: &EditArguments) -> Result<u32, Failure> {
    let user = named(context, &arguments.email).await?;
    let change =
        UserChange { is_admin: arguments.admin.map(Switch::is_on), disabled: arguments.locked.map(Switch::is_on) };
    let user = context.actions().change_user(context.actor(), user.id, change).await?;
    let text = format!(
        "-----> {} is {}, and {}",
        plain(&user.email),
        if user.is_admin { "an admin of the platform" } else { "no admin of the platform" },
        if user.disabled_at.is_some() { "locked out" } else { "not locked out" }
    );
    context.tell(item(&user), text).await
}

/// The user with that e-mail address.
pub(super) async fn named(context: &Context, email: &str) -> Result<AdminUser, Failure> {
    let users = find(context, Some(email)).await?;
    let found = users.into_iter().find(|user| user.email.eq_ignore_ascii_case(email));
    found.ok_or_else(|| Error::NotFound("There is no user with that e-mail address.".to_owned()).into())
}

async fn find(context: &Context, search: Option<&str>) -> Result<Vec<AdminUser>, Failure> {
    Ok(context.actions().admin_users(context.actor(), search, None, i64::from(u32::MAX)).await?)
}

fn item(user: &AdminUser) -> Value {
    json!({
        "id": user.id,
        "email": user.email,
        "is_admin": user.is_admin,
        "disabled_at": user.disabled_at,
        "has_second_factor": user.has_second_factor,
        "last_login_at": user.last_login_at,
        "created_at": user.created_at,
        "organizations": user.organizations,
    })
}

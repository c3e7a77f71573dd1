//! `domains` and its actions: an app's own names.

use std::fmt::Write as _;

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use skypanel_core::Error;
use skypanel_core::actions::DomainView;
use skypanel_core::model::{CertificateStatus, DnsRecord, DomainStatus};

use crate::commands::context::{AppChoice, Context, Failure};
use crate::commands::shown::Switch;
use crate::commands::table::{pairs, table, time};

/// What can be done with domains.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List an app's domains, with their certificates
    #[command(name = "domains")]
    List(ListArguments),
    /// Add a domain of your own to an app
    #[command(name = "domains:add")]
    Add(AddArguments),
    /// Send plain HTTP on an app's own domains on to HTTPS, or not
    #[command(name = "domains:redirect")]
    Redirect(RedirectArguments),
    /// Remove a domain from an app
    #[command(name = "domains:remove")]
    Remove(RemoveArguments),
    /// Look now whether a domain's records are right
    #[command(name = "domains:verify")]
    Verify(VerifyArguments),
}

/// Arguments of `domains`.
#[derive(Args, Debug)]
pub(crate) struct ListArguments {
    #[command(flatten)]
    choice: AppChoice,
}

/// Arguments of `domains:add`.
#[derive(Args, Debug)]
pub(crate) struct AddArguments {
    #[command(flatten)]
    choice: AppChoice,
    /// Such as www.example.com
    domain: String,
}

/// Arguments of `domains:remove`.
#[derive(Args, Debug)]
pub(crate) struct RemoveArguments {
    #[command(flatten)]
    choice: AppChoice,
    /// The domain
    domain: String,
}

/// Arguments of `domains:verify`.
#[derive(Args, Debug)]
pub(crate) struct VerifyArguments {
    #[command(flatten)]
    choice: AppChoice,
    /// The domain
    domain: String,
}

/// Arguments of `domains:redirect`.
#[derive(Args, Debug)]
pub(crate) struct RedirectArguments {
    #[command(flatten)]
    choice: AppChoice,
    /// Whether plain HTTP on the app's own domains is sent on to HTTPS
    redirect: Switch,
}

pub(crate) async fn run(context: &Context, command: &Command) -> Result<u32, Failure> {
    match command {
        Command::List(arguments) => list(context, arguments).await,
        Command::Add(arguments) => add(context, arguments).await,
        Command::Redirect(arguments) => redirect(context, arguments).await,
        Command::Remove(arguments) => remove(context, arguments).await,
        Command::Verify(arguments) => verify(context, arguments).await,
    }
}

async fn list(context: &Context, arguments: &ListArguments) -> Result<u32, Failure> {
    let app = arguments.choice.named()?;
    let domains = context.actions().domains(context.actor(), &app).await?;
    let rows: Vec<Vec<String>> = domains
        .custom
        .iter()
        .map(|view| {
            let domain = &view.domain;
            let checked = domain.checked_at.map_or_else(|| "not yet".to_owned(), time);
            vec![domain.domain.for_people(), domain.status.to_string(), certificate(view), checked]
        })
        .collect();
    let mut text = format!("Always: {}\n", domains.default);
    if !rows.is_empty() {
        text.push('\n');
        text.push_str(&table(&["DOMAIN", "STATUS", "CERTIFICATE", "CHECKED"], &rows));
        for view in &domains.custom {
            for problem in [&view.domain.problem, &view.domain.ssl_problem].into_iter().flatten() {
                let _ = write!(text, "\n{}: {problem}\n", view.domain.domain.for_people());
            }
            if let Some(at) = view.demoted_at {
                let _ = writeln!(text, "It is routed until {}, and no more then if this is not mended.", time(at));
            }
        }
    }
    let json = json!({
        "default_domain": domains.default,
        "https_redirect": domains.https_redirect,
        "items": domains.custom.iter().map(item).collect::<Vec<_>>(),
        "next_cursor": null,
    });
    context.tell(json, text).await
}

async fn add(context: &Context, arguments: &AddArguments) -> Result<u32, Failure> {
    let app = arguments.choice.named()?;
    let added = context.actions().add_domain(context.actor(), &app, &arguments.domain.parse()?).await?;
    let name = added.domain.domain.for_people();
    let mut text = format!("-----> Added {name}\n       Put this into the DNS of its zone:\n\n");
    let rows: Vec<Vec<String>> = std::iter::once(&added.instructions.proof)
        .chain(&added.instructions.routing)
        .map(|DnsRecord { kind, name, value }| vec![(*kind).to_owned(), name.clone(), value.clone()])
        .collect();
    for line in table(&["TYPE", "NAME", "VALUE"], &rows).lines() {
        let _ = writeln!(text, "       {line}");
    }
    let _ = write!(
        text,
        "\n       It is looked up by itself for a week. To have it looked up now: {}\n",
        context.shared.hint(&format!("domains:verify -a {app} {}", added.domain.domain))
    );
    context.tell(item(&added), text).await
}

async fn remove(context: &Context, arguments: &RemoveArguments) -> Result<u32, Failure> {
    let app = arguments.choice.named()?;
    let removed = context.actions().remove_domain(context.actor(), &app, &arguments.domain.parse()?).await?;
    context.done(format!("-----> Removed {}", removed.domain.for_people())).await
}

async fn verify(context: &Context, arguments: &VerifyArguments) -> Result<u32, Failure> {
    let app = arguments.choice.named()?;
    let (view, checked) = context.actions().verify_domain(context.actor(), &app, &arguments.domain.parse()?).await?;
    let yes = |is: bool| if is { "yes" } else { "no" }.to_owned();
    let shown = [
        ("TXT record", yes(checked.proven)),
        ("Leads here", yes(checked.leads_here)),
        ("Status", view.domain.status.to_string()),
        ("Certificate", certificate(&view)),
    ];
    let json = json!({ "domain": item(&view), "proven": checked.proven, "leads_here": checked.leads_here });
    context.tell(json, pairs(&shown)).await?;
    let Some(problem) = checked.problem else { return Ok(0) };
    let mut text = problem;
    if let Some(at) = view.demoted_at {
        let _ = write!(text, "\nIt is routed until {}, and no more then if this is not mended.", time(at));
    }
    Err(Error::Conflict(text).into())
}

async fn redirect(context: &Context, arguments: &RedirectArguments) -> Result<u32, Failure> {
    let app = arguments.choice.named()?;
    let on = arguments.redirect.is_on();
    context.actions().set_https_redirect(context.actor(), &app, on).await?;
    let how = if on { "redirects to HTTPS where there is a certificate" } else { "answers over plain HTTP, too" };
    context.done(format!("-----> {app} {how}")).await
}

/// A domain as programs read it.
fn item(view: &DomainView) -> Value {
    let domain = &view.domain;
    json!({
        "id": domain.id,
        "domain": domain.domain,
        "display_name": domain.domain.for_people(),
        "status": domain.status,
        "problem": domain.problem,
        "verification": record(&view.instructions.proof),
        "routing": view.instructions.routing.iter().map(record).collect::<Vec<_>>(),
        "checked_at": domain.checked_at,
        "next_check_at": domain.next_check_at,
        "dns_validated_at": domain.dns_validated_at,
        "demoted_at": view.demoted_at,
        "ssl_status": domain.ssl_status,
        "ssl_issuer": domain.ssl_issuer,
        "ssl_cert_expires_at": domain.ssl_cert_expires_at,
        "ssl_problem": domain.ssl_problem,
        "created_at": domain.created_at,
    })
}

fn record(record: &DnsRecord) -> Value {
    json!({ "type": record.kind, "name": record.name, "value": record.value })
}

/// The certificate in a few words.
fn certificate(view: &DomainView) -> String {
    let domain = &view.domain;
    match (domain.ssl_status, domain.ssl_cert_expires_at) {
        _ if domain.status != DomainStatus::Active => "-".to_owned(),
        (CertificateStatus::Active, Some(at)) => {
            format!("until {}, {}", at.format("%Y-%m-%d"), domain.ssl_issuer.as_deref().unwrap_or("unknown issuer"))
        }
        (status, _) => status.to_string(),
    }
}

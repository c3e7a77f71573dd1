//! `domains`, `domains:add`, `domains:remove`, `domains:verify`, `domains:redirect`.

use std::fmt::Write as _;

use clap::{Args, ValueEnum};
use skypanel_core::actions::DomainView;
use skypanel_core::model::{AppRef, CertificateStatus, DnsRecord, DomainStatus};
use skypanel_core::store::Access;

use crate::commands::context::{AppChoice, Context, Failure};
use crate::commands::table::{pairs, table, time};

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

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Switch {
    On,
    Off,
}

pub(crate) async fn list(context: &Context, arguments: &ListArguments) -> Result<u32, Failure> {
    let app = chosen(context, &arguments.choice, Access::Read).await?;
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
    context.output.text(text).await?;
    Ok(0)
}

pub(crate) async fn add(context: &Context, arguments: &AddArguments) -> Result<u32, Failure> {
    let app = chosen(context, &arguments.choice, Access::Change).await?;
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
    context.output.text(text).await?;
    Ok(0)
}

pub(crate) async fn remove(context: &Context, arguments: &RemoveArguments) -> Result<u32, Failure> {
    let app = chosen(context, &arguments.choice, Access::Change).await?;
    let removed = context.actions().remove_domain(context.actor(), &app, &arguments.domain.parse()?).await?;
    context.output.line(&format!("-----> Removed {}", removed.domain.for_people())).await?;
    Ok(0)
}

pub(crate) async fn verify(context: &Context, arguments: &VerifyArguments) -> Result<u32, Failure> {
    let app = chosen(context, &arguments.choice, Access::Change).await?;
    let (view, checked) = context.actions().verify_domain(context.actor(), &app, &arguments.domain.parse()?).await?;
    let yes = |is: bool| if is { "yes" } else { "no" }.to_owned();
    let shown = [
        ("TXT record", yes(checked.proven)),
        ("Leads here", yes(checked.leads_here)),
        ("Status", view.domain.status.to_string()),
        ("Certificate", certificate(&view)),
    ];
    context.output.text(pairs(&shown)).await?;
    let Some(problem) = checked.problem else { return Ok(0) };
    let mut text = problem;
    if let Some(at) = view.demoted_at {
        let _ = write!(text, "\nIt is routed until {}, and no more then if this is not mended.", time(at));
    }
    context.output.error(&text).await?;
    Ok(1)
}

pub(crate) async fn redirect(context: &Context, arguments: &RedirectArguments) -> Result<u32, Failure> {
    let app = chosen(context, &arguments.choice, Access::Change).await?;
    let on = arguments.redirect == Switch::On;
    context.actions().set_https_redirect(context.actor(), &app, on).await?;
    let how = if on { "redirects to HTTPS where there is a certificate" } else { "answers over plain HTTP, too" };
    context.output.line(&format!("-----> {app} {how}")).await?;
    Ok(0)
}

async fn chosen(context: &Context, choice: &AppChoice, access: Access) -> Result<AppRef, Failure> {
    Ok(AppRef::Slug(context.app(choice, access).await?.slug))
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

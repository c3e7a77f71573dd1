//! Custom domains: added with instructions, verified, removed.

use std::net::IpAddr;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use sqlx::PgConnection;

use super::{Actions, Actor};
use crate::dns::{Checked, Destination, Resolver};
use crate::model::{
    AppRef, Application, Domain, DomainId, DomainInstructions, DomainName, DomainRef, DomainStatus, OrganizationId,
};
use crate::settings::Settings;
use crate::store::{Access, AuditEntry, Store, audit, domains, events};
use crate::{Error, Result};

/// From adding a domain to its first check: records are often there a minute later.
const FIRST_CHECK: TimeDelta = TimeDelta::minutes(1);

/// A domain with what its people have to put into their DNS.
#[derive(Clone, Debug)]
pub struct DomainView {
    /// The domain.
    pub domain: Domain,
    /// The records it needs.
    pub instructions: DomainInstructions,
    /// When routing ends if nothing changes.
    pub demoted_at: Option<DateTime<Utc>>,
}

/// An app's domains.
#[derive(Clone, Debug)]
pub struct Domains {
    /// The name under the platform's domain, which the app has always.
    pub default: String,
    /// Its own ones, by name.
    pub custom: Vec<DomainView>,
    /// Whether plain HTTP on its own domains is sent on to HTTPS, once there is a certificate.
    pub https_redirect: bool,
}

impl Actions {
    /// An app's domains.
    pub async fn domains(&self, actor: &Actor, app: &AppRef) -> Result<Domains> {
        let app = self.app_of(actor, app, Access::Read).await?;
        let settings = self.store.settings().await?;
        let custom = self.store.domains(app.id).await?;
        // Only an apex is told addresses.
        let addresses = if custom.iter().any(|domain| domain.domain.is_apex()) {
            told_addresses(&settings, &app).await
        } else {
            Vec::new()
        };
        let custom = custom.into_iter().map(|domain| view(domain, &app, &settings, &addresses)).collect();
        let https_redirect = self.store.https_redirect(app.id).await?;
        Ok(Domains { default: target(&settings, &app), custom, https_redirect })
    }

    /// Adds a domain to an app. It is routed once its people have proven that it is theirs, and it leads here.
    ///
    /// Refused: what cannot be anybody's own domain, the platform's own names, and domains active for another app.
    pub async fn add_domain(&self, actor: &Actor, app: &AppRef, domain: &DomainName) -> Result<DomainView> {
        let settings = self.store.settings().await?;
        let mut change = self.change(actor, app, Access::Change).await?;
        if is_reserved(domain, &settings, &self.store) {
            return Err(Error::field("domain", format!("{domain} is one of the platform's own names.")));
        }
        let (id, now) = (change.app.id, change.now);
        let most = settings.domains_max_per_app;
        if domains::count(&mut change.transaction, id).await?.unsigned_abs() >= most {
            return Err(Error::Conflict(format!(
                "An app can have {most} domains at most. Remove one that is not used."
            )));
        }
        if domains::is_active_elsewhere(&mut change.transaction, domain, id).await? {
            return Err(domains::taken(domain));
        }
        let added =
            domains::insert(&mut change.transaction, id, domain, actor.user_id(), now, now + FIRST_CHECK).await?;
        change.audit("domain.add", Value::Null, shown(&added)).await?;
        change.tell("domain", &format!("Added the domain {}", domain.for_people())).await?;
        let app = change.commit().await?;
        let addresses = if domain.is_apex() { told_addresses(&settings, &app).await } else { Vec::new() };
        Ok(view(added, &app, &settings, &addresses))
    }

    /// Removes a domain from an app. It is routed no more.
    pub async fn remove_domain(&self, actor: &Actor, app: &AppRef, domain: &DomainRef) -> Result<Domain> {
        let mut change = self.change(actor, app, Access::Change).await?;
        let domain = domains::of(&mut change.transaction, change.app.id, domain).await?;
        domains::remove(&mut change.transaction, domain.id).await?;
        change.audit("domain.remove", shown(&domain), Value::Null).await?;
        change.tell("domain", &format!("Removed the domain {}", domain.domain.for_people())).await?;
        change.commit().await?;
        Ok(domain)
    }

    /// Asks DNS about a domain now, and acts by the answer: it becomes active, or starts to fail.
    pub async fn verify_domain(
        &self,
        actor: &Actor,
        app: &AppRef,
        domain: &DomainRef,
    ) -> Result<(DomainView, Checked)> {
        let app = self.app_of(actor, app, Access::Change).await?;
        let domain = self.store.domain_of(app.id, domain).await?;
        let (domain, checked) = check_domain(&self.store, actor, domain.id).await?;
        let settings = self.store.settings().await?;
        let addresses = if domain.domain.is_apex() { told_addresses(&settings, &app).await } else { Vec::new() };
        Ok((view(domain, &app, &settings, &addresses), checked))
    }

    /// Sets whether plain HTTP on an app's own domains is sent on to HTTPS.
    pub async fn set_https_redirect(&self, actor: &Actor, app: &AppRef, redirect: bool) -> Result<()> {
        let mut change = self.change(actor, app, Access::Change).await?;
        let id = change.app.id;
        let before = domains::set_https_redirect(&mut change.transaction, id, redirect).await?;
        if before == redirect {
            return Ok(());
        }
        let named = |redirect: bool| json!({ "https_redirect": redirect });
        change.audit("domain.redirect", named(before), named(redirect)).await?;
        let how = if redirect { "on" } else { "off" };
        change.tell("domain", &format!("Switched redirects to HTTPS {how}")).await?;
        change.commit().await?;
        Ok(())
    }
}

/// Asks DNS about a domain, by the setting `dns.resolver`, and keeps what became of it. For users through
/// [`Actions::verify_domain`], and for the worker, which comes back to every domain. An error if there was no answer:
/// then nothing changed.
pub async fn check_domain(store: &Store, actor: &Actor, id: DomainId) -> Result<(Domain, Checked)> {
    let settings = store.settings().await?;
    let domain = store.domain(id).await?.ok_or_else(gone)?;
    let app = store.app(domain.application_id).await?;
    let resolver = Resolver::new(&settings.dns_resolver)?;
    let target = target(&settings, &app);
    let addresses = addresses(&resolver, &settings, &target).await?;
    let zone = &settings.apps_default_domain;
    let destination = Destination { target: &target, zone, addresses: &addresses };
    let mut checked = resolver.check(&domain.domain, app.id, &destination).await?;

    let now = store.clock().now();
    let mut transaction = store.pool().begin().await?;
    let (before, organization) = domains::lock(&mut transaction, id).await?.ok_or_else(gone)?;
    // The default domain and the reserved names may have been changed since it was added.
    if checked.problem.is_none() && is_reserved(&before.domain, &settings, store) {
        checked.problem = Some("This name is the platform's own.".to_owned());
    }
    if checked.problem.is_none() && domains::is_active_elsewhere(&mut transaction, &before.domain, app.id).await? {
        checked.problem = Some(domains::taken(&before.domain).to_string());
    }
    let after = before.clone().after_check(checked.problem.clone(), now, grace(&settings));
    keep(&mut transaction, actor, organization, (&before, &after), now).await?;
    transaction.commit().await?;
    // Also what else changed with it.
    let after = store.domain(id).await?.ok_or_else(gone)?;
    Ok((after, checked))
}

/// Notes for the worker that [`check_domain`] had no answer, from which follows when it is asked again, and after a week
/// what becomes of the domain. Answers the domain as it is then. An error if nobody answers at all: that says something
/// about our own resolver only.
pub async fn note_silence(store: &Store, id: DomainId) -> Result<Domain> {
    let settings = store.settings().await?;
    let domain = store.domain(id).await?.ok_or_else(gone)?;
    let app = store.app(domain.application_id).await?;
    let resolver = Resolver::new(&settings.dns_resolver)?;
    resolver.addresses(&target(&settings, &app)).await?;

    let now = store.clock().now();
    let mut transaction = store.pool().begin().await?;
    let (before, organization) = domains::lock(&mut transaction, id).await?.ok_or_else(gone)?;
    let after = before.clone().after_silence(now, grace(&settings));
    keep(&mut transaction, &Actor::system(), organization, (&before, &after), now).await?;
    transaction.commit().await?;
    Ok(after)
}

/// Keeps what became of a domain, and tells it where that is something new or somebody asked.
async fn keep(
    connection: &mut PgConnection,
    actor: &Actor,
    organization: OrganizationId,
    (before, after): (&Domain, &Domain),
    now: DateTime<Utc>,
) -> Result<()> {
    domains::keep_check(connection, after).await?;
    let changed = before.status != after.status;
    if changed {
        let app = after.application_id;
        events::record(connection, app, actor.user_id(), "domain", &told(after), now).await?;
    }
    if changed || actor.user_id().is_some() {
        let entry = AuditEntry {
            action: "domain.verify",
            organization: Some(organization),
            target_kind: "app",
            target: &after.application_id.to_string(),
            before: shown(before),
            after: shown(after),
        };
        audit::record(connection, actor, now, entry).await?;
    }
    Ok(())
}

fn gone() -> Error {
    Error::NotFound("That domain was removed meanwhile.".to_owned())
}

/// How long a domain that was right may be wrong.
fn grace(settings: &Settings) -> TimeDelta {
    TimeDelta::hours(i64::try_from(settings.domains_grace_hours).unwrap_or(i64::from(u16::MAX)))
}

fn told(domain: &Domain) -> String {
    let name = domain.domain.for_people();
    match (domain.status, &domain.problem) {
        (DomainStatus::Active, _) => format!("The domain {name} is verified and routed"),
        (_, Some(problem)) => format!("The domain {name} is not routed: {problem}"),
        (_, None) => format!("The domain {name} is not routed"),
    }
}

/// The app's name under the platform's domain.
fn target(settings: &Settings, app: &Application) -> String {
    format!("{}.{}", app.subdomain, settings.apps_default_domain).to_ascii_lowercase()
}

/// Where domains without a CNAME have to lead.
async fn addresses(resolver: &Resolver, settings: &Settings, target: &str) -> Result<Vec<IpAddr>> {
    let configured = &settings.domains_addresses;
    if configured.trim().is_empty() {
        return resolver.addresses(target).await;
    }
    configured
        .split(',')
        .map(|address| {
            address.trim().parse().map_err(|_| {
                Error::System(format!("{address:?} in the setting domains.addresses is no address. Ask the operator."))
            })
        })
        .collect()
}

/// The same for instructions, which do without where DNS does not answer.
async fn told_addresses(settings: &Settings, app: &Application) -> Vec<IpAddr> {
    let found = async {
        let resolver = Resolver::new(&settings.dns_resolver)?;
        addresses(&resolver, settings, &target(settings, app)).await
    };
    found.await.unwrap_or_else(|error| {
        tracing::warn!(%error, "the edge's addresses are not known; set domains.addresses");
        Vec::new()
    })
}

fn is_reserved(domain: &DomainName, settings: &Settings, store: &Store) -> bool {
    let reserved = settings.domains_reserved.split(',').map(str::trim);
    // What is below the name of a machine may well be somebody's.
    store.own_hosts().iter().any(|host| domain.as_str().eq_ignore_ascii_case(host.trim_end_matches('.')))
        || reserved.chain([settings.apps_default_domain.as_str()]).any(|zone| domain.is_in(zone))
}

fn view(domain: Domain, app: &Application, settings: &Settings, addresses: &[IpAddr]) -> DomainView {
    let instructions = DomainInstructions::new(&domain.domain, app.id, &target(settings, app), addresses);
    let demoted_at = domain.demoted_at(grace(settings));
    DomainView { domain, instructions, demoted_at }
}

fn shown(domain: &Domain) -> Value {
    json!({ "domain": domain.domain, "status": domain.status, "problem": domain.problem })
}

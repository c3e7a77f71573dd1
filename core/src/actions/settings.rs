//! Settings: read, changed and tried out by admins.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::time::{Duration, Instant};

use serde_json::{Map, Value};

use super::plans::admin;
use super::{Actions, Actor};
use crate::blob::check_storage;
use crate::dns::Resolver;
use crate::error::FieldError;
use crate::mail::MailServer;
use crate::probes::{check_loki, check_prometheus};
use crate::settings::{Settings, StorageBackend};
use crate::store::{AuditEntry, audit};
use crate::{Error, Result};

/// Longest the container engine may take to answer.
const SWARM_LIMIT: Duration = Duration::from_secs(10);

/// New values in their text form by key; none to go back to the default.
pub type SettingChanges = BTreeMap<String, Option<String>>;

text_enum! {
    /// Something that settings lead to, and that can be tried.
    SettingPart {
        /// The local directory of blobs.
        LocalStorage = "local_storage",
        /// The bucket.
        S3 = "s3",
        /// The container engine's Swarm.
        Swarm = "swarm",
        /// Mail.
        Smtp = "smtp",
        /// The external log store.
        LogStore = "log_store",
        /// The external source of metrics.
        Metrics = "metrics",
        /// The name servers.
        Dns = "dns",
    }
}

text_enum! {
    /// How a try went.
    CheckOutcome {
        /// It works.
        Ok = "ok",
        /// It does not.
        Failed = "failed",
        /// Nothing is set that could be tried.
        NotConfigured = "not_configured",
    }
}

/// What a try of one part showed.
#[derive(Clone, Debug)]
pub struct SettingCheck {
    /// What was tried.
    pub part: SettingPart,
    /// How it went.
    pub outcome: CheckOutcome,
    /// What was seen, or why it failed and what to do.
    pub message: String,
    /// How long it took.
    pub milliseconds: u64,
}

impl Actions {
    /// All settings, for admins. What is sensitive must not leave this process.
    pub async fn settings(&self, actor: &Actor) -> Result<Settings> {
        admin(actor)?;
        self.store.settings().await
    }

    /// Changes settings, all or none of them. A changed `storage.` setting is tried out first. Every process sees the
    /// change at once.
    pub async fn change_settings(&self, actor: &Actor, changes: &SettingChanges) -> Result<Settings> {
        admin(actor)?;
        let tried = changed(&self.store.settings().await?, changes)?;
        // Before the transaction, which must not wait for a service elsewhere.
        if changes.keys().any(|key| key.starts_with("storage.")) {
            check_storage(&tried, &std::env::temp_dir()).await.map_err(|error| storage_problem(&error))?;
        }
        let now = self.clock.now();
        let mut transaction = self.store.pool().begin().await?;
        let before = self.store.lock_settings(&mut transaction).await?;
        let after = changed(&before, changes)?;
        let (mut old, mut new) = (Map::new(), Map::new());
        for (key, text) in changes {
            let is_same = before.show(key) == after.show(key) && !Settings::is_sensitive(key);
            if is_same && text.is_some() == self.store.has_setting(&mut transaction, key).await? {
                continue;
            }
            self.store.write_setting(&mut transaction, key, text.as_deref()).await?;
            old.insert(key.clone(), before.show(key).into());
            new.insert(key.clone(), after.show(key).into());
        }
        if new.is_empty() {
            return Ok(before);
        }
        let entry = AuditEntry {
            action: "settings.change",
            organization: None,
            target_kind: "platform",
            target: "settings",
            before: Value::Object(old),
            after: Value::Object(new),
        };
        audit::record(&mut transaction, actor, now, entry).await?;
        transaction.commit().await?;
        self.store.settings_were_written();
        Ok(after)
    }

    /// Tries everything that the settings, with `changes`, lead to. Changes nothing here; the log store keeps a line.
    /// The addresses in the settings are connected to whatever network they are in: only admins get here, and what
    /// they run beside Skypanel is often in a private network.
    pub async fn check_settings(&self, actor: &Actor, changes: &SettingChanges) -> Result<Vec<SettingCheck>> {
        admin(actor)?;
        let settings = changed(&self.store.settings().await?, changes)?;
        let (local, s3, swarm, smtp, log_store, metrics, dns) = tokio::join!(
            timed(SettingPart::LocalStorage, self.check_local()),
            timed(SettingPart::S3, check_s3(&settings)),
            timed(SettingPart::Swarm, self.check_swarm()),
            timed(SettingPart::Smtp, check_mail(&settings)),
            timed(SettingPart::LogStore, self.check_log_store(&settings)),
            timed(SettingPart::Metrics, check_metrics(&settings)),
            timed(SettingPart::Dns, check_dns(&settings)),
        );
        Ok(vec![local, s3, swarm, smtp, log_store, metrics, dns])
    }

    async fn check_local(&self) -> Result<Option<String>> {
        if self.store.settings().await?.storage_backend == StorageBackend::Local {
            self.blobs.probe().await?;
            return Ok(Some("Wrote, read and removed a blob.".to_owned()));
        }
        // What goes to the bucket is written to the disk first.
        let blobs = self.blobs.clone();
        let written = tokio::task::spawn_blocking(move || {
            let mut file = blobs.spool()?;
            let failed = |source| crate::blob::BlobError::Disk { action: "Writing a blob".to_owned(), source };
            file.write_all(b"probe").map_err(failed)?;
            file.as_file().sync_all().map_err(failed)
        });
        written.await.map_err(|error| Error::System(format!("The try broke down: {error}.")))??;
        Ok(Some("Wrote a file and removed it.".to_owned()))
    }

    async fn check_log_store(&self, settings: &Settings) -> Result<Option<String>> {
        let Some(address) = settings.logs_loki_url.get() else { return Ok(None) };
        Ok(Some(check_loki(address, &settings.logs_loki_tenant, self.clock.now()).await?))
    }

    async fn check_swarm(&self) -> Result<Option<String>> {
        let nodes = tokio::time::timeout(SWARM_LIMIT, self.console.nodes()).await.map_err(|_| {
            let limit = SWARM_LIMIT.as_secs();
            Error::Upstream(format!("The container engine did not answer within {limit} s. Look whether it runs."))
        })??;
        let ready = nodes.iter().filter(|node| node.is_ready()).count();
        if ready == 0 {
            return Err(Error::Upstream(format!(
                "None of the {} nodes of the Swarm is ready. Look at them with: docker node ls.",
                nodes.len()
            )));
        }
        Ok(Some(format!("{ready} of {} nodes are ready.", nodes.len())))
    }
}

/// Looks for the platform's own name: the answer does not matter, that there is one does.
async fn check_dns(settings: &Settings) -> Result<Option<String>> {
    let name = format!("skypanel.{}", settings.apps_default_domain);
    let found = Resolver::new(&settings.dns_resolver)?.addresses(&name).await?;
    let servers = if settings.dns_resolver.is_empty() { "The host's name servers" } else { "The name servers" };
    Ok(Some(match found.first() {
        Some(address) => format!("{servers} answered: {name} is {address}."),
        None => format!(
            "{servers} answered: there is no {name}. Apps need a record for *.{}.",
            settings.apps_default_domain
        ),
    }))
}

async fn check_s3(settings: &Settings) -> Result<Option<String>> {
    if settings.storage_s3_bucket.is_empty() && settings.storage_backend == StorageBackend::Local {
        return Ok(None);
    }
    let chosen = Settings { storage_backend: StorageBackend::S3, ..settings.clone() };
    check_storage(&chosen, &std::env::temp_dir()).await?;
    Ok(Some(format!("Wrote, read and removed an object in the bucket {}.", settings.storage_s3_bucket)))
}

async fn check_mail(settings: &Settings) -> Result<Option<String>> {
    match MailServer::of(settings)? {
        Some(server) => Ok(Some(server.check().await?)),
        None => Ok(None),
    }
}

async fn check_metrics(settings: &Settings) -> Result<Option<String>> {
    let Some(address) = settings.metrics_prometheus_url.get() else { return Ok(None) };
    Ok(Some(check_prometheus(address).await?))
}

async fn timed(part: SettingPart, check: impl Future<Output = Result<Option<String>>>) -> SettingCheck {
    let started = Instant::now();
    let (outcome, message) = match check.await {
        Ok(Some(seen)) => (CheckOutcome::Ok, seen),
        Ok(None) => (CheckOutcome::NotConfigured, "It is not described in the settings.".to_owned()),
        Err(error) => (CheckOutcome::Failed, error.to_string()),
    };
    let milliseconds = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    SettingCheck { part, outcome, message, milliseconds }
}

fn changed(before: &Settings, changes: &SettingChanges) -> Result<Settings> {
    let (mut after, defaults) = (before.clone(), Settings::default());
    let mut problems = Vec::new();
    for (key, text) in changes {
        // Nothing sensitive has a default, so what shows of one is what it is.
        let text = text.clone().or_else(|| defaults.show(key)).unwrap_or_default();
        if let Err(error) = after.set(key, &text) {
            problems.push(FieldError { field: key.clone(), problem: error.to_string() });
        }
    }
    if problems.is_empty() { Ok(after) } else { Err(Error::InvalidFields(problems)) }
}

fn storage_problem(error: &Error) -> Error {
    // What a bucket's service said may end as it likes.
    let why = error.to_string();
    let stop = if why.ends_with(['.', '?']) { "" } else { "." };
    Error::field("storage.backend", format!("Blobs cannot be kept there, so nothing was saved. {why}{stop}"))
}

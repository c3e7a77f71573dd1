//! Settings as stored: plain JSON, or sealed under the platform's key where sensitive. A process that follows their
//! changes keeps them in memory meanwhile.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sqlx::PgConnection;
use sqlx::postgres::PgListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::Store;
use crate::secrets::{Owner, Secrets};
use crate::settings::Settings;
use crate::{Error, Result};

/// Channel on which the database tells that settings changed.
const CHANNEL: &str = "skypanel_settings";
/// Longest what is kept counts without having been told of a change: a connection can be lost without a sign.
const KEPT: Duration = Duration::from_secs(10);
/// Pause before a lost connection is made anew.
const PAUSE: Duration = Duration::from_secs(1);

/// What a process keeps of the settings. Nothing is kept, and every read asks the database, unless changes are being
/// followed.
#[derive(Clone, Debug)]
pub(super) struct SettingsCache {
    kept: Arc<Mutex<Kept>>,
    changes: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Kept {
    followed: bool,
    settings: Option<(Instant, Settings)>,
}

impl SettingsCache {
    pub(super) fn new() -> Self {
        Self { kept: Arc::default(), changes: watch::Sender::new(0) }
    }

    fn get(&self) -> Option<Settings> {
        let kept = self.kept();
        kept.settings.as_ref().filter(|(read, _)| read.elapsed() < KEPT).map(|(_, settings)| settings.clone())
    }

    fn number(&self) -> u64 {
        *self.changes.borrow()
    }

    /// Keeps what was read when the changes had come to `number`. What has changed since is not kept.
    fn keep(&self, number: u64, read: Instant, settings: &Settings) {
        let mut kept = self.kept();
        if kept.followed && number == self.number() {
            kept.settings = Some((read, settings.clone()));
        }
    }

    /// Forgets what is kept and wakes those who wait for changes.
    fn changed(&self, followed: Option<bool>) {
        let mut kept = self.kept();
        kept.settings = None;
        kept.followed = followed.unwrap_or(kept.followed);
        self.changes.send_modify(|number| *number = number.wrapping_add(1));
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store {
    /// All settings as they are now; defaults where nothing was set.
    pub async fn settings(&self) -> Result<Settings> {
        if let Some(settings) = self.settings.get() {
            return Ok(settings);
        }
        let (number, now) = (self.settings.number(), Instant::now());
        let settings = read(&mut *self.pool.acquire().await?, &self.secrets).await?;
        self.settings.keep(number, now, &settings);
        Ok(settings)
    }

    /// Hears of changed settings, in whatever process somebody changes them, until `cancel`. While this runs, reads
    /// of settings are answered from memory; a change is seen as soon as the database tells of it.
    pub async fn follow_settings(&self, cancel: &CancellationToken) {
        while let Some(lost) = cancel.run_until_cancelled(self.hear()).await {
            self.settings.changed(Some(false));
            match lost {
                Ok(()) => tracing::warn!("lost the connection that changed settings are told on; reconnecting"),
                Err(error) => tracing::warn!(%error, "changed settings cannot be followed; trying again"),
            }
            let _ = cancel.run_until_cancelled(tokio::time::sleep(PAUSE)).await;
        }
        self.settings.changed(Some(false));
    }

    /// Changes each time when settings changed, with the first change that [`Store::follow_settings`] hears of.
    pub fn settings_changes(&self) -> watch::Receiver<u64> {
        self.settings.changes.subscribe()
    }

    /// Until the connection is lost.
    async fn hear(&self) -> Result<()> {
        let mut listener = PgListener::connect_with(&self.pool).await?;
        listener.eager_reconnect(false);
        listener.listen(CHANNEL).await?;
        self.settings.changed(Some(true));
        while listener.try_recv().await?.is_some() {
            self.settings.changed(None);
        }
        Ok(())
    }

    /// Checks and stores one setting given in its text form, for the operator on the host.
    pub async fn set_setting(&self, key: &str, text: &str) -> Result<()> {
        let mut connection = self.pool.acquire().await?;
        read(&mut connection, &self.secrets).await?.set(key, text)?;
        self.write_setting(&mut connection, key, Some(text)).await?;
        self.settings.changed(None);
        Ok(())
    }

    /// All settings as a transaction sees them. Others that ask for them in this way wait until it ends.
    pub(crate) async fn lock_settings(&self, connection: &mut PgConnection) -> Result<Settings> {
        sqlx::query("LOCK TABLE paas_settings IN SHARE ROW EXCLUSIVE MODE").execute(&mut *connection).await?;
        read(connection, &self.secrets).await
    }

    /// Whether somebody set it, be it to its default.
    pub(crate) async fn has_setting(&self, connection: &mut PgConnection, key: &str) -> Result<bool> {
        let (has,) = sqlx::query_as("SELECT EXISTS (SELECT 1 FROM paas_settings WHERE key = $1)")
            .bind(key)
            .fetch_one(connection)
            .await?;
        Ok(has)
    }

    /// Stores a checked value, or goes back to the default.
    pub(crate) async fn write_setting(
        &self,
        connection: &mut PgConnection,
        key: &str,
        text: Option<&str>,
    ) -> Result<()> {
        let Some(text) = text else {
            sqlx::query("DELETE FROM paas_settings WHERE key = $1").bind(key).execute(connection).await?;
            return Ok(());
        };
        let value = if Settings::is_sensitive(key) {
            json!({ "sealed": hex::encode(self.secrets.seal(Owner::Platform, &belongs_to(key), text.as_bytes())?) })
        } else {
            Value::String(text.to_owned())
        };
        sqlx::query(
            "INSERT INTO paas_settings (key, value) VALUES ($1, $2)
             ON CONFLICT (key) DO UPDATE SET value = $2, updated_at = now()",
        )
        .bind(key)
        .bind(value)
        .execute(connection)
        .await?;
        Ok(())
    }

    /// What was committed counts here at once, whether or not changes are being followed.
    pub(crate) fn settings_were_written(&self) {
        self.settings.changed(None);
    }
}

async fn read(connection: &mut PgConnection, secrets: &Secrets) -> Result<Settings> {
    let rows: Vec<(String, Value)> =
        sqlx::query_as("SELECT key, value FROM paas_settings").fetch_all(connection).await?;
    let mut settings = Settings::default();
    for (key, value) in rows {
        let text = match value.get("sealed").and_then(Value::as_str) {
            Some(sealed) => open(secrets, &key, sealed)?,
            None => Settings::text_of(&value),
        };
        // A setting that a newer version wrote or that lost its meaning must not stop everything else.
        if let Err(error) = settings.set(&key, &text) {
            tracing::warn!(key, %error, "a stored setting is ignored");
        }
    }
    Ok(settings)
}

fn open(secrets: &Secrets, key: &str, sealed: &str) -> Result<String> {
    let sealed = hex::decode(sealed).map_err(|_| Error::Secret)?;
    let opened = secrets.open(Owner::Platform, &belongs_to(key), &sealed)?;
    String::from_utf8(opened.to_vec()).map_err(|_| Error::Secret)
}

fn belongs_to(key: &str) -> String {
    format!("setting {key}")
}

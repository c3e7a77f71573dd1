//! Settings as stored: plain JSON, or sealed under the platform's key where sensitive.

use serde_json::{Value, json};

use super::Store;
use crate::secrets::Owner;
use crate::settings::Settings;
use crate::{Error, Result};

impl Store {
    /// All settings as they are now; defaults where nothing was set.
    pub async fn settings(&self) -> Result<Settings> {
        let rows: Vec<(String, Value)> =
            sqlx::query_as("SELECT key, value FROM paas_settings").fetch_all(&self.pool).await?;
        let mut settings = Settings::default();
        for (key, value) in rows {
            let text = match value.get("sealed").and_then(Value::as_str) {
                Some(sealed) => self.open_setting(&key, sealed)?,
                None => Settings::text_of(&value),
            };
            // A setting that a newer version wrote or that lost its meaning must not stop everything else.
            if let Err(error) = settings.set(&key, &text) {
                tracing::warn!(key, %error, "a stored setting is ignored");
            }
        }
        Ok(settings)
    }

    /// Checks and stores one setting given in its text form.
    pub async fn set_setting(&self, key: &str, text: &str) -> Result<()> {
        self.settings().await?.set(key, text)?;
        let sensitive = Settings::info(key).is_some_and(|info| info.sensitive);
        let value = if sensitive {
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
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    fn open_setting(&self, key: &str, sealed: &str) -> Result<String> {
        let sealed = hex::decode(sealed).map_err(|_| Error::Secret)?;
        let opened = self.secrets.open(Owner::Platform, &belongs_to(key), &sealed)?;
        String::from_utf8(opened.to_vec()).map_err(|_| Error::Secret)
    }
}

fn belongs_to(key: &str) -> String {
    format!("setting {key}")
}

//! What the services read: their configuration, with our addresses filled in, and their secrets. Everything lies in
//! `<data_dir>/infra/<part>/`: `config/` for reading, `data/` for what the service keeps.

use std::collections::BTreeMap;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};

use serde_json::json;
use skypanel_core::model::Sha256Digest;
use skypanel_core::settings::{MailSecurity, Settings};
use skypanel_core::{Error, Result, private_file};

use super::part::Part;
use crate::config::Config;
use crate::setup;

const LOKI: &str = include_str!("../../../infra/observability/config/loki.yml");
const PROMETHEUS: &str = include_str!("../../../infra/observability/config/prometheus.yml");
const RULES: &str = include_str!("../../../infra/observability/rules/skypanel.yml");
const ALERTMANAGER: &str = include_str!("../../../infra/observability/config/alertmanager.yml");
const DATA_SOURCES: &str = include_str!("../../../infra/observability/config/datasources.yml");
const DASHBOARD_PROVIDER: &str = include_str!("../../../infra/observability/config/dashboards.yml");
const DASHBOARDS: [(&str, &str); 3] = [
    ("platform.json", include_str!("../../../infra/observability/dashboards/platform.json")),
    ("app.json", include_str!("../../../infra/observability/dashboards/app.json")),
    ("node.json", include_str!("../../../infra/observability/dashboards/node.json")),
];

/// Writes the files of one installation.
pub(super) struct Files<'a> {
    config: &'a Config,
    settings: &'a Settings,
    directory: PathBuf,
}

impl<'a> Files<'a> {
    pub(super) fn new(config: &'a Config, settings: &'a Settings) -> Self {
        Self { config, settings, directory: setup::infra_directory(config) }
    }

    /// Where a part's files are.
    pub(super) fn directory(&self, part: Part) -> PathBuf {
        self.directory.join(part.as_str())
    }

    /// The file with the password of Grafana's admin.
    pub(super) fn grafana_password(&self) -> PathBuf {
        self.directory(Part::Grafana).join("admin-password")
    }

    /// The token that Prometheus reads our metrics with, if there is one.
    pub(super) fn token(&self) -> Option<String> {
        let text = std::fs::read_to_string(self.token_file()).ok()?;
        Some(text.trim().to_owned())
    }

    /// Keeps a new token.
    pub(super) fn keep_token(&self, token: &str) -> Result<()> {
        write_secret(Part::Prometheus, &self.token_file(), token)
    }

    fn token_file(&self) -> PathBuf {
        self.directory(Part::Prometheus).join("config/token")
    }

    /// Writes everything a part reads, and makes the directory that it keeps its own things in.
    pub(super) fn write(&self, part: Part) -> Result<()> {
        let directory = self.directory(part);
        let data = directory.join("data");
        let prepared = std::fs::create_dir_all(directory.join("config"))
            .and_then(|()| std::fs::create_dir_all(&data))
            .and_then(|()| passable(&self.directory))
            .and_then(|()| passable(&directory))
            .and_then(|()| passable(&directory.join("config")))
            .and_then(|()| std::fs::set_permissions(&data, std::fs::Permissions::from_mode(0o700)))
            .and_then(|()| chown(&data, Some(part.user()), Some(part.user())));
        prepared.map_err(|error| unwritable(&directory, &error))?;
        for (name, content) in self.contents(part) {
            let path = directory.join("config").join(name);
            write_public(&path, content.as_bytes()).map_err(|error| unwritable(&path, &error))?;
        }
        match part {
            Part::Alertmanager if self.mails() => {
                let path = directory.join("config/smtp-password");
                write_secret(part, &path, &self.settings.smtp_password)
            }
            Part::Grafana if !self.grafana_password().exists() => {
                let path = self.grafana_password();
                private_file::create(&path, setup::random_password().as_bytes())
                    .map_err(|error| unwritable(&path, &error))
            }
            _ => Ok(()),
        }
    }

    /// Names and contents of a part's configuration files.
    fn contents(&self, part: Part) -> Vec<(String, String)> {
        match part {
            Part::Loki => vec![("loki.yml".to_owned(), self.filled(LOKI))],
            Part::Prometheus => vec![
                ("prometheus.yml".to_owned(), self.filled(PROMETHEUS)),
                ("rules/skypanel.yml".to_owned(), RULES.to_owned()),
            ],
            Part::Alertmanager => {
                let content = ALERTMANAGER.replace("@RECEIVER@", &self.receiver());
                vec![("alertmanager.yml".to_owned(), content)]
            }
            Part::NodeExporter => Vec::new(),
            Part::Grafana => [
                ("provisioning/datasources/skypanel.yml", self.filled(DATA_SOURCES)),
                ("provisioning/dashboards/skypanel.yml", DASHBOARD_PROVIDER.to_owned()),
            ]
            .map(|(name, content)| (name.to_owned(), content))
            .into_iter()
            .chain(DASHBOARDS.map(|(name, text)| (format!("dashboards/{name}"), text.to_owned())))
            .collect(),
        }
    }

    /// Tells one configuration of a part from another.
    pub(super) fn digest(&self, part: Part) -> String {
        let contents = self.contents(part);
        let secret = if part == Part::Alertmanager { self.settings.smtp_password.as_str() } else { "" };
        Sha256Digest::of(format!("{contents:?} {secret}").as_bytes()).hex()
    }

    /// A configuration with our addresses in it.
    fn filled(&self, template: &str) -> String {
        let loki = Part::Loki.listen(self.settings);
        let address = |part: Part| part.listen(self.settings).to_string();
        let values = BTreeMap::from([
            ("@HOST@", loki.ip().to_string()),
            ("@PORT@", loki.port().to_string()),
            ("@RETENTION@", format!("{}h", self.settings.logs_retention_days.saturating_mul(24))),
            ("@API@", self.config.api_listen.to_string()),
            ("@AGENT@", self.config.metrics_listen.to_string()),
            ("@LOKI@", address(Part::Loki)),
            ("@PROMETHEUS@", address(Part::Prometheus)),
            ("@ALERTMANAGER@", address(Part::Alertmanager)),
            ("@NODE_EXPORTER@", address(Part::NodeExporter)),
        ]);
        values.into_iter().fold(template.to_owned(), |text, (name, value)| text.replace(name, &value))
    }

    fn mails(&self) -> bool {
        !self.settings.smtp_host.is_empty()
    }

    /// How the Alertmanager tells the first admin: by mail, where the platform sends mail.
    fn receiver(&self) -> String {
        if !self.mails() {
            return "    # The platform has no mail server (smtp.host), so that alerts are only shown.".to_owned();
        }
        let settings = self.settings;
        let config = json!({
            "to": self.config.admin_email,
            "from": settings.smtp_from,
            "smarthost": format!("{}:{}", settings.smtp_host, settings.smtp_port),
            "auth_username": settings.smtp_user,
            "auth_password_file": "/etc/skypanel/smtp-password",
            "require_tls": settings.smtp_security == MailSecurity::StartTls,
            "send_resolved": true,
        });
        // JSON is YAML.
        format!("    email_configs: [{config}]")
    }
}

/// A file that only the part's own user can read.
fn write_secret(part: Part, path: &Path, text: &str) -> Result<()> {
    private_file::replace(path, text.as_bytes())
        .and_then(|()| chown(path, Some(part.user()), Some(part.user())))
        .map_err(|error| unwritable(path, &error))
}

fn passable(directory: &Path) -> std::io::Result<()> {
    std::fs::set_permissions(directory, std::fs::Permissions::from_mode(0o755))
}

/// A file that any user can read: there is nothing secret in it.
fn write_public(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    private_file::replace(path, bytes)?;
    if let Some(directory) = path.parent() {
        passable(directory)?;
    }
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o644))
}

fn unwritable(path: &Path, error: &std::io::Error) -> Error {
    Error::System(format!("{} cannot be written: {error}. `skypanel infra` needs to run as root.", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Settable;

    #[test]
    fn prometheus_gets_our_rules_where_it_looks_for_rules() {
        let config = Config::load(&Settable::default()).expect("is right");
        let settings = Settings::default();
        let contents: BTreeMap<_, _> = Files::new(&config, &settings).contents(Part::Prometheus).into_iter().collect();
        assert_eq!(contents["rules/skypanel.yml"], RULES);
        let text = &contents["prometheus.yml"];
        assert!(text.contains("rule_files: [/etc/skypanel/rules/*.yml]") && !text.contains('@'), "{text}");
    }
}

//! Where things are: addresses, directories, the database. Defaults, overridden by `skypanel.toml`, overridden
//! by `SKYPANEL_*`, overridden by flags. What admins change while it runs are settings, in the database.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Deserialize;
use skypanel_core::network::Networks;
use skypanel_core::{Error, Result};

macro_rules! config {
    ($($(#[doc = $help:literal])+ $field:ident: $type:ty, $env:literal, $default:expr;)+) => {
        /// Every configuration key, each optional: as given by flags and environment, or by the file.
        #[derive(Args, Clone, Debug, Default, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub(crate) struct Settable {
            /// Configuration file [default: /etc/skypanel/skypanel.toml if it exists]
            #[arg(long = "config", env = "SKYPANEL_CONFIG", value_name = "FILE")]
            #[serde(skip)]
            file: Option<PathBuf>,
            $(
                $(#[doc = $help])+
                #[arg(long, env = $env)]
                $field: Option<$type>,
            )+
        }

        impl Settable {
            fn or(self, other: Self) -> Self {
                Self { file: self.file, $($field: self.$field.or(other.$field),)+ }
            }
        }

        /// Keys, environment names and help of the configuration, for the documentation.
        #[cfg(test)]
        pub(crate) const KEYS: &[(&str, &str, &str)] = &[$((stringify!($field), $env, concat!($($help),+)),)+];

        /// The configuration, complete.
        #[derive(Clone, Debug)]
        pub(crate) struct Config {
            $($(#[doc = $help])+ pub(crate) $field: $type,)+
        }

        impl Config {
            fn complete(given: Settable) -> Self {
                $(let $field = given.$field.unwrap_or_else($default);)+
                Self { $($field,)+ }
            }
        }
    };
}

config! {
    /// Directory of everything Skypanel keeps [default: /var/lib/skypanel]
    data_dir: PathBuf, "SKYPANEL_DATA_DIR", || "/var/lib/skypanel".into();
    /// Address of a PostgreSQL server to use in place of the private one, as postgres://user:password@host/database
    database_url: String, "SKYPANEL_DATABASE_URL", String::new;
    /// Socket of the Docker engine [default: /var/run/docker.sock]
    docker_socket: PathBuf, "SKYPANEL_DOCKER_SOCKET", || "/var/run/docker.sock".into();
    /// Where the SSH receiver listens [default: 0.0.0.0:2222]
    ssh_listen: SocketAddr, "SKYPANEL_SSH_LISTEN", || SocketAddr::from(([0, 0, 0, 0], 2222));
    /// Name of this host in the addresses shown to users [default: localhost]
    host: String, "SKYPANEL_HOST", || "localhost".to_owned();
    /// Where the API and the dashboard listen [default: 127.0.0.1:8080]
    api_listen: SocketAddr, "SKYPANEL_API_LISTEN", || SocketAddr::from(([127, 0, 0, 1], 8080));
    /// Where browsers find the API and the dashboard; https makes cookies secure [default: http:// and api_listen]
    public_url: String, "SKYPANEL_PUBLIC_URL", String::new;
    /// Requests a client may send to one API process in a minute; 0 for any number [default: 1200]
    requests_per_minute: u32, "SKYPANEL_REQUESTS_PER_MINUTE", || 1_200;
    /// Proxies that are believed in X-Forwarded-For, as addresses or networks separated by commas [default: none]
    trusted_proxies: String, "SKYPANEL_TRUSTED_PROXIES", String::new;
    /// Where the engine pulls images from; loopback only [default: 127.0.0.1:5100]
    image_listen: SocketAddr, "SKYPANEL_IMAGE_LISTEN", || SocketAddr::from(([127, 0, 0, 1], 5100));
    /// Where the agent tells a Prometheus what this node and its apps use, without authentication; port 0 for nowhere [default: 127.0.0.1:9180]
    metrics_listen: SocketAddr, "SKYPANEL_METRICS_LISTEN", || SocketAddr::from(([127, 0, 0, 1], 9180));
    /// Port on the loopback at which the edge tells the agent what it counts [default: the first free one from 9181 on]
    edge_metrics_port: u16, "SKYPANEL_EDGE_METRICS_PORT", || 0;
    /// Port of the edge for HTTP [default: 80]
    edge_http_port: u16, "SKYPANEL_EDGE_HTTP_PORT", || 80;
    /// Port of the edge for HTTPS [default: 443]
    edge_https_port: u16, "SKYPANEL_EDGE_HTTPS_PORT", || 443;
    /// Image of the edge; another than the default is pulled from its registry [default: the one built by `make edge`]
    edge_image: String, "SKYPANEL_EDGE_IMAGE", String::new;
    /// Directory with edge.tar and edge.json, as built by `make edge` [default: /var/cache/skypanel/edge]
    edge_dir: PathBuf, "SKYPANEL_EDGE_DIR", || "/var/cache/skypanel/edge".into();
    /// Directory of the ACME authority that issues certificates for custom domains; `none` for no certificates [default: Let's Encrypt]
    acme_directory: String, "SKYPANEL_ACME_DIRECTORY", || "https://acme-v02.api.letsencrypt.org/directory".to_owned();
    /// Where that authority writes to when something is wrong with a certificate
    acme_email: String, "SKYPANEL_ACME_EMAIL", String::new;
    /// PEM bundle by which that authority's own certificate is checked, beside the usual ones; for a private authority
    acme_ca_bundle: PathBuf, "SKYPANEL_ACME_CA_BUNDLE", PathBuf::new;
    /// Directory with stack.tar and stack.json, as built by `make stack` [default: /var/cache/skypanel/stack]
    stack_dir: PathBuf, "SKYPANEL_STACK_DIR", || "/var/cache/skypanel/stack".into();
    /// The skypanel-init program that goes into every app's image [default: beside skypanel itself]
    init_binary: PathBuf, "SKYPANEL_INIT_BINARY", || beside_us("skypanel-init");
    /// The skypanel-hook program that Git runs for a push [default: beside skypanel itself]
    hook_binary: PathBuf, "SKYPANEL_HOOK_BINARY", || beside_us("skypanel-hook");
    /// Most builds and releases at once [default: 4]
    concurrency: usize, "SKYPANEL_CONCURRENCY", || 4;
    /// E-mail address of the first admin, made on the first start [default: admin@localhost]
    admin_email: String, "SKYPANEL_ADMIN_EMAIL", || "admin@localhost".to_owned();
    /// What is logged, as a tracing filter [default: info]
    log: String, "SKYPANEL_LOG", || "info".to_owned();
    /// Whether the log is written as JSON, a line an event [default: false]
    log_json: bool, "SKYPANEL_LOG_JSON", || false;
}

const DEFAULT_FILE: &str = "/etc/skypanel/skypanel.toml";

impl Config {
    /// Puts flags, environment, file and defaults together.
    pub(crate) fn load(settable: &Settable) -> Result<Self> {
        let from_file = match &settable.file {
            Some(path) => read(path)?,
            None if Path::new(DEFAULT_FILE).exists() => read(Path::new(DEFAULT_FILE))?,
            None => Settable::default(),
        };
        let mut config = Self::complete(settable.clone().or(from_file));
        config.data_dir = std::path::absolute(&config.data_dir).map_err(|error| {
            Error::System(format!("The data directory {} is not usable: {error}.", config.data_dir.display()))
        })?;
        if !config.image_listen.ip().is_loopback() {
            return Err(Error::Invalid(format!(
                "image_listen is {}, but images are served without authentication, so it must be a loopback address.",
                config.image_listen
            )));
        }
        config.trusted_proxies()?;
        if config.concurrency == 0 {
            return Err(Error::Invalid("concurrency must be 1 or more.".to_owned()));
        }
        Ok(config)
    }
}

impl Config {
    /// The proxies that say where a request comes from.
    pub(crate) fn trusted_proxies(&self) -> Result<Networks> {
        self.trusted_proxies.parse().map_err(|error| Error::Invalid(format!("trusted_proxies is not right: {error}")))
    }

    /// Where browsers find the API and the dashboard.
    pub(crate) fn public_url(&self) -> String {
        match self.public_url.trim_end_matches('/') {
            "" => format!("http://{}", self.api_listen),
            url => url.to_owned(),
        }
    }

    /// Names under which Skypanel itself is reached.
    pub(crate) fn own_hosts(&self) -> Vec<String> {
        let public_url = self.public_url().parse::<hyper::Uri>().ok();
        let panel = public_url.as_ref().and_then(hyper::Uri::host).map(str::to_owned);
        panel.into_iter().chain([self.host.clone()]).collect()
    }
}

fn read(path: &Path) -> Result<Settable> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        Error::System(format!("The configuration file {} cannot be read: {error}.", path.display()))
    })?;
    toml::from_str(&text)
        .map_err(|error| Error::Invalid(format!("The configuration file {} is not right: {error}", path.display())))
}

fn beside_us(name: &str) -> PathBuf {
    std::env::current_exe().ok().and_then(|own| Some(own.parent()?.join(name))).unwrap_or_else(|| name.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_overridden_by_what_is_given() {
        let file: Settable = toml::from_str("host = \"a.example\"\nedge_http_port = 8081\n").expect("parses");
        let given = Settable { host: Some("b.example".to_owned()), ..Settable::default() };
        let config = Config::complete(given.or(file));
        assert_eq!((config.host.as_str(), config.edge_http_port, config.edge_https_port), ("b.example", 8081, 443));
    }

    #[test]
    fn proxies_are_networks() {
        let proxies = |text: &str| Config { trusted_proxies: text.to_owned(), ..Config::complete(Settable::default()) };
        let known = proxies("127.0.0.1, 10.0.0.0/8").trusted_proxies().expect("are networks");
        assert!(known.contains([10, 1, 2, 3].into()) && known.contains([127, 0, 0, 1].into()));
        assert!(!proxies("").trusted_proxies().expect("is empty").contains([127, 0, 0, 1].into()));
        assert!(proxies("10.0.0.0/99").trusted_proxies().is_err());
    }

    #[test]
    fn a_misspelt_key_is_refused() {
        assert!(toml::from_str::<Settable>("hots = \"a\"").is_err());
    }

    #[test]
    fn every_key_is_documented() {
        let document = include_str!("../../docs/settings.md");
        for (key, env, _) in KEYS {
            assert!(document.contains(&format!("`{key}`")), "docs/settings.md lacks {key}");
            assert!(document.contains(env), "docs/settings.md lacks {env}");
        }
    }

    #[test]
    fn skypanel_s_own_names_are_its_machine_s_and_its_panel_s() {
        let of = |public_url: &str| {
            let given = Settable {
                host: Some("git.example.org".to_owned()),
                public_url: Some(public_url.to_owned()),
                ..Settable::default()
            };
            Config::complete(given).own_hosts()
        };
        assert_eq!(of("https://panel.example.org:8443/"), ["panel.example.org", "git.example.org"]);
        assert_eq!(of(""), ["127.0.0.1", "git.example.org"]);
    }
}

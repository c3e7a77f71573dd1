//! What DNS says about a custom domain: whether its people proved it, and whether it leads here.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::{RData, RecordType};

use crate::model::{AppId, DomainName, proof_of};
use crate::{Error, Result};

/// One question and its answer.
const QUESTION_LIMIT: Duration = Duration::from_secs(3);
/// All questions about a domain together.
const CHECK_LIMIT: Duration = Duration::from_secs(20);
/// Longest chain of CNAMEs that is followed.
const MAX_ALIASES: usize = 8;
/// Most values of a record that are looked at.
const MAX_VALUES: usize = 64;

/// Asks name servers. It keeps no answers, so that a record somebody just changed is seen as soon as the name server
/// tells of it.
#[derive(Clone, Debug)]
pub struct Resolver {
    resolver: TokioResolver,
}

/// What a check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// Whether the TXT record is there.
    pub proven: bool,
    /// Whether requests for the domain come here.
    pub leads_here: bool,
    /// What is wrong and how to mend it; none if nothing is.
    pub problem: Option<String>,
}

/// Where a domain has to lead.
#[derive(Clone, Debug)]
pub struct Destination<'a> {
    /// The app's own name under the platform's domain.
    pub target: &'a str,
    /// The platform's domain: a CNAME to any name in it leads here.
    pub zone: &'a str,
    /// Addresses of the edges.
    pub addresses: &'a [IpAddr],
}

impl Resolver {
    /// Asks the name servers of `servers`: addresses separated by commas, each with or without a port, such as
    /// `192.0.2.53, [2001:db8::53]:5353`. Those of this host for an empty text.
    pub fn new(servers: &str) -> Result<Self> {
        let failed = |error: NetError| Error::System(format!("The resolver of names cannot be set up: {error}."));
        let mut builder = if servers.trim().is_empty() {
            TokioResolver::builder_tokio().map_err(failed)?
        } else {
            let servers = servers.split(',').map(server).collect::<Result<Vec<_>>>()?;
            let config = ResolverConfig::from_parts(None, Vec::new(), servers);
            TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
        };
        let options = builder.options_mut();
        options.cache_size = 0;
        options.timeout = QUESTION_LIMIT;
        options.attempts = 2;
        // Hosts files and search domains are this machine's matter, not the public's.
        options.use_hosts_file = hickory_resolver::config::ResolveHosts::Never;
        options.ndots = 0;
        Ok(Self { resolver: builder.build().map_err(failed)? })
    }

    /// Whether a domain is proven for this app and leads to `destination`. An error if the name servers do not answer,
    /// which says nothing about the domain.
    pub async fn check(&self, domain: &DomainName, app: AppId, destination: &Destination<'_>) -> Result<Checked> {
        let look = async { tokio::try_join!(self.proof(domain, app), self.route(domain, destination)) };
        let (proof, route) = tokio::time::timeout(CHECK_LIMIT, look).await.map_err(|_| silent(domain.as_str()))??;
        let (proven, leads_here) = (proof.is_none(), route.is_none());
        let problems: Vec<String> = [proof, route].into_iter().flatten().collect();
        let problem = (!problems.is_empty()).then(|| problems.join(" "));
        Ok(Checked { proven, leads_here, problem })
    }

    /// Addresses of a name; none if it has none.
    pub async fn addresses(&self, name: &str) -> Result<Vec<IpAddr>> {
        let (v4, v6) = tokio::try_join!(self.ask(name, RecordType::A), self.ask(name, RecordType::AAAA))?;
        let addresses = v4.iter().chain(&v6).filter_map(|data| match data {
            RData::A(address) => Some(IpAddr::V4(address.0)),
            RData::AAAA(address) => Some(IpAddr::V6(address.0)),
            _ => None,
        });
        Ok(addresses.collect::<BTreeSet<_>>().into_iter().take(MAX_VALUES).collect())
    }

    /// What is wrong with the proof.
    async fn proof(&self, domain: &DomainName, app: AppId) -> Result<Option<String>> {
        let (name, wanted) = (domain.proof_name(), proof_of(app));
        let found = self.ask(&name, RecordType::TXT).await?;
        let mut others = 0;
        for data in found.iter().take(MAX_VALUES) {
            let RData::TXT(text) = data else { continue };
            // Long values come in pieces, which belong together.
            let bytes = text.txt_data.concat();
            if bytes.trim_ascii() == wanted.as_bytes() {
                return Ok(None);
            }
            others += 1;
        }
        let state = if others == 0 { "is not there" } else { "says something else" };
        Ok(Some(format!("The TXT record {name} {state}. Set it to {wanted}.")))
    }

    /// What is wrong with where it leads.
    async fn route(&self, domain: &DomainName, destination: &Destination<'_>) -> Result<Option<String>> {
        let mut name = domain.as_str().to_owned();
        for _ in 0..MAX_ALIASES {
            let Some(alias) = self.alias(&name).await? else { break };
            if crate::model::is_in(&alias, destination.zone) {
                return Ok(None);
            }
            name = alias;
        }
        let found = self.addresses(&name).await?;
        let elsewhere: Vec<String> =
            found.iter().filter(|address| !destination.addresses.contains(address)).map(ToString::to_string).collect();
        let target = destination.target;
        let mend = if domain.is_apex() && !destination.addresses.is_empty() {
            let ours: Vec<String> = destination.addresses.iter().map(ToString::to_string).collect();
            format!("Set its A and AAAA records to {}.", ours.join(", "))
        } else {
            format!("Make it a CNAME of {target}.")
        };
        Ok(match (found.len(), elsewhere.as_slice()) {
            (0, _) => Some(format!("{domain} leads nowhere. {mend}")),
            (_, []) => None,
            // Some people would come here and others not, and certificates would come by luck.
            (_, elsewhere) => Some(format!("{domain} leads to {}, which is not here. {mend}", elsewhere.join(", "))),
        })
    }

    async fn alias(&self, name: &str) -> Result<Option<String>> {
        let found = self.ask(name, RecordType::CNAME).await?;
        Ok(found.into_iter().find_map(|data| match data {
            RData::CNAME(alias) => Some(alias.0.to_ascii().trim_end_matches('.').to_ascii_lowercase()),
            _ => None,
        }))
    }

    /// The records of a name; none if it has none.
    async fn ask(&self, name: &str, kind: RecordType) -> Result<Vec<RData>> {
        // With the dot it is a whole name already.
        let question = self.resolver.lookup(format!("{}.", name.trim_end_matches('.')), kind);
        match tokio::time::timeout(QUESTION_LIMIT * 3, question).await {
            Ok(Ok(answer)) => Ok(answer.answers().iter().map(|record| record.data.clone()).collect()),
            Ok(Err(error)) if error.is_no_records_found() || error.is_nx_domain() => Ok(Vec::new()),
            Ok(Err(error)) => {
                tracing::debug!(name, %kind, %error, "a name server failed");
                Err(silent(name))
            }
            Err(_) => Err(silent(name)),
        }
    }
}

fn silent(name: &str) -> Error {
    Error::Upstream(format!(
        "The name servers gave no answer about {name}. Nothing changed; it is asked again by itself. If this stays, the \
         setting dns.resolver or the domain's own name servers need a look."
    ))
}

fn server(text: &str) -> Result<NameServerConfig> {
    let text = text.trim();
    let address = text
        .parse::<SocketAddr>()
        .or_else(|_| text.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, 53)))
        .map_err(|_| Error::Invalid(format!("{text:?} in the setting dns.resolver is no address of a name server.")))?;
    let mut config = NameServerConfig::udp_and_tcp(address.ip());
    config.connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()]
        .map(|mut connection| {
            connection.port = address.port();
            connection
        })
        .into();
    Ok(config)
}

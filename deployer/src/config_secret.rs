//! Config vars on their way into containers: one Swarm secret per config version of an app, mounted as a file that
//! init reads. Their values appear in no specification and no inspection.

use std::collections::HashMap;

use base64::Engine as _;
use bollard::models::{Secret, SecretSpec};
use bollard::query_parameters::ListSecretsOptionsBuilder;
use skypanel_core::model::{AppSlug, Application};
use skypanel_core::store::ConfigVars;
use zeroize::Zeroizing;

use crate::engine::{call, filters, status};
use crate::{DeployError, Parts, Release, names};

/// Name of the file under `/run/secrets`.
pub(crate) const FILE: &str = "skypanel-config";
const CONFIG_VERSION: &str = "skypanel.config_version";

/// A secret that holds a release's config vars.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ConfigSecret {
    pub(crate) id: String,
    pub(crate) name: String,
}

/// The vars as init reads them: `KEY=VALUE`, each ended by a NUL. An empty secret is not allowed, so no vars are
/// one NUL.
pub(crate) fn encode(config: &ConfigVars) -> Zeroizing<Vec<u8>> {
    let size = config.iter().map(|(key, value)| key.as_str().len() + value.len() + 2).sum::<usize>();
    let mut bytes = Zeroizing::new(Vec::with_capacity(size.max(1)));
    for (key, value) in config {
        bytes.extend_from_slice(key.as_str().as_bytes());
        bytes.push(b'=');
        bytes.extend_from_slice(value);
        bytes.push(0);
    }
    if bytes.is_empty() {
        bytes.push(0);
    }
    bytes
}

/// The secret of this release's config version, made if it is not there.
pub(crate) async fn ensure(parts: &Parts, release: &Release<'_>) -> Result<ConfigSecret, DeployError> {
    let version = release.config_version.to_string();
    let app_id = release.app.id.to_string();
    for secret in list(parts, &release.app.slug).await? {
        let Some(SecretSpec { name: Some(name), labels: Some(labels), .. }) = secret.spec else { continue };
        let has = |label: &str, value: &String| labels.get(label) == Some(value);
        if let Some(id) = secret.id
            && has(CONFIG_VERSION, &version)
            && has(names::APP_ID, &app_id)
        {
            return Ok(ConfigSecret { id, name });
        }
    }
    // The name holds nothing that is made of the values: it can be read by anyone who may list secrets.
    let unique = uuid::Uuid::new_v4().simple().to_string();
    let name = format!("skypanel-{}-config-{version}-{}", release.app.slug, &unique[..8]);
    let mut labels: HashMap<_, _> = names::app_labels(&parts.options.installation, release.app);
    labels.insert(CONFIG_VERSION.to_owned(), version);
    let spec = SecretSpec {
        name: Some(name.clone()),
        labels: Some(labels),
        data: Some(base64::engine::general_purpose::STANDARD.encode(encode(release.config).as_slice())),
        ..Default::default()
    };
    let made = call("Storing the config vars", parts.engine.create_secret(spec)).await?;
    Ok(ConfigSecret { id: made.id, name })
}

/// Removes the app's secrets other than `keep`. One that a service still refers to stays for the next time.
pub(crate) async fn remove_others(parts: &Parts, app: &Application, keep: &ConfigSecret) -> Result<(), DeployError> {
    for secret in list(parts, &app.slug).await? {
        if let Some(id) = secret.id
            && id != keep.id
        {
            remove(parts, &id).await?;
        }
    }
    Ok(())
}

/// Removes a secret, unless a service refers to it.
pub(crate) async fn remove(parts: &Parts, id: &str) -> Result<(), DeployError> {
    match call("Removing old config vars", parts.engine.delete_secret(id)).await {
        Err(error) if matches!(status(&error), Some(400 | 404)) => Ok(()),
        other => other,
    }
}

pub(crate) async fn list(parts: &Parts, slug: &AppSlug) -> Result<Vec<Secret>, DeployError> {
    let ours = filters([(
        "label",
        vec![names::pair(names::INSTALLATION, &parts.options.installation), names::pair(names::APP, slug.as_str())],
    )]);
    let options = ListSecretsOptionsBuilder::new().filters(&ours).build();
    call("Listing the config vars' secrets", parts.engine.list_secrets(Some(options))).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vars_are_ended_by_nul_and_none_are_one_nul() {
        assert_eq!(encode(&ConfigVars::new()).as_slice(), b"\0");
        let vars = [("B", "two\nlines"), ("A", "=1")]
            .map(|(key, value)| (key.parse().expect("a key"), Zeroizing::new(value.as_bytes().to_vec())));
        assert_eq!(encode(&ConfigVars::from(vars)).as_slice(), b"A==1\0B=two\nlines\0");
    }
}

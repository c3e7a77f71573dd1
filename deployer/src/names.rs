//! Names and labels of what Skypanel makes in the engine. Clean-up goes by the labels, never by the names.

use std::collections::HashMap;

pub(crate) use skypanel_core::labels::{APP, APP_ID, DEPLOYMENT, INSTALLATION, PORT, PROCESS, ROLE, VERSION};
use skypanel_core::model::{AppSlug, Application, DeploymentId, ProcessType, ReleaseVersion};

/// Digest of a task's whole specification; tells new tasks from old ones.
pub(crate) const FINGERPRINT: &str = "skypanel.fingerprint";

/// Values of the label [`ROLE`] that the deployer uses.
pub(crate) mod role {
    pub(crate) use skypanel_core::labels::role::TASK;
    pub(crate) const EDGE: &str = "edge";
    pub(crate) const RELEASE: &str = "release";
    pub(crate) const RUN: &str = "run";
}

/// `skypanel-<slug>--<type>`, a DNS label. No slug holds two dashes in a row, so the first two are where it ends, and no
/// two apps share a name.
pub(crate) fn service(app: &AppSlug, process: &ProcessType) -> String {
    format!("skypanel-{app}--{}", process.dns_label())
}

/// The overlay network of an app. What else is called so in the engine's networks is a reserved slug.
pub(crate) fn network(app: &AppSlug) -> String {
    format!("skypanel-{app}")
}

/// `label=value`, as the engine's filters want it.
pub(crate) fn pair(label: &str, value: &str) -> String {
    format!("{label}={value}")
}

/// Labels of everything that belongs to an app.
pub(crate) fn app_labels(installation: &str, app: &Application) -> HashMap<String, String> {
    [(INSTALLATION, installation.to_owned()), (APP, app.slug.to_string()), (APP_ID, app.id.to_string())]
        .map(|(key, value)| (key.to_owned(), value))
        .into()
}

/// Labels of what runs one process type of a release.
pub(crate) fn release_labels(
    installation: &str,
    app: &Application,
    deployment: DeploymentId,
    version: ReleaseVersion,
    process: &str,
    role: &str,
) -> HashMap<String, String> {
    let mut labels = app_labels(installation, app);
    labels.extend(
        [
            (DEPLOYMENT, deployment.to_string()),
            (VERSION, version.0.to_string()),
            (PROCESS, process.to_string()),
            (ROLE, role.to_owned()),
        ]
        .map(|(key, value)| (key.to_owned(), value)),
    );
    labels
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(slug: &str, process: &str) -> String {
        service(&slug.parse().expect("a slug"), &process.parse().expect("a process type"))
    }

    #[test]
    fn an_app_s_process_is_no_other_app_s() {
        assert_ne!(name("shop", "api-web"), name("shop-api", "web"));
        assert_eq!(name("shop", "My_Worker"), "skypanel-shop--my-worker");
        assert!(name(&"a".repeat(30), &"w".repeat(20)).len() <= 63, "a DNS label");
    }

    proptest::proptest! {
        #[test]
        fn no_two_services_share_a_name(
            one in "x(-[xy]){0,3}", other in "x(-[xy]){0,3}", of_one in "x([-_]{0,2}[xy]){0,3}",
            of_other in "x([-_]{0,2}[xy]){0,3}",
        ) {
            let label = |process: &str| process.parse::<ProcessType>().expect("a process type").dns_label();
            let same = one == other && label(&of_one) == label(&of_other);
            proptest::prop_assert_eq!(name(&one, &of_one) == name(&other, &of_other), same);
        }
    }
}

//! What each rule is about, for listings, checks of input and the documentation.

use crate::model::AlertRule;

/// To whom a rule's alerts belong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// The platform's admins.
    Admins,
    /// The people of the organisation that the alert is about. Admins are told of it if they choose the rule.
    Organization,
    /// Both.
    Both,
}

impl Audience {
    /// Whether an organisation's people may see its alerts.
    pub fn has_people(self) -> bool {
        self != Self::Admins
    }

    /// Whether admins are told of all its alerts without having asked for them.
    pub fn has_admins(self) -> bool {
        self != Self::Organization
    }
}

/// What a rule is about.
#[derive(Clone, Copy, Debug)]
pub struct RuleInfo {
    /// To whom its alerts belong.
    pub audience: Audience,
    /// The settings it goes by. With 0 (or `false`) in the first one it is off.
    pub settings: &'static [&'static str],
    /// What it finds, as a sentence.
    pub about: &'static str,
}

impl AlertRule {
    /// What it is about.
    pub fn info(self) -> RuleInfo {
        let (audience, settings, about): (Audience, &'static [&'static str], _) = match self {
            Self::AppDeploysFailing => (
                Audience::Organization,
                &["alerts.app_deploy_failures"],
                "So many deployments of an app in a row failed, the last one within a day.",
            ),
            Self::DeployFailures => (
                Audience::Admins,
                &["alerts.deploy_failure_percent", "alerts.deploy_failure_least", "alerts.window_minutes"],
                "So large a share of the deployments that ended within the window failed.",
            ),
        };
        RuleInfo { audience, settings, about }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;

    #[test]
    fn every_rule_is_explained_and_goes_by_settings_that_there_are() {
        for rule in AlertRule::ALL {
            let info = rule.info();
            assert!(info.about.ends_with('.') && !info.settings.is_empty(), "{rule}");
            for key in info.settings {
                assert!(Settings::info(key).is_some(), "{rule} goes by {key}");
            }
        }
    }
}

//! Names that users choose and that end up in host names, service names and file names.

use std::fmt;
use std::str::FromStr;

use crate::Error;

/// Names an app may not take, because they are ours or would mislead.
const RESERVED_SLUGS: &[&str] = &[
    "admin",
    "api",
    "app",
    "apps",
    // The network of all builds is `skypanel-build`, and an app's is `skypanel-<slug>`.
    "build",
    "builds",
    "dashboard",
    "edge",
    "git",
    "help",
    "internal",
    "localhost",
    "skypanel",
    "stacks",
    "static",
    "status",
    "www",
];

/// Config vars that Skypanel itself sets in every container.
const RESERVED_KEYS: &[&str] = &["PORT", "DYNO", "PS", "HOME"];

/// A word as an error shows it: what follows an equals sign may be a config var's value and is not repeated.
fn shown(text: &str) -> &str {
    text.split_once('=').map_or(text, |(name, _)| name)
}

/// The name of an app, unique across all organisations: 1 to 30 of `a-z`, `0-9` and `-`, starting with a
/// letter, not ending with or doubling a dash; so it is a DNS label as it is.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AppSlug(String);

impl AppSlug {
    /// A name that an app has already, maybe from before it was reserved.
    fn stored(text: &str) -> Result<Self, Error> {
        let shape = (1..=30).contains(&text.len())
            && text.starts_with(|c: char| c.is_ascii_lowercase())
            && !text.ends_with('-')
            && !text.contains("--")
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if !shape {
            return Err(Error::Invalid(format!(
                "{:?} cannot be an app's name. Use 1 to 30 lower-case letters, digits and single dashes, \
                 starting with a letter, such as \"my-shop\".",
                shown(text)
            )));
        }
        Ok(Self(text.to_owned()))
    }
}

impl FromStr for AppSlug {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let slug = Self::stored(text)?;
        if RESERVED_SLUGS.contains(&text) {
            return Err(Error::Invalid(format!("The name {text:?} is reserved. Choose another one.")));
        }
        Ok(slug)
    }
}

/// An app as a client names it: by slug or by id. Slugs begin with a letter and have 30 characters at most, so that
/// no id can be one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum AppRef {
    /// By its slug.
    Slug(AppSlug),
    /// By its id.
    Id(super::AppId),
}

impl FromStr for AppRef {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match text.parse::<uuid::Uuid>() {
            Ok(id) => Ok(Self::Id(super::AppId(id))),
            Err(_) => text.parse().map(Self::Slug),
        }
    }
}

impl fmt::Display for AppRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Slug(slug) => slug.fmt(f),
            Self::Id(id) => id.fmt(f),
        }
    }
}

impl<'de> serde::Deserialize<'de> for AppRef {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str> as serde::Deserialize>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// A process type of a `Procfile`, such as `web`: 1 to 20 of `A-Z a-z 0-9 _ -`, starting with a letter.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProcessType(String);

impl ProcessType {
    /// The routed process type.
    pub fn web() -> Self {
        Self("web".to_owned())
    }

    /// The process that runs once before a rollout.
    pub fn release() -> Self {
        Self("release".to_owned())
    }

    /// Whether the edge sends requests to it.
    pub fn is_routed(&self) -> bool {
        self.0 == "web"
    }

    /// Under what name the app's other processes reach it, which is also in the name of its service: lower case, with
    /// dashes for underscores. Process types that differ in nothing else share it.
    pub fn dns_label(&self) -> String {
        self.0.to_ascii_lowercase().replace('_', "-")
    }
}

impl FromStr for ProcessType {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let shape = (1..=20).contains(&text.len())
            && text.starts_with(|c: char| c.is_ascii_alphabetic())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        if shape {
            return Ok(Self(text.to_owned()));
        }
        Err(Error::Invalid(format!(
            "{:?} cannot be a process type. Use 1 to 20 letters, digits, dashes and underscores, starting with a letter.",
            shown(text)
        )))
    }
}

/// The name of a config var: `[A-Z_][A-Z0-9_]*`, at most 128 bytes, none of those Skypanel sets itself.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConfigKey(String);

impl FromStr for ConfigKey {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let shape = (1..=128).contains(&text.len())
            && !text.starts_with(|c: char| c.is_ascii_digit())
            && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
        if !shape {
            return Err(Error::Invalid(format!(
                "{:?} cannot be a config var's name. Use capital letters, digits and underscores, \
                 such as DATABASE_URL.",
                shown(text)
            )));
        }
        if RESERVED_KEYS.contains(&text) {
            return Err(Error::Invalid(format!("{text} is set by Skypanel itself and cannot be changed.")));
        }
        Ok(Self(text.to_owned()))
    }
}

macro_rules! name {
    ($($name:ident),+) => {$(
        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }
    )+};
}

name!(AppSlug, ProcessType, ConfigKey);
text_value!(AppSlug, AppSlug::stored);
text_value!(ProcessType);
text_value!(ConfigKey);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs_are_dns_labels() {
        for good in ["a", "hello", "my-shop-2", &"a".repeat(30)] {
            assert!(good.parse::<AppSlug>().is_ok(), "{good}");
        }
        for bad in [
            "",
            "-a",
            "a-",
            "a--b",
            "A",
            "1a",
            "a.b",
            "a/b",
            "../a",
            "ä",
            "a b",
            "a\n",
            "admin",
            "build",
            &"a".repeat(31),
        ] {
            assert!(bad.parse::<AppSlug>().is_err(), "{bad}");
        }
    }

    #[test]
    fn config_keys_are_shell_variable_names_that_are_not_ours() {
        for good in ["A", "_A1", "DATABASE_URL"] {
            assert!(good.parse::<ConfigKey>().is_ok(), "{good}");
        }
        for bad in ["", "a", "1A", "A-B", "A=B", "A\0", "PORT", "DYNO", "PS", &"A".repeat(129)] {
            assert!(bad.parse::<ConfigKey>().is_err(), "{bad}");
        }
    }

    #[test]
    fn errors_do_not_repeat_values() {
        let word = "bad-NAME=s3cr3t";
        let told = [
            word.parse::<ConfigKey>().expect_err("no key").to_string(),
            word.parse::<AppSlug>().expect_err("no slug").to_string(),
            word.parse::<ProcessType>().expect_err("no type").to_string(),
        ];
        for text in told {
            assert!(text.contains("\"bad-NAME\"") && !text.contains("s3cr3t"), "{text}");
        }
    }

    #[test]
    fn process_types() {
        assert!("web".parse::<ProcessType>().is_ok_and(|p| p.is_routed()));
        for bad in ["", "1", "we b", "a/b", &"w".repeat(21)] {
            assert!(bad.parse::<ProcessType>().is_err(), "{bad}");
        }
    }
}

//! The tables of docs/settings.md and docs/alerts.md come from the registries of settings and of rules:
//! `SKYPANEL_UPDATE_DOCS=1` writes them anew, and without it a table that is not what a registry says fails the test.

use std::fmt::Write as _;
use std::path::Path;

use skypanel_core::alerts::Audience;
use skypanel_core::model::AlertRule;
use skypanel_core::settings::{SettingInfo, SettingKind, Settings};

/// Begins the table of some groups: `<!-- settings: git -->`, and [`END`] ends it.
const BEGIN: &str = "<!-- settings: ";
const END: &str = "<!-- end of settings -->";

#[test]
fn the_tables_of_settings_are_what_the_registry_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/settings.md");
    let document = std::fs::read_to_string(&path).expect("reads");
    let mut told = Vec::new();
    let mut fresh = String::new();
    let mut lines = document.lines();
    while let Some(line) = lines.next() {
        fresh += line;
        fresh += "\n";
        let Some(groups) = line.strip_prefix(BEGIN) else { continue };
        let groups: Vec<&str> = groups.trim_end_matches(" -->").split(", ").collect();
        assert!(lines.any(|line| line == END), "the table of {groups:?} ends");
        fresh += &table(&groups);
        fresh += END;
        fresh += "\n";
        told.extend(groups.into_iter().map(str::to_owned));
    }
    for info in Settings::REGISTRY {
        let group = group(info);
        assert_eq!(told.iter().filter(|told| *told == group).count(), 1, "docs/settings.md has one table of {group}");
    }
    if std::env::var_os("SKYPANEL_UPDATE_DOCS").is_some() {
        std::fs::write(&path, &fresh).expect("writes");
    }
    assert!(
        fresh == document || std::env::var_os("SKYPANEL_UPDATE_DOCS").is_some(),
        "docs/settings.md is not what the registry says. Write it anew: \
         SKYPANEL_UPDATE_DOCS=1 cargo test -p skypanel-core --test documentation"
    );
}

#[test]
fn the_table_of_rules_is_what_the_code_says() {
    const BEGIN: &str = "<!-- rules -->\n";
    const END: &str = "<!-- end of rules -->";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/alerts.md");
    let document = std::fs::read_to_string(&path).expect("reads");
    let (before, rest) = document.split_once(BEGIN).expect("has a table");
    let (_, after) = rest.split_once(END).expect("the table ends");
    let fresh = format!("{before}{BEGIN}{}{END}{after}", rules());
    if std::env::var_os("SKYPANEL_UPDATE_DOCS").is_some() {
        std::fs::write(&path, &fresh).expect("writes");
        return;
    }
    assert!(
        fresh == document,
        "docs/alerts.md is not what the code says. Write it anew: \
         SKYPANEL_UPDATE_DOCS=1 cargo test -p skypanel-core --test documentation"
    );
}

fn rules() -> String {
    let defaults = Settings::default();
    let mut text = "| rule | finds | settings, with their defaults | told to |\n|---|---|---|---|\n".to_owned();
    for rule in AlertRule::ALL {
        let info = rule.info();
        let settings = info.settings.iter().map(|key| {
            let default = defaults.show(key).expect("is a setting");
            format!("`{key}` {default}")
        });
        let whom = match info.audience {
            Audience::Admins => "admins",
            Audience::Organization => "the organisation",
            Audience::Both => "the organisation and admins",
        };
        let settings: Vec<String> = settings.collect();
        let _ = writeln!(text, "| `{rule}` | {} | {} | {whom} |", info.about, settings.join("<br>"));
    }
    text
}

fn group(info: &SettingInfo) -> &'static str {
    info.key.split('.').next().unwrap_or(info.key)
}

fn table(groups: &[&str]) -> String {
    let defaults = Settings::default();
    let mut text = "| setting | takes | default | what it does |\n|---|---|---|---|\n".to_owned();
    for info in Settings::REGISTRY.iter().filter(|info| groups.contains(&group(info))) {
        let default = defaults.show(info.key).filter(|text| !text.is_empty());
        let default = default.map_or_else(|| "empty".to_owned(), |text| format!("`{text}`"));
        let mut what = info.description().replace('|', "\\|");
        if info.sensitive {
            what += " Stored encrypted and never shown.";
        }
        if info.needs_restart {
            what += " Counts after a restart.";
        }
        let _ = writeln!(text, "| `{}` | {} | {default} | {what} |", info.key, takes(info));
    }
    text
}

fn takes(info: &SettingInfo) -> String {
    match (info.kind, info.range) {
        (SettingKind::Number, Some((least, u64::MAX))) => format!("{least} or more"),
        (SettingKind::Number, Some((least, most))) => format!("{least} to {most}"),
        (SettingKind::Number, None) => "a whole number".to_owned(),
        (SettingKind::Switch, _) => "`true` or `false`".to_owned(),
        (SettingKind::Text, _) => "a text".to_owned(),
        (SettingKind::Choice, _) => {
            info.choices().into_iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
        }
    }
}

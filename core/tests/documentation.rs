//! The settings' documentation lists what there is, as it is.

use skypanel_core::settings::Settings;

#[test]
fn every_setting_is_documented_with_its_default() {
    let document = include_str!("../../docs/settings.md");
    let defaults = Settings::default();
    let rows: Vec<String> = Settings::REGISTRY
        .iter()
        .map(|info| {
            let default = defaults.show(info.key).filter(|text| !text.is_empty());
            let default = default.map_or_else(|| "empty".to_owned(), |text| format!("`{text}`"));
            format!("| `{}` | {default} | {} |", info.key, info.help.trim())
        })
        .collect();
    for row in &rows {
        assert!(document.lines().any(|line| line == row), "docs/settings.md lacks this line:\n{row}");
    }
    let documented = document.lines().filter(|line| {
        line.strip_prefix("| `").and_then(|rest| rest.split('`').next()).is_some_and(|key| key.contains('.'))
    });
    for line in documented {
        assert!(rows.iter().any(|row| row == line), "docs/settings.md has a line of no setting:\n{line}");
    }
}

//! `releases:diff`.

use std::fmt::Write as _;

use clap::Args;
use serde_json::json;
use skypanel_core::actions::ShownChanges;
use skypanel_core::model::{ChangedFile, Changes, FileStatus, NoChanges, Omission};
use skypanel_core::quantity::count;

use crate::commands::context::{AppChoice, Context, Failure};

/// Arguments of `releases:diff`.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    #[command(flatten)]
    choice: AppChoice,
    /// The release, such as v3, or the id of a deployment; the newest deployment without
    version: Option<String>,
}

pub(crate) async fn run(context: &Context, arguments: &Arguments) -> Result<u32, Failure> {
    let app = arguments.choice.named()?;
    let id = context.deployment(&app, arguments.version.as_deref()).await?;
    let shown = context.actions().deployment_changes(context.actor(), &app, id).await?;
    let missing = shown.changes.as_ref().err().copied();
    let json = json!({
        "commit": shown.commit,
        "base_version": shown.base_version.map(|version| version.0),
        "base_commit": shown.base_commit,
        "changes": shown.changes.as_ref().ok(),
        "missing": missing,
        "reason": missing.map(NoChanges::words),
    });
    context.tell(json, described(&shown)).await
}

fn described(shown: &ShownChanges) -> String {
    let changes = match &shown.changes {
        Ok(changes) => changes,
        Err(missing) => return format!("{}\n", missing.words()),
    };
    let mut text = format!(
        "=== {}..{}{}\n",
        short(shown.base_commit.as_deref().unwrap_or_default()),
        short(shown.commit.as_deref().unwrap_or_default()),
        shown.base_version.map(|version| format!(" (beside {version})")).unwrap_or_default(),
    );
    commits(changes, &mut text);
    let _ = writeln!(
        text,
        "\n{}, +{} -{}",
        count(changes.files.len() as u64 + changes.more_files, "file"),
        changes.added,
        changes.removed
    );
    for file in &changes.files {
        text.push('\n');
        describe(file, &mut text);
    }
    if changes.truncated {
        text.push_str("\nThere is more than is kept. In a clone: git diff with the two commits above.\n");
    }
    text
}

fn short(hash: &str) -> &str {
    hash.get(..10).unwrap_or(hash)
}

fn commits(changes: &Changes, text: &mut String) {
    for commit in &changes.commits {
        let _ = writeln!(text, "{}  {}  ({})", short(&commit.hash), commit.subject, commit.author);
    }
    if changes.more_commits > 0 {
        let _ = writeln!(text, "and {} more", changes.more_commits);
    }
    if changes.goes_on == Some(false) {
        text.push_str("The history does not go on from the release before.\n");
    }
}

fn describe(file: &ChangedFile, text: &mut String) {
    let from = file.old_path.as_ref().map(|path| format!("{path} -> ")).unwrap_or_default();
    let _ = write!(text, "--- {}: {from}{}", file.status, file.path);
    if let (Some(old), Some(new)) = (&file.old_mode, &file.new_mode) {
        let _ = write!(text, " (mode {old} -> {new})");
    }
    let why = match file.omitted {
        Some(Omission::Binary) => " (binary)",
        Some(Omission::TooLarge) => " (too large to be compared)",
        Some(Omission::Cut) => " (not all of it is kept)",
        None if file.patch.is_empty() && file.status == FileStatus::Renamed => " (unchanged)",
        None => "",
    };
    let _ = writeln!(text, "{why}\n{}", file.patch.trim_end_matches('\n'));
}

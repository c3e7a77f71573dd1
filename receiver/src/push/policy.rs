//! What may be pushed, and what of it is released. Pure: it is given everything and changes nothing.

use std::fmt::Write as _;

use crate::push::hook::Update;

/// Push options that mean something.
const KNOWN_OPTIONS: &[(&str, &str)] = &[("no-cache", "build without the build cache")];
/// Most notes about single refs; a mirror push has thousands.
const MAX_NOTES: usize = 10;

/// What to do with a push.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Refuse it whole, for this reason.
    Refuse(String),
    /// Take it.
    Accept(Plan),
}

/// What to do with a push that is taken.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    /// What to release, if anything.
    pub(crate) release: Option<Release>,
    /// The branch to make the deploy branch.
    pub(crate) adopt: Option<String>,
    /// Whether to build without a cache.
    pub(crate) no_cache: bool,
    /// What else to tell the developer, at the end.
    pub(crate) notes: String,
}

/// A commit to release.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Release {
    /// The branch it was pushed to.
    pub(crate) branch: String,
    /// Its full hash.
    pub(crate) commit: String,
}

/// Decides. `released` says whether the app ever was.
pub(crate) fn decide(updates: &[Update], options: &[String], deploy_branch: &str, released: bool) -> Decision {
    if let Some(unknown) = options.iter().find(|option| !KNOWN_OPTIONS.iter().any(|(known, _)| known == option)) {
        return Decision::Refuse(unknown_option(unknown));
    }
    let branches: Vec<(&str, &Update)> =
        updates.iter().filter_map(|update| Some((update.reference.strip_prefix("refs/heads/")?, update))).collect();
    let adopt = match branches.as_slice() {
        [("master", update)] if !released && deploy_branch != "master" && !is_deletion(update) => Some("master"),
        _ => None,
    };
    let deploy_branch = adopt.unwrap_or(deploy_branch);
    let to_deploy = branches.iter().find(|(name, _)| *name == deploy_branch).map(|(_, update)| *update);
    if to_deploy.is_some_and(is_deletion) {
        return Decision::Refuse(format!(
            "{deploy_branch} is this app's deploy branch and cannot be deleted, so nothing was changed.\n\
             To stop the app: ps:stop. To remove it: apps:destroy."
        ));
    }
    Decision::Accept(Plan {
        release: to_deploy.map(|update| Release { branch: deploy_branch.to_owned(), commit: update.new.clone() }),
        adopt: adopt.map(str::to_owned),
        no_cache: options.iter().any(|option| option == "no-cache"),
        notes: notes(updates, deploy_branch),
    })
}

fn unknown_option(option: &str) -> String {
    let mut text = format!("{option:?} is not a push option Skypanel knows, so nothing was changed. There are:");
    for (name, meaning) in KNOWN_OPTIONS {
        let _ = write!(text, "\n  git push -o {name}   {meaning}");
    }
    text
}

fn notes(updates: &[Update], deploy_branch: &str) -> String {
    let mut notes = String::new();
    let mut stored_branch = None;
    let others: Vec<&Update> =
        updates.iter().filter(|update| update.reference.strip_prefix("refs/heads/") != Some(deploy_branch)).collect();
    for update in others.iter().take(MAX_NOTES) {
        let done = if is_deletion(update) { "Deleted" } else { "Stored" };
        let (kind, name) = kind_and_name(&update.reference);
        if kind == "branch" && !is_deletion(update) {
            stored_branch.get_or_insert(name);
        }
        let _ = writeln!(notes, "-----> {done} {kind} {}", printable(name));
    }
    if others.len() > MAX_NOTES {
        let _ = writeln!(notes, "       and {} more", others.len() - MAX_NOTES);
    }
    if let Some(name) = stored_branch {
        let _ = writeln!(notes, "       Only {deploy_branch} is released. To release this one:");
        let _ = writeln!(notes, "       git push skypanel {}:{deploy_branch}", printable(name));
    }
    notes
}

fn kind_and_name(reference: &str) -> (&'static str, &str) {
    if let Some(name) = reference.strip_prefix("refs/heads/") {
        ("branch", name)
    } else if let Some(name) = reference.strip_prefix("refs/tags/") {
        ("tag", name)
    } else {
        ("ref", reference)
    }
}

fn is_deletion(update: &Update) -> bool {
    update.new.bytes().all(|byte| byte == b'0')
}

/// Git allows control characters of the C1 range in ref names; terminals do as those say.
fn printable(name: &str) -> String {
    name.chars().map(|character| if character.is_control() { '?' } else { character }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ZERO: &str = "0000000000000000000000000000000000000000";
    const HASH: &str = "1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d";

    fn update(reference: &str, new: &str) -> Update {
        Update { new: new.to_owned(), reference: reference.to_owned() }
    }

    fn plan(updates: &[Update], released: bool) -> Plan {
        match decide(updates, &[], "main", released) {
            Decision::Accept(plan) => plan,
            Decision::Refuse(reason) => panic!("refused: {reason}"),
        }
    }

    #[test]
    fn the_deploy_branch_is_released_whatever_comes_with_it() {
        let plan = plan(&[update("refs/heads/main", HASH), update("refs/tags/v1", HASH)], true);
        assert_eq!(plan.release, Some(Release { branch: "main".to_owned(), commit: HASH.to_owned() }));
        assert_eq!(plan.notes, "-----> Stored tag v1\n");
    }

    #[test]
    fn other_branches_are_stored_with_a_hint() {
        let plan = plan(&[update("refs/heads/feature", HASH)], true);
        assert_eq!(plan.release, None);
        assert!(plan.notes.contains("git push skypanel feature:main"), "{}", plan.notes);
    }

    #[test]
    fn a_lone_master_becomes_the_deploy_branch_of_a_new_app_only() {
        let master = [update("refs/heads/master", HASH)];
        assert_eq!(plan(&master, false).adopt.as_deref(), Some("master"));
        assert_eq!(plan(&master, false).release.map(|release| release.branch).as_deref(), Some("master"));
        assert_eq!(plan(&master, true).adopt, None);
        let both = [update("refs/heads/master", HASH), update("refs/heads/main", HASH)];
        assert_eq!(plan(&both, false).adopt, None);
        assert_eq!(plan(&[update("refs/heads/master", ZERO)], false).adopt, None);
    }

    #[test]
    fn deletions_are_fine_but_for_the_deploy_branch() {
        assert_eq!(plan(&[update("refs/heads/old", ZERO)], true).notes, "-----> Deleted branch old\n");
        let refused = decide(&[update("refs/heads/main", ZERO)], &[], "main", true);
        assert!(matches!(refused, Decision::Refuse(reason) if reason.contains("cannot be deleted")));
    }

    #[test]
    fn options_are_known_or_refused_with_the_known_ones() {
        let options = ["no-cache".to_owned()];
        let decided = decide(&[update("refs/heads/main", HASH)], &options, "main", true);
        assert!(matches!(decided, Decision::Accept(plan) if plan.no_cache));
        let refused = decide(&[update("refs/heads/main", HASH)], &["nocache".to_owned()], "main", true);
        assert!(matches!(refused, Decision::Refuse(reason) if reason.contains("git push -o no-cache")));
    }

    #[test]
    fn a_mirror_push_is_summed_up() {
        let updates: Vec<Update> = (0..40).map(|n| update(&format!("refs/tags/v{n}"), HASH)).collect();
        let notes = plan(&updates, true).notes;
        assert_eq!(notes.lines().count(), MAX_NOTES + 1);
        assert!(notes.ends_with("and 30 more\n"), "{notes}");
    }
}

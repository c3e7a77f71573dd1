//! What several commands show, in the shape that programs read: that of the HTTP API's answers.

use clap::ValueEnum;
use serde_json::{Value, json};
use skypanel_core::actions::{Begun, Started};
use skypanel_core::model::{OrganizationId, OrganizationRef};
use uuid::Uuid;

/// Something that is on or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Switch {
    On,
    Off,
}

impl Switch {
    pub(crate) fn is_on(self) -> bool {
        self == Self::On
    }
}

/// A list. It is never continued: the cursor is there because it is in the HTTP API's lists.
pub(crate) fn listed(items: impl IntoIterator<Item = Value>) -> Value {
    json!({ "items": Value::Array(items.into_iter().collect()), "next_cursor": null })
}

/// A change to what runs.
pub fn begun(begun: &Begun) -> Value {
    json!({
        "app_id": begun.app.id,
        "app": begun.app.slug,
        "app_status": begun.app.status,
        "job_id": begun.job.map(|job| job.0),
    })
}

/// A deployment that was queued.
pub(crate) fn queued(started: &Started) -> Value {
    json!({ "deployment_id": started.deployment, "superseded": started.superseded })
}

/// The organisation that a word names.
pub(crate) fn organization_named(word: &str) -> OrganizationRef {
    match word.parse::<Uuid>() {
        Ok(id) => OrganizationRef::Id(OrganizationId(id)),
        Err(_) => OrganizationRef::Name(word.to_owned()),
    }
}

/// An id, as lists show it.
pub(crate) fn id(word: &str) -> Result<Uuid, String> {
    word.parse().map_err(|_| "that is no id; lists show them in full".to_owned())
}

/// Puts the characters together that chunks of bytes may cut in two.
#[derive(Debug, Default)]
pub struct Characters {
    cut: Vec<u8>,
}

impl Characters {
    /// The text up to the last complete character.
    pub fn complete(&mut self, bytes: &[u8]) -> String {
        self.cut.extend_from_slice(bytes);
        let rest = self.cut.utf8_chunks().last().map_or(0, |chunk| {
            let invalid = chunk.invalid();
            let is_begun = str::from_utf8(invalid).is_err_and(|error| error.error_len().is_none());
            if is_begun { invalid.len() } else { 0 }
        });
        let rest = self.cut.split_off(self.cut.len() - rest);
        let whole = std::mem::replace(&mut self.cut, rest);
        String::from_utf8_lossy(&whole).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_that_are_cut_in_two_come_out_whole() {
        let text = "-----> Gr\u{f6}\u{df}e: 3\u{20ac} \u{1f680}";
        for size in 1..6 {
            let mut characters = Characters::default();
            let told: String = text.as_bytes().chunks(size).map(|piece| characters.complete(piece)).collect();
            assert_eq!(told, text, "in pieces of {size}");
        }
        assert_eq!(Characters::default().complete(b"a\xffb"), "a\u{fffd}b");
    }
}

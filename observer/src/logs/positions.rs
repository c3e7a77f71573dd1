//! How far logs were handed on, by app or drain: a small file in the directory of the store.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use skypanel_core::Error::System;
use skypanel_core::{Result, private_file};
use uuid::Uuid;

/// Positions of whoever hands lines on.
#[derive(Debug)]
pub(super) struct Positions<P> {
    path: PathBuf,
    places: BTreeMap<Uuid, P>,
    is_changed: bool,
}

impl<P: Clone + PartialEq + Serialize + DeserializeOwned> Positions<P> {
    /// Reads those of that name. Where they cannot be read there are none, and what is kept is handed on once more.
    pub(super) fn open(root: &Path, name: &str) -> Self {
        let path = root.join(format!("{name}-positions.json"));
        let places = match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).unwrap_or_else(|error| {
                tracing::warn!(%error, path = %path.display(), "how far logs were handed on is not known");
                BTreeMap::new()
            }),
            Err(_) => BTreeMap::new(),
        };
        Self { path, places, is_changed: false }
    }

    pub(super) fn get(&self, of: Uuid) -> Option<P> {
        self.places.get(&of).cloned()
    }

    pub(super) fn set(&mut self, of: Uuid, place: P) {
        self.is_changed |= self.places.get(&of) != Some(&place);
        self.places.insert(of, place);
    }

    /// Forgets all but these.
    pub(super) fn retain(&mut self, keep: impl Fn(Uuid) -> bool) {
        let before = self.places.len();
        self.places.retain(|of, _| keep(*of));
        self.is_changed |= self.places.len() != before;
    }

    /// Writes them down if they changed.
    pub(super) async fn save(&mut self) -> Result<()> {
        if !self.is_changed {
            return Ok(());
        }
        let failed = |error: &dyn Error| System(format!("{} cannot be written: {error}.", self.path.display()));
        let bytes = serde_json::to_vec(&self.places).map_err(|error| failed(&error))?;
        let path = self.path.clone();
        let written = tokio::task::spawn_blocking(move || private_file::replace(&path, &bytes)).await;
        written.map_err(|error| failed(&error))?.map_err(|error| failed(&error))?;
        self.is_changed = false;
        Ok(())
    }
}

//! What the store does beside writing: sealing what was set aside, bringing to disk what the kernel has, and removing
//! what is too old or too much. One task does it, which the agent starts and stops.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use skypanel_core::model::AppId;
use skypanel_core::{Error, Result};
use tokio_util::sync::CancellationToken;

use super::block::Packer;
use super::place::{self, Kind};
use super::segment::Growing;
use super::{EmbeddedLogs, OpenApp, Writer, app, failed, frame, locked, of_app};

/// How often written lines are brought to disk.
const SYNC_EVERY: Duration = Duration::from_secs(1);
/// Longest that may take at once: with very many apps some wait for the next time, rather than keeping the disk busy.
const SYNC_SHARE: Duration = Duration::from_millis(250);
/// How often it is looked for what is too old or too much, and for files that are due to be sealed.
const LOOK_EVERY: Duration = Duration::from_secs(30);

impl EmbeddedLogs {
    /// Keeps the store in order until `stop`; then everything is brought to disk.
    pub async fn keep(self, stop: CancellationToken) {
        let mut look = tokio::time::interval(LOOK_EVERY);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut sync = tokio::time::interval(SYNC_EVERY);
        sync.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let Ok(writer) = self.writer() else { return };
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                () = writer.to_seal.notified() => self.in_background("sealed", Self::seal).await,
                _ = sync.tick() => self.in_background("brought to disk", |logs| logs.sync(Some(SYNC_SHARE))).await,
                _ = look.tick() => self.in_background("looked through", Self::look_through).await,
            }
        }
        self.in_background("brought to disk", |logs| logs.sync(None)).await;
    }

    /// Runs what waits for the disk; what fails is tried again the next time.
    async fn in_background(&self, what: &'static str, act: impl FnOnce(&Self) -> Result<()> + Send + 'static) {
        let logs = self.clone();
        match tokio::task::spawn_blocking(move || act(&logs)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "logs could not be {what}; it is tried again"),
            Err(error) => tracing::error!(%error, "logs could not be {what}"),
        }
    }

    /// Takes over what earlier processes left, seals what is due, and removes what is too old or too much.
    pub fn look_through(&self) -> Result<()> {
        let writer = self.writer()?;
        for app in self.apps()? {
            let looked = writer.app(app).with_log(writer, self.root(), |log| {
                log.cut_if_due(writer.clock.now());
                log.close_if_idle();
                Ok(())
            });
            looked.map_err(|error| failed(&of_app(self.root(), app), "opened", &error))?;
        }
        self.seal()?;
        self.remove_excess()
    }

    /// Seals all files that were set aside.
    pub fn seal(&self) -> Result<()> {
        let writer = self.writer()?;
        let mut packer = None;
        let mut outcome = Ok(());
        for open in self.open_apps()? {
            if locked(&open.log).as_ref().is_none_or(|log| log.set_aside.is_empty()) {
                continue;
            }
            // One app whose files cannot be written keeps no other waiting.
            if let Err(error) = seal_app(writer, &open, &mut packer) {
                outcome = Err(failed(&of_app(self.root(), open.id), "written", &error));
            }
        }
        outcome
    }

    /// Brings written lines to disk, within about `share` of time; the others wait for the next time.
    pub fn sync(&self, share: Option<Duration>) -> Result<()> {
        let began = Instant::now();
        let mut waiting: VecDeque<_> = self.open_apps()?.into();
        // Begun elsewhere each time, so that none waits for ever.
        let turn = began.elapsed().subsec_nanos() as usize;
        waiting.rotate_left(turn.checked_rem(waiting.len()).unwrap_or_default());
        for open in waiting {
            if share.is_some_and(|share| began.elapsed() > share) {
                break;
            }
            let synced = sync_app(&open);
            synced.map_err(|error| failed(&of_app(self.root(), open.id), "written", &error))?;
        }
        Ok(())
    }

    pub(super) fn open_apps(&self) -> Result<Vec<Arc<OpenApp>>> {
        Ok(locked(&self.writer()?.apps).values().cloned().collect())
    }

    /// Removes all that is kept of an app. What is appended to it from then on is dropped, as long as this process
    /// lives: an app's id is never used again.
    pub fn remove(&self, app: AppId) -> Result<()> {
        let writer = self.writer()?;
        let open = writer.app(app);
        let _sealing = locked(&open.sealing);
        let directory = of_app(self.root(), app);
        let removed = open.with_log(writer, self.root(), |log| {
            log.mark_removed();
            match std::fs::remove_dir_all(&directory) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            }
        });
        removed.map_err(|error| Error::System(format!("{} cannot be removed: {error}.", directory.display())))
    }
}

fn seal_app(writer: &Writer, open: &OpenApp, packer: &mut Option<Packer>) -> io::Result<()> {
    let _sealing = locked(&open.sealing);
    let state = locked(&open.log)
        .as_ref()
        .map(|log| (log.directory().to_owned(), log.set_aside.clone(), log.segments.last().cloned()));
    let Some((directory, waiting, mut newest)) = state else { return Ok(()) };
    let packer = match packer {
        Some(packer) => packer,
        none => none.insert(Packer::new()?),
    };
    for first in waiting {
        let path = place::file(&directory, first, Kind::Active);
        let bytes = std::fs::read(&path)?;
        let (good, ..) = app::good_part(&bytes, first);
        let body = bytes.get(frame::MAGIC.len()..good).unwrap_or_default();
        let (mut frames, ..) = frame::decode_all(body);
        if let Some(sealed) = newest.as_ref().map(|segment| segment.last) {
            frames.retain(|frame| frame.seq > sealed);
        }
        let now = writer.clock.now();
        if let Some(frame) = frames.first() {
            let room = newest.as_ref().filter(|segment| segment.has_room(locked(&writer.limits).app_bytes, now));
            let is_new = room.is_none();
            let mut growing = Growing::open(&directory, room, frame.seq, now)?;
            growing.add(packer, &frames, now)?;
            if is_new {
                place::sync_directory(&directory)?;
            }
            newest = Some(growing.segment);
        }
        place::remove(&path)?;
        let mut log = locked(&open.log);
        let Some(log) = log.as_mut() else { return Ok(()) };
        log.sealed(first, newest.clone());
    }
    Ok(())
}

fn sync_app(open: &OpenApp) -> io::Result<()> {
    let unsynced = match locked(&open.log).as_mut() {
        Some(log) => log.unsynced()?.map(|(file, is_new)| (file, is_new.then(|| log.directory().to_owned()))),
        None => None,
    };
    let Some((file, directory)) = unsynced else { return Ok(()) };
    file.sync_data()?;
    directory.map_or(Ok(()), |directory| place::sync_directory(&directory))
}

//! The reading half of the store: what apps and nodes used, for whoever answers users on this machine.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use skypanel_core::clock::Clock;
use skypanel_core::measurements::{Measurements, NodeUsage, Series, TRAFFIC_SPAN, Traffic};
use skypanel_core::model::AppId;
use skypanel_core::{Error, Result};

use super::file::SeriesFile;
use super::series::{Span, rows, series, traffic};
use super::tier::RAW;
use super::{APPS, NODES, Subject, app_directory};
use crate::metrics::columns::node;

/// How old a measurement may be that tells how things are now, in seconds.
const NOW: i64 = 60;

/// Measurements from the files that the agent of this machine writes.
#[derive(Clone, Debug)]
pub struct EmbeddedMeasurements {
    dir: PathBuf,
    clock: Clock,
}

impl EmbeddedMeasurements {
    /// Reads the store in `dir`. It need not be there: then nothing was measured yet.
    pub fn new(dir: &Path, clock: Clock) -> Self {
        Self { dir: dir.to_owned(), clock }
    }

    async fn read<T: Send + 'static>(&self, read: impl FnOnce(&Path) -> io::Result<T> + Send + 'static) -> Result<T> {
        let dir = self.dir.clone();
        let read = tokio::task::spawn_blocking(move || {
            read(&dir).map_err(|error| {
                Error::System(format!("The measurements in {} cannot be read: {error}.", dir.display()))
            })
        });
        read.await.map_err(|error| Error::System(format!("Reading the measurements broke down: {error}.")))?
    }
}

#[async_trait]
impl Measurements for EmbeddedMeasurements {
    async fn of_app(&self, app: AppId, from: DateTime<Utc>, to: DateTime<Utc>) -> Result<Vec<Series>> {
        let span = Span::new(from, to, self.clock.now());
        self.read(move |dir| {
            let mut all = Vec::new();
            for (subject, path) in files(&app_directory(dir, app))? {
                let Some(file) = SeriesFile::open(&path, subject.layout())? else { continue };
                let of = match &subject {
                    Subject::Replica(_, replica) => Some(replica),
                    _ => None,
                };
                let rows = rows(&file, subject.layout(), span)?;
                all.extend(series(subject.layout(), of, span, &rows));
            }
            Ok(all)
        })
        .await
    }

    async fn of_node(&self, node: &str, from: DateTime<Utc>, to: DateTime<Utc>) -> Result<Vec<Series>> {
        let span = Span::new(from, to, self.clock.now());
        let subject = Subject::Node(node.to_owned());
        self.read(move |dir| {
            let Some(file) = SeriesFile::open(&subject.path(dir), subject.layout())? else { return Ok(Vec::new()) };
            let rows = rows(&file, subject.layout(), span)?;
            Ok(series(subject.layout(), None, span, &rows))
        })
        .await
    }

    async fn nodes_now(&self, now: DateTime<Utc>) -> Result<BTreeMap<String, NodeUsage>> {
        self.read(move |dir| {
            let mut nodes = BTreeMap::new();
            for (subject, path) in files(&dir.join(NODES))? {
                let Some(file) = SeriesFile::open(&path, subject.layout())? else { continue };
                let newest = file.read(RAW, RAW.slot(now.timestamp() - NOW), RAW.slot(now.timestamp()))?.pop();
                let (Subject::Node(name), Some((slot, row))) = (subject, newest) else { continue };
                let value = |place: usize| row.get(place).copied().flatten().map_or(0.0, |cell| cell.mean);
                nodes.insert(
                    name,
                    NodeUsage {
                        at: DateTime::from_timestamp(i64::from(slot) * i64::from(RAW.step), 0).unwrap_or_default(),
                        cpu_cores: value(node::CPU),
                        memory_bytes: value(node::MEMORY),
                        memory_limit_bytes: value(node::MEMORY_LIMIT),
                        disk_bytes: value(node::DISK),
                        disk_limit_bytes: value(node::DISK_LIMIT),
                        load: value(node::LOAD),
                        containers: value(node::CONTAINERS),
                    },
                );
            }
            Ok(nodes)
        })
        .await
    }

    async fn traffic(&self, now: DateTime<Utc>) -> Result<BTreeMap<AppId, Traffic>> {
        let span = i64::try_from(TRAFFIC_SPAN.as_secs()).unwrap_or(i64::MAX);
        let (first, last) = (RAW.slot(now.timestamp() - span + i64::from(RAW.step)), RAW.slot(now.timestamp()));
        self.read(move |dir| {
            let (mut all, mut measured) = (BTreeMap::new(), false);
            for app in apps(dir)? {
                let subject = Subject::Router(app);
                let Some(file) = SeriesFile::open(&subject.path(dir), subject.layout())? else { continue };
                let rows = file.read(RAW, first, last)?;
                measured |= !rows.is_empty();
                all.insert(app, traffic(&rows));
            }
            // Where nothing is measured at the moment, nobody knows.
            Ok(if measured { all } else { BTreeMap::new() })
        })
        .await
    }
}

/// The apps that anything was measured of.
pub(super) fn apps(dir: &Path) -> io::Result<Vec<AppId>> {
    let entries = match std::fs::read_dir(dir.join(APPS)) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let names = entries.map(|entry| entry.map(|entry| entry.file_name())).collect::<io::Result<Vec<_>>>()?;
    Ok(names.iter().filter_map(|name| name.to_str()?.parse().ok().map(AppId)).collect())
}

/// The files of a directory and what they are of, in its order; none where there is no such directory.
fn files(directory: &Path) -> io::Result<Vec<(Subject, PathBuf)>> {
    let entries = match std::fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let paths = entries.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<Vec<_>>>()?;
    let mut files: Vec<(Subject, PathBuf)> =
        paths.into_iter().filter_map(|path| Some((Subject::at(&path)?, path))).collect();
    files.sort();
    Ok(files)
}

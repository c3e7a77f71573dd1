//! The embedded store of measurements: one file of fixed size for each replica, each app as the edge sees it, and each
//! node. The agent writes them; whoever answers users on the same machine reads them, with no lock between the two.

mod file;
mod number;
mod reader;
mod row;
mod series;
mod tier;
mod writer;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use skypanel_core::measurements::Replica;
use skypanel_core::model::AppId;

pub use reader::EmbeddedMeasurements;
pub use writer::Writer;

use super::columns::Layout;

/// Seconds between two measurements.
pub(crate) const INTERVAL: u32 = tier::RAW.step;

const APPS: &str = "apps";
const NODES: &str = "nodes";
/// Name of the file of what the edge sees of an app; those of replicas have a dot in theirs.
const ROUTER: &str = "router";

/// What a file is of.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Subject {
    /// A replica of an app.
    Replica(AppId, Replica),
    /// An app, as the edge sees it.
    Router(AppId),
    /// A node, by its name.
    Node(String),
}

impl Subject {
    fn layout(&self) -> Layout {
        match self {
            Self::Replica(..) => Layout::Replica,
            Self::Router(_) => Layout::Router,
            Self::Node(_) => Layout::Node,
        }
    }

    fn path(&self, dir: &Path) -> PathBuf {
        match self {
            Self::Replica(app, replica) => app_directory(dir, *app).join(replica.to_string()),
            Self::Router(app) => app_directory(dir, *app).join(ROUTER),
            Self::Node(name) => dir.join(NODES).join(node_file(name)),
        }
    }

    /// What the file at `path` is of.
    fn at(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_str()?;
        let directory = path.parent()?;
        if directory.file_name()? == NODES {
            let name = hex::decode(name.strip_prefix("node-")?).ok()?;
            return String::from_utf8(name).ok().map(Self::Node);
        }
        let app = AppId(directory.file_name()?.to_str()?.parse().ok()?);
        if name == ROUTER {
            return Some(Self::Router(app));
        }
        name.parse().ok().map(|replica| Self::Replica(app, replica))
    }
}

fn app_directory(dir: &Path, app: AppId) -> PathBuf {
    dir.join(APPS).join(app.to_string())
}

/// A machine can call itself anything.
fn node_file(name: &str) -> String {
    let mut end = name.len().min(100);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    format!("node-{}", hex::encode(&name[..end]))
}

/// What was measured of something within one step: a value a column.
#[derive(Clone, Debug)]
pub(crate) struct Reading {
    pub(crate) of: Subject,
    pub(crate) values: Vec<Option<f64>>,
}

#[cfg(test)]
mod names {
    use super::*;

    #[test]
    fn files_are_known_by_their_names() {
        let dir = Path::new("/var/lib/skypanel/metrics");
        let app = AppId::new();
        let replica = "web.1".parse().expect("is one");
        for subject in [
            Subject::Replica(app, replica),
            Subject::Router(app),
            Subject::Node("../../etc/passwd".to_owned()),
            Subject::Node("größe".to_owned()),
        ] {
            let path = subject.path(dir);
            assert!(!path.to_string_lossy().contains(".."), "{path:?}");
            assert_eq!(Subject::at(&path), Some(subject));
        }
        for none in ["apps/x/web.1", "nodes/one", "apps/router", "nodes/node-zz"] {
            assert_eq!(Subject::at(&dir.join(none)), None, "{none}");
        }
        assert_eq!(node_file(&"ä".repeat(300)).len(), 205);
    }
}

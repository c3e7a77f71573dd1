//! What the hook asks the receiver: the updates from stdin and what Git says in the environment (githooks(5)).

use std::{
    env,
    ffi::{OsStr, OsString},
    fmt,
    io::{self, BufRead},
    os::unix::ffi::{OsStrExt as _, OsStringExt as _},
    path::Path,
};

use crate::json;

/// One line of a pre-receive hook's stdin. Git keeps names as bytes, so do we until they become JSON.
#[derive(Debug)]
struct Update {
    old: Vec<u8>,
    new: Vec<u8>,
    reference: Vec<u8>,
}

/// Everything the receiver needs to judge a push.
#[derive(Debug)]
pub(crate) struct Request {
    token: OsString,
    updates: Vec<Update>,
    push_options: Vec<OsString>,
    git_dir: OsString,
    quarantine: Option<OsString>,
    object_directory: Option<OsString>,
    alternates: Option<OsString>,
}

/// Why the push cannot be put into a request.
#[derive(Debug)]
pub(crate) enum RequestError {
    Stdin(io::Error),
    MalformedUpdate(usize),
    NoUpdates,
    PushOptions,
    GitDirectory(io::Error),
}

impl fmt::Display for RequestError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stdin(error) => write!(formatter, "the list of updates is cut off ({error})"),
            Self::MalformedUpdate(line) => {
                write!(formatter, "line {line} of the list of updates is not `<old> <new> <ref>`")
            }
            Self::NoUpdates => write!(formatter, "the list of updates is empty"),
            Self::PushOptions => write!(formatter, "the push options are incomplete"),
            Self::GitDirectory(error) => {
                write!(formatter, "the repository's directory is unknown ({error})")
            }
        }
    }
}

impl Request {
    /// Collects the request from stdin and the environment.
    pub(crate) fn gather(token: OsString, stdin: &mut impl BufRead) -> Result<Self, RequestError> {
        Ok(Self {
            token,
            updates: read_updates(stdin)?,
            push_options: push_options()?,
            git_dir: absolute(&env::var_os("GIT_DIR").unwrap_or_else(|| OsString::from(".")))
                .map_err(RequestError::GitDirectory)?,
            quarantine: optional_path("GIT_QUARANTINE_PATH")?,
            object_directory: optional_path("GIT_OBJECT_DIRECTORY")?,
            alternates: env::var_os("GIT_ALTERNATE_OBJECT_DIRECTORIES"),
        })
    }

    /// The request as one line of JSON, its newline included.
    pub(crate) fn to_json_line(&self) -> Vec<u8> {
        let mut out = String::with_capacity(512 + self.updates.len() * 160);
        out.push_str("{\"token\":");
        json::push_string(&mut out, self.token.as_bytes());
        out.push_str(",\"updates\":");
        json::push_array(&mut out, &self.updates, |out, update| {
            out.push_str("{\"old\":");
            json::push_string(out, &update.old);
            out.push_str(",\"new\":");
            json::push_string(out, &update.new);
            out.push_str(",\"reference\":");
            json::push_string(out, &update.reference);
            out.push('}');
        });
        out.push_str(",\"push_options\":");
        json::push_array(&mut out, &self.push_options, |out, option| {
            json::push_string(out, option.as_bytes());
        });
        out.push_str(",\"git_dir\":");
        json::push_string(&mut out, self.git_dir.as_bytes());
        for (name, value) in [
            (",\"quarantine\":", &self.quarantine),
            (",\"object_directory\":", &self.object_directory),
            (",\"alternates\":", &self.alternates),
        ] {
            out.push_str(name);
            json::push_optional(&mut out, value.as_deref().map(OsStr::as_bytes));
        }
        out.push_str("}\n");
        out.into_bytes()
    }
}

fn read_updates(stdin: &mut impl BufRead) -> Result<Vec<Update>, RequestError> {
    let mut updates = Vec::new();
    let mut line = Vec::new();
    loop {
        line.clear();
        if stdin.read_until(b'\n', &mut line).map_err(RequestError::Stdin)? == 0 {
            break;
        }
        let text = line.strip_suffix(b"\n").unwrap_or(&line);
        // Only the first two spaces separate: what follows is the name, whatever it holds.
        let mut fields = text.splitn(3, |byte| *byte == b' ').filter(|field| !field.is_empty());
        let (Some(old), Some(new), Some(reference)) = (fields.next(), fields.next(), fields.next()) else {
            return Err(RequestError::MalformedUpdate(updates.len() + 1));
        };
        updates.push(Update { old: old.into(), new: new.into(), reference: reference.into() });
    }
    if updates.is_empty() { Err(RequestError::NoUpdates) } else { Ok(updates) }
}

fn push_options() -> Result<Vec<OsString>, RequestError> {
    let Some(count) = env::var_os("GIT_PUSH_OPTION_COUNT") else {
        return Ok(Vec::new());
    };
    let count: usize = count.to_str().and_then(|count| count.parse().ok()).ok_or(RequestError::PushOptions)?;
    (0..count).map(|index| env::var_os(format!("GIT_PUSH_OPTION_{index}")).ok_or(RequestError::PushOptions)).collect()
}

fn optional_path(name: &str) -> Result<Option<OsString>, RequestError> {
    env::var_os(name)
        .filter(|value| !value.is_empty())
        .map(|value| absolute(&value).map_err(RequestError::GitDirectory))
        .transpose()
}

/// Git hands out paths relative to the hook's directory (`GIT_DIR=.`), which mean nothing to the receiver.
fn absolute(path: &OsStr) -> io::Result<OsString> {
    let path = std::path::absolute(Path::new(path))?;
    // Rebuilding from the components drops the `.` that Git leaves in.
    let path: std::path::PathBuf = path.components().collect();
    Ok(OsString::from_vec(path.into_os_string().into_vec()))
}

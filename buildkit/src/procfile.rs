//! What an app declares to run: its `Procfile`, over the defaults in the buildpack's `.release`.

use std::collections::BTreeMap;

use skypanel_core::model::ProcessType;

use crate::BuildError;

/// Process types and their command lines.
pub(crate) type Processes = BTreeMap<ProcessType, String>;

/// Reads a `Procfile`: one `type: command` a line; empty lines and lines that begin with `#` are skipped.
pub(crate) fn parse(content: &[u8]) -> Result<Processes, BuildError> {
    let wrong = |text: String| BuildError::ProcessTypes(format!("The Procfile is wrong: {text}"));
    let text = std::str::from_utf8(content).map_err(|_| wrong("it is not UTF-8 text.".to_owned()))?;
    let mut processes = Processes::new();
    for (index, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        let number = index + 1;
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (name, command) = line
            .split_once(':')
            .map(|(name, command)| (name.trim(), command.trim()))
            .filter(|(_, command)| !command.is_empty())
            .ok_or_else(|| {
                wrong(format!("line {number} is not of the form \"type: command\", such as \"web: ./start\"."))
            })?;
        let process: ProcessType = name.parse().map_err(|error| wrong(format!("in line {number}, {error}")))?;
        if command.contains('\0') {
            return Err(wrong(format!("line {number} holds a NUL byte.")));
        }
        if !can_name_a_service(&process) {
            return Err(wrong(format!("in line {number}, \"{name}\" must end with a letter or a digit.")));
        }
        match of_same_name(&processes, &process) {
            Some(other) if *other == process => {
                return Err(wrong(format!("line {number} declares \"{name}\" a second time.")));
            }
            Some(other) => {
                return Err(wrong(format!(
                    "\"{other}\" and, in line {number}, \"{name}\" differ only in case or in - and _, and would both be \
                     reached as \"{}\". Give one of them another name.",
                    process.dns_label()
                )));
            }
            None => processes.insert(process, command.to_owned()),
        };
    }
    Ok(processes)
}

/// Whether the engine takes the process type as the end of a service's name.
fn can_name_a_service(process: &ProcessType) -> bool {
    process.as_str().ends_with(|last: char| last.is_ascii_alphanumeric())
}

/// The process type that is reached under the same name.
fn of_same_name<'a>(processes: &'a Processes, process: &ProcessType) -> Option<&'a ProcessType> {
    let label = process.dns_label();
    processes.keys().find(|other| other.dns_label() == label)
}

/// Reads `default_process_types` of a buildpack's `bin/release` output, which is a small YAML document: one
/// key a line below it, values plain or quoted. What does not fit that is skipped, as the app's own
/// `Procfile` can always say it better.
pub(crate) fn parse_release(content: &[u8]) -> Processes {
    let text = String::from_utf8_lossy(content);
    let mut lines = text.lines().skip_while(|line| line.trim_end() != "default_process_types:").skip(1);
    let mut processes = Processes::new();
    for line in lines.by_ref() {
        let trimmed = line.trim();
        if trimmed.is_empty() || trimmed.starts_with('#') {
            continue;
        }
        if !line.starts_with([' ', '\t']) {
            break;
        }
        let Some((name, value)) = trimmed.split_once(':') else { continue };
        let Ok(process) = unquote(name.trim()).parse::<ProcessType>() else { continue };
        let command = unquote(value.trim());
        let clashes = of_same_name(&processes, &process).is_some_and(|other| *other != process);
        if !command.is_empty() && can_name_a_service(&process) && !clashes {
            processes.insert(process, command);
        }
    }
    processes
}

/// The value of a YAML scalar written on one line.
fn unquote(scalar: &str) -> String {
    if let Some(inner) = scalar.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')) {
        return inner.replace("''", "'");
    }
    if let Some(inner) = scalar.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        let mut out = String::with_capacity(inner.len());
        let mut escaped = false;
        for c in inner.chars() {
            if c == '\\' && !escaped {
                escaped = true;
                continue;
            }
            out.push(match c {
                'n' if escaped => '\n',
                't' if escaped => '\t',
                other => other,
            });
            escaped = false;
        }
        return out;
    }
    scalar.split(" #").next().unwrap_or_default().trim_end().to_owned()
}

/// What will run: the `Procfile` over the buildpack's defaults.
pub(crate) fn merge(procfile: Option<&[u8]>, release: Option<&[u8]>) -> Result<Processes, BuildError> {
    let mut processes = release.map(parse_release).unwrap_or_default();
    if let Some(procfile) = procfile {
        let own = parse(procfile)?;
        processes.retain(|default, _| of_same_name(&own, default).is_none());
        processes.extend(own);
    }
    if processes.is_empty() {
        return Err(BuildError::ProcessTypes(
            "The app declares no process type, so nothing would run.\n\
             Add a file named Procfile with a line such as   web: ./start --port $PORT   and push again."
                .to_owned(),
        ));
    }
    Ok(processes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(processes: &Processes) -> Vec<String> {
        processes.iter().map(|(process, command)| format!("{process}={command}")).collect()
    }

    #[test]
    fn procfiles_are_read_with_comments_and_dos_line_ends() {
        let processes = parse(b"\xef\xbb\xbf# what runs\r\nweb: ./start --port $PORT\r\n\r\nworker_2 :  a: b # c\n");
        assert_eq!(shown(&processes.expect("is right")), ["web=./start --port $PORT", "worker_2=a: b # c"]);
    }

    #[test]
    fn wrong_lines_are_named() {
        for (procfile, words) in [
            (&b"web: x\nweb"[..], "line 2 is not of the form"),
            (b"web:", "line 1 is not of the form"),
            (b"web: a\nweb: b", "line 2 declares \"web\" a second time"),
            (b"we b: a", "cannot be a process type"),
            (b"My_Worker: a\nmy-worker: b", "\"My_Worker\" and, in line 2, \"my-worker\" differ only in case"),
            (b"web: a\nWeb: b", "reached as \"web\""),
            (b"web-: a", "\"web-\" must end with a letter or a digit"),
            (b"web: \xff", "not UTF-8"),
            (b"web: a\0b", "NUL"),
        ] {
            let error = parse(procfile).expect_err("is wrong").to_string();
            assert!(error.contains(words), "{error}");
        }
    }

    #[test]
    fn release_defaults_are_read() {
        let release = b"---\naddons: []\ndefault_process_types:\n  web: gunicorn app:app # served\n  'worker': \"run \\\"x\\\"\"\n  clock: 'it''s'\nconfig_vars:\n  A: b\n";
        assert_eq!(shown(&parse_release(release)), ["clock=it's", "web=gunicorn app:app", "worker=run \"x\""]);
        assert!(parse_release(b"--- {}\n").is_empty());
        assert!(parse_release(b"default_process_types: {}\n").is_empty());
    }

    #[test]
    fn the_procfile_wins_over_defaults() {
        let merged = merge(Some(b"web: mine"), Some(b"default_process_types:\n  web: theirs\n  worker: w\n"));
        assert_eq!(shown(&merged.expect("is right")), ["web=mine", "worker=w"]);
        let merged = merge(Some(b"my_job: mine"), Some(b"default_process_types:\n  my-job: theirs\n  My-Job: more\n"));
        assert_eq!(shown(&merged.expect("is right")), ["my_job=mine"]);
        let error = merge(Some(b"# nothing\n"), None).expect_err("nothing runs").to_string();
        assert!(error.contains("Add a file named Procfile"), "{error}");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            if let Ok(processes) = parse(&bytes) {
                prop_assert!(processes.values().all(|command| !command.is_empty() && !command.contains(['\n', '\0'])));
            }
            parse_release(&bytes);
        }
    }
}

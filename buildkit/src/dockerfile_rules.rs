//! What an app's Dockerfile may not ask of the engine. The engine builds with the host's network and with every
//! image it holds, so `ADD` of an address would reach the host's own ports, and a base image named by its id, or at
//! our image endpoint, could be another app's.

use std::collections::HashMap;

use crate::{BuildError, source};

/// Refuses a Dockerfile that breaks a rule, naming the line.
pub(crate) fn check(dockerfile: &[u8]) -> Result<(), BuildError> {
    if dockerfile.len() as u64 > source::MAX_DOCKERFILE {
        return Err(refused("", "A Dockerfile may have 1 MB at most."));
    }
    let text = String::from_utf8_lossy(dockerfile);
    let mut defaults = HashMap::new();
    let mut stages = Vec::new();
    let lines = logical_lines(&text)?;
    for line in &lines {
        let mut words = line.split_whitespace();
        let mut instruction = words.next().unwrap_or_default().to_ascii_uppercase();
        if instruction == "ONBUILD" {
            instruction = words.next().unwrap_or_default().to_ascii_uppercase();
        }
        let words: Vec<&str> = words.collect();
        match instruction.as_str() {
            "ARG" => defaults.extend(words.iter().filter_map(|word| word.split_once('='))),
            "FROM" => from(line, &words, &defaults, &mut stages)?,
            "COPY" => {
                for source in words.iter().filter_map(|word| word.strip_prefix("--from=")) {
                    let stage = source.bytes().all(|byte| byte.is_ascii_digit()) && source.len() <= 3;
                    if !stage && !stages.iter().any(|name| source.eq_ignore_ascii_case(name)) {
                        base_image(line, source)?;
                    }
                }
            }
            "ADD" if words.iter().any(|word| word.contains("://") || word.contains(['$', '\\', '@'])) => {
                return Err(refused(
                    line,
                    "ADD may not fetch from an address, nor use variables: the engine would fetch with the host's own \
                     network. Use RUN with curl or git, or COPY.",
                ));
            }
            _ => {}
        }
    }
    Ok(())
}

fn from<'a>(
    line: &str,
    words: &[&'a str],
    defaults: &HashMap<&str, &'a str>,
    stages: &mut Vec<String>,
) -> Result<(), BuildError> {
    let mut words = words.iter().filter(|word| !word.starts_with("--"));
    let named = words.next().copied().unwrap_or_default();
    let variable = named.strip_prefix('$').map(|name| name.trim_start_matches('{').trim_end_matches('}'));
    let image = match variable {
        Some(name) => defaults.get(name).copied().map(|value| value.trim_matches(['"', '\''])).ok_or_else(|| {
            refused(line, "FROM may use one ARG with a default before it, as a whole, and no other variables.")
        })?,
        None => named,
    };
    if image != "scratch" && !stages.iter().any(|stage| image.eq_ignore_ascii_case(stage)) {
        base_image(line, image)?;
    }
    if let (Some(word), Some(stage)) = (words.next(), words.next())
        && word.eq_ignore_ascii_case("as")
    {
        stages.push((*stage).to_owned());
    }
    Ok(())
}

/// Refuses names that could lead to what another app left in the engine.
fn base_image(line: &str, image: &str) -> Result<(), BuildError> {
    let id = image.strip_prefix("sha256:").unwrap_or(image);
    let by_id = id.bytes().all(|byte| byte.is_ascii_hexdigit());
    // Stacks are everybody's, and no app can be called so.
    let stack = image.starts_with("127.") && image.split_once('/').is_some_and(|(_, name)| name.starts_with("stacks/"));
    let local = ["127.", "localhost", "[", "skypanel-build/"].iter().any(|start| image.starts_with(start));
    if by_id || (local && !stack) || image.contains(['$', '\\']) {
        return Err(refused(
            line,
            "A base image has to be named as in a registry, such as debian:12, and not by id or at this machine.",
        ));
    }
    Ok(())
}

/// Lines with their continuations joined, without comments.
fn logical_lines(text: &str) -> Result<Vec<String>, BuildError> {
    let mut lines = Vec::new();
    let mut current = String::new();
    for line in text.lines() {
        let trimmed = line.trim();
        if let Some(comment) = trimmed.strip_prefix('#') {
            let directive: String = comment.chars().filter(|c| !c.is_whitespace()).collect();
            if directive.to_ascii_lowercase().starts_with("escape=") && directive != "escape=\\" {
                return Err(refused(
                    trimmed,
                    "The escape directive is not supported. Continue lines with a backslash.",
                ));
            }
            continue;
        }
        match trimmed.strip_suffix('\\') {
            Some(begun) => current.push_str(begun),
            None if trimmed.is_empty() => {}
            None => {
                current.push_str(trimmed);
                lines.push(std::mem::take(&mut current));
            }
        }
    }
    if !current.is_empty() {
        lines.push(current);
    }
    Ok(lines)
}

fn refused(line: &str, why: &str) -> BuildError {
    let step = line.chars().filter(|character| !character.is_control()).take(200).collect();
    BuildError::Dockerfile { step, message: why.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_dockerfiles_pass() {
        for good in [
            "FROM debian:12\nADD a b\nCOPY --from=0 /a /b\nCMD [\"x\"]",
            "ARG STACK=skypanel/stack:skypanel-12\nFROM ${STACK}\nRUN curl https://example.org",
            "FROM golang:1.23 AS build\nRUN a \\\n  && b\nFROM scratch\nCOPY --from=build /a /a",
            "FROM registry.example:5000/team/app@sha256:0123\n# ADD http://x /\n",
            "FROM 127.0.0.1:5100/stacks/skypanel-12@sha256:00",
            "from --platform=linux/amd64 alpine as base\nfrom base",
        ] {
            assert!(check(good.as_bytes()).is_ok(), "{good}");
        }
    }

    #[test]
    fn what_reaches_the_host_or_other_apps_is_refused() {
        for bad in [
            "FROM debian:12\nADD http://127.0.0.1:8080/ /x",
            "FROM debian:12\nadd [\"http://127.0.0.1:8080/\", \"/x\"]",
            "FROM debian:12\nADD \\\n  http://169.254.169.254/ /x",
            "FROM debian:12\nARG U=http\nADD $U /x",
            "FROM debian:12\nADD [\"http:\\u002f\\u002f127.0.0.1/\", \"/x\"]",
            "FROM debian:12\nADD git@github.com:a/b /x",
            "FROM debian:12\nONBUILD ADD http://127.0.0.1/ /x",
            "FROM 0123456789ab",
            "FROM sha256:0123456789ab",
            "ARG X=0123456789ab\nFROM $X",
            "ARG A=0123\nARG B=4567\nFROM $A$B",
            "FROM 127.0.0.1:5100/other@sha256:00",
            "FROM localhost:5100/other",
            "FROM skypanel-build/a/b:c",
            "FROM debian:12\nCOPY --from=0123456789ab /app /x",
            "# escape=`\nFROM debian:12",
        ] {
            assert!(check(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}

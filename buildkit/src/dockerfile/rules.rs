//! What an app's Dockerfile may not ask of the engine. The engine builds with the host's network and with every
//! image it holds, so `ADD` of an address would reach the host's own ports, and a base image named by its id, or at
//! our image endpoint, could be another app's.

use std::collections::HashMap;

use super::lines::{Instruction, instructions};
use crate::{BuildError, source};

/// With these the engine makes one word of another.
const QUOTES: [char; 4] = ['"', '\'', '\\', '`'];

/// Refuses a Dockerfile that breaks a rule, naming the line.
pub(crate) fn check(dockerfile: &[u8]) -> Result<(), BuildError> {
    if dockerfile.len() as u64 > source::MAX_DOCKERFILE {
        return Err(refused("", "A Dockerfile may have 1 MB at most."));
    }
    let text = String::from_utf8_lossy(dockerfile);
    let instructions = instructions(&text).map_err(|(line, why)| refused(&line, why))?;
    let mut defaults = Defaults::default();
    let mut stages = Vec::new();
    for instruction in &instructions {
        let line = instruction.line();
        let mut words = instruction.rest.split_whitespace();
        let mut keyword = instruction.keyword.clone();
        let mut rest = instruction.rest.as_str();
        if keyword == "ONBUILD" {
            keyword = words.next().unwrap_or_default().to_ascii_uppercase();
            rest = rest.split_once(char::is_whitespace).map_or("", |(_, rest)| rest);
        }
        let words: Vec<&str> = words.collect();
        let mut flags = words.iter().take_while(|word| word.starts_with("--"));
        if matches!(keyword.as_str(), "FROM" | "COPY" | "ADD") && flags.any(|flag| flag.contains(QUOTES)) {
            return Err(refused(&line, "The options of FROM, COPY and ADD may not hold quotes."));
        }
        match keyword.as_str() {
            // FROM sees those above the first FROM only.
            "ARG" if stages.is_empty() => defaults.read(instruction),
            "FROM" => from(&line, &words, &defaults, &mut stages)?,
            "COPY" => {
                for source in words.iter().filter_map(|word| word.strip_prefix("--from=")) {
                    let stage = source.bytes().all(|byte| byte.is_ascii_digit()) && source.len() <= 3;
                    if !stage && !stages.iter().any(|name| source.eq_ignore_ascii_case(name)) {
                        base_image(&line, source)?;
                    }
                }
            }
            "ADD" if !adds_files_only(rest) => {
                return Err(refused(
                    &line,
                    "ADD may not fetch from an address, nor use variables: the engine would fetch with the host's own \
                     network. Use RUN with curl or git, or COPY.",
                ));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Whether what `ADD` is given are plainly files: no addresses, nor what could become one.
fn adds_files_only(rest: &str) -> bool {
    let plain = |path: &str| !path.contains("://") && !path.contains(['$', '@']) && !path.contains(QUOTES);
    let mut rest = rest.trim_start();
    while rest.starts_with("--") {
        rest = rest.split_once(char::is_whitespace).map_or("", |(_, rest)| rest.trim_start());
    }
    match serde_json::from_str::<Vec<String>>(rest) {
        Ok(paths) => !rest.contains('\\') && paths.iter().all(|path| plain(path)),
        Err(_) => rest.split_whitespace().all(plain),
    }
}

/// The defaults of the variables that FROM may use.
#[derive(Default)]
struct Defaults {
    values: HashMap<String, String>,
    /// Whether there was an ARG of which it is not certain what it says.
    unclear: bool,
}

impl Defaults {
    fn read(&mut self, instruction: &Instruction) {
        for word in instruction.rest.split_whitespace() {
            let Some((name, value)) = word.split_once('=') else { continue };
            let unquoted = ['"', '\''].iter().find_map(|quote| value.strip_prefix(*quote)?.strip_suffix(*quote));
            let value = unquoted.unwrap_or(value);
            self.unclear |= value.contains(QUOTES) || name.contains(QUOTES);
            self.values.insert(name.to_owned(), value.to_owned());
        }
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).filter(|_| !self.unclear).map(String::as_str)
    }
}

fn from(line: &str, words: &[&str], defaults: &Defaults, stages: &mut Vec<String>) -> Result<(), BuildError> {
    let mut words = words.iter().filter(|word| !word.starts_with("--"));
    let named = words.next().copied().unwrap_or_default();
    let variable = named.strip_prefix('$').map(|name| name.trim_start_matches('{').trim_end_matches('}'));
    let image = match variable {
        Some(name) => defaults.get(name).ok_or_else(|| {
            refused(line, "FROM may use one ARG with a plain default before it, as a whole, and no other variables.")
        })?,
        None => named,
    };
    if image != "scratch" && !stages.iter().any(|stage| image.eq_ignore_ascii_case(stage)) {
        base_image(line, image)?;
    }
    let stage = match (words.next(), words.next()) {
        (Some(word), Some(stage)) if word.eq_ignore_ascii_case("as") => (*stage).to_owned(),
        _ => String::new(),
    };
    stages.push(stage);
    Ok(())
}

/// Refuses names that could lead to what another app left in the engine.
fn base_image(line: &str, image: &str) -> Result<(), BuildError> {
    let id = image.strip_prefix("sha256:").unwrap_or(image);
    let by_id = id.bytes().all(|byte| byte.is_ascii_hexdigit());
    // Stacks are everybody's, and no app can be called so.
    let stack = image.starts_with("127.") && image.split_once('/').is_some_and(|(_, name)| name.starts_with("stacks/"));
    let local = ["127.", "localhost", "[", "skypanel-build/"].iter().any(|start| image.starts_with(start));
    if by_id || (local && !stack) || image.contains('$') || image.contains(QUOTES) {
        return Err(refused(
            line,
            "A base image has to be named as in a registry, such as debian:12, and not by id or at this machine.",
        ));
    }
    Ok(())
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
            "# escape=`\nFROM debian:12\nRUN a `\n && b",
            "ARG X=\"debian:12\"\nFROM ${X} AS a\nARG Y='a b'\nFROM a",
            "FROM debian:12\nADD [\"a\", \"b\"]\nADD --chown=app a.tar.gz /",
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
            // What the engine reads as another instruction, or as another word, than it seems.
            "FROM debian:12\nRUN a \\\\\nADD http://127.0.0.1/ /x",
            "FROM debian:12\nRUN a \\\r\r\nADD http://127.0.0.1/ /x",
            "# escape=`\nFROM debian:12\nRUN a \\\nADD http://127.0.0.1/ /x",
            "# escape=`\nFROM debian:12\nADD htt`p:`//127.0.0.1/ /x",
            "FROM debian:12\nADD http:\"//\"127.0.0.1/ /x",
            "FROM debian:12\nADD [ http:\"//\"127.0.0.1/ /x",
            "FROM debian:12\nADD [\"http:'//'127.0.0.1/\", \"/x\"]",
            "FROM \"0123456789ab\"",
            "FROM debian:12\nCOPY --fr\\om=0123456789ab /app /x",
            "FROM debian:12\nCOPY --from='0123456789ab' /app /x",
            "ARG X=0123456789ab\nFROM debian:12\nARG X=debian:12\nFROM $X",
            "ARG X=0123456789ab A=\"b X=debian\"\nFROM $X",
            "ARG X=0123456789ab A=b\\ X=debian\nFROM $X",
        ] {
            assert!(check(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}

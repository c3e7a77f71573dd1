//! What an app's Dockerfile may not ask of the engine. The engine builds with the host's network and with every
//! image it holds, so `ADD` of an address would reach the host's own ports, and a base image named by its id, or at
//! our image endpoint, could be another app's.

use std::collections::HashMap;

use super::base::Base;

use super::lines::{Instruction, instructions};
use crate::{BuildError, source};

/// With these the engine makes one word of another.
const QUOTES: [char; 4] = ['"', '\'', '\\', '`'];

/// Refuses a Dockerfile that breaks a rule, naming the line. Returns the images its stages start from. `stack` is
/// the one image of this machine's endpoint that may be named: there, a digest alone says which image is meant.
pub(crate) fn check(dockerfile: &[u8], stack: &str) -> Result<Vec<Base>, BuildError> {
    if dockerfile.len() as u64 > source::MAX_DOCKERFILE {
        return Err(refused("", "A Dockerfile may have 1 MB at most."));
    }
    let text = String::from_utf8_lossy(dockerfile);
    let instructions = instructions(&text).map_err(|(line, why)| refused(&line, why))?;
    let mut defaults = Defaults::default();
    let mut stages = Vec::new();
    let mut bases = Vec::new();
    for instruction in &instructions {
        let line = instruction.line();
        // The engine makes small letters of some that are none in ASCII.
        if !instruction.keyword.is_ascii() {
            return Err(refused(&line, "There is no such instruction."));
        }
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
        if matches!(keyword.as_str(), "RUN" | "COPY" | "ADD") && words.iter().any(|word| is_here_document(word)) {
            return Err(refused(
                &line,
                "Here-documents are not understood. Put the text into a file, or use RUN printf with \\n.",
            ));
        }
        match keyword.as_str() {
            // FROM sees those above the first FROM only.
            "ARG" if stages.is_empty() => defaults.read(instruction),
            "FROM" => bases.extend(from(&line, &words, &defaults, stack, &mut stages)?),
            "COPY" => {
                for source in words.iter().filter_map(|word| word.strip_prefix("--from=")) {
                    let stage = source.bytes().all(|byte| byte.is_ascii_digit()) && source.len() <= 3;
                    if !stage && !stages.iter().any(|name| source.eq_ignore_ascii_case(name)) {
                        base_image(&line, source, stack)?;
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
    Ok(bases)
}

/// Whether newer engines take the lines that follow for a text of this instruction's.
fn is_here_document(word: &str) -> bool {
    let word = word.trim_start_matches(|digit: char| digit.is_ascii_digit());
    word.strip_prefix("<<").is_some_and(|rest| !rest.trim_start_matches('-').is_empty() && !rest.starts_with('<'))
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
            let before = self.values.insert(name.to_owned(), value.to_owned());
            self.unclear |= value.contains(QUOTES) || name.contains(QUOTES) || before.is_some_and(|old| old != value);
        }
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).filter(|_| !self.unclear).map(String::as_str)
    }
}

fn from(
    line: &str,
    words: &[&str],
    defaults: &Defaults,
    stack: &str,
    stages: &mut Vec<String>,
) -> Result<Option<Base>, BuildError> {
    let platform = words.iter().find_map(|word| word.strip_prefix("--platform="));
    let mut words = words.iter().filter(|word| !word.starts_with("--"));
    let named = words.next().copied().unwrap_or_default();
    let image = match named.strip_prefix('$') {
        Some(variable) => whole_name(variable).and_then(|name| defaults.get(name)).ok_or_else(|| {
            refused(line, "FROM may use one ARG with a plain default before it, as a whole, and no other variables.")
        })?,
        None => named,
    };
    let own = image != "scratch" && !stages.iter().any(|stage| image.eq_ignore_ascii_case(stage));
    if own {
        base_image(line, image, stack)?;
    }
    let stage = match (words.next(), words.next()) {
        (Some(word), Some(stage)) if word.eq_ignore_ascii_case("as") => (*stage).to_owned(),
        _ => String::new(),
    };
    stages.push(stage);
    Ok(own.then(|| Base { line: line.to_owned(), image: image.to_owned(), platform: platform.map(str::to_owned) }))
}

/// The name in `NAME` or `{NAME}`; none where the engine would do more than to look it up.
fn whole_name(variable: &str) -> Option<&str> {
    let name = variable.strip_prefix('{').map_or(Some(variable), |rest| rest.strip_suffix('}'))?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    (name.bytes().all(plain) && !name.starts_with(|first: char| first.is_ascii_digit())).then_some(name)
}

/// Refuses names that could lead to what another app left in the engine.
fn base_image(line: &str, image: &str, stack: &str) -> Result<(), BuildError> {
    let plain = image.starts_with(|first: char| first.is_ascii_alphanumeric())
        && image.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._/:@-".contains(&byte));
    // Names of hosts are the same in capitals.
    let small = image.to_ascii_lowercase();
    let id = small.strip_prefix("sha256:").unwrap_or(&small);
    let by_id = id.bytes().all(|byte| byte.is_ascii_hexdigit());
    let host = |name: &str| name.split('/').next().unwrap_or_default().to_owned();
    let port = |name: &str| host(name).rsplit_once(':').map(|(_, port)| port.to_owned());
    let local = ["127.", "0.", "localhost"].iter().any(|start| small.starts_with(start))
        // A name may lead to this machine as well.
        || (small.contains('/') && port(&small).is_some_and(|own| port(stack) == Some(own)))
        // Also below docker.io/, which the engine leaves out of names.
        || small.split('/').any(|part| part == super::REPOSITORY);
    if !plain || by_id || (local && image != stack) {
        return Err(refused(
            line,
            "A base image has to be named as in a registry, such as debian:12, and not by id or at this machine.",
        ));
    }
    Ok(())
}

pub(super) fn refused(line: &str, why: &str) -> BuildError {
    let step = line.chars().filter(|character| !character.is_control()).take(200).collect();
    BuildError::Dockerfile { step, message: why.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STACK: &str = "127.0.0.1:5100/stacks/skypanel-12@sha256:00";

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
            "ARG X=debian:12\nARG X=debian:12\nFROM $X\nRUN echo $((1 << 2)) && cat <<<a",
            "FROM debian:12\nONBUILD COPY a /a",
        ] {
            assert!(check(good.as_bytes(), STACK).is_ok(), "{good}");
        }
    }

    #[test]
    fn the_images_that_stages_start_from() {
        let text = "ARG X=a:1\nFROM $X AS first\nFROM scratch\nFROM First\nFROM --platform=linux/amd64 b.example/c";
        let bases = check(text.as_bytes(), STACK).expect("passes");
        let told: Vec<_> = bases.iter().map(|base| (base.image.as_str(), base.platform.as_deref())).collect();
        assert_eq!(told, [("a:1", None), ("b.example/c", Some("linux/amd64"))]);
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
            "FROM 127.0.0.1:5100/stacks/skypanel-12@sha256:01",
            "FROM 127.0.0.2:5100/stacks/skypanel-12@sha256:00",
            "FROM this-machine.example:5100/other@sha256:00",
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
            "FROM \"67419395548e\"",
            "FROM '127.0.0.1:5100/other@sha256:00'",
            "FROM 0123456789AB",
            "FROM LOCALHOST:5100/other@sha256:00",
            "FROM 0.0.0.0:5100/other",
            "FROM docker.io/skypanel-build/a/b:c",
            "FROM _/debian",
            "FROM [::1]:5100/other",
            "FROM debian:12\nCOPY --fr'o'm=0123456789ab /app /x",
            "FROM debian:12\nCOPY --from=$X /app /x",
            "FROM debian:12\nONBUILD COPY --from=0123456789ab /app /x",
            "FROM debian:12\nONBU\u{130}LD ADD http://127.0.0.1/ /x",
            "FROM debian:12\nADD\\\n http://127.0.0.1/ /x",
            "FROM debian:12\nLABEL a=\\\u{a0}\nADD http://127.0.0.1/ /x",
            "FROM debian:12\nCOPY \\\r\r\n--from=0123456789ab /app /x",
            "\u{feff}# escape=`\nFROM debian:12\nRUN a \\\nADD http://127.0.0.1/ /x",
            "#\u{a0}escape=`\nFROM debian:12\nRUN a `\nADD http://127.0.0.1/ /x",
            "# syntax=x\n# escape=`\nFROM debian:12\nRUN a `\nADD http://127.0.0.1/ /x",
            "FROM debian:12\nRUN <<'E\\'\nx\nE\\\nADD http://127.0.0.1/ /x",
            "FROM debian:12\nRUN <<E\nFROM debian:12 AS 0123456789ab\nE\nFROM 0123456789ab",
            "ARG X=0123456789ab\nFROM scratch\nARG X=debian:12\nFROM $X",
            "ARG X=0123456789ab\nARG X=debian:12\nFROM $X",
            "ARG X:-0123456789ab=debian:12\nFROM ${X:-0123456789ab}",
            "FROM \"$X\"",
            "FROM debian:12\nCOPY --fr\\om=0123456789ab /app /x",
            "FROM debian:12\nCOPY --from='0123456789ab' /app /x",
            "ARG X=0123456789ab\nFROM debian:12\nARG X=debian:12\nFROM $X",
            "ARG X=0123456789ab A=\"b X=debian\"\nFROM $X",
            "ARG X=0123456789ab A=b\\ X=debian\nFROM $X",
        ] {
            assert!(check(bad.as_bytes(), STACK).is_err(), "{bad}");
        }
    }
}

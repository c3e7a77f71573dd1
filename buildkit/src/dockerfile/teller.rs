//! What the engine's builder tells, turned into lines for the developer.

use bollard::models::BuildInfo;

use super::trust::Additions;

/// What the engine puts around the error output of a step.
const COLOURS: [&str; 2] = ["\u{1b}[91m", "\u{1b}[0m"];
/// Output of a step without a line break is told after this many bytes.
const MAX_LINE: usize = 16 * 1024;
/// Lines of the engine that tell a developer nothing.
const NOISE: [&str; 6] = [
    " --->",
    "Removing intermediate container",
    "Successfully built",
    "Successfully tagged",
    "Sending build context",
    "[Warning] One or more build-args",
];

/// What the name of a step's container follows.
const RUNNING_IN: &str = " ---> Running in ";

/// Turns the engine's news into lines for the developer, in which steps are numbered as in the repository's own
/// Dockerfile.
#[derive(Default)]
pub(super) struct Teller {
    additions: Additions,
    rest: String,
    /// The step that runs.
    pub(super) step: String,
    /// How many steps of ours began.
    ours: usize,
    /// Whether the step that runs is one.
    hidden: bool,
    /// The container that the step runs in, until it is asked for.
    container: Option<String>,
}

impl Teller {
    /// Hides `additions`.
    pub(super) fn new(additions: Additions) -> Self {
        Self { additions, ..Self::default() }
    }

    /// What there is to tell after some news.
    pub(super) fn lines(&mut self, info: &BuildInfo) -> Vec<String> {
        if let (Some(status), None) = (&info.status, &info.id) {
            return vec![status.clone()];
        }
        self.rest.push_str(info.stream.as_deref().unwrap_or_default());
        let mut lines = Vec::new();
        if self.rest.len() > MAX_LINE {
            self.rest.push('\n');
        }
        while let Some(end) = self.rest.find('\n') {
            let line: String = self.rest.drain(..=end).collect();
            let line = COLOURS.iter().fold(line, |line, colour| line.replace(colour, ""));
            let line = line.trim_end();
            let begun = self.begin(line);
            if let Some(container) = line.strip_prefix(RUNNING_IN) {
                self.container = Some(container.to_owned());
            }
            if self.hidden {
                continue;
            }
            if line == " ---> Using cache" {
                lines.push("(cached)".to_owned());
            } else if !line.is_empty() && !NOISE.iter().any(|noise| line.starts_with(noise)) {
                lines.push(begun.unwrap_or_else(|| line.to_owned()));
            }
        }
        lines
    }

    /// The container of a step that has begun since this was called last. Only said to be one: a step may write the
    /// same words.
    pub(super) fn container(&mut self) -> Option<String> {
        self.container.take()
    }

    /// Takes note of a step that begins; the line to tell it by.
    fn begin(&mut self, line: &str) -> Option<String> {
        let (count, instruction) = line.strip_prefix("Step ")?.split_once(" : ")?;
        let (number, of) = count.split_once('/')?;
        let (number, of): (usize, usize) = (number.parse().ok()?, of.parse().ok()?);
        self.hidden = self.additions.has(instruction);
        if self.hidden {
            self.ours += 1;
            "adding the CA bundle (setting build.ca_bundle)".clone_into(&mut self.step);
            return None;
        }
        let total = of.saturating_sub(self.additions.count());
        self.step = format!("Step {}/{total} : {instruction}", number.saturating_sub(self.ours));
        Some(self.step.clone())
    }

    /// A message about the Dockerfile, with the number of its line as the repository has it.
    pub(super) fn in_lines_of_the_original(&self, message: &str) -> String {
        const WORDS: &str = "parse error line ";
        let Some((before, after)) = message.split_once(WORDS) else { return message.to_owned() };
        let end = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
        match after[..end].parse() {
            Ok(number) => format!("{before}{WORDS}{}{}", self.additions.original_line(number), &after[end..]),
            Err(_) => message.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dockerfile::trust;

    fn told(mut teller: Teller, pieces: &[&str]) -> (Vec<String>, String) {
        let lines = pieces
            .iter()
            .flat_map(|piece| teller.lines(&BuildInfo { stream: Some((*piece).to_owned()), ..Default::default() }))
            .collect();
        (lines, teller.step)
    }

    #[test]
    fn steps_and_output_are_told_and_noise_is_not() {
        let (lines, step) = told(
            Teller::default(),
            &[
                "Step 1/2 : FROM x",
                "\n ---> 0123456789ab\n",
                "Step 2/2 : RUN y\n ---> Running in 0123\n",
                "\u{1b}[91mwarn",
                "ing\n\u{1b}[0m",
                "Removing intermediate container 0123\n ---> Using cache\nSuccessfully built 0123\n",
            ],
        );
        assert_eq!(lines, ["Step 1/2 : FROM x", "Step 2/2 : RUN y", "warning", "(cached)"]);
        assert_eq!(step, "Step 2/2 : RUN y");
    }

    #[test]
    fn our_own_steps_are_hidden_and_not_counted() {
        let adapted = trust::adapt(b"FROM x\nRUN y\nFROM z\nCOPY a b\n", "b:1").expect("runs something");
        let text = String::from_utf8(adapted.text).expect("is text");
        let engine: Vec<String> = text
            .lines()
            .enumerate()
            .map(|(at, line)| format!("Step {}/6 : {line}\n ---> Using cache\n", at + 1))
            .collect();
        let pieces: Vec<&str> = engine.iter().map(String::as_str).collect();
        let (lines, _) = told(Teller::new(adapted.additions.clone()), &pieces);
        let steps: Vec<_> = lines.iter().filter(|line| *line != "(cached)").collect();
        assert_eq!(steps, ["Step 1/4 : FROM x", "Step 2/4 : RUN y", "Step 3/4 : FROM z", "Step 4/4 : COPY a b"]);
        assert_eq!(lines.len(), 8);

        let message = "dockerfile parse error line 5: unknown instruction: FROMM";
        let told = Teller::new(adapted.additions).in_lines_of_the_original(message);
        assert_eq!(told, "dockerfile parse error line 3: unknown instruction: FROMM");
    }
}

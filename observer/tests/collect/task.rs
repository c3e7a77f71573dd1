//! What runs inside the containers of these tests: this test program itself, told by its environment what to be.

use std::io::Write as _;
use std::time::{Duration, Instant};

/// What a container is.
#[derive(Clone, Debug)]
pub(crate) enum Task {
    /// Writes these bytes to standard output, those to standard error, and ends.
    Says(Vec<u8>, Vec<u8>),
    /// Writes numbered lines, so many a second, so many in all, and ends.
    Counts { per_second: u32, lines: u32 },
}

impl Task {
    pub(crate) fn environment(&self) -> Vec<String> {
        let list = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
        match self {
            Self::Says(out, err) => {
                vec!["TASK=says".to_owned(), format!("OUT={}", list(out)), format!("ERR={}", list(err))]
            }
            Self::Counts { per_second, lines } => {
                vec!["TASK=counts".to_owned(), format!("RATE={per_second}"), format!("LINES={lines}")]
            }
        }
    }
}

/// Does nothing where it is run as a test.
#[test]
fn be_a_task() {
    let bytes = |name: &str| -> Vec<u8> {
        let text = std::env::var(name).unwrap_or_default();
        let digits = text.as_bytes().chunks(2).map(|digits| std::str::from_utf8(digits).expect("is text"));
        digits.map(|digits| u8::from_str_radix(digits, 16).expect("is a number")).collect()
    };
    let number = |name: &str| -> u32 { std::env::var(name).expect("is set").parse().expect("a number") };
    let mut out = std::io::stdout();
    match std::env::var("TASK").as_deref() {
        Ok("says") => {
            // The test runner has begun a line.
            let text = [b"\n", bytes("OUT").as_slice()].concat();
            out.write_all(&text).expect("writes");
            out.flush().expect("writes");
            std::io::stderr().write_all(&bytes("ERR")).expect("writes");
            // Without another word of the test runner.
            std::process::exit(0);
        }
        Ok("counts") => {
            count(number("RATE"), number("LINES"));
            std::process::exit(0);
        }
        _ => {}
    }
}

/// Writes lines in pieces of a hundredth of a second.
fn count(per_second: u32, lines: u32) {
    const STEP: Duration = Duration::from_millis(10);
    let mut out = std::io::stdout().lock();
    out.write_all(b"\n").expect("writes");
    let (begun, per_step) = (Instant::now(), (per_second / 100).max(1));
    let mut next = 0;
    let mut step = 0;
    while next < lines {
        let mut piece = Vec::new();
        for number in next..(next + per_step).min(lines) {
            writeln!(piece, "line {number:08} of a flood whose lines are as long as ordinary ones").expect("writes");
        }
        out.write_all(&piece).expect("writes");
        next += per_step;
        step += 1;
        std::thread::sleep((STEP * step).saturating_sub(begun.elapsed()));
    }
    out.flush().expect("writes");
}

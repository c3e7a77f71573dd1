//! docs/commands.md says of every command what it takes: the arguments and options by which it is parsed.

use std::collections::{BTreeMap, BTreeSet};

use clap::{Arg, Command};
use skypanel_receiver::platform_commands;

/// Commands that the document explains in a chapter of their own.
const ELSEWHERE: &[&str] = &["help", "logs", "run"];

/// A row of a table: its cells.
fn rows(document: &str) -> impl Iterator<Item = Vec<String>> {
    document.lines().filter_map(|line| {
        let inner = line.strip_prefix('|')?.strip_suffix('|')?.replace("\\|", "\u{0}");
        Some(inner.split('|').map(|cell| cell.trim().replace('\u{0}', "|")).collect())
    })
}

/// What stands between backticks.
fn code(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

/// A usage line of the document, taken apart.
#[derive(Debug, Default)]
struct Usage {
    options: BTreeSet<String>,
    /// Arguments that are not in brackets, and those that are.
    required: usize,
    optional: usize,
}

impl Usage {
    fn read(line: &str, command: &Command) -> Self {
        let mut usage = Self::default();
        let line = line.split(" < ").next().unwrap_or_default().replace("|--", " --");
        let mut depth = 0_usize;
        let mut is_value = false;
        for word in line.split(' ').skip(1) {
            depth += word.matches('[').count();
            let bare = word.trim_matches(['[', ']']);
            if let Some(option) = bare.strip_prefix('-') {
                let name = option.trim_start_matches('-');
                let found = command.get_arguments().find(|arg| is_called(arg, name));
                let found = found.unwrap_or_else(|| panic!("{} takes no {bare}", command.get_name()));
                usage.options.insert(found.get_id().to_string());
                is_value = found.get_action().takes_values();
            } else if bare != "..." && bare != "OPTIONS" && !std::mem::take(&mut is_value) {
                *(if depth > 0 { &mut usage.optional } else { &mut usage.required }) += 1;
            }
            depth -= word.matches(']').count();
        }
        usage
    }
}

fn is_called(arg: &Arg, name: &str) -> bool {
    arg.get_long() == Some(name) || arg.get_short().is_some_and(|short| short.to_string() == name)
}

/// Options that have a table of their own, by command.
fn option_tables(document: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut tables: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut of: Option<String> = None;
    for line in document.lines() {
        let Some(cells) = rows(line).next() else {
            of = None;
            continue;
        };
        if let Some(named) = cells[0].strip_prefix("option of ") {
            of = code(named).first().map(|name| (*name).to_owned());
        } else if let Some(of) = &of {
            let names = code(&cells[0]).into_iter().filter_map(|option| option.split(' ').next()?.strip_prefix("--"));
            tables.entry(of.clone()).or_default().extend(names.map(str::to_owned));
        }
    }
    tables
}

#[test]
fn every_command_is_documented_with_what_it_takes() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/commands.md");
    let document = std::fs::read_to_string(path).expect("reads");
    let platform = platform_commands();
    let tables = option_tables(&document);
    for (of, options) in &tables {
        let command = platform.find_subcommand(of).unwrap_or_else(|| panic!("there is no {of}"));
        for option in options {
            assert!(command.get_arguments().any(|arg| is_called(arg, option)), "{of} takes no --{option}");
        }
    }
    let mut documented = BTreeSet::new();
    for cells in rows(&document).filter(|cells| cells.len() == 2 && !cells[0].starts_with("option of")) {
        for line in code(&cells[0]) {
            let Some(command) = line.split(' ').next().and_then(|name| platform.find_subcommand(name)) else {
                continue;
            };
            check(command, line, &cells[1], &tables);
            documented.insert(command.get_name());
        }
    }
    for command in platform.get_subcommands().map(Command::get_name) {
        assert!(
            documented.contains(command) || ELSEWHERE.contains(&command),
            "docs/commands.md says nothing of {command}"
        );
    }
}

fn check(command: &Command, line: &str, about: &str, tables: &BTreeMap<String, BTreeSet<String>>) {
    let usage = Usage::read(line, command);
    let arguments: Vec<&Arg> = command.get_arguments().filter(|arg| arg.is_positional()).collect();
    let required = arguments.iter().filter(|arg| arg.is_required_set()).count();
    let takes_many = arguments.iter().any(|arg| arg.get_num_args().is_some_and(|range| range.max_values() > 1));
    let told = usage.required + usage.optional;
    assert!(
        told == arguments.len() || (takes_many && told > arguments.len()),
        "`{line}` has {told} arguments, not {}",
        arguments.len()
    );
    assert!(usage.required >= required, "`{line}` says that it goes without what it needs");
    // Options with a table, of this command or of one that the row refers to.
    let referred = code(about).into_iter().chain([command.get_name()]);
    let in_tables: BTreeSet<&String> =
        referred.filter(|_| line.contains("[OPTIONS]")).filter_map(|name| tables.get(name)).flatten().collect();
    for option in command.get_arguments().filter(|arg| !arg.is_positional()) {
        let id = option.get_id().as_str();
        // The app may be an argument as well as an option.
        let is_told = usage.options.contains(id)
            || option.get_long().is_some_and(|long| in_tables.iter().any(|told| *told == long))
            || (id == "app" && arguments.iter().any(|arg| arg.get_id() == "name"));
        assert!(is_told, "`{line}` says nothing of --{}", option.get_long().unwrap_or(id));
    }
}

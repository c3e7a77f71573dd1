//! The store against a list in memory: any lines, written, sealed, reopened in any order, read in any way.

use proptest::prelude::*;
use skypanel_core::logs::{
    LogCursor, LogDirection, LogFilter, LogLevel, LogPageQuery, LogRecord, LogSource, Logs as _, TextMatch,
};

use crate::world::{World, all, at, records};

const PROCESSES: &[&str] = &["web.1", "web.2", "webber.1", "worker.1", "router", "é.1", ""];
const WORDS: &[&str] = &["GET /items", "get /ITEMS", "error: \u{1b}[31mred", "", "\n", "a\nb", "\0", "é", "x"];

#[derive(Clone, Debug)]
enum Step {
    Append(Vec<LogRecord>),
    Seal,
    Reopen,
}

fn any_record() -> impl Strategy<Value = LogRecord> {
    let time = prop_oneof![
        4 => (0_i64..1_000).prop_map(at),
        // Clocks jump, and know nanoseconds.
        1 => (-1_000_000_000_i64..1_000_000_000).prop_map(|nanos| at(0) + chrono::TimeDelta::nanoseconds(nanos)),
    ];
    let text = prop_oneof![
        3 => proptest::collection::vec(proptest::sample::select(WORDS), 0..4).prop_map(|words| words.concat().into_bytes()),
        1 => proptest::collection::vec(any::<u8>(), 0..30),
    ];
    let sources = proptest::sample::select(LogSource::ALL);
    let level = proptest::option::of(proptest::sample::select(LogLevel::ALL));
    let process = proptest::sample::select(PROCESSES);
    (time, sources, level, process, any::<bool>(), text).prop_map(|(at, source, level, process, continues, text)| {
        LogRecord { at, source, process: process.to_owned(), level, continues, text: text.into() }
    })
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => proptest::collection::vec(any_record(), 0..20).prop_map(Step::Append),
        2 => Just(Step::Seal),
        1 => Just(Step::Reopen),
    ]
}

fn any_filter() -> impl Strategy<Value = LogFilter> {
    let time = || proptest::option::of((0_i64..1_000).prop_map(at));
    let text = prop_oneof![
        2 => Just(None),
        1 => proptest::sample::select(WORDS).prop_map(|word| Some(TextMatch::Holds(word.to_owned()))),
        1 => proptest::sample::select(&["^GET", "items$", "^$", "e|x", "(?s)a.b"][..])
            .prop_map(|text| Some(TextMatch::Matches(regex::bytes::Regex::new(text).expect("an expression")))),
    ];
    let process = proptest::option::of(proptest::sample::select(&["web", "web.1", "w", "router", "é", "none"][..]));
    let sources = proptest::collection::vec(proptest::sample::select(LogSource::ALL), 0..3);
    let level = proptest::option::of(proptest::sample::select(LogLevel::ALL));
    (time(), time(), sources, process, level, text).prop_map(|(since, until, sources, process, level, text)| {
        LogFilter { since, until, sources, process: process.map(str::to_owned), level, text }
    })
}

/// What a filter means, word by word.
fn wants(filter: &LogFilter, record: &LogRecord) -> bool {
    let process = |wanted: &String| record.process == *wanted || record.process.starts_with(&format!("{wanted}."));
    let holds = |wanted: &str| {
        let (text, wanted) = (record.text.to_ascii_lowercase(), wanted.as_bytes().to_ascii_lowercase());
        wanted.is_empty() || text.windows(wanted.len()).any(|part| part == wanted)
    };
    filter.since.is_none_or(|since| record.at >= since)
        && filter.until.is_none_or(|until| record.at < until)
        && (filter.sources.is_empty() || filter.sources.contains(&record.source))
        && filter.process.as_ref().is_none_or(process)
        && filter.level.is_none_or(|least| record.level.is_some_and(|level| level >= least))
        && filter.text.as_ref().is_none_or(|text| match text {
            TextMatch::Holds(wanted) => holds(wanted),
            TextMatch::Matches(expression) => expression.is_match(&record.text),
        })
}

fn run(steps: Vec<Step>, filters: &[LogFilter], lines: usize) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let mut world = World::new();
        let mut model = Vec::new();
        for step in steps {
            match step {
                Step::Append(records) => {
                    world.append(&records);
                    model.extend(records);
                }
                Step::Seal => world.seal(),
                Step::Reopen => world.open(),
            }
        }
        let reader = world.reader();
        let kept = world.all().await;
        assert_eq!(records(&kept), model);
        for filter in filters {
            let expected: Vec<_> = model.iter().filter(|record| wants(filter, record)).cloned().collect();
            for direction in [LogDirection::Forward, LogDirection::Backward] {
                let found = all(&reader, world.app, filter, direction, lines).await;
                assert_eq!(records(&found), expected, "{filter:?} {direction:?}");
            }
        }
        // Any line's cursor is a place to go on from, in both directions, without that line.
        for (number, line) in kept.iter().enumerate() {
            let page = |direction, cursor: &LogCursor| {
                let query =
                    LogPageQuery { filter: LogFilter::default(), direction, cursor: Some(cursor.clone()), lines };
                let page = reader.page(world.app, query);
                async { records(&page.await.expect("a page").lines) }
            };
            let behind: Vec<_> = model[number + 1..].iter().take(lines).cloned().collect();
            assert_eq!(page(LogDirection::Forward, &line.cursor).await, behind);
            let before = &model[number.saturating_sub(lines)..number];
            assert_eq!(page(LogDirection::Backward, &line.cursor).await, before);
        }
    });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_read(
        steps in proptest::collection::vec(any_step(), 1..12),
        filters in proptest::collection::vec(any_filter(), 1..6),
        lines in 1_usize..8,
    ) {
        run(steps, &filters, lines);
    }
}

//! A strict reader of the text form of OpenMetrics, for as much of it as metrics here use.

use std::collections::BTreeMap;

type Labels = BTreeMap<String, String>;

/// Everything that was told, by the name of the sample and its labels.
#[derive(Debug, Default)]
pub(crate) struct Exposition {
    samples: BTreeMap<(String, Labels), f64>,
    kinds: BTreeMap<String, String>,
}

impl Exposition {
    /// Reads a text, and holds it to the rules: families in one piece and described before their samples, suffixes as
    /// their kind has them, no sample twice, histograms that add up, an end.
    #[track_caller]
    pub(crate) fn read(text: &str) -> Self {
        let mut read = Self::default();
        let body = text.strip_suffix("# EOF\n").expect("ends as it should");
        let mut family = String::new();
        for line in body.lines() {
            let words: Vec<&str> = line.splitn(4, ' ').collect();
            match words.as_slice() {
                ["#", "HELP", name, help] => {
                    assert!(!help.is_empty() && !read.kinds.contains_key(*name), "{line}");
                    (*name).clone_into(&mut family);
                }
                ["#", "TYPE", name, kind] => {
                    assert_eq!(*name, family, "{line}");
                    assert!(read.kinds.insert((*name).to_owned(), (*kind).to_owned()).is_none(), "{line}");
                }
                ["#", ..] => panic!("neither help nor type: {line}"),
                _ => read.sample(&family, line),
            }
        }
        read.check_histograms();
        read
    }

    fn sample(&mut self, family: &str, line: &str) {
        let (series, value) = line.rsplit_once(' ').expect(line);
        let (name, labels) = match series.split_once('{') {
            Some((name, rest)) => (name, rest.strip_suffix('}').expect(line)),
            None => (series, ""),
        };
        let suffix = name.strip_prefix(family).unwrap_or_else(|| panic!("not of {family}: {line}"));
        let allowed: &[&str] = match self.kinds[family].as_str() {
            "counter" => &["_total"],
            "gauge" => &[""],
            "histogram" => &["_bucket", "_sum", "_count"],
            other => panic!("{other}: {line}"),
        };
        assert!(allowed.contains(&suffix), "{line}");
        let mut found = Labels::new();
        // No value of ours holds a comma, quote or backslash.
        for pair in labels.split(',').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').expect(line);
            let value = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).expect(line);
            assert!(key.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{line}");
            assert!(found.insert(key.to_owned(), value.to_owned()).is_none(), "{line}");
        }
        let value: f64 = value.parse().expect(line);
        assert!(self.samples.insert((name.to_owned(), found), value).is_none(), "twice: {line}");
    }

    fn check_histograms(&self) {
        for family in self.kinds.iter().filter(|(_, kind)| *kind == "histogram").map(|(name, _)| name) {
            let counts = self.samples.iter().filter(|((name, _), _)| *name == format!("{family}_count"));
            for ((_, labels), count) in counts {
                let buckets = self.buckets(family, labels);
                assert!(buckets.is_sorted_by(|a, b| a.0 < b.0 && a.1 <= b.1), "{family}{labels:?}: {buckets:?}");
                assert_eq!(buckets.last(), Some(&(f64::INFINITY, *count)), "{family}{labels:?}");
                assert!(self.samples.contains_key(&(format!("{family}_sum"), labels.clone())), "{family}{labels:?}");
            }
        }
    }

    /// Upper bounds of a histogram and how many are up to each, least first.
    pub(crate) fn buckets(&self, family: &str, labels: &Labels) -> Vec<(f64, f64)> {
        let name = format!("{family}_bucket");
        let of_it = self.samples.iter().filter(|((sample, found), _)| {
            *sample == name && labels.iter().all(|(key, value)| found.get(key) == Some(value))
        });
        let mut buckets: Vec<(f64, f64)> = of_it
            .map(|((_, labels), count)| {
                let bound = labels["le"].as_str();
                (if bound == "+Inf" { f64::INFINITY } else { bound.parse().expect("is a number") }, *count)
            })
            .collect();
        buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
        buckets
    }

    /// The value of one sample.
    #[track_caller]
    pub(crate) fn get(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let key = (name.to_owned(), self::labels(labels));
        *self.samples.get(&key).unwrap_or_else(|| panic!("{key:?} is not among {:#?}", self.samples))
    }

    /// What kind a family is.
    pub(crate) fn kind(&self, family: &str) -> Option<&str> {
        self.kinds.get(family).map(String::as_str)
    }
}

pub(crate) fn labels(pairs: &[(&str, &str)]) -> Labels {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

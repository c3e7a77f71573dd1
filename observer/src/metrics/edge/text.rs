//! The text form in which Prometheus is told values, one line at a time.

/// A line with a value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Sample<'a> {
    /// Name of what is measured.
    pub(crate) name: &'a str,
    /// What stands between the braces.
    labels: &'a str,
    /// What stands behind them.
    rest: &'a str,
}

impl<'a> Sample<'a> {
    /// Of a line; none for comments and for what has no right form.
    pub(crate) fn parse(line: &'a str) -> Option<Self> {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            return None;
        }
        let name_ends = line.find(|c: char| c == '{' || c.is_ascii_whitespace())?;
        let (name, behind) = line.split_at(name_ends);
        let (labels, rest) = match behind.strip_prefix('{') {
            Some(inner) => {
                let ends = end_of_labels(inner)?;
                (&inner[..ends], &inner[ends + 1..])
            }
            None => ("", behind),
        };
        (!name.is_empty()).then_some(Self { name, labels, rest: rest.trim() })
    }

    /// The value.
    pub(crate) fn value(&self) -> Option<f64> {
        self.rest.split_ascii_whitespace().next()?.parse().ok()
    }

    /// The value of a label, as it is written: what is escaped in it stays so.
    pub(crate) fn label(&self, name: &str) -> Option<&'a str> {
        let mut left = self.labels;
        loop {
            let (key, behind) = left.split_once('=')?;
            let inner = behind.trim_start().strip_prefix('"')?;
            let ends = end_of_value(inner)?;
            if key.trim().trim_start_matches(',').trim() == name {
                return Some(&inner[..ends]);
            }
            left = inner[ends + 1..].trim_start_matches([',', ' ']);
        }
    }

    /// The line with these labels in front of its own. They are names and values as they are to be written.
    pub(crate) fn with_labels(&self, labels: &str) -> String {
        let comma = if self.labels.is_empty() || labels.is_empty() { "" } else { "," };
        format!("{}{{{labels}{comma}{}}} {}", self.name, self.labels, self.rest)
    }
}

/// Where the closing brace is; one in a value is none.
fn end_of_labels(text: &str) -> Option<usize> {
    let (mut quoted, mut escaped) = (false, false);
    text.bytes().position(|byte| {
        let ends = byte == b'}' && !quoted;
        (quoted, escaped) = match byte {
            _ if escaped => (quoted, false),
            b'\\' => (quoted, quoted),
            b'"' => (!quoted, false),
            _ => (quoted, false),
        };
        ends
    })
}

/// Where the closing quotation mark is.
fn end_of_value(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.bytes().position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    })
}

/// A label's value as it has to be written.
pub(crate) fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lines_are_taken_apart() {
        let line = r#"a_total{code="200",service="app-shop@file",odd="a\"},b=\"c\\"} 1.5e+03 1700000000"#;
        let sample = Sample::parse(line).expect("is one");
        assert_eq!((sample.name, sample.value()), ("a_total", Some(1_500.0)));
        assert_eq!((sample.label("code"), sample.label("service")), (Some("200"), Some("app-shop@file")));
        assert_eq!((sample.label("odd"), sample.label("b"), sample.label("de")), (Some(r#"a\"},b=\"c\\"#), None, None));
        assert_eq!(sample.with_labels(r#"app="shop""#), line.replacen('{', r#"{app="shop","#, 1));
        let plain = Sample::parse("up 1").expect("is one");
        assert_eq!((plain.value(), plain.label("x")), (Some(1.0), None));
        assert_eq!(plain.with_labels(r#"node="one""#), r#"up{node="one"} 1"#);
        let infinite = Sample::parse(r#"x_bucket{le="+Inf"} +Inf"#).expect("is one");
        assert_eq!((infinite.label("le"), infinite.value()), (Some("+Inf"), Some(f64::INFINITY)));
        for none in ["", "# HELP a b", "a{b=\"c\" 1", "{a=\"b\"} 1", "a"] {
            assert!(Sample::parse(none).is_none(), "{none}");
        }
        assert_eq!(Sample::parse("a b").expect("is one").value(), None);
        assert_eq!(escaped("a\"b\\c\nd"), r#"a\"b\\c\nd"#);
    }

    proptest! {
        #[test]
        fn no_line_harms(line in "\\PC{0,80}") {
            if let Some(sample) = Sample::parse(&line) {
                sample.value();
                sample.label("x");
            }
        }

        #[test]
        fn every_label_is_found(values in proptest::collection::vec("\\PC{0,12}", 1..6)) {
            let labels: Vec<String> =
                values.iter().enumerate().map(|(place, value)| format!("l{place}=\"{}\"", escaped(value))).collect();
            let line = format!("x{{{}}} 7", labels.join(","));
            let sample = Sample::parse(&line).expect("is one");
            prop_assert_eq!(sample.value(), Some(7.0));
            for (place, value) in values.iter().enumerate() {
                let written = escaped(value);
                prop_assert_eq!(sample.label(&format!("l{place}")), Some(written.as_str()));
            }
        }
    }
}

//! The Prometheus text format, version 0.0.4: families in a fixed order, each with its help and type once, and label
//! values escaped. It writes what it is given and decides nothing. What there are many of is written without formatting.

use std::fmt::{Display, Write};

/// Text that grows family by family.
#[derive(Default)]
pub(super) struct Exposition {
    text: String,
    /// What all buckets of a histogram begin with.
    bucket: String,
}

impl Exposition {
    /// Starts a family.
    pub(super) fn family(&mut self, name: &str, kind: &str, help: &str) {
        let help = help.replace('\\', "\\\\").replace('\n', "\\n");
        // Writing into a string cannot fail.
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    /// One sample.
    pub(super) fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        self.text.push_str(name);
        series(&mut self.text, labels);
        let _ = writeln!(self.text, " {value}");
    }

    /// One sample that is a whole number.
    pub(super) fn count(&mut self, name: &str, labels: &[(&str, &str)], value: u64) {
        self.text.push_str(name);
        series(&mut self.text, labels);
        number(&mut self.text, value);
    }

    /// A histogram: how many are not above each bound and, last, how many there are; and their sum. `labels` are not empty.
    pub(super) fn histogram(
        &mut self,
        name: &str,
        labels: &[(&str, &str)],
        bounds: &[&str],
        up_to: impl Iterator<Item = u64>,
        sum: &str,
    ) {
        self.bucket.clear();
        series(&mut self.bucket, labels);
        // Without the closing brace.
        let series = &self.bucket[..self.bucket.len().saturating_sub(1)];
        let text = &mut self.text;
        let mut all = 0;
        for (bound, count) in bounds.iter().chain(&["+Inf"]).zip(up_to) {
            text.push_str(name);
            text.push_str("_bucket");
            text.push_str(series);
            text.push_str(",le=\"");
            text.push_str(bound);
            text.push_str("\"}");
            number(text, count);
            all = count;
        }
        text.push_str(name);
        text.push_str("_sum");
        text.push_str(series);
        text.push_str("} ");
        text.push_str(sum);
        text.push('\n');
        text.push_str(name);
        text.push_str("_count");
        text.push_str(series);
        text.push('}');
        number(text, all);
    }

    /// Bytes so far.
    pub(super) fn len(&self) -> usize {
        self.text.len()
    }

    /// The text.
    pub(super) fn finish(self) -> String {
        self.text
    }
}

/// A value and the end of its line.
fn number(text: &mut String, value: u64) {
    text.push(' ');
    text.push_str(itoa::Buffer::new().format(value));
    text.push('\n');
}

/// Labels in braces; nothing for none.
fn series(text: &mut String, labels: &[(&str, &str)]) {
    for (at, (label, value)) in labels.iter().enumerate() {
        text.push(if at == 0 { '{' } else { ',' });
        text.push_str(label);
        text.push_str("=\"");
        let mut rest = *value;
        while let Some(at) = rest.find(['\\', '"', '\n']) {
            text.push_str(&rest[..at]);
            text.push_str(match rest.as_bytes()[at] {
                b'\\' => "\\\\",
                b'"' => "\\\"",
                _ => "\\n",
            });
            rest = &rest[at + 1..];
        }
        text.push_str(rest);
        text.push('"');
    }
    if !labels.is_empty() {
        text.push('}');
    }
}

#[cfg(test)]
pub(super) mod tests;

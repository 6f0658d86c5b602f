//! Nothing is left for later in the tree: no marker of unfinished work, no stub that panics, no test that is skipped
//! without saying why. The words are put together here so that this file does not contain them.

use crate::house::Violation;
use crate::source::{Source, words};

/// Words that mark unfinished work, anywhere in a text.
const MARKERS: &[&str] = &[concat!("TO", "DO"), concat!("FIX", "ME")];
/// Macros that stand for unfinished work.
const STUBS: &[&str] = &[concat!("to", "do"), concat!("unimple", "mented")];

/// Whether the law concerns a file: what people write, not what they collected.
pub(crate) fn applies(path: &str) -> bool {
    let written = [".rs", ".toml", ".md", ".ts", ".js", ".mjs", ".sh", ".yml", ".yaml"];
    written.iter().any(|ending| path.ends_with(ending)) && !path.contains("corpora/")
}

/// What one file leaves for later.
pub(crate) fn check(path: &str, text: &str) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (index, line) in text.lines().enumerate() {
        for (_, word) in words(line).filter(|(_, word)| MARKERS.contains(word)) {
            violations.push(Violation::new(
                path,
                index + 1,
                format!("{word}: work left for later"),
                "do it, or open an issue and take the note out",
            ));
        }
    }
    if !path.ends_with(".rs") {
        return violations;
    }
    for (number, line) in Source::new(path, text).all() {
        for (at, word) in words(line) {
            if STUBS.contains(&word) && line[at + word.len()..].starts_with('!') {
                violations.push(Violation::new(
                    path,
                    number,
                    format!("{word}! is a stub"),
                    "write what is missing",
                ));
            }
            let attribute = line[..at].trim_end().ends_with("#[");
            if word == "ignore" && attribute && line[at + word.len()..].trim_start().starts_with(']') {
                violations.push(Violation::new(
                    path,
                    number,
                    "a test is skipped without a reason",
                    "write #[ignore = \"why\"], or let it run",
                ));
            }
        }
    }
    violations.sort_by_key(|violation| violation.line);
    violations
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unfinished_work_is_found() {
        let [later, broken] = [MARKERS[0], MARKERS[1]];
        let [stub, missing] = [STUBS[0], STUBS[1]];
        for (path, text, expected) in [
            ("a.rs", format!("// {later}: x\nx // ({broken})"), &[1, 2][..]),
            ("a.md", format!("\n{later}"), &[2]),
            ("a.rs", format!("{stub}!()\n{missing}!(\"x\")"), &[1, 2]),
            ("a.rs", format!("\"{stub}!()\" // {stub}!()\nmast{later}ns {stub}"), &[]),
            ("a.rs", "#[ignore]\n#[ignore = \"slow\"]\nfn ignore() {}\n// #[ignore]".into(), &[1]),
            ("a.toml", format!("{stub}!()"), &[]),
        ] {
            let lines: Vec<usize> = check(path, &text).iter().map(|violation| violation.line).collect();
            assert_eq!(lines, expected, "{path}: {text}");
        }
        assert!(applies("tools/quickstart/run.sh") && !applies("a.png") && !applies("tests/corpora/x.md"));
    }
}

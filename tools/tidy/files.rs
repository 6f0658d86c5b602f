//! A file says at its top what it is for, has a name that says so too, and is small enough to be read in one go.

use crate::house::Violation;
use crate::source::{Source, is_test_file};

/// Lines of code outside tests.
const MOST_LINES: usize = 500;

/// Names that say nothing.
const BANNED: &[&str] = &[
    "util", "utils", "common", "helper", "helpers", "shared", "misc", "types", "core", "manager", "impl",
    "impls", "base",
];

/// Size, name and opening of one Rust file.
pub(crate) fn check(path: &str, text: &str) -> Vec<Violation> {
    let mut violations = Vec::new();
    if !text.starts_with("//! ") {
        violations.push(Violation::new(
            path,
            1,
            "the file does not say what it is for",
            "open it with `//!`: what it is for and what it must never do",
        ));
    }
    let lines = Source::new(path, text).production().count();
    if lines > MOST_LINES && !is_test_file(path) {
        violations.push(Violation::new(
            path,
            MOST_LINES,
            format!("{lines} lines of code, {MOST_LINES} is the most"),
            "split it by what its parts are for",
        ));
    }
    for part in path.split('/') {
        let name = part.trim_end_matches(".rs");
        if BANNED.contains(&name) {
            violations.push(Violation::new(
                path,
                0,
                format!("{name} is a drawer, not a name"),
                "name the file or folder after what is in it",
            ));
        }
    }
    violations
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_judged() {
        let long = format!("//! x\n{}", "fn f() {}\n".repeat(MOST_LINES));
        let tested = format!("//! x\n#[cfg(test)]\nmod tests {{\n{}}}\n", "fn f() {}\n".repeat(MOST_LINES));
        for (path, text, expected) in [
            ("a/src/route.rs", "//! x\n", &[][..]),
            ("a/src/route.rs", "", &[1]),
            ("a/src/route.rs", "// x\n//! y\n", &[1]),
            ("a/src/route.rs", long.as_str(), &[MOST_LINES]),
            ("a/src/route.rs", tested.as_str(), &[]),
            ("a/tests/route.rs", long.as_str(), &[]),
            ("a/src/utils.rs", "//! x\n", &[0]),
            ("a/src/core/mod.rs", "//! x\n", &[0]),
            ("a/src/core_count.rs", "//! x\n", &[]),
        ] {
            let lines: Vec<usize> = check(path, text).iter().map(|violation| violation.line).collect();
            assert_eq!(lines, expected, "{path}");
        }
    }
}

//! The top level of the repository is a page that fits in the eye: nothing is added there that has another place.

use crate::house::Violation;

const FOLDERS: &[&str] = &["src", "shards", "admin", "js", "perf", "tests", "tools"];
const FILES: &[&str] = &["Cargo.toml", "Cargo.lock", "README.md"];
const MAY: &[&str] = &["rustfmt.toml", "clippy.toml"];

/// The top level of a list of paths.
pub(crate) fn check(paths: &[&str]) -> Vec<Violation> {
    let mut violations = Vec::new();
    let mut seen: Vec<&str> = Vec::new();
    for path in paths {
        let (top, folder) = match path.split_once('/') {
            Some((top, _)) => (top, true),
            None => (*path, false),
        };
        if seen.contains(&top) {
            continue;
        }
        seen.push(top);
        let known = if folder {
            FOLDERS.contains(&top)
        } else {
            FILES.contains(&top) || MAY.contains(&top) || top.starts_with("LICENSE")
        };
        if !known && !top.starts_with('.') {
            let fix = "move it into the package it belongs to";
            violations.push(Violation::new(top, 0, "does not belong at the top level", fix));
        }
    }
    for missing in FOLDERS.iter().chain(FILES).filter(|name| !seen.contains(name)) {
        violations.push(Violation::new(
            missing,
            0,
            "is missing at the top level",
            "add it to the repository",
        ));
    }
    violations
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_top_level_is_exact() {
        let whole = [
            "Cargo.toml",
            "Cargo.lock",
            "README.md",
            "src/main.rs",
            "shards/x",
            "admin/x",
            "js/x",
            "perf/x",
            "tests/x",
            "tools/x",
            ".gitignore",
            ".ci/x",
            "LICENSE-APACHE",
            "rustfmt.toml",
        ];
        assert_eq!(check(&whole), []);
        for (extra, named) in [("docs/x.md", "docs"), ("notes.md", "notes.md"), ("rustfmt.toml/x", "")] {
            let mut paths = whole.to_vec();
            paths.push(extra);
            let found: Vec<String> = check(&paths).into_iter().map(|violation| violation.path).collect();
            assert_eq!(found, if named.is_empty() { vec![] } else { vec![named.to_owned()] }, "{extra}");
        }
        assert_eq!(check(&whole[..2]).len(), 8);
    }
}

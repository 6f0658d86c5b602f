//! The README's map of the house: lines of the form "| `path` | what it is |" in a section "## The house". Every
//! package and every top-level module of the planes and of `js` is on it, and everything on it exists. A folder may be
//! written with or without its last slash.

use crate::house::Violation;
use crate::manifest;

const README: &str = "README.md";
/// A README is read; a book is not.
const MOST_LINES: usize = 370;
/// Packages whose modules are on the map one by one.
const MAPPED: &[&str] = &["shards/src/", "admin/src/", "js/src/"];

/// The README against the root's manifest and the tracked paths.
pub(crate) fn check(readme: &str, root_manifest: &str, paths: &[&str]) -> Vec<Violation> {
    let mut violations = Vec::new();
    let count = readme.lines().count();
    if count > MOST_LINES {
        let what = format!("{count} lines, {MOST_LINES} is the most");
        violations.push(Violation::new(README, MOST_LINES, what, "say it shorter, or where the code is"));
    }
    let named = named(readme);
    if named.is_empty() {
        let fix = "add a section `## The house` with a table of lines | `path` | what it is |";
        violations.push(Violation::new(README, 0, "there is no map of the house", fix));
        return violations;
    }
    for (line, path) in &named {
        if !paths.iter().any(|known| known == path || known.starts_with(&format!("{path}/"))) {
            let what = format!("the map names {path}, which does not exist");
            violations.push(Violation::new(README, *line, what, "correct the path or take the line out"));
        }
    }
    let expected = packages(root_manifest).into_iter().chain(modules(paths));
    for path in expected.filter(|path| !named.iter().any(|(_, name)| module(name) == module(path))) {
        let what = format!("the map does not name {path}");
        violations.push(Violation::new(README, 0, what, format!("add a line | `{path}` | what it is |")));
    }
    violations
}

/// Paths on the map, with their lines.
fn named(readme: &str) -> Vec<(usize, String)> {
    let mut inside = false;
    let mut named = Vec::new();
    for (index, line) in readme.lines().enumerate() {
        if line.starts_with("## ") {
            inside = line.trim() == "## The house";
        }
        let path = line.strip_prefix("| `").and_then(|rest| rest.split_once('`')).map(|(path, _)| path);
        if let Some(path) = path.filter(|_| inside) {
            named.push((index + 1, path.trim_end_matches('/').to_owned()));
        }
    }
    named
}

/// Folders of the packages; the root package's is `src`.
fn packages(root_manifest: &str) -> Vec<String> {
    manifest::entries(root_manifest)
        .into_iter()
        .filter(|entry| entry.section == "workspace" && entry.key == "members")
        .flat_map(|entry| manifest::strings(&entry.value))
        .map(|member| if member == "." { "src".into() } else { member })
        .collect()
}

/// Top-level modules of the mapped packages, a file and its folder once.
fn modules(paths: &[&str]) -> Vec<String> {
    let mut modules: Vec<String> = Vec::new();
    for (root, path) in MAPPED.iter().flat_map(|root| paths.iter().map(move |path| (root, path))) {
        let Some(below) = path.strip_prefix(root) else { continue };
        let name = below.split('/').next().unwrap_or(below);
        let source = below.ends_with(".rs");
        let found = format!("{root}{name}");
        if source
            && !matches!(below, "lib.rs" | "main.rs")
            && !modules.iter().any(|known| module(known) == module(&found))
        {
            modules.push(found);
        }
    }
    modules
}

/// `x.rs` and `x/` are one module.
fn module(path: &str) -> &str {
    path.trim_end_matches(".rs")
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = "[workspace]\nmembers = [\".\", \"js\"]";
    const PATHS: &[&str] = &[
        "src/main.rs",
        "js/Cargo.toml",
        "js/src/lib.rs",
        "js/src/call.rs",
        "js/src/native/a.rs",
        "js/src/native.rs",
    ];

    #[test]
    fn the_map_and_the_house_are_compared_both_ways() {
        let whole = "# T\n## The house\n| path | what |\n|---|---|\n| `src` | x |\n| `js/` | x |\n| `js/src/call.rs` | x |\n\
                     | `js/src/native/` | x |\n";
        let without = whole.replace("| `js/src/call.rs` | x |\n", "");
        let gone = format!("{whole}| `js/src/gone.rs` | x |\n");
        let elsewhere = format!("{without}## Other\n| `js/src/call.rs` | x |\n");
        let long = format!("{whole}{}", "\n".repeat(MOST_LINES));
        for (readme, expected) in [
            (whole, &[][..]),
            (without.as_str(), &[(0, "the map does not name js/src/call.rs")]),
            (elsewhere.as_str(), &[(0, "the map does not name js/src/call.rs")]),
            (gone.as_str(), &[(9, "the map names js/src/gone.rs, which does not exist")]),
            (long.as_str(), &[(MOST_LINES, "378 lines, 370 is the most")]),
            ("", &[(0, "there is no map of the house")]),
        ] {
            let found = check(readme, MANIFEST, PATHS);
            let found: Vec<(usize, &str)> = found.iter().map(|v| (v.line, v.what.as_str())).collect();
            assert_eq!(found, expected);
        }
    }
}

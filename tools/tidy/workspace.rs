//! Every package is a full member: a plain `cargo test` reaches it, it has the house's edition and the house's lints.

use crate::house::Violation;
use crate::manifest::{self, Entry};

/// All manifests, the root's first.
pub(crate) fn check(manifests: &[(&str, &str)]) -> Vec<Violation> {
    let mut violations = Vec::new();
    let Some((root, text)) = manifests.first().filter(|(path, _)| *path == "Cargo.toml") else {
        return vec![Violation::new("Cargo.toml", 0, "there is no workspace", "add it")];
    };
    let workspace = manifest::entries(text);
    let list = |key: &str| -> Vec<String> {
        let entry = workspace.iter().find(|entry| entry.section == "workspace" && entry.key == key);
        let mut members = entry.map(|entry| manifest::strings(&entry.value)).unwrap_or_default();
        members.sort();
        members
    };
    let members = list("members");
    if list("default-members") != members {
        violations.push(Violation::new(
            root,
            0,
            "default-members are not the members",
            "list every member in both, or a plain `cargo test` passes it by",
        ));
    }
    let edition = value(&workspace, "workspace.package", "edition");
    if edition != Some("\"2024\"") {
        let fix = "write edition = \"2024\" in [workspace.package]";
        violations.push(Violation::new(root, 0, "the workspace's edition is not 2024", fix));
    }
    for (path, text) in manifests {
        if manifest::fuzzed(path).is_some() || manifest::stranger(path) {
            if !text.lines().any(|line| line.trim() == "[workspace]") {
                let fix = "write [workspace] at its end: the house builds without its flags and its crates";
                violations.push(Violation::new(path, 0, "this is no workspace of its own", fix));
            }
            continue;
        }
        let folder = path.trim_end_matches("Cargo.toml").trim_end_matches('/');
        let member = if folder.is_empty() { "." } else { folder };
        if !members.iter().any(|known| known == member) {
            let fix = "add it to members and default-members of the root's Cargo.toml";
            violations.push(Violation::new(path, 0, "this package is no member of the workspace", fix));
            continue;
        }
        let entries = manifest::entries(text);
        if value(&entries, "package", "edition.workspace") != Some("true")
            && value(&entries, "package", "edition") != Some("\"2024\"")
        {
            violations.push(Violation::new(
                path,
                0,
                "the edition is not 2024",
                "write edition.workspace = true",
            ));
        }
        if value(&entries, "lints", "workspace") != Some("true") {
            let fix = "write [lints] and below it workspace = true";
            violations.push(Violation::new(path, 0, "the house's lints are not applied", fix));
        }
    }
    violations
}

fn value<'a>(entries: &'a [Entry], section: &str, key: &str) -> Option<&'a str> {
    entries
        .iter()
        .find(|entry| entry.section == section && entry.key == key)
        .map(|entry| entry.value.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_full_members() {
        let root = "[workspace]\nmembers = [\".\", \"a\"]\ndefault-members = [\"a\", \".\"]\n\
                    [workspace.package]\nedition = \"2024\"\n[package]\nedition.workspace = true\n[lints]\nworkspace = true";
        let good = "[package]\nedition.workspace = true\n[lints]\nworkspace = true";
        let forgetful = root.replace("\"a\", \".\"]", "\".\"]");
        let old = root.replace("\"2024\"", "\"2021\"");
        for (manifests, expected) in [
            (vec![("Cargo.toml", root), ("a/Cargo.toml", good)], 0),
            (vec![("Cargo.toml", forgetful.as_str()), ("a/Cargo.toml", good)], 1),
            (vec![("Cargo.toml", old.as_str()), ("a/Cargo.toml", good)], 1),
            (vec![("Cargo.toml", root), ("b/Cargo.toml", good)], 1),
            (vec![("Cargo.toml", root), ("a/Cargo.toml", "[package]\nedition = \"2024\"")], 1),
            (vec![("Cargo.toml", root), ("a/Cargo.toml", "")], 2),
            (vec![("a/Cargo.toml", good)], 1),
            (vec![("Cargo.toml", root), ("a/Cargo.toml", good), ("a/fuzz/Cargo.toml", "[workspace]")], 0),
            (vec![("Cargo.toml", root), ("a/Cargo.toml", good), ("a/fuzz/Cargo.toml", good)], 1),
            (
                vec![
                    ("Cargo.toml", root),
                    ("a/Cargo.toml", good),
                    ("perf/pingora/Cargo.toml", "[workspace]"),
                ],
                0,
            ),
            (vec![("Cargo.toml", root), ("a/Cargo.toml", good), ("perf/pingora/Cargo.toml", "")], 1),
        ] {
            assert_eq!(check(&manifests).len(), expected, "{manifests:?}");
        }
    }
}

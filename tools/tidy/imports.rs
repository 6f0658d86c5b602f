//! The walls between the packages: who may import whom, and which crates live in one room only. The tables are the
//! design's; a package or a wall is added here on purpose or not at all.

use crate::house::Violation;
use crate::manifest;

/// Who may import which package of the house, by manifest.
const HOUSE: &[(&str, &[&str])] = &[
    // `js` for `src/develop` alone: trying modules out needs the engine and no plane.
    ("Cargo.toml", &["admin", "shards", "snapshot", "mailbox", "recorder", "ctl", "js"]),
    ("admin/Cargo.toml", &["snapshot", "mailbox", "js"]),
    ("admin/snapshot/Cargo.toml", &[]),
    ("shards/Cargo.toml", &["snapshot", "mailbox", "reactor", "codec", "js"]),
    ("shards/reactor/Cargo.toml", &[]),
    ("shards/reactor/ring/Cargo.toml", &[]),
    ("shards/codec/Cargo.toml", &[]),
    ("shards/mailbox/Cargo.toml", &[]),
    ("js/Cargo.toml", &[]),
    ("perf/Cargo.toml", &["snapshot", "mailbox"]),
    ("perf/recorder/Cargo.toml", &["snapshot", "mailbox"]),
    ("tools/Cargo.toml", &[]),
];

/// What tests may import besides: leaves, never a plane, or a wall would fall in the dark.
const LEAVES: &[&str] = &["snapshot", "mailbox", "codec", "reactor", "js"];

/// A crate (a trailing `*` matches the rest of its name), the manifests that may ask for it, and whether tests of
/// other packages may.
const OUTSIDE: &[(&str, &[&str], bool)] = &[
    ("tokio*", &["admin/Cargo.toml"], false),
    ("axum*", &["admin/Cargo.toml"], false),
    ("hyper*", &["admin/Cargo.toml"], false),
    ("openraft*", &["admin/Cargo.toml"], false),
    ("heed*", &["admin/Cargo.toml"], false),
    // The client and the benchmarks speak JSON, and the process prints it; none of them is on the data plane.
    ("serde_json", &["admin/Cargo.toml", "tools/Cargo.toml", "perf/Cargo.toml", "Cargo.toml"], true),
    ("serde-saphyr", &["admin/Cargo.toml", "tools/Cargo.toml"], false),
    ("serde*", &["admin/Cargo.toml"], false),
    ("toml", &["admin/Cargo.toml"], false),
    ("schemars", &["admin/Cargo.toml"], false),
    ("jsonschema", &["admin/Cargo.toml"], false),
    ("monoio*", &["shards/reactor/Cargo.toml"], false),
    ("io-uring", &["shards/reactor/Cargo.toml"], false),
    // What the ring could do is tried out beside the house before it gets into it.
    ("uring", &["shards/reactor/ring/Cargo.toml", "perf/Cargo.toml"], false),
    // TLS is the shards' alone; the process reads the certificates that they trust, and the load makes handshakes.
    ("rustls-native-certs", &["Cargo.toml"], false),
    ("rustls-pki-types", &["Cargo.toml"], true),
    ("rustls*", &["shards/Cargo.toml", "perf/Cargo.toml"], true),
    ("httparse", &["shards/codec/Cargo.toml", "perf/Cargo.toml"], false),
    ("crossbeam*", &["shards/mailbox/Cargo.toml"], false),
    ("rquickjs*", &["js/Cargo.toml"], false),
    ("oxc*", &["js/Cargo.toml"], false),
    ("glommio", &["perf/recorder/Cargo.toml"], false),
    ("ureq*", &["tools/Cargo.toml"], false),
    ("clap*", &["Cargo.toml", "tools/Cargo.toml", "perf/Cargo.toml"], false),
    // One runtime per plane is enough, and one lock-free structure in the house.
    ("async-std", &[], false),
    ("smol", &[], false),
    ("parking_lot*", &[], false),
    ("dashmap", &[], false),
    ("reqwest", &[], false),
];

/// The imports of one manifest.
pub(crate) fn check(path: &str, text: &str) -> Vec<Violation> {
    if let Some(package) = manifest::fuzzed(path) {
        return check_fuzz(path, text, package);
    }
    if manifest::stranger(path) {
        return check_stranger(path, text);
    }
    let mut violations = Vec::new();
    let Some((_, may)) = HOUSE.iter().find(|(manifest, _)| *manifest == path) else {
        let fix = "add it to HOUSE in tools/tidy/imports.rs with what it may import, and to the README's map";
        return vec![Violation::new(path, 0, "an unknown package", fix)];
    };
    for dependency in manifest::dependencies(text) {
        let name = dependency.name.as_str();
        if !dependency.workspace {
            let what = format!("{name} does not take its version from the workspace");
            violations.push(Violation::new(
                path,
                dependency.line,
                what,
                format!("write `{name}.workspace = true` and put the version into the root's Cargo.toml"),
            ));
        }
        if let Some(package) = name.strip_prefix("tidegate-") {
            if !(may.contains(&package) || dependency.dev && LEAVES.contains(&package)) {
                violations.push(Violation::new(
                    path,
                    dependency.line,
                    format!("this package may not import {name}"),
                    format!("it may import: {}", list(may)),
                ));
            }
        } else if let Some((_, owners, tests)) = OUTSIDE.iter().find(|(pattern, ..)| matches(pattern, name))
            && !(owners.contains(&path) || dependency.dev && *tests)
        {
            violations.push(Violation::new(
                path,
                dependency.line,
                format!("{name} does not belong here"),
                format!("only {} may import it", list(owners)),
            ));
        }
    }
    violations
}

/// A fuzz target is a workspace of its own, so that it names versions itself; it knows the package it fuzzes only.
fn check_fuzz(path: &str, text: &str, package: &str) -> Vec<Violation> {
    let own = format!("tidegate-{package}");
    let foreign = |name: &str| match name.strip_prefix("tidegate-") {
        Some(_) => name != own,
        None => OUTSIDE.iter().any(|(pattern, _, tests)| matches(pattern, name) && !tests),
    };
    manifest::dependencies(text)
        .into_iter()
        .filter(|dependency| foreign(&dependency.name))
        .map(|dependency| {
            let what = format!("{} does not belong here", dependency.name);
            Violation::new(path, dependency.line, what, format!("a fuzz target knows {own} and no runtime"))
        })
        .collect()
}

/// What is measured beside the house imports nothing of it; what else it imports is its own business.
fn check_stranger(path: &str, text: &str) -> Vec<Violation> {
    let ours = |name: &str| name.starts_with("tidegate-");
    let found = manifest::dependencies(text).into_iter().filter(|dependency| ours(&dependency.name));
    found
        .map(|dependency| {
            let what = format!("{} belongs to the house", dependency.name);
            Violation::new(
                path,
                dependency.line,
                what,
                "it is measured beside the house, and imports nothing of it",
            )
        })
        .collect()
}

fn matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => name == pattern,
    }
}

fn list(names: &[&str]) -> String {
    if names.is_empty() { "nobody".into() } else { names.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn walls_stand() {
        for (path, text, expected) in [
            ("shards/Cargo.toml", "[dependencies]\ntidegate-codec.workspace = true", &[][..]),
            ("shards/Cargo.toml", "[dependencies]\ntidegate-admin.workspace = true", &[2]),
            ("shards/Cargo.toml", "[dev-dependencies]\ntidegate-admin.workspace = true", &[2]),
            ("js/Cargo.toml", "[dev-dependencies]\ntidegate-snapshot.workspace = true", &[]),
            ("js/Cargo.toml", "[dependencies]\ntidegate-snapshot.workspace = true", &[2]),
            ("shards/Cargo.toml", "[dependencies]\nmonoio.workspace = true\nmemchr.workspace = true", &[2]),
            ("shards/reactor/Cargo.toml", "[dependencies]\nmonoio.workspace = true", &[]),
            ("shards/Cargo.toml", "[build-dependencies]\ntokio-util.workspace = true", &[2]),
            ("shards/codec/Cargo.toml", "[dev-dependencies]\nserde_json.workspace = true", &[]),
            ("shards/codec/Cargo.toml", "[dependencies]\nserde_json.workspace = true", &[2]),
            ("shards/codec/Cargo.toml", "[dev-dependencies]\nserde.workspace = true", &[2]),
            ("tools/Cargo.toml", "[dependencies]\nserde-saphyr.workspace = true", &[]),
            ("admin/Cargo.toml", "[dependencies]\nparking_lot.workspace = true", &[2]),
            ("admin/Cargo.toml", "[dependencies]\nlibc = \"0.2\"\nregex = { workspace = true }", &[2]),
            ("cellar/Cargo.toml", "", &[0]),
            ("perf/pingora/Cargo.toml", "[dependencies]\ntokio = \"1\"\ntidegate-js = \"1\"", &[3]),
            (
                "shards/codec/fuzz/Cargo.toml",
                "[dependencies]\ntidegate-codec = { path = \"..\" }\nhttp = \"1\"",
                &[],
            ),
            ("shards/codec/fuzz/Cargo.toml", "[dependencies]\ntidegate-js = \"1\"\ntokio = \"1\"", &[2, 3]),
        ] {
            let lines: Vec<usize> = check(path, text).iter().map(|violation| violation.line).collect();
            assert_eq!(lines, expected, "{path}: {text}");
        }
    }
}

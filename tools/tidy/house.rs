//! The repository's files as git tracks them, and a violation with its place. It only reads; a law never touches the
//! disk itself.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// One broken law.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Violation {
    pub(crate) path: String,
    /// From 1; 0 for a file or folder as a whole.
    pub(crate) line: usize,
    pub(crate) what: String,
    /// What to do.
    pub(crate) fix: String,
}

impl Violation {
    pub(crate) fn new(path: &str, line: usize, what: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { path: path.into(), line, what: what.into(), fix: fix.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}; {}", self.path, self.what, self.fix),
            line => write!(f, "{}:{line}: {}; {}", self.path, self.what, self.fix),
        }
    }
}

/// The tracked text files: path with `/`, and text. Files that are not UTF-8 are listed without text.
pub(crate) struct House {
    files: Vec<(String, Option<String>)>,
}

impl House {
    /// Reads the tree this package stands in.
    pub(crate) fn read() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let mut paths = tracked(&root).unwrap_or_else(|| {
            let mut found = Vec::new();
            walk(&root, Path::new(""), &mut found);
            found
        });
        paths.sort();
        let files = paths
            .into_iter()
            // Tracked but deleted: the commit that deletes it is on its way.
            .filter(|path| root.join(path).exists())
            .map(|path| {
                let text = std::fs::read_to_string(root.join(&path)).ok();
                (path, text)
            })
            .collect();
        Self { files }
    }

    pub(crate) fn paths(&self) -> Vec<&str> {
        self.files.iter().map(|(path, _)| path.as_str()).collect()
    }

    pub(crate) fn text(&self, path: &str) -> Option<&str> {
        self.files.iter().find(|(known, _)| known == path)?.1.as_deref()
    }

    /// Every `Cargo.toml`, the root's first.
    pub(crate) fn manifests(&self) -> Vec<(&str, &str)> {
        let mut manifests: Vec<(&str, &str)> = self
            .files
            .iter()
            .filter(|(path, _)| Path::new(path).file_name().is_some_and(|name| name == "Cargo.toml"))
            .filter_map(|(path, text)| Some((path.as_str(), text.as_deref()?)))
            .collect();
        manifests.sort_by_key(|(path, _)| (path.contains('/'), *path));
        manifests
    }

    /// Applies a law to every file it concerns.
    pub(crate) fn each(
        &self,
        applies: impl Fn(&str) -> bool,
        check: impl Fn(&str, &str) -> Vec<Violation>,
    ) -> Vec<Violation> {
        self.files
            .iter()
            .filter(|(path, _)| applies(path))
            .flat_map(|(path, text)| text.as_deref().map(|text| check(path, text)).unwrap_or_default())
            .collect()
    }
}

fn tracked(root: &Path) -> Option<Vec<String>> {
    let listed = Command::new("git").arg("-C").arg(root).args(["ls-files", "-z"]).output().ok()?;
    let text = String::from_utf8(listed.stdout).ok()?;
    let paths: Vec<String> = text.split('\0').filter(|path| !path.is_empty()).map(str::to_owned).collect();
    (listed.status.success() && !paths.is_empty()).then_some(paths)
}

/// For a tree without git, such as an unpacked archive.
fn walk(root: &Path, below: &Path, found: &mut Vec<String>) {
    let Ok(entries) = std::fs::read_dir(root.join(below)) else { return };
    for entry in entries.flatten() {
        let path: PathBuf = below.join(entry.file_name());
        let name = entry.file_name();
        let built = name == "target" || name == ".git" || name == "tidegate-data";
        match entry.file_type() {
            Ok(kind) if kind.is_dir() && !built => walk(root, &path, found),
            Ok(kind) if kind.is_file() => found.push(path.to_string_lossy().replace('\\', "/")),
            _ => {}
        }
    }
}

#[test]
fn a_violation_says_where_and_what_to_do() {
    assert_eq!(Violation::new("a.rs", 3, "bad", "mend it").to_string(), "a.rs:3: bad; mend it");
    assert_eq!(Violation::new("a", 0, "bad", "mend it").to_string(), "a: bad; mend it");
}

#[test]
fn the_tree_is_found_with_and_without_git() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut walked = Vec::new();
    walk(&root, Path::new(""), &mut walked);
    for expected in ["Cargo.toml", "tools/tidy/house.rs"] {
        assert!(walked.iter().any(|path| path == expected), "{expected}");
    }
    assert!(House::read().text("Cargo.toml").is_some());
}

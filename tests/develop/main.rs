//! What a developer of modules does, from the outside: a project is begun, tested, tried and pushed to a gateway that runs;
//! the examples do what their tests say, in the kit and behind real sockets; and the types are the compiler's opinion too.

#[path = "../harness/mod.rs"]
mod harness;
#[path = "../operator/mod.rs"]
mod operator;

mod commands;
mod examples;
mod pushed;
mod typed;

use operator::node::BINARY;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Runs the binary in a folder.
fn tidegate(folder: &Path, words: &[&str]) -> Output {
    Command::new(BINARY)
        .args(words)
        .current_dir(folder)
        .env_remove("TIDEGATE_ADMIN_API")
        .output()
        .expect("the binary starts")
}

/// What it printed, both streams.
fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Runs it and expects that exit code; gives what it printed.
#[track_caller]
fn ends(code: i32, folder: &Path, words: &[&str]) -> String {
    let output = tidegate(folder, words);
    let said = said(&output);
    assert_eq!(output.status.code(), Some(code), "{words:?}\n{said}");
    said
}

/// A folder of the repository.
fn repository(below: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(below)
}

/// A new project `shop` in a folder of its own.
fn project() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    ends(0, folder.path(), &["module", "init", "shop"]);
    let project = folder.path().join("shop");
    (folder, project)
}

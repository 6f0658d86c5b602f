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

use harness::DEADLINE;
use operator::node::BINARY;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};

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

/// The binary as it goes on: what it prints is heard line by line. Ended when the test lets go of it.
struct Listening {
    child: Child,
    lines: Receiver<String>,
}

impl Listening {
    fn to(folder: &Path, words: &[&str]) -> Self {
        let mut child = Command::new(BINARY)
            .args(words)
            .current_dir(folder)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let (stdout, (tell, lines)) = (child.stdout.take().expect("piped"), channel());
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if tell.send(line).is_err() {
                    return;
                }
            }
        });
        Self { child, lines }
    }

    /// Waits for a line that has this in it.
    #[track_caller]
    fn until(&self, part: &str) {
        let mut heard = Vec::new();
        while let Ok(line) = self.lines.recv_timeout(DEADLINE) {
            if line.contains(part) {
                return;
            }
            heard.push(line);
        }
        panic!("it never said {part:?}: {heard:#?}");
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
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

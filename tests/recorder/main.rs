//! What the recorder writes of a real gateway: access lines and interval logs, read as an operator's tools read them, and
//! what becomes of them at the end, on a full disk and where direct I/O is refused.

#[path = "../harness/mod.rs"]
mod harness;
#[path = "../operator/mod.rs"]
mod operator;

mod access;
mod disks;
mod endings;
mod intervals;
mod python;

use operator::node::{Node, Plan};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// The files of a folder whose names end so, oldest first.
fn files(dir: &Path, ending: &str) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(dir)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.to_string_lossy().ends_with(ending))
        .collect();
    files.sort();
    files
}

/// All access lines of a folder. While a file is being written its tail may be padding.
fn text(dir: &Path) -> String {
    let read = |path: &PathBuf| std::fs::read_to_string(path).ok();
    files(dir, ".log").iter().filter_map(read).collect::<String>().replace('\0', "")
}

/// Access lines that are JSON.
fn lines(dir: &Path) -> Vec<Value> {
    text(dir).lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// A gateway with access lines in `logs` and interval logs beside it, in the folder that it answers with, and one route,
/// `/*`, to `url`.
fn serving(plan: Plan, logs: &Path, url: &str) -> (Node, PathBuf) {
    let hdr = logs.with_file_name("hdr");
    let node = plan
        .flag("--access-log-dir", logs.to_str().expect("a path"))
        .flag("--hdr-dir", hdr.to_str().expect("a path"))
        .start();
    node.put("/api/v1/service", json!({ "name": "s", "urls": [url], "retries": 0 }));
    node.put("/api/v1/route", json!({ "name": "r", "paths": ["/*"], "methods": ["*"], "service": "s" }));
    (node, hdr)
}

/// Asks so often over so many connections at once; every answer is 200.
fn ask(node: &Node, connections: usize, each: usize) {
    std::thread::scope(|scope| {
        for _ in 0..connections {
            let mut client = node.client();
            scope.spawn(move || {
                for n in 0..each {
                    assert_eq!(client.get(&format!("/{n}")).status(), 200);
                }
            });
        }
    });
}

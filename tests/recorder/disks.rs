//! Disks that are no good: a full one costs lines that are counted and said once, and is used again; one without direct
//! I/O is written all the same.

use crate::harness::{Message, Upstream, ok, until};
use crate::intervals::read;
use crate::operator::node::{Node, Plan};
use crate::operator::refused::no_io_uring;
use crate::{ask, lines, serving};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A small file system of its own, unmounted with the test.
struct Small(PathBuf);

impl Small {
    /// `None`: this user may not mount anything.
    fn mount(dir: PathBuf, kind: &str, options: &str) -> Option<Self> {
        std::fs::create_dir_all(&dir).expect("a folder");
        let mounted = Command::new("mount").args(["-t", kind, "-o", options, kind]).arg(&dir).output();
        if mounted.is_ok_and(|output| output.status.success()) {
            return Some(Self(dir));
        }
        println!("skipped: only root may mount a small disk");
        None
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

fn metric(node: &Node, sample: &str) -> u64 {
    let answer: Message = node.admin("GET", "/metrics", &Value::Null);
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    let line =
        text.lines().find(|line| line.starts_with(sample)).unwrap_or_else(|| panic!("{sample}: {text}"));
    line.rsplit(' ').next().and_then(|value| value.parse().ok()).expect("a number")
}

fn fill(dir: &Path) -> PathBuf {
    let path = dir.join("filler");
    let mut file = std::fs::File::create(&path).expect("a file");
    let block = [1; 4096];
    while std::io::Write::write_all(&mut file, &block).is_ok() {}
    path
}

#[test]
fn a_full_disk_costs_lines_and_is_used_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let Some(disk) = Small::mount(folder.path().join("disk"), "tmpfs", "size=1m") else { return };
    let upstream = Upstream::answering(|_| ok("well"));
    let logs = disk.0.join("logs");
    let (node, _) = serving(Plan::new(), &logs, &upstream.url());
    let mut client = node.client();
    assert_eq!(client.get("/first").status(), 200);
    until("the first line", || lines(&logs).len() == 1);
    let filler = fill(&disk.0);
    let long = format!("/{}", "x".repeat(4_000));
    until("lines are dropped", || {
        assert_eq!(client.get(&long).status(), 200, "the gateway does not mind");
        metric(&node, "tidegate_recorder_dropped_lines_total{log=\"access\"}") > 0
    });
    node.wait_log(&["the access log loses lines", "No space left"]);
    std::fs::remove_file(filler).expect("removed");
    until("the disk takes lines again", || {
        assert_eq!(client.get("/last").status(), 200);
        lines(&logs).iter().any(|line| line["path"] == "/last")
    });
    until("the metric says so", || metric(&node, "tidegate_recorder_failing{log=\"access\"}") == 0);
    node.wait_log(&["the access log is written again"]);
    let said = node.stop();
    assert_eq!(said.matches("the access log loses lines").count(), 1, "{said}");
    assert!(lines(&logs).len() > 1);
}

#[test]
fn what_a_full_disk_took_stays_and_ends_with_a_whole_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let Some(disk) = Small::mount(folder.path().join("disk"), "tmpfs", "size=128k") else { return };
    let upstream = Upstream::answering(|_| ok("well"));
    let logs = disk.0.join("logs");
    let (mut node, _) = serving(Plan::new(), &logs, &upstream.url());
    let mut client = node.client();
    let (long, mut asked) = (format!("/{}", "x".repeat(4_000)), 0);
    until("lines are dropped", || {
        assert_eq!(client.get(&long).status(), 200);
        asked += 1;
        metric(&node, "tidegate_recorder_dropped_lines_total{log=\"access\"}") > 0
    });
    node.signal(libc::SIGTERM);
    assert_eq!(node.wait_exit().code(), Some(1), "the last records found no room: {}", node.log());
    let text: String = std::fs::read_dir(&logs)
        .expect("a folder")
        .map(|entry| std::fs::read_to_string(entry.expect("an entry").path()).expect("text without zeroes"))
        .collect();
    // Each line has more than its path; a disk of 128 KiB holds the interval log and folders too.
    assert!(text.len() > 32 << 10 && text.ends_with("}\n"), "{} bytes of {asked} lines", text.len());
    assert!(lines(&logs).len() <= asked);
}

/// What must hold wherever the files go.
fn check_plain(plan: Plan, dir: &Path) {
    let upstream = Upstream::answering(|_| ok("well"));
    let (node, hdr) = serving(plan, &dir.join("logs"), &upstream.url());
    ask(&node, 2, 50);
    assert_eq!(metric(&node, "tidegate_recorder_direct{log=\"access\"}"), 0);
    node.stop();
    assert_eq!(lines(&dir.join("logs")).len(), 100);
    assert_eq!(read(&hdr)[""].1.len(), 100);
}

#[test]
fn where_there_is_no_ring_files_are_written_without() {
    let folder = tempfile::tempdir().expect("a folder");
    check_plain(Plan::new().before_exec(no_io_uring(libc::EPERM)), folder.path());
}

#[test]
fn where_direct_io_is_refused_files_are_written_without() {
    let folder = tempfile::tempdir().expect("a folder");
    // This file system has no direct I/O.
    let Some(disk) = Small::mount(folder.path().join("disk"), "ramfs", "mode=0755") else { return };
    check_plain(Plan::new(), &disk.0);
}

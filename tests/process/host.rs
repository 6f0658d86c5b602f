//! A host that gives less: few open files, no io_uring.

use crate::harness::{Upstream, ok};
use crate::operator::node::Plan;
use crate::operator::refused::no_io_uring;
use crate::refused;
use serde_json::json;
use std::io;

/// Limits open files in the child.
fn few_files(files: u64) -> impl FnMut() -> io::Result<()> {
    move || {
        let limit = libc::rlimit { rlim_cur: files, rlim_max: files };
        // SAFETY: a valid struct; the call is allowed between fork and exec.
        if unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) } == 0 {
            Ok(())
        } else {
            Err(io::Error::last_os_error())
        }
    }
}

#[test]
fn too_few_open_files() {
    refused(Plan::new().before_exec(few_files(150)), &["150 open files", "ulimit -n"]);
    let node = Plan::new().before_exec(few_files(400)).start();
    let line = node.wait_log(&["proxy on"]);
    assert!(line.contains("max_connections=136"), "{line}");
}

#[test]
fn where_io_uring_is_refused_it_runs_on_epoll_by_itself() {
    let upstream = Upstream::answering(|_| ok("fine"));
    for errno in [libc::EPERM, libc::ENOSYS] {
        let plan = Plan::new().before_exec(no_io_uring(errno));
        let logs = plan.folder().join("logs");
        std::fs::create_dir_all(&logs).expect("a folder");
        let plan = plan.flag("--access-log-dir", logs.to_str().expect("a path"));
        let node = plan.start();
        let line = node.wait_log(&["proxy on"]);
        assert!(line.contains("driver=\"epoll\""), "{line}");
        node.put("/api/v1/service", json!({ "name": "s", "urls": [upstream.url()] }));
        node.put("/api/v1/route", json!({ "name": "r", "paths": ["/*"], "methods": ["*"], "service": "s" }));
        for _ in 0..3 {
            assert_eq!(node.get("/x").text(), "fine");
        }
        let log = node.stop();
        assert!(!log.contains("panicked"), "{log}");
        let forced = Plan::new().flag("--runtime", "io-uring").before_exec(no_io_uring(errno));
        refused(forced, &["--runtime io-uring", "--runtime auto"]);
    }
}

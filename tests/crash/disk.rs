//! A disk that runs full under the store: writes are refused with a sentence, traffic goes on, and when there is room
//! again so do writes.

use crate::harness::Upstream;
use crate::operator::Json as _;
use crate::operator::node::Plan;
use crate::{prepare, verify};
use serde_json::{Value, json};
use std::ffi::CString;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// A file system of a hundred megabytes, gone with this value.
struct SmallDisk {
    path: PathBuf,
}

impl SmallDisk {
    /// Mounts one; only root may.
    fn mount(path: &Path, options: &str) -> Result<Self, std::io::Error> {
        std::fs::create_dir_all(path)?;
        let text = |text: &str| CString::new(text).expect("no NUL");
        let (source, kind, options) = (text("tmpfs"), text("tmpfs"), text(options));
        let target = text(path.to_str().expect("a path"));
        // SAFETY: all pointers are NUL-terminated and live through the call.
        let result = unsafe {
            libc::mount(source.as_ptr(), target.as_ptr(), kind.as_ptr(), 0, options.as_ptr().cast())
        };
        if result == 0 { Ok(Self { path: path.to_owned() }) } else { Err(std::io::Error::last_os_error()) }
    }

    /// Takes all the room that is left.
    fn fill(&self) {
        let mut filler = std::fs::File::create(self.path.join("filler")).expect("a file");
        for size in [65_536, 4096] {
            while filler.write_all(&vec![1; size]).is_ok() {}
        }
    }

    fn empty(&self) {
        std::fs::remove_file(self.path.join("filler")).expect("it was there");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        if let Ok(path) = CString::new(self.path.as_os_str().as_encoded_bytes()) {
            // SAFETY: a NUL-terminated path; the mount is ours.
            unsafe { libc::umount2(path.as_ptr(), libc::MNT_DETACH) };
        }
    }
}

#[test]
fn a_full_disk_refuses_writes_and_nothing_else() {
    let plan = Plan::new();
    let disk = match SmallDisk::mount(&plan.folder().join("small"), "size=96m") {
        Ok(disk) => disk,
        Err(why) => return eprintln!("skipped: a small file system cannot be mounted here ({why})"),
    };
    let upstream = Upstream::answering(|_| crate::harness::ok("fine"));
    let node = plan.data(disk.path.join("data")).start();
    prepare(&node);
    node.put("/api/v1/service", json!({ "name": "s", "urls": [upstream.url()] }));
    node.put("/api/v1/route", json!({ "name": "r", "paths": ["/*"], "methods": ["*"], "service": "s" }));
    assert_eq!(node.get("/").text(), "fine");

    for round in 0..3 {
        disk.fill();
        // What still fits into pages that are free already may be taken; then no more.
        let large = json!({ "n": "x".repeat(100_000) });
        let mut taken = 0;
        let refused = loop {
            let path = format!("/api/v1/document/large-{taken}?collection=c");
            let answer = node.admin("PUT", &path, &large);
            match answer.status() {
                201 => taken += 1,
                507 => break answer,
                _ => panic!("round {round}: {answer:?}"),
            }
            assert!(taken < 200, "the disk is full");
        };
        let why = refused.json()["error"].as_str().unwrap_or_default().to_owned();
        assert!(why.contains("full") || why.contains("space") || why.contains("room"), "{why}");
        for _ in 0..20 {
            assert_eq!(node.get("/").text(), "fine", "traffic does not mind");
        }
        assert_eq!(node.admin("GET", "/api/v1/service/s", &Value::Null).status(), 200, "nor do reads");
        disk.empty();
        node.put(&format!("/api/v1/document/round-{round}?collection=c"), json!({ "n": round }));
        for gone in 0..taken {
            let path = format!("/api/v1/document/large-{gone}?collection=c");
            assert_eq!(node.admin("DELETE", &path, &Value::Null).status(), 202);
        }
    }
    let again = node.again();
    let data = node.data_dir().to_owned();
    node.stop();
    verify(&data);
    let node = again.start();
    let listed = node.admin("GET", "/api/v1/document?collection=c", &Value::Null).json();
    assert_eq!(listed["count"], 3, "{listed}");
    assert_eq!(node.get("/").text(), "fine");
    drop(node);
}

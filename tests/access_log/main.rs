//! The access log as an operator reads it: one JSON line for every answered request, on disk within moments, without what
//! credentials may stand in.

#[path = "../harness/mod.rs"]
mod harness;

use harness::{Config, Gateway, RUNTIMES, answers_well, until};
use serde_json::Value;

fn lines(dir: &std::path::Path) -> Vec<Value> {
    let files = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let text: String = files.filter_map(|file| std::fs::read_to_string(file.path()).ok()).collect();
    // While a file is being written its tail may be padding.
    text.lines()
        .map(|line| line.trim_matches('\0'))
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect()
}

#[test]
fn every_answer_leaves_a_line() {
    for runtime in RUNTIMES {
        let (upstream, dir) = (answers_well(), tempfile::tempdir().expect("a folder"));
        let config = Config::new().serve("echo", upstream.url());
        let flags = ["--access-log-dir", dir.path().to_str().expect("a path")];
        let gateway = Gateway::start(runtime, &config, &flags);
        let mut client = gateway.connect();
        assert_eq!(client.get("/echo/one?token=hunter2").status(), 200);
        assert_eq!(client.get("/nothing\"here").status(), 404);
        gateway.ask("BAD REQUEST\r\n\r\n");
        until("three lines", || lines(dir.path()).len() == 3);
        let lines = lines(dir.path());
        let said = |line: &Value, name: &str| line[name].as_str().unwrap_or_default().to_string();
        assert_eq!((said(&lines[0], "path").as_str(), lines[0]["status"].as_u64()), ("/echo/one", Some(200)));
        assert_eq!(
            (said(&lines[0], "route"), said(&lines[0], "client")),
            ("default/echo".into(), "127.0.0.1".into())
        );
        assert!(
            lines[0]["sent_bytes"].as_u64() > Some(20) && lines[0]["duration_us"].is_u64(),
            "{}",
            lines[0]
        );
        assert_eq!(
            (said(&lines[1], "path").as_str(), lines[1]["status"].as_u64()),
            ("/nothing\"here", Some(404))
        );
        assert_eq!((lines[2]["method"].is_null(), lines[2]["status"].as_u64()), (true, Some(400)));
        assert!(!format!("{lines:?}").contains("hunter2"), "{lines:?}");
    }
}

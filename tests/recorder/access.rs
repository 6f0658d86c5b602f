//! The access log as an operator reads it: a line for every answered request in the format asked for, on disk within
//! moments, without what is a credential.

use crate::harness::{Config, Gateway, RUNTIMES, Upstream, answers_well, until};
use crate::{lines, text};
use serde_json::Value;

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

#[test]
fn formats_are_those_asked_for() {
    let upstream = Upstream::answering(|_| {
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nSet-Cookie: id=hunter2\r\nContent-Length: 4\r\n\r\nbody".into()
    });
    let config = Config::new().serve("echo", upstream.url());
    let template = "%{client}|%{method}|%{path}|%{query}|%{route}|%{service}|%{status}|%{body_bytes}|%{resp.content-type}|\
                    %{resp.set-cookie}|%{req.cookie}|%{req.x-mine}";
    for (format, expected) in [
        (
            template,
            "127.0.0.1|GET|/echo/a|x=1&key=[redacted]|default/echo|default/echo|200|4|text/plain|[redacted]|[redacted]|a\\x7cb",
        ),
        ("\"%{request}\" %{status} %{body_bytes}", "\"GET /echo/a?x=1&key=[redacted] HTTP/1.1\" 200 4"),
        ("clf", "] \"GET /echo/a?x=1&key=[redacted] HTTP/1.1\" 200 4"),
        ("combined", "] \"GET /echo/a?x=1&key=[redacted] HTTP/1.1\" 200 4 \"-\" \"agent/1\""),
    ] {
        let dir = tempfile::tempdir().expect("a folder");
        let flags = ["--access-log-dir", dir.path().to_str().expect("a path"), "--access-log-format", format];
        let gateway = Gateway::start("auto", &config, &flags);
        let request = "GET /echo/a?x=1&key=hunter2 HTTP/1.1\r\nHost: h\r\nCookie: hunter2\r\nX-Mine: a|b\r\n\
                       User-Agent: agent/1\r\n\r\n";
        assert_eq!(gateway.connect().ask(request).status(), 200);
        until("a line", || text(dir.path()).lines().count() == 1);
        let text = text(dir.path());
        assert!(text.trim_end().ends_with(expected), "{format}: {text}");
        assert!(!text.contains("hunter2"), "{text}");
    }
}

#[test]
fn a_sample_leaves_its_share_and_every_error() {
    let (upstream, dir) = (answers_well(), tempfile::tempdir().expect("a folder"));
    let config = Config::new().serve("echo", upstream.url()).serve("gone", "http://127.0.0.1:9".into());
    let flags = ["--access-log-dir", dir.path().to_str().expect("a path"), "--access-log-sample", "10%"];
    let gateway = Gateway::start("auto", &config, &flags);
    let mut client = gateway.connect();
    (0..200).for_each(|_| assert_eq!(client.get("/echo/").status(), 200));
    (0..5).for_each(|_| assert_eq!(client.get("/gone/").status(), 502));
    let of = |status: u64| lines(dir.path()).iter().filter(|line| line["status"] == status).count();
    until("the errors", || of(502) == 5);
    assert!((19..=21).contains(&of(200)), "{}", of(200));
    let lines = lines(dir.path());
    assert!(lines.iter().all(|line| (line["sample_rate"] == 0.1) == (line["status"] == 200)), "{lines:?}");
    assert!(lines.iter().all(|line| line["fault"].is_string() == (line["status"] == 502)), "{lines:?}");
}

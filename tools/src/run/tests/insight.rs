//! `module logs` and `module stats`: what is asked, how entries look, and what happens when the connection is lost.

use super::*;

#[test]
fn words_and_flags_become_a_query() {
    for (line, target) in [
        ("module logs m", "module/default/m/logs"),
        ("mod logs name=m namespace=shop", "module/shop/m/logs"),
        ("module logs m -n shop --level warn --limit 5", "module/shop/m/logs?level=warn&limit=5"),
        ("module logs m level=error since=17", "module/default/m/logs?level=error&since=17"),
        ("-f module logs m", "module/default/m/logs"),
        ("module stats m --namespace shop", "module/shop/m/stats"),
        ("module stats a/b", "module/default/a%2Fb/stats"),
    ] {
        let words: Vec<&str> = line.split(' ').collect();
        let (outcome, arrived) = ask(&words, 200, r#"{"success":true,"data":[]}"#);
        assert_eq!(outcome.code, 0, "{line}: {}", outcome.err);
        assert_eq!(arrived.line, format!("GET /api/v1/{target} HTTP/1.1"), "{line}");
    }
    for (line, named) in [
        ("module logs", "name"),
        ("module logs m --level loud", "level"),
        ("module logs m --limit many", "limit"),
        ("module stats m level=warn", "level"),
        ("module logs m colour=red", "colour"),
        ("route logs r", "logs"),
    ] {
        let words: Vec<&str> = line.split(' ').collect();
        let outcome = tidegate(&words, &[]);
        assert_eq!(outcome.code, 2, "{line}");
        assert!(outcome.err.contains(named), "{line}: {}", outcome.err);
    }
}

const ENTRY: &str = r#"{"seq":7,"at":"2026-11-21T10:00:00.001Z","level":"error","kind":"error","what":"module_error","function":"requestHandler","route":"default/r","request_id":"0-1f","shard":0,"source":"deep","text":"Error: \u001b[31mno","stack":["at f (deep.ts:1:2)","at g (m.ts:3:4)"]}"#;

#[test]
fn a_schedule_and_a_run_of_it() {
    let jobs = r#"{"success":true,"data":[{"index":0,"cron":"0 3 * * *","timezone":"Europe/Berlin","per":"cluster",
        "next":"2026-11-22T02:00:00.000Z","running":false,"skipped":0,"last":null}]}"#;
    let (outcome, arrived) = ask(&["module", "schedule", "m", "-n", "shop"], 200, jobs);
    assert_eq!(arrived.line, "GET /api/v1/module/shop/m/schedule HTTP/1.1");
    for shown in ["0 3 * * * Europe/Berlin", "cluster", "2026-11-22T02:00:00.000Z"] {
        assert!(outcome.code == 0 && outcome.out.contains(shown), "{}", outcome.out);
    }
    let (outcome, _) = ask(&["module", "schedule", "m"], 200, r#"{"success":true,"data":[]}"#);
    assert_eq!((outcome.out.as_str(), outcome.err.as_str()), ("", "it is not run by itself\n"));
    for (line, target, said, code) in [
        ("module trigger m", "run", "ok", 0),
        ("module trigger m --index 2", "run?index=2", "ok", 0),
        ("module trigger m index=2", "run?index=2", "thrown", 1),
    ] {
        let words: Vec<&str> = line.split(' ').collect();
        let body = format!(r#"{{"success":true,"data":{{"id":"run-1","outcome":"{said}"}}}}"#);
        let (outcome, arrived) = ask(&words, 200, &body);
        assert_eq!(arrived.line, format!("POST /api/v1/module/default/m/{target} HTTP/1.1"), "{line}");
        assert!(outcome.code == code && outcome.out.contains(said), "{line}: {}", outcome.out);
    }
    assert_eq!(tidegate(&["module", "trigger", "m", "--index", "x"], &[]).code, 2);
}

#[test]
fn entries_are_lines_with_their_stack_below() {
    let body = format!(r#"{{"success":true,"data":[{ENTRY}]}}"#);
    let (outcome, _) = ask(&["module", "logs", "m"], 200, &body);
    assert_eq!(
        outcome.out,
        "2026-11-21T10:00:00.001Z ERROR requestHandler 0-1f [deep]  Error: \\u{1b}[31mno\n    \
         at f (deep.ts:1:2)\n    at g (m.ts:3:4)\n"
    );
    let (outcome, _) = ask(&["module", "logs", "m", "-o", "json"], 200, &body);
    let shown: serde_json::Value = serde_json::from_str(&outcome.out).expect("JSON");
    assert_eq!(shown[0]["seq"], 7);
    let (outcome, _) = ask(&["module", "logs", "m"], 200, r#"{"success":true,"data":[]}"#);
    assert_eq!((outcome.out.as_str(), outcome.err.as_str()), ("", "the log is empty\n"));
    let (outcome, _) =
        ask(&["module", "logs", "m"], 404, r#"{"success":false,"error":"there is no module 'm'"}"#);
    assert!(outcome.code == 1 && outcome.err.contains("there is no module 'm'"), "{}", outcome.err);
}

fn stream(lines: &[&str]) -> String {
    let chunks: String = lines.iter().map(|line| format!("{:x}\r\n{line}\n\r\n", line.len() + 1)).collect();
    // Without a last chunk: the connection is cut.
    format!(
        "HTTP/1.1 200 X\r\nconnection: close\r\ncontent-type: application/x-ndjson\r\ntransfer-encoding: chunked\r\n\r\n{chunks}"
    )
}

/// A reader that goes away after so many lines.
struct Reader {
    text: String,
    lines: usize,
}

impl Write for Reader {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.text.push_str(std::str::from_utf8(bytes).expect("text"));
        match self.text.matches('\n').count() < self.lines {
            true => Ok(bytes.len()),
            false => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn follows(address: &str, line: &[&str], lines: usize) -> (u8, String, String) {
    let line: Vec<&str> = ["tidegate", "--admin", address].iter().chain(line).copied().collect();
    let cli = Cli::try_parse_from(line).expect("a command");
    let Top::Client(client) = cli.command else { panic!("not a client command") };
    let (mut out, mut err) = (Reader { text: String::new(), lines }, Vec::new());
    let mut world = World {
        env: &|_| None,
        out: &mut out,
        err: &mut err,
        style: Style::default(),
        err_color: false,
        progress: false,
        password: &|_| Err(io::ErrorKind::NotFound.into()),
    };
    let code = execute(&cli.options, client, &mut world);
    (code, out.text, String::from_utf8(err).expect("text"))
}

#[test]
fn following_goes_on_after_the_gateway_was_away() {
    let entry = |seq: u32| {
        format!(r#"{{"kind":"console","seq":{seq},"level":"info","text":"line {seq}","stack":[]}}"#)
    };
    let answers = vec![
        stream(&[&entry(3), r#"{"kind":"heartbeat","seq":9}"#, &entry(10)]),
        answer(503, "", r#"{"success":false,"error":"starting"}"#),
        stream(&[r#"{"kind":"heartbeat","seq":11}"#, r#"{"kind":"skipped","count":2}"#, &entry(14)]),
    ];
    let (address, api) = admin_api(answers);
    let (code, out, err) = follows(&address, &["module", "logs", "m", "-f", "--limit", "1", "-o", "json"], 4);
    assert_eq!((code, err.as_str()), (0, ""));
    let seqs: Vec<String> =
        out.lines().map(|line| line.chars().filter(char::is_ascii_digit).collect()).collect();
    assert_eq!(seqs, ["33", "1010", "2", "1414"], "{out}");
    let asked: Vec<String> = api.join().expect("api").into_iter().map(|arrived| arrived.line).collect();
    assert_eq!(
        asked,
        [
            "GET /api/v1/module/default/m/logs?follow=true&limit=1 HTTP/1.1",
            "GET /api/v1/module/default/m/logs?follow=true&since=10 HTTP/1.1",
            "GET /api/v1/module/default/m/logs?follow=true&since=10 HTTP/1.1",
        ]
    );
}

#[test]
fn following_what_is_not_there_is_refused_at_once() {
    let (address, _api) =
        admin_api(vec![answer(404, "", r#"{"success":false,"error":"there is no module 'm'"}"#)]);
    let (code, _, err) = follows(&address, &["module", "logs", "name=m", "follow=true"], 9);
    assert!(code == 1 && err.contains("there is no module 'm'"), "{err}");
    let gone = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port");
    let (code, _, err) = follows(&gone.to_string(), &["module", "logs", "m", "-f"], 9);
    assert!(code == 3 && err.contains("cannot be reached"), "{err}");
}

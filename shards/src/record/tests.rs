//! Lines as an operator reads them, of requests that a client sent to break them, and how many there are.

mod cost;

use super::*;
use crate::fault::Fault;
use crate::profile::Spans;
use crate::wire::Peer;
use std::cell::RefCell;
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tidegate_codec::{HeadLimits, RequestHead};
use tidegate_snapshot::{MethodSet, Route, Service};

const LIMITS: HeadLimits = HeadLimits { line_bytes: 16 << 10, head_bytes: 64 << 10, fields: 100 };

const SPANS: Spans =
    Spans { module_ns: 0, connect_ns: 200_000, first_byte_ns: 1_000_000, transfer_ns: 0, waited_ns: 30_000 };

/// Shares its lines with the test.
#[derive(Clone, Default)]
struct Kept(Rc<RefCell<Vec<u8>>>);

// SAFETY: the tests below stay on their thread.
unsafe impl Send for Kept {}

impl RecordSink for Kept {
    fn buffer(&mut self) -> Vec<u8> {
        Vec::with_capacity(16 << 10)
    }

    fn submit(&mut self, lines: Vec<u8>) -> bool {
        self.0.borrow_mut().extend_from_slice(&lines);
        true
    }
}

impl Kept {
    fn text(&self) -> String {
        String::from_utf8(self.0.borrow().clone()).expect("UTF-8")
    }
}

fn head(text: &str) -> RequestHead {
    let mut head = RequestHead::default();
    assert!(head.parse(&mut text.as_bytes().to_vec(), &LIMITS).expect("a head"), "{text}");
    head
}

fn peer() -> Peer {
    let address = SocketAddr::from((Ipv4Addr::new(192, 0, 2, 7), 4711));
    Peer { address, text: "192.0.2.7".into(), is_secure: false }
}

fn route() -> Route {
    let service = Service {
        slot: 0,
        key: "default/users".into(),
        description: "{}".into(),
        endpoints: Vec::new(),
        retries: 0,
        retry_wait: Duration::ZERO,
        connect_timeout: Duration::ZERO,
        request_timeout: Duration::ZERO,
        hide_gateway_headers: false,
        disable_query_params: false,
    };
    Route {
        slot: 0,
        key: "default/profiles".into(),
        namespace: "default".into(),
        description: "{}".into(),
        methods: MethodSet::any(),
        preserve_host: false,
        strip_path: false,
        allow_encoded_slash: false,
        service: Some(Arc::new(service)),
        response: None,
        pipeline: None,
        max_body_bytes: 0,
    }
}

fn line<'a>(peer: &'a Peer, head: &'a RequestHead) -> Line<'a> {
    Line {
        shard: 3,
        peer,
        head: Some(head),
        route: None,
        status: 200,
        fault: None,
        received_bytes: 80,
        sent_bytes: 300,
        head_bytes: 200,
        ended_ns: tidegate_reactor::clock::precise_ns(),
        duration_ns: 1_234_567,
        spans: &SPANS,
        said: None,
    }
}

fn rules(format: &str, redaction: Redaction) -> RecordRules {
    let format = RecordFormat::parse(format, &redaction).expect("a format");
    RecordRules { format, redaction, sampling: Sampling::default() }
}

fn written(rules: RecordRules, write: impl FnOnce(&Records)) -> String {
    let kept = Kept::default();
    let records = Records::new(Some(Box::new(kept.clone())), rules);
    write(&records);
    records.flush();
    kept.text()
}

fn check(format: &str, redaction: Redaction, request: &str, expected: &str) {
    let (peer, head) = (peer(), head(request));
    let found = written(rules(format, redaction), |records| {
        let route = route();
        let mut said = None;
        let mut fields = Fields::default();
        fields.set(b"Content-Type", b"text/plain").expect("a field");
        fields.set(b"Set-Cookie", b"id=hunter2").expect("a field");
        records.keep(&mut said, &fields);
        records.add(&Line { said: said.as_ref(), route: Some(&route), ..line(&peer, &head) });
        records.forget(said);
    });
    assert_eq!(found, format!("{expected}\n"), "{format}");
}

#[test]
fn templates_show_what_they_name() {
    let request = "GET /a%20b?x=1&token=hunter2 HTTP/1.1\r\nHost: Example.com:80\r\nUser-Agent: curl \"8\"\r\n\
                   Authorization: Bearer hunter2\r\nReferer: http://u:hunter2@h/?code=hunter2&a=1\r\n\r\n";
    for (format, expected) in [
        (
            "%{shard} %{client} %{method} %{scheme}://%{host}%{path}",
            "3 192.0.2.7 GET http://example.com/a%20b",
        ),
        ("%{request}", r"GET\x20/a%20b?x=1&token=[redacted]\x20HTTP/1.1"),
        ("\"%{request}\"", "\"GET /a%20b?x=1&token=[redacted] HTTP/1.1\""),
        ("%{query};%{version}", "x=1&token=[redacted];HTTP/1.1"),
        ("%{status} %{received_bytes} %{sent_bytes} %{body_bytes} %{duration_us}", "200 80 300 100 1234"),
        (
            "%{tax_us} %{module_us} %{connect_us} %{first_byte_us} %{transfer_us} %{wait_us}",
            "4 - 200 1000 - 30",
        ),
        ("%{route} %{service} %{fault} %{sample_rate}", "default/profiles default/users - 1"),
        ("\"%{req.user-agent}\"", r#""curl \"8\"""#),
        ("%{req.User-Agent}", r#"curl\x20\"8\""#),
        (
            "%{req.authorization} %{req.cookie} %{req.referer}",
            "[redacted] - http://[redacted]@h/?code=[redacted]&a=1",
        ),
        ("%{resp.content-type} %{resp.set-cookie} %{resp.nothing}", "text/plain [redacted] -"),
        ("%{path}|%{req.none}%%", r"/a\x2520b|-%"),
    ] {
        check(format, Redaction::default(), request, expected);
    }
    for (format, expected) in [
        ("%{query} %{req.authorization}", r"x=1&token=hunter2 Bearer\x20hunter2"),
        ("%{resp.set-cookie}", "id=hunter2"),
    ] {
        check(format, Redaction::off(), request, expected);
    }
    check(
        "%{req.user-agent} %{query}",
        Redaction::new(&["user-agent".into(), "x".into()]),
        request,
        "[redacted] x=[redacted]&token=[redacted]",
    );
}

#[test]
fn no_client_forges_a_line_or_a_field() {
    let evil = "GET /p?a|b%0a HTTP/1.1\r\nHost: h\r\nUser-Agent: x\" 200 1 \"\t\\\u{85}|y\r\n\r\n";
    for (format, expected) in [
        ("%{host}|%{req.user-agent}|%{query}", r#"h|x\"\x20200\x201\x20\"\x09\\\xc2\x85\x7cy|a\x7cb%0a"#),
        ("\"%{req.user-agent}\"", r#""x\" 200 1 \"\x09\\\xc2\x85|y""#),
    ] {
        check(format, Redaction::default(), evil, expected);
    }
    let (peer, head) = (peer(), head(evil));
    let json = written(RecordRules::default(), |records| records.add(&line(&peer, &head)));
    assert_eq!(json.lines().count(), 1);
}

#[test]
fn apaches_formats_are_apaches() {
    let (peer, asked) = (peer(), head("POST /p HTTP/1.0\r\nReferer: http://h/\r\n\r\n"));
    for (format, tail) in [
        ("clf", "\"POST /p HTTP/1.0\" 200 100"),
        ("combined", "\"POST /p HTTP/1.0\" 200 100 \"http://h/\" \"-\""),
    ] {
        let found = written(rules(format, Redaction::default()), |records| {
            records.add(&line(&peer, &asked));
            let bodiless = Line { sent_bytes: 200, head: None, ..line(&peer, &asked) };
            records.add(&bodiless);
        });
        let mut lines = found.lines();
        let first = lines.next().expect("a line");
        let (front, rest) = first.split_once(" +0000] ").expect("a time");
        assert!(
            front.starts_with("192.0.2.7 - - [") && front.len() == 15 + "21/Nov/2026:12:01:02".len(),
            "{first}"
        );
        assert_eq!(rest, tail);
        assert!(lines.next().expect("a line").contains("+0000] \"-\" 200 -"), "no request, and no body");
    }
}

#[test]
fn json_has_what_there_is() {
    let (peer, head) =
        (peer(), head("GET /a\"?key=x HTTP/1.1\r\nHost: h\r\n\r\n".replace('"', "%22").as_str()));
    let found = written(RecordRules::default(), |records| {
        records.add(&line(&peer, &head));
        records.add(&Line {
            head: None,
            fault: Some(Fault::HeaderTimeout),
            status: 408,
            ..line(&peer, &head)
        });
    });
    let ends: Vec<&str> =
        found.lines().map(|line| line.split_once(",\"shard\"").expect("a shard").1).collect();
    assert_eq!(
        ends,
        [
            ":3,\"client\":\"192.0.2.7\",\"method\":\"GET\",\"host\":\"h\",\"path\":\"/a%22\",\
             \"query\":\"key=[redacted]\",\"version\":\"HTTP/1.1\",\"status\":200,\"received_bytes\":80,\
             \"sent_bytes\":300,\"duration_us\":1234,\"tax_us\":4,\"connect_us\":200,\"first_byte_us\":1000,\"wait_us\":30}",
            ":3,\"client\":\"192.0.2.7\",\"fault\":\"header_timeout\",\"status\":408,\"received_bytes\":80,\
             \"sent_bytes\":300,\"duration_us\":1234,\"tax_us\":4,\"connect_us\":200,\"first_byte_us\":1000,\"wait_us\":30}",
        ]
    );
    assert!(found.starts_with("{\"at\":\"20") && found.contains("Z\",\"at_ms\":1"), "{found}");
}

#[test]
fn paths_have_no_credentials_either() {
    let request = "GET /a/x@y;jsessionid=hunter2/b HTTP/1.1\r\nHost: h\r\n\r\n";
    for (format, expected) in [
        ("%{path}", "/a/x@y;jsessionid=[redacted]"),
        ("\"%{request}\"", "\"GET /a/x@y;jsessionid=[redacted] HTTP/1.1\""),
    ] {
        check(format, Redaction::default(), request, expected);
    }
    let (peer, head) = (peer(), head(request));
    let found = written(RecordRules::default(), |records| records.add(&line(&peer, &head)));
    assert!(found.contains("\"path\":\"/a/x@y;jsessionid=[redacted]\",\"version\""), "{found}");
    let found = written(rules("json", Redaction::off()), |records| records.add(&line(&peer, &head)));
    assert!(found.contains("\"path\":\"/a/x@y;jsessionid=hunter2/b\",\"version\""), "{found}");
}

#[test]
fn a_sample_keeps_errors_and_says_its_rate() {
    let (peer, head) = (peer(), head("GET /p HTTP/1.1\r\nHost: h\r\n\r\n"));
    let rate = |text| Rate::parse(text).expect("a rate");
    let sampling = Sampling { all: rate("1%"), errors: Rate::all() };
    let found = written(RecordRules { sampling, ..RecordRules::default() }, |records| {
        for n in 0..10_000 {
            let (status, fault) = match n % 1_000 {
                1 => (502, Some(Fault::ConnectFailed)),
                2 => (200, Some(Fault::UpstreamClosed)),
                3 => (404, Some(Fault::NoRoute)),
                _ => (200, None),
            };
            records.add(&Line { status, fault, ..line(&peer, &head) });
        }
    });
    let (sampled, errors): (Vec<&str>, Vec<&str>) =
        found.lines().partition(|line| line.contains("\"sample_rate\":0.01}"));
    assert!((98..=102).contains(&sampled.len()), "{}", sampled.len());
    assert_eq!(errors.len(), 20, "all of them, the cut one too; a client's own does not count");
    assert!(errors.iter().all(|line| line.contains("\"fault\":\"")), "{errors:?}");
    let none = Sampling { all: rate("0%"), errors: rate("0%") };
    let found = written(RecordRules { sampling: none, ..RecordRules::default() }, |records| {
        (0..1_000).for_each(|_| records.add(&line(&peer, &head)));
    });
    assert_eq!(found, "");
}

#[test]
fn nothing_is_kept_of_responses_that_no_line_shows() {
    let records = Records::new(Some(Box::new(Kept::default())), RecordRules::default());
    let mut said = None;
    records.keep(&mut said, &Fields::default());
    assert!(said.is_none());
    let records = Records::new(None, rules("%{resp.x}", Redaction::default()));
    records.keep(&mut said, &Fields::default());
    assert!(said.is_none(), "nobody wants lines");
}

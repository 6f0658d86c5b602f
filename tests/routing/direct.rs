//! Routes that answer by themselves: what goes out to which request, what becomes of the connection, how it is changed and
//! what of it is refused.

use super::harness::{Client, Config, Gateway, Message, RUNTIMES, until};
use serde_json::{Value, json};

fn answering(path: &str, response: Value) -> Value {
    let name = path.trim_matches('/').replace('/', "-");
    json!({"name": name, "namespace": "default", "paths": [path], "methods": ["*"], "response": response})
}

fn put(gateway: &Gateway, route: &Value) -> Message {
    let body = route.to_string();
    let length = body.len();
    let head = format!(
        "PUT /api/v1/route HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    );
    Client::new(gateway.admin).ask(head + &body)
}

/// The fields besides those that every answer has.
fn own_fields(answer: &Message) -> Vec<&str> {
    answer.names().into_iter().filter(|name| !name.eq_ignore_ascii_case("date")).collect()
}

#[test]
fn what_was_written_is_what_is_answered() {
    let config = Config::new()
        .proxy("global_headers", json!({"X-Served-By": "harbour", "Vary": "Accept"}))
        .add("routes", answering("/plain", json!({"body": "hello\n"})))
        .add("routes", answering("/empty", json!({})))
        .add(
            "routes",
            answering(
                "/closed",
                json!({"status": 503, "headers": {"Content-Type": "application/json", "Retry-After": "5", "vary": "*"},
                    "body": "{\"error\":\"closed\"}"}),
            ),
        )
        .add("routes", answering("/none", json!({"status": 204})))
        .add("routes", answering("/same", json!({"status": 304, "headers": {"ETag": "\"a\""}})))
        .add("routes", answering("/moved", json!({"status": 301, "headers": {"Location": "/plain"}})))
        .add("routes", answering("/cookies", json!({"headers": {"Set-Cookie": ["a=1", "b=2"], "Vary": ["*", "B"]}})))
        .add("routes", answering("/odd", json!({"status": 499, "body": "?"})))
        .add("routes", answering("/large", json!({"body": "x".repeat(65_536)})));
    for runtime in RUNTIMES {
        let gateway = Gateway::start(runtime, &config, &[]);
        let mut client = gateway.connect();
        let large = "x".repeat(65_536);
        for (path, line, fields, length, body) in [
            (
                "/plain",
                "HTTP/1.1 200 OK",
                &["Content-Type", "Content-Length", "Vary", "X-Served-By"][..],
                Some("6"),
                "hello\n",
            ),
            ("/empty", "HTTP/1.1 200 OK", &["Content-Length", "Vary", "X-Served-By"], Some("0"), ""),
            (
                "/closed",
                "HTTP/1.1 503 Service Unavailable",
                &["Content-Type", "Retry-After", "vary", "Content-Length", "X-Served-By"],
                Some("18"),
                "{\"error\":\"closed\"}",
            ),
            ("/none", "HTTP/1.1 204 No Content", &["Vary", "X-Served-By"], None, ""),
            ("/same", "HTTP/1.1 304 Not Modified", &["ETag", "Vary", "X-Served-By"], None, ""),
            (
                "/moved",
                "HTTP/1.1 301 Moved Permanently",
                &["Location", "Content-Length", "Vary", "X-Served-By"],
                Some("0"),
                "",
            ),
            (
                "/odd",
                "HTTP/1.1 499 ",
                &["Content-Type", "Content-Length", "Vary", "X-Served-By"],
                Some("1"),
                "?",
            ),
            (
                "/cookies",
                "HTTP/1.1 200 OK",
                &["Content-Length", "Set-Cookie", "Set-Cookie", "Vary", "Vary", "X-Served-By"],
                Some("0"),
                "",
            ),
            (
                "/large",
                "HTTP/1.1 200 OK",
                &["Content-Type", "Content-Length", "Vary", "X-Served-By"],
                Some("65536"),
                &large,
            ),
        ] {
            // All on one connection; HEAD is told the same without the body.
            for method in ["GET", "HEAD", "OPTIONS"] {
                let answer = client.ask(format!("{method} {path} HTTP/1.1\r\nHost: h\r\n\r\n"));
                let sent = if method == "HEAD" { "" } else { body };
                assert_eq!(answer.head.line, line, "{method} {path}");
                let mut names = own_fields(&answer);
                let mut expected = fields.to_vec();
                names.sort_unstable();
                expected.sort_unstable();
                assert_eq!(names, expected, "{method} {path}");
                assert_eq!(answer.get("content-length"), length, "{method} {path}");
                assert_eq!(answer.text(), sent, "{method} {path}");
                assert_eq!(answer.values("date").len(), 1, "{method} {path}");
            }
        }
        assert_eq!(client.get("/plain").get("content-type"), Some("text/plain; charset=utf-8"));
        assert_eq!(client.get("/cookies").values("set-cookie"), ["a=1", "b=2"]);
        assert_eq!(client.get("/closed").get("content-type"), Some("application/json"));
        until("all are counted by route and class", || {
            gateway.metric("tidegate_requests_total", "route=\"default/closed\",status_class=\"5xx\"") == 4
                && gateway.metric("tidegate_requests_total", "route=\"default/plain\",status_class=\"2xx\"")
                    == 4
        });
    }
}

#[test]
fn the_connection_goes_on_as_with_any_answer() {
    let mut small = answering("/small", json!({"body": "b"}));
    small["maxBodyBytes"] = json!(4);
    let config = Config::new().add("routes", answering("/a", json!({"body": "a"}))).add("routes", small);
    for runtime in RUNTIMES {
        let gateway = Gateway::start(runtime, &config, &[]);
        // Ten at once, then the end of it.
        let mut client = gateway.connect();
        let mut many = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n".repeat(9);
        many.push_str("GET /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
        client.send(many);
        for at in 0..10 {
            let answer = client.response();
            assert_eq!((answer.status(), answer.text().as_str()), (200, "a"));
            assert_eq!(answer.get("connection"), (at == 9).then_some("close"), "{at}");
        }
        client.must_end();
        // A version that closes unless it is asked not to.
        let mut client = gateway.connect();
        let answer = client.ask("GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
        assert_eq!((answer.status(), answer.get("connection")), (200, Some("keep-alive")));
        assert_eq!(client.ask("GET /a HTTP/1.0\r\n\r\n").get("connection"), Some("close"));
        client.must_end();
        // A body that is here is skipped, one that is still to come ends the connection.
        for (body, goes_on) in [
            ("Content-Length: 4\r\n\r\nbody", true),
            ("Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n", true),
            ("Content-Length: 4\r\n\r\nbo", false),
            ("Content-Length: 4\r\nExpect: 100-continue\r\n\r\n", false),
            ("Transfer-Encoding: chunked\r\n\r\n4\r\nbo", false),
        ] {
            let mut client = gateway.connect();
            let answer = client.ask(format!("POST /a HTTP/1.1\r\nHost: h\r\n{body}"));
            let connection = (!goes_on).then_some("close");
            assert_eq!((answer.status(), answer.get("connection")), (200, connection), "{body}");
            if goes_on {
                assert_eq!(client.get("/a").status(), 200, "{body}");
            } else {
                client.must_end();
            }
        }
        let large = gateway.ask("POST /small HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nlarge");
        assert_eq!(large.status(), 413);
    }
}

#[test]
fn it_is_changed_while_it_runs() {
    let upstream = super::harness::answers_well();
    let config =
        Config::new().serve("origin", upstream.url()).add("routes", answering("/a", json!({"body": "one"})));
    let gateway = Gateway::start("auto", &config, &[]);
    let mut client = gateway.connect();
    assert_eq!(client.get("/a").text(), "one");
    let mut served = answering("/a", json!(null));
    served["service"] = json!("origin");
    for (route, status, body) in [
        (answering("/a", json!({"body": "two"})), 200, Some("two")),
        (answering("/a", json!({"status": 410})), 410, Some("")),
        (served, 200, None),
        (answering("/a", json!({"status": 503, "body": "back"})), 503, Some("back")),
    ] {
        let done = put(&gateway, &route);
        assert!(matches!(done.status(), 200 | 201), "{}", done.text());
        let answer = client.get("/a");
        assert_eq!(answer.status(), status, "{route}");
        assert!(body.is_none_or(|body| body == answer.text()), "{route}: {}", answer.text());
    }
    assert_eq!(upstream.requests().len(), 1);
}

#[test]
fn what_cannot_be_sent_is_refused_with_paths() {
    let gateway = Gateway::start("auto", &Config::new().add("routes", answering("/a", json!({}))), &[]);
    let mut both = answering(
        "/b",
        json!({"status": 100, "headers": {"Content-Length": "3", "X-A": "a\r\nb"}, "body": "abc"}),
    );
    both["service"] = json!("nowhere");
    for (route, paths) in [
        (
            both,
            &["response", "response.headers.Content-Length", "response.headers.X-A", "response.status"][..],
        ),
        (answering("/b", json!({"status": 204, "body": "abc"})), &["response.body"]),
        (answering("/b", json!({"body": "x".repeat(65_537)})), &["response.body"]),
        (answering("/b", json!({"text": "abc"})), &["response.text"]),
    ] {
        let refused = put(&gateway, &route);
        assert_eq!(refused.status(), 400, "{}", refused.text());
        for path in paths {
            assert!(refused.text().contains(&format!("\"{path}\"")), "{path}: {}", refused.text());
        }
    }
    assert_eq!((gateway.get("/b").status(), gateway.get("/a").status()), (404, 200));
}

//! Rules of the whole proxy and switches of a route or service: hosts that are allowed or sent to https, fields that every
//! response carries, the client's Host and query.

use super::harness::{Config, Gateway, answers_well, route, service, until};
use serde_json::json;

#[test]
fn allowed_domains_refuse_all_others() {
    let upstream = answers_well();
    let config = Config::new()
        .proxy("allowed_domains", json!(["*local*", "a.example", "/b[0-9]/"]))
        .serve("a", upstream.url());
    let gateway = Gateway::start("auto", &config, &[]);
    for (host, status) in [
        ("localhost", 200),
        ("my.local:80", 200),
        ("a.example", 200),
        ("A.EXAMPLE", 200),
        ("b7", 200),
        ("b77", 403),
        ("x.a.example", 403),
        ("a.example.evil", 403),
        ("evil", 403),
    ] {
        let answer = gateway.ask(format!("GET /a HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        assert_eq!(answer.status(), status, "{host}");
    }
    gateway.must_tell("host_forbidden", 4);
}

#[test]
fn redirect_https_keeps_path_and_query() {
    let upstream = answers_well();
    let config = Config::new().proxy("redirect_https", json!(["*.secure"])).serve("a", upstream.url());
    let gateway = Gateway::start("auto", &config, &[]);
    for (request, host, status, location) in [
        ("GET /a", "x.secure", 308, Some("https://x.secure/a")),
        ("POST /a/b?c=d&e", "X.Secure:80", 308, Some("https://x.secure/a/b?c=d&e")),
        ("GET //evil.example", "x.secure", 308, Some("https://x.secure//evil.example")),
        ("GET /nowhere", "x.secure", 308, Some("https://x.secure/nowhere")),
        ("GET /a", "plain", 200, None),
        ("OPTIONS *", "x.secure", 405, None),
        ("TRACE /a", "plain", 405, None),
    ] {
        let answer = gateway.ask(format!("{request} HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        assert_eq!((answer.status(), answer.get("location")), (status, location), "{request} {host}");
    }
    // A port of its own stands in the url.
    let config = Config::new()
        .proxy("redirect_https", json!(["*"]))
        .proxy("tls", json!({"port": 8443}))
        .serve("a", upstream.url());
    let gateway = Gateway::start("auto", &config, &[]);
    assert_eq!(gateway.ask("GET /a HTTP/1.1\r\nHost: h\r\n\r\n").get("location"), Some("https://h:8443/a"));
}

#[test]
fn global_headers_are_on_every_response_that_has_none() {
    let upstream = super::harness::Upstream::answering(|request| {
        let own = if request.target().contains("own") { "x-served-by: upstream\r\n" } else { "" };
        format!("HTTP/1.1 200 OK\r\n{own}Content-Length: 0\r\n\r\n")
    });
    let config = Config::new()
        .proxy("global_headers", json!({"X-Served-By": "harbour", "X-Other": "1", "Date": "never"}))
        .serve("a", upstream.url())
        .add(
            "routes",
            json!({"name": "direct", "namespace": "default", "paths": ["/direct"], "methods": ["*"], "response": {}}),
        );
    let gateway = Gateway::start("auto", &config, &[]);
    // The last: whether the gateway made the response, whose date is then its own.
    for (request, served, is_ours) in [
        ("GET /a HTTP/1.1\r\nHost: h\r\n\r\n", "harbour", false),
        ("GET /a/own HTTP/1.1\r\nHost: h\r\n\r\n", "upstream", false),
        ("GET /nowhere HTTP/1.1\r\nHost: h\r\n\r\n", "harbour", true),
        ("GET /direct HTTP/1.1\r\nHost: h\r\n\r\n", "harbour", true),
        ("garbage\r\n\r\n", "harbour", true),
    ] {
        let answer = gateway.ask(request);
        // `get` refuses a field that stands twice.
        let date = answer.get("date");
        assert_eq!(date.is_some_and(|date| date.ends_with(" GMT")), is_ours, "{request} {date:?}");
        assert_eq!(
            (answer.get("x-served-by"), answer.get("x-other")),
            (Some(served), Some("1")),
            "{request}"
        );
    }
}

#[test]
fn host_and_query_go_up_as_the_route_says() {
    let upstream = answers_well();
    let url = upstream.url();
    let mut keeps = route("keeps", "/keeps");
    keeps["preserveHost"] = json!(true);
    let mut bare = service("bare", std::slice::from_ref(&url));
    bare["disableQueryParams"] = json!(true);
    let config = Config::new()
        .serve("a", url.clone())
        .add("services", service("keeps", &[url]))
        .add("routes", keeps)
        .add("services", bare)
        .add("routes", route("bare", "/bare"));
    let gateway = Gateway::start("auto", &config, &[]);
    let own = upstream.address.to_string();
    for (path, host, target, expected) in [
        ("/a?x=1", "Client.Example:81", "/a?x=1", own.as_str()),
        ("/keeps?x=1", "Client.Example:81", "/keeps?x=1", "Client.Example:81"),
        ("/bare?x=1", "h", "/bare", own.as_str()),
        ("/bare?", "h", "/bare", own.as_str()),
        ("/a?", "h", "/a?", own.as_str()),
    ] {
        gateway.ask(format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        let request = upstream.last();
        assert_eq!((request.target(), request.get("host")), (target, Some(expected)), "{path}");
    }
}

#[test]
fn requests_are_counted_by_route_and_class() {
    let upstream = answers_well();
    let gateway = Gateway::start("auto", &Config::new().serve("a", upstream.url()), &["--shards", "2"]);
    for path in ["/a", "/a", "/a/x", "/nowhere"] {
        gateway.get(path);
    }
    let counted = |labels: &str| gateway.metric("tidegate_requests_total", labels);
    until("all are counted", || {
        counted("route=\"default/a\",status_class=\"2xx\"") == 3
            && counted("route=\"\",status_class=\"4xx\"") == 1
    });
}

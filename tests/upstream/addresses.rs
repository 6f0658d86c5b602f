//! Where an upstream may be: names, both families, a path and a query in its url.

use super::harness::{Config, Gateway, Upstream, answers_well, ok, until};
use serde_json::json;

#[test]
fn names_and_both_families_are_reached() {
    let v4 = answers_well();
    let v6 = Upstream::on("[::1]:0", |visit| {
        loop {
            let request = visit.request()?;
            visit.write(ok(request.target()))?;
        }
    });
    let config = Config::new().serve("v6", v6.url()).serve_with(
        "name",
        &[format!("http://localhost:{}", v4.address.port())],
        json!({"retries": 3, "retryTimeout": "0s"}),
    );
    let gateway = Gateway::start("auto", &config, &[]);
    assert_eq!(gateway.get("/v6").status(), 200);
    assert_eq!(v6.last().get("host"), Some(format!("[::1]:{}", v6.address.port()).as_str()));
    // Names are resolved in the background; `localhost` may be both families, of which one listens.
    until("the name is resolved", || gateway.get("/name").status() == 200);
    assert_eq!(v4.last().get("host"), Some(format!("localhost:{}", v4.address.port()).as_str()));
}

#[test]
fn a_url_may_have_a_path_and_a_query() {
    let upstream = answers_well();
    let url = |rest: &str| format!("{}{rest}", upstream.url());
    let config = Config::new().serve("p", url("/base")).serve("q", url("/base/?key=1")).serve_with(
        "n",
        &[url("/base?key=1")],
        json!({"disableQueryParams": true}),
    );
    let gateway = Gateway::start("auto", &config, &[]);
    for (path, expected) in [
        ("/p", "/base/p"),
        ("/p/x?a=b", "/base/p/x?a=b"),
        ("/q/x", "/base/q/x?key=1"),
        ("/q/x?a=b", "/base/q/x?key=1&a=b"),
        ("/n/x?a=b", "/base/n/x?key=1"),
    ] {
        assert_eq!(gateway.get(path).text(), expected, "{path}");
    }
}

#[test]
fn an_https_url_is_refused_with_a_reason() {
    // Until TLS to upstreams is there: a clear word at the start, not an odd failure later.
    let upstream = answers_well();
    let config = Config::new().serve("ok", upstream.url());
    let gateway = Gateway::start("auto", &config, &[]);
    let body = json!({"name": "s", "namespace": "default", "urls": ["https://127.0.0.1:1"]}).to_string();
    let mut admin = super::harness::Client::new(gateway.admin);
    let answer = admin.ask(format!(
        "PUT /api/v1/service HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{body}",
        body.len()
    ));
    assert_eq!(answer.status(), 400);
    assert!(answer.text().contains("urls[0]"), "{}", answer.text());
}

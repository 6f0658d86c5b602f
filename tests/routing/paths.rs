//! Paths: patterns of both DGate versions, methods, what is stripped and what goes upstream, and paths that two readers
//! could take for two different ones.

use super::harness::{Config, Gateway, answers_well, service};
use serde_json::{Value, json};

fn one(path: &str, more: Value) -> Value {
    let mut route = json!({"name": "r", "paths": [path], "methods": ["*"], "service": "s"});
    for (key, value) in more.as_object().into_iter().flatten() {
        route[key] = value.clone();
    }
    route
}

#[test]
fn patterns_match_and_strip() {
    let upstream = answers_well();
    let strip = || json!({"stripPath": true});
    let plain = || json!({});
    // Pattern, how, path of the service's url, request; what the upstream is asked for, or the status.
    let table: Vec<(&str, Value, &str, &str, Result<&str, u16>)> = vec![
        ("/a", plain(), "", "/a", Ok("/a")),
        ("/a", plain(), "", "/a?x=y", Ok("/a?x=y")),
        ("/a", plain(), "", "/a/", Err(404)),
        ("/a", plain(), "", "/a/b", Err(404)),
        ("/a", plain(), "", "/A", Err(404)),
        ("/a/*", plain(), "", "/a/b/c", Ok("/a/b/c")),
        ("/a/*", plain(), "", "/a/", Ok("/a/")),
        ("/a/**", plain(), "", "/a/b/c", Ok("/a/b/c")),
        ("/a/*/c", plain(), "", "/a/b/c", Ok("/a/b/c")),
        ("/a/*/c", plain(), "", "/a/b/x/c", Err(404)),
        ("/*", plain(), "", "/", Ok("/")),
        ("/*", plain(), "", "/any/thing", Ok("/any/thing")),
        ("/u/{id}", plain(), "", "/u/7", Ok("/u/7")),
        ("/u/{id}", plain(), "", "/u/", Err(404)),
        ("/u/{id}", plain(), "", "/u/7/8", Err(404)),
        ("/u/{id:[0-9]+}", plain(), "", "/u/42", Ok("/u/42")),
        ("/u/{id:[0-9]+}", plain(), "", "/u/x42", Err(404)),
        ("/u/{id}/p/{name}", plain(), "", "/u/1/p/x", Ok("/u/1/p/x")),
        ("/u/:id", plain(), "", "/u/7", Ok("/u/7")),
        ("/path/*", strip(), "/v1", "/path/test", Ok("/v1/test")),
        ("/path/*", strip(), "", "/path/test/more?q=1", Ok("/test/more?q=1")),
        ("/path/*", strip(), "/v1", "/path/", Ok("/v1/")),
        ("/path/**", strip(), "/v1", "/path/a/b", Ok("/v1/a/b")),
        ("/fixed", strip(), "/v1/x", "/fixed", Ok("/v1/x")),
        ("/fixed", strip(), "", "/fixed?q=1", Ok("/?q=1")),
        ("/u/{id}/*", strip(), "/v1", "/u/7/rest", Ok("/v1/rest")),
        ("/a", plain(), "/v1", "/a", Ok("/v1/a")),
        ("/a", plain(), "/v1/", "/a", Ok("/v1/a")),
        // What is not encoded without need is one path with what is.
        ("/a-b", plain(), "", "/%61%2Db", Ok("/a-b")),
        ("/a/*", plain(), "", "/a/%e4%bd%a0", Ok("/a/%E4%BD%A0")),
        ("/a/*", plain(), "", "/a/b%20c", Ok("/a/b%20c")),
        ("/a/*", plain(), "", "/a//b", Ok("/a//b")),
        ("/a/*", plain(), "", "/a/b?x=%2F&y=..", Ok("/a/b?x=%2F&y=..")),
        // One reader of these sees another path than the next: refused wherever they would go.
        ("/*", plain(), "", "/a/../b", Err(400)),
        ("/*", plain(), "", "/a/./b", Err(400)),
        ("/*", plain(), "", "/a/..", Err(400)),
        ("/*", plain(), "", "/%2e%2e/b", Err(400)),
        ("/*", plain(), "", "/a/%2E%2e/b", Err(400)),
        ("/*", plain(), "", "/a/..;x/b", Err(400)),
        ("/*", plain(), "", "/a\\b", Err(400)),
        ("/*", plain(), "", "/a%5cb", Err(400)),
        ("/*", plain(), "", "/a%00b", Err(400)),
        ("/*", plain(), "", "/a%", Err(400)),
        ("/*", plain(), "", "/a%2", Err(400)),
        ("/*", plain(), "", "/a%zz", Err(400)),
        ("/*", plain(), "", "/a%2Fb", Err(400)),
        ("/*", json!({"allowEncodedSlash": true}), "", "/a%2fb", Ok("/a%2Fb")),
        ("/a/*", json!({"allowEncodedSlash": true}), "", "/a%2Fb", Err(404)),
        // Decoded once and not twice.
        ("/*", plain(), "", "/a%252Fb", Ok("/a%252Fb")),
        ("/*", plain(), "", "/a%252e%252e/b", Ok("/a%252e%252e/b")),
    ];
    // A namespace for each row, so that one gateway serves them all.
    let mut config = Config::new();
    for (n, (pattern, how, base, ..)) in table.iter().enumerate() {
        let namespace = format!("n{n}");
        let place = |mut resource: Value| {
            resource["namespace"] = json!(namespace);
            resource
        };
        config = config
            .add("namespaces", json!({"name": namespace}))
            .add("domains", json!({"name": "d", "namespace": namespace, "patterns": [format!("h{n}")]}))
            .add("services", place(service("s", &[format!("{}{base}", upstream.url())])))
            .add("routes", place(one(pattern, how.clone())));
    }
    let gateway = Gateway::start("auto", &config, &[]);
    for (n, (pattern, how, base, request, expected)) in table.iter().enumerate() {
        let answer = gateway.ask(format!("GET {request} HTTP/1.1\r\nHost: h{n}\r\n\r\n"));
        let got = match answer.status() {
            200 => Ok(answer.text()),
            status => Err(status),
        };
        assert_eq!(got, expected.map(str::to_string), "{pattern} {how} {base} {request}");
    }
}

#[test]
fn the_closer_pattern_wins_and_methods_decide() {
    let upstream = answers_well();
    let route = |name: &str, path: &str, methods: &[&str]| json!({"name": name, "paths": [path], "methods": methods, "service": name, "stripPath": true});
    let mut config = Config::new();
    for (name, path, methods) in [
        ("exact", "/a/b", &["GET", "POST"][..]),
        ("param", "/a/{x}", &["GET"]),
        ("regex", "/a/{x:[0-9]+}", &["GET"]),
        ("rest", "/a/*", &["DELETE"]),
        ("any", "/any", &["*"]),
    ] {
        let url = format!("{}/{name}", upstream.url());
        config = config.add("services", service(name, &[url])).add("routes", route(name, path, methods));
    }
    let gateway = Gateway::start("auto", &config, &[]);
    for (request, expected) in [
        ("GET /a/b", Ok("/exact")),
        ("POST /a/b", Ok("/exact")),
        ("GET /a/c", Ok("/param")),
        ("GET /a/12", Ok("/regex")),
        ("DELETE /a/b/c", Ok("/rest/b/c")),
        ("DELETE /a/b", Ok("/rest/b")),
        ("PATCH /any", Ok("/any")),
        ("PURGE /any", Ok("/any")),
        ("GET /a/b/c", Err((405, "DELETE"))),
        ("PUT /a/c", Err((405, "DELETE, GET"))),
        ("GET /nothing", Err((404, ""))),
    ] {
        let answer = gateway.ask(format!("{request} HTTP/1.1\r\nHost: h\r\n\r\n"));
        let got = match answer.status() {
            200 => Ok(answer.text()),
            status => {
                let mut allow: Vec<&str> = answer
                    .get("allow")
                    .unwrap_or_default()
                    .split(", ")
                    .filter(|one| *one != "HEAD")
                    .collect();
                allow.sort_unstable();
                Err((status, allow.join(", ")))
            }
        };
        let expected = expected.map(str::to_string).map_err(|(status, allow)| (status, allow.to_string()));
        assert_eq!(got, expected, "{request}");
    }
}

//! Each kind by examples: what is accepted and what becomes of it, what is refused and with which paths.

mod javascript;
mod properties;
mod rules;

use super::*;
use serde_json::{Value, json};

/// Parses; the good ones must be fixed points of parsing.
#[track_caller]
fn good(kind: Kind, value: Value, expected: Value) {
    let parsed = parse(kind, value.clone()).unwrap_or_else(|faults| panic!("{value}: {faults:?}"));
    assert_eq!(parsed.value, expected);
    let again = parse(kind, parsed.value.clone()).expect("what is stored can be read");
    assert_eq!(again.value, parsed.value, "apply, then diff, must be empty");
}

/// The paths of the faults, in any order.
#[track_caller]
fn bad(kind: Kind, value: Value, expected: &[&str]) -> Vec<Invalid> {
    let faults = parse(kind, value.clone()).expect_err(&value.to_string());
    let mut paths: Vec<&str> = faults.iter().map(|fault| &*fault.at).collect();
    paths.sort_unstable();
    paths.dedup();
    assert_eq!(paths, expected, "{faults:?}");
    faults
}

/// `base` with the members of `change`; null removes nothing, as in a request.
fn with(base: &Value, change: Value) -> Value {
    let mut value = base.clone();
    for (name, member) in change.as_object().expect("an object") {
        value[name] = member.clone();
    }
    value
}

#[test]
fn namespaces() {
    good(Kind::Namespace, json!({"name": "a"}), json!({"name": "a", "tags": []}));
    good(Kind::Namespace, json!({"name": "a", "tags": ["x"]}), json!({"name": "a", "tags": ["x"]}));
    bad(Kind::Namespace, json!({}), &["name"]);
    bad(Kind::Namespace, json!([]), &[""]);
    bad(Kind::Namespace, json!({"name": "a", "colour": 1, "size": 2}), &["colour", "size"]);
    bad(Kind::Namespace, json!({"name": "a", "tags": ["", 1]}), &["tags[1]"]);
    for name in ["", "-a", ".a", "a/b", "a b", "ä", "a\u{0}", &"x".repeat(129)] {
        bad(Kind::Namespace, json!({"name": name}), &["name"]);
    }
    for name in ["A", "0", "_a", "a.b-c_d", "default/".trim_end_matches('/'), &"x".repeat(128)] {
        assert!(parse(Kind::Namespace, json!({"name": name})).is_ok(), "{name}");
    }
}

#[test]
fn services() {
    let base = json!({"name": "s", "namespace": "n", "urls": ["http://localhost:1"]});
    let full = json!({"name": "s", "namespace": "n", "urls": ["http://localhost:1"], "retries": 3,
        "retryTimeout": "5s", "connectTimeout": "1s", "requestTimeout": "5s", "tlsSkipVerify": false,
        "http2Only": false, "hideDGateHeaders": false, "disableQueryParams": false, "tags": []});
    good(Kind::Service, base.clone(), full.clone());
    for (change, expected) in [
        (json!({"retries": 0}), json!({"retries": 0})),
        (json!({"connectTimeout": "90s"}), json!({"connectTimeout": "1m30s"})),
        (json!({"connectTimeout": 1_500_000}), json!({"connectTimeout": "1.5ms"})),
        (json!({"connect_timeout": "50ms"}), json!({"connectTimeout": "50ms"})),
        (json!({"connect_timeout_ms": 50}), json!({"connectTimeout": "50ms"})),
        (json!({"retry_timeout_ms": 0}), json!({"retryTimeout": "0s"})),
        (json!({"request_timeout_ms": null}), json!({})),
        (json!({"requestTimeout": null}), json!({})),
        (json!({"hide_dgate_headers": true}), json!({"hideDGateHeaders": true})),
        (json!({"tls_skip_verify": true}), json!({"tlsSkipVerify": true})),
        (json!({"disable_query_params": true}), json!({"disableQueryParams": true})),
    ] {
        good(Kind::Service, with(&base, change), with(&full, expected));
    }
    for (change, expected) in [
        (json!({"urls": []}), &["urls"][..]),
        (json!({"urls": ["http://a", "nowhere", "https://b", 1]}), &["urls[3]"]),
        (json!({"urls": ["http://a", "nowhere", "https://b"]}), &["urls[1]", "urls[2]"]),
        (json!({"urls": ["http://a", "http://a"]}), &["urls[1]"]),
        (json!({"urls": "http://a"}), &["urls"]),
        (json!({"retries": -1}), &["retries"]),
        (json!({"retries": 101}), &["retries"]),
        (json!({"retries": 1.5}), &["retries"]),
        (json!({"retries": "3"}), &["retries"]),
        (json!({"connectTimeout": "soon", "requestTimeout": -1}), &["connectTimeout", "requestTimeout"]),
        (json!({"connectTimeout": "0s", "requestTimeout": "25h"}), &["connectTimeout", "requestTimeout"]),
        (json!({"connect_timeout_ms": "5"}), &["connect_timeout_ms"]),
        (json!({"connect_timeout_ms": 5, "connectTimeout": "5ms"}), &["connect_timeout_ms"]),
        (json!({"http2Only": true}), &["http2Only"]),
        (json!({"tlsSkipVerify": "no"}), &["tlsSkipVerify"]),
        (json!({"name": "a/b", "urls": ["x"], "retries": 3, "tags": [""]}), &["name", "tags[0]", "urls[0]"]),
        (json!({"nmae": 1, "retries": "x"}), &["nmae", "retries"]),
    ] {
        bad(Kind::Service, with(&base, change), expected);
    }
}

#[test]
fn routes() {
    let base = json!({"name": "r", "namespace": "n", "paths": ["/a"], "methods": ["GET"], "service": "s"});
    let full = json!({"name": "r", "namespace": "n", "paths": ["/a"], "methods": ["GET"], "service": "s",
        "preserveHost": false, "stripPath": false, "modules": [], "allowEncodedSlash": false, "tags": []});
    good(Kind::Route, base.clone(), full.clone());
    for (change, expected) in [
        (json!({"methods": ["*"]}), json!({"methods": ["*"]})),
        (json!({"methods": ["PURGE", "M-SEARCH"]}), json!({"methods": ["PURGE", "M-SEARCH"]})),
        (
            json!({"strip_path": true, "preserve_host": true}),
            json!({"stripPath": true, "preserveHost": true}),
        ),
        (json!({"modules": ["m"]}), json!({"modules": ["m"]})),
        (
            json!({"modules": ["m:2@1.50%;by=header:X-U", "m", "n;when=!path=/x"]}),
            json!({"modules": ["m:2@1.50%;by=header:X-U", "m", "n;when=!path=/x"]}),
        ),
        (json!({"tags": ["#region:eu", "!x", "?*a:b,c"]}), json!({"tags": ["#region:eu", "!x", "?*a:b,c"]})),
        (json!({"max_body_bytes": 5}), json!({"maxBodyBytes": 5})),
        (json!({"paths": ["/{id}", "/:id", "/x/**"]}), json!({"paths": ["/{id}", "/:id", "/x/**"]})),
    ] {
        good(Kind::Route, with(&base, change), with(&full, expected));
    }
    for (change, expected) in [
        (json!({"paths": [], "methods": []}), &["methods", "paths"][..]),
        (json!({"paths": ["a", "/{", "/ok", "/ok"]}), &["paths[0]", "paths[1]", "paths[3]"]),
        (json!({"methods": ["*", "GET"]}), &["methods[0]"]),
        (json!({"methods": ["G ET", "", "GET", "GET"]}), &["methods[0]", "methods[1]", "methods[3]"]),
        (json!({"methods": ["CONNECT"]}), &["methods[0]"]),
        (json!({"service": ""}), &["service"]),
        (json!({"service": null}), &["service"]),
        (json!({"modules": ["a/b", "m", "m"]}), &["modules[0]", "modules[2]"]),
        (
            json!({"modules": ["m", "m:2", "m:3@x%", "n;by=client"]}),
            &["modules[1]", "modules[2]", "modules[3]"],
        ),
        (json!({"tags": ["#region:eu", "#", "canary@1%:m", "?a"]}), &["tags[1]", "tags[2]", "tags[3]"]),
        (json!({"maxBodyBytes": -1}), &["maxBodyBytes"]),
        (json!({"strip_path": true, "stripPath": true}), &["strip_path"]),
    ] {
        bad(Kind::Route, with(&base, change), expected);
    }
    bad(Kind::Route, json!({}), &["methods", "name", "namespace", "paths"]);
}

#[test]
fn modules() {
    let base = json!({"name": "m", "namespace": "n"});
    let full =
        json!({"name": "m", "namespace": "n", "payload": "bGV0IHg=", "moduleType": "typescript", "tags": []});
    for change in [
        json!({"payload": "bGV0IHg="}),
        json!({"payload": "bGV0\nIHg=\r\n"}),
        json!({"payload": "bGV0IHg"}),
        json!({"payloadRaw": "let x"}),
        json!({"payload_raw": "let x", "module_type": "typescript"}),
    ] {
        good(Kind::Module, with(&base, change), full.clone());
    }
    for (change, expected) in [
        (json!({}), &["payload"][..]),
        (json!({"payload": "???"}), &["payload"]),
        (json!({"payload": "gICA"}), &["payload"]),
        (json!({"payload": "IA=="}), &["payload"]),
        (json!({"payload": "bGV0IHg=", "payloadRaw": "let x"}), &["payloadRaw"]),
        (json!({"payloadRaw": 5}), &["payloadRaw"]),
        (json!({"payloadRaw": "let x", "moduleType": "wasm"}), &["moduleType"]),
    ] {
        bad(Kind::Module, with(&base, change), expected);
    }
}

#[test]
fn responses_of_routes() {
    let base = json!({"name": "r", "namespace": "n", "paths": ["/a"], "methods": ["GET"]});
    let full = with(
        &base,
        json!({"preserveHost": false, "stripPath": false, "modules": [], "allowEncodedSlash": false, "tags": []}),
    );
    for (response, expected) in [
        (json!({}), json!({"status": 200, "headers": {}})),
        (json!({"status": 204, "body": null}), json!({"status": 204, "headers": {}})),
        (json!({"status": 304, "body": ""}), json!({"status": 304, "headers": {}, "body": ""})),
        (
            json!({"status": 599, "headers": {"X-A": "", "x-b": "1 2"}, "body": "x".repeat(65_536)}),
            json!({"status": 599, "headers": {"X-A": "", "x-b": "1 2"}, "body": "x".repeat(65_536)}),
        ),
        // As it was written.
        (
            json!({"headers": {"Set-Cookie": ["a=1", "b=2"], "Location": ["/a"], "X-A": "1"}}),
            json!({"status": 200, "headers": {"Set-Cookie": ["a=1", "b=2"], "Location": ["/a"], "X-A": "1"}}),
        ),
    ] {
        good(
            Kind::Route,
            with(&base, json!({"response": response})),
            with(&full, json!({"response": expected})),
        );
    }
    let many: serde_json::Map<String, Value> = (0..65).map(|n| (format!("X-{n}"), json!(""))).collect();
    for (response, expected) in [
        (json!(5), &["response"][..]),
        (json!({"status": "200", "code": 1}), &["response.code", "response.status"]),
        (json!({"status": 199}), &["response.status"]),
        (json!({"status": 101, "headers": {"a b": ""}}), &["response.headers.a b", "response.status"]),
        (json!({"status": 600}), &["response.status"]),
        (json!({"status": 204, "body": "x"}), &["response.body"]),
        (json!({"status": 205, "body": "x"}), &["response.body"]),
        (json!({"status": 304, "body": "x".repeat(65_537)}), &["response.body"]),
        (json!({"body": "ü".repeat(32_769)}), &["response.body"]),
        (
            json!({"headers": {"Content-Length": "1", "transfer-encoding": "chunked", "CONNECTION": "close", "Keep-Alive": "x",
                "Upgrade": "x", "Trailer": "x", "TE": "x", "Proxy-Connection": "x", "Date": "x", "": "x", "é": "x",
                "X-Break": "a\r\nb", "X-Space": " a", "X-Fine": "a"}}),
            &[
                "response.headers.",
                "response.headers.CONNECTION",
                "response.headers.Content-Length",
                "response.headers.Date",
                "response.headers.Keep-Alive",
                "response.headers.Proxy-Connection",
                "response.headers.TE",
                "response.headers.Trailer",
                "response.headers.Upgrade",
                "response.headers.X-Break",
                "response.headers.X-Space",
                "response.headers.transfer-encoding",
                "response.headers.é",
            ],
        ),
        (json!({"headers": {"X-A": "1", "x-a": "2"}}), &["response.headers.x-a"]),
        (json!({"headers": {"X-A": 1}}), &["response.headers.X-A"]),
        (json!({"headers": {"X-A": ["a", 1]}}), &["response.headers.X-A[1]"]),
        (json!({"headers": {"X-A": {"a": "b"}}}), &["response.headers.X-A"]),
        (
            json!({"headers": {"Content-Length": ["1"], "Set-Cookie": ["a", " b", "c\n"], "X-A": [], "location": ["/a", "/b"]}}),
            &[
                "response.headers.Content-Length[0]",
                "response.headers.Set-Cookie[1]",
                "response.headers.Set-Cookie[2]",
                "response.headers.X-A",
                "response.headers.location",
            ],
        ),
        (json!({"headers": {"X-A": vec![""; 65]}}), &["response.headers"]),
        (json!({"headers": {"X-A": vec!["x".repeat(1_000); 9]}}), &["response.headers"]),
        (json!({"headers": many}), &["response.headers"]),
        (json!({"headers": {"X-A": "x".repeat(9_000)}}), &["response.headers"]),
    ] {
        bad(Kind::Route, with(&base, json!({"response": response})), expected);
    }
    let both = json!({"response": {"status": 99}, "service": "s", "modules": ["m"]});
    let faults = bad(Kind::Route, with(&base, both), &["response", "response.status"]);
    assert_eq!(faults.len(), 3, "{faults:?}");
    // Nothing else is missing where the response is only wrong; what has nothing to do with it is said as well.
    let wrong = json!({"response": [], "maxBodyBytes": 1, "paths": ["x"]});
    bad(Kind::Route, with(&base, wrong), &["paths[0]", "response"]);
}

#[test]
fn versions_and_canaries_of_modules() {
    let base =
        json!({"name": "m", "namespace": "n", "payload": "bGV0IHg=", "moduleType": "typescript", "tags": []});
    for name in ["m:2", "m:2.0-rc.1", "_:_", &format!("{}:1", "x".repeat(126))] {
        good(Kind::Module, with(&base, json!({"name": name})), with(&base, json!({"name": name})));
    }
    for name in ["m:", ":2", "m:2:3", "m:a/b", "m:-", "m 2", &format!("{}:1", "x".repeat(127))] {
        bad(Kind::Module, with(&base, json!({"name": name})), &["name"]);
    }
    bad(Kind::Service, json!({"name": "s:2", "namespace": "n", "urls": ["http://a"]}), &["name"]);
    let tags = json!({"tags": ["canary@1%:m:2", "canary@99%:other", "#edge", "free text"]});
    good(Kind::Module, with(&base, tags.clone()), with(&base, tags));
    for (tags, expected) in [
        (json!(["canary@1%:m"]), &["tags[0]"][..]),
        (json!(["x", "canary@60%:a", "canary@41%:b"]), &["tags[2]"]),
        (json!(["canary@1%", "night@5%:m", "@9:00"]), &["tags[0]", "tags[1]", "tags[2]"]),
    ] {
        bad(Kind::Module, with(&base, json!({"tags": tags})), expected);
    }
}

#[test]
fn permissions_and_limits_of_modules() {
    let base =
        json!({"name": "m", "namespace": "n", "payload": "bGV0IHg=", "moduleType": "typescript", "tags": []});
    for (change, expected) in [
        (json!({"permissions": null, "limits": null}), json!({})),
        (json!({"permissions": []}), json!({"permissions": []})),
        (
            json!({"permissions": ["net:fetch:*.example.com", "net:private", "secrets", "env:HOME"]}),
            json!({"permissions": ["net:fetch:*.example.com", "net:private", "secrets", "env:HOME"]}),
        ),
        (json!({"limits": {}}), json!({})),
        (json!({"limits": {"cpuMs": 5, "fetches": 0}}), json!({"limits": {"cpuMs": 5, "fetches": 0}})),
        (
            json!({"limits": {"cpu_ms": 5, "memory_bytes": "32m", "stackBytes": "256k", "body_bytes": 7, "timers": null}}),
            json!({"limits": {"cpuMs": 5, "memoryBytes": 32 << 20, "stackBytes": 256 << 10, "bodyBytes": 7}}),
        ),
    ] {
        good(Kind::Module, with(&base, change), with(&base, expected));
    }
    for (change, expected) in [
        (json!({"permissions": "cache"}), &["permissions"][..]),
        (json!({"permissions": ["cache", "fetch", 5]}), &["permissions[2]"]),
        (
            json!({"permissions": ["cache", "fetch", "cache", "net:fetch:http://a"]}),
            &["permissions[1]", "permissions[2]", "permissions[3]"],
        ),
        (json!({"permissions": ["x".repeat(301)]}), &["permissions[0]"]),
        (json!({"limits": 5}), &["limits"]),
        (
            json!({"limits": {"cpuMs": 0, "memoryBytes": 1, "pending": 0, "fetches": 1025, "speed": 9}}),
            &["limits.cpuMs", "limits.fetches", "limits.memoryBytes", "limits.pending", "limits.speed"],
        ),
        (
            json!({"limits": {"memoryBytes": "much", "stackBytes": "1g", "bodyBytes": -1, "timers": "3"}}),
            &["limits.bodyBytes", "limits.memoryBytes", "limits.stackBytes", "limits.timers"],
        ),
        (json!({"limits": {"cpuMs": 5, "cpu_ms": 6}}), &["limits.cpu_ms"]),
    ] {
        bad(Kind::Module, with(&base, change), expected);
    }
}

const CERT: &str = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
const KEY: &str = "-----BEGIN PRIVATE KEY-----\nSECRETSECRET\n-----END PRIVATE KEY-----\n";

#[test]
fn domains() {
    let base = json!({"name": "d", "namespace": "n", "patterns": ["*.example.com", "/a[0-9]+/"]});
    let full = with(&base, json!({"priority": 0, "tags": []}));
    good(Kind::Domain, base.clone(), full.clone());
    good(Kind::Domain, with(&base, json!({"cert": "", "key": ""})), full.clone());
    let pems = json!({"cert": CERT, "key": KEY, "priority": -7});
    good(Kind::Domain, with(&base, pems.clone()), with(&full, pems));
    for (change, expected) in [
        (json!({"patterns": []}), &["patterns"][..]),
        (json!({"patterns": ["a*b", "ok.example", "/[/"]}), &["patterns[0]", "patterns[2]"]),
        (json!({"priority": 1e12}), &["priority"]),
        (json!({"cert": CERT}), &["key"]),
        (json!({"key": KEY}), &["cert"]),
        (json!({"cert": "SECRETSECRET", "key": "SECRETSECRET"}), &["cert", "key"]),
        (json!({"cert": KEY, "key": CERT}), &["cert", "key"]),
    ] {
        for fault in bad(Kind::Domain, with(&base, change), expected) {
            assert!(!fault.why.contains("SECRETSECRET"), "{fault}");
        }
    }
}

#[test]
fn collections() {
    let base = json!({"name": "c", "namespace": "n"});
    let full = json!({"name": "c", "namespace": "n", "schema": {}, "visibility": "private", "type": "document",
        "tags": []});
    good(Kind::Collection, base.clone(), full.clone());
    let schema = json!({"schema": {"type": "object", "$defs": {"a": {"type": "string"}},
        "properties": {"a": {"$ref": "#/$defs/a"}}}});
    good(Kind::Collection, with(&base, schema.clone()), with(&full, schema));
    let more = json!({"visibility": "public", "type": "fetcher"});
    good(Kind::Collection, with(&base, more.clone()), with(&full, more));
    for (change, expected) in [
        (json!({"schema": {"type": "wish"}}), &["schema.type"][..]),
        (json!({"schema": "x"}), &["schema"]),
        (json!({"schema": null}), &["schema"]),
        (json!({"schema": {"$ref": "https://example.com/schema.json"}}), &["schema"]),
        (json!({"schema": {"items": {"$ref": "file:///etc/passwd"}}}), &["schema"]),
        (json!({"schema": {"$ref": "#/$defs/nowhere"}}), &["schema"]),
        (json!({"visibility": "secret", "type": "x"}), &["type", "visibility"]),
    ] {
        bad(Kind::Collection, with(&base, change), expected);
    }
    // A pattern that a backtracking engine would need, or choke on.
    let look = json!({"schema": {"type": "string", "pattern": "(?=a)b"}});
    let faults = parse(Kind::Collection, with(&base, look)).expect_err("look-around is refused");
    assert!(faults[0].at.starts_with("schema"), "{faults:?}");
    let slow = compile_document_schema(&json!({"type": "string", "pattern": "^(a+)+$"})).expect("compiles");
    assert!(!slow.accepts(&json!(format!("{}b", "a".repeat(100_000)))));
}

#[test]
fn documents_and_secrets() {
    let document = json!({"id": "a b/ü", "namespace": "n", "collection": "c", "data": null});
    good(Kind::Document, with(&document, json!({"createdAt": "x", "updated_at": "y"})), document.clone());
    bad(Kind::Document, json!({"id": "", "namespace": "n", "collection": "c", "data": 1}), &["id"]);
    bad(Kind::Document, json!({"id": "a", "namespace": "n", "collection": "c"}), &["data"]);
    let secret = json!({"name": "s", "namespace": "n", "data": "hush"});
    good(Kind::Secret, secret.clone(), with(&secret, json!({"tags": []})));
    bad(Kind::Secret, with(&secret, json!({"data": ""})), &["data"]);
    for fault in bad(Kind::Secret, with(&secret, json!({"data": 12_345_678})), &["data"]) {
        assert!(!fault.why.contains("12345678"), "{fault}");
    }
}

#[test]
fn faults_of_documents_never_repeat_the_data() {
    let schema = json!({"type": "object", "required": ["name"], "additionalProperties": false,
        "properties": {"name": {"type": "string", "maxLength": 3}, "list": {"items": {"enum": [1, 2]}},
            "one": {"oneOf": [{"type": "null"}, {"const": 7}]}}});
    let compiled = compile_document_schema(&schema).expect("compiles");
    for (data, expected) in [
        (json!({"name": "abc", "list": [1, 2]}), &[][..]),
        (json!({"name": "hushhush"}), &["data.name"]),
        (json!({"list": [1, "hushhush"], "one": "hushhush"}), &["data.list[1]", "data.name", "data.one"]),
        (json!("hushhush"), &["data"]),
        (json!({"name": "a", "b": "hushhush"}), &["data.b"]),
    ] {
        let faults = compiled.faults(&data, "data");
        let mut paths: Vec<&str> = faults.iter().map(|fault| &*fault.at).collect();
        paths.sort_unstable();
        assert_eq!(paths, expected, "{faults:?}");
        assert!(!faults.iter().any(|fault| fault.why.contains("hushhush")), "{faults:?}");
    }
}

#[test]
fn nothing_hidden_is_formatted_or_shown() {
    let domain: Domain = serde_json::from_value(json!({"name": "d", "namespace": "n", "patterns": ["*"],
        "cert": CERT, "key": KEY}))
    .expect("a domain");
    let secret: Secret =
        serde_json::from_value(json!({"name": "s", "namespace": "n", "data": "SECRETSECRET"}))
            .expect("a secret");
    let document: Document = serde_json::from_value(
        json!({"id": "d", "namespace": "n", "collection": "c", "data": "SECRETSECRET"}),
    )
    .expect("a document");
    let text = format!("{domain:?} {secret:?} {document:?}");
    assert!(!text.contains("SECRETSECRET") && !text.contains("AAAA"), "{text}");
    let shown = [
        public_form(Kind::Domain, serde_json::to_value(&domain).unwrap()),
        public_form(Kind::Secret, serde_json::to_value(&secret).unwrap()),
    ];
    assert!(!json!(shown).to_string().contains("SECRETSECRET"), "{shown:?}");
}

//! `fetch` of modules against real servers: connections are kept, bodies stream both ways at flat memory, servers may
//! misbehave, and what a module may not reach it does not reach.

use crate::Stage;
use crate::harness::{Upstream, never_answers, ok, refuses_connections, says, stalls_after_head, until};
use crate::operator::Json as _;
use crate::operator::node::{Node, Plan, module};
use serde_json::json;

impl Stage {
    /// A handler with permissions, on `/name`.
    #[track_caller]
    pub(crate) fn granted(&self, name: &str, permissions: &[&str], source: &str) {
        let mut module = module(name, source);
        module["permissions"] = json!(permissions);
        self.node.put("/api/v1/module", module);
        self.route(name, &[name], None);
    }

    /// A handler that fetches the URL in its body and answers with what came of it.
    #[track_caller]
    pub(crate) fn fetching(&self, name: &str, permissions: &[&str]) {
        self.granted(
            name,
            permissions,
            "export async function requestHandler(ctx: any) {
                const { url, init } = await ctx.request().readJson();
                let told;
                try {
                    const response = await fetch(url, init);
                    told = { status: response.status, body: await response.text(), redirected: response.redirected };
                } catch (error) {
                    told = { error: error.message };
                }
                ctx.response().json(told);
            }",
        );
    }

    #[track_caller]
    pub(crate) fn fetches(&self, name: &str, url: &str, init: serde_json::Value) -> serde_json::Value {
        let body = json!({ "url": url, "init": init }).to_string();
        let answer = self.post(&format!("/{name}"), &[], body.as_bytes());
        serde_json::from_slice(&answer.body).unwrap_or_else(|_| panic!("no JSON: {answer:?}"))
    }
}

/// The sum of a metric's samples.
pub(crate) fn metric(node: &Node, name: &str) -> u64 {
    let text = node.admin("GET", "/metrics", &serde_json::Value::Null).text();
    let of = |line: &str| line.strip_prefix(name)?.rsplit_once(' ')?.1.parse::<f64>().ok();
    text.lines().filter(|line| !line.starts_with('#')).filter_map(of).sum::<f64>() as u64
}

fn memory_kib(node: &Node) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", node.pid())).expect("a process");
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("a key");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("a number")
}

const PRIVATE: &[&str] = &["net:fetch", "net:private"];

#[test]
fn connections_are_kept_and_counted() {
    let stage = Stage::new();
    stage.fetching("f", PRIVATE);
    let upstream = Upstream::answering(|request| ok(&format!("{} {}", request.method(), request.target())));
    for n in 0..20 {
        let told = stage.fetches("f", &format!("{}/x?n={n}", upstream.url()), json!({}));
        assert_eq!(told["body"], format!("GET /x?n={n}"), "{told}");
    }
    assert_eq!(upstream.connections(), 1);
    let last = upstream.last();
    assert_eq!(last.get("host"), Some(upstream.address.to_string().as_str()));
    assert_eq!((last.get("user-agent"), last.get("accept-encoding")), (Some("tidegate"), None), "{last:?}");
    // What frames a message is not the module's to say.
    let sent = json!({ "method": "PUT", "body": "four", "headers": { "X-Mine": "1" } });
    assert_eq!(stage.fetches("f", &upstream.url(), sent)["body"], "PUT /");
    assert_eq!((upstream.last().text(), upstream.last().get("x-mine")), ("four".into(), Some("1")));
    until("they are counted", || metric(&stage.node, "tidegate_fetches_total") == 21);
    assert_eq!(metric(&stage.node, "tidegate_fetch_errors_total"), 0);
    assert_eq!(metric(&stage.node, "tidegate_fetch_open"), 0);
    assert_eq!(metric(&stage.node, "tidegate_upstream_reuses_total"), 20);
}

#[test]
fn framings_redirects_and_heads() {
    let stage = Stage::new();
    stage.fetching("f", PRIVATE);
    let upstream = Upstream::answering(|request| match request.target() {
        "/chunked" => {
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n".into()
        }
        "/none" => "HTTP/1.1 204 No Content\r\n\r\n".into(),
        "/same" => "HTTP/1.1 304 Not Modified\r\nContent-Length: 4\r\n\r\n".into(),
        "/head" => "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n".into(),
        "/moved" => "HTTP/1.1 302 Found\r\nLocation: /chunked\r\nContent-Length: 4\r\n\r\nover".into(),
        "/hints" => format!("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n{}", ok("hinted")),
        _ => ok("?"),
    });
    for (path, method, status, body) in [
        ("/chunked", "GET", 200, "abcd"),
        ("/none", "GET", 204, ""),
        ("/same", "GET", 304, ""),
        ("/head", "HEAD", 200, ""),
        ("/moved", "GET", 200, "abcd"),
        ("/hints", "GET", 200, "hinted"),
    ] {
        let told = stage.fetches("f", &format!("{}{path}", upstream.url()), json!({ "method": method }));
        assert_eq!((&told["status"], &told["body"]), (&json!(status), &json!(body)), "{path}: {told}");
    }
    assert_eq!(upstream.connections(), 1, "all of them leave the connection in order");
    let closing = says("HTTP/1.1 200 OK\r\n\r\nuntil the end");
    assert_eq!(stage.fetches("f", &closing.url(), json!({}))["body"], "until the end");
}

#[test]
fn servers_that_misbehave() {
    let stage = Stage::with(&[("--fetch-timeout", "300ms"), ("--body-timeout", "300ms")]);
    stage.fetching("f", PRIVATE);
    let (silent, stalling, dead) = (never_answers(), stalls_after_head(), refuses_connections());
    let (garbage, early) = (says("220 smtp ready\r\n"), says(""));
    let cut = says("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc");
    for (url, want) in [
        (silent.url(), "no response within 300 ms"),
        (stalling.url(), "the server stopped sending the body"),
        (dead.url(), "nobody listens there"),
        (garbage.url(), "the response is no HTTP/1.1"),
        (early.url(), "the server closed the connection before its response was complete"),
        (cut.url(), "the server closed the connection before the body was complete"),
    ] {
        let told = stage.fetches("f", &url, json!({}));
        assert!(told["error"].as_str().is_some_and(|error| error.contains(want)), "{want}: {told}");
    }
    until("they are counted", || metric(&stage.node, "tidegate_fetch_errors_total") == 6);
    assert_eq!(metric(&stage.node, "tidegate_fetch_open"), 0);
}

#[test]
fn what_a_module_may_not_reach() {
    let stage = Stage::new();
    stage.fetching("plain", &["net:fetch"]);
    stage.fetching("private", PRIVATE);
    let target = Upstream::answering(|_| ok("reached"));
    let port = target.address.port();
    for host in [
        "127.0.0.1",
        "localhost",
        "127.1",
        "2130706433",
        "0x7f.1",
        "017700000001",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[64:ff9b::127.0.0.1]",
        "169.254.169.254",
        "10.0.0.1",
        "192.168.0.1",
        "[fd00::1]",
        "0.0.0.0",
    ] {
        let told = stage.fetches("plain", &format!("http://{host}:{port}/"), json!({}));
        let error = told["error"].as_str().unwrap_or_default();
        let is_told = error.contains("grant 'net:private' to the module") || host == "0.0.0.0";
        assert!(is_told && error.contains(" is "), "{host}: {told}");
    }
    assert_eq!(target.connections(), 0);
    until("they are counted", || metric(&stage.node, "tidegate_fetch_refused_total") == 15);
    // A redirect is judged like any other request.
    let sends = Upstream::answering(|_| {
        "HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/latest\r\nContent-Length: 0\r\n\r\n"
            .to_owned()
    });
    stage.granted(
        "one",
        &["net:fetch:localhost", "net:private"],
        "export const requestHandler = async (ctx: any) => {
        try { ctx.response().send(await (await fetch(ctx.request().query.get('u'))).text()); }
        catch (error: any) { ctx.response().send(error.message); } };",
    );
    let told = stage.get(&format!("/one?u={}", sends.url())).text();
    assert!(told.contains("net:fetch:127.0.0.1"), "{told}");
    let by_name = format!("http://localhost:{}/", sends.address.port());
    let told = stage.get(&format!("/one?u={by_name}")).text();
    assert!(told.contains("net:fetch:169.254.169.254"), "{told}");
    // With the permission all of this host is in reach.
    for host in ["127.0.0.1", "localhost", "127.1", "[::ffff:127.0.0.1]"] {
        let told = stage.fetches("private", &format!("http://{host}:{port}/"), json!({}));
        assert_eq!(told["body"], "reached", "{host}: {told}");
    }
    // But for the admin API, which is in reach of nobody; the proxy is a server like others.
    let (admin, proxy) = (stage.node.admin, stage.node.proxy);
    for host in
        ["127.0.0.1", "localhost", "127.9.9.9", "0x7f000001", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0"]
    {
        for name in ["private", "plain"] {
            let told = stage.fetches(name, &format!("http://{host}:{admin}/api/v1/module"), json!({}));
            let error = told["error"].as_str().unwrap_or_default();
            assert!(
                error.contains("the gateway's own admin API") || host == "0.0.0.0",
                "{name} {host}: {told}"
            );
        }
    }
    stage.alone("hello", "export const requestHandler = (ctx: any) => ctx.response().send('hello');");
    assert_eq!(
        stage.fetches("private", &format!("http://127.0.0.1:{proxy}/hello"), json!({}))["body"],
        "hello"
    );
    // Nor does `fetchUpstream` lead to the admin API.
    stage.before("chosen", &format!("export const fetchUpstream = () => 'http://127.0.0.1:{admin}/';"));
    assert_eq!(stage.get("/chosen").status(), 502);
}

#[test]
fn secrets_and_variables() {
    let plan = Plan::new().env("SHOWN", "a variable").env("HIDDEN", "another");
    let stage = Stage::over(plan);
    stage.node.put("/api/v1/secret", json!({ "name": "key", "data": "the value" }));
    stage.granted(
        "told",
        &["env:SHOWN", "env:MISSING", "secrets:key", "secrets:none"],
        "import { env, secret } from 'tidegate';
         export const requestHandler = (ctx: any) => {
            const told = (get: any, name: string) => { try { return get(name) ?? null; } catch (error: any) { return error.message; } };
            ctx.response().json([
                told(env, 'SHOWN'), told(env, 'MISSING'), told(env, 'HIDDEN'),
                told(secret, 'key'), told(secret, 'none'), told(secret, 'other'),
            ]);
         }",
    );
    let told = stage.get("/told").json();
    assert_eq!((&told[0], &told[1]), (&json!("a variable"), &json!(null)), "{told}");
    assert_eq!((&told[3], &told[4]), (&json!("the value"), &json!(null)), "{told}");
    for (at, missing) in [(2, "env:HIDDEN"), (5, "secrets:other")] {
        assert!(told[at].as_str().is_some_and(|error| error.contains(missing)), "{told}");
    }
}

/// Answers `GET /N` with N megabytes, and anything else with how many bytes came.
fn bulk() -> Upstream {
    Upstream::new(|visit| {
        loop {
            let head = visit.head()?;
            let megabytes: usize = head.line.split(' ').nth(1)?.trim_start_matches('/').parse().unwrap_or(0);
            if head.get("transfer-encoding").is_some() {
                let mut count = 0;
                visit.stream.chunks(|data| count += data.len()).ok()?;
                visit.write(ok(&count.to_string()))?;
                continue;
            }
            visit.write(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", megabytes << 20))?;
            for _ in 0..megabytes {
                visit.write(vec![b'x'; 1 << 20])?;
            }
        }
    })
}

#[test]
fn large_bodies_stream_at_flat_memory() {
    let stage = Stage::new();
    let bulk = bulk();
    stage.granted(
        "down",
        PRIVATE,
        &format!("export const requestHandler = async (ctx: any) => fetch('{}' + ctx.request().query.get('path'));", bulk.url()),
    );
    stage.granted(
        "up",
        PRIVATE,
        &format!(
            "export const requestHandler = async (ctx: any) => {{
                const response = await fetch('{}/', {{ method: 'POST', body: ctx.request().body, duplex: 'half' }});
                ctx.response().send(await response.text());
            }};",
            bulk.url()
        ),
    );
    let down = |megabytes: usize| {
        let mut client = stage.node.client();
        client.send(format!("GET /down?path=/{megabytes} HTTP/1.1\r\nHost: h\r\n\r\n"));
        assert_eq!(client.head().status(), 200);
        let mut count = 0;
        client.stream.chunks(|data| count += data.len()).map(|_| count).expect("a whole body")
    };
    assert_eq!(down(1), 1 << 20);
    let before = memory_kib(&stage.node);
    assert_eq!(down(300), 300 << 20);
    let after = memory_kib(&stage.node);
    assert!(after < before + (40 << 10), "from {before} to {after} KiB");
    // The same up, from a client that sends as it goes.
    let mut client = stage.node.client();
    client.send("POST /up HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
    let piece = format!("100000\r\n{}\r\n", "y".repeat(1 << 20));
    for _ in 0..100 {
        client.send(&piece);
    }
    client.send("0\r\n\r\n");
    assert_eq!(client.response().text(), (100usize << 20).to_string());
    let after = memory_kib(&stage.node);
    assert!(after < before + (40 << 10), "from {before} to {after} KiB");
    assert!(bulk.connections() <= 2, "{}", bulk.connections());
}

/// A small generator, so that every run asks the same.
struct Odd(u64);

impl Odd {
    fn next(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below
    }

    /// Text of pieces that have broken messages before, or are plain.
    fn text(&mut self) -> String {
        const PIECES: [&str; 24] = [
            "\r\n",
            "\n",
            "\r",
            "\0",
            "\t",
            " ",
            ":",
            ",",
            "/",
            "?",
            "#",
            "%0d%0a",
            "\\",
            "@",
            "é",
            "\u{10348}",
            "\u{2028}",
            "a",
            "b-c",
            "GET / HTTP/1.1",
            "Host: x",
            "0",
            "\r\n\r\n",
            "\u{7f}",
        ];
        (0..self.next(5)).map(|_| PIECES[self.next(PIECES.len() as u64) as usize]).collect()
    }
}

#[test]
fn whatever_a_module_says_is_one_request_or_none() {
    let stage = Stage::new();
    stage.fetching("f", PRIVATE);
    // It reads strictly: any damage fails the test when it is dropped.
    let upstream = Upstream::answering(|_| ok("fine"));
    let mut odd = Odd(7);
    let (mut sent, mut refused) = (0, 0);
    for n in 0..600 {
        // One part is odd at a time, or most would be refused for another reason.
        let which = n % 5;
        let mut pick = |at: u64, plain: &str| if which == at { odd.text() } else { plain.to_owned() };
        let (path, method) = (pick(0, "/x?y=z"), pick(1, "POST"));
        let (name, value, body) = (pick(2, "X-Name"), pick(3, "value"), pick(4, "body"));
        let init = json!({ "method": method, "headers": { name: value }, "body": body });
        let told = stage.fetches("f", &format!("{}{path}", upstream.url()), init);
        match told["body"].as_str() {
            Some(body) => {
                assert_eq!(body, "fine");
                sent += 1;
            }
            None => refused += 1,
        }
    }
    assert_eq!(upstream.take().len(), sent);
    assert!(sent > 200 && refused > 100, "sent {sent}, refused {refused}");
}

/// What a module asks of others before its request goes upstream takes no longer than the request may.
#[test]
fn a_fetch_inherits_the_time_of_its_request() {
    let stage = Stage::new();
    let silent = never_answers();
    let upstream = stage.upstream.url();
    stage.node.put(
        "/api/v1/service",
        json!({ "name": "brief", "urls": [upstream], "requestTimeout": "300ms", "retries": 0 }),
    );
    let source = format!(
        "export async function requestModifier(ctx: any) {{
            let told = '';
            for (let i = 0; i < 2; i++) await fetch('{}').catch((e: any) => told += e.cause?.message ?? e.message);
            return new Response(told);
        }}",
        silent.url()
    );
    let mut module = module("asks", &source);
    module["permissions"] = json!(PRIVATE);
    stage.node.put("/api/v1/module", module);
    stage.route("asks", &["asks"], Some("brief"));
    let begun = std::time::Instant::now();
    let told = stage.get("/asks").text();
    assert!(told.contains("requestTimeout"), "the second call has no time left: {told}");
    assert!(begun.elapsed() < std::time::Duration::from_secs(5), "{:?}: {told}", begun.elapsed());
}

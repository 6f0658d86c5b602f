//! Bodies in modules: read and replaced, both ways, however they were framed, and more than a module may collect.

use crate::Stage;
use crate::harness::{Upstream, chunked};
use crate::operator::{Json as _, request};
use serde_json::json;

#[test]
fn request_bodies_are_read_and_replaced() {
    let stage = Stage::new();
    stage.before(
        "reads",
        "export async function requestModifier(ctx: any) {
            const body = await ctx.request().readBody();
            ctx.request().headers.set('X-Length', String(body.byteLength ?? body.length));
        }",
    );
    stage.before(
        "replaces",
        "export async function requestModifier(ctx: any) {
            const old = await ctx.request().readJson();
            ctx.request().writeJson({ ...old, added: 'ü' });
        }",
    );
    stage
        .before("writes", "export const requestModifier = (ctx: any) => ctx.request().writeBody('instead');");
    stage.before("empties", "export const requestModifier = (ctx: any) => ctx.request().writeBody('');");
    stage.alone("handles", "export async function requestHandler(ctx: any) { ctx.response().json(await ctx.request().readJson()); }");
    let body = br#"{"a":1}"#;
    let chunks = format!("Transfer-Encoding: chunked\r\n\r\n{}", chunked(&["{\"a\"", ":1}"], &["X-T: t"]));
    let plain = format!("Content-Length: 7\r\n\r\n{}", String::from_utf8_lossy(body));
    for framed in [&chunks, &plain] {
        let mut client = stage.node.client();
        let mut ask = |path: &str| client.ask(format!("POST {path} HTTP/1.1\r\nHost: h\r\n{framed}"));
        let told = ask("/reads").json();
        assert_eq!(
            (&told["body"], &told["fields"]["x-length"]),
            (&json!("{\"a\":1}"), &json!("7")),
            "{told}"
        );
        let told = ask("/replaces").json();
        assert_eq!(told["body"], json!("{\"a\":1,\"added\":\"ü\"}"), "{told}");
        assert_eq!(told["fields"]["content-length"], "20");
        assert_eq!(ask("/handles").json(), json!({ "a": 1 }));
        // A body that is replaced unread stays on the connection, which therefore ends.
        for (path, sent) in [("/writes", "instead"), ("/empties", "")] {
            let mut client = stage.node.client();
            let answer = client.ask(format!("POST {path} HTTP/1.1\r\nHost: h\r\n{framed}"));
            assert_eq!(answer.json()["body"], sent);
            if answer.get("connection") != Some("close") {
                assert_eq!(client.get("/writes").status(), 203);
            }
        }
    }
    // A body that a module writes where there was none, and the client that waits to be told to go on.
    assert_eq!(stage.get("/writes").json()["body"], "instead");
    let mut client = stage.node.client();
    client.send("POST /handles HTTP/1.1\r\nHost: h\r\nContent-Length: 7\r\nExpect: 100-continue\r\n\r\n");
    assert_eq!(client.head().status(), 100);
    client.send(body);
    assert_eq!(client.response().json(), json!({ "a": 1 }));
    assert!(stage.upstream.damage().is_empty(), "{:?}", stage.upstream.damage());
}

#[test]
fn response_bodies_are_read_and_replaced() {
    let stage = Stage::new();
    let upstream = Upstream::answering(|request| match request.target().trim_end_matches('/') {
        "/length" => {
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 7\r\n\r\n{\"a\":1}".into()
        }
        "/chunked" => {
            let body = chunked(&["{\"a\"", ":1}"], &["X-Sum: 1"]);
            format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n{body}")
        }
        _ => "HTTP/1.1 204 No Content\r\n\r\n".into(),
    });
    stage.node.put("/api/v1/service", json!({ "name": "s", "urls": [upstream.url()], "retries": 0 }));
    let module = |name: &str, body: &str| {
        stage.node.module(
            name,
            &format!(
                "export async function responseModifier(ctx: any) {{ const up = ctx.upstream(); {body} }}"
            ),
        );
        for framing in ["length", "chunked", "none"] {
            let route = json!({ "name": format!("{name}-{framing}"), "paths": [format!("/{name}/{framing}/*")],
                "methods": ["*"], "stripPath": true, "service": format!("{framing}"), "modules": [name] });
            let service =
                json!({ "name": framing, "urls": [format!("{}/{framing}", upstream.url())], "retries": 0 });
            stage.node.put("/api/v1/service", service);
            stage.node.put("/api/v1/route", route);
        }
    };
    module("reads", "up.headers.set('X-Length', String((await up.readBody()).byteLength));");
    module("replaces", "up.writeJson({ ...(await up.readJson()), status: up.statusCode });");
    module("writes", "up.writeBody('instead').x;".trim_end_matches(".x;"));
    module("status", "up.status(410).headers.set('X-S', '1');");
    let mut client = stage.node.client();
    for framing in ["length", "chunked"] {
        // A path below the route's: stripPath puts the rest behind the service's own.
        let answer = client.get(&format!("/reads/{framing}/"));
        assert_eq!((answer.status(), answer.text().as_str()), (200, "{\"a\":1}"), "{framing}: {answer:?}");
        assert_eq!(
            (answer.get("x-length"), answer.get("content-length")),
            (Some("7"), Some("7")),
            "{framing}"
        );
        let answer = client.get(&format!("/replaces/{framing}/"));
        assert_eq!(answer.json(), json!({ "a": 1, "status": 200 }), "{framing}");
        let answer = client.get(&format!("/writes/{framing}/"));
        assert_eq!((answer.text().as_str(), answer.framing), ("instead", "length"), "{framing}: {answer:?}");
        let answer = client.get(&format!("/status/{framing}/"));
        assert_eq!((answer.status(), answer.text().as_str()), (410, "{\"a\":1}"), "{framing}");
    }
    let answer = client.get("/status/none/");
    assert_eq!((answer.status(), answer.get("x-s")), (410, Some("1")), "{answer:?}");
    let answer = client.get("/writes/none/");
    assert!([200, 204].contains(&answer.status()), "a 204 that got a body: {answer:?}");
    // HEAD is answered without one, whatever a module does.
    let answer = client.ask("HEAD /writes/length/ HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!((answer.status(), answer.body.len()), (200, 0));
    assert_eq!(client.get("/reads/length/").status(), 200, "the connection is whole");
    assert!(upstream.damage().is_empty());
}

/// Bodies one byte larger than a module may collect.
#[test]
fn a_body_over_the_cap_fails_its_request_and_frames_nothing_wrongly() {
    const CAP: usize = 65_536;
    let stage = Stage::with(&[("--module-body-bytes", "64k")]);
    let read = "export async function requestModifier(ctx: any) { await ctx.request().readBody(); }";
    stage.before("fails", read);
    stage.before("catches", "export async function requestModifier(ctx: any) {
            try { await ctx.request().readBody(); } catch (e: any) { ctx.request().headers.set('X-Why', e.message); }
        }");
    stage.alone(
        "tells",
        "export async function requestHandler(ctx: any) {
            try { await ctx.request().readBody(); ctx.response().send('read'); }
            catch (e: any) { ctx.response().status(413).send(e.message); }
        }",
    );
    let large = "x".repeat(CAP + 1);
    let as_chunks =
        format!("Transfer-Encoding: chunked\r\n\r\n{}", chunked(&[&large[..40_000], &large[40_000..]], &[]));
    let as_length = format!("Content-Length: {}\r\n\r\n{large}", large.len());
    for framed in [&as_length, &as_chunks] {
        let mut client = stage.node.client();
        client.try_send(format!("POST /fails HTTP/1.1\r\nHost: h\r\n{framed}"));
        assert_eq!(client.response().status(), 500);
        let mut client = stage.node.client();
        client.try_send(format!("POST /tells HTTP/1.1\r\nHost: h\r\n{framed}"));
        let answer = client.response();
        assert_eq!(answer.status(), 413, "{answer:?}");
        assert!(answer.text().contains("65536"), "{answer:?}");
        // Whoever catches it and goes on sends either the whole body upstream or nothing at all.
        let before = stage.upstream.requests().len();
        let mut client = stage.node.client();
        client.try_send(format!("POST /catches HTTP/1.1\r\nHost: h\r\n{framed}"));
        let answer = client.response();
        match stage.upstream.requests().get(before) {
            Some(sent) => {
                assert_eq!((answer.status(), sent.body.len()), (203, large.len()), "{:?}", answer.head)
            }
            None => assert!(answer.status() >= 400, "{answer:?}"),
        }
        assert_eq!(stage.upstream.cuts(), 0, "no half request reached the upstream");
    }
    // Exactly the cap is fine.
    let fits = "y".repeat(CAP);
    assert_eq!(stage.post("/tells", &[], fits.as_bytes()).text(), "read");
    assert!(stage.upstream.damage().is_empty());
    // The same for responses.
    let upstream = Upstream::answering(move |request| match request.target() {
        "/chunked" => format!(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{}",
            chunked(&[&large[..40_000], &large[40_000..]], &[])
        ),
        _ => crate::harness::ok(&large),
    });
    stage.node.put("/api/v1/service", json!({ "name": "s", "urls": [upstream.url()], "retries": 0 }));
    for (name, status) in [("length", 500), ("chunked", 500)] {
        stage.before(
            name,
            "export async function responseModifier(ctx: any) { await ctx.upstream().readBody(); }",
        );
        assert_eq!(stage.get(&format!("/{name}")).status(), status, "{name}");
        stage.before(name, "export async function responseModifier(ctx: any) { try { await ctx.upstream().readBody(); } catch {} }");
        let mut client = stage.node.client();
        client.send(request("GET", &format!("/{name}"), &[], b""));
        // Whole or cut off or an error; never shorter than it says and complete in form.
        if let Ok(answer) = client.try_response()
            && answer.status() == 200
        {
            assert_eq!(answer.body.len(), CAP + 1, "{name}: a body lost bytes on its way");
        }
    }
}

#[test]
fn no_module_runs_for_a_body_that_is_refused_by_its_length() {
    let stage = Stage::new();
    stage.alone(
        "small",
        "export function requestModifier(ctx: any) { console.log('ran for ' + ctx.request().method); }
         export function requestHandler(ctx: any) { ctx.response().send('fine'); }",
    );
    let route = json!({ "name": "small", "paths": ["/small"], "methods": ["*"], "modules": ["small"], "maxBodyBytes": 10 });
    stage.node.put("/api/v1/route", route);
    let refused =
        stage.node.client().ask("POST /small HTTP/1.1\r\nHost: h\r\nContent-Length: 11\r\n\r\n01234567890");
    assert_eq!(refused.status(), 413, "{refused:?}");
    assert_eq!(stage.node.get("/small").status(), 200);
    // Events keep their order: what ran before is in the log by then.
    stage.node.wait_log(&["ran for GET"]);
    let log = stage.node.log();
    assert!(!log.contains("ran for POST"), "{log}");
}

/// A response that a module has read, rewritten or transformed leaves its connection as good as it was.
#[test]
fn connections_are_kept_when_a_module_has_had_the_body() {
    let stage = Stage::new();
    for (name, source) in [
        ("reads", "export async function responseModifier(ctx: any) { await ctx.upstream().readBody() }"),
        (
            "edits",
            "export async function responseModifier(ctx: any) { const up = ctx.upstream(); up.writeJson(await up.readJson()) }",
        ),
        (
            "pipes",
            "export function responseModifier(ctx: any) { const up = ctx.upstream(); up.writeBody(up.body.pipeThrough(new TransformStream())) }",
        ),
    ] {
        stage.before(name, source);
        let mut client = stage.node.client();
        client.get(&format!("/{name}"));
        let before = stage.upstream.connections();
        for _ in 0..20 {
            assert_eq!(client.get(&format!("/{name}")).status(), 203);
        }
        assert_eq!(stage.upstream.connections(), before, "{name}");
    }
}

//! Bodies that modules read and write piece by piece, and responses that a function returns instead of writing them.

use crate::Stage;
use crate::harness::{Client, Upstream, chunked};
use crate::operator::node::client;
use crate::operator::{Json as _, Says as _, request};
use serde_json::json;

/// What upper-cases a stream.
const UPPER: &str = "const upper = () => {
    const decoder = new TextDecoder(), encoder = new TextEncoder();
    return new TransformStream({
        transform: (piece: any, out: any) => out.enqueue(encoder.encode(decoder.decode(piece, { stream: true }).toUpperCase())),
    });
};";

#[test]
fn a_response_goes_through_a_transform_however_it_is_framed() {
    let stage = Stage::new();
    stage.before(
        "upper",
        &format!("{UPPER} export function responseModifier(ctx: any) {{ ctx.upstream().writeBody(ctx.upstream().body.pipeThrough(upper())) }}"),
    );
    let answer = stage.get("/upper/a/b");
    assert_eq!(answer.status(), 203);
    assert!(answer.text().contains("\"TARGET\":\"/UPPER/A/B\""), "{answer:?}");
    assert_eq!((answer.get("content-length"), answer.get("transfer-encoding")), (None, Some("chunked")));
    let head = client(stage.node.proxy).say("HEAD", "/upper", &[], b"");
    assert_eq!((head.status(), head.body.len()), (203, 0));
    for framing in [
        "Content-Length: 6\r\n\r\nabcdef".to_owned(),
        format!("Transfer-Encoding: chunked\r\n\r\n{}", chunked(&["abc", "def"], &[])),
        "\r\nabcdef".to_owned(),
    ] {
        let closes = framing.starts_with('\r');
        let upstream = Upstream::new(move |visit| {
            visit.request()?;
            visit.write(format!("HTTP/1.1 200 OK\r\n{framing}"))?;
            if closes { None } else { Some(()) }
        });
        stage
            .node
            .put("/api/v1/service", json!({ "name": "framed", "urls": [upstream.url()], "retries": 0 }));
        stage.route("upper", &["upper"], Some("framed"));
        let mut client = client(stage.node.proxy);
        for _ in 0..2 {
            assert_eq!(client.get("/upper").text(), "ABCDEF");
        }
        // An old client cannot read chunks.
        let mut old = stage.node.client();
        old.send("GET /upper HTTP/1.0\r\nHost: h\r\n\r\n");
        assert_eq!(old.response().text(), "ABCDEF");
    }
}

#[test]
fn a_request_goes_through_a_transform() {
    let stage = Stage::new();
    stage.before(
        "upper",
        &format!("{UPPER} export function requestModifier(ctx: any) {{ const r = ctx.request(); r.writeBody(r.body.pipeThrough(upper())) }}"),
    );
    let mut client = client(stage.node.proxy);
    for framing in [
        "Content-Length: 6\r\n\r\nabcdef".to_owned(),
        format!("Transfer-Encoding: chunked\r\n\r\n{}", chunked(&["abc", "def"], &[])),
    ] {
        let told = client.ask(format!("POST /upper HTTP/1.1\r\nHost: h\r\n{framing}")).json();
        assert_eq!(
            (&told["body"], &told["fields"]["transfer-encoding"]),
            (&json!("ABCDEF"), &json!("chunked")),
            "{told}"
        );
    }
}

#[test]
fn two_modules_transform_one_after_the_other() {
    let stage = Stage::new();
    stage.node.module("first", &format!("{UPPER} export const responseModifier = (ctx: any) => ctx.upstream().writeBody(ctx.upstream().body.pipeThrough(upper()))"));
    stage.node.module(
        "second",
        "export function responseModifier(ctx: any) {
            const encoder = new TextEncoder();
            const framed = new TransformStream({ start: (c: any) => c.enqueue(encoder.encode('<')), flush: (c: any) => c.enqueue(encoder.encode('>')) });
            ctx.upstream().writeBody(ctx.upstream().body.pipeThrough(framed));
        }",
    );
    stage.route("both", &["first", "second"], Some("s"));
    for _ in 0..3 {
        let text = stage.get("/both").text();
        assert!(
            text.starts_with("<{") && text.ends_with("}>") && text.contains("\"METHOD\":\"GET\""),
            "{text}"
        );
    }
}

#[test]
fn functions_may_return_a_response() {
    let stage = Stage::new();
    stage.alone(
        "plain",
        "export const requestHandler = () => new Response('made', { status: 201, headers: { 'X-A': '1' } })",
    );
    stage.alone("json", "export const requestHandler = async () => Response.json({ a: [1] })");
    stage.alone(
        "echo",
        "export const requestHandler = (ctx: any) => new Response(ctx.request().body, { headers: { 'Content-Type': 'x/y' } })",
    );
    stage.alone(
        "pieces",
        "export function requestHandler() {
            const encoder = new TextEncoder(); let n = 0;
            return new Response(new ReadableStream({
                async pull(c) { await new Promise((go) => setTimeout(go, 1)); n < 5 ? c.enqueue(encoder.encode('piece ' + n++ + '\\n')) : c.close() },
            }));
        }",
    );
    stage.alone("none", "export const requestHandler = () => new Response(null, { status: 204 })");
    stage.before("deny", "export const requestModifier = (ctx: any) => ctx.request().headers.has('authorization') ? undefined : new Response('who are you?', { status: 401, headers: { 'WWW-Authenticate': 'Basic' } })");
    stage
        .before("ends", "export const requestModifier = (ctx: any) => ctx.response().status(403).send('no')");
    stage.before("instead", "export const responseModifier = (ctx: any) => new Response('instead of ' + ctx.upstream().statusCode, { status: 299 })");
    stage.before("mends", "export const requestModifier = () => { throw new Error('x') }; export const errorHandler = (ctx: any, e: any) => Response.json({ error: e.message }, { status: 418 })");

    let made = stage.get("/plain");
    assert_eq!((made.status(), made.get("x-a"), made.text().as_str()), (201, Some("1"), "made"));
    let json = stage.get("/json");
    assert_eq!((json.get("content-type"), json.text().as_str()), (Some("application/json"), "{\"a\":[1]}"));
    let echo = stage.post("/echo", &[], b"hello");
    assert_eq!((echo.text().as_str(), echo.get("content-type")), ("hello", Some("x/y")));
    assert_eq!(stage.get("/pieces").text(), "piece 0\npiece 1\npiece 2\npiece 3\npiece 4\n");
    assert_eq!(stage.get("/none").status(), 204);
    let before = stage.upstream.requests().len();
    let denied = stage.get("/deny");
    assert_eq!((denied.status(), denied.get("www-authenticate")), (401, Some("Basic")));
    assert_eq!((stage.get("/ends").status(), stage.get("/ends").text().as_str()), (403, "no"));
    assert_eq!(stage.upstream.requests().len(), before, "nothing was called upstream");
    let passed = client(stage.node.proxy).ask(request("GET", "/deny", &[("Authorization", "x")], b""));
    assert_eq!(passed.status(), 203);
    let instead = stage.get("/instead");
    assert_eq!(
        (instead.status(), instead.text().as_str(), instead.get("x-upstream")),
        (299, "instead of 203", None)
    );
    let mended = stage.get("/mends");
    assert_eq!((mended.status(), mended.text().as_str()), (418, "{\"error\":\"x\"}"));
}

#[test]
fn a_stream_that_fails_is_no_whole_message() {
    let stage = Stage::new();
    stage.before(
        "fails",
        "export function responseModifier(ctx: any) {
            let n = 0;
            ctx.upstream().writeBody(ctx.upstream().body.pipeThrough(new TransformStream({
                transform: (piece: any, out: any) => { out.enqueue(piece); }, flush() { throw new Error('at the end') },
            })));
        }",
    );
    stage.before("spins", "export function responseModifier(ctx: any) { ctx.upstream().writeBody(new ReadableStream({ async pull() { await new Promise((go) => setTimeout(go, 5)); for (;;) {} } })) }");
    stage.before(
        "drops",
        "export async function responseModifier(ctx: any) { await ctx.upstream().body.getReader().read() }",
    );
    for path in ["/fails", "/spins"] {
        let mut client: Client = stage.node.client();
        client.send(format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n"));
        assert!(client.try_response().is_err(), "{path}: the body must not look whole");
    }
    assert_eq!(stage.get("/drops").status(), 500);
    stage.before("well", "export const requestModifier = () => {}");
    assert_eq!(stage.get("/well").status(), 203);
}

//! What `ctx` shows: the request, its parameters, the resources it belongs to, headers and cookies, and state.

use crate::Stage;
use crate::operator::{Json as _, request};
use serde_json::json;

#[test]
fn the_surface() {
    let stage = Stage::new();
    let source = "export function requestHandler(ctx: any) {
        const request = ctx.request(), response = ctx.response();
        response.headers.set('X-One', 'a'); response.headers.add('X-One', 'b');
        response.headers.set('X-Gone', '1'); response.headers.delete('X-Gone');
        response.locals.kept = true;
        response.cookie('id', 'v 1', { path: '/', httpOnly: true, sameSite: 'Lax', maxAge: 5 }).status(202).json({
            id: typeof ctx.id, method: request.method, path: request.path, host: request.host, proto: request.proto,
            remote: request.remoteAddress, length: request.contentLength,
            query: [request.query.get('a'), request.query.has('b'), request.query.values('c'), ctx.query().get('a')],
            params: ctx.pathParams(), first: ctx.pathParam('first'),
            sent: [request.headers.get('x-sent'), request.headers.has('x-not'), request.headers.values('x-many')],
            route: ctx.route().name, namespace: ctx.namespace().name, service: ctx.service() ?? null,
            cookie: response.getCookie('k').value, headersSent: response.headersSent, locals: response.locals,
        });
        if (!response.headersSent) throw new Error('sent');
    }";
    stage.alone("ctx", source);
    let fields = [
        ("Host", "api.example:80"),
        ("X-Sent", "1"),
        ("X-Many", "1"),
        ("X-Many", "2"),
        ("Cookie", "k=v; l=w"),
    ];
    let target = "/ctx/caf%C3%A9%20one/100%25?a=1%202&b&c=x&c=y";
    let answer = stage.node.client().ask(request("GET", target, &fields, b""));
    assert_eq!(answer.status(), 202, "{answer:?}");
    let told = answer.json();
    assert_eq!(told["params"], json!({ "first": "café one", "second": "100%" }), "{told}");
    for (key, expected) in [
        ("id", json!("string")),
        ("method", json!("GET")),
        ("proto", json!("HTTP/1.1")),
        ("remote", json!("127.0.0.1")),
        ("query", json!(["1 2", true, ["x", "y"], "1 2"])),
        ("first", json!("café one")),
        ("sent", json!(["1", false, ["1", "2"]])),
        ("route", json!("ctx")),
        ("namespace", json!("default")),
        ("service", json!(null)),
        ("cookie", json!("v")),
        ("headersSent", json!(false)),
        ("locals", json!({ "kept": true })),
    ] {
        assert_eq!(told[key], expected, "{key}: {told}");
    }
    assert_eq!(answer.values("x-one"), ["a", "b"]);
    assert_eq!(answer.get("x-gone"), None);
    let cookie = answer.get("set-cookie").unwrap_or_default();
    assert!(
        cookie.starts_with("id=\"v 1\";") && cookie.contains("HttpOnly") && cookie.contains("Max-Age=5"),
        "{cookie}"
    );
    // The whole of it as JSON.
    let whole = stage.evaluates("whole", "JSON.stringify(ctx)", "/whole?a=1").json();
    assert_eq!(whole["request"]["method"], "GET", "{whole}");
    for (expression, expected) in [
        (
            "Object.keys(globalThis).includes('std') + '' + (typeof Atomics) + (typeof SharedArrayBuffer)",
            "falseundefinedundefined",
        ),
        ("JSON.stringify(ctx.upstream() ?? null)", "null"),
        ("typeof ctx.request().headers.get('x-none')", "string"),
    ] {
        assert_eq!(stage.evaluates("probe", expression, "/probe").text(), expected, "{expression}");
    }
}

#[test]
fn redirects() {
    let stage = Stage::new();
    for (call, status) in [("redirect", 307), ("redirectPermanent", 301)] {
        stage.alone(
            "away",
            &format!(
                "export const requestHandler = (ctx: any) => ctx.response().{call}('https://e.example/x');"
            ),
        );
        let answer = stage.get("/away");
        assert_eq!((answer.status(), answer.get("location")), (status, Some("https://e.example/x")));
        stage.before(
            "away-up",
            &format!("export const responseModifier = (ctx: any) => ctx.upstream().{call}('/elsewhere');"),
        );
        let answer = stage.get("/away-up");
        assert_eq!(
            (answer.status(), answer.get("location"), answer.body.len()),
            (status, Some("/elsewhere"), 0)
        );
    }
}

#[test]
fn headers_are_changed_both_ways_but_not_the_framing() {
    let stage = Stage::new();
    stage.before("both", "export function requestModifier(ctx: any) {
            const headers = ctx.request().headers;
            headers.set('X-New', 'n'); headers.delete('X-Old'); headers.set('Host', 'chosen.example');
            ctx.request().path = '/changed%20path'; ctx.request().method = 'PUT'; ctx.request().query.set('z', 'ä &');
        }
        export function responseModifier(ctx: any) {
            const upstream = ctx.upstream();
            if (upstream.statusCode !== 203 || upstream.headers.get('x-upstream') !== 'yes') throw new Error('not it');
            upstream.headers.set('X-New', upstream.cookie()[0].name); upstream.headers.delete('X-Upstream');
            upstream.status(299);
        }");
    let answer = stage.node.client().ask(request("POST", "/both?q=1", &[("X-Old", "o")], b"body"));
    assert_eq!(
        (answer.status(), answer.get("x-new"), answer.get("x-upstream")),
        (299, Some("a"), None),
        "{answer:?}"
    );
    let told = answer.json();
    assert_eq!((&told["method"], &told["body"]), (&json!("PUT"), &json!("body")));
    assert_eq!(told["target"], "/changed%20path?q=1&z=%C3%A4+%26", "{told}");
    assert_eq!((&told["fields"]["x-new"], &told["fields"]["host"]), (&json!("n"), &json!("chosen.example")));
    assert!(told["fields"]["x-old"].is_null());
    // Framing, connections and control characters are out of reach, on every side.
    for field in
        ["Content-Length", "Transfer-Encoding", "Connection", "Keep-Alive", "Upgrade", "TE", "Trailer"]
    {
        for target in ["request", "response"] {
            let expression = format!(
                "(() => {{ try {{ ctx.{target}().headers.set('{field}', '5'); return 'set'; }} catch (e) {{ return 'refused'; }} }})()"
            );
            assert_eq!(
                stage.evaluates("framing", &expression, "/framing").text(),
                "refused",
                "{target} {field}"
            );
        }
    }
    for value in ["a\\r\\nX-B: c", "a\\nb", "a\\rb", "a\\0b"] {
        for call in [
            format!("ctx.response().headers.set('X-A', '{value}')"),
            format!("ctx.response().headers.add('X-A', '{value}')"),
            format!("ctx.response().headers.set('{value}', 'x')"),
            format!("ctx.response().redirect('{value}')"),
            format!("ctx.response().cookie('a', 'b', {{ path: '{value}' }})"),
            format!("ctx.request().headers.set('X-A', '{value}')"),
            format!("(ctx.request().path = '/{value}')"),
            format!("(ctx.request().method = 'GET{value}')"),
            format!("(ctx.request().host = '{value}')"),
        ] {
            let expression =
                format!("(() => {{ try {{ {call}; return 'set'; }} catch (e) {{ return 'refused'; }} }})()");
            let answer = stage.evaluates("splitting", &expression, "/splitting");
            assert_eq!((answer.text().as_str(), answer.get("x-b")), ("refused", None), "{call}");
        }
    }
    assert!(stage.upstream.damage().is_empty());
}

#[test]
fn state_is_read_as_it_was_written() {
    let stage = Stage::new();
    let schema = json!({ "type": "object", "properties": { "n": { "type": "integer" } }, "required": ["n"] });
    stage.node.put("/api/v1/collection", json!({ "name": "c", "schema": schema, "visibility": "public" }));
    stage.alone("state", "import { addDocument, getDocument, getDocuments, deleteDocument, getCollection } from 'dgate/state';
        export async function requestHandler(ctx: any) {
            const id = ctx.query().get('id');
            await addDocument({ id, collection: 'c', data: { n: 1 } });
            const first = (await getDocument(id, 'c')).data.n;
            await addDocument({ id, collection: 'c', data: { n: 2 } });
            const second = (await getDocument(id, 'c')).data.n;
            const listed = (await getDocuments({ collection: 'c', limit: 1000 })).length;
            let refused = '';
            try { await addDocument({ id, collection: 'c', data: { n: 'x' } }); } catch (e: any) { refused = e.message; }
            const third = (await getDocument(id, 'c')).data.n;
            if (ctx.query().has('delete')) await deleteDocument(id, 'c');
            const last = await getDocument(id, 'c');
            ctx.response().json({ first, second, third, refused, listed, last: last?.data ?? null, name: (await getCollection('c')).name });
        }");
    for n in 0..5 {
        let told = stage.get(&format!("/state?id=d{n}")).json();
        assert_eq!(
            json!([told["first"], told["second"], told["third"], told["last"]["n"]]),
            json!([1, 2, 2, 2]),
            "{told}"
        );
        assert_eq!((&told["listed"], &told["name"]), (&json!(n + 1), &json!("c")));
        assert!(told["refused"].as_str().is_some_and(|why| !why.is_empty()), "{told}");
    }
    assert_eq!(stage.get("/state?id=d0&delete").json()["last"], json!(null));
    let listed = stage.node.admin("GET", "/api/v1/document?collection=c", &json!(null)).json();
    assert_eq!(listed["count"], 4, "{listed}");
}

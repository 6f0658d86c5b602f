//! The five functions: which run, in which order, in both languages, sync and async, over one module and several.

use crate::Stage;
use crate::operator::Json as _;
use serde_json::json;

#[test]
fn with_a_service_everything_runs_in_order() {
    let stage = Stage::new();
    let source = |wait: &str, types: &str| {
        format!(
            "import {{ asyncSleep }} from 'dgate';
             const wait = async () => {{ {wait} }};
             export async function fetchUpstream(ctx{types}) {{
                await wait(); ctx.set('order', ['fetchUpstream']); return ctx.service().urls[0];
             }}
             export async function requestModifier(ctx{types}) {{
                await wait(); ctx.get('order').push('requestModifier');
                ctx.request().headers.set('X-Order', ctx.get('order').join());
             }}
             export async function responseModifier(ctx{types}) {{
                await wait(); ctx.get('order').push('responseModifier');
                ctx.upstream().headers.set('X-Order', ctx.get('order').join());
             }}
             export function requestHandler(ctx{types}) {{ ctx.response().status(418).send('never'); }}
             export function errorHandler(ctx{types}) {{ ctx.response().status(418).send('never'); }}"
        )
    };
    stage.before("typed", &source("await asyncSleep('1ms');", ": any"));
    stage.before("plain.js", &source("", ""));
    let sync = "const mark = (ctx: any, name: string) => ctx.set('order', (ctx.get('order') ?? '') + name);
        function requestModifier(ctx: any) { mark(ctx, 'a'); ctx.request().headers.set('X-Order', ctx.get('order')); }
        const responseModifier = (ctx: any) => { mark(ctx, 'b'); ctx.upstream().headers.set('X-Order', ctx.get('order')); };";
    stage.before("sync", sync);
    for (path, up, down) in [
        ("/typed", "fetchUpstream,requestModifier", "fetchUpstream,requestModifier,responseModifier"),
        ("/plain", "fetchUpstream,requestModifier", "fetchUpstream,requestModifier,responseModifier"),
        // Top-level declarations count, exported or not.
        ("/sync", "a", "ab"),
    ] {
        let answer = stage.get(path);
        assert_eq!(answer.status(), 203, "{path}: {answer:?}");
        assert_eq!(answer.get("x-order"), Some(down), "{path}");
        assert_eq!(answer.json()["fields"]["x-order"], up, "{path}");
    }
}

#[test]
fn without_a_service_a_handler_answers() {
    let stage = Stage::new();
    let source = "export function requestModifier(ctx: any) { ctx.set('seen', ctx.request().method); }
        export async function requestHandler(ctx: any) { ctx.response().status(201).json({ seen: ctx.get('seen') }); }";
    stage.alone("handler", source);
    let answer = stage.get("/handler");
    assert_eq!((answer.status(), answer.json()), (201, json!({ "seen": "GET" })));
    assert_eq!(answer.get("content-type"), Some("application/json"));
    // A handler that wrote nothing, and a module without one.
    stage.alone("silent", "export const requestHandler = (ctx: any) => {};");
    let answer = stage.get("/silent");
    assert_eq!((answer.status(), answer.body.len()), (204, 0));
    stage.alone("none", "export const requestModifier = (ctx: any) => {};");
    assert_eq!(stage.get("/none").status(), 501);
    // HEAD gets the length and no body.
    stage.alone("text", "export const requestHandler = (ctx: any) => ctx.response().send('hello');");
    let answer = stage.node.client().ask("HEAD /text HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!((answer.status(), answer.get("content-length")), (200, Some("5")));
}

#[test]
fn modules_import_each_other_and_a_library_does_not_run() {
    let stage = Stage::new();
    stage.node.module(
        "words",
        "export const greeting: string = 'hello'; export const twice = (s: string) => s + s;",
    );
    stage.node.module(
        "middle",
        "export { greeting } from './words'; export { twice as double } from 'words';
        export function responseModifier(ctx: any) { ctx.upstream().headers.set('X-From', 'middle'); }",
    );
    stage.node.module(
        "entry",
        "import { greeting, double } from './middle.ts';
         import * as all from 'middle';
         export { responseModifier } from './middle';
         export function requestModifier(ctx: any) {
            ctx.request().headers.set('X-Greeting', double(greeting) + Object.keys(all).length);
         }",
    );
    stage.route("several", &["entry", "middle", "words"], Some("s"));
    let answer = stage.get("/several");
    assert_eq!(answer.get("x-from"), Some("middle"));
    assert_eq!(answer.json()["fields"]["x-greeting"], "hellohello3");
    // A change of what is imported is seen, and one that breaks an importer is refused.
    stage.node.module("words", "export const greeting = 'bye'; export const twice = (s: string) => s;");
    assert_eq!(stage.get("/several").json()["fields"]["x-greeting"], "bye3");
    let broken = crate::operator::node::module("words", "export const other = 1;");
    let refused = stage.node.admin("PUT", "/api/v1/module", &broken);
    assert_eq!(refused.status(), 400, "{refused:?}");
    assert_eq!(stage.get("/several").json()["fields"]["x-greeting"], "bye3");
}

#[test]
fn fetch_upstream_chooses() {
    let stage = Stage::new();
    let other = crate::telling();
    let cases = [
        ("known", format!("'{}'", stage.upstream.url()), 203),
        ("literal", format!("'{}/base/'", other.url()), 203),
        ("name", format!("'http://localhost:{}'", other.address.port()), 203),
        ("nothing", "undefined".into(), 203),
        ("https", "'https://127.0.0.1:1/'".into(), 500),
        ("noscheme", "'127.0.0.1:80'".into(), 500),
        ("number", "42".into(), 203),
        ("injected", "'http://127.0.0.1:80/\\r\\nX-A: b'".into(), 500),
        ("unknown", "'http://no-such-host.invalid/'".into(), 502),
        ("dead", format!("'http://127.0.0.1:{}'", crate::operator::free_port()), 502),
    ];
    for (name, expression, status) in cases {
        stage.before(name, &format!("export const fetchUpstream = async (ctx: any) => {expression};"));
        let answer = stage.get(&format!("/{name}?q=1"));
        assert_eq!(answer.status(), status, "{name}: {answer:?}");
    }
    let targets: Vec<String> = other.requests().iter().map(|r| r.target().to_owned()).collect();
    assert_eq!(targets, ["/base/literal?q=1", "/name?q=1"]);
    assert_eq!(other.last().get("host"), Some(format!("localhost:{}", other.address.port()).as_str()));
    assert!(other.damage().is_empty() && stage.upstream.damage().is_empty());
}

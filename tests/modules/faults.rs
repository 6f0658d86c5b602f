//! What goes wrong in modules and in front of them: statuses, the errorHandler, and what the log says, in the
//! positions of the TypeScript that somebody wrote.

use crate::Stage;
use crate::operator::{Json as _, free_port};
use serde_json::json;

#[test]
fn exceptions_and_dead_upstreams_reach_the_error_handler() {
    let stage = Stage::new();
    let dead = json!({ "name": "dead", "urls": [format!("http://127.0.0.1:{}", free_port())], "retries": 0 });
    stage.node.put("/api/v1/service", dead);
    stage.node.module("calm", "export async function errorHandler(ctx: any, error: any) {
            ctx.response().headers.set('X-Name', error.name);
            ctx.response().status(599).json({ message: error.message, code: error.code, is: error instanceof Error });
        }");
    stage.route("calm", &["calm"], Some("dead"));
    let answer = stage.get("/calm");
    assert_eq!((answer.status(), answer.get("x-name")), (599, Some("UpstreamError")), "{answer:?}");
    assert_eq!(answer.json()["code"], "connect_failed", "{answer:?}");
    // Without a handler: 502 for an upstream, 500 for a module.
    stage.node.module("quiet", "export const requestModifier = (ctx: any) => {};");
    stage.route("quiet", &["quiet"], Some("dead"));
    assert_eq!(stage.get("/quiet").status(), 502);
    stage.alone(
        "throws",
        "export const requestHandler = (ctx: any) => { throw new TypeError('planted-in-error'); };",
    );
    let answer = stage.get("/throws");
    assert_eq!(answer.status(), 500);
    assert!(
        !answer.text().contains("planted-in-error"),
        "clients are told nothing of the inside: {answer:?}"
    );
    for (name, body) in [
        ("sync", "throw new RangeError('out of it');"),
        ("async", "await Promise.resolve(); throw new RangeError('out of it');"),
        ("rejects", "return Promise.reject(new RangeError('out of it'));"),
        ("half", "ctx.response().status(201).headers.set('X-Half', '1'); throw new RangeError('out of it');"),
    ] {
        stage.alone(
            name,
            &format!(
                "export async function requestHandler(ctx: any) {{ {body} }}
            export function errorHandler(ctx: any, error: any) {{
                ctx.response().status(422).send(error.name + ': ' + error.message);
            }}"
            ),
        );
        let answer = stage.get(&format!("/{name}"));
        assert_eq!(
            (answer.status(), answer.text().as_str()),
            (422, "RangeError: out of it"),
            "{name}: {answer:?}"
        );
        assert_eq!(answer.get("x-half"), None, "what the failed handler wrote is gone");
    }
    // A handler that writes nothing, or throws itself, leaves the plain answer.
    stage.alone(
        "shrugs",
        "export const requestHandler = (ctx: any) => { throw 1; }; export function errorHandler() {}",
    );
    assert_eq!(stage.get("/shrugs").status(), 500);
    stage.alone(
        "worse",
        "export const requestHandler = (ctx: any) => { throw 1; };
        export const errorHandler = () => { throw new Error('again'); };",
    );
    assert_eq!(stage.get("/worse").status(), 500);
    // In the modifiers of a proxied request too; the upstream's answer is not sent then.
    for (name, status) in [("requestModifier", 500), ("responseModifier", 500), ("fetchUpstream", 500)] {
        stage.before(name, &format!("export const {name} = (ctx: any) => {{ throw new Error('no'); }};"));
        let answer = stage.get(&format!("/{name}"));
        assert_eq!((answer.status(), answer.get("x-upstream")), (status, None), "{name}: {answer:?}");
    }
    assert_eq!(stage.upstream.requests().len(), 1, "only the responseModifier's request went upstream");
    // Everybody else goes on.
    stage.alone("fine", "export const requestHandler = (ctx: any) => ctx.response().send('fine');");
    assert_eq!(stage.get("/fine").text(), "fine");
}

#[test]
fn the_log_names_the_line_of_the_typescript() {
    let stage = Stage::new();
    stage.node.module("deep", "interface Shape {\n  side: number;\n}\n\n// Types vanish; lines must not.\nexport function area(shape: Shape): number {\n  return (shape as any).missing.side;\n}\n");
    stage.node.module("top", "import { area } from './deep';\n\ntype Answer = { area: number };\nexport async function requestHandler(ctx: any): Promise<void> {\n  const answer: Answer = { area: area({ side: 1 }) };\n  ctx.response().json(answer);\n}\n");
    stage.route("top", &["top", "deep"], None);
    assert_eq!(stage.get("/top").status(), 500);
    let line = stage.node.wait_log(&["module_error"]);
    assert!(line.contains("deep.ts:7:") && line.contains("top.ts:5:"), "{line}");
}

#[test]
fn console_lines_are_in_the_log_with_their_module() {
    let stage = Stage::new();
    stage.alone("talks", "export function requestHandler(ctx: any) {
            console.log('planted-log', { a: 1 }, [2]); console.warn('planted-warn'); console.error('planted-error');
            console.log('two\\nlines \\u001b[31mred');
        }");
    assert_eq!(stage.get("/talks").status(), 204);
    for (level, text) in [("INFO", "planted-log"), ("WARN", "planted-warn"), ("ERROR", "planted-error")] {
        let line = stage.node.wait_log(&[text]);
        assert!(line.contains(level) && line.contains("default/talks"), "{line}");
    }
    let line = stage.node.wait_log(&["two"]);
    assert!(
        line.contains("lines") && !line.contains('\u{1b}'),
        "one line, without control characters: {line:?}"
    );
}

#[test]
fn modules_that_do_not_compile_are_refused_with_their_position() {
    let stage = Stage::new();
    for (source, at) in [
        ("export function requestHandler(ctx: any) {\n  let x: = 1;\n}", "2:"),
        ("const a = 1;\nconst a = 2;", "2:7"),
    ] {
        let refused =
            stage.node.admin("PUT", "/api/v1/module", &crate::operator::node::module("bad", source));
        let error = refused.json()["error"].as_str().unwrap_or_default().to_owned();
        assert_eq!(refused.status(), 400, "{source}: {refused:?}");
        assert!(error.contains(at), "{source}: {error}");
        assert_eq!(stage.node.admin("GET", "/api/v1/module/bad", &json!(null)).status(), 404);
    }
    // An import is looked for when a route puts the modules together.
    stage.node.module(
        "alone",
        "import { nothing } from './nowhere';\nexport const requestHandler = () => nothing;",
    );
    let route = json!({ "name": "r", "paths": ["/r"], "methods": ["GET"], "modules": ["alone"] });
    let refused = stage.node.admin("PUT", "/api/v1/route", &route);
    assert_eq!(refused.status(), 400, "{refused:?}");
    assert!(refused.text().contains("nowhere"), "{refused:?}");
}

//! What a module is given when it is written: permissions and limits of its own, and on a route its place, its version
//! and its share of the traffic.

use crate::Stage;
use crate::operator::Json as _;
use crate::operator::node::module;
use serde_json::{Value, json};

/// A module with fields of its own.
fn with(name: &str, source: &str, fields: Value) -> Value {
    let mut module = module(name, source);
    fields.as_object().expect("fields").iter().for_each(|(key, value)| module[key] = value.clone());
    module
}

const READS: &str = "import { getDocuments } from 'dgate/state';
    export const requestHandler = async (ctx: any) => ctx.response().json(await getDocuments({ collection: 'links' }));
    export const errorHandler = (ctx: any, e: any) => ctx.response().status(299).send(e.message);";

#[test]
fn a_permission_that_is_missing_is_named_with_the_way_to_grant_it() {
    let stage = Stage::new();
    stage.node.put("/api/v1/collection", json!({ "name": "links" }));
    stage.alone("reads", READS);
    assert_eq!(stage.get("/reads").json(), json!([]), "what modules of DGate use is granted");
    stage.node.put("/api/v1/module", with("reads", READS, json!({ "permissions": [] })));
    let answer = stage.get("/reads");
    assert_eq!(answer.status(), 299);
    for part in ["'documents:read:links'", "'permissions'"] {
        assert!(answer.text().contains(part), "{answer:?}");
    }
    let put = |permissions: Value| {
        let body = with("reads", READS, json!({ "permissions": permissions }));
        stage.node.put("/api/v1/module", body);
        stage.get("/reads").status()
    };
    assert_eq!(put(json!(["documents:read:other"])), 299);
    assert_eq!(put(json!(["documents:read:links"])), 200);
    assert_eq!(put(json!(["documents:read"])), 200);
    // What it imports has the permissions of the module that the route lists, and none of its own.
    let library = "export { requestHandler, errorHandler } from './reads';";
    stage.node.put("/api/v1/module", with("front", library, json!({ "permissions": ["cache"] })));
    stage.route("front", &["front"], None);
    assert_eq!(stage.get("/front").status(), 299);

    let shown = stage.node.admin("GET", "/api/v1/module/default/front", &Value::Null).json();
    assert_eq!(shown["data"]["permissions"], json!(["cache"]));
    let body = with("bad", library, json!({ "permissions": ["cache", "network"] }));
    let refused = stage.node.admin("PUT", "/api/v1/module", &body);
    assert_eq!((refused.status(), &refused.json()["faults"][0]["at"]), (400, &json!("permissions[1]")));
}

#[test]
fn limits_are_each_modules_own() {
    let stage = Stage::with(&[("--module-cpu-ms", "50"), ("--module-timers", "3")]);
    let timers = |n: u32| {
        format!(
            "export const requestHandler = async (ctx: any) => {{
                let fired = 0;
                await Promise.all(Array.from({{ length: {n} }}, () => new Promise<void>(done =>
                    setTimeout(() => {{ fired += 1; done(); }}, 1))));
                ctx.response().send(String(fired));
            }};"
        )
    };
    let set = |name: &str, source: &str, limits: Value| {
        stage.node.put("/api/v1/module", with(name, source, json!({ "limits": limits })));
        stage.route(name, &[name], None);
        stage.get(&format!("/{name}"))
    };
    // The flag's bound, then the module's own, higher and lower.
    assert_eq!(set("flag", &timers(4), json!({})).status(), 500);
    assert_eq!(set("more", &timers(4), json!({ "timers": 4 })).text(), "4");
    assert_eq!(set("less", &timers(3), json!({ "timers": 2 })).status(), 500);
    assert_eq!(set("flag", &timers(3), json!({})).text(), "3");

    let busy = "export const requestHandler = (ctx: any) => {
        const until = performance.now() + 200; while (performance.now() < until); ctx.response().send('done');
    };";
    assert_eq!(set("busy", busy, json!({})).status(), 500);
    assert_eq!(
        set("busy", busy, json!({ "cpuMs": 5_000 })).text(),
        "done",
        "a changed limit takes effect at once"
    );

    let eats = "export const requestHandler = (ctx: any) => {
        const all: any[] = []; for (let i = 0; i < 8; i += 1) all.push(new Uint8Array(1 << 20)); ctx.response().send('fits');
    };";
    assert_eq!(set("eats", eats, json!({})).text(), "fits");
    assert_eq!(set("eats", eats, json!({ "memoryBytes": "4m" })).status(), 500);
    // The smallest heap and stack that can be written run a module.
    let plain = "export const requestHandler = (ctx: any) => ctx.response().json({ a: [1, 'two'] });";
    let least = json!({ "memoryBytes": 2 << 20, "stackBytes": 64 << 10 });
    assert_eq!(set("least", plain, least).json(), json!({ "a": [1, "two"] }));

    let reads = "export const requestHandler = async (ctx: any) => ctx.response().send(await ctx.request().readBody());";
    stage.node.put("/api/v1/module", with("reads", reads, json!({ "limits": { "body_bytes": 10 } })));
    stage.route("reads", &["reads"], None);
    assert_eq!(stage.post("/reads", &[], b"0123456789").text(), "0123456789");
    assert_eq!(stage.post("/reads", &[], b"0123456789a").status(), 500);
    stage.node.wait_log(&["larger than the 10 bytes a module may collect"]);

    let shown = stage.node.admin("GET", "/api/v1/module/default/reads", &Value::Null).json();
    assert_eq!(shown["data"]["limits"], json!({ "bodyBytes": 10 }));
}

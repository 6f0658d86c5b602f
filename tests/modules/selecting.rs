//! What a module is given when it is written: permissions and limits of its own, and on a route its place, its version
//! and its share of the traffic.

use crate::Stage;
use crate::operator::node::{Node, Plan, client, module};
use crate::operator::{Json as _, Says as _};
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
        let sum = 0; for (let i = 0; i < 2e7; i += 1) sum += i % 7; ctx.response().send(sum > 0 ? 'done' : '');
    };";
    assert_eq!(set("busy", busy, json!({})).status(), 500);
    assert_eq!(
        set("busy", busy, json!({ "cpuMs": 60_000 })).text(),
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

/// Marks what it saw in a field of the request that the upstream tells back.
fn marks(word: &str) -> String {
    format!(
        "export const requestModifier = (ctx: any) => {{
            const fields = ctx.request().headers;
            fields.set('X-Marks', [fields.get('X-Marks'), '{word}'].filter(Boolean).join());
        }};"
    )
}

/// A handler that answers with a word.
fn answers(word: &str) -> String {
    format!("export const requestHandler = (ctx: any) => ctx.response().send('{word}');")
}

impl Stage {
    /// What the upstream of a route was told by the modules that ran.
    #[track_caller]
    fn marked(&self, path: &str, fields: &[(&str, &str)]) -> String {
        let answer = client(self.node.proxy).say("GET", path, fields, b"");
        assert_eq!(answer.status(), 203, "{answer:?}");
        answer.json()["fields"]["x-marks"].as_str().unwrap_or("none").to_owned()
    }

    /// Sets a route that must be refused; the fault's place and sentence.
    #[track_caller]
    fn refused(&self, kind: &str, body: &Value) -> (String, String) {
        let answer = self.node.admin("PUT", &format!("/api/v1/{kind}"), body);
        assert_eq!(answer.status(), 400, "{answer:?}");
        let fault = &answer.json()["faults"][0];
        let text = |key: &str| fault[key].as_str().expect("text").to_owned();
        (text("at"), text("why"))
    }
}

fn listing(name: &str, modules: &[&str]) -> Value {
    json!({ "name": name, "paths": [format!("/{name}")], "methods": ["*"], "modules": modules })
}

#[test]
fn several_modules_run_in_list_order() {
    let stage = Stage::new();
    for word in ["one", "two", "three"] {
        stage.node.module(word, &marks(word));
    }
    stage.node.module(
        "lib",
        "export const name = 'lib';
         export const requestModifier = (ctx: any) => ctx.request().headers.set('X-Lib', 'ran');",
    );
    stage.node.module(
        "user",
        &format!("import {{ name }} from './lib'; export const other = name; {}", marks("user")),
    );
    stage.route("a", &["one", "two", "three"], Some("s"));
    stage.route("b", &["three", "one"], Some("s"));
    stage.route("c", &["user", "lib", "two"], Some("s"));
    assert_eq!(stage.marked("/a", &[]), "one,two,three");
    assert_eq!(stage.marked("/b", &[]), "three,one");
    assert_eq!(stage.marked("/c", &[]), "user,two", "a library does not run by itself");
    assert_eq!(stage.get("/c").json()["fields"].get("x-lib"), None);
    // One route's list is no other's.
    stage.route("a", &["two"], Some("s"));
    assert_eq!((stage.marked("/a", &[]), stage.marked("/b", &[])), ("two".into(), "three,one".into()));
}

#[test]
fn conflicts_are_answered_with_the_names_and_the_way_out() {
    let stage = Stage::new();
    stage.node.module("first", &answers("first"));
    stage.node.module("second", &answers("second"));
    stage.node.module("nothing", "export const x = 1;");
    let (at, why) = stage.refused("route", &listing("r", &["first", "second"]));
    assert_eq!(at, "modules[1]");
    for part in ["'first'", "'second'", "requestHandler", "'first:2'", "a route of its own"] {
        assert!(why.contains(part), "{why}");
    }
    let (at, why) = stage.refused("route", &listing("r", &["first", "nothing"]));
    assert!(at == "modules[1]" && why.contains("'nothing' exports none of"), "{at}: {why}");
    for (entry, at, part) in [
        ("first@x%", "modules[0]", "like 'first@0.5%'"),
        ("first;when=beta", "modules[0]", ";when=header:NAME"),
        ("first;by=client", "modules[0]", "'first@10%;by=client'"),
        ("gone:2", "modules[0]", "there is no module 'gone:2'"),
    ] {
        let said = stage.refused("route", &listing("r", &[entry]));
        assert!(said.0 == at && said.1.contains(part), "{entry}: {said:?}");
    }
    // A module that would make a route that is there conflict.
    stage.node.module("second", &marks("second"));
    stage.node.put("/api/v1/route", listing("r", &["first", "second"]));
    let (at, why) = stage.refused("module", &module("second", &answers("second")));
    assert_eq!(at, "payload");
    assert!(why.contains("route 'r' would break") && why.contains("'first' and 'second' both"), "{why}");
    assert_eq!(stage.get("/r").text(), "first");
    let used = stage.node.admin("DELETE", "/api/v1/module/default/second", &Value::Null);
    assert_eq!(used.status(), 409, "{used:?}");
}

#[test]
fn versions_live_side_by_side() {
    let stage = Stage::new();
    stage.node.module("words", "export const word = 'one';");
    stage.node.module("words:2", "export const word = 'two';");
    stage.node.module(
        "page",
        "import { word } from './words';
         export const requestHandler = (ctx: any) => ctx.response().send('page ' + word);",
    );
    stage.node.module(
        "page:2",
        "import { word } from './words:2';
         export const requestHandler = (ctx: any) => { if (ctx.request().query.get('fail')) null!.x; ctx.response().send('page:2 ' + word); };",
    );
    stage.route("old", &["page"], None);
    stage.route("new", &["page:2"], None);
    stage.route("both", &["page", "page:2;when=header:x-beta"], None);
    assert_eq!(
        (stage.get("/old").text(), stage.get("/new").text()),
        ("page one".into(), "page:2 two".into())
    );
    let beta = |value: &str| client(stage.node.proxy).say("GET", "/both", &[(value, "")], b"").text();
    assert_eq!((beta("X-Beta"), beta("X-Other")), ("page:2 two".into(), "page one".into()));
    // Each is written, shown and deleted by its own name, and its errors name it.
    stage.node.module("words:2", "export const word = 'three';");
    assert_eq!(
        (stage.get("/old").text(), stage.get("/new").text()),
        ("page one".into(), "page:2 three".into())
    );
    let shown = stage.node.admin("GET", "/api/v1/module/default/page:2", &Value::Null).json();
    assert_eq!(shown["data"]["name"], "page:2");
    assert_eq!(stage.get("/new?fail=1").status(), 500);
    stage.node.wait_log(&["page:2.ts:2:", "module=\"default/page:2\""]);
    assert_eq!(stage.node.admin("DELETE", "/api/v1/module/default/page", &Value::Null).status(), 409);
    stage.route("old", &["page:2"], None);
    stage.route("both", &["page:2"], None);
    let gone = stage.node.admin("DELETE", "/api/v1/module/default/page", &Value::Null);
    assert!(gone.status() < 300, "{gone:?}");
    assert_eq!(stage.get("/old").text(), "page:2 three");
    // Other resources have no versions.
    let (at, _) = stage.refused("service", &json!({ "name": "s:2", "urls": ["http://127.0.0.1:1"] }));
    assert_eq!(at, "name");
}

#[test]
fn conditions_choose() {
    let stage = Stage::new();
    stage.node.module("m", &answers("plain"));
    for version in ["header", "value", "cookie", "query", "method", "path", "not"] {
        stage.node.module(&format!("m:{version}"), &answers(version));
    }
    let list = [
        "m",
        "m:value;when=header:x-group=b",
        "m:header;when=header:x-group",
        "m:cookie;when=cookie:group=c",
        "m:query;when=query:q=two words",
        "m:method;when=method=POST;when=!query:q",
        "m:not;when=!header:host",
        "m:path;when=path=/r/in",
    ];
    let route = json!({ "name": "r", "paths": ["/r", "/r/{rest}"], "methods": ["*"], "modules": list });
    stage.node.put("/api/v1/route", route.clone());
    for (method, path, fields, expected) in [
        ("GET", "/r", &[][..], "plain"),
        ("GET", "/r", &[("X-Group", "b")], "value"),
        ("GET", "/r", &[("X-Group", "a"), ("X-Group", "b")], "value"),
        ("GET", "/r", &[("X-Group", "B")], "header"),
        ("GET", "/r", &[("Cookie", "a=1; group=c")], "cookie"),
        ("GET", "/r", &[("Cookie", "group=cc")], "plain"),
        ("GET", "/r?q=two%20words", &[], "query"),
        ("GET", "/r?q=two+words", &[], "query"),
        ("GET", "/r?q=two", &[], "plain"),
        ("POST", "/r", &[], "method"),
        ("POST", "/r?q", &[], "plain"),
        ("GET", "/r/inside", &[], "path"),
        ("GET", "/r/outside", &[], "plain"),
    ] {
        let answer = client(stage.node.proxy).say(method, path, fields, b"");
        assert_eq!(answer.text(), expected, "{method} {path} {fields:?}");
    }
    // The route is shown to people and modules as it was written.
    let shown = stage.node.admin("GET", "/api/v1/route/default/r", &Value::Null).json();
    assert_eq!(shown["data"]["modules"], route["modules"]);
    let source = "export const requestHandler = (ctx: any) => ctx.response().json(ctx.route().modules);";
    stage.node.module("m", source);
    assert_eq!(stage.get("/r").json(), route["modules"]);
}

/// What `count` clients, told apart by a cookie, get.
fn spread(stage: &Stage, path: &str, count: usize) -> Vec<String> {
    let mut client = stage.node.client();
    let ask = |id: usize| client.say("GET", path, &[("Cookie", &format!("uid={id}"))], b"").text();
    (0..count).map(ask).collect()
}

fn count(all: &[String], word: &str) -> usize {
    all.iter().filter(|one| *one == word).count()
}

#[test]
fn shares_are_kept_and_stay_with_their_clients() {
    let stage = Stage::new();
    for (name, word) in [("m", "plain"), ("m:2", "two"), ("m:3", "three")] {
        stage.node.module(name, &answers(word));
    }
    stage.route("r", &["m:2@10%;by=cookie:uid", "m:3@20%;by=cookie:uid", "m"], None);
    let first = spread(&stage, "/r", 3_000);
    // Six standard deviations to either side.
    for (word, expected, within) in [("two", 300, 99), ("three", 600, 132), ("plain", 2_100, 151)] {
        let found = count(&first, word);
        assert!(found.abs_diff(expected) <= within, "{word}: {found} of 3000");
    }
    assert_eq!(spread(&stage, "/r", 500), first[..500], "every client stays where it was");
    // A share that grows takes nobody back, and one that shrinks to nothing takes everybody.
    stage.route("r", &["m:2@40%;by=cookie:uid", "m"], None);
    let more = spread(&stage, "/r", 500);
    assert!(first.iter().zip(&more).all(|(before, now)| before != "two" || now == "two"));
    assert!(count(&more, "two").abs_diff(200) <= 66, "{}", count(&more, "two"));
    stage.route("r", &["m:2@0%", "m"], None);
    assert_eq!(count(&spread(&stage, "/r", 200), "plain"), 200);
    // Without a cookie a client's address decides: it gets one thing only.
    stage.route("r", &["m:2@50%", "m"], None);
    let own: Vec<String> = (0..50).map(|_| stage.get("/r").text()).collect();
    assert_eq!(count(&own, &own[0]), 50);
}

#[test]
fn a_canary_of_a_module_runs_on_every_route_that_lists_it() {
    let stage = Stage::new();
    stage.node.module("next", &answers("canary"));
    let tagged = |tag: &str| with("m", &answers("plain"), json!({ "tags": ["team-a", tag] }));
    let (at, why) = stage.refused("module", &tagged("canary@5%:gone"));
    assert!(at == "tags[1]" && why.contains("there is no module 'gone'"), "{at}: {why}");
    let (at, why) = stage.refused("module", &tagged("canary@5%"));
    assert!(at == "tags[1]" && why.contains("canary@P%:MODULE"), "{at}: {why}");
    stage.node.put("/api/v1/module", tagged("label"));
    stage.route("r", &["m"], None);
    stage.route("cookie", &["m@100%;by=cookie:uid"], None);
    assert_eq!(count(&spread(&stage, "/cookie", 100), "plain"), 100);
    stage.node.put("/api/v1/module", tagged("canary@10%:next"));
    let found = spread(&stage, "/cookie", 2_000);
    assert!(count(&found, "canary").abs_diff(200) <= 81, "{}", count(&found, "canary"));
    assert_eq!(count(&found, "plain") + count(&found, "canary"), 2_000);
    assert_eq!(spread(&stage, "/cookie", 200), found[..200]);
    let canary = stage.node.admin("DELETE", "/api/v1/module/default/next", &Value::Null);
    assert!(canary.status() == 409 && canary.text().contains("'m'"), "{canary:?}");
    stage.node.put("/api/v1/module", tagged("canary@100%:next"));
    assert_eq!(stage.get("/r").text(), "canary");
    stage.node.put("/api/v1/module", tagged("label"));
    assert_eq!(stage.get("/r").text(), "plain");
}

const TAGGED: &str = r##"
tags: ["stage"]
proxy:
  init_resources:
    modules:
      - { name: m, payloadRaw: "export const requestHandler = (ctx) => ctx.response().send('plain');" }
      - { name: "m:eu", tags: ["#region:eu"], payloadRaw: "export const requestHandler = (ctx) => ctx.response().send('eu');" }
    routes:
      - { name: everywhere, paths: ["/everywhere"], methods: ["*"], modules: ["m:eu@100%", "m"] }
      - { name: eu, paths: ["/eu"], methods: ["*"], modules: [m], tags: ["#region:eu", "#stage"] }
      - { name: not, paths: ["/not"], methods: ["*"], modules: [m], tags: ["!region:eu"] }
      - { name: any, paths: ["/any"], methods: ["*"], modules: [m], tags: ["?region:us,asia"] }
      - { name: one, paths: ["/one"], methods: ["*"], modules: [m], tags: ["?*zone:a,b"] }
      - { name: lacks, paths: ["/lacks"], methods: ["*"], modules: ["m:eu"] }
"##;

#[test]
fn tags_choose_what_a_node_runs() {
    let start = |tags: &str| Plan::yaml(TAGGED).flag("--tags", tags).start();
    let (eu, us) = (start("region:eu,zone:a,zone:b"), start("region:us,zone:b"));
    for (path, in_eu, in_us) in [
        ("/everywhere", (200, "eu"), (200, "plain")),
        ("/eu", (200, "plain"), (404, "")),
        ("/not", (404, ""), (200, "plain")),
        ("/any", (404, ""), (200, "plain")),
        ("/one", (404, ""), (200, "plain")),
        ("/lacks", (200, "eu"), (501, "")),
    ] {
        for (node, (status, text)) in [(&eu, in_eu), (&us, in_us)] {
            let answer = node.get(path);
            assert_eq!(answer.status(), status, "{path}: {answer:?}");
            assert!(text.is_empty() || answer.text() == text, "{path}: {answer:?}");
        }
    }
    us.wait_log(&["lacks", "module 'm:eu' is not on this node"]);
    // What is stored, and shown, is the same everywhere.
    let shown = |node: &Node| node.admin("GET", "/api/v1/route", &Value::Null).json()["data"].clone();
    assert_eq!(shown(&eu), shown(&us));
    assert_eq!(shown(&eu).as_array().map(Vec::len), Some(6));
    // A change of tags takes effect like any other.
    let route = |tags: Value| json!({ "name": "eu", "paths": ["/eu"], "methods": ["*"], "modules": ["m"], "tags": tags });
    us.put("/api/v1/route", route(json!(["#region:us"])));
    assert_eq!(us.get("/eu").text(), "plain");
    us.put("/api/v1/route", route(json!(["#region"])));
    assert_eq!(us.get("/eu").text(), "plain");
    us.put("/api/v1/route", route(json!(["#region:eu"])));
    assert_eq!(us.get("/eu").status(), 404);
    let (status, said) = Plan::new().flag("--tags", "#region:eu").fails();
    assert!(!status.success() && said.contains("'region:eu'"), "{said}");
}

//! What the compiler makes of resources, and above all what it leaves alone.

use super::*;
use base64::Engine as _;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::net::IpAddr;
use tidegate_snapshot::{Found, Route, Script};

/// Addresses made by hand.
#[derive(Default)]
struct Hosts(HashMap<&'static str, Vec<IpAddr>>, u64);

impl Addresses for Hosts {
    fn of(&self, host: &str) -> &[IpAddr] {
        self.0.get(host).map_or(&[], Vec::as_slice)
    }
    fn version(&self) -> u64 {
        self.1
    }
}

struct Bench {
    compiler: Compiler,
    hosts: Hosts,
    generation: u64,
}

fn defaults(default_namespace: bool) -> Defaults {
    Defaults {
        settings: Arc::default(),
        module_limits: ModuleLimits::default(),
        max_body_bytes: 1_000,
        default_namespace,
        tags: NodeTags::new(["edge".to_owned(), "region:eu".to_owned()]),
    }
}

/// `kind namespace/name`.
fn key(at: &str) -> Key {
    let (kind, path) = at.split_once(' ').expect("kind");
    let (namespace, name) = path.split_once('/').unwrap_or((path, path));
    let kind = Kind::ALL.into_iter().find(|k| k.name() == kind).expect("kind");
    Key { kind, namespace: namespace.into(), collection: None, name: name.into() }
}

fn text(at: &str, fields: Value) -> (Key, String) {
    let key = key(at);
    let mut value = fields;
    value["name"] = key.name.clone().into();
    if key.kind != Kind::Namespace {
        value["namespace"] = key.namespace.clone().into();
    }
    let parsed = crate::resource::parse(key.kind, value).expect(at);
    assert_eq!(parsed.key, key);
    (key, parsed.value.to_string())
}

impl Bench {
    fn new(default_namespace: bool) -> Self {
        let compiler = Compiler::new(defaults(default_namespace));
        Self { compiler, hosts: Hosts::default(), generation: 0 }
    }

    fn put(&mut self, at: &str, fields: Value) {
        let (key, text) = text(at, fields);
        self.compiler.put(&key, &text);
    }

    fn service(&mut self, at: &str) {
        self.put(&format!("service {at}"), json!({"urls": ["http://127.0.0.1:9000"]}));
    }

    fn route(&mut self, at: &str, path: &str, service: &str) {
        self.put(&format!("route {at}"), json!({"paths": [path], "methods": ["*"], "service": service}));
    }

    fn module(&mut self, at: &str, source: &str) {
        let payload = base64::engine::general_purpose::STANDARD.encode(source);
        self.put(&format!("module {at}"), json!({"payload": payload}));
    }

    fn scripted(&mut self, at: &str, path: &str, modules: &[&str]) {
        self.put(&format!("route {at}"), json!({"paths": [path], "methods": ["GET"], "modules": modules}));
    }

    fn remove(&mut self, at: &str) {
        self.compiler.remove(&key(at));
    }

    fn try_build(&mut self) -> Option<Arc<Snapshot>> {
        self.generation += 1;
        self.compiler.build(Revision(self.generation), self.generation, &self.hosts)
    }

    fn build(&mut self) -> Arc<Snapshot> {
        self.try_build().expect("something changed")
    }
}

fn find(snapshot: &Snapshot, host: &str, path: &str) -> Option<Arc<Route>> {
    let namespace = snapshot.namespace_for(host)?;
    match namespace.routes.find(path.as_bytes(), &http::Method::GET) {
        Found::Match(found) => Some(found.value.clone()),
        _ => None,
    }
}

fn route(snapshot: &Snapshot, host: &str, path: &str) -> Arc<Route> {
    find(snapshot, host, path).unwrap_or_else(|| panic!("no route for {host}{path}"))
}

#[test]
fn the_first_snapshot_has_the_default_namespace() {
    let mut bench = Bench::new(true);
    let snapshot = bench.build();
    assert_eq!(&*snapshot.namespaces[0].name, "default");
    assert_eq!(&*snapshot.namespaces[0].description, r#"{"name":"default","tags":["default"]}"#);
    assert!(snapshot.namespace_for("any.host").is_some());
    assert!(bench.try_build().is_none(), "nothing changed");
    assert!(Bench::new(false).build().namespaces.is_empty());
}

#[test]
fn hosts_that_no_domain_matches() {
    // (default exists, namespaces, domains as namespace/pattern, host, namespace)
    type Case = (
        bool,
        &'static [&'static str],
        &'static [(&'static str, &'static str)],
        &'static str,
        Option<&'static str>,
    );
    let cases: [Case; 10] = [
        (true, &[], &[], "h", Some("default")),
        (true, &["a"], &[], "h", Some("default")),
        (false, &["a"], &[], "h", Some("a")),
        (false, &["a", "b"], &[], "h", None),
        (false, &["default"], &[], "h", None),
        (true, &["a"], &[("a", "a.com")], "a.com", Some("a")),
        (true, &["a"], &[("a", "a.com")], "h", Some("default")),
        (true, &["a"], &[("a", "a.com"), ("default", "d.com")], "h", None),
        (false, &["a"], &[("a", "a.com")], "h", None),
        (true, &["a"], &[("a", "*"), ("default", "d.com")], "d.com", Some("default")),
    ];
    for (default, namespaces, domains, host, expected) in cases {
        let mut bench = Bench::new(default);
        for name in namespaces {
            bench.put(&format!("namespace {name}"), json!({}));
        }
        for (at, (namespace, pattern)) in domains.iter().enumerate() {
            bench.put(&format!("domain {namespace}/d{at}"), json!({"patterns": [pattern]}));
        }
        let snapshot = bench.build();
        let found = snapshot.namespace_for(host).map(|namespace| &*namespace.name);
        assert_eq!(found, expected, "{default} {namespaces:?} {domains:?} {host}");
    }
}

#[test]
fn what_did_not_change_is_the_same_object() {
    let mut bench = Bench::new(true);
    bench.put("namespace a", json!({}));
    bench.put("domain a/d", json!({"patterns": ["a.com"]}));
    for at in ["default/s", "default/t", "a/s"] {
        bench.service(at);
    }
    bench.route("default/x", "/x", "s");
    bench.route("default/y", "/y", "t");
    bench.route("a/x", "/x", "s");
    let one = bench.build();
    bench.put("service default/t", json!({"urls": ["http://127.0.0.1:9001"], "retries": 0}));
    let two = bench.build();

    assert!(Arc::ptr_eq(&one.namespaces[0], &two.namespaces[0]), "namespace a was not written");
    let (x1, x2) = (route(&one, "h", "/x"), route(&two, "h", "/x"));
    assert!(Arc::ptr_eq(&x1, &x2), "x has another service");
    let (y1, y2) = (route(&one, "h", "/y"), route(&two, "h", "/y"));
    assert!(!Arc::ptr_eq(&y1, &y2));
    assert!(Arc::ptr_eq(&y1.key, &y2.key) && y1.slot == y2.slot);
    let (t1, t2) = (y1.service.as_ref().unwrap(), y2.service.as_ref().unwrap());
    assert!(Arc::ptr_eq(&t1.key, &t2.key) && t1.slot == t2.slot && t2.retries == 0);

    bench.put("service default/t", json!({"urls": ["http://127.0.0.1:9001"], "retries": 0}));
    assert!(bench.try_build().is_none(), "the same text again");
    // The whole state again is no change either.
    let all: Vec<(Key, String)> = [
        text("namespace a", json!({})),
        text("domain a/d", json!({"patterns": ["a.com"]})),
        text("service default/s", json!({"urls": ["http://127.0.0.1:9000"]})),
        text("service default/t", json!({"urls": ["http://127.0.0.1:9001"], "retries": 0})),
        text("service a/s", json!({"urls": ["http://127.0.0.1:9000"]})),
        text("route default/x", json!({"paths": ["/x"], "methods": ["*"], "service": "s"})),
        text("route default/y", json!({"paths": ["/y"], "methods": ["*"], "service": "t"})),
        text("route a/x", json!({"paths": ["/x"], "methods": ["*"], "service": "s"})),
    ]
    .into();
    bench.compiler.reset(&all);
    assert!(bench.try_build().is_none());
    bench.compiler.reset(&all[2..7]);
    let three = bench.build();
    assert_eq!(three.namespaces.len(), 1, "a is gone with all that was in it");
}

#[test]
fn slots_stay_with_their_resource_and_are_used_again() {
    let mut bench = Bench::new(true);
    bench.service("default/s");
    for name in ["a", "b", "c"] {
        bench.route(&format!("default/{name}"), &format!("/{name}"), "s");
    }
    let one = bench.build();
    let slots: Vec<u32> = ["/a", "/b", "/c"].iter().map(|path| route(&one, "h", path).slot).collect();
    assert_eq!((slots, one.route_slots, one.service_slots), (vec![0, 1, 2], 3, 1));
    bench.remove("route default/b");
    bench.route("default/d", "/d", "s");
    bench.route("default/a", "/a2", "s");
    let two = bench.build();
    assert_eq!((route(&two, "h", "/d").slot, route(&two, "h", "/a2").slot, two.route_slots), (1, 0, 3));
    assert!(find(&two, "h", "/b").is_none() && find(&two, "h", "/a").is_none());
    assert!(!Arc::ptr_eq(&route(&one, "h", "/b").key, &route(&two, "h", "/d").key));
    for name in ["route default/c", "route default/d"] {
        bench.remove(name);
    }
    assert_eq!(bench.build().route_slots, 1);
}

fn script(snapshot: &Snapshot, path: &str) -> Arc<Script> {
    route(snapshot, "h", path).pipeline.as_ref().expect("modules").stages[0].variants[0].script.clone()
}

#[test]
fn graphs_are_closed_and_shared() {
    let mut bench = Bench::new(true);
    bench
        .module("default/entry", "import {x} from './mid'\nexport function requestHandler(ctx: any) { x() }");
    bench.module("default/mid", "import {y} from 'leaf'\nexport const x = () => y");
    bench.module("default/leaf", "export const y = 1");
    bench.module("default/other", "export async function responseModifier() {}");
    bench.scripted("default/a", "/a", &["entry", "other"]);
    bench.scripted("default/b", "/b", &["entry"]);
    bench.scripted("default/c", "/c", &["other"]);
    let one = bench.build();
    let (a, c) = (script(&one, "/a"), script(&one, "/c"));
    assert!(Arc::ptr_eq(&a, &script(&one, "/b")), "routes with the same entry share a script");
    let names: Vec<&str> = a.modules.iter().map(|m| &*m.name).collect();
    assert_eq!((names, &*a.key, one.script_slots), (vec!["entry", "mid", "leaf"], "default/entry", 2));
    assert!(a.functions.request_handler && !a.functions.response_modifier && c.functions.response_modifier);

    bench.module("default/leaf", "export const y = 2");
    let two = bench.build();
    let now = script(&two, "/a");
    assert!(!Arc::ptr_eq(&a, &now) && a.slot == now.slot);
    assert!(Arc::ptr_eq(&a.modules[0].bytecode, &now.modules[0].bytecode), "one module was compiled");
    assert!(!Arc::ptr_eq(&a.modules[2].bytecode, &now.modules[2].bytecode));
    assert!(Arc::ptr_eq(&c, &script(&two, "/c")));

    bench.put("module default/leaf", json!({"payloadRaw": "export const y = 2", "tags": ["t"]}));
    assert!(bench.try_build().is_none(), "a tag is no code");
    bench.remove("route default/c");
    assert_eq!(bench.build().script_slots, 2, "a runs it still");
    bench.scripted("default/a", "/a", &["entry"]);
    assert_eq!(bench.build().script_slots, if c.slot > now.slot { 1 } else { 2 });
}

/// The pipeline of a path as `module[ppm]`, stages separated by `|`.
fn pipeline(snapshot: &Snapshot, path: &str) -> String {
    let route = route(snapshot, "h", path);
    let Some(pipeline) = &route.pipeline else { return "none".into() };
    let stage = |stage: &tidegate_snapshot::Stage| {
        let variant = |variant: &tidegate_snapshot::Variant| {
            let name = variant.script.key.strip_prefix("default/").expect("the namespace").to_owned();
            let share = variant.share.as_ref().map(|share| format!("[{}]", share.parts_per_million));
            let when = if variant.when.is_empty() { "" } else { "?" };
            name + &share.unwrap_or_default() + when
        };
        stage.variants.iter().map(variant).collect::<Vec<_>>().join(" ")
    };
    pipeline.stages.iter().map(stage).collect::<Vec<_>>().join(" | ")
}

#[test]
fn lists_become_stages() {
    let mut bench = Bench::new(true);
    bench.module("default/lib", "export const n = 1; export function requestHandler() {}");
    bench.module("default/auth", "export function requestModifier() {}");
    bench.module("default/auth:2", "import {n} from './lib'; export function requestModifier() { n }");
    bench.module("default/auth:3", "export function responseModifier() {}");
    bench.module("default/main", "import './auth:2'; export function requestHandler() {}");
    for (path, list, expected) in [
        ("/a", &["auth", "main"][..], "auth | main"),
        ("/b", &["auth:2@10%;by=cookie:uid", "auth", "main"], "auth:2[100000] auth | main"),
        ("/c", &["auth", "main", "auth:3;when=query:x"], "auth:3? auth | main"),
        ("/d", &["main", "auth:2", "lib"], "main"),
        ("/e", &["auth:2", "lib", "main"], "auth:2 | main"),
    ] {
        bench.scripted(&format!("default/{}", &path[1..]), path, list);
        let snapshot = bench.build();
        assert_eq!(bench.compiler.problems(), []);
        assert_eq!(pipeline(&snapshot, path), expected, "{list:?}");
    }
    let before = bench.compiler.last.clone().expect("a snapshot");
    assert_eq!(before.script_slots, 4, "libraries want no script");
    let (a, b) = (route(&before, "h", "/a"), route(&before, "h", "/b"));
    let (a, b) = (a.pipeline.as_ref().expect("modules"), b.pipeline.as_ref().expect("modules"));
    assert!(a.functions.request_modifier && a.functions.request_handler && !a.functions.error_handler);
    assert!(Arc::ptr_eq(&a.stages[0].variants[0].script, &b.stages[0].variants[1].script), "one script");
    // A canary is a matter of the module, and every route that runs it follows.
    let source = "export function requestModifier() {}";
    bench.put(
        "module default/auth",
        json!({"payloadRaw": source, "tags": ["canary@1%:auth:2", "canary@1%:gone"]}),
    );
    let now = bench.build();
    assert_eq!(pipeline(&now, "/a"), "auth:2[10000] auth | main");
    assert_eq!(pipeline(&now, "/b"), "auth:2[100000] auth:2[11112] auth | main");
    assert_eq!(pipeline(&now, "/c"), "auth:3? auth:2[10000] auth | main");
    assert!(Arc::ptr_eq(&route(&before, "h", "/d"), &route(&now, "h", "/d")), "d does not run it");
    bench.module("default/auth", source);
    assert_eq!(pipeline(&bench.build(), "/a"), "auth | main");
}

#[test]
fn tags_choose_what_this_node_runs() {
    let mut bench = Bench::new(true);
    bench.service("default/s");
    bench.put("service default/far", json!({"urls": ["http://far.example"], "tags": ["#region:us"]}));
    let handler = "export function requestHandler() {}";
    bench.put("module default/m", json!({"payloadRaw": handler, "tags": ["#edge"]}));
    bench.put("module default/m:us", json!({"payloadRaw": handler, "tags": ["#region:us"]}));
    let route_of = |tags: &[&str], more: Value| {
        let mut value = json!({"methods": ["*"], "tags": tags});
        more.as_object().expect("fields").iter().for_each(|(name, field)| value[name] = field.clone());
        value
    };
    bench.put(
        "route default/here",
        route_of(&["#region:eu", "plain"], json!({"paths": ["/here"], "service": "s"})),
    );
    bench.put("route default/away", route_of(&["!region:eu"], json!({"paths": ["/away"], "service": "s"})));
    bench.put("route default/lost", route_of(&[], json!({"paths": ["/lost"], "service": "far"})));
    bench.put("route default/quiet", route_of(&["#core"], json!({"paths": ["/quiet"], "service": "far"})));
    bench
        .put("route default/both", route_of(&[], json!({"paths": ["/both"], "modules": ["m:us@100%", "m"]})));
    bench.put("route default/only", route_of(&[], json!({"paths": ["/only"], "modules": ["m:us"]})));
    bench.put("namespace a", json!({"tags": ["?region:us,asia"]}));
    bench.put("domain a/d", json!({"patterns": ["*"]}));
    bench.route("a/x", "/x", "s");
    let snapshot = bench.build();
    assert_eq!(snapshot.namespaces.len(), 1, "namespace a is elsewhere, with all that is in it");
    assert!(find(&snapshot, "h", "/here").is_some_and(|route| route.service.is_some()));
    assert!(find(&snapshot, "h", "/away").is_none() && find(&snapshot, "h", "/quiet").is_none());
    assert_eq!(pipeline(&snapshot, "/both"), "m", "a version that is not here is left out");
    // What lacks a part is no way to a broader route.
    for path in ["/lost", "/only"] {
        let route = route(&snapshot, "h", path);
        assert!(route.service.is_none() && route.pipeline.is_none(), "{path}");
    }
    let problems: Vec<String> =
        bench.compiler.problems().iter().map(|p| format!("{} {}", p.key, p.why)).collect();
    assert_eq!(
        problems,
        [
            "default/lost service 'far' is not on this node: its tags choose others",
            "default/only module 'm:us' is not on this node: its tags choose others",
        ]
    );
    assert!(bench.compiler.hosts().is_empty(), "names are resolved for what runs here");
    // Tags that change bring resources here and take them away.
    bench.put("namespace a", json!({"tags": ["?region:us,eu"]}));
    bench.service("a/s");
    bench.put("service default/far", json!({"urls": ["http://far.example"]}));
    bench.put("module default/m", json!({"payloadRaw": handler, "tags": ["!edge"]}));
    bench.put("module default/m:us", json!({"payloadRaw": handler}));
    let now = bench.build();
    assert_eq!(now.namespaces.len(), 2);
    assert!(now.namespace_for("h").is_some_and(|namespace| &*namespace.name == "a"));
    assert_eq!(bench.compiler.problems(), []);
    assert_eq!(bench.compiler.hosts(), BTreeSet::from(["far.example".to_owned()]));
    let all: Vec<(Key, String)> = [
        text("namespace default", json!({"tags": ["#core"]})),
        text("route default/here", json!({"paths": ["/here"], "methods": ["*"], "service": "gone"})),
    ]
    .into();
    bench.compiler.reset(&all);
    let none = bench.build();
    assert!(none.namespaces.is_empty() && none.namespace_for("h").is_none());
    assert_eq!(bench.compiler.problems(), []);
    bench.remove("namespace default");
    assert_eq!(bench.build().namespaces.len(), 1, "the default namespace is there unless it is chosen away");
}

#[test]
fn permissions_and_limits_are_those_of_the_listed_module() {
    let mut bench = Bench::new(true);
    let source = "import {x} from 'leaf'\nexport function requestHandler() { x }";
    let put = |bench: &mut Bench, more: Value| {
        let mut fields = json!({"payloadRaw": source});
        more.as_object().expect("fields").iter().for_each(|(name, value)| fields[name] = value.clone());
        bench.put("module default/entry", fields);
    };
    put(&mut bench, json!({}));
    bench.put("module default/leaf", json!({"payloadRaw": "export const x = 1", "permissions": ["env"]}));
    bench.scripted("default/a", "/a", &["entry"]);
    let one = script(&bench.build(), "/a");
    assert_eq!(one.limits, ModuleLimits::default());
    assert_eq!(one.permissions.iter().map(|p| &**p).collect::<Vec<_>>(), tidegate_js::DEFAULT_PERMISSIONS);
    put(&mut bench, json!({"permissions": ["secrets:key"]}));
    let two = script(&bench.build(), "/a");
    assert!(!Arc::ptr_eq(&one, &two) && Arc::ptr_eq(&one.modules[0].bytecode, &two.modules[0].bytecode));
    assert_eq!(&*two.permissions, ["secrets:key".into()]);
    put(&mut bench, json!({"permissions": ["secrets:key"], "limits": {"cpuMs": 77, "fetches": 0}}));
    let three = script(&bench.build(), "/a");
    assert_eq!(three.limits, ModuleLimits { cpu_ms: 77, fetches: 0, ..ModuleLimits::default() });
    assert_eq!(three.slot, one.slot);
    put(
        &mut bench,
        json!({"permissions": ["secrets:key"], "limits": {"cpuMs": 77, "fetches": 0}, "tags": ["t"]}),
    );
    assert!(bench.try_build().is_none(), "nothing that is run changed");
    put(&mut bench, json!({"permissions": []}));
    assert!(script(&bench.build(), "/a").permissions.is_empty());
}

#[test]
fn what_runs_by_itself_needs_no_route() {
    let mut bench = Bench::new(true);
    let job = |cron: &str| format!("export const scheduled = {{ cron: '{cron}', run() {{}} }}");
    bench.module("default/alone", &job("@daily"));
    bench.module("default/lib", "export const x = 1 // never scheduled");
    bench.module("default/far", "export * from 'alone'");
    bench.module("default/wrong", &job("@often"));
    let both = format!("{}\nexport function requestHandler() {{}}", job("@every 1m"));
    bench.module("default/both", &both);
    bench.scripted("default/a", "/a", &["both"]);
    let snapshot = bench.build();
    let planned = |bench: &Bench| -> Vec<(String, String)> {
        let one = |planned: &Planned| (planned.script.key.to_string(), planned.jobs[0].cron.clone());
        bench.compiler.planned().iter().map(one).collect()
    };
    let found = |key: &str, cron: &str| (format!("default/{key}"), cron.to_owned());
    assert_eq!(planned(&bench), [found("alone", "@daily"), found("both", "@every 1m")]);
    let shared = bench.compiler.planned().remove(1);
    assert!(
        Arc::ptr_eq(&shared.script, &script(&snapshot, "/a")),
        "a route and the scheduler share a script"
    );
    let told: Vec<String> =
        bench.compiler.problems().into_iter().map(|p| format!("{}: {}", p.key, p.why)).collect();
    assert!(told.len() == 1 && told[0].contains("'@often' is unknown"), "{told:?}");
    // Its times change and nothing that requests see.
    bench.module("default/alone", &job("@hourly"));
    assert!(bench.try_build().is_none());
    assert_eq!(planned(&bench)[0], found("alone", "@hourly"));
    bench.remove("module default/alone");
    bench.module("default/both", "export function requestHandler() {}");
    bench.build();
    assert_eq!(planned(&bench), []);
}

#[test]
fn what_cannot_be_used_takes_nothing_with_it() {
    let mut bench = Bench::new(true);
    bench.service("default/s");
    bench.route("default/good", "/good", "s");
    bench.route("default/lost", "/good/secret", "gone");
    bench.compiler.put(&key("route default/newer"), r#"{"name":"newer","namespace":"default","fancy":1}"#);
    bench.compiler.put(&key("domain default/newer"), r#"{"name":"newer"}"#);
    bench
        .compiler
        .put(&key("module default/bad"), r#"{"name":"bad","namespace":"default","payload":"ISE="}"#);
    bench.scripted("default/guarded", "/guarded", &["bad"]);
    bench.route("default/rest", "/*", "s");
    bench.compiler.put(&key("service nowhere/s"), "{}");
    let snapshot = bench.build();
    let found: Vec<String> =
        bench.compiler.problems().iter().map(|p| format!("{} {}", p.kind.name(), p.key)).collect();
    let expected = [
        "namespace nowhere/nowhere",
        "route default/guarded",
        "route default/lost",
        "route default/newer",
        "module default/bad",
        "domain default/newer",
    ];
    assert_eq!(found, expected);
    let tree = &snapshot.namespaces[0].routes;
    let at = |path: &str| match tree.find(path.as_bytes(), &http::Method::GET) {
        Found::Match(found) => (found.value.key.to_string(), found.value.service.is_some()),
        _ => panic!("{path}"),
    };
    assert_eq!(at("/good"), ("default/good".into(), true));
    assert_eq!(at("/good/secret"), ("default/lost".into(), false), "it must not fall to the broader route");
    assert_eq!(at("/guarded"), ("default/guarded".into(), false));
    assert_eq!(at("/else"), ("default/rest".into(), true));

    bench.service("default/gone");
    bench.module("default/bad", "export function requestHandler() {}");
    bench.remove("route default/newer");
    bench.remove("domain default/newer");
    bench.remove("service nowhere/s");
    let mended = bench.build();
    assert_eq!(bench.compiler.problems(), []);
    assert!(find(&mended, "h", "/guarded").is_some_and(|route| route.pipeline.is_some()));
}

#[test]
fn a_script_that_fails_when_it_starts_is_run_all_the_same() {
    let mut bench = Bench::new(true);
    bench.module("default/m", "throw new Error('later')\nexport function requestHandler() {}");
    bench.scripted("default/r", "/r", &["m"]);
    let snapshot = bench.build();
    assert!(script(&snapshot, "/r").functions.request_handler);
    assert!(bench.compiler.problems()[0].why.contains("later"));
}

#[test]
fn addresses_are_filled_in_and_followed() {
    let mut bench = Bench::new(true);
    bench.put("service default/s", json!({"urls": ["http://Up.example:81/v1/", "http://[::1]:82"]}));
    bench.put("service default/t", json!({"urls": ["http://127.0.0.1"]}));
    bench.route("default/x", "/x", "s");
    bench.route("default/y", "/y", "t");
    assert_eq!(bench.compiler.hosts(), BTreeSet::from(["up.example".to_owned()]));
    let addresses = |snapshot: &Snapshot| -> Vec<String> {
        let route = route(snapshot, "h", "/x");
        let endpoints = &route.service.as_ref().expect("service").endpoints;
        endpoints.iter().flat_map(|e| e.addresses.iter().map(ToString::to_string)).collect()
    };
    let one = bench.build();
    assert_eq!(addresses(&one), ["[::1]:82"]);
    bench.hosts.0.insert("up.example", vec!["10.0.0.1".parse().unwrap(), "::2".parse().unwrap()]);
    bench.hosts.1 += 1;
    let two = bench.build();
    assert_eq!(addresses(&two), ["10.0.0.1:81", "[::2]:81", "[::1]:82"]);
    assert!(Arc::ptr_eq(&route(&one, "h", "/y"), &route(&two, "h", "/y")));
    bench.hosts.1 += 1;
    assert!(bench.try_build().is_none(), "another name moved");
}

#[test]
fn fields_are_resolved() {
    let mut bench = Bench::new(true);
    bench.put(
        "service default/s",
        json!({"urls": ["http://127.0.0.1"], "retryTimeout": "30ms", "hideDGateHeaders": true}),
    );
    bench.put(
        "route default/r",
        json!({"paths": ["/r/{id}/*", "/q"], "methods": ["GET", "PURGE"], "service": "s", "stripPath": true,
               "preserveHost": true, "maxBodyBytes": 7, "allowEncodedSlash": true}),
    );
    bench.route("default/plain", "/plain", "s");
    let snapshot = bench.build();
    let (r, plain) = (route(&snapshot, "h", "/r/1/x"), route(&snapshot, "h", "/plain"));
    assert!(r.strip_path && r.preserve_host && r.allow_encoded_slash && !plain.strip_path);
    assert_eq!((r.max_body_bytes, plain.max_body_bytes), (7, 1_000));
    assert!(Arc::ptr_eq(&r, &route(&snapshot, "h", "/q")));
    assert_eq!(r.methods.allow(), "GET, PURGE");
    let service = r.service.as_ref().expect("service");
    assert!(service.hide_gateway_headers && service.retries == 3 && service.retry_wait.as_millis() == 30);
    let shown: Value = serde_json::from_str(&r.description).expect("JSON");
    assert_eq!((&shown["name"], &shown["paths"][1]), (&json!("r"), &json!("/q")));
}

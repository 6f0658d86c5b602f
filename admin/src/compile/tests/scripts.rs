//! What scripts become: graphs that are closed and shared, stages, tags, permissions, jobs, and faults that stay alone.

use super::*;

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
    assert_eq!((names, &*a.key, one.scripts.len()), (vec!["entry", "mid", "leaf"], "default/entry", 2));
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
    assert_eq!(bench.build().scripts.len(), 2, "a runs it still");
    bench.scripted("default/a", "/a", &["entry"]);
    assert_eq!(bench.build().scripts.len(), if c.slot > now.slot { 1 } else { 2 });
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
    assert_eq!(before.scripts.len(), 4, "libraries want no script");
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

//! Modules as the control plane checks them: what compiles, what links, and what a write would break.

use super::*;
use crate::change::Op;

const HANDLER: &str =
    "import { n } from './lib';\nexport function requestHandler(ctx: any) { ctx.response().json(n) }";

fn module(name: &str, source: &str) -> Op {
    let value = json!({"name": name, "namespace": "n", "payloadRaw": source});
    parse(Kind::Module, value).expect("a module").into_put()
}

/// A module that works, with a tag.
fn tagged(name: &str, tag: &str) -> Op {
    let source = if name == "second" { "export const requestModifier = () => {};" } else { HANDLER };
    let value = json!({"name": name, "namespace": "n", "payloadRaw": source, "tags": [tag]});
    parse(Kind::Module, value).expect("a module").into_put()
}

fn route(name: &str, entry: &str) -> Op {
    list(name, &[entry])
}

fn list(name: &str, modules: &[&str]) -> Op {
    let value = json!({"name": name, "namespace": "n", "paths": ["/"], "methods": ["*"], "modules": modules});
    parse(Kind::Route, value).expect("a route").into_put()
}

fn delete(kind: Kind, name: &str) -> Op {
    Op::Delete { key: Key { kind, namespace: "n".into(), collection: None, name: name.into() } }
}

/// Applies `before`, then asks about `ops`; the sentences of the faults.
fn ask(before: &[Op], ops: &[Op]) -> Vec<String> {
    let mut rows: Vec<(Key, Value)> = Vec::new();
    for op in before {
        let Op::Put { key, value } = op else { unreachable!("a put") };
        rows.push((key.clone(), value.clone()));
    }
    let lookup = |kind: Kind, _: &str| -> Vec<(Key, Value)> {
        rows.iter().filter(|(key, _)| key.kind == kind).cloned().collect()
    };
    ModuleChecker::default().check(&lookup, ops).iter().map(ToString::to_string).collect()
}

#[test]
fn what_breaks_and_what_does_not() {
    let lib = module("lib", "export const n = 1;");
    let main = module("main", HANDLER);
    let used = [lib.clone(), main.clone(), route("r", "main")];
    let renamed = module("lib", "export const m = 1;");
    let broken = module("lib", "export const n = 1;\nlet = ;");
    let second = module("second", "export const requestHandler = () => {};");
    let pair = [
        lib.clone(),
        main.clone(),
        module("second", "export const requestModifier = () => {};"),
        list("q", &["main", "second"]),
    ];
    for (before, ops, expected) in [
        (&[][..], vec![lib.clone()], None),
        // Before what it imports: fine until a route needs it.
        (&[], vec![main.clone()], None),
        (std::slice::from_ref(&main), vec![lib.clone()], None),
        (std::slice::from_ref(&main), vec![route("r", "main")], Some("there is no module 'lib'")),
        (&[main.clone(), lib.clone()], vec![route("r", "main")], None),
        (&[], vec![lib.clone(), main.clone(), route("r", "main")], None),
        (&[], vec![broken.clone()], Some("payload: lib.ts:2:")),
        (&used, vec![broken], Some("payload: lib.ts:2:")),
        (&used, vec![renamed.clone()], Some("route 'r' would break")),
        (&used[..2], vec![renamed], Some("module 'main' would break")),
        (&used, vec![module("lib", "export const n = 2;")], None),
        // Of several on a route.
        (&used, vec![list("q", &["main", "lib"])], None),
        (&used, vec![list("q", &["lib", "main"])], None),
        (&used, vec![list("q", &["lib"])], Some("modules[0]: 'lib' exports none of fetchUpstream, ")),
        (
            &used,
            vec![second.clone(), list("q", &["main", "second"])],
            Some("modules[1]: 'main' and 'second' both export requestHandler"),
        ),
        (&used, vec![module("main:2", HANDLER), list("q", &["main", "main:2@1%"])], None),
        (
            &used,
            vec![second.clone(), module("third", "export * from './second'"), list("q", &["main", "third"])],
            Some("modules[1]: 'main' and 'third' both"),
        ),
        (&used, vec![list("q", &["main", "other:2;when=path=/a"])], None),
        (&pair, vec![second.clone()], Some("payload: route 'q' would break: 'main' and 'second' both")),
        (
            &pair,
            vec![module(
                "second",
                "export const requestModifier = () => {}; export const errorHandler = requestModifier;",
            )],
            None,
        ),
        (
            &pair,
            vec![module("second", "export const x = 1;")],
            Some("route 'q' would break: 'second' exports none"),
        ),
        // Canaries.
        (&used, vec![tagged("main", "canary@1%:gone")], Some("tags[0]: there is no module 'gone'")),
        (&used, vec![tagged("main", "canary@1%:lib")], Some("route 'r' would break: 'lib' exports none")),
        (&used, vec![tagged("main", "canary@1%:main:2"), module("main:2", HANDLER)], None),
        (
            &pair,
            vec![tagged("second", "canary@1%:main:2"), module("main:2", HANDLER)],
            Some("route 'q' would break"),
        ),
        (&used, vec![delete(Kind::Module, "lib")], Some("route 'r' would break")),
        (&used[..2], vec![delete(Kind::Module, "lib")], None),
        (&used, vec![delete(Kind::Route, "r"), delete(Kind::Module, "lib")], None),
        (&used, vec![module("main", "import './gone'")], Some("there is no module 'gone'")),
    ] {
        let said = ask(before, &ops);
        match expected {
            None => assert!(said.is_empty(), "{ops:?}: {said:?}"),
            Some(text) => assert!(said.iter().any(|said| said.contains(text)), "{ops:?}: {said:?}"),
        }
    }
}

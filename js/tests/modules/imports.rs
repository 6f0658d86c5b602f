//! Imports: between user modules, from the gateway, and those that must not work.

use tidegate_js::{Answer, Language, Limits};

use crate::harness::{Bench, functions, js, rejected, ts};

#[test]
fn every_way_to_write_an_import() {
    let other = || ts("other", "export const x = 'o'; export default 'd'");
    for specifier in ["./other", "other", "./other.ts", "./other.js", "other.ts"] {
        let source = format!(
            "import d, {{ x }} from '{specifier}'; export function requestHandler() {{ return d + x }}"
        );
        let entry = ts("m", &source);
        assert_eq!(entry.imports, ["other"], "{specifier}");
        assert_eq!(Bench::of(&[entry, other()], Limits::default()).handle().1, Ok(Answer::Text("do".into())));
    }
    for source in [
        "export async function requestHandler() { return (await import('./other')).x }",
        "import * as o from 'other'; export function requestHandler() { return o.x }",
        "export * from './other'; import { x } from './other'; export const requestHandler = () => x",
    ] {
        let bench = Bench::of(&[js("m", source), other()], Limits::default());
        assert_eq!(bench.handle().1, Ok(Answer::Text("o".into())), "{source}");
    }
}

#[test]
fn cycles_work() {
    let a = ts(
        "a",
        "import { b } from './b'; export function a(n) { return n ? b(n - 1) : 'a' } export const requestHandler = () => a(5)",
    );
    let b = ts("b", "import { a } from './a'; export function b(n) { return n ? a(n - 1) : 'b' }");
    assert_eq!(Bench::of(&[a, b], Limits::default()).handle().1, Ok(Answer::Text("b".into())));
}

#[test]
fn type_only_imports_vanish() {
    let m = ts(
        "m",
        "import type { A } from './types'; import { type B } from './more'; import { C } from './unused';\nexport function requestHandler(a: A, b: B): C { return 'ok' as any }",
    );
    assert_eq!(m.imports, Vec::<String>::new());
    assert_eq!(Bench::of(&[m], Limits::default()).handle().1, Ok(Answer::Text("ok".into())));
}

#[test]
fn imports_that_cannot_be() {
    for (specifier, text) in [
        ("dgate/nope", "there is no module"),
        ("tidegate:native", "cannot import"),
        ("../up", "cannot import"),
        ("https://x/y.js", "cannot import"),
        ("node:fs", "cannot import"),
    ] {
        let source = format!("type T = 1;\n\nimport {{ a }} from '{specifier}'; console.log(a)");
        for language in [Language::TypeScript, Language::JavaScript] {
            let source = if language == Language::JavaScript {
                source.replacen("type T = 1;", "", 1)
            } else {
                source.clone()
            };
            let found = rejected(&source, language);
            assert!(found[0].message.contains(text), "{specifier}: {found:?}");
            assert_eq!((found[0].line, found[0].column), (3, 19), "{specifier}: {found:?}");
        }
    }
}

#[test]
fn unresolved_imports_are_told_all_at_once() {
    let m = ts("m", "import { a } from './a';\nimport { b } from 'b';\nexport const x = [a, b]");
    let found = functions(&[m]).unwrap_err();
    let places: Vec<_> = found.iter().map(|d| (d.line, d.column, d.message.as_str())).collect();
    assert_eq!(places, [(1, 19, "there is no module './a'"), (2, 19, "there is no module 'b'")]);
}

#[test]
fn missing_exports_are_told_at_the_name() {
    for (name, export) in [("./lib", "present"), ("dgate/crypto", "createHash")] {
        let source = format!(
            "import {{ {export} }} from '{name}';\nimport {{ missing }} from '{name}';\nexport const x = [{export}, missing]"
        );
        let m = ts("m", &source);
        let lib = ts("lib", "export const present = 1");
        let found = functions(&[m, lib]).unwrap_err();
        assert_eq!((found[0].line, found[0].column), (2, 10), "{found:?}");
        assert!(found[0].message.contains("does not export 'missing'"), "{found:?}");
    }
}

#[test]
fn the_gateways_modules_under_both_names() {
    for prefix in ["dgate", "tidegate"] {
        let bench = Bench::ts(&format!(
            "import t, {{ fail, state, crypto }} from '{prefix}'; import {{ sha1 }} from '{prefix}/crypto';
             import {{ getDocument }} from '{prefix}/state';
             export const requestHandler = () => [typeof fail, t.fail === fail, crypto.sha1 === sha1, state.getDocument === getDocument].join()"
        ));
        assert_eq!(bench.handle().1, Ok(Answer::Text("function,true,true,true".into())));
    }
}

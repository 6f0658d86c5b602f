//! What a module and a test find: the engine's own answer.

use serde_json::Value;
use tidegate_js::kit::{Project, Settings, Source, World, run_request, run_tests};
use tidegate_js::{Grants, Limits};

use crate::Surface;

/// Of the language itself, as of TypeScript's es2023 library and the drafts that the engine has besides.
const LANGUAGE: &[&str] = &[
    "AggregateError",
    "Array",
    "ArrayBuffer",
    "AsyncDisposableStack",
    "BigInt",
    "BigInt64Array",
    "BigUint64Array",
    "Boolean",
    "DataView",
    "Date",
    "DisposableStack",
    "Error",
    "EvalError",
    "Float16Array",
    "Float32Array",
    "Float64Array",
    "Function",
    "Infinity",
    "Int16Array",
    "Int32Array",
    "Int8Array",
    "InternalError",
    "Iterator",
    "JSON",
    "Map",
    "Math",
    "NaN",
    "Number",
    "Object",
    "Promise",
    "Proxy",
    "RangeError",
    "ReferenceError",
    "Reflect",
    "RegExp",
    "Set",
    "String",
    "SuppressedError",
    "Symbol",
    "SyntaxError",
    "TypeError",
    "URIError",
    "Uint16Array",
    "Uint32Array",
    "Uint8Array",
    "Uint8ClampedArray",
    "WeakMap",
    "WeakSet",
    "decodeURI",
    "decodeURIComponent",
    "encodeURI",
    "encodeURIComponent",
    "escape",
    "globalThis",
    "isFinite",
    "isNaN",
    "parseFloat",
    "parseInt",
    "undefined",
    "unescape",
];

/// Objects whose members are not looked at where they are values: they are looked at elsewhere.
const ELSEWHERE: &[&str] =
    &["default", "state", "crypto", "storage", "http", "util", "x", "console", "performance"];

fn settings() -> Settings {
    let limits =
        Limits { cpu_ms: 10_000, memory_bytes: 256 << 20, console_line_bytes: 1 << 20, ..Limits::default() };
    Settings { limits, body_bytes: 1 << 20, grants: Grants::all(), filter: None }
}

fn project(name: &'static str, is_test: bool) -> Project {
    let text = if is_test { include_str!("seen.test.ts") } else { include_str!("seen.ts") };
    let read = |path: &str| (path == name).then(|| Source { shown: path.into(), text: text.into() });
    Project::load(name, is_test, &read).unwrap_or_else(|faults| panic!("{faults:?}"))
}

fn of_module() -> Value {
    let input = r#"{"request":{},"upstream":{"status":200}}"#;
    let report = run_request(&project("seen.ts", false), &settings(), World::default(), input);
    let report: Value =
        serde_json::from_str(&report.unwrap_or_else(|fault| panic!("{fault:?}"))).expect("JSON");
    let body = report["response"]["body"].as_str().unwrap_or_default();
    serde_json::from_str(body).unwrap_or_else(|_| panic!("{report:#}"))
}

fn of_test() -> Value {
    let report = run_tests(&project("seen.test.ts", true), &settings(), &mut |_| {});
    let line =
        report.tests.first().and_then(|test| test.console.first()).unwrap_or_else(|| panic!("{report:?}"));
    serde_json::from_str(&line.text).expect("JSON")
}

fn object(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn members(surface: &mut Surface, at: &str, members: &Value) {
    for (name, kind) in object(members) {
        surface.insert(format!("{at}.{name}"), text(kind));
    }
}

fn space(surface: &mut Surface, place: &str, names: &Value) {
    for (name, about) in object(names) {
        if place == "globals" && LANGUAGE.contains(&name.as_str()) {
            continue;
        }
        let at = format!("{place}.{name}");
        surface.insert(at.clone(), text(&about["kind"]));
        if !ELSEWHERE.contains(&name.as_str()) || place == "tidegate/test" {
            members(surface, &at, &about["members"]);
        }
        members(
            surface,
            &if about["kind"] == "class" { format!("{at} static") } else { at },
            &about["statics"],
        );
    }
}

/// Everything that was found.
pub(crate) fn surface() -> Surface {
    let (module, test) = (of_module(), of_test());
    let mut surface = Surface::new();
    space(&mut surface, "globals", &module["globals"]);
    for (name, names) in object(&module["modules"]) {
        space(&mut surface, name, names);
    }
    for (name, found) in object(&module["objects"]) {
        members(&mut surface, name, found);
    }
    space(&mut surface, "tidegate/test", &test["exports"]);
    members(&mut surface, "Matchers", &test["matchers"]);
    surface
}

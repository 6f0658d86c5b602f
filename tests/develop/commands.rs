//! `tidegate module init`, `test` and `run`.

use crate::{Listening, ends, project, repository, tidegate};
use serde_json::{Value, json};
use std::fs;

#[test]
fn a_new_project_passes_its_tests_and_is_never_overwritten() {
    let (folder, shop) = project();
    for file in [
        "package.json",
        "tsconfig.json",
        "tidegate.d.ts",
        "src/shop.ts",
        "src/shop.test.ts",
        "README.md",
        "tidegate.yaml",
    ] {
        let text = fs::read_to_string(shop.join(file)).unwrap_or_else(|_| panic!("{file}"));
        assert!(file == "tidegate.d.ts" || !text.contains("NAME"), "{file}");
    }
    let passed = ends(0, &shop, &["module", "test"]);
    assert!(passed.contains("2 passed, 0 failed"), "{passed}");
    fs::write(shop.join("src/shop.ts"), "// mine").expect("written");
    let refused = ends(2, folder.path(), &["module", "init", "shop"]);
    assert!(refused.contains("exists already: nothing was written"), "{refused}");
    assert_eq!(fs::read_to_string(shop.join("src/shop.ts")).expect("there"), "// mine");
}

#[test]
fn the_client_s_actions_are_still_there() {
    let help = ends(0, &repository(""), &["module", "--help"]);
    for word in
        ["create", "delete", "list", "get", "init", "test", "run", "dev", "Modules: TypeScript or JavaScript"]
    {
        assert!(help.contains(word), "{word} is not in\n{help}");
    }
}

const FAILING: &str = r#"import { expect, it } from "tidegate/test";

it("compares", () => {
  const basket = { items: ["tea", "milk"], total: 7 };
  console.log("the basket is", basket);
  expect(basket).toEqual({ items: ["tea"], total: 7 });
});
it("is fine", () => {});
"#;

#[test]
fn a_failing_test_shows_the_difference_and_the_line() {
    let (_folder, shop) = project();
    fs::write(shop.join("src/bad.test.ts"), FAILING).expect("written");
    let failed = ends(1, &shop, &["module", "test"]);
    for part in [
        "✗ compares",
        "✓ is fine",
        "expected { items: [ \"tea\", \"milk\", ], total: 7, } to equal",
        "+     \"milk\",",
        "at src/bad.test.ts:6:18",
        "    6 |   expect(basket).toEqual",
        "console the basket is",
        "3 passed, 1 failed",
    ] {
        assert!(failed.contains(part), "{part:?} is not in\n{failed}");
    }
    let some = ends(0, &shop, &["module", "test", "--filter", "is fine"]);
    assert!(some.contains("1 passed, 0 failed, 3 skipped"), "{some}");

    let output = tidegate(&shop, &["module", "test", "src/bad.test.ts", "-o", "json"]);
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!((&report["passed"], &report["failed"]), (&json!(1), &json!(1)));
    let fault = &report["files"][0]["tests"][0]["faults"][0];
    assert_eq!(fault["at"], json!({ "file": "src/bad.test.ts", "line": 6, "column": 18 }), "{report:#}");
    assert!(fault["expected"].as_str().is_some_and(|text| text.contains("\"tea\"")), "{fault}");

    fs::write(shop.join("src/bad.test.ts"), "import './nothing';\nconst x: = 1;").expect("written");
    let broken = ends(1, &shop, &["module", "test", "src/bad.test.ts"]);
    assert!(broken.contains("src/bad.test.ts:2:10: "), "{broken}");
    assert!(broken.contains("    2 | const x: = 1;"), "{broken}");
}

#[test]
fn a_saved_file_is_tested_again() {
    let (_folder, shop) = project();
    let watching = Listening::to(&shop, &["module", "test", "--watch"]);
    let until = |part: &str| watching.until(part);
    until("2 passed, 0 failed");
    until("waiting");
    let path = shop.join("src/shop.ts");
    let source = fs::read_to_string(&path).expect("there");
    fs::write(&path, source.replace("hello, ", "good evening, ")).expect("written");
    until("1 passed, 1 failed");
    until("waiting");
    fs::write(&path, &source).expect("written");
    until("2 passed, 0 failed");
}

#[test]
fn one_request_shows_what_each_function_did() {
    let (_folder, shop) = project();
    fs::write(shop.join("ada.http"), "GET /echo?name=Ada HTTP/1.1\nHost: shop.example\nAccept: */*\n\n")
        .expect("written");
    fs::write(shop.join("up.http"), "HTTP/1.1 201 Created\nServer: up\n\nhello\n").expect("written");
    let words = ["module", "run", "src/shop.ts", "--request", "ada.http", "--upstream", "up.http"];
    let shown = ends(0, &shop, &words);
    for part in [
        "requestModifier",
        "request   + X-Name: Ada",
        "upstream  + X-Greeting: hello, Ada",
        "ms CPU",
        "GET /echo?name=Ada",
        "host      shop.example",
        "← client 201",
        "body      hello",
    ] {
        assert!(shown.contains(part), "{part:?} is not in\n{shown}");
    }
    let json: Value =
        serde_json::from_str(&ends(0, &shop, &[&words[..], &["-o", "json"]].concat())).expect("JSON");
    assert_eq!(json["response"]["headers"]["x-greeting"], "hello, Ada", "{json:#}");

    fs::write(shop.join("no.json"), r#"{ "path": "/", "headers": { "A": "b" } }"#).expect("written");
    fs::write(
        shop.join("src/broken.ts"),
        "export async function requestHandler(): Promise<Response> {\n  console.warn('trying');\n  return fetch('http://a.example/');\n}",
    )
    .expect("written");
    let failed = ends(1, &shop, &["module", "run", "src/broken.ts", "--request", "no.json"]);
    for part in
        ["warn      trying", "http://a.example/", "touches no network", "src/broken.ts:3:", "← client 500"]
    {
        assert!(failed.contains(part), "{part:?} is not in\n{failed}");
    }
}

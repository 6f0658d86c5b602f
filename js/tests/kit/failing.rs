//! What the kit says of tests that fail: the line, the difference, and that one test takes no other with it.

use crate::bench::{load, report, settings};
use tidegate_js::kit::{Fault, Settings, Verdict};

const IMPORTS: &str =
    "import { describe, it, expect, run } from \"tidegate/test\"; import * as m from \"./a\";\n";

fn tests(body: &str) -> Vec<(String, Verdict)> {
    let source = format!("{IMPORTS}{body}");
    let files = [
        ("a.test.ts", source.as_str()),
        ("a.ts", "export function requestHandler(ctx: any) { for (;;) {} }"),
    ];
    let report = report(&files, &settings());
    assert_eq!(report.broken, None);
    report.tests.into_iter().map(|test| (test.name.join(" > "), test.verdict)).collect()
}

#[track_caller]
fn fault(body: &str) -> Fault {
    match &tests(body)[0].1 {
        Verdict::Failed(faults) => faults[0].clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_line_and_the_difference() {
    for (body, message, place, compared) in [
        ("it('x', () => {\n  expect(1 + 1).toBe(3);\n});", "expected 2 to be 3", (3, 17), Some(("3", "2"))),
        (
            "it('x', () => {\n  const value: number[] = [1];\n\n  expect({ a: value, b: 's' }).toEqual({ a: [1, 2], b: 's' });\n});",
            "expected { a: [ 1, ], b: \"s\", } to equal { a: [ 1, 2, ], b: \"s\", }",
            (5, 32),
            Some((
                "{\n  a: [\n    1,\n    2,\n  ],\n  b: \"s\",\n}",
                "{\n  a: [\n    1,\n  ],\n  b: \"s\",\n}",
            )),
        ),
        (
            "it('x', async () => {\n  await expect(Promise.resolve(1)).resolves.toBe(2);\n});",
            "expected 1 to be 2",
            (3, 45),
            Some(("2", "1")),
        ),
        (
            "it('x', async () => {\n  await null;\n  await expect(Promise.resolve(1)).rejects.toThrow('a');\n});",
            "expected a rejection, it resolved with 1",
            (4, 44),
            None,
        ),
        (
            "it('x', () => {\n  expect('abc').not.toMatch(/b/);\n});",
            "expected \"abc\" not to match /b/",
            (3, 21),
            None,
        ),
        (
            "it('x', () => {\n  (null as any).f();\n});",
            "TypeError: cannot read property 'f' of null",
            (3, 4),
            None,
        ),
        ("it('x', () => { throw 5; });", "thrown: 5", (2, 3), None),
        ("it('x', () => new Promise(() => {}));", "it waits for something that never comes", (2, 3), None),
        (
            "it('x', () => new Promise((r) => setTimeout(r, 6000)));",
            "it took longer than 5000 ms",
            (2, 3),
            None,
        ),
        (
            "it('x', () => { Promise.reject(new Error('lost')); });",
            "unhandled rejection: Error: lost",
            (2, 32),
            None,
        ),
        ("it('x', () => { for (;;) {} });", "the CPU budget of the call is used up", (2, 3), None),
    ] {
        let found = fault(body);
        assert!(found.message.contains(message), "{body}\n{found:?}");
        let (file, line, column) = found.place().unwrap_or_else(|| panic!("no place: {found:?}"));
        assert_eq!((file, line), ("a.test.ts", place.0), "{body}\n{found:?}");
        assert!(column.abs_diff(place.1) <= 6, "{body}\n{found:?}");
        let texts = found.compared.as_ref().map(|(a, b)| (a.as_str(), b.as_str()));
        assert_eq!(texts, compared, "{body}");
    }
}

#[test]
fn one_test_takes_no_other_with_it() {
    let found = tests(
        "it('a', () => {}); it('spins', async () => { await run(m); }); it('b', () => {}); it.skip('c', () => {});
         describe('g', () => { it('d', () => expect(1).toBe(1)); });",
    );
    let verdicts: Vec<(&str, bool)> =
        found.iter().map(|(name, verdict)| (name.as_str(), *verdict == Verdict::Passed)).collect();
    assert_eq!(verdicts, [("a", true), ("spins", false), ("b", true), ("c", false), ("g > d", true)]);
    assert_eq!(found[3].1, Verdict::Skipped);
}

#[test]
fn a_chosen_part() {
    let only = tests("it('a', () => {}); it.only('b', () => {});");
    assert_eq!([&only[0].1, &only[1].1], [&Verdict::Skipped, &Verdict::Passed]);
    let settings = Settings { filter: Some("g b".into()), ..settings() };
    let source = format!("{IMPORTS}describe('g', () => {{ it('a', () => {{}}); it('b', () => {{}}); }});");
    let found = report(&[("a.test.ts", &source), ("a.ts", "")], &settings).tests;
    assert_eq!([&found[0].verdict, &found[1].verdict], [&Verdict::Skipped, &Verdict::Passed]);
}

#[test]
fn files_that_do_not_come_together() {
    for (files, named) in [
        (vec![("a.test.ts", "import './none';")], "there is no file none.ts"),
        (vec![("a.test.ts", "import './a';"), ("a.ts", "const x: = 1;")], "a.ts:1:"),
        (
            vec![("a.test.ts", "import './a';"), ("a.ts", "import 'tidegate/nope';")],
            "there is no module 'tidegate/nope'",
        ),
    ] {
        let faults = load(&files, true).expect_err("refused");
        let text: Vec<String> = faults.iter().map(ToString::to_string).collect();
        assert!(text.join("\n").contains(named), "{text:?}");
    }
    let faults = load(&[("a.ts", "import { it } from 'tidegate/test'; it('x', () => {});")], false)
        .expect_err("refused");
    assert!(faults[0].message.contains("exists in tests only"), "{faults:?}");
    let broken =
        report(&[("a.test.ts", "throw new Error('at the top');")], &settings()).broken.expect("broken");
    assert!(
        broken.message.contains("at the top") && broken.place() == Some(("a.test.ts", 1, 11)),
        "{broken:?}"
    );
}

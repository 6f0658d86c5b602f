//! Lines and columns: of what is refused at first, and of what fails later.

use tidegate_js::{Cause, ConsoleLevel, Failure};

use crate::harness::{Bench, TestExchange, functions, js, poll, ts};
use tidegate_js::{Function, Limits};

fn failure(bench: &Bench) -> Failure {
    bench.handle().1.expect_err("it must fail")
}

#[test]
fn a_thrown_error_has_the_lines_of_the_typescript() {
    let bench = Bench::ts(
        "interface A {\n  x: number;\n}\ntype B = A;\nenum E {\n  One,\n}\n\nfunction inner(a: B): never {\n  throw new TypeError('bad ' + E.One + a.x);\n}\n\nexport function requestHandler(ctx: unknown) {\n  const a: A = { x: 1 };\n  inner(a);\n}\n",
    );
    let f = failure(&bench);
    assert_eq!((f.cause, f.message.as_str()), (Cause::Thrown, "TypeError: bad 01"));
    let places: Vec<&str> = f.stack.lines().map(str::trim).collect();
    assert_eq!(places.len(), 2, "{}", f.stack);
    assert!(places[0].starts_with("at inner (m.ts:10:"), "{}", f.stack);
    assert!(places[1].starts_with("at requestHandler (m.ts:15:"), "{}", f.stack);
    let column: u32 = places[0].rsplit([':', ')']).nth(1).unwrap().parse().unwrap();
    assert!((9..=43).contains(&column), "{}", f.stack);
}

#[test]
fn javascript_keeps_its_positions_even_after_wide_characters() {
    let bench = Bench::of(
        &[js("m", "function requestHandler(ctx) {\n  const s = 'äöü€'; throw new Error(s);\n}")],
        Limits::default(),
    );
    let f = failure(&bench);
    assert_eq!(f.message, "Error: äöü€");
    // The engine points at the last argument of the constructor.
    assert!(f.stack.contains("m.js:2:37"), "{}", f.stack);
}

#[test]
fn a_nested_module_and_after_an_await() {
    let lib = ts(
        "lib",
        "type T = string;\n\nexport async function deep(t: T) {\n  await null;\n  return (t as any).nope.nope;\n}\n",
    );
    let bench = Bench::of(
        &[
            ts(
                "m",
                "import { deep } from './lib';\nexport async function requestHandler(ctx: any) {\n  await deep('x');\n}",
            ),
            lib,
        ],
        Limits::default(),
    );
    let f = failure(&bench);
    assert!(f.message.starts_with("TypeError: cannot read"), "{}", f.message);
    assert!(f.stack.contains("at deep (lib.ts:5:"), "{}", f.stack);
}

#[test]
fn callers_that_await_are_named() {
    let bench = Bench::ts(
        "import { asyncSleep } from 'tidegate';\n
async function inner(): Promise<void> {
  await asyncSleep(0.01);
  await asyncSleep(0.01);
  throw new Error('late');
}
const middle = async () => { await inner(); };
export async function requestHandler(ctx: any) {
  await asyncSleep(0.01);
  await middle();
}",
    );
    let exchange = std::rc::Rc::new(TestExchange::default());
    let mut lease = bench.lease(&exchange);
    let mut call = Box::pin(lease.call(Function::RequestHandler));
    let failed = loop {
        match poll(&mut call) {
            std::task::Poll::Ready(result) => break result.expect_err("it throws"),
            std::task::Poll::Pending => bench.host.0.advance(10),
        }
    };
    let places: Vec<&str> = failed.stack.lines().map(str::trim).collect();
    assert!(places[0].starts_with("at inner (m.ts:6:"), "{}", failed.stack);
    assert!(places[1].starts_with("at async middle (m.ts:8:"), "{}", failed.stack);
    assert!(places[2].starts_with("at async requestHandler (m.ts:11:"), "{}", failed.stack);
    assert_eq!(places.len(), 3, "{}", failed.stack);
}

#[test]
fn errors_of_the_host_name_the_line_of_the_caller_and_no_prelude() {
    let bench = Bench::ts(
        "export function requestHandler(ctx: any) {\n\n  ctx.request().headers.set('a', '\\n');\n}",
    );
    let f = failure(&bench);
    assert_eq!(f.message, "Error: a header value may not have control characters");
    assert!(f.stack.starts_with("    at requestHandler (m.ts:3:"), "{}", f.stack);
    assert!(!f.stack.contains("tidegate"), "{}", f.stack);
}

#[test]
fn stacks_on_the_console_are_mapped_and_one_line() {
    let bench = Bench::ts(
        "interface Padding {\n  a: 1\n}\nexport function requestHandler(ctx: any) {\n  const e = new Error('two\\nlines', { cause: 'why' });\n  console.error('failed:', e);\n}",
    );
    bench.handle().1.unwrap();
    let lines = bench.host.0.lines.borrow();
    let (level, text) = &lines[0];
    assert_eq!(*level, ConsoleLevel::Error);
    assert!(text.starts_with("failed: Error: two\\nlines at requestHandler (m.ts:5:"), "{text}");
    assert!(text.ends_with("[cause: \"why\"]"), "{text}");
}

#[test]
fn unhandled_rejections_are_reported_once_and_the_calls_own_is_not() {
    let bench = Bench::ts(
        "export async function requestHandler(ctx: any) {\n  Promise.reject(new Error('lost'));\n  Promise.reject(new Error('kept')).catch(() => {});\n  await null;\n  throw new Error('own');\n}",
    );
    assert_eq!(failure(&bench).message, "Error: own");
    let texts = bench.host.0.texts();
    assert_eq!(texts.len(), 1, "{texts:?}");
    assert!(texts[0].starts_with("unhandled rejection: Error: lost at requestHandler (m.ts:2:"), "{texts:?}");
}

#[test]
fn what_is_thrown_need_not_be_an_error() {
    for (thrown, message) in [
        ("'text'", "thrown: text"),
        ("null", "thrown: null"),
        ("5", "thrown: 5"),
        ("{ a: 1 }", "thrown: [object Object]"),
        ("Object.create(null)", "thrown: an object that cannot be shown"),
        ("Object.defineProperty(new Error('x'), 'message', { get() { throw 1 } })", "Error"),
    ] {
        let bench = Bench::ts(&format!("export function requestHandler() {{ throw {thrown} }}"));
        let f = failure(&bench);
        assert_eq!((f.cause, f.message.as_str()), (Cause::Thrown, message), "{thrown}");
    }
}

#[test]
fn top_level_code_that_throws() {
    let found = functions(&[ts(
        "m",
        "type X = 1;\ntype Y = 2;\nconst a: any = null;\na.b;\nexport function requestHandler() {}",
    )]);
    let d = &found.unwrap_err()[0];
    assert_eq!((d.module.as_str(), d.line), ("m.ts", 4), "{d}");
    for (source, text) in [
        ("for (;;) {}", "CPU"),
        ("await new Promise(() => {})", "top-level code awaits"),
        ("const a = []; for (;;) a.push('x'.repeat(100000))", ""),
    ] {
        let found = functions(&[ts("m", source)]).expect_err(source);
        assert!(found[0].message.contains(text), "{source}: {found:?}");
    }
    assert!(functions(&[ts("m", "export const x = await Promise.resolve(1)")]).is_ok());
}

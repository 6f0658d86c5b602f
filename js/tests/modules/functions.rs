//! The five functions: how they are found, how they are called, what they answer.

use std::rc::Rc;

use tidegate_js::{Answer, Cause, ErrorInfo, Function, Language, Limits, Side};

use crate::harness::{Bench, TestExchange, drive, functions, js, rejected, ts};

#[test]
fn every_function_sync_and_async() {
    for f in Function::OF_REQUESTS {
        for prefix in ["function", "async function"] {
            let source = format!(
                "export {prefix} {}(ctx, error) {{ ctx.request().path = '/seen'; return 'done' }}",
                f.name()
            );
            let bench = Bench::of(&[js("m", &source)], Limits::default());
            let exchange = Rc::new(TestExchange::default());
            assert_eq!(bench.call(&exchange, f), Ok(Answer::Text("done".into())), "{source}");
            assert_eq!(exchange.parts.borrow()[1], "/seen");
        }
    }
}

#[test]
fn what_counts_as_a_function() {
    for (source, counts) in [
        ("export function requestHandler() {}", true),
        ("function requestHandler() {}", true),
        ("async function requestHandler() {}", true),
        ("const requestHandler = () => {}", true),
        ("export const requestHandler = async () => {}", true),
        ("let requestHandler = function () {}; export { requestHandler }", true),
        ("function f() {} export { f as requestHandler }", true),
        ("export default { requestHandler() {} }", true),
        ("export default { requestHandler: () => {} }", true),
        ("export default function requestHandler() {}", true),
        ("class A { requestHandler() {} }", false),
        ("function outer() { function requestHandler() {} }", false),
        ("const requestHandler = 5", false),
        ("export const other = 1", false),
        ("const text = 'export function requestHandler() {}'", false),
        ("// export function requestHandler() {}", false),
    ] {
        for compiled in [ts("m", source), js("m", source)] {
            let found = functions(&[compiled]).unwrap_or_else(|d| panic!("{source}: {d:?}"));
            assert_eq!(found.has(Function::RequestHandler), counts, "{source}");
        }
    }
}

#[test]
fn functions_behind_re_exports_count() {
    let inner =
        || ts("inner", "export function requestModifier() {} export function fetchUpstream() { return 'u' }");
    for (source, count) in [
        ("export * from './inner'", 2),
        ("export { requestModifier } from 'inner'", 1),
        ("export { fetchUpstream as requestHandler } from './inner.ts'", 1),
        ("import { fetchUpstream } from './inner'; export { fetchUpstream }", 1),
        ("import * as inner from './inner'; export default inner", 2),
    ] {
        let found = functions(&[ts("m", source), inner()]).unwrap_or_else(|d| panic!("{source}: {d:?}"));
        assert_eq!(found.iter().count(), count, "{source}");
    }
}

#[test]
fn this_of_a_default_object() {
    let bench =
        Bench::ts("export default { greeting: 'hi', requestHandler(ctx) { return this.greeting + ctx.id } }");
    assert_eq!(bench.handle().1, Ok(Answer::Text("hiex1".into())));
}

#[test]
fn only_strings_are_answers() {
    for (value, expected) in [
        ("'http://u'", Answer::Text("http://u".into())),
        ("Promise.resolve('later')", Answer::Text("later".into())),
        ("{ then(f: any) { f('thenable') } }", Answer::Text("thenable".into())),
        ("undefined", Answer::Nothing),
        ("5", Answer::Nothing),
        ("{ a: 1 }", Answer::Nothing),
        ("ctx", Answer::Nothing),
    ] {
        let bench = Bench::ts(&format!("export const fetchUpstream = (ctx: any) => {{ return {value} }}"));
        let exchange = Rc::new(TestExchange::default());
        assert_eq!(bench.call(&exchange, Function::FetchUpstream), Ok(expected), "{value}");
    }
}

#[test]
fn error_handler_gets_an_error() {
    let bench = Bench::ts(
        "export function errorHandler(ctx, e) {
            ctx.response().status(502).json({ is: e instanceof Error, name: e.name, message: e.message, code: e.code })
         }",
    );
    let exchange = Rc::new(TestExchange::default());
    let mut lease = bench.lease(&exchange);
    let error = ErrorInfo { name: "UpstreamError".into(), message: "refused".into(), code: "connect".into() };
    assert_eq!(drive(&bench.host, lease.call_error_handler(&error)), Ok(Answer::Nothing));
    let expected = "{\"is\":true,\"name\":\"UpstreamError\",\"message\":\"refused\",\"code\":\"connect\"}";
    assert_eq!(exchange.body(Side::Response), expected);
    assert_eq!(exchange.status_of(Side::Response), 502);
}

#[test]
fn what_ctx_keeps_lasts_for_the_lease() {
    let bench = Bench::ts(
        "export function requestModifier(ctx) { ctx.set('n', 1); ctx.keep = 2 }
         export function responseModifier(ctx) { ctx.upstream().headers.set('x-n', ctx.get('n') + ctx.keep) }",
    );
    let exchange = Rc::new(TestExchange::default());
    let mut lease = bench.lease(&exchange);
    drive(&bench.host, lease.call(Function::RequestModifier)).unwrap();
    drive(&bench.host, lease.call(Function::ResponseModifier)).unwrap();
    assert_eq!(exchange.field(Side::Upstream, "x-n").as_deref(), Some("3"));
}

#[test]
fn a_function_that_is_not_there() {
    let bench = Bench::ts("export function requestModifier() {}");
    let exchange = Rc::new(TestExchange::default());
    let mut lease = bench.lease(&exchange);
    assert!(!lease.has(Function::RequestHandler) && lease.has(Function::RequestModifier));
    let failure = drive(&bench.host, lease.call(Function::RequestHandler)).unwrap_err();
    assert_eq!(failure.cause, Cause::Internal);
    drop(lease);
    assert_eq!(bench.runtime.stats().failed(Cause::Internal), 1);
}

#[test]
fn typescript_that_is_more_than_stripped() {
    for (declarations, expression, expected) in [
        ("enum Color { Red, Green = 5, Blue }", "Color.Blue + Color[5]", "6Green"),
        ("const enum Size { S = 1, L = S << 3 }", "String(Size.L)", "8"),
        ("namespace N { export const x = 3; export function f() { return x } }", "'' + N.f()", "3"),
        (
            "class P { constructor(private readonly a: number, public b = 2) {} get sum() { return this.a + this.b } }",
            "'' + new P(1).sum",
            "3",
        ),
        (
            "abstract class A { abstract f(): string } class B extends A { f() { return 'b' } }",
            "new B().f()",
            "b",
        ),
        (
            "interface I { a: number } type T = I | null; let t = { a: 1 } satisfies I",
            "String((t as T)!.a)",
            "1",
        ),
        ("function g<T extends string>(x: T): T; function g(x: any) { return x }", "g<'z'>('z')", "z"),
        (
            "class F { x = 1; static s = 2; #p = 3; get p() { return this.#p } }",
            "'' + new F().x + F.s + new F().p",
            "123",
        ),
        ("declare const nowhere: string; let u = typeof nowhere", "u", "undefined"),
        ("function* gen() { yield* [1, 2] }", "[...gen()].join()", "1,2"),
    ] {
        let bench = Bench::ts(&format!(
            "{declarations}\nexport function requestHandler(ctx: any) {{ return {expression} }}"
        ));
        assert_eq!(bench.handle().1, Ok(Answer::Text(expected.into())), "{declarations}");
    }
}

#[test]
fn what_is_refused() {
    for (source, at, text) in [
        ("@dec class A {}", (1, 1), "decorators are not supported"),
        ("const n = 'x';\nawait import(n)", (2, 7), "import() needs a plain string"),
        ("let x = 1;\nlet x = 2;", (2, 5), "x"),
        ("export const x = 1;\nconst y = 2;\nexport { y as x };", (3, 15), "'x'"),
        ("export const requestHandler = (ctx) => {\n  return ctx.;\n}", (2, 14), ""),
        ("const a = 1;\n\n  a = <div/>;", (3, 7), ""),
    ] {
        for language in [Language::TypeScript, Language::JavaScript] {
            let found = rejected(source, language);
            let shown = format!("{source:?} {language:?}: {found:?}");
            assert!(found.iter().any(|d| d.message.contains(text)), "{shown}");
            if language == Language::JavaScript || !source.contains("<div") {
                assert_eq!((found[0].line, found[0].column), at, "{shown}");
            }
            assert!(found[0].to_string().starts_with(&format!(
                "m.{}:{}:",
                language.extension(),
                found[0].line
            )));
        }
    }
    let many = rejected("let a = 1; let a = 2;\nlet b = 1; let b = 2;", Language::JavaScript);
    assert!(many.len() >= 2, "all at once: {many:?}");
    assert!(!rejected(&"(".repeat(100_000), Language::JavaScript).is_empty());
    assert!(!rejected(&"let x = 1;".repeat(400_000), Language::JavaScript).is_empty());
}

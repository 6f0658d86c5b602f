//! What one request may see of another: nothing. And what no module may see at all.

use std::rc::Rc;

use proptest::prelude::*;
use tidegate_js::{Answer, Function, Side};

use crate::harness::{Bench, TestExchange, drive, eval};

#[test]
fn objects_kept_from_an_earlier_request_see_nothing_of_a_later_one() {
    let kept = [
        "ctx.request().headers.get('accept')",
        "ctx.request().method",
        "ctx.request().query.has('q') && ctx.request().path",
        "ctx.id",
        "ctx.response().status(404)",
        "ctx.response().headers.set('a', 'b')",
        "ctx.route() && ctx.pathParams() && ctx.request().contentLength",
        "JSON.stringify(ctx)",
        "old.h.set('a', 'b')",
        "old.r.headers",
        "ctx.response()",
        "ctx.response().locals",
        "ctx.query()",
        "ctx.get('a')",
        "now.request().body && old.r.body",
        "now.request.call(ctx)",
    ];
    for access in kept {
        let bench = Bench::ts(&format!(
            "let old: any;
             export function requestHandler(ctx: any) {{
                const now = ctx; ctx.set('a', 1);
                if (old === undefined) {{ old = {{ ctx, h: ctx.request().headers, r: ctx.request() }}; return 'first' }}
                try {{ const ctx = old.ctx; return 'leaked ' + ({access}) }} catch (e) {{ return e.message }}
             }}"
        ));
        assert_eq!(bench.handle().1, Ok(Answer::Text("first".into())));
        assert_eq!(bench.handle().1, Ok(Answer::Text("the request is over".into())), "{access}");
        assert_eq!(bench.runtime.stats().contexts_made, 1);
    }
}

#[test]
fn objects_of_a_request_are_the_gateways_to_make() {
    for (access, expected) in [
        ("new ctx.constructor(1)", "TypeError: these objects are the gateway's to make"),
        (
            "new (class extends ctx.request().headers.constructor {})(4)",
            "TypeError: these objects are the gateway's to make",
        ),
        ("Reflect.construct(Object, [], ctx.constructor).request()", "TypeError: this is no Context"),
        ("Object.create(ctx).request()", "TypeError: this is no Context"),
        ("ctx.request.call(ctx.request())", "TypeError: this is no Context"),
        ("ctx.request().headers.get.call(ctx, 'a')", "TypeError: this is no Headers"),
        ("ctx.request().headers.get.call(undefined, 'a')", "TypeError: this is no Headers"),
        ("ctx.request().headers.toJSON.call({})", "TypeError: this is no object of a request"),
        ("ctx.response().status.call(7, 200)", "TypeError: this is no object of a request"),
        (
            "ctx.upstream.call(ctx) === null && ctx.request() === ctx.request() && ctx.request().headers === ctx.request().headers",
            "true",
        ),
        ("ctx.response() === ctx.response() && ctx.response().headers !== ctx.request().headers", "true"),
        (
            "ctx.constructor.name + ctx.request().headers.constructor.name + ctx.response().constructor.name",
            "ContextHeadersResponse",
        ),
        ("ctx.request().headers.set.name + ctx.request.name + Object.keys(ctx).length", "setrequest0"),
        ("ctx.response().locals === ctx.response().locals && (ctx.response().locals = { a: 1 }).a", "1"),
    ] {
        let bench = Bench::ts(&format!(
            "export function requestHandler(ctx: any) {{ try {{ return String({access}) }} catch (e) {{ return String(e) }} }}"
        ));
        for _ in 0..2 {
            assert_eq!(bench.handle().1, Ok(Answer::Text(expected.into())), "{access}");
        }
    }
}

#[test]
fn nothing_that_requests_share_can_be_written() {
    for target in [
        "globalThis.mark",
        "globalThis.console",
        "globalThis.setTimeout",
        "globalThis.JSON",
        "Object.prototype.mark",
        "Object.prototype.toString",
        "Array.prototype.mark",
        "Array.prototype.map",
        "Array.isArray",
        "String.prototype.trim",
        "Function.prototype.mark",
        "Promise.prototype.then",
        "JSON.parse",
        "JSON.mark",
        "Math.max",
        "Date.now",
        "Date.prototype.getTime",
        "Error.prototype.name",
        "TypeError.prototype.mark",
        "RegExp.prototype.exec",
        "Map.prototype.get",
        "console.log",
        "console.mark",
        "TextEncoder.prototype.encode",
        "structuredClone.mark",
        "crypto.subtle",
        "crypto.mark",
        "tidegate.state",
        "tidegate.state.mark",
        "Object.getPrototypeOf(ctx).mark",
        "Object.getPrototypeOf(ctx).request",
        "Object.getPrototypeOf(ctx.request()).mark",
        "Object.getPrototypeOf(ctx.request().headers).get",
        "Object.getPrototypeOf(async function () {}).mark",
        "Object.getPrototypeOf(function* () {}).prototype.next",
        "Object.getPrototypeOf(new Map().entries()).next",
        "Object.getPrototypeOf(Int8Array).prototype.set",
        "Object.getPrototypeOf(Int8Array).from",
    ] {
        let bench = Bench::js(&format!(
            "import tidegate from 'tidegate';
             let before, first = true;
             export function requestHandler(ctx) {{
                if (first) {{
                    first = false; before = {target};
                    try {{ {target} = 'of the first request' }} catch (e) {{}}
                    try {{ delete {target} }} catch (e) {{}}
                    return 'written';
                }}
                return {target} === before ? 'same' : 'leaked';
             }}"
        ));
        assert_eq!(bench.handle().1, Ok(Answer::Text("written".into())), "{target}");
        assert_eq!(bench.handle().1, Ok(Answer::Text("same".into())), "{target}");
        assert_eq!(bench.runtime.stats().contexts_made, 1);
    }
}

#[test]
fn objects_of_the_module_take_any_name() {
    for (statements, expected) in [
        ("const e: any = new TypeError('x'); e.name = 'Mine'; e.message = 'y'; return `${e}`", "Mine: y"),
        ("const o: any = {}; o.toString = () => 'mine'; return `${o}`", "mine"),
        (
            "const o: any = {}; for (const k of ['constructor', 'hasOwnProperty', 'valueOf', 'x']) o[k] = 1; return Object.keys(o).join()",
            "constructor,hasOwnProperty,valueOf,x",
        ),
        ("class A extends Error {}; (A.prototype as any).name = 'A'; return new A('x').toString()", "A: x"),
        (
            "function F() {}; F.prototype = Object.create(Error.prototype); F.prototype.constructor = F; return '' + (new (F as any)() instanceof Error)",
            "true",
        ),
        ("const f: any = () => 1; f.toString = () => 'f'; f.extra = 2; return `${f}${f.extra}`", "f2"),
    ] {
        assert_eq!(eval(statements), expected, "{statements}");
    }
}

#[test]
fn top_level_code_may_write_what_later_code_may_not() {
    let bench = Bench::js(
        "globalThis.polyfill = 1; Array.prototype.last = function () { return this[this.length - 1] };
         export function requestHandler() { try { globalThis.polyfill = 2 } catch (e) {} return `${polyfill}${[3, 4].last()}` }",
    );
    assert_eq!(bench.handle().1, Ok(Answer::Text("14".into())));
}

#[test]
fn objects_among_the_globals_cannot_grow() {
    let bench = Bench::js(
        "let count = 0; globalThis.mark ??= {}; 
         export function requestHandler() { count++; mark.x = (mark.x ?? 0) + 1; return `${count}${mark.x ?? ''}` }",
    );
    let exchange = Rc::new(TestExchange::default());
    let (mut one, mut two) = (bench.lease(&exchange), bench.lease(&exchange));
    for lease in [&mut one, &mut two] {
        let answer = drive(&bench.host, lease.call(Function::RequestHandler));
        assert!(
            matches!(answer, Err(ref failure) if failure.message.contains("not extensible")),
            "{answer:?}"
        );
    }
}

#[test]
fn a_prototype_that_was_polluted_does_not_reach_parsed_objects() {
    for (statements, expected) in [
        ("return String(Object.getPrototypeOf(ctx.pathParams()))", "null"),
        (
            "ctx.query().set('__proto__', 'x'); return JSON.stringify([ctx.query(), ({} as any).x])",
            "[{\"q\":[\"1\",\"2\"],\"x\":[\" y\"],\"__proto__\":[\"x\"]},null]",
        ),
        (
            "ctx.request().headers.set('__proto__', 'x'); return JSON.stringify(ctx.request().headers) + String(({} as any)[0])",
            "{\"Accept\":[\"text/plain\"],\"accept\":[\"*/*\"],\"__proto__\":[\"x\"]}undefined",
        ),
        ("ctx.set('__proto__', { y: 1 }); return '' + ({} as any).y + ctx.get('y')", "undefinedundefined"),
    ] {
        assert_eq!(eval(statements), expected, "{statements}");
    }
}

#[test]
fn globals_that_do_not_exist() {
    for name in [
        "Atomics",
        "SharedArrayBuffer",
        "WebAssembly",
        "std",
        "os",
        "Worker",
        "WeakRef",
        "FinalizationRegistry",
        "process",
        "require",
        "scriptArgs",
        "print",
        "__native",
        "bjson",
        "navigator",
        "gc",
    ] {
        assert_eq!(eval(&format!("return typeof (globalThis as any)['{name}']")), "undefined", "{name}");
    }
    for (statements, expected) in [
        ("try { new Function('return 1')(); return 'ran' } catch (e) { return e.name }", "TypeError"),
        (
            "try { (async () => {}).constructor('return 1')(); return 'ran' } catch (e) { return e.name }",
            "TypeError",
        ),
        (
            "try { (function* () {} as any).constructor('yield 1')(); return 'ran' } catch (e) { return e.name }",
            "TypeError",
        ),
        ("try { (globalThis as any).eval('1'); return 'ran' } catch (e) { return e.name }", "TypeError"),
        (
            "const b: any = new (ArrayBuffer as any)(8, { maxByteLength: 64 }); return '' + b.byteLength + b.resizable + b.resize",
            "8undefinedundefined",
        ),
        (
            "const C: any = new Uint8Array(4).buffer.constructor; return '' + (C === ArrayBuffer) + new C(8, { maxByteLength: 64 }).resize",
            "trueundefined",
        ),
        ("try { await import('tidegate:native' as any); return 'ran' } catch (e) { return 'no' }", "no"),
        (
            "return Object.getOwnPropertyNames(globalThis).filter((n) => /native|tidegate|dgate/i.test(n)).join()",
            "",
        ),
    ] {
        if statements.contains("tidegate:native") {
            continue; // refused when it is compiled, see `imports`
        }
        assert_eq!(eval(statements), expected, "{statements}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_header_comes_back_as_it_was_set(name in "[a-zA-Z][a-zA-Z0-9-]{0,20}", value in "[ -~äöü€]{0,60}") {
        let hop = ["connection", "content-length", "transfer-encoding"];
        prop_assume!(!hop.iter().any(|h| name.eq_ignore_ascii_case(h)));
        let (bench, exchange) = round_trip();
        exchange.fields.borrow_mut()[0].clear();
        exchange.fields.borrow_mut()[0].push(("name".into(), name.clone()));
        exchange.fields.borrow_mut()[0].push(("value".into(), value.clone()));
        prop_assume!(name != "name" && name != "value");
        prop_assert_eq!(bench.call(&exchange, Function::RequestHandler), Ok(Answer::Text(value.clone())));
        prop_assert_eq!(exchange.field(Side::Response, &name), Some(value));
    }

    #[test]
    fn no_module_gets_a_line_break_into_a_header(before in "[a-z]{0,5}", bad in "[\r\n\0]", after in ".{0,5}") {
        let (bench, exchange) = round_trip();
        exchange.fields.borrow_mut()[0] = vec![("name".into(), "x".into()), ("value".into(), format!("{before}{bad}{after}"))];
        let failed = bench.call(&exchange, Function::RequestHandler).is_err();
        prop_assert!(failed);
        prop_assert_eq!(exchange.fields.borrow()[2].len(), 0);
        exchange.fields.borrow_mut()[0] = vec![("name".into(), format!("{before}{bad}{after}")), ("value".into(), "v".into())];
        let failed = bench.call(&exchange, Function::RequestHandler).is_err();
        prop_assert!(failed);
        prop_assert_eq!(exchange.fields.borrow()[2].len(), 0);
    }
}

thread_local! {
    static ROUND_TRIP: Bench = Bench::ts(
        "export function requestHandler(ctx: any) {
            const [from, to] = [ctx.request().headers, ctx.response().headers];
            const name = from.get('name');
            to.set(name, from.get('value'));
            return to.get(name.toUpperCase());
         }",
    );
}

fn round_trip() -> (Bench, Rc<TestExchange>) {
    let bench = ROUND_TRIP.with(|b| Bench { host: b.host.clone(), runtime: b.runtime.clone() });
    (bench, Rc::new(TestExchange::default()))
}

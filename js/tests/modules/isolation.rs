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
    ];
    for access in kept {
        let bench = Bench::ts(&format!(
            "let old: any;
             export function requestHandler(ctx: any) {{
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
fn contexts_share_no_globals() {
    let bench = Bench::ts(
        "export function requestHandler(ctx: any) {
            const seen = typeof (globalThis as any).mark + typeof (Object.prototype as any).x;
            (globalThis as any).mark = 1; (Object.prototype as any).x = 1; return seen;
         }",
    );
    let exchange = Rc::new(TestExchange::default());
    let (mut one, mut two) = (bench.lease(&exchange), bench.lease(&exchange));
    for lease in [&mut one, &mut two] {
        let answer = drive(&bench.host, lease.call(Function::RequestHandler));
        assert_eq!(answer, Ok(Answer::Text("undefinedundefined".into())));
    }
}

#[test]
fn a_prototype_that_was_polluted_does_not_reach_parsed_objects() {
    for (statements, expected) in [
        (
            "(Object.prototype as any).id = 'evil'; (Object.prototype as any).q = 'evil'; return '' + (ctx.pathParams() as any).q + ctx.get('q')",
            "undefinedundefined",
        ),
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

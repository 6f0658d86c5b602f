//! A context that is given back between two functions of a request: only where nobody can tell, and with all that
//! `ctx.set` was given. What another request finds there is what it finds in any context.

use std::rc::Rc;

use tidegate_js::{Answer, Function, Lease};

use crate::harness::{Bench, TestExchange, drive, ts};

/// A module of two functions; `top` stands before them.
fn two(top: &str, first: &str, second: &str) -> Bench {
    Bench::ts(&format!(
        "{top}
         export async function requestModifier(ctx: any) {{ {first} }}
         export async function responseModifier(ctx: any) {{ {second} }}"
    ))
}

/// Runs the first function, then lets the context rest if it can.
fn begun(bench: &Bench, exchange: &Rc<TestExchange>) -> Result<tidegate_js::Kept, Lease> {
    let mut lease = bench.lease(exchange);
    drive(&bench.host, lease.call(Function::RequestModifier)).expect("it works");
    lease.rest()
}

#[test]
fn what_leaves_nothing_behind_rests() {
    for (first, second) in [
        ("ctx.request().headers.set('x', '1')", "return ctx.request().headers.get('x')"),
        ("await ctx.request().readBody(); ctx.request().path = '/1'", "return ctx.request().path.slice(1)"),
        ("ctx.set('n', 1)", "return String(ctx.get('n'))"),
        ("ctx.response().headers.set('x', '1')", "return ctx.response().headers.get('x')"),
        (
            "ctx.request().headers.set('x', '1')",
            "ctx.upstream().headers.set('y', ctx.request().headers.get('x')); return ctx.upstream().headers.get('y')",
        ),
        ("ctx.set('n', 'no'); ctx.set('n', '1')", "return ctx.get('n')"),
        ("ctx.set('__proto__', '1')", "return ctx.get('__proto__')"),
        (
            "ctx.set('a', null); ctx.set('b', true); ctx.set('c', -1.5)",
            "return ctx.get('a') === null && ctx.get('b') === true && ctx.get('c') === -1.5 ? '1' : 'other'",
        ),
        ("ctx.set('\\ud800', '\\ud800')", "return ctx.get('\\ud800') === '\\ud800' ? '1' : 'other'"),
        ("if (ctx.pathParam('id') !== '77') throw 1", "return ctx.pathParam('id') === '77' ? '1' : 'other'"),
        ("await new Promise((done: any) => setTimeout(done, 5))", "return '1'"),
        ("const t = setTimeout(() => {}, 5000); clearTimeout(t)", "return '1'"),
        ("console.log('a')", "return '1'"),
        ("ctx.set('n', 1); return new URL('http://a/').href", "ctx.set('m', 0); return String(ctx.get('n'))"),
    ] {
        let bench = two("", first, second);
        let exchange = Rc::new(TestExchange::default());
        let kept = begun(&bench, &exchange).unwrap_or_else(|_| panic!("it stays: {first}"));
        assert_eq!(bench.runtime.stats().leased, 0, "{first}");
        // Others come and go meanwhile, in the same context.
        let other = Rc::new(TestExchange::default());
        drop(begun(&bench, &other));
        let mut lease = bench.lease(&exchange);
        lease.resume(kept);
        let answer = drive(&bench.host, lease.call(Function::ResponseModifier));
        assert_eq!(answer, Ok(Answer::Text("1".into())), "{first}");
        assert_eq!(bench.runtime.stats().contexts_made, 1, "{first}");
    }
}

#[test]
fn what_only_this_context_has_stays_in_it() {
    for (top, first, second) in [
        ("let n = 0;", "n = 1", "return String(n)"),
        ("const seen = new WeakMap();", "seen.set(ctx, '1')", "return seen.get(ctx)"),
        ("", "ctx.mark = '1'", "return ctx.mark"),
        ("", "ctx.request().mark = '1'", "return ctx.request().mark"),
        ("", "ctx.request().headers.mark = '1'", "return ctx.request().headers.mark"),
        ("", "ctx.query().mark = '1'", "return ctx.query().mark"),
        ("", "Object.setPrototypeOf(ctx, { mark: '1', __proto__: ctx.__proto__ })", "return ctx.mark"),
        ("", "ctx.response().locals.mark = '1'", "return ctx.response().locals.mark"),
        ("", "ctx.response().mark = '1'", "return ctx.response().mark"),
        (
            "",
            "ctx.response().headers[Symbol.for('m')] = '1'",
            "return ctx.response().headers[Symbol.for('m')]",
        ),
        ("", "ctx.set('m', new Map([['a', '1']]))", "return ctx.get('m').get('a')"),
        ("", "ctx.set('f', () => '1')", "return ctx.get('f')()"),
        ("", "ctx.set('n', NaN)", "return isNaN(ctx.get('n')) ? '1' : 'other'"),
        ("", "ctx.set('n', -0)", "return Object.is(ctx.get('n'), -0) ? '1' : 'other'"),
        ("", "ctx.set('n', 1n)", "return String(ctx.get('n'))"),
        ("", "ctx.set(Symbol.iterator, '1')", "return ctx.get(Symbol.iterator)"),
        ("", "ctx.pathParams().mark = '1'", "return ctx.pathParams().mark"),
        ("", "ctx.route().mark = '1'", "return ctx.route().mark"),
        ("", "console.time('t')", "console.timeEnd('t'); return '1'"),
        ("", "console.group('t')", "return '1'"),
        ("", "console.count('t')", "return '1'"),
        ("", "setTimeout(() => console.log('late'), 5000)", "return '1'"),
        ("", "fetch('http://a/').catch(() => {})", "return '1'"),
        ("", "const body = ctx.request().body", "return '1'"),
        ("", "new Response('a').body; ctx.request().writeBody(new Response('b').body)", "return '1'"),
        ("", "requestModifier.mark = '1'", "return requestModifier.mark"),
    ] {
        let bench = two(top, first, second);
        let exchange = Rc::new(TestExchange::default());
        let Err(mut lease) = begun(&bench, &exchange) else { panic!("it was given back: {first}") };
        assert_eq!(bench.runtime.stats().leased, 1, "{first}");
        let answer = drive(&bench.host, lease.call(Function::ResponseModifier));
        assert_eq!(answer, Ok(Answer::Text("1".into())), "{top} {first}");
    }
}

#[test]
fn one_module_that_remembers_keeps_the_whole_graph() {
    let entry = ts("m", "import { up } from './lib'; export function requestModifier() { up() }");
    for (library, rests) in
        [("export const up = () => {}", true), ("let n = 0; export const up = () => n++", false)]
    {
        let bench = Bench::of(&[entry.clone(), ts("lib", library)], tidegate_js::Limits::default());
        assert_eq!(begun(&bench, &Rc::default()).is_ok(), rests, "{library}");
    }
}

#[test]
fn a_rested_request_is_over_for_what_still_holds_its_objects() {
    // The engine's own callbacks are the only way to hold on: nothing is in flight, so that nothing of it ever runs.
    let bench =
        two("", "Promise.resolve().then(() => ctx.request().headers.set('x', 'late'))", "return ctx.id");
    let (exchange, other) = (Rc::new(TestExchange::default()), Rc::new(TestExchange::default()));
    let kept = begun(&bench, &exchange).unwrap_or_else(|_| panic!("it stays"));
    assert_eq!(exchange.field(tidegate_js::Side::Request, "x").as_deref(), Some("late"));
    let mut lease = bench.lease(&other);
    assert_eq!(other.field(tidegate_js::Side::Request, "x"), None);
    drive(&bench.host, lease.call(Function::RequestModifier)).expect("it works");
    let mut again = bench.lease(&exchange);
    again.resume(kept);
    assert_eq!(drive(&bench.host, again.call(Function::ResponseModifier)), Ok(Answer::Text("ex1".into())));
    assert_eq!(bench.runtime.stats().contexts_made, 2, "both were held at once");
}

#[test]
fn functions_have_no_this() {
    let bench = Bench::js("export function requestHandler() { return typeof this }");
    assert_eq!(bench.handle().1, Ok(Answer::Text("undefined".into())));
}

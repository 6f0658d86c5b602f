//! Every limit fires, ends its call and nothing else.

use std::rc::Rc;
use std::time::{Duration, Instant};

use tidegate_js::{Answer, Cause, ErrorInfo, Function, Limits};

use crate::harness::{Bench, TestExchange, drive, ts};

fn limits() -> Limits {
    Limits { memory_bytes: 8 << 20, pending: 4, timers: 3, contexts: 3, ..Limits::default() }
}

/// Calls `requestHandler` made of the statements while a neighbour holds a context, and checks that the neighbour
/// and later calls go on.
fn check(statements: &str, cause: Cause) {
    let source = format!(
        "export async function requestModifier(ctx: any) {{ await ctx.request().readBody(); return 'alive' }}
         export const errorHandler = () => 'handled';
         export const fetchUpstream = () => 'fine';
         export function requestHandler(ctx: any) {{ {statements} }}"
    );
    // The tests run on busy machines: only where CPU time is meant may it be short.
    let cpu_ms = if cause == Cause::CpuTime { 10 } else { 5_000 };
    let bench = Bench::of(&[ts("m", &source)], Limits { cpu_ms, ..limits() });
    let (exchange, waiting) = (Rc::new(TestExchange::default()), Rc::new(TestExchange::default()));
    waiting.body_stalls.set(true);
    let mut neighbour = bench.lease(&waiting);
    let mut slow = Box::pin(neighbour.call(Function::RequestModifier));
    assert!(crate::harness::poll(&mut slow).is_pending());

    let mut lease = bench.lease(&exchange);
    let started = Instant::now();
    let failure = drive(&bench.host, lease.call(Function::RequestHandler)).expect_err(statements);
    assert_eq!(failure.cause, cause, "{statements}: {failure} {}", failure.stack);
    assert!(started.elapsed() < Duration::from_secs(5), "{statements}: {:?}", started.elapsed());
    let handled = drive(&bench.host, lease.call_error_handler(&ErrorInfo::from(&failure)));
    assert_eq!(handled, Ok(Answer::Text("handled".into())), "{statements}");
    drop(lease);

    waiting.body_stalls.set(false);
    assert_eq!(drive(&bench.host, slow), Ok(Answer::Text("alive".into())), "{statements}");
    drop(neighbour);
    assert_eq!(
        bench.call(&exchange, Function::FetchUpstream),
        Ok(Answer::Text("fine".into())),
        "{statements}"
    );
    let stats = bench.runtime.stats();
    assert_eq!((stats.failed(cause), stats.leased, stats.calls), (1, 0, 4), "{statements}");
    assert!(stats.memory_bytes < 4 << 20, "{statements}: {}", stats.memory_bytes);
}

#[test]
fn cpu_time() {
    for statements in [
        "for (;;) {}",
        "while (true) { try { for (;;) {} } catch { } finally { continue } }",
        "try { for (;;) {} } finally { for (;;) {} }",
        "return (async () => { await null; for (;;) {} })()",
        "return (async () => { try { await (async () => { for (;;) {} })() } catch {} return 'caught' })()",
        "const again = () => { Promise.resolve().then(again) }; again()",
        "const fork = () => { Promise.resolve().then(fork); Promise.resolve().then(fork) }; fork(); return new Promise(() => {})",
        "return new Promise(() => { queueMicrotask(() => { for (;;) {} }) })",
        "/^(a+)+$/.test('a'.repeat(40) + 'b')",
        "/(x+x+)+y/.exec('x'.repeat(200))",
        "const a = []; for (let i = 0; i < 1e5; i++) a.push(i); a.sort((x, y) => { let s = 0; for (let i = 0; i < 50; i++) s += i; return x - y })",
        "for (;;) JSON.parse('[' + '1,'.repeat(1000) + '1]')",
        "for (;;) new Array(1000).fill(0)",
        "for (;;) 'x'.repeat(10000)",
        "class A { static { for (;;) {} } }",
        "const o: any = {}; Object.defineProperty(o, 'x', { get() { for (;;) {} } }); o.x",
        "throw { toString() { for (;;) {} } }",
        "throw Object.defineProperty(new Error(), 'message', { get() { for (;;) {} } })",
        "function* g() { for (;;) yield 1 } for (const x of g()) {}",
        "const p = new Proxy({}, { get(t: any, k: any, r: any) { return r[k + 1] } }); for (;;) { try { (p as any).x } catch {} }",
        "return (async () => { for (;;) await ctx.request().readBody() })()",
    ] {
        check(statements, Cause::CpuTime);
    }
}

#[test]
fn builtins_that_cannot_be_interrupted_refuse_sizes_that_would_stall_the_shard() {
    for statements in [
        "Array(1e9).sort()",
        "Array(1e9).splice(5, 10)",
        "Array(1e9).shift()",
        "Array(1e9).unshift(1)",
        "Array(1e9).slice()",
        "Array(1e9).reverse()",
        "Array(1e9).join()",
        "Array(1e9).toString()",
        "'' + [Array(1e9)]",
        "Array(1e9).toLocaleString()",
        "Array(1e9).copyWithin(0, 5)",
        "Array(1e9).concat([1])",
        "[].concat(Array(1e9) as any)",
        "Array.prototype.reverse.call({ length: 2 ** 52 })",
        "'a'.repeat(1e6).indexOf('a'.repeat(5e5) + 'b')",
        "'a'.repeat(1e6).includes('a'.repeat(5e5) + 'b')",
        "'a'.repeat(1e6).split('a'.repeat(5e5) + 'b')",
        "'a'.repeat(1e6).replaceAll('a'.repeat(5e5) + 'b', '')",
    ] {
        check(&format!("{statements}; "), Cause::Thrown);
    }
    for statements in [
        "[Array(1e9)].flat()",
        "[1].flatMap(() => Array(1e9))",
        "String.raw({ raw: { length: 1e9 } } as any)",
    ] {
        check(statements, Cause::CpuTime);
    }
    for (expression, expected) in [
        ("[3, 1, 2].sort().reverse().join('-') + [1, [2, [3, [4]]]].flat(2).length", "3-2-14"),
        ("[1, 2].flatMap((x, i) => [x, i]).concat([9], 8).slice(1).join()", "0,2,1,9,8"),
        (
            "'a-b-c'.split('-').length + 'abc'.indexOf('c') + 'aXbX'.replaceAll('X', '$&y') + 'ab'.replace(/b/, 'c')",
            "5aXybXyac",
        ),
        (
            "String.raw`a\\n${1}b` + [].concat.name + [].slice.length + ('x' as any).includes('x')",
            "a\\n1bconcat1true",
        ),
        (
            "[, 1].flat().length + JSON.stringify([1, 2, 3].splice(1, 1)) + [[]].flat(Infinity).length",
            "1[2]0",
        ),
    ] {
        assert_eq!(crate::harness::eval(&format!("return {expression}")), expected, "{expression}");
    }
}

#[test]
fn memory() {
    for statements in [
        "const a = []; for (;;) a.push(new ArrayBuffer(100000))",
        "const a = []; for (;;) a.push('x'.repeat(1000) + a.length + 'é€')",
        "new Uint8Array(64 << 20)",
        "let o: any = {}; for (;;) o = { o, x: new Array(1000) }",
        "return (async () => { await null; return new Array(1e7).fill(1) })()",
    ] {
        check(statements, Cause::Memory);
    }
}

#[test]
fn stack() {
    for statements in [
        "const f = () => f() + 1; f()",
        "JSON.parse('['.repeat(1e5))",
        "return (async () => { await null; const f = (): any => { f() }; f() })()",
    ] {
        check(statements, Cause::Stack);
    }
}

#[test]
fn a_caught_overflow_is_the_modules_own_business() {
    let bench = Bench::ts(
        "export function requestHandler() { const f = () => { f() }; try { f() } catch (e) { return e.name } }",
    );
    assert_eq!(bench.handle().1, Ok(Answer::Text("RangeError".into())));
}

#[test]
fn pending() {
    for statements in [
        "for (;;) ctx.request().readBody().catch((e: any) => { throw e }); ",
        "return Promise.all([1, 2, 3, 4, 5].map(() => ctx.request().readBody()))",
        "return new Promise(() => {})",
        "return (async () => { await new Promise(() => {}) })()",
    ] {
        let cause = if statements.starts_with("for") { Cause::CpuTime } else { Cause::Pending };
        check(statements, cause);
    }
}

#[test]
fn timers() {
    check("for (let i = 0; i < 9; i++) setTimeout(() => {}, 10)", Cause::Timers);
    check("return (async () => { for (;;) setInterval(() => {}, 10) })()", Cause::Timers);
}

#[test]
fn contexts() {
    let bench = Bench::of(&[ts("m", "export const requestHandler = () => 'x'")], limits());
    let exchange = Rc::new(TestExchange::default());
    let leases: Vec<_> = (0..3).map(|_| bench.lease(&exchange)).collect();
    let refused = bench.runtime.lease(exchange.clone()).err().expect("the pool is at its bound");
    assert_eq!(refused.cause, Cause::Contexts);
    assert_eq!(bench.runtime.stats().failed(Cause::Contexts), 1);
    drop(leases);
    assert_eq!(bench.handle().1, Ok(Answer::Text("x".into())));
    assert_eq!(bench.runtime.stats().contexts, 3);
}

#[test]
fn cpu_time_adds_up_over_the_slices_of_a_call() {
    let bench = Bench::ts(
        "import { sleep } from 'dgate';
         export async function requestHandler() {
            for (let i = 0; i < 1000; i++) { let s = 0; for (let j = 0; j < 20000; j++) s += j; await sleep(0.001) }
         }",
    );
    assert_eq!(bench.handle().1.unwrap_err().cause, Cause::CpuTime);
}

#[test]
fn a_thousand_leases_do_not_grow_the_heap() {
    let bench = Bench::ts(
        "export async function requestHandler(ctx: any) {
            ctx.set('big', 'x'.repeat(1000)); const b = await ctx.request().readJson();
            ctx.response().status(200).cookie('a', 'b').json({ b, h: ctx.request().headers });
         }",
    );
    for _ in 0..50 {
        bench.handle().1.unwrap();
    }
    let before = bench.runtime.stats();
    for _ in 0..1_000 {
        bench.handle().1.unwrap();
    }
    let after = bench.runtime.stats();
    assert_eq!((after.contexts, after.contexts_made), (1, 1));
    // Garbage waits for the collector, so the sizes move by less than its threshold.
    assert!(
        after.memory_bytes < before.memory_bytes + (300 << 10),
        "{} → {}",
        before.memory_bytes,
        after.memory_bytes
    );
}

/// A module that spins again and again gets less and less of the core; its good calls go on for as long as they can.
#[test]
fn a_module_that_always_spins_is_held_back() {
    let bench = Bench::ts(
        "export function requestHandler() { for (;;) {} }  export const fetchUpstream = () => 'fine';",
    );
    let exchange = Rc::new(TestExchange::default());
    assert_eq!(bench.call(&exchange, Function::FetchUpstream), Ok(Answer::Text("fine".into())));
    let before = bench.runtime.stats().cpu_ns;
    let mut refused = 0;
    for _ in 0..200 {
        match bench.runtime.lease(exchange.clone()) {
            Ok(mut lease) => {
                let failure = drive(&bench.host, lease.call(Function::RequestHandler)).expect_err("it spins");
                assert_eq!(failure.cause, Cause::CpuTime);
            }
            Err(failure) => {
                assert_eq!(failure.cause, Cause::CpuTime, "{failure}");
                refused += 1;
            }
        }
    }
    let spent_ms = (bench.runtime.stats().cpu_ns - before) / 1_000_000;
    assert!(refused > 0 && spent_ms < 200, "{refused} refused, {spent_ms} ms spent");
}

#[test]
fn contexts_that_die_leave_nothing_behind() {
    let bench = Bench::ts(
        "const keep: any[] = []; export function requestHandler() { for (;;) keep.push(new ArrayBuffer(1 << 20)); }",
    );
    for _ in 0..40 {
        assert_eq!(bench.handle().1.unwrap_err().cause, Cause::Memory);
    }
    assert!(bench.runtime.stats().memory_bytes < 3 << 20, "{}", bench.runtime.stats().memory_bytes);
}

/// What the first context of a runtime kept at module level is free again as well.
#[test]
fn memory_returns_after_every_bomb() {
    for bomb in [
        "for (;;) keep.push(new ArrayBuffer(1 << 18));",
        "for (;;) keep.push('x'.repeat(1 << 18));",
        "for (;;) keep.push({});",
        "for (;;) keep.push([1, 2, 3, 4]);",
        "for (;;) keep.push(() => 1);",
        "for (;;) keep.push(new Map([[1, 2]]));",
        "for (;;) keep.push(Promise.resolve(1));",
        "for (;;) keep.push(new Error('x'));",
        "for (;;) keep.push(ctx.request().headers.entries());",
    ] {
        let source = format!("const keep: any[] = []; export function requestHandler(ctx: any) {{ {bomb} }}");
        let limits = Limits { cpu_ms: 20_000, memory_bytes: 4 << 20, ..Limits::default() };
        let bench = Bench::of(&[ts("m", &source)], limits);
        for _ in 0..2 {
            assert_eq!(bench.handle().1.unwrap_err().cause, Cause::Memory, "{bomb}");
            let left = bench.runtime.stats().memory_bytes;
            assert!(left < 1 << 20, "{bomb}: {left}");
        }
    }
}

//! Async calls: what drives them, what cancels them, and two at a time.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Waker};

use tidegate_js::{Answer, Cause, Function};

use crate::harness::{Bench, TestExchange, Wakes, drive, eval, poll};

#[test]
fn two_leases_await_at_the_same_time() {
    let bench = Bench::ts(
        "import { sleep } from 'dgate'; let inside = 0;
         export async function requestHandler(ctx: any) {
            inside++; const ms = Number(ctx.request().headers.get('ms'));
            for (let i = 0; i < 3; i++) await sleep(ms / 1000);
            return ctx.id + ':' + performance.now() + ':' + inside;
         }",
    );
    let exchange = |id: &str, ms: &str| {
        let x = TestExchange { id: id.into(), ..TestExchange::default() };
        x.fields.borrow_mut()[0].push(("ms".into(), ms.into()));
        Rc::new(x)
    };
    let (mut one, mut two) = (bench.lease(&exchange("a", "10")), bench.lease(&exchange("b", "15")));
    let mut calls =
        [Box::pin(one.call(Function::RequestHandler)), Box::pin(two.call(Function::RequestHandler))];
    let mut answers = Vec::new();
    for _ in 0..100 {
        for (i, call) in calls.iter_mut().enumerate() {
            if !answers.iter().any(|(n, _)| *n == i)
                && let Poll::Ready(answer) = poll(call)
            {
                answers.push((i, answer));
            }
        }
        if answers.len() == 2 {
            break;
        }
        bench.host.0.advance(5);
    }
    let text = |s: &str| Ok(Answer::Text(s.into()));
    assert_eq!(answers, [(0, text("a:30:1")), (1, text("b:45:1"))]);
}

#[test]
fn nothing_is_polled_without_a_wake() {
    let bench = Bench::ts(
        "import { sleep } from 'dgate'; export const requestHandler = async () => { await sleep('30ms'); return 'up' }",
    );
    let exchange = Rc::new(TestExchange::default());
    let mut lease = bench.lease(&exchange);
    let mut call = Box::pin(lease.call(Function::RequestHandler));
    let wakes = Arc::new(Wakes::default());
    let waker = Waker::from(wakes.clone());
    let mut cx = Context::from_waker(&waker);
    assert!(call.as_mut().poll(&mut cx).is_pending());
    bench.host.0.advance(29);
    assert_eq!(wakes.0.load(Ordering::Relaxed), 0);
    bench.host.0.advance(1);
    assert_eq!(wakes.0.load(Ordering::Relaxed), 1);
    assert_eq!(call.as_mut().poll(&mut cx), Poll::Ready(Ok(Answer::Text("up".into()))));
    assert_eq!(wakes.0.load(Ordering::Relaxed), 1);
}

#[test]
fn dropping_a_call_cancels_it_and_the_context_is_not_used_again() {
    let bench = Bench::ts(
        "let busy = false;
         export async function requestHandler(ctx: any) {
            if (busy) return 'half a call was left behind'; busy = true;
            await ctx.request().readBody(); busy = false; return 'clean';
         }",
    );
    let stalled = Rc::new(TestExchange::default());
    stalled.body_stalls.set(true);
    let mut lease = bench.lease(&stalled);
    let mut call = Box::pin(lease.call(Function::RequestHandler));
    assert!(poll(&mut call).is_pending());
    drop(call);
    drop(lease);
    assert_eq!(bench.runtime.stats().contexts, 0);
    assert_eq!(bench.handle().1, Ok(Answer::Text("clean".into())));
    assert_eq!(bench.runtime.stats().contexts_made, 2);
}

#[test]
fn operations_outlive_the_call_but_not_the_lease() {
    let bench = Bench::ts(
        "export function requestModifier(ctx: any) { ctx.set('body', ctx.request().readBody()); setTimeout(() => console.log('late'), 1000) }
         export async function responseModifier(ctx: any) { return '' + (await ctx.get('body')).byteLength }",
    );
    let exchange = Rc::new(TestExchange::default());
    let mut lease = bench.lease(&exchange);
    assert_eq!(drive(&bench.host, lease.call(Function::RequestModifier)), Ok(Answer::Nothing));
    assert_eq!(drive(&bench.host, lease.call(Function::ResponseModifier)), Ok(Answer::Text("7".into())));
    drop(lease);
    bench.host.0.advance(5_000);
    bench.call(&exchange, Function::RequestModifier).unwrap();
    assert!(bench.host.0.texts().is_empty());
    assert_eq!(bench.runtime.stats().contexts_made, 1, "unfinished operations do not cost the context");
}

#[test]
fn timers_run() {
    for (statements, expected) in [
        ("return await new Promise((r: any) => setTimeout((a: any, b: any) => r(a + b), 5, 'x', 'y'))", "xy"),
        (
            "let n = 0; return await new Promise((r: any) => { const i = setInterval(() => { if (++n === 3) { clearInterval(i); r('' + n + ':' + performance.now()) } }, 10) })",
            "3:30",
        ),
        (
            "let s = 'kept'; const t = setTimeout(() => { s = 'fired' }, 1); clearTimeout(t); await dgate.sleep('5ms'); return s",
            "kept",
        ),
        (
            "const o: string[] = []; setTimeout(() => o.push('timer')); queueMicrotask(() => o.push('micro')); o.push('sync'); await dgate.sleep(0.01); return o.join()",
            "sync,micro,timer",
        ),
        (
            "const t0 = performance.now(); await dgate.asyncSleep('1s500ms'); return '' + (performance.now() - t0)",
            "1500",
        ),
        ("const d0 = Date.now(); await dgate.sleep(2); return '' + (Date.now() - d0)", "2000"),
        ("try { setTimeout('x') } catch (e) { return e.message }", "a timer needs a function"),
        ("try { dgate.sleep('soon') } catch (e) { return e.message }", "sleep(): 'soon' is no duration"),
        (
            "return await dgate.retry(3, async (i: number) => { if (i < 2) throw new Error('no'); return 'try' + i })",
            "try2",
        ),
        ("return dgate.retry(3, (i: number) => i && 'try' + i)", "try1"),
        (
            "try { dgate.retry(2, () => { throw new Error('always') }) } catch (e) { return e.message }",
            "always",
        ),
        ("try { dgate.fail('because') } catch (e) { return e.message }", "because"),
    ] {
        assert_eq!(eval(statements), expected, "{statements}");
    }
}

#[test]
fn an_error_in_a_timer_is_reported_and_not_the_calls() {
    let bench = Bench::ts(
        "import { sleep } from 'dgate';\nexport async function requestHandler() {\n  setTimeout(() => { throw new Error('tick') }, 1);\n  await sleep('9ms'); return 'on' }",
    );
    assert_eq!(bench.handle().1, Ok(Answer::Text("on".into())));
    let texts = bench.host.0.texts();
    assert!(texts[0].starts_with("uncaught in a timer: Error: tick at <anonymous> (m.ts:3:"), "{texts:?}");
}

#[test]
fn a_refused_operation_rejects() {
    let bench = Bench::ts(
        "export async function requestHandler(ctx: any) { try { await ctx.request().readBody() } catch (e) { return e.message + (e instanceof Error) } }",
    );
    let exchange = Rc::new(TestExchange::default());
    exchange.bodies.borrow_mut()[0].clear();
    assert_eq!(
        bench.call(&exchange, Function::RequestHandler),
        Ok(Answer::Text("the body is too largetrue".into()))
    );
}

#[test]
fn a_promise_that_can_never_settle_is_an_error_and_not_a_hang() {
    let bench = Bench::ts("export const requestHandler = () => new Promise(() => {})");
    let failure = bench.handle().1.unwrap_err();
    assert_eq!(failure.cause, Cause::Pending);
    assert!(failure.message.contains("never settle"), "{failure}");
}

#[test]
#[should_panic(expected = "the host fell over")]
fn a_panic_of_the_host_comes_out_at_the_call() {
    let bench = Bench::ts(
        "export function requestHandler(ctx: any) { try { ctx.request().headers.set('panic', '1') } catch {} }",
    );
    let _ = bench.handle();
}

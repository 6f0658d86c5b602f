//! What can be seen of modules from outside: which module spoke on the console, and what its calls came to.

use std::rc::Rc;

use tidegate_js::{Function, Limits};

use crate::harness::{Bench, TestExchange, drive, poll, ts};

#[test]
fn console_lines_carry_the_module_that_wrote_them() {
    let deep =
        "export const f = () => console.log('deep'); export const g = (t: any) => t.forEach(console.log);
        console.info('booted');";
    let top = "import { f, g } from './deep'; import * as other from './other';
        export async function requestHandler(ctx: any) { f(); g([1]); console.error('top'); console.trace('t');
            console.assert(false); await null; other.late(); }";
    let late = "export const late = () => console.warn('late');";
    let bench = Bench::of(&[ts("top", top), ts("deep", deep), ts("other", late)], Limits::default());
    bench.handle().1.expect("a call");
    let speakers = bench.host.0.speakers.borrow();
    // What the engine's own code calls has no module of its own: it is the entry's.
    assert_eq!(*speakers, ["deep", "deep", "top", "top", "top", "top", "other"]);
}

/// Function, outcomes, CPU sum, wall sum and count of everything since the last time.
fn taken(bench: &Bench) -> Vec<(Function, Vec<(&'static str, u64)>, u64, u64, u64)> {
    let mut all = Vec::new();
    bench.runtime.take_calls(&mut |function, calls| {
        let outcomes = calls.outcomes().map(|(outcome, count)| (outcome.name(), count)).collect();
        assert_eq!(calls.cpu.count(), calls.wall.count());
        all.push((function, outcomes, calls.cpu.sum_ns(), calls.wall.sum_ns(), calls.wall.count()));
    });
    all
}

#[test]
fn calls_are_counted_by_function_and_outcome_with_their_times() {
    let bench = Bench::of(
        &[ts(
            "m",
            "let n = 0;
            export function requestHandler() { if (n++ === 1) throw new Error('second'); }
            export async function requestModifier(ctx: any) { await ctx.request().readBody(); }
            export const responseModifier = () => { for (;;); };",
        )],
        Limits { cpu_ms: 20, ..Limits::default() },
    );
    for _ in 0..3 {
        let _ = bench.handle();
    }
    let exchange = Rc::new(TestExchange::default());
    drive(&bench.host, bench.lease(&exchange).call(Function::ResponseModifier)).expect_err("it spins");
    let waiting = Rc::new(TestExchange::default());
    waiting.body_stalls.set(true);
    let mut lease = bench.lease(&waiting);
    let mut call = Box::pin(lease.call(Function::RequestModifier));
    assert!(poll(&mut call).is_pending());
    assert!(
        taken(&bench).iter().all(|(function, ..)| *function != Function::RequestModifier),
        "not at its end"
    );
    std::thread::sleep(std::time::Duration::from_millis(5));
    drop(call);
    let cancelled = taken(&bench);
    let (function, outcomes, cpu, wall, _) = &cancelled[0];
    assert_eq!((*function, outcomes.as_slice()), (Function::RequestModifier, &[("cancelled", 1)][..]));
    assert!(*wall >= 5_000_000 && cpu < wall, "waiting is no CPU time: {cpu} of {wall}");
    assert_eq!(cancelled.len(), 1);

    // A context died above; making the next one costs time that is no call's.
    let _ = (bench.handle(), taken(&bench));
    let before = bench.runtime.stats().cpu_ns;
    for _ in 0..3 {
        let _ = bench.handle();
    }
    let again = taken(&bench);
    assert_eq!((again.len(), again[0].0, again[0].4), (1, Function::RequestHandler, 3));
    assert_eq!(again[0].2, bench.runtime.stats().cpu_ns - before, "the histogram's sum is the counter's");
    assert_eq!(taken(&bench), []);
}

#[test]
fn failures_are_counted_by_cause() {
    let bench = Bench::ts(
        "let n = 0; export function requestHandler() { if (n++ === 1) throw new Error('second'); }
         export const responseModifier = () => { for (;;); };",
    );
    for _ in 0..3 {
        let _ = bench.handle();
    }
    let exchange = Rc::new(TestExchange::default());
    drive(&bench.host, bench.lease(&exchange).call(Function::ResponseModifier)).expect_err("it spins");
    let taken = taken(&bench);
    assert_eq!((taken[0].0, &taken[0].1[..]), (Function::ResponseModifier, &[("cpu_time", 1)][..]));
    assert!(taken[0].2 >= 10_000_000, "the budget was used: {taken:?}");
    assert_eq!((taken[1].0, &taken[1].1[..]), (Function::RequestHandler, &[("ok", 2), ("thrown", 1)][..]));
}

//! What a module exports to be run by itself: its forms, what is wrong with others, and what a run is told.

use std::rc::Rc;

use tidegate_js::{
    Answer, Cause, Compiled, Examined, Failure, Function, Grants, JobRun, Limits, NoRequest, Per,
    examine_graph,
};

use crate::harness::{Bench, TestExchange, drive, js, ts};

fn examine(source: &str) -> Result<Examined, String> {
    let compiled = ts("m", source);
    examine_graph(&[compiled.code()], &Grants::all())
        .map_err(|all| all.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
}

fn run_of(id: &str) -> JobRun {
    JobRun { id: id.into(), scheduled_at_ms: 1_700_000_060_000.0 }
}

fn run(bench: &Bench, index: usize) -> Result<Answer, Failure> {
    let exchange = Rc::new(NoRequest { id: "run-1".into() });
    let mut lease = bench.runtime.lease(exchange).expect("a context");
    drive(&bench.host, lease.call_job(index, run_of("run-1")))
}

#[test]
fn the_forms_of_a_job() {
    for (source, expected) in [
        (
            "export const scheduled = { cron: '@every 1m', run() {} }",
            vec![("scheduled", "@every 1m", None, Per::Node)],
        ),
        (
            "export const scheduled = [{ cron: '@daily', per: 'cluster', run: async () => {} },
                { cron: '0 3 * * 1', timezone: 'Europe/Berlin', per: 'node', run: (event: any) => event }]",
            vec![
                ("scheduled[0]", "@daily", None, Per::Cluster),
                ("scheduled[1]", "0 3 * * 1", Some("Europe/Berlin"), Per::Node),
            ],
        ),
        (
            "export const schedule = '@daily'; export async function scheduled(event: any) {}",
            vec![("schedule", "@daily", None, Per::Node)],
        ),
        (
            "export default { schedule: '@hourly', scheduled() {} }",
            vec![("schedule", "@hourly", None, Per::Node)],
        ),
        (
            "export default { scheduled: { cron: '@hourly', run() {} } }",
            vec![("scheduled", "@hourly", None, Per::Node)],
        ),
        ("export const scheduled = []", vec![]),
        ("export const schedule = 5", vec![]),
        // Not exported: a helper.
        ("function scheduled() {}\nexport function requestHandler() {}", vec![]),
    ] {
        let examined = examine(source).unwrap_or_else(|why| panic!("{source}: {why}"));
        let found: Vec<_> = examined
            .jobs
            .iter()
            .map(|job| (job.path.as_str(), job.cron.as_str(), job.timezone.as_deref(), job.per))
            .collect();
        assert_eq!(found, expected, "{source}");
        assert_eq!(examined.functions.has(Function::Scheduled), !expected.is_empty(), "{source}");
    }
}

#[test]
fn jobs_behind_a_re_export_count() {
    let inner = js("inner", "export const scheduled = { cron: '@daily', run() {} }");
    let graph: Vec<_> = [js("m", "export * from './inner'"), inner].iter().map(Compiled::code).collect();
    assert_eq!(examine_graph(&graph, &Grants::all()).expect("fine").jobs.len(), 1);
    // What an imported module exports is its own business.
    let inner = js("inner", "export const scheduled = { cron: '@daily', run() {} }");
    let graph: Vec<_> = [js("m", "import './inner'"), inner].iter().map(Compiled::code).collect();
    assert_eq!(examine_graph(&graph, &Grants::all()).expect("fine").jobs.len(), 0);
}

#[test]
fn other_forms_are_refused_with_their_place() {
    for (source, place, why) in [
        ("export const scheduled = 5", "m.ts:1:1: ", "scheduled must be an object like"),
        (
            "\n\nexport const scheduled = { cron: 5, run() {} }",
            "m.ts:3:1: ",
            "scheduled.cron must be a string",
        ),
        ("export const scheduled = { run() {} }", "m.ts:1:1: ", "scheduled.cron must be a string"),
        ("export const scheduled = { cron: '@daily' }", "m.ts:1:1: ", "scheduled.run must be a function"),
        (
            "export const scheduled = { cron: '@daily', per: 'shard', run() {} }",
            "m.ts",
            "scheduled.per must be 'node' or 'cluster'",
        ),
        (
            "export const scheduled = { cron: '@daily', per: null, run() {} }",
            "m.ts",
            "scheduled.per must be 'node' or 'cluster'",
        ),
        (
            "export const scheduled = { cron: '@daily', timezone: 1, run() {} }",
            "m.ts",
            "scheduled.timezone must be a string",
        ),
        (
            "export const scheduled = { cron: '@daily', every: 1, run() {} }",
            "m.ts",
            "scheduled.every is unknown",
        ),
        (
            "export const scheduled = [{ cron: '@daily', run() {} }, null]",
            "m.ts",
            "scheduled[1] must be an object",
        ),
        ("export const scheduled = Array(17).fill({ cron: '@daily', run() {} })", "m.ts", "17 jobs"),
        ("export const scheduled = { cron: '@'.repeat(300), run() {} }", "m.ts", "300 bytes"),
        ("export function scheduled() {}", "m.ts:1:1: ", "schedule must be exported beside it"),
        (
            "export const x = 1;\nexport const scheduled = { get cron() { throw new Error('no') }, run() {} }",
            "m.ts:2:",
            "no",
        ),
    ] {
        let told = examine(source).err().unwrap_or_else(|| panic!("{source}: it was taken"));
        assert!(told.starts_with(place) && told.contains(why), "{source}: {told}");
    }
}

#[test]
fn a_run_is_told_of_itself() {
    let bench = Bench::ts(
        "globalThis.Date = class {} as any;
         export const scheduled = [
            { cron: '@daily', name: 1 as any, run() {} },
            { cron: '0 3 * * *', async run(event: any) {
                await Promise.resolve();
                return [event.cron, event.scheduledAt.toISOString(), event.id, this.cron].join(' ');
            } },
         ].map(({ name, ...job }: any) => job);",
    );
    let expected = "0 3 * * * 2023-11-14T22:14:20.000Z run-1 0 3 * * *";
    assert_eq!(run(&bench, 1), Ok(Answer::Text(expected.into())));
    assert_eq!(
        run(&bench, 2).map_err(|f| f.message),
        Err("RangeError: the module has no scheduled[2]".into())
    );
    assert_eq!(bench.runtime.jobs().len(), 2);
    let mut seen = Vec::new();
    bench.runtime.take_calls(&mut |function, calls| {
        seen.push((
            function.name(),
            calls.outcomes().map(|(outcome, n)| (outcome.name(), n)).collect::<Vec<_>>(),
        ));
    });
    assert_eq!(seen, [("scheduled", vec![("ok", 1), ("thrown", 1)])]);
}

#[test]
fn a_run_has_no_request_and_no_earlier_one_either() {
    let bench = Bench::ts(
        "let kept: any;
         export function requestHandler(ctx: any) { kept = ctx; ctx.pathParams(); return ctx.id }
         export const schedule = '@daily';
         export function scheduled(event: any, ...rest: any[]) {
            const why = [() => kept.request().path, () => kept.pathParams(), () => kept.id].map((f) => {
                try { return f() } catch (e: any) { return e.message }
            });
            return JSON.stringify([rest.length, ...why]);
         }",
    );
    let exchange = Rc::new(TestExchange::default());
    assert_eq!(bench.call(&exchange, Function::RequestHandler), Ok(Answer::Text("ex1".into())));
    let over = "the request is over";
    assert_eq!(run(&bench, 0), Ok(Answer::Text(format!("[0,\"{over}\",\"{over}\",\"{over}\"]"))));
    // And the request that comes next has a context of its own again.
    assert_eq!(bench.call(&exchange, Function::RequestHandler), Ok(Answer::Text("ex1".into())));
}

#[test]
fn a_run_fails_as_calls_do() {
    let limits = Limits { cpu_ms: 5, ..Limits::default() };
    let source = "export const scheduled = [
            { cron: '@daily', run() { throw new TypeError('broken') } },
            { cron: '@daily', run() { for (;;) {} } },
            { cron: '@daily', run() { return new Promise(() => {}) } },
        ];";
    let bench = Bench::of(&[ts("m", source)], limits);
    let failed = run(&bench, 0).expect_err("it throws");
    assert_eq!((failed.cause, failed.message.as_str()), (Cause::Thrown, "TypeError: broken"));
    assert!(failed.stack.contains("m.ts:2:"), "{}", failed.stack);
    assert_eq!(run(&bench, 1).map_err(|f| f.cause), Err(Cause::CpuTime));
    assert_eq!(run(&bench, 2).map_err(|f| f.cause), Err(Cause::Pending));
}

#[test]
fn a_run_that_nobody_waits_for_is_cancelled() {
    let bench = Bench::ts(
        "export const scheduled = { cron: '@daily', run: () => new Promise((r) => setTimeout(r, 60_000)) }",
    );
    let mut lease = bench.runtime.lease(Rc::new(NoRequest { id: "r".into() })).expect("a context");
    let mut call = Box::pin(lease.call_job(0, run_of("r")));
    assert!(crate::harness::poll(&mut call).is_pending());
    drop(call);
    drop(lease);
    let mut outcomes = Vec::new();
    bench.runtime.take_calls(&mut |_, calls| outcomes.extend(calls.outcomes().map(|(o, n)| (o.name(), n))));
    assert_eq!(outcomes, [("cancelled", 1)]);
    assert_eq!(bench.runtime.stats().contexts, 0, "half-run code is not used again");
}

//! What a module costs, in nanoseconds: `cargo run --release -p tidegate-js --example cost`. Best of many short
//! rounds, interleaved, so that a busy machine shows in all numbers alike. Not a test: it asserts nothing.

use std::cell::RefCell;
use std::future::Future;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use tidegate_js::{
    ConsoleLevel, Described, Exchange, Function, Grants, Host, Language, Limits, ModuleCode, Pending,
    Refused, RequestPart, Runtime, Side, StateRead, StateWrite, compile,
};

struct Nobody;

impl Host for Nobody {
    fn now_ms(&self) -> f64 {
        0.0
    }
    fn monotonic_ms(&self) -> f64 {
        0.0
    }
    fn random(&self, _: &mut [u8]) {}
    fn sleep(&self, _: u64) -> Pending<()> {
        Box::pin(std::future::ready(()))
    }
    fn console(&self, _: &str, _: ConsoleLevel, _: &str) {}
    fn read_state(&self, _: StateRead) -> Result<String, Refused> {
        Ok("null".into())
    }
    fn write_state(&self, _: StateWrite) -> Pending<Result<String, Refused>> {
        Box::pin(std::future::ready(Ok("null".into())))
    }
}

#[derive(Default)]
struct Fields(RefCell<Vec<(String, Vec<u8>)>>);

impl Exchange for Fields {
    fn id(&self) -> String {
        "1".into()
    }
    fn describe(&self, _: Described) -> Option<Rc<str>> {
        None
    }
    fn path_params(&self, _: &mut dyn FnMut(&str, &str)) {}
    fn field(&self, _: Side, name: &str, each: &mut dyn FnMut(&[u8])) {
        self.0.borrow().iter().filter(|(n, _)| n == name).for_each(|(_, v)| each(v));
    }
    fn fields(&self, _: Side, _: &mut dyn FnMut(&[u8], &[u8])) {}
    fn set_field(&self, _: Side, name: &str, value: &[u8]) -> Result<(), Refused> {
        let mut fields = self.0.borrow_mut();
        match fields.iter_mut().find(|(n, _)| n == name) {
            Some((_, v)) => value.clone_into(v),
            None => fields.push((name.into(), value.into())),
        }
        Ok(())
    }
    fn add_field(&self, _: Side, _: &str, _: &[u8]) -> Result<(), Refused> {
        Ok(())
    }
    fn remove_field(&self, _: Side, _: &str) -> Result<bool, Refused> {
        Ok(false)
    }
    fn request_part(&self, _: RequestPart) -> String {
        String::new()
    }
    fn set_request_part(&self, _: RequestPart, _: &str) -> Result<(), Refused> {
        Ok(())
    }
    fn status(&self, _: Side) -> u16 {
        200
    }
    fn set_status(&self, _: Side, _: u16) -> Result<(), Refused> {
        Ok(())
    }
    fn upstream_protocol(&self) -> String {
        String::new()
    }
    fn trailers(&self, _: &mut dyn FnMut(&[u8], &[u8])) {}
    fn content_length(&self, _: Side) -> Option<u64> {
        None
    }
    fn read_body(&self, _: Side) -> Pending<Result<Rc<[u8]>, Refused>> {
        Box::pin(std::future::ready(Ok(Rc::from(&b"{}"[..]))))
    }
    fn write_body(&self, _: Side, _: Vec<u8>) -> Result<(), Refused> {
        Ok(())
    }
    fn end_response(&self) -> Result<(), Refused> {
        Ok(())
    }
    fn response_ended(&self) -> bool {
        false
    }
}

fn now<F: Future>(future: F) -> F::Output {
    match std::pin::pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("it should be ready"),
    }
}

const SOURCES: [(&str, &str); 5] = [
    ("lease + empty function", "export function requestModifier(ctx: any) {}"),
    (
        "lease + one header set",
        "export function requestModifier(ctx: any) { ctx.request().headers.set('x-a', '1') }",
    ),
    (
        "lease + 4 headers set, 4 read",
        "export function requestModifier(ctx: any) { const h = ctx.request().headers;
         for (const n of ['x-a', 'x-b', 'x-c', 'x-d']) { h.set(n, n); h.get(n) } }",
    ),
    ("lease + async, one await", "export async function requestModifier(ctx: any) { await null; }"),
    (
        "lease + async, one host operation",
        "export async function requestModifier(ctx: any) { await ctx.request().readBody(); }",
    ),
];

fn code(source: &str) -> Vec<ModuleCode> {
    vec![compile("m", source, Language::TypeScript).expect("it compiles").code()]
}

fn best(rounds: usize, per_round: usize, runs: &mut [Box<dyn FnMut()>]) -> Vec<f64> {
    let mut best = vec![f64::MAX; runs.len()];
    for _ in 0..rounds {
        for (run, best) in runs.iter_mut().zip(&mut best) {
            let start = Instant::now();
            (0..per_round).for_each(|_| run());
            *best = best.min(start.elapsed().as_nanos() as f64 / per_round as f64);
        }
    }
    best
}

fn main() {
    let host: Rc<dyn Host> = Rc::new(Nobody);
    let mut runs: Vec<Box<dyn FnMut()>> = Vec::new();
    for (_, source) in SOURCES {
        let runtime =
            Runtime::new(&code(source), Limits::default(), Grants::all(), host.clone()).expect("it runs");
        let exchange: Rc<dyn Exchange> = Rc::new(Fields::default());
        runs.push(Box::new(move || {
            let mut lease = runtime.lease(exchange.clone()).expect("a lease");
            now(lease.call(Function::RequestModifier)).expect("it works");
        }));
    }
    for ((name, _), ns) in SOURCES.iter().zip(best(40, 2_000, &mut runs)) {
        println!("{name:<40} {ns:>9.0} ns");
    }
    drop(runs);

    let modules = code(SOURCES[1].1);
    let mut cold: Vec<Box<dyn FnMut()>> = vec![
        Box::new(|| drop(code(SOURCES[1].1))),
        Box::new(move || drop(Runtime::new(&modules, Limits::default(), Grants::all(), Rc::new(Nobody)))),
    ];
    for (name, ns) in
        ["compile (TypeScript, one line)", "Runtime::new + drop"].iter().zip(best(20, 10, &mut cold))
    {
        println!("{name:<40} {ns:>9.0} ns");
    }

    let runtime = Runtime::new(&code(SOURCES[1].1), Limits::default(), Grants::all(), host).expect("it runs");
    let one = runtime.stats().memory_bytes;
    let exchange: Rc<dyn Exchange> = Rc::new(Fields::default());
    let start = Instant::now();
    let leases: Vec<_> = (0..11).map(|_| runtime.lease(exchange.clone()).expect("a lease")).collect();
    let made = start.elapsed().as_nanos() / 10;
    println!("{:<40} {made:>9} ns", "another context");
    println!("{:<40} {one:>9} bytes", "runtime with one context");
    println!("{:<40} {:>9} bytes", "each further context", (runtime.stats().memory_bytes - one) / 10);
    drop(leases);
}

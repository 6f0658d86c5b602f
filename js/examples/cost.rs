//! What a module costs, in nanoseconds: `cargo run --release -p tidegate-js --example cost`. Best of many short
//! rounds, interleaved, so that a busy machine shows in all numbers alike. Not a test: it asserts nothing.
//!
//! With `--json` the calls alone, one line of JSON each. With `--call NAME --times N` that call so many times and
//! nothing else, for a tool that counts instructions (`tidegate-perf calls` does both). With `--boot --times N` that
//! many engines, each with one context.

use std::cell::RefCell;
use std::future::Future;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use tidegate_js::{
    CacheValue, ConsoleLevel, Described, Exchange, Function, Grants, Host, Language, Limits, ModuleCode,
    Pending, Refused, RequestPart, Runtime, Side, StateRead, StateWrite, compile,
};

/// Answers at once, always the same.
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
    fn secret(&self, _: &str) -> Result<Option<String>, Refused> {
        Ok(Some("a-key-of-at-least-thirty-two-bytes-for-HS256".into()))
    }
    fn read_state(&self, _: StateRead) -> Result<String, Refused> {
        Ok(DOCUMENT.into())
    }
    fn cache_get(&self, _: &str) -> Option<CacheValue> {
        Some(CacheValue::Json(Rc::from("\"hello\"")))
    }
    fn write_state(&self, _: StateWrite) -> Pending<Result<String, Refused>> {
        Box::pin(std::future::ready(Ok("null".into())))
    }
}

const DOCUMENT: &str = r#"{"id":"greeting","collection":"notes","namespace":"default","data":{"text":"hello"},"createdAt":"2026-01-01T00:00:00Z","updatedAt":"2026-01-01T00:00:00Z"}"#;

/// As the workload `jwt` of `tidegate-perf compare` has it: `{"iss":"shop","sub":"ada",…}` by HS256.
const COOKIE: &[u8] = b"theme=dark; session=eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.\
    eyJpc3MiOiJzaG9wIiwic3ViIjoiYWRhIiwiaWF0IjoxNzYwMDAwMDAwLCJleHAiOjQxMDI0NDQ4MDB9.\
    0zr-ohIchoVKDrnmMtmJJYjKVyT1noTTRlrmrgqT0Gg";

/// 1 KiB of JSON text.
fn json_body() -> Rc<[u8]> {
    let item = |n: u32| format!(r#"{{"sku":"item-{n:04}","count":{n},"price":{},"open":true}}"#, n * 25);
    let items = (0..12).map(item).collect::<Vec<_>>().join(",");
    let text = |note: &str| format!(r#"{{"id":4711,"left":1234,"items":[{items}],"note":"{note}"}}"#);
    text(&"n".repeat(1024 - text("").len())).into_bytes().into()
}

struct Fields {
    fields: RefCell<Vec<(String, Vec<u8>)>>,
    body: Rc<[u8]>,
}

impl Fields {
    fn new() -> Rc<Self> {
        let fields = RefCell::new(vec![("Cookie".into(), COOKIE.into())]);
        Rc::new(Self { fields, body: json_body() })
    }
}

impl Exchange for Fields {
    fn id(&self) -> String {
        "1".into()
    }
    fn describe(&self, _: Described) -> Option<Rc<str>> {
        None
    }
    fn path_params(&self, _: &mut dyn FnMut(&str, &str)) {}
    fn field(&self, _: Side, name: &str, each: &mut dyn FnMut(&[u8])) {
        self.fields.borrow().iter().filter(|(n, _)| n == name).for_each(|(_, v)| each(v));
    }
    fn fields(&self, _: Side, _: &mut dyn FnMut(&[u8], &[u8])) {}
    fn set_field(&self, _: Side, name: &str, value: &[u8]) -> Result<(), Refused> {
        let mut fields = self.fields.borrow_mut();
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
        Box::pin(std::future::ready(Ok(self.body.clone())))
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

const SOURCES: [(&str, &str); 10] = [
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
    (
        "lease + one request, one response header",
        "export function requestModifier(ctx: any) { ctx.request().headers.set('x-a', '1') }
         export function responseModifier(ctx: any) { ctx.upstream().headers.set('x-b', '1') }",
    ),
    (
        "lease + JSON of 1 KiB read, written",
        "export async function requestModifier(ctx: any) { const r = ctx.request();
         const body = await r.readJson(); body.left -= 1; r.writeJson(body) }",
    ),
    (
        "lease + one cached read",
        "import { getCache } from 'tidegate/storage';
         export function requestModifier(ctx: any) {
           if (getCache('greeting') !== 'hello') throw new Error('not cached') }",
    ),
    (
        "lease + one document read",
        "import { getDocument } from 'tidegate/state';
         export async function requestModifier(ctx: any) {
           if ((await getDocument('greeting', 'notes')).data.text !== 'hello') throw new Error('no document') }",
    ),
    (
        "lease + JWT of a cookie verified",
        "import { secret } from 'tidegate'; import { verifyJwt } from 'tidegate/crypto';
         export async function requestModifier(ctx: any) {
           ctx.request().headers.delete('X-User');
           const cookie = ctx.response().getCookie('session');
           const options = { algorithm: 'HS256', issuer: 'shop', audience: false };
           const { payload } = await verifyJwt(cookie.value, secret('session-key'), options);
           ctx.request().headers.set('X-User', payload.sub ?? '') }",
    ),
];

/// A call of [`SOURCES`], ready to be made again and again: a lease, its functions, its end.
fn call(source: &str) -> Box<dyn FnMut()> {
    // A tool that counts instructions is slow: the first call must not run out of time.
    let limits = Limits { cpu_ms: 2_000, boot_cpu_ms: 2_000, ..Limits::default() };
    let runtime = Runtime::new(&code(source), limits, Grants::all(), Rc::new(Nobody)).expect("it runs");
    let exchange: Rc<dyn Exchange> = Fields::new();
    Box::new(move || {
        let mut lease = runtime.lease(exchange.clone()).expect("a lease");
        now(lease.call(Function::RequestModifier)).expect("it works");
        if lease.has(Function::ResponseModifier) {
            // As the gateway does for the time of the upstream's answer.
            match lease.rest() {
                Ok(kept) => {
                    lease = runtime.lease(exchange.clone()).expect("a lease");
                    lease.resume(kept);
                }
                Err(held) => lease = held,
            }
            now(lease.call(Function::ResponseModifier)).expect("it works");
        }
    })
}

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

/// `--call NAME --times N`.
fn only_calls(arguments: &[String]) {
    let [_, name, times, count] = arguments else { panic!("usage: --call NAME --times N") };
    let count: u32 = count.parse().ok().filter(|_| times == "--times").expect("--times N, a number");
    let (_, source) = SOURCES.iter().find(|(known, _)| known == name).expect("a name that --json gives");
    let mut run = call(source);
    (0..count).for_each(|_| run());
}

/// `--boot --times N`: what the first call of a module waits for.
fn only_boots(arguments: &[String]) {
    let [_, times, count] = arguments else { panic!("usage: --boot --times N") };
    let count: u32 = count.parse().ok().filter(|_| times == "--times").expect("--times N, a number");
    let modules = code(SOURCES[1].1);
    for _ in 0..count {
        drop(Runtime::new(&modules, Limits::default(), Grants::all(), Rc::new(Nobody)).expect("it runs"));
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|first| first == "--boot") {
        return only_boots(&arguments);
    }
    if arguments.first().is_some_and(|first| first == "--call") {
        return only_calls(&arguments);
    }
    let json = arguments.first().is_some_and(|first| first == "--json");
    let mut runs: Vec<Box<dyn FnMut()>> = SOURCES.iter().map(|(_, source)| call(source)).collect();
    for ((name, _), ns) in SOURCES.iter().zip(best(40, 2_000, &mut runs)) {
        if json {
            println!("{}", serde_json::json!({"name": name, "nanoseconds": ns}));
        } else {
            println!("{name:<42} {ns:>9.0} ns");
        }
    }
    drop(runs);
    if !json {
        beside_calls();
    }
}

/// What is paid once, not for each call.
fn beside_calls() {
    let modules = code(SOURCES[1].1);
    let mut cold: Vec<Box<dyn FnMut()>> = vec![
        Box::new(|| drop(code(SOURCES[1].1))),
        Box::new(move || drop(Runtime::new(&modules, Limits::default(), Grants::all(), Rc::new(Nobody)))),
    ];
    for (name, ns) in
        ["compile (TypeScript, one line)", "Runtime::new + drop"].iter().zip(best(20, 10, &mut cold))
    {
        println!("{name:<42} {ns:>9.0} ns");
    }

    let runtime = Runtime::new(&code(SOURCES[1].1), Limits::default(), Grants::all(), Rc::new(Nobody))
        .expect("it runs");
    let one = runtime.stats().memory_bytes;
    let exchange: Rc<dyn Exchange> = Fields::new();
    let start = Instant::now();
    let leases: Vec<_> = (0..11).map(|_| runtime.lease(exchange.clone()).expect("a lease")).collect();
    let made = start.elapsed().as_nanos() / 10;
    println!("{:<42} {made:>9} ns", "another context");
    println!("{:<42} {one:>9} bytes", "runtime with one context");
    println!("{:<42} {:>9} bytes", "each further context", (runtime.stats().memory_bytes - one) / 10);
    drop(leases);
}

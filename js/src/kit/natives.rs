//! What the kit's JavaScript is built on: one object of native functions, `native.kit`, which exists in runtimes of the kit
//! only. Nothing here is reachable from a module under test.

use std::rc::Rc;
use std::time::Instant;

use rquickjs::{Ctx, Exception, Function as JsFunction, Object, TypedArray, Value};

use super::bodies::{Body, Pieces, collect};
use super::exchange::{MemoryExchange, Message};
use super::runner::{Fault, Mode, Registered};
use super::store::quoted;
use super::world::World;
use crate::bridge::{Bridge, throw};
use crate::host::{ConsoleLevel, HttpResponse, Refused, Side};
use crate::native::Text;
use crate::operations::{Kind, Work};
use crate::stack::with_callers;

/// Puts the object into the table.
pub(crate) fn fill<'js>(
    ctx: &Ctx<'js>,
    table: &Object<'js>,
    bridge: &Rc<Bridge>,
    world: &Rc<World>,
) -> rquickjs::Result<()> {
    let kit = Object::new(ctx.clone())?;
    suite(ctx, &kit, bridge, world)?;
    time(ctx, &kit, bridge, world)?;
    fetches(ctx, &kit, bridge, world)?;
    exchange(ctx, &kit, bridge, world)?;
    snapshots(ctx, &kit, bridge, world)?;
    surroundings(ctx, &kit, world)?;
    table.set("kit", kit)
}

fn start(bridge: &Bridge, kind: Kind, work: Work) -> u32 {
    bridge.operations.borrow_mut().start(kind, work, String::new())
}

fn suite<'js>(
    ctx: &Ctx<'js>,
    kit: &Object<'js>,
    bridge: &Rc<Bridge>,
    world: &Rc<World>,
) -> rquickjs::Result<()> {
    let w = world.clone();
    kit.set("begin", JsFunction::new(ctx.clone(), move || w.tests.borrow_mut().clear())?)?;
    let w = world.clone();
    let test = move |name: Vec<Text>, mode: u8, Text(stack): Text, timeout_ms: f64| {
        let mode = match mode {
            0 => Mode::Run,
            1 => Mode::Skip,
            _ => Mode::Only,
        };
        let name = name.into_iter().map(|Text(part)| part).collect();
        w.tests.borrow_mut().push(Registered { name, mode, stack, timeout_ms: timeout_ms as u64 });
    };
    kit.set("test", JsFunction::new(ctx.clone(), test)?)?;
    let w = world.clone();
    kit.set("current", JsFunction::new(ctx.clone(), move || w.current.get() as u32)?)?;
    let w = world.clone();
    let fail =
        move |Text(message): Text, Text(stack): Text, expected: Option<String>, actual: Option<String>| {
            let compared = expected.zip(actual);
            w.fault.borrow_mut().get_or_insert(Fault { message, stack, compared });
        };
    kit.set("fail", JsFunction::new(ctx.clone(), fail)?)?;

    let b = bridge.clone();
    // The mapped trace of an error that was just thrown, with those who awaited, as a failed call has it.
    let trace = move |Text(stack): Text| {
        let (stack, origin) = (b.maps.map(&stack), b.maps.map(&b.origin.borrow()));
        // An error of the gateway's own has no frame of the module's: where it asked is the next best.
        if stack.trim().is_empty() { origin } else { with_callers(&stack, &origin) }
    };
    kit.set("trace", JsFunction::new(ctx.clone(), trace)?)?;

    let (w, b) = (world.clone(), bridge.clone());
    // 0: as every call.
    let budget = move |cpu_ms: f64| {
        b.cpu_ms.set(if cpu_ms >= 1.0 { cpu_ms.min(600_000.0) as u32 } else { w.default_cpu_ms.get() });
    };
    kit.set("budget", JsFunction::new(ctx.clone(), budget)?)?;
    let b = bridge.clone();
    // Resolves at once, and the CPU budget begins anew.
    let renew = move || start(&b, Kind::Other, Work::Piece(Box::pin(std::future::ready(Ok(())))));
    kit.set("renew", JsFunction::new(ctx.clone(), renew)?)?;

    let w = world.clone();
    kit.set("input", JsFunction::new(ctx.clone(), move || w.input.borrow().clone())?)?;
    let w = world.clone();
    kit.set("report", JsFunction::new(ctx.clone(), move |Text(json): Text| *w.report.borrow_mut() = json)?)
}

fn time<'js>(
    ctx: &Ctx<'js>,
    kit: &Object<'js>,
    bridge: &Rc<Bridge>,
    world: &Rc<World>,
) -> rquickjs::Result<()> {
    let began = Instant::now();
    let real = move || began.elapsed().as_secs_f64() * 1e6;
    kit.set("realMicroseconds", JsFunction::new(ctx.clone(), real)?)?;
    let cpu = || crate::governor::thread_cpu_ns() as f64 / 1e3;
    kit.set("cpuMicroseconds", JsFunction::new(ctx.clone(), cpu)?)?;
    let w = world.clone();
    let set = move |ms: f64| w.clock.set_wall_ms(ms);
    kit.set("setTime", JsFunction::new(ctx.clone(), set)?)?;
    let (w, b) = (world.clone(), bridge.clone());
    let tick = move |ms: f64| start(&b, Kind::Other, Work::Sleep(w.clock.tick(ms.max(0.0) as u64)));
    kit.set("tick", JsFunction::new(ctx.clone(), tick)?)
}

fn fetches<'js>(
    ctx: &Ctx<'js>,
    kit: &Object<'js>,
    bridge: &Rc<Bridge>,
    world: &Rc<World>,
) -> rquickjs::Result<()> {
    let w = world.clone();
    kit.set("serveFetch", JsFunction::new(ctx.clone(), move |on: bool| w.serves_fetch.set(on))?)?;
    let (w, b) = (world.clone(), bridge.clone());
    let accept = move || start(&b, Kind::Other, Work::Write(w.accept()));
    kit.set("accept", JsFunction::new(ctx.clone(), accept)?)?;
    let w = world.clone();
    let body = move |ctx: Ctx<'js>, id: u32| {
        TypedArray::<u8>::new_copy(ctx, w.fetch_body(id).as_deref().unwrap_or_default())
    };
    kit.set("fetchBody", JsFunction::new(ctx.clone(), body)?)?;
    let w = world.clone();
    let respond =
        move |id: u32, status: u16, Text(reason): Text, flat: Vec<Text>, pieces: Vec<Value<'js>>| {
            let body = Pieces::of(bytes(&pieces));
            let response = HttpResponse { status, reason, fields: pairs(flat), body };
            w.answer(id, Ok(response));
        };
    kit.set("respond", JsFunction::new(ctx.clone(), respond)?)?;
    let w = world.clone();
    let refuse = move |id: u32, Text(why): Text| w.answer(id, Err(Refused(why)));
    kit.set("refuse", JsFunction::new(ctx.clone(), refuse)?)
}

fn exchange<'js>(
    ctx: &Ctx<'js>,
    kit: &Object<'js>,
    bridge: &Rc<Bridge>,
    world: &Rc<World>,
) -> rquickjs::Result<()> {
    let (w, b) = (world.clone(), bridge.clone());
    let open = move |spec: Object<'js>| {
        let text = |key: &str| Ok::<_, rquickjs::Error>(spec.get::<_, Text>(key)?.0);
        w.runs.set(w.runs.get() + 1);
        let parts = [
            text("method")?,
            text("path")?,
            text("query")?,
            text("host")?,
            text("remoteAddress")?,
            text("protocol")?,
            text("scheme")?,
        ];
        let described =
            |key: &str| Ok::<_, rquickjs::Error>(spec.get::<_, Option<String>>(key)?.map(Rc::from));
        let mut exchange = MemoryExchange {
            id: format!("test-{}", w.runs.get()),
            parts: parts.into(),
            described: [described("route")?, described("service")?, described("namespace")?],
            body_cap: w.body_cap.get(),
            ..MemoryExchange::default()
        };
        let mut params = spec.get::<_, Vec<Text>>("params")?.into_iter().map(|Text(text)| text);
        while let (Some(name), Some(value)) = (params.next(), params.next()) {
            exchange.params.push((name, value));
        }
        let request = &mut exchange.messages.get_mut()[0];
        request.fields = pairs(spec.get("fields")?);
        request.body = Body::Arrived(bytes(&spec.get::<_, Vec<Value<'js>>>("body")?));
        let exchange = Rc::new(exchange);
        *w.exchange.borrow_mut() = Some(exchange.clone());
        b.open(exchange);
        Ok::<_, rquickjs::Error>(b.generation())
    };
    kit.set("open", JsFunction::new(ctx.clone(), open)?)?;

    let w = world.clone();
    let sent = move |ctx: Ctx<'js>| {
        opened(&ctx, &w)?.is_sent.set(true);
        Ok::<_, rquickjs::Error>(())
    };
    kit.set("sent", JsFunction::new(ctx.clone(), sent)?)?;
    let w = world.clone();
    let upstream =
        move |ctx: Ctx<'js>, status: u16, flat: Vec<Text>, body: Vec<Value<'js>>, trailers: Vec<Text>| {
            let exchange = opened(&ctx, &w)?;
            let (fields, body, trailers) = (pairs(flat), Body::Arrived(bytes(&body)), pairs(trailers));
            exchange.messages.borrow_mut()[1] = Message { status, fields, body, trailers, is_written: false };
            exchange.has_upstream.set(true);
            Ok::<_, rquickjs::Error>(())
        };
    kit.set("upstream", JsFunction::new(ctx.clone(), upstream)?)?;
    let w = world.clone();
    // What a handler wrote before it failed is gone when the errorHandler begins.
    let clear = move |ctx: Ctx<'js>| {
        let exchange = opened(&ctx, &w)?;
        exchange.messages.borrow_mut()[2] = Message::default();
        exchange.is_ended.set(false);
        Ok::<_, rquickjs::Error>(())
    };
    kit.set("clearResponse", JsFunction::new(ctx.clone(), clear)?)?;
    let (w, b) = (world.clone(), bridge.clone());
    let leaving = move |ctx: Ctx<'js>, side: u8| {
        let chunks = opened(&ctx, &w)?.leaving(side_of(side)).map_err(|refused| throw(&ctx, &refused))?;
        Ok::<_, rquickjs::Error>(start(&b, Kind::Other, Work::Body(collect(chunks))))
    };
    kit.set("leaving", JsFunction::new(ctx.clone(), leaving)?)
}

fn snapshots<'js>(
    ctx: &Ctx<'js>,
    kit: &Object<'js>,
    _: &Rc<Bridge>,
    world: &Rc<World>,
) -> rquickjs::Result<()> {
    let w = world.clone();
    let look = move |ctx: Ctx<'js>, side: u8| {
        let exchange = opened(&ctx, &w)?;
        let seen = Object::new(ctx.clone())?;
        let parts = exchange.parts.borrow();
        for (name, part) in ["method", "path", "query", "host"].into_iter().zip(parts.iter()) {
            seen.set(name, part.as_str())?;
        }
        let messages = exchange.messages.borrow();
        let message = &messages[usize::from(side.min(2))];
        let lossy = |bytes: &Vec<u8>| String::from_utf8_lossy(bytes).into_owned();
        let flat: Vec<String> = message.fields.iter().flat_map(|(n, v)| [lossy(n), lossy(v)]).collect();
        seen.set("fields", flat)?;
        seen.set("status", message.status)?;
        seen.set("isWritten", message.is_written)?;
        seen.set("isEnded", exchange.is_ended.get())?;
        let is_rewritten = matches!(message.body, Body::Whole(_) | Body::Coming(_)) && message.is_written;
        seen.set("hasOwnBody", is_rewritten)?;
        Ok::<_, rquickjs::Error>(seen)
    };
    kit.set("look", JsFunction::new(ctx.clone(), look)?)
}

fn surroundings<'js>(ctx: &Ctx<'js>, kit: &Object<'js>, world: &Rc<World>) -> rquickjs::Result<()> {
    let w = world.clone();
    let write = move |ctx: Ctx<'js>, kind: u8, Text(collection): Text, Text(id): Text, Text(json): Text| {
        use crate::host::StateWrite as W;
        let write = match kind {
            0 => W::PutCollection { collection: json },
            2 => W::PutDocument { collection, id, data: json },
            _ => W::DeleteDocument { collection, id },
        };
        let now_ms = w.clock.wall_ms();
        w.store.borrow_mut().write(write, now_ms).map_err(|refused| throw(&ctx, &refused))
    };
    kit.set("writeState", JsFunction::new(ctx.clone(), write)?)?;
    let w = world.clone();
    let secret = move |Text(name): Text, value: Option<String>| match value {
        Some(value) => drop(w.store.borrow_mut().secrets.insert(name, value)),
        None => drop(w.store.borrow_mut().secrets.remove(&name)),
    };
    kit.set("secret", JsFunction::new(ctx.clone(), secret)?)?;
    let w = world.clone();
    let env = move |Text(name): Text, value: Option<String>| match value {
        Some(value) => drop(w.store.borrow_mut().env.insert(name, value)),
        None => drop(w.store.borrow_mut().env.remove(&name)),
    };
    kit.set("env", JsFunction::new(ctx.clone(), env)?)?;
    let w = world.clone();
    let console = move || {
        let lines: Vec<String> = w
            .console
            .borrow()
            .iter()
            .map(|line| {
                let level = match line.level {
                    ConsoleLevel::Debug => "debug",
                    ConsoleLevel::Info => "info",
                    ConsoleLevel::Warn => "warn",
                    ConsoleLevel::Error => "error",
                };
                format!(
                    "{{\"level\":\"{level}\",\"module\":{},\"text\":{}}}",
                    quoted(&line.module),
                    quoted(&line.text)
                )
            })
            .collect();
        format!("[{}]", lines.join(","))
    };
    kit.set("console", JsFunction::new(ctx.clone(), console)?)
}

fn opened(ctx: &Ctx<'_>, world: &World) -> rquickjs::Result<Rc<MemoryExchange>> {
    let open = world.exchange.borrow().clone();
    open.ok_or_else(|| Exception::throw_message(ctx, "no run is under way"))
}

fn side_of(n: u8) -> Side {
    match n {
        0 => Side::Request,
        1 => Side::Upstream,
        _ => Side::Response,
    }
}

fn pairs(flat: Vec<Text>) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut texts = flat.into_iter().map(|Text(text)| text.into_bytes());
    let mut pairs = Vec::new();
    while let (Some(name), Some(value)) = (texts.next(), texts.next()) {
        pairs.push((name, value));
    }
    pairs
}

/// The kit's JavaScript hands over nothing but `Uint8Array`s.
fn bytes(pieces: &[Value<'_>]) -> Vec<Vec<u8>> {
    let of = |piece: &Value<'_>| {
        let array = TypedArray::<u8>::from_object(piece.as_object()?.clone()).ok()?;
        // SAFETY: copied at once, before any JavaScript can run.
        unsafe { array.as_bytes() }.map(<[u8]>::to_vec)
    };
    pieces.iter().filter_map(of).collect()
}

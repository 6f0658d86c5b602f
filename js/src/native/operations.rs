//! Clock, randomness and everything that takes time: starting an operation gives a number, and the prelude keeps
//! the promise that goes with it. Nothing here waits.

use std::rc::Rc;

use rquickjs::{Coerced, Ctx, Exception, Function as JsFunction, Object};

use super::Text;
use crate::bridge::{Bridge, throw};
use crate::failure::Cause;
use crate::host::{Side, StateRead, StateWrite};
use crate::operations::{Kind, Work};
use crate::stack::joined;

/// Longest sleep or timer: longer ones end here. A day is more than any request lives.
const MAX_SLEEP_MS: f64 = 86_400_000.0;

/// Documents given at most by one read.
const MAX_DOCUMENTS: f64 = 10_000.0;

/// What a module is told that asks for something while it is being loaded.
pub(super) const NEEDS_A_REQUEST: &str = "this works only while a request is being handled";

pub(super) fn fill<'js>(ctx: &Ctx<'js>, table: &Object<'js>, bridge: &Rc<Bridge>) -> rquickjs::Result<()> {
    let b = bridge.clone();
    table.set("now", JsFunction::new(ctx.clone(), move || b.host.now_ms().floor())?)?;
    let b = bridge.clone();
    table.set("monotonic", JsFunction::new(ctx.clone(), move || b.host.monotonic_ms())?)?;
    let b = bridge.clone();
    let random = move || {
        let mut raw = [0; 8];
        b.host.random(&mut raw);
        (u64::from_le_bytes(raw) >> 11) as f64 / (1u64 << 53) as f64
    };
    table.set("random", JsFunction::new(ctx.clone(), random)?)?;

    let b = bridge.clone();
    let sleep = move |ctx: Ctx<'js>, ms: Coerced<f64>, timer: bool| {
        let ms = if ms.0 > 0.0 { ms.0.min(MAX_SLEEP_MS).ceil() as u64 } else { 0 };
        start(&b, &ctx, if timer { Kind::Timer } else { Kind::Other }, || Work::Sleep(b.host.sleep(ms)))
    };
    table.set("sleep", JsFunction::new(ctx.clone(), sleep)?)?;
    let b = bridge.clone();
    let cancel = move |id: u32| b.operations.borrow_mut().cancel(id);
    table.set("cancel", JsFunction::new(ctx.clone(), cancel)?)?;

    let b = bridge.clone();
    let body = move |ctx: Ctx<'js>, g: u32, side: u8| {
        let side = if side == 0 { Side::Request } else { Side::Upstream };
        let body = b.ask(&ctx, g, |x| x.read_body(side))?;
        start(&b, &ctx, Kind::Other, || Work::Body(body))
    };
    table.set("readBody", JsFunction::new(ctx.clone(), body)?)?;
    state(ctx, table, bridge)
}

fn state<'js>(ctx: &Ctx<'js>, table: &Object<'js>, bridge: &Rc<Bridge>) -> rquickjs::Result<()> {
    let b = bridge.clone();
    let read =
        move |ctx: Ctx<'js>, kind: u8, Text(collection): Text, Text(id): Text, limit: f64, offset: f64| {
            b.grants
                .documents_read(&collection)
                .map_err(|missing| Exception::throw_message(&ctx, &missing.to_string()))?;
            let read = match kind {
                0 => StateRead::Collection { name: collection },
                1 => StateRead::Document { collection, id },
                _ => StateRead::Documents {
                    collection,
                    limit: limit.clamp(0.0, MAX_DOCUMENTS) as u32,
                    offset: offset.clamp(0.0, f64::from(u32::MAX)) as u32,
                },
            };
            let json = b.host.read_state(read).map_err(|refused| throw(&ctx, &refused))?;
            ctx.json_parse(json)
        };
    table.set("readState", JsFunction::new(ctx.clone(), read)?)?;

    let b = bridge.clone();
    let write = move |ctx: Ctx<'js>, kind: u8, Text(collection): Text, Text(id): Text, Text(json): Text| {
        let named = if kind == 0 { &id } else { &collection };
        b.grants
            .documents_write(named)
            .map_err(|missing| Exception::throw_message(&ctx, &missing.to_string()))?;
        let write = match kind {
            0 => StateWrite::PutCollection { collection: json },
            1 => StateWrite::DeleteCollection { name: collection },
            2 => StateWrite::PutDocument { collection, id, data: json },
            _ => StateWrite::DeleteDocument { collection, id },
        };
        start(&b, &ctx, Kind::Other, || Work::Write(b.host.write_state(write)))
    };
    table.set("writeState", JsFunction::new(ctx.clone(), write)?)
}

/// The stack of the code that runs now.
fn trace(ctx: &Ctx<'_>) -> String {
    let made = Exception::from_message(ctx.clone(), "");
    made.ok().and_then(|error| error.stack()).unwrap_or_default()
}

/// Starts an operation if a request is there and the bounds allow it.
pub(super) fn start(
    b: &Bridge,
    ctx: &Ctx<'_>,
    kind: Kind,
    work: impl FnOnce() -> Work,
) -> rquickjs::Result<u32> {
    if !b.is_open() {
        return Err(Exception::throw_message(ctx, NEEDS_A_REQUEST));
    }
    let (bound, cause, what) = match kind {
        Kind::Timer => (b.limits.timers, Cause::Timers, "timers"),
        Kind::Fetch => (b.limits.fetches, Cause::Fetches, "fetches"),
        Kind::Other => (b.limits.pending, Cause::Pending, "operations"),
    };
    if b.operations.borrow().count(kind) >= bound as usize {
        return Err(b.trip(ctx, cause, &format!("too many {what} in flight: the limit is {bound}")));
    }
    let work = work();
    // Pieces of bodies are many, and who awaits one has got the body from an operation that is traced.
    let origin = match work {
        Work::Chunk(_) | Work::Piece(_) => b.origin.borrow().clone(),
        _ => joined(&trace(ctx), &b.origin.borrow()),
    };
    Ok(b.operations.borrow_mut().start(kind, work, origin))
}

//! `fetch` and bodies in pieces. The host's streams and the pipes that JavaScript writes into are known by numbers of the
//! current lease; a number of an earlier one names nothing.

use std::rc::Rc;

use rquickjs::{Ctx, Exception, Function as JsFunction, IntoJs, Object, TypedArray, Value};

use super::exchange::side;
use super::operations::start;
use super::{Text, bytes_of};
use crate::bridge::{Bridge, throw};
use crate::host::{HttpBody, HttpRequest, HttpResponse};
use crate::operations::{Kind, Work};

/// Largest header field list of one `fetch`.
const MAX_FIELDS: usize = 200;

pub(super) fn fill<'js>(ctx: &Ctx<'js>, table: &Object<'js>, bridge: &Rc<Bridge>) -> rquickjs::Result<()> {
    fetch(ctx, table, bridge)?;
    streams(ctx, table, bridge)?;
    pipes(ctx, table, bridge)
}

fn fetch<'js>(ctx: &Ctx<'js>, table: &Object<'js>, bridge: &Rc<Bridge>) -> rquickjs::Result<()> {
    let b = bridge.clone();
    let fetch = move |ctx: Ctx<'js>,
                      Text(method): Text,
                      Text(url): Text,
                      flat: Vec<Text>,
                      data: Value<'js>,
                      pipe: f64,
                      timeout_ms: f64| {
        if flat.len() > MAX_FIELDS * 2 {
            return Err(Exception::throw_type(&ctx, "fetch: too many header fields: at most 200"));
        }
        let host = host_of(&url);
        b.grants.fetch(host).map_err(|missing| Exception::throw_message(&ctx, &missing.to_string()))?;
        let body = if pipe >= 0.0 {
            let pipe = b.streams.borrow().pipe(pipe as u32);
            let pipe = pipe.ok_or_else(|| Exception::throw_type(&ctx, "fetch: no such pipe"))?;
            HttpBody::Stream(pipe.reader())
        } else if data.is_undefined() {
            HttpBody::Empty
        } else {
            HttpBody::Whole(bytes_of(&ctx, &data)?)
        };
        let mut texts = flat.into_iter().map(|Text(text)| text);
        let mut fields = Vec::new();
        while let (Some(name), Some(value)) = (texts.next(), texts.next()) {
            fields.push((name, value));
        }
        let request = HttpRequest {
            method,
            url,
            fields,
            body,
            timeout_ms: inherited(&b, &ctx, (timeout_ms >= 0.0).then_some(timeout_ms as u64))?,
            allow_private: b.grants.private(),
        };
        start(&b, &ctx, Kind::Fetch, || Work::Fetch(b.host.fetch(request)))
    };
    table.set("fetch", JsFunction::new(ctx.clone(), fetch)?)
}

/// The time a `fetch` may take: its own bound, or what is left of the request's.
fn inherited(b: &Bridge, ctx: &Ctx<'_>, own: Option<u64>) -> rquickjs::Result<Option<u64>> {
    let left = b.exchange(b.generation()).and_then(|exchange| exchange.remaining_ms());
    match (own, left) {
        (_, Some(0)) => Err(Exception::throw_message(
            ctx,
            "fetch: the time of this request is used up (the service's requestTimeout)",
        )),
        (Some(own), Some(left)) => Ok(Some(own.min(left))),
        (own, left) => Ok(own.or(left)),
    }
}

fn streams<'js>(ctx: &Ctx<'js>, table: &Object<'js>, bridge: &Rc<Bridge>) -> rquickjs::Result<()> {
    let b = bridge.clone();
    let read = move |ctx: Ctx<'js>, stream: u32| {
        let chunks = b.streams.borrow().stream(stream);
        let chunks = chunks.ok_or_else(|| Exception::throw_message(&ctx, "the request is over"))?;
        start(&b, &ctx, Kind::Other, || Work::Chunk(chunks))
    };
    table.set("streamRead", JsFunction::new(ctx.clone(), read)?)?;

    let b = bridge.clone();
    let cancel = move |stream: u32| b.streams.borrow_mut().drop_stream(stream);
    table.set("streamCancel", JsFunction::new(ctx.clone(), cancel)?)?;

    let b = bridge.clone();
    let body = move |ctx: Ctx<'js>, g: u32, s: u8| {
        let chunks = b.try_ask(&ctx, g, |x| x.body(side(s)))?;
        b.streams.borrow_mut().add_stream(chunks).ok_or_else(|| crowded(&ctx))
    };
    table.set("bodyStream", JsFunction::new(ctx.clone(), body)?)
}

fn pipes<'js>(ctx: &Ctx<'js>, table: &Object<'js>, bridge: &Rc<Bridge>) -> rquickjs::Result<()> {
    let b = bridge.clone();
    let open = move |ctx: Ctx<'js>| {
        if !b.is_open() {
            return Err(Exception::throw_message(&ctx, "this works only while a request is being handled"));
        }
        b.streams.borrow_mut().add_pipe().ok_or_else(|| crowded(&ctx))
    };
    table.set("pipeOpen", JsFunction::new(ctx.clone(), open)?)?;

    let b = bridge.clone();
    let write = move |ctx: Ctx<'js>, pipe: u32, data: Value<'js>| {
        let bytes = bytes_of(&ctx, &data)?;
        let pipe = b.streams.borrow().pipe(pipe);
        let pipe = pipe.ok_or_else(|| Exception::throw_message(&ctx, "the request is over"))?;
        start(&b, &ctx, Kind::Other, || Work::Piece(pipe.write(bytes)))
    };
    table.set("pipeWrite", JsFunction::new(ctx.clone(), write)?)?;

    let b = bridge.clone();
    let close = move |pipe: u32| {
        if let Some(pipe) = b.streams.borrow_mut().take_pipe(pipe) {
            pipe.end(None);
        }
    };
    table.set("pipeClose", JsFunction::new(ctx.clone(), close)?)?;

    let b = bridge.clone();
    let fail = move |pipe: u32, Text(why): Text| {
        if let Some(pipe) = b.streams.borrow_mut().take_pipe(pipe) {
            pipe.end(Some(why));
        }
    };
    table.set("pipeFail", JsFunction::new(ctx.clone(), fail)?)?;

    let b = bridge.clone();
    // A stream of the host's becomes a body as it is.
    let pass = move |ctx: Ctx<'js>, g: u32, s: u8, stream: u32| {
        let chunks = b.streams.borrow().stream(stream);
        let chunks = chunks.ok_or_else(|| Exception::throw_type(&ctx, "no such stream"))?;
        b.try_ask(&ctx, g, |x| x.stream_body(side(s), chunks))?;
        b.streams.borrow_mut().drop_stream(stream);
        Ok::<_, rquickjs::Error>(())
    };
    table.set("passBody", JsFunction::new(ctx.clone(), pass)?)?;

    // The class whose objects functions may return is there from now on.
    let b = bridge.clone();
    table.set("responses", JsFunction::new(ctx.clone(), move || b.has_responses.set(true))?)?;

    let b = bridge.clone();
    let body = move |ctx: Ctx<'js>, g: u32, s: u8, pipe: u32| {
        let pipe = b.streams.borrow().pipe(pipe);
        let pipe = pipe.ok_or_else(|| Exception::throw_type(&ctx, "no such pipe"))?;
        b.ask(&ctx, g, |x| x.stream_body(side(s), pipe.reader()))?.map_err(|refused| throw(&ctx, &refused))
    };
    table.set("writeBodyPipe", JsFunction::new(ctx.clone(), body)?)
}

/// What the prelude gets when a `fetch` has its head: `[status, reason, flat fields, stream]`.
pub(crate) fn response<'js>(
    ctx: &Ctx<'js>,
    bridge: &Bridge,
    response: HttpResponse,
) -> rquickjs::Result<Value<'js>> {
    let stream = bridge.streams.borrow_mut().add_stream(response.body).ok_or_else(|| crowded(ctx))?;
    let mut flat = Vec::with_capacity(response.fields.len() * 2);
    for (name, value) in &response.fields {
        flat.push(String::from_utf8_lossy(name).into_owned());
        flat.push(String::from_utf8_lossy(value).into_owned());
    }
    let parts = rquickjs::Array::new(ctx.clone())?;
    parts.set(0, response.status)?;
    parts.set(1, response.reason)?;
    parts.set(2, flat)?;
    parts.set(3, stream)?;
    Ok(parts.into_value())
}

/// A piece of a body for JavaScript; it is copied, so that it counts against the module's heap.
pub(crate) fn piece<'js>(ctx: &Ctx<'js>, piece: Option<Vec<u8>>) -> rquickjs::Result<Value<'js>> {
    match piece {
        Some(bytes) => TypedArray::<u8>::new_copy(ctx.clone(), bytes)?.into_js(ctx),
        None => Ok(Value::new_undefined(ctx.clone())),
    }
}

fn crowded(ctx: &Ctx<'_>) -> rquickjs::Error {
    Exception::throw_range(ctx, "too many bodies are open: read or cancel those that are there")
}

/// The host of a serialised URL, without port and userinfo; empty if there is none.
fn host_of(url: &str) -> &str {
    let Some((_, rest)) = url.split_once("://") else { return "" };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::host_of;

    #[test]
    fn hosts() {
        for (url, host) in [
            ("http://a.example/x", "a.example"),
            ("https://u:p@a.example:8443?x", "a.example"),
            ("http://[::1]:80/", "[::1]"),
            ("http://[::1]/", "[::1]"),
            ("http://a@b@c/", "c"),
            ("file", ""),
        ] {
            assert_eq!(host_of(url), host, "{url}");
        }
    }
}

//! The request and the response, as the prelude's classes see them. A header is copied when it is read, not before;
//! what may be written is for the [`Exchange`](crate::Exchange) to say, and its refusal becomes a thrown error.

use std::rc::Rc;

use rquickjs::{Array, Coerced, Ctx, Exception, Function as JsFunction, Object, Value};

use super::{Text, bytes_of};
use crate::bridge::Bridge;
use crate::host::{Described, RequestPart, Side};

pub(super) fn side(n: u8) -> Side {
    match n {
        0 => Side::Request,
        1 => Side::Upstream,
        _ => Side::Response,
    }
}

const PARTS: [RequestPart; 7] = [
    RequestPart::Method,
    RequestPart::Path,
    RequestPart::Query,
    RequestPart::Host,
    RequestPart::RemoteAddress,
    RequestPart::Protocol,
    RequestPart::Scheme,
];

pub(super) fn part(n: u8) -> RequestPart {
    PARTS[usize::from(n).min(PARTS.len() - 1)]
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

pub(super) fn fill<'js>(ctx: &Ctx<'js>, table: &Object<'js>, bridge: &Rc<Bridge>) -> rquickjs::Result<()> {
    fields(ctx, table, bridge)?;
    chain(ctx, table, bridge)?;
    line(ctx, table, bridge)?;
    response(ctx, table, bridge)
}

fn fields<'js>(ctx: &Ctx<'js>, table: &Object<'js>, bridge: &Rc<Bridge>) -> rquickjs::Result<()> {
    let b = bridge.clone();
    let values = move |ctx: Ctx<'js>, g: u32, s: u8, name: Text| {
        let mut all = Vec::new();
        b.ask(&ctx, g, |x| x.field(side(s), &name.0, &mut |value| all.push(lossy(value))))?;
        Ok::<_, rquickjs::Error>(all)
    };
    table.set("fieldValues", JsFunction::new(ctx.clone(), values)?)?;

    let b = bridge.clone();
    let all = move |ctx: Ctx<'js>, g: u32, s: u8| {
        let mut flat = Vec::new();
        b.ask(&ctx, g, |x| x.fields(side(s), &mut |name, value| flat.extend([lossy(name), lossy(value)])))?;
        Ok::<_, rquickjs::Error>(flat)
    };
    table.set("fields", JsFunction::new(ctx.clone(), all)?)?;

    let b = bridge.clone();
    let trailers = move |ctx: Ctx<'js>, g: u32| {
        let mut flat = Vec::new();
        b.ask(&ctx, g, |x| x.trailers(&mut |name, value| flat.extend([lossy(name), lossy(value)])))?;
        Ok::<_, rquickjs::Error>(flat)
    };
    table.set("trailers", JsFunction::new(ctx.clone(), trailers)?)
}

/// Values that the modules of one exchange share.
fn chain<'js>(ctx: &Ctx<'js>, table: &Object<'js>, bridge: &Rc<Bridge>) -> rquickjs::Result<()> {
    let b = bridge.clone();
    let is_chained = move |ctx: Ctx<'js>, g: u32| b.ask(&ctx, g, |x| x.is_chained());
    table.set("isChained", JsFunction::new(ctx.clone(), is_chained)?)?;
    let b = bridge.clone();
    let share =
        move |ctx: Ctx<'js>, g: u32, key: Text, json: Text| b.ask(&ctx, g, |x| x.share(&key.0, json.0));
    table.set("share", JsFunction::new(ctx.clone(), share)?)?;
    let b = bridge.clone();
    let shared = move |ctx: Ctx<'js>, g: u32, key: Text| {
        b.ask(&ctx, g, |x| x.shared(&key.0).map(|json| json.to_string()))
    };
    table.set("shared", JsFunction::new(ctx.clone(), shared)?)
}

fn line<'js>(ctx: &Ctx<'js>, table: &Object<'js>, bridge: &Rc<Bridge>) -> rquickjs::Result<()> {
    let b = bridge.clone();
    let id = move |ctx: Ctx<'js>, g: u32| b.ask(&ctx, g, |x| x.id());
    table.set("id", JsFunction::new(ctx.clone(), id)?)?;

    let b = bridge.clone();
    let describe = move |ctx: Ctx<'js>, g: u32, what: u8| {
        let what = match what {
            0 => Described::Route,
            1 => Described::Service,
            _ => Described::Namespace,
        };
        match b.ask(&ctx, g, |x| x.describe(what))? {
            Some(json) => ctx.json_parse(&*json),
            None => Ok(Value::new_null(ctx.clone())),
        }
    };
    table.set("describe", JsFunction::new(ctx.clone(), describe)?)?;

    let b = bridge.clone();
    let params = move |ctx: Ctx<'js>, g: u32| {
        let mut flat = Vec::new();
        b.ask(&ctx, g, |x| {
            x.path_params(&mut |name, value| flat.extend([name.to_owned(), value.to_owned()]))
        })?;
        Ok::<_, rquickjs::Error>(flat)
    };
    table.set("params", JsFunction::new(ctx.clone(), params)?)?;

    let b = bridge.clone();
    let write = move |ctx: Ctx<'js>, g: u32, n: u8, value: Text| {
        b.try_ask(&ctx, g, |x| x.set_request_part(part(n), &value.0))
    };
    table.set("setPart", JsFunction::new(ctx.clone(), write)?)?;

    table.set("queryParse", JsFunction::new(ctx.clone(), |text: Text| parse_query(&text.0))?)?;
    let encode = |flat: Array<'js>| {
        let flat: Vec<String> = flat.iter::<String>().collect::<Result<_, _>>()?;
        Ok::<_, rquickjs::Error>(encode_query(&flat))
    };
    table.set("queryEncode", JsFunction::new(ctx.clone(), encode)?)
}

fn response<'js>(ctx: &Ctx<'js>, table: &Object<'js>, bridge: &Rc<Bridge>) -> rquickjs::Result<()> {
    let b = bridge.clone();
    let set_status = move |ctx: Ctx<'js>, g: u32, s: u8, status: Coerced<f64>| {
        let whole = status.0.fract() == 0.0 && (0.0..=65535.0).contains(&status.0);
        if !whole {
            return Err(Exception::throw_range(&ctx, "the status must be a whole number from 200 to 599"));
        }
        b.try_ask(&ctx, g, |x| x.set_status(side(s), status.0 as u16))
    };
    table.set("setStatus", JsFunction::new(ctx.clone(), set_status)?)?;

    let b = bridge.clone();
    let protocol = move |ctx: Ctx<'js>, g: u32| b.ask(&ctx, g, |x| x.upstream_protocol());
    table.set("protocol", JsFunction::new(ctx.clone(), protocol)?)?;

    let b = bridge.clone();
    let length = move |ctx: Ctx<'js>, g: u32, s: u8| {
        b.ask(&ctx, g, |x| x.content_length(side(s)).map_or(-1.0, |n| n as f64))
    };
    table.set("contentLength", JsFunction::new(ctx.clone(), length)?)?;

    let b = bridge.clone();
    let write = move |ctx: Ctx<'js>, g: u32, s: u8, data: Value<'js>| {
        let body = bytes_of(&ctx, &data)?;
        b.try_ask(&ctx, g, |x| x.write_body(side(s), body))
    };
    table.set("writeBody", JsFunction::new(ctx.clone(), write)?)?;

    let b = bridge.clone();
    let end = move |ctx: Ctx<'js>, g: u32| b.try_ask(&ctx, g, |x| x.end_response());
    table.set("endResponse", JsFunction::new(ctx.clone(), end)?)?;

    let b = bridge.clone();
    let ended = move |ctx: Ctx<'js>, g: u32| b.ask(&ctx, g, |x| x.response_ended());
    table.set("ended", JsFunction::new(ctx.clone(), ended)?)
}

/// `a=1&b=%20` → `[a, 1, b, " "]`, by the rules of the URL standard (5.1): `+` is a space, broken escapes stay.
fn parse_query(query: &str) -> Vec<String> {
    let pairs = query.split('&').filter(|p| !p.is_empty());
    pairs.flat_map(|p| p.split_once('=').map_or([p, ""], |(k, v)| [k, v])).map(decode).collect()
}

fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let hex = |i: usize| bytes.get(i).and_then(|b| char::from(*b).to_digit(16));
    let (mut out, mut i) = (Vec::with_capacity(bytes.len()), 0);
    while i < bytes.len() {
        match (bytes[i], hex(i + 1), hex(i + 2)) {
            (b'%', Some(high), Some(low)) => {
                out.push((high << 4 | low) as u8);
                i += 2;
            }
            (b'+', ..) => out.push(b' '),
            (b, ..) => out.push(b),
        }
        i += 1;
    }
    lossy(&out)
}

fn encode_query(flat: &[String]) -> String {
    let mut out = String::new();
    for pair in flat.chunks(2) {
        if !out.is_empty() {
            out.push('&');
        }
        encode(&mut out, &pair[0]);
        out.push('=');
        encode(&mut out, pair.get(1).map_or("", String::as_str));
    }
    out
}

fn encode(out: &mut String, text: &str) {
    for b in text.bytes() {
        match b {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' | b'*' => out.push(b.into()),
            b' ' => out.push('+'),
            _ => out.push_str(&format!("%{b:02X}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries() {
        for (raw, flat, again) in [
            ("", vec![], ""),
            ("a=1&b=2", vec!["a", "1", "b", "2"], "a=1&b=2"),
            ("a=1&a=%20+&c", vec!["a", "1", "a", "  ", "c", ""], "a=1&a=++&c="),
            ("x=%zz&y=%C3%A4", vec!["x", "%zz", "y", "ä"], "x=%25zz&y=%C3%A4"),
            ("&&=v", vec!["", "v"], "=v"),
        ] {
            let parsed = parse_query(raw);
            assert_eq!(parsed, flat, "{raw}");
            assert_eq!(encode_query(&parsed), again, "{raw}");
        }
    }
}

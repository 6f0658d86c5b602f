//! The native functions that the prelude is built on, as one table per context. Modules never see the table; every
//! function that touches a request carries the number of the lease it was meant for.

mod bare;
mod cache;
mod cookies;
mod crypto;
mod encoding;
mod exchange;
#[cfg(test)]
mod garbage;
mod guards;
mod hot;
mod lazy;
mod objects;
mod operations;
mod streams;
mod subtle;
mod text;
mod url;

use std::rc::Rc;

use rquickjs::function::This;
use rquickjs::{Ctx, Exception, FromJs, Function as JsFunction, Object, Value, qjs};

use crate::bridge::Bridge;

pub(crate) use cache::cached;
pub(crate) use hot::detach;
pub(crate) use objects::{Kinds, Objects, Rest, call, is_method, register};
pub(crate) use streams::{piece, response};
pub(crate) use subtle::kept::KeptKeys;
pub(crate) use text::console_line;

/// What every context starts with, and `need(group)` for the rest.
pub(crate) fn table<'js>(ctx: &Ctx<'js>, bridge: &Rc<Bridge>) -> rquickjs::Result<Object<'js>> {
    let table = Object::new(ctx.clone())?;
    exchange::fill(ctx, &table, bridge)?;
    guards::fill(ctx, &table)?;
    objects::fill(ctx, &table)?;
    cookies::fill(ctx, &table)?;
    hot::fill(ctx, &table, bridge)?;
    operations::fill(ctx, &table, bridge)?;
    text::fill(ctx, &table, bridge)?;
    cache::fill(ctx, &table, bridge)?;
    lazy::fill(ctx, &table, bridge)?;
    let b = bridge.clone();
    let need = move |ctx: Ctx<'js>, table: This<Object<'js>>, group: Text| match group.0.as_str() {
        "encoding" => encoding::fill(&ctx, &table.0),
        "storage" => cache::storage(&ctx, &table.0, &b),
        "hashes" => crypto::fill(&ctx, &table.0, &b),
        "streams" => streams::fill(&ctx, &table.0, &b),
        "webcrypto" => subtle::fill(&ctx, &table.0, &b),
        "kit" => match b.host.kit() {
            Some(world) => crate::kit::fill(&ctx, &table.0, &b, &world),
            None => Err(Exception::throw_type(&ctx, "the test kit is not here")),
        },
        "url" => url::fill(&ctx, &table.0),
        other => Err(Exception::throw_type(&ctx, &format!("there are no natives for '{other}'"))),
    };
    table.set("need", JsFunction::new(ctx.clone(), need)?)?;
    Ok(table)
}

/// Text as a module gave it: anything is turned into a string as JavaScript does it, and halves of surrogate pairs,
/// which UTF-8 has no form for, become U+FFFD.
pub(crate) struct Text(pub(crate) String);

impl<'js> FromJs<'js> for Text {
    fn from_js(ctx: &Ctx<'js>, value: Value<'js>) -> rquickjs::Result<Text> {
        match hot::Utf8::of(ctx.as_raw().as_ptr(), value.as_raw()) {
            Some(text) => Ok(Text(text.lossy().into_owned())),
            None => Err(rquickjs::Error::Exception),
        }
    }
}

/// True if the value is a string.
fn is_string(value: &Value<'_>) -> bool {
    // SAFETY: looks at the tag only.
    unsafe { qjs::JS_IsString(value.as_raw()) }
}

/// The bytes of what a module hands over as data: a string as UTF-8, an `ArrayBuffer` or a typed array. The prelude
/// makes a `Uint8Array` of other views. No exception is left pending: the engine would find it much later.
fn bytes_of<'js>(ctx: &Ctx<'js>, data: &Value<'js>) -> rquickjs::Result<Vec<u8>> {
    if is_string(data) {
        return Ok(Text::from_js(ctx, data.clone())?.0.into_bytes());
    }
    let (raw, value) = (ctx.as_raw().as_ptr(), data.as_raw());
    let copy = |buffer, at: usize, length: Option<usize>| {
        let mut size = 0;
        // SAFETY: a live context and value; the out-pointer is valid.
        let bytes = unsafe { qjs::JS_GetArrayBuffer(raw, &mut size, buffer) };
        if bytes.is_null() {
            // Of no bytes, or detached.
            drop(ctx.catch());
            return Some(Vec::new()).filter(|_| length.unwrap_or(0) == 0);
        }
        // SAFETY: the engine gave a pointer to that many bytes; they are copied before any JavaScript can run.
        let all = unsafe { std::slice::from_raw_parts(bytes, size as usize) };
        let end = length.map_or(Some(all.len()), |length| at.checked_add(length));
        end.and_then(|end| all.get(at..end)).map(<[u8]>::to_vec)
    };
    // SAFETY: these look at the value's class only.
    let (is_buffer, is_array) =
        unsafe { (qjs::JS_IsArrayBuffer(value), qjs::JS_GetTypedArrayType(value) >= 0) };
    let copied = if is_buffer {
        copy(value, 0, None)
    } else if is_array {
        let (mut at, mut length, mut each) = (0, 0, 0);
        // SAFETY: a live context and a typed array; the out-pointers are valid.
        let buffer = unsafe { qjs::JS_GetTypedArrayBuffer(raw, value, &mut at, &mut length, &mut each) };
        // SAFETY: a fresh value of this context, owned by nobody else; it is freed when it drops.
        let buffer = unsafe { Value::from_raw(ctx.clone(), buffer) };
        if buffer.is_exception() {
            return Err(rquickjs::Error::Exception);
        }
        copy(buffer.as_raw(), at as usize, Some(length as usize))
    } else {
        None
    };
    copied.ok_or_else(|| Exception::throw_type(ctx, "expected a string, an ArrayBuffer or a typed array"))
}

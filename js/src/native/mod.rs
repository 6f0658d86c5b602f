//! The native functions that the prelude is built on, as one table per context. Modules never see the table; every
//! function that touches a request carries the number of the lease it was meant for.

mod cache;
mod crypto;
mod encoding;
mod exchange;
mod guards;
mod hot;
mod lazy;
mod operations;
mod streams;
mod text;

use std::rc::Rc;

use rquickjs::function::This;
use rquickjs::{Ctx, Exception, FromJs, Function as JsFunction, Object, TypedArray, Value, qjs};

use crate::bridge::Bridge;

pub(crate) use cache::cached;
pub(crate) use hot::detach;
pub(crate) use streams::{piece, response};
pub(crate) use text::console_line;

/// What every context starts with, and `need(group)` for the rest.
pub(crate) fn table<'js>(ctx: &Ctx<'js>, bridge: &Rc<Bridge>) -> rquickjs::Result<Object<'js>> {
    let table = Object::new(ctx.clone())?;
    exchange::fill(ctx, &table, bridge)?;
    guards::fill(ctx, &table)?;
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

/// The bytes of what a module hands over as data: a string as UTF-8, an `ArrayBuffer`, a typed array or view.
fn bytes_of<'js>(ctx: &Ctx<'js>, data: &Value<'js>) -> rquickjs::Result<Vec<u8>> {
    if is_string(data) {
        return Ok(Text::from_js(ctx, data.clone())?.0.into_bytes());
    }
    let refuse = || Exception::throw_type(ctx, "expected a string, an ArrayBuffer or a typed array");
    let object = data.as_object().ok_or_else(refuse)?;
    if let Some(buffer) = object.as_array_buffer() {
        // SAFETY: copied at once, before any JavaScript can run.
        return unsafe { buffer.as_bytes() }.map(<[u8]>::to_vec).ok_or_else(refuse);
    }
    if let Ok(array) = TypedArray::<u8>::from_object(object.clone()) {
        // SAFETY: as above.
        return unsafe { array.as_bytes() }.map(<[u8]>::to_vec).ok_or_else(refuse);
    }
    // Other views are handed on by the prelude as a Uint8Array over the same bytes.
    Err(refuse())
}

//! The native functions that the prelude is built on, as one table per context. Modules never see the table; every
//! function that touches a request carries the number of the lease it was meant for.

mod crypto;
mod exchange;
mod operations;
mod text;

use std::rc::Rc;

use rquickjs::{Ctx, Exception, Object, TypedArray, Value};

use crate::bridge::Bridge;

pub(crate) use text::console_line;

/// All of them.
pub(crate) fn table<'js>(ctx: &Ctx<'js>, bridge: &Rc<Bridge>) -> rquickjs::Result<Object<'js>> {
    let table = Object::new(ctx.clone())?;
    exchange::fill(ctx, &table, bridge)?;
    operations::fill(ctx, &table, bridge)?;
    text::fill(ctx, &table, bridge)?;
    crypto::fill(ctx, &table, bridge)?;
    Ok(table)
}

/// The bytes of what a module hands over as data: a string as UTF-8, an `ArrayBuffer`, a typed array or view.
fn bytes_of<'js>(ctx: &Ctx<'js>, data: &Value<'js>) -> rquickjs::Result<Vec<u8>> {
    if let Some(text) = data.as_string() {
        return Ok(text.to_string()?.into_bytes());
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

//! The functions that nearly every call uses, straight on the engine's C interface: header fields, parts of the
//! request, the status. They take no detour over Rust closures and owned strings. A panic of the host must not
//! cross the engine's frames, so it is caught here and goes on once they are left.

use std::borrow::Cow;
use std::ffi::CStr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;
use std::rc::Rc;

use rquickjs::qjs::{self, JSContext, JSValue};
use rquickjs::{Ctx, Exception, Object, Value};

use super::exchange::{part, side};
use crate::bridge::{Bridge, throw};

/// The functions by their `magic`.
#[derive(Clone, Copy)]
#[repr(i32)]
pub(super) enum Op {
    FieldGet = 0,
    FieldSet,
    FieldAdd,
    FieldRemove,
    FieldHas,
    Part,
    Status,
}

const OPS: [(Op, &CStr); 7] = [
    (Op::FieldGet, c"fieldGet"),
    (Op::FieldSet, c"fieldSet"),
    (Op::FieldAdd, c"fieldAdd"),
    (Op::FieldRemove, c"fieldRemove"),
    (Op::FieldHas, c"fieldHas"),
    (Op::Part, c"part"),
    (Op::Status, c"status"),
];

pub(super) fn fill<'js>(ctx: &Ctx<'js>, table: &Object<'js>, bridge: &Rc<Bridge>) -> rquickjs::Result<()> {
    attach(ctx, bridge);
    resolved(ctx, table)?;
    for (op, name) in OPS {
        let raw = ctx.as_raw().as_ptr();
        let entry = qjs::JSCFunctionType { generic_magic: Some(enter) };
        // SAFETY: `enter` has the signature that `generic_magic` stands for, and the engine is told so.
        let function = unsafe {
            let kind = qjs::JSCFunctionEnum_JS_CFUNC_generic_magic;
            qjs::JS_NewCFunction2(raw, entry.generic, name.as_ptr(), 3, kind, op as i32)
        };
        // SAFETY: a fresh value of this context, owned by nobody else.
        let function = unsafe { Value::from_raw(ctx.clone(), function) };
        table.set(name.to_str()?, function)?;
    }
    Ok(())
}

/// Makes the bridge known to the context. It must stay alive until [`detach`].
fn attach(ctx: &Ctx<'_>, bridge: &Rc<Bridge>) {
    // SAFETY: only stored.
    unsafe { qjs::JS_SetContextOpaque(ctx.as_raw().as_ptr(), Rc::as_ptr(bridge).cast_mut().cast()) }
}

/// Makes the context forget its bridge, which lets go of what it has of the context.
pub(crate) fn detach(context: &rquickjs::Context) {
    let raw = context.as_raw().as_ptr();
    // SAFETY: null, or the bridge that `attach` put there, which is still alive; what it has is of this context.
    unsafe {
        if let Some(bridge) = qjs::JS_GetContextOpaque(raw).cast::<Bridge>().as_ref() {
            bridge.objects.end(raw);
        }
        qjs::JS_SetContextOpaque(raw, std::ptr::null_mut());
    }
}

/// A string of the engine, borrowed as UTF-8 (as it is, if it is ASCII). Freed when dropped.
pub(super) struct Utf8 {
    ctx: *mut JSContext,
    text: NonNull<u8>,
    len: usize,
}

impl Utf8 {
    /// Converts a value as `String(value)` does; that may run JavaScript. `None`: an exception is pending.
    pub(super) fn of(ctx: *mut JSContext, value: JSValue) -> Option<Utf8> {
        let mut len = 0;
        // SAFETY: a live context and a value of it; the out-pointer is valid.
        let text = unsafe { qjs::JS_ToCStringLen2(ctx, &mut len, value, false) };
        Some(Utf8 { ctx, text: NonNull::new(text.cast_mut().cast())?, len: len as usize })
    }

    /// The same, for functions that pass an exception on.
    pub(super) fn read(ctx: &Ctx<'_>, value: JSValue) -> rquickjs::Result<Utf8> {
        Utf8::of(ctx.as_raw().as_ptr(), value).ok_or(rquickjs::Error::Exception)
    }

    /// Its bytes; half a surrogate pair is three bytes, as if it were a character.
    pub(super) fn bytes(&self) -> &[u8] {
        // SAFETY: the engine gave a pointer to that many bytes, valid until they are freed.
        unsafe { std::slice::from_raw_parts(self.text.as_ptr(), self.len) }
    }

    /// The text; half a surrogate pair, which UTF-8 has no form for, becomes one U+FFFD (Web IDL, USVString).
    pub(super) fn lossy(&self) -> Cow<'_, str> {
        let bytes = self.bytes();
        match std::str::from_utf8(bytes) {
            Ok(text) => Cow::Borrowed(text),
            Err(_) => Cow::Owned(without_halves(bytes)),
        }
    }
}

/// The engine writes half a pair as three bytes, as if it were a character.
fn without_halves(bytes: &[u8]) -> String {
    let mut text = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some(at) = rest.windows(3).position(|w| w[0] == 0xed && w[1] >= 0xa0) {
        text.extend_from_slice(&rest[..at]);
        text.extend_from_slice("\u{fffd}".as_bytes());
        rest = &rest[at + 3..];
    }
    text.extend_from_slice(rest);
    String::from_utf8_lossy(&text).into_owned()
}

impl Drop for Utf8 {
    fn drop(&mut self) {
        // SAFETY: came from `JS_ToCStringLen2` and is freed once.
        unsafe { qjs::JS_FreeCString(self.ctx, self.text.as_ptr().cast()) }
    }
}

/// Puts a function of `N` arguments into a table. It may capture nothing: the engine knows it by its code alone.
pub(super) fn install<'js, const N: usize, F>(
    ctx: &Ctx<'js>,
    table: &Object<'js>,
    name: &CStr,
    function: F,
) -> rquickjs::Result<()>
where
    F: for<'a> Fn(&Ctx<'a>, &Bridge, [JSValue; N]) -> rquickjs::Result<JSValue> + Copy + 'static,
{
    const { assert!(size_of::<F>() == 0, "it captures nothing") };
    let _ = function;
    // SAFETY: `enter_one` has the signature of a generic function; a live context and a C string.
    let value = unsafe {
        let kind = qjs::JSCFunctionEnum_JS_CFUNC_generic;
        let raw = ctx.as_raw().as_ptr();
        Value::from_raw(
            ctx.clone(),
            qjs::JS_NewCFunction2(raw, Some(enter_one::<N, F>), name.as_ptr(), N as i32, kind, 0),
        )
    };
    table.set(name.to_str()?, value)
}

unsafe extern "C" fn enter_one<const N: usize, F>(
    ctx: *mut JSContext,
    _: JSValue,
    _: i32,
    argv: *mut JSValue,
) -> JSValue
where
    F: for<'a> Fn(&Ctx<'a>, &Bridge, [JSValue; N]) -> rquickjs::Result<JSValue> + Copy + 'static,
{
    // SAFETY: the function was declared with `N` arguments, so the engine gives at least these; a type without size has one
    // value, which was there when `install` was called.
    let (arguments, function) =
        unsafe { (std::array::from_fn(|at| *argv.add(at)), NonNull::<F>::dangling().read()) };
    // SAFETY: null, or the bridge that `attach` put there and `detach` takes away before it dies.
    let Some(bridge) = (unsafe { qjs::JS_GetContextOpaque(ctx).cast::<Bridge>().as_ref() }) else {
        return fail(ctx, "the request is over");
    };
    match catch_unwind(AssertUnwindSafe(|| function(&context(ctx), bridge, arguments))) {
        Ok(Ok(value)) => value,
        Ok(Err(rquickjs::Error::Exception)) => qjs::JS_EXCEPTION,
        Ok(Err(error)) => {
            Exception::throw_type(&context(ctx), &error.to_string());
            qjs::JS_EXCEPTION
        }
        Err(panic) => {
            bridge.panic.set(Some(panic));
            fail(ctx, "the host failed")
        }
    }
}

/// `resolved(value)`: a promise of it, for a third of what a function that is async itself would take. The value must be no
/// thenable of a module's.
fn resolved<'js>(ctx: &Ctx<'js>, table: &Object<'js>) -> rquickjs::Result<()> {
    install(ctx, table, c"resolved", |ctx, _, [mut value]| {
        let raw = ctx.as_raw().as_ptr();
        let mut settle = [qjs::JS_UNDEFINED; 2];
        // SAFETY: a live context, room for the two functions, which are freed, and a value that the engine lent.
        unsafe {
            let promise = qjs::JS_NewPromiseCapability(raw, settle.as_mut_ptr());
            if qjs::JS_IsException(promise) {
                return Err(rquickjs::Error::Exception);
            }
            let done = qjs::JS_Call(raw, settle[0], qjs::JS_UNDEFINED, 1, &mut value);
            let has_failed = qjs::JS_IsException(done);
            for used in [done, settle[0], settle[1]] {
                qjs::JS_FreeValue(raw, used);
            }
            if has_failed {
                qjs::JS_FreeValue(raw, promise);
                return Err(rquickjs::Error::Exception);
            }
            Ok(promise)
        }
    })
}

/// A value that the engine lent, with a reference of its own.
pub(super) fn value<'js>(ctx: &Ctx<'js>, lent: JSValue) -> Value<'js> {
    // SAFETY: a live value of a live context.
    unsafe { Value::from_raw(ctx.clone(), qjs::JS_DupValue(ctx.as_raw().as_ptr(), lent)) }
}

/// A value for the engine to own.
pub(super) fn hand_over(value: Value<'_>) -> JSValue {
    // SAFETY: a live value of a live context; its reference goes with this, and the engine's own stays.
    unsafe { qjs::JS_DupValue(value.ctx().as_raw().as_ptr(), value.as_raw()) }
}

pub(super) fn number(n: i32) -> JSValue {
    qjs::JS_MKVAL(qjs::JS_TAG_INT, n)
}

pub(super) fn is_string(value: JSValue) -> bool {
    // SAFETY: looks at the tag only.
    unsafe { qjs::JS_IsString(value) }
}

pub(super) fn is_undefined(value: JSValue) -> bool {
    // SAFETY: looks at the tag only.
    unsafe { qjs::JS_IsUndefined(value) }
}

/// `false`, and nothing that could be taken for it.
pub(super) fn is_false(value: JSValue) -> bool {
    // SAFETY: looks at the tag only.
    let is_boolean = unsafe { qjs::JS_VALUE_GET_TAG(value) == qjs::JS_TAG_BOOL };
    is_boolean && !is_true(value)
}

/// `true`, and nothing that could be taken for it.
pub(super) fn is_true(value: JSValue) -> bool {
    // SAFETY: looks at the tag, then at what it says is there.
    unsafe { qjs::JS_VALUE_GET_TAG(value) == qjs::JS_TAG_BOOL && qjs::JS_VALUE_GET_BOOL(value) }
}

unsafe extern "C" fn enter(
    ctx: *mut JSContext,
    _this: JSValue,
    argc: i32,
    argv: *mut JSValue,
    magic: i32,
) -> JSValue {
    // SAFETY: the engine gives at least as many arguments as the function was declared with, and `argc` of them.
    let arguments = unsafe { std::slice::from_raw_parts(argv, (argc.max(3)) as usize) };
    // SAFETY: null, or the bridge that `attach` put there and `detach` takes away before it dies.
    let Some(bridge) = (unsafe { qjs::JS_GetContextOpaque(ctx).cast::<Bridge>().as_ref() }) else {
        return fail(ctx, "the request is over");
    };
    let (Some(op), Some(handle)) = (OPS.get(magic as usize), integer(arguments[0])) else {
        return fail(ctx, "not a handle");
    };
    guarded(ctx, bridge, op.0, handle, arguments[1], arguments[2])
}

/// One of the functions, with a panic of the host caught.
pub(super) fn guarded(
    ctx: *mut JSContext,
    bridge: &Bridge,
    op: Op,
    handle: u32,
    name: JSValue,
    value: JSValue,
) -> JSValue {
    match catch_unwind(AssertUnwindSafe(|| run(ctx, bridge, op, handle, name, value))) {
        Ok(value) => value,
        Err(panic) => {
            bridge.panic.set(Some(panic));
            fail(ctx, "the host failed")
        }
    }
}

fn run(ctx: *mut JSContext, bridge: &Bridge, op: Op, handle: u32, name: JSValue, value: JSValue) -> JSValue {
    // A handle is the lease's number and, in the last two bits, the side.
    let (generation, of) = (handle >> 2, side((handle & 3) as u8));
    let exchange = match op {
        Op::Status => bridge.exchange(generation),
        Op::Part => {
            let n = integer(name).unwrap_or(0) as u8;
            return match bridge.exchange(generation) {
                Some(exchange) => string(ctx, exchange.request_part(part(n)).as_bytes()),
                None => fail(ctx, "the request is over"),
            };
        }
        _ => {
            let Some(name) = Utf8::of(ctx, name) else { return qjs::JS_EXCEPTION };
            let value = match op {
                Op::FieldSet | Op::FieldAdd => match Utf8::of(ctx, value) {
                    Some(value) => Some(value),
                    None => return qjs::JS_EXCEPTION,
                },
                _ => None,
            };
            let Some(exchange) = bridge.exchange(generation) else { return fail(ctx, "the request is over") };
            let (name, value) = (name.lossy(), value.as_ref().map(Utf8::lossy));
            let value = value.as_deref().unwrap_or_default().as_bytes();
            let done = match op {
                Op::FieldSet => exchange.set_field(of, &name, value).map(|()| qjs::JS_UNDEFINED),
                Op::FieldAdd => exchange.add_field(of, &name, value).map(|()| qjs::JS_UNDEFINED),
                Op::FieldRemove => exchange.remove_field(of, &name).map(boolean),
                Op::FieldHas => {
                    let mut found = false;
                    exchange.field(of, &name, &mut |_| found = true);
                    Ok(boolean(found))
                }
                _ => {
                    let mut first = None;
                    exchange.field(of, &name, &mut |value| {
                        first.get_or_insert_with(|| string(ctx, value));
                    });
                    Ok(first.unwrap_or_else(|| string(ctx, b"")))
                }
            };
            return done.unwrap_or_else(|refused| {
                throw(&context(ctx), &refused);
                qjs::JS_EXCEPTION
            });
        }
    };
    match exchange {
        Some(exchange) => qjs::JS_MKVAL(qjs::JS_TAG_INT, exchange.status(of).into()),
        None => fail(ctx, "the request is over"),
    }
}

/// A number that a handle can be: not negative, whole.
pub(super) fn integer(value: JSValue) -> Option<u32> {
    // SAFETY: looks at the tag, then at the number that the tag says is there.
    unsafe {
        let is_int = qjs::JS_VALUE_GET_TAG(value) == qjs::JS_TAG_INT;
        is_int.then(|| qjs::JS_VALUE_GET_INT(value)).and_then(|n| u32::try_from(n).ok())
    }
}

pub(super) fn boolean(value: bool) -> JSValue {
    if value { qjs::JS_TRUE } else { qjs::JS_FALSE }
}

/// A string of the engine; bytes that are no UTF-8 are replaced.
pub(super) fn string(ctx: *mut JSContext, bytes: &[u8]) -> JSValue {
    let text = String::from_utf8_lossy(bytes);
    // SAFETY: a live context; the bytes are copied.
    unsafe { qjs::JS_NewStringLen(ctx, text.as_ptr().cast(), text.len() as _) }
}

pub(super) fn context<'js>(ctx: *mut JSContext) -> Ctx<'js> {
    // SAFETY: the engine calls with the context the function was made in, which lives through the call.
    unsafe { Ctx::from_raw(NonNull::new_unchecked(ctx)) }
}

pub(super) fn fail(ctx: *mut JSContext, message: &str) -> JSValue {
    Exception::throw_message(&context(ctx), message);
    qjs::JS_EXCEPTION
}

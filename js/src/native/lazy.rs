//! Globals that are made when they are first touched: an accessor of the global object evaluates the prelude's
//! module that has them and is replaced by a data property. User code gets at no module by this way, only at the
//! globals listed here; and a module is never evaluated while another one is, which the engine could not bear.

use std::ffi::CStr;
use std::ptr::NonNull;
use std::rc::Rc;

use rquickjs::function::This;
use rquickjs::qjs::{self, JSContext, JSValue};
use rquickjs::{Ctx, Exception, Function as JsFunction, Object, Value};

use super::Text;
use crate::bridge::Bridge;

/// Globals and the module that exposes them.
const LAZY: &[(&CStr, &CStr)] = &[
    (c"console", c"tidegate:console"),
    (c"setTimeout", c"tidegate:timers"),
    (c"setInterval", c"tidegate:timers"),
    (c"clearTimeout", c"tidegate:timers"),
    (c"clearInterval", c"tidegate:timers"),
    (c"performance", c"tidegate:timers"),
    (c"atob", c"tidegate:encoding"),
    (c"btoa", c"tidegate:encoding"),
    (c"TextEncoder", c"tidegate:encoding"),
    (c"TextDecoder", c"tidegate:encoding"),
    (c"DOMException", c"tidegate:exception"),
    (c"URL", c"tidegate:url"),
    (c"URLSearchParams", c"tidegate:url"),
    (c"URLPattern", c"tidegate:pattern"),
    (c"structuredClone", c"tidegate:clone"),
    (c"crypto", c"tidegate:webcrypto"),
    (c"CryptoKey", c"tidegate:webcrypto"),
    (c"Event", c"tidegate:events"),
    (c"CustomEvent", c"tidegate:events"),
    (c"EventTarget", c"tidegate:events"),
    (c"AbortController", c"tidegate:abort"),
    (c"AbortSignal", c"tidegate:abort"),
    (c"ReadableStream", c"tidegate:streams/main"),
    (c"ReadableStreamDefaultReader", c"tidegate:streams/main"),
    (c"ReadableStreamDefaultController", c"tidegate:streams/main"),
    (c"ReadableByteStreamController", c"tidegate:streams/main"),
    (c"WritableStream", c"tidegate:streams/main"),
    (c"WritableStreamDefaultWriter", c"tidegate:streams/main"),
    (c"WritableStreamDefaultController", c"tidegate:streams/main"),
    (c"TransformStream", c"tidegate:streams/main"),
    (c"TransformStreamDefaultController", c"tidegate:streams/main"),
    (c"CountQueuingStrategy", c"tidegate:streams/main"),
    (c"ByteLengthQueuingStrategy", c"tidegate:streams/main"),
    (c"TextDecoderStream", c"tidegate:streams/text"),
    (c"TextEncoderStream", c"tidegate:streams/text"),
    (c"Headers", c"tidegate:web/headers"),
    (c"Blob", c"tidegate:web/blob"),
    (c"File", c"tidegate:web/blob"),
    (c"FormData", c"tidegate:web/blob"),
    (c"Request", c"tidegate:web/message"),
    (c"Response", c"tidegate:web/message"),
    (c"fetch", c"tidegate:web/fetch"),
];

const HIDDEN: i32 = (qjs::JS_PROP_CONFIGURABLE | qjs::JS_PROP_WRITABLE) as i32;

pub(super) fn fill<'js>(ctx: &Ctx<'js>, table: &Object<'js>, bridge: &Rc<Bridge>) -> rquickjs::Result<()> {
    let mut getters = Vec::with_capacity(LAZY.len());
    let vault = Object::new(ctx.clone())?;
    vault.set_prototype(None)?;
    for (i, (name, _)) in LAZY.iter().enumerate() {
        getters.push(install(ctx, name, i as i32, &vault)?);
    }
    // Globals that come after everything was locked; the getters look there.
    table.set("vault", vault)?;
    let b = bridge.clone();
    table.set("locked", JsFunction::new(ctx.clone(), move || b.locked.set(true))?)?;
    let expose = move |ctx: Ctx<'js>, name: Text, value: Value<'js>| {
        let at = LAZY.iter().position(|(known, _)| known.to_bytes() == name.0.as_bytes());
        match at.filter(|at| is_ours(&ctx, LAZY[*at].0, getters[*at])) {
            Some(at) => define(&ctx, LAZY[at].0, value),
            None => Ok(()),
        }
    };
    table.set("expose", JsFunction::new(ctx.clone(), expose)?)?;
    let b = bridge.clone();
    let load_named = move |ctx: Ctx<'js>, name: Text| {
        let name = std::ffi::CString::new(name.0)
            .map_err(|_| Exception::throw_type(&ctx, "a module's name has no zero byte"))?;
        load(&ctx, &b, &name)
    };
    table.set("load", JsFunction::new(ctx.clone(), load_named)?)?;
    let b = bridge.clone();
    let broken = move |ctx: Ctx<'js>, _: This<Value<'js>>, name: Text| {
        b.broken.set(true);
        Exception::from_message(ctx, &format!("'{}' could not be set up", name.0))
    };
    table.set("broken", JsFunction::new(ctx.clone(), broken)?)?;
    table.set("domException", JsFunction::new(ctx.clone(), dom_exception)?)
}

/// The engine's `DOMException`. It puts it among the globals too, if it can; it is found by an exception's prototype,
/// wherever that leads to.
fn dom_exception<'js>(ctx: Ctx<'js>) -> rquickjs::Result<Value<'js>> {
    let raw = ctx.as_raw().as_ptr();
    // SAFETY: a live context and C strings; what is thrown is taken at once.
    let thrown = unsafe {
        if qjs::JS_AddIntrinsicDOMException(raw) < 0 {
            return Err(rquickjs::Error::Exception);
        }
        qjs::JS_ThrowDOMException(raw, c"Error".as_ptr(), c"%s".as_ptr(), c"".as_ptr());
        Value::from_raw(ctx.clone(), qjs::JS_GetException(raw))
    };
    thrown.into_object().ok_or(rquickjs::Error::Exception)?.get("constructor")
}

/// Puts the accessor there and gives its getter's address.
fn install(ctx: &Ctx<'_>, name: &CStr, index: i32, vault: &Object<'_>) -> rquickjs::Result<usize> {
    let raw = ctx.as_raw().as_ptr();
    let kind = qjs::JSCFunctionEnum_JS_CFUNC_generic_magic;
    let entry = qjs::JSCFunctionType { generic_magic: Some(set) };
    let mut data = [vault.as_raw()];
    // SAFETY: both functions have the signatures that the engine is told; it takes its own reference to the vault.
    let (getter, setter) = unsafe {
        (
            qjs::JS_NewCFunctionData(raw, Some(get), 0, index, 1, data.as_mut_ptr()),
            qjs::JS_NewCFunction2(raw, entry.generic, name.as_ptr(), 1, kind, index),
        )
    };
    // SAFETY: looks at the pointer only.
    let address = unsafe { qjs::JS_VALUE_GET_PTR(getter) } as usize;
    // SAFETY: a live context; both values are handed over, the atom and the global object are freed.
    let rc = unsafe {
        let global = qjs::JS_GetGlobalObject(raw);
        let atom = qjs::JS_NewAtom(raw, name.as_ptr());
        let flags = qjs::JS_PROP_CONFIGURABLE as i32;
        let rc = qjs::JS_DefinePropertyGetSet(raw, global, atom, getter, setter, flags);
        qjs::JS_FreeAtom(raw, atom);
        qjs::JS_FreeValue(raw, global);
        rc
    };
    if rc < 0 { Err(rquickjs::Error::Exception) } else { Ok(address) }
}

/// True while the accessor that was put there is still in its place.
fn is_ours(ctx: &Ctx<'_>, name: &CStr, getter: usize) -> bool {
    let raw = ctx.as_raw().as_ptr();
    // SAFETY: a live context; the descriptor is filled if the answer is 1, and its values are freed then.
    unsafe {
        let global = qjs::JS_GetGlobalObject(raw);
        let atom = qjs::JS_NewAtom(raw, name.as_ptr());
        let mut found = std::mem::zeroed::<qjs::JSPropertyDescriptor>();
        let there = qjs::JS_GetOwnProperty(raw, &mut found, global, atom) == 1;
        let mut ours = false;
        if there {
            let accessor = found.flags & qjs::JS_PROP_GETSET as i32 != 0;
            ours = accessor && qjs::JS_VALUE_GET_PTR(found.getter) as usize == getter;
            for value in [found.getter, found.setter, found.value] {
                qjs::JS_FreeValue(raw, value);
            }
        }
        qjs::JS_FreeAtom(raw, atom);
        qjs::JS_FreeValue(raw, global);
        ours
    }
}

/// A global as a data property, as the standards have them.
fn define<'js>(ctx: &Ctx<'js>, name: &CStr, value: Value<'js>) -> rquickjs::Result<()> {
    let raw = ctx.as_raw().as_ptr();
    // SAFETY: a live context; the engine takes its own reference to the value.
    let rc = unsafe {
        let global = qjs::JS_GetGlobalObject(raw);
        let value = qjs::JS_DupValue(raw, value.as_raw());
        let rc = qjs::JS_DefinePropertyValueStr(raw, global, name.as_ptr(), value, HIDDEN);
        qjs::JS_FreeValue(raw, global);
        rc
    };
    if rc < 0 { Err(rquickjs::Error::Exception) } else { Ok(()) }
}

/// Loads and evaluates a module of the prelude with all it imports. These have no top-level `await`, so that they
/// are evaluated when this returns; what failed is seen by what they did not leave behind.
fn load(ctx: &Ctx<'_>, bridge: &Bridge, module: &CStr) -> rquickjs::Result<()> {
    if bridge.loading.replace(true) {
        return Err(Exception::throw_message(ctx, "this cannot be set up while something else is"));
    }
    // SAFETY: a live context and two C strings; the promise is freed.
    let failed = unsafe {
        let raw = ctx.as_raw().as_ptr();
        let promise = qjs::JS_LoadModule(raw, c"tidegate:".as_ptr(), module.as_ptr());
        let failed = qjs::JS_IsException(promise);
        qjs::JS_FreeValue(raw, promise);
        failed
    };
    bridge.loading.set(false);
    if failed { Err(rquickjs::Error::Exception) } else { Ok(()) }
}

/// Loads a module that leaves something behind. What cannot be set up breaks the context; the exception's value comes back.
pub(super) fn complete(
    ctx: &Ctx<'_>,
    bridge: &Bridge,
    module: &CStr,
    is_there: impl Fn() -> bool,
) -> Result<(), JSValue> {
    if load(ctx, bridge, module).is_err() {
        return Err(qjs::JS_EXCEPTION);
    }
    if is_there() {
        return Ok(());
    }
    // A limit was hit half-way: this context is of no more use.
    bridge.broken.set(true);
    Exception::throw_message(ctx, &format!("'{}' could not be set up", module.to_string_lossy()));
    Err(qjs::JS_EXCEPTION)
}

unsafe extern "C" fn get(
    ctx: *mut JSContext,
    _: JSValue,
    _: i32,
    _: *mut JSValue,
    magic: i32,
    data: *mut JSValue,
) -> JSValue {
    // SAFETY: the engine calls with the context the function was made in and the value it was made with; the bridge
    // lives as long as it is known.
    let (ctx, bridge, vault) = unsafe {
        let bridge = qjs::JS_GetContextOpaque(ctx).cast::<Bridge>().as_ref();
        (Ctx::from_raw(NonNull::new_unchecked(ctx)), bridge, *data)
    };
    let (Some(bridge), Some((name, module))) = (bridge, LAZY.get(magic as usize)) else {
        Exception::throw_message(&ctx, "the request is over");
        return qjs::JS_EXCEPTION;
    };
    let raw = ctx.as_raw().as_ptr();
    if bridge.locked.get() {
        // SAFETY: a live context and an object of it.
        let value = unsafe { qjs::JS_GetPropertyStr(raw, vault, name.as_ptr()) };
        if unsafe { !qjs::JS_IsUndefined(value) } {
            return value;
        }
    }
    if load(&ctx, bridge, module).is_err() {
        return qjs::JS_EXCEPTION;
    }
    match found(raw, vault, name, bridge.locked.get()) {
        Some(value) => value,
        None => {
            // A limit was hit half-way: this context is of no more use.
            bridge.broken.set(true);
            Exception::throw_message(&ctx, &format!("'{}' could not be set up", name.to_string_lossy()));
            qjs::JS_EXCEPTION
        }
    }
}

/// What the module exposed: in the vault once everything is locked, else in place of the accessor.
fn found(raw: *mut JSContext, vault: JSValue, name: &CStr, locked: bool) -> Option<JSValue> {
    // SAFETY: a live context; the descriptor is filled if the answer is 1, and what is not handed on is freed.
    unsafe {
        if locked {
            let value = qjs::JS_GetPropertyStr(raw, vault, name.as_ptr());
            return (!qjs::JS_IsUndefined(value)).then_some(value);
        }
        let global = qjs::JS_GetGlobalObject(raw);
        let atom = qjs::JS_NewAtom(raw, name.as_ptr());
        let mut found = std::mem::zeroed::<qjs::JSPropertyDescriptor>();
        let there = qjs::JS_GetOwnProperty(raw, &mut found, global, atom);
        qjs::JS_FreeAtom(raw, atom);
        qjs::JS_FreeValue(raw, global);
        match there {
            1 if found.flags & qjs::JS_PROP_GETSET as i32 == 0 => Some(found.value),
            1 => {
                qjs::JS_FreeValue(raw, found.getter);
                qjs::JS_FreeValue(raw, found.setter);
                None
            }
            _ => None,
        }
    }
}

unsafe extern "C" fn set(
    ctx: *mut JSContext,
    _: JSValue,
    argc: i32,
    argv: *mut JSValue,
    magic: i32,
) -> JSValue {
    let Some((name, _)) = LAZY.get(magic as usize).filter(|_| argc > 0) else { return qjs::JS_UNDEFINED };
    // SAFETY: the engine calls with a live context and `argc` arguments.
    let (ctx, value) = unsafe { (Ctx::from_raw(NonNull::new_unchecked(ctx)), *argv) };
    // SAFETY: null, or the bridge of this context.
    let bridge = unsafe { qjs::JS_GetContextOpaque(ctx.as_raw().as_ptr()).cast::<Bridge>().as_ref() };
    if bridge.is_none_or(|b| b.locked.get()) {
        let name = name.to_string_lossy();
        let message = format!(
            "'{name}' is shared by all requests of this module: it can only be set by top-level code"
        );
        Exception::throw_type(&ctx, &message);
        return qjs::JS_EXCEPTION;
    }
    // SAFETY: a value of this context that gets a reference of its own.
    let value = unsafe { Value::from_raw(ctx.clone(), qjs::JS_DupValue(ctx.as_raw().as_ptr(), value)) };
    match define(&ctx, name, value) {
        Ok(()) => qjs::JS_UNDEFINED,
        Err(_) => qjs::JS_EXCEPTION,
    }
}

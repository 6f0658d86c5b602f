//! What the host keeps for modules: values of the cache, secrets, variables of the environment. Every function here asks the
//! module's permissions first.

use std::rc::Rc;

use rquickjs::{Ctx, Exception, Function as JsFunction, IntoJs, Object, TypedArray, Value, qjs};

use super::hot::{self, Utf8};
use super::operations::{NEEDS_A_REQUEST, start};
use super::{Text, bytes_of, is_string};
use crate::bridge::{Bridge, throw};
use crate::grants::Missing;
use crate::host::{CacheScope, CacheUpdate, CacheValue};
use crate::operations::{Kind, Work};

/// Longest key.
const MAX_KEY_BYTES: usize = 512;

/// A missing permission as a thrown error.
pub(super) fn refuse(ctx: &Ctx<'_>, missing: &Missing) -> rquickjs::Error {
    Exception::throw_message(ctx, &missing.to_string())
}

/// A value for JavaScript: parsed JSON, or a `Uint8Array`; undefined if there is none.
pub(crate) fn cached<'js>(ctx: &Ctx<'js>, value: Option<CacheValue>) -> rquickjs::Result<Value<'js>> {
    match value {
        None => Ok(Value::new_undefined(ctx.clone())),
        Some(CacheValue::Json(json)) => ctx.json_parse(&*json),
        Some(CacheValue::Bytes(bytes)) => TypedArray::<u8>::new_copy(ctx.clone(), &*bytes)?.into_js(ctx),
    }
}

/// A value from JavaScript: the prelude gives JSON text as a string, bytes as they are, undefined for none.
fn value_of<'js>(ctx: &Ctx<'js>, value: &Value<'js>) -> rquickjs::Result<Option<CacheValue>> {
    if value.is_undefined() {
        return Ok(None);
    }
    let bytes = bytes_of(ctx, value)?;
    if !is_string(value) {
        return Ok(Some(CacheValue::Bytes(bytes.into())));
    }
    let text = String::from_utf8(bytes).map_err(|_| Exception::throw_type(ctx, "the text is not UTF-8"))?;
    Ok(Some(CacheValue::Json(text.into())))
}

fn check_key(b: &Bridge, ctx: &Ctx<'_>, key: &str) -> rquickjs::Result<()> {
    b.grants.cache().map_err(|missing| refuse(ctx, &missing))?;
    if key.is_empty() || key.len() > MAX_KEY_BYTES {
        return Err(Exception::throw_type(ctx, "the id of a cached value has 1 to 512 bytes"));
    }
    Ok(())
}

fn whole(ttl_ms: f64) -> Option<u64> {
    (ttl_ms >= 0.0).then_some(ttl_ms as u64)
}

/// The cache, for who imports it.
pub(super) fn storage<'js>(ctx: &Ctx<'js>, table: &Object<'js>, bridge: &Rc<Bridge>) -> rquickjs::Result<()> {
    let b = bridge.clone();
    let get = move |ctx: Ctx<'js>, Text(key): Text| {
        check_key(&b, &ctx, &key)?;
        cached(&ctx, b.host.cache_get(&key))
    };
    table.set("cacheGet", JsFunction::new(ctx.clone(), get)?)?;

    let b = bridge.clone();
    let has = move |ctx: Ctx<'js>, Text(key): Text| {
        check_key(&b, &ctx, &key)?;
        Ok::<_, rquickjs::Error>(b.host.cache_get(&key).is_some())
    };
    table.set("cacheHas", JsFunction::new(ctx.clone(), has)?)?;

    let b = bridge.clone();
    let set = move |ctx: Ctx<'js>, Text(key): Text, value: Value<'js>, ttl_ms: f64| {
        check_key(&b, &ctx, &key)?;
        if !b.is_open() {
            return Err(Exception::throw_message(&ctx, NEEDS_A_REQUEST));
        }
        let value = value_of(&ctx, &value)?;
        b.host.cache_set(&key, value, whole(ttl_ms)).map_err(|refused| throw(&ctx, &refused))
    };
    table.set("cacheSet", JsFunction::new(ctx.clone(), set)?)?;
    updates(ctx, table, bridge)
}

/// What every context has.
pub(super) fn fill<'js>(ctx: &Ctx<'js>, table: &Object<'js>, bridge: &Rc<Bridge>) -> rquickjs::Result<()> {
    hot::install(ctx, table, c"secret", |ctx, bridge, [name]| {
        let name = Utf8::read(ctx, name)?;
        let name = name.lossy();
        bridge.grants.secret(&name).map_err(|missing| refuse(ctx, &missing))?;
        let value = bridge.host.secret(&name).map_err(|refused| throw(ctx, &refused))?;
        Ok(value.map_or(qjs::JS_UNDEFINED, |value| hot::string(ctx.as_raw().as_ptr(), value.as_bytes())))
    })?;
    let b = bridge.clone();
    let env = move |ctx: Ctx<'js>, Text(name): Text| {
        b.grants.env(&name).map_err(|missing| refuse(&ctx, &missing))?;
        Ok::<_, rquickjs::Error>(b.host.env(&name))
    };
    table.set("env", JsFunction::new(ctx.clone(), env)?)
}

fn updates<'js>(ctx: &Ctx<'js>, table: &Object<'js>, bridge: &Rc<Bridge>) -> rquickjs::Result<()> {
    let scope = |in_cluster: bool| if in_cluster { CacheScope::Cluster } else { CacheScope::Node };

    let b = bridge.clone();
    let increment = move |ctx: Ctx<'js>, in_cluster: bool, Text(key): Text, by: f64, ttl_ms: f64| {
        check_key(&b, &ctx, &key)?;
        if by.fract() != 0.0 || by.abs() > 9_007_199_254_740_991.0 {
            return Err(Exception::throw_type(&ctx, "increment: the amount must be a whole number"));
        }
        let update = CacheUpdate::Increment { by: by as i64, ttl_ms: whole(ttl_ms) };
        start(&b, &ctx, Kind::Other, || Work::Cached(b.host.cache_update(scope(in_cluster), &key, update)))
    };
    table.set("cacheIncrement", JsFunction::new(ctx.clone(), increment)?)?;

    let b = bridge.clone();
    let swap = move |ctx: Ctx<'js>,
                     in_cluster: bool,
                     Text(key): Text,
                     expected: Value<'js>,
                     value: Value<'js>,
                     ttl_ms: f64| {
        check_key(&b, &ctx, &key)?;
        let (expected, value) = (value_of(&ctx, &expected)?, value_of(&ctx, &value)?);
        let update = CacheUpdate::CompareAndSet { expected, value, ttl_ms: whole(ttl_ms) };
        start(&b, &ctx, Kind::Other, || Work::Cached(b.host.cache_update(scope(in_cluster), &key, update)))
    };
    table.set("cacheCompareAndSet", JsFunction::new(ctx.clone(), swap)?)?;

    let b = bridge.clone();
    let read = move |ctx: Ctx<'js>, in_cluster: bool, Text(key): Text| {
        check_key(&b, &ctx, &key)?;
        let update = CacheUpdate::Read;
        start(&b, &ctx, Kind::Other, || Work::Cached(b.host.cache_update(scope(in_cluster), &key, update)))
    };
    table.set("cacheRead", JsFunction::new(ctx.clone(), read)?)
}

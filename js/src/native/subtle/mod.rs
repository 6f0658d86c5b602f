//! What `crypto.subtle` does, as natives for the prelude: keys are made, shown, used. Every rule about a key is
//! checked here, so that no JavaScript can get around it, and nothing may panic, whatever the arguments are. The
//! work counts against the call's CPU time.

mod aes_gcm;
mod curve;
mod der;
mod derive;
mod ecdsa;
mod eddsa;
mod format;
mod hmac;
mod jwk;
pub(crate) mod kept;
mod key;
mod keys;
mod names;
mod parameters;
mod quick;
mod refusal;
mod rsa;
mod tokens;
mod uses;

use std::cell::Cell;
use std::rc::Rc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rquickjs::{Class, Ctx, Exception, Function as JsFunction, Object, TypedArray, Value};

use super::{Text, bytes_of};
use crate::bridge::Bridge;
use key::{Key, Material};
use parameters::Family;
use refusal::Refusal;

type Handle<'js> = Class<'js, Key>;
/// The outer error is a thrown one, the inner a refusal.
type Checked<T> = rquickjs::Result<Result<T, Refusal>>;

/// They stand in a table of their own, `webcrypto`.
pub(super) fn fill<'js>(ctx: &Ctx<'js>, natives: &Object<'js>, bridge: &Rc<Bridge>) -> rquickjs::Result<()> {
    let table = Object::new(ctx.clone())?;
    table.set_prototype(None)?;
    let taken = Rc::new(Cell::new(0));
    keys::fill(ctx, &table, bridge, &taken)?;
    uses::fill(ctx, &table, bridge)?;
    tokens::fill(ctx, &table)?;
    quick::fill(ctx, &table)?;
    let decode = |ctx: Ctx<'js>, text: Text| match URL_SAFE_NO_PAD.decode(text.0) {
        Ok(bytes) => TypedArray::<u8>::new_copy(ctx, &bytes),
        Err(_) => Err(Exception::throw_type(&ctx, "this is not base64url without padding")),
    };
    table.set("decodeBase64Url", JsFunction::new(ctx.clone(), decode)?)?;
    let encode = |ctx: Ctx<'js>, data: Value<'js>| bytes_of(&ctx, &data).map(|b| URL_SAFE_NO_PAD.encode(b));
    table.set("encodeBase64Url", JsFunction::new(ctx.clone(), encode)?)?;
    let text = |ctx: Ctx<'js>, data: Value<'js>| {
        let text = String::from_utf8(bytes_of(&ctx, &data)?);
        text.map_err(|_| Exception::throw_type(&ctx, "this is not UTF-8"))
    };
    table.set("text", JsFunction::new(ctx.clone(), text)?)?;
    natives.set("webcrypto", table)
}

/// What an operation came to, once its work has been counted.
fn done<T>(ctx: &Ctx<'_>, bridge: &Bridge, result: Result<T, Refusal>) -> rquickjs::Result<T> {
    bridge.spend(ctx)?;
    result.map_err(|refusal| refusal.throw(ctx))
}

fn family(key: &Key) -> Family {
    match &key.material {
        Material::Hmac(_) => Family::Hmac,
        Material::AesGcm(_) => Family::AesGcm,
        Material::Rsa(rsa) => rsa.family,
        Material::Ecdsa(_) => Family::Ecdsa,
        Material::Ed25519(_) => Family::Ed25519,
        Material::Secret(secret) => secret.family,
    }
}

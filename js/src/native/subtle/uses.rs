//! Using keys: sums, signatures, ciphertexts. What a key is not for, it does not do.

use std::rc::Rc;

use rquickjs::{ArrayBuffer, Ctx, Exception, Function as JsFunction, Object, Value};

use super::key::{Key, Material, Usages};
use super::parameters::{Hash, Parameters};
use super::refusal::Refusal;
use super::{Checked, Handle, done, family};
use crate::bridge::Bridge;
use crate::native::crypto::{State, equal, feed};
use crate::native::{Text, bytes_of};

/// `digest`, `sign`, `verify`, `encrypt`, `decrypt`, `wrap`, `unwrap`, `deriveBits`,
/// `deriveKey` (which gives the bits of the key).
pub(super) fn fill<'js>(ctx: &Ctx<'js>, table: &Object<'js>, bridge: &Rc<Bridge>) -> rquickjs::Result<()> {
    let b = bridge.clone();
    let digest = move |ctx: Ctx<'js>, hash: Text, data: Value<'js>| {
        b.spend(&ctx)?;
        let bytes = bytes_of(&ctx, &data)?;
        let hash = Hash::read(&hash.0).map_err(|refusal| refusal.throw(&ctx))?;
        let state = State::plain(hash.plain_name())
            .ok_or_else(|| Exception::throw_type(&ctx, "unknown hash algorithm"))?;
        ArrayBuffer::new_copy(ctx.clone(), fed(&ctx, &b, state, &bytes)?)
    };
    table.set("digest", JsFunction::new(ctx.clone(), digest)?)?;

    let b = bridge.clone();
    let sign = move |ctx: Ctx<'js>, algorithm: Object<'js>, key: Handle<'js>, data: Value<'js>| {
        b.spend(&ctx)?;
        let (bytes, key) = (bytes_of(&ctx, &data)?, key.borrow());
        let parameters = done(&ctx, &b, permitted(&ctx, &algorithm, &key, Usages::SIGN)?)?;
        let signed = match &key.material {
            Material::Hmac(hmac) => Ok(fed(&ctx, &b, hmac.keyed(), &bytes)?),
            Material::Rsa(rsa) => rsa.sign(&bytes, &parameters),
            Material::Ecdsa(ec) => ec.sign(&bytes, &parameters),
            Material::Ed25519(ed) => ed.sign(&bytes),
            Material::AesGcm(_) | Material::Secret(_) => Err(Refusal::support("such a key does not sign")),
        };
        ArrayBuffer::new_copy(ctx.clone(), done(&ctx, &b, signed)?)
    };
    table.set("sign", JsFunction::new(ctx.clone(), sign)?)?;

    let b = bridge.clone();
    let verify = move |ctx: Ctx<'js>,
                       algorithm: Object<'js>,
                       key: Handle<'js>,
                       signature: Value<'js>,
                       data: Value<'js>| {
        b.spend(&ctx)?;
        let (signature, bytes) = (bytes_of(&ctx, &signature)?, bytes_of(&ctx, &data)?);
        let key = key.borrow();
        let parameters = done(&ctx, &b, permitted(&ctx, &algorithm, &key, Usages::VERIFY)?)?;
        let right = match &key.material {
            Material::Hmac(hmac) => Ok(equal(&fed(&ctx, &b, hmac.keyed(), &bytes)?, &signature)),
            Material::Rsa(rsa) => rsa.verify(&bytes, &signature, &parameters),
            Material::Ecdsa(ec) => ec.verify(&bytes, &signature, &parameters),
            Material::Ed25519(ed) => Ok(ed.verify(&bytes, &signature)),
            Material::AesGcm(_) | Material::Secret(_) => Err(Refusal::support("such a key does not verify")),
        };
        done(&ctx, &b, right)
    };
    table.set("verify", JsFunction::new(ctx.clone(), verify)?)?;

    for (name, usage) in [("deriveBits", Usages::DERIVE_BITS), ("deriveKey", Usages::DERIVE_KEY)] {
        let b = bridge.clone();
        let run = move |ctx: Ctx<'js>, algorithm: Object<'js>, key: Handle<'js>, bits: Value<'js>| {
            b.spend(&ctx)?;
            let key = key.borrow();
            let parameters = done(&ctx, &b, permitted(&ctx, &algorithm, &key, usage)?)?;
            let bits = bits.as_number().map(|n| n as u32);
            let derived = match &key.material {
                Material::Secret(secret) => secret.derive(&ctx, &b, &parameters, bits)?,
                _ => Err(Refusal::support("only HKDF and PBKDF2 derive")),
            };
            ArrayBuffer::new_copy(ctx.clone(), done(&ctx, &b, derived)?)
        };
        table.set(name, JsFunction::new(ctx.clone(), run)?)?;
    }

    for (name, usage, decrypts) in [
        ("encrypt", Usages::ENCRYPT, false),
        ("decrypt", Usages::DECRYPT, true),
        ("wrap", Usages::WRAP, false),
        ("unwrap", Usages::UNWRAP, true),
    ] {
        let b = bridge.clone();
        let run = move |ctx: Ctx<'js>, algorithm: Object<'js>, key: Handle<'js>, data: Value<'js>| {
            b.spend(&ctx)?;
            let (bytes, key) = (bytes_of(&ctx, &data)?, key.borrow());
            let parameters = done(&ctx, &b, permitted(&ctx, &algorithm, &key, usage)?)?;
            let ran = match &key.material {
                Material::AesGcm(aes) if decrypts => aes.decrypt(bytes, &parameters),
                Material::AesGcm(aes) => aes.encrypt(bytes, &parameters),
                _ => Err(Refusal::support("only AES-GCM encrypts and decrypts")),
            };
            ArrayBuffer::new_copy(ctx.clone(), done(&ctx, &b, ran)?)
        };
        table.set(name, JsFunction::new(ctx.clone(), run)?)?;
    }
    Ok(())
}

/// The sum of all of `data`. Long data is looked at in parts, so that the budget can end it.
fn fed(ctx: &Ctx<'_>, bridge: &Bridge, mut state: State, data: &[u8]) -> rquickjs::Result<Vec<u8>> {
    feed(ctx, bridge, &mut state, data)?;
    Ok(state.digest())
}

/// The sum of what is short.
pub(super) fn sum(mut state: State, data: &[u8]) -> Vec<u8> {
    state.update(data);
    state.digest()
}

/// The parameters of an operation, if the key is one for it.
fn permitted<'js>(ctx: &Ctx<'js>, algorithm: &Object<'js>, key: &Key, usage: Usages) -> Checked<Parameters> {
    Ok(Parameters::read(ctx, algorithm)?.and_then(|parameters| usable(parameters, key, usage)))
}

/// The same parameters, if the key is one for them.
pub(super) fn usable(parameters: Parameters, key: &Key, usage: Usages) -> Result<Parameters, Refusal> {
    let family = family(key);
    if parameters.family != family {
        let (asked, has) = (parameters.family.name(), family.name());
        return Err(Refusal::access(format!("this key is one for {has}, not for {asked}")));
    }
    key.permit(usage)?;
    Ok(parameters)
}

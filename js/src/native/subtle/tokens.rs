//! JSON web tokens in compact form (RFC 7515, section 7.1), as natives for the prelude: parts decoded and read strictly, and
//! signatures verified with a key whose algorithm the prelude has settled. Nothing here may choose an algorithm by what a
//! token says. What a function finds wrong with a token is a number; the prelude has the sentences.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rquickjs::{Class, Ctx, FromJs, Object, Value, qjs};

use super::kept::Kept;
use super::key::{Key, Material, Usages};
use super::names;
use super::parameters::{Family, Hash, Parameters};
use super::refusal::Refusal;
use super::uses::{sum, usable};
use super::{done, family};
use crate::bridge::Bridge;
use crate::native::crypto::equal;
use crate::native::hot::{self, Utf8};

/// What is wrong with a token, in the order in which the prelude has its sentences.
#[derive(Clone, Copy)]
#[repr(i32)]
pub(super) enum Wrong {
    /// It has not three parts.
    Parts = 1,
    /// The part is not base64url without padding.
    Encoding,
    /// The part is not JSON in UTF-8.
    Json,
    /// The part is no object.
    Shape,
    /// A member is there twice.
    Twice,
    /// The signature is not base64url without padding.
    Signature,
    /// The payload is not.
    Payload,
}

/// `tokenPart`, `verifyToken`, `kept`, `keep`.
pub(super) fn fill<'js>(ctx: &Ctx<'js>, table: &Object<'js>) -> rquickjs::Result<()> {
    hot::install(ctx, table, c"tokenPart", |ctx, _, [token, which]| {
        let token = Utf8::read(ctx, token)?;
        let Some(parts) = split(token.bytes()) else { return Ok(hot::number(Wrong::Parts as i32)) };
        Ok(match part(ctx, parts[usize::from(hot::integer(which) == Some(1))], false)? {
            Ok(object) => hot::hand_over(object),
            Err(wrong) => hot::number(wrong as i32),
        })
    })?;
    hot::install(ctx, table, c"verifyToken", |ctx, bridge, [alg, key, token]| {
        let (alg, token) = (Utf8::read(ctx, alg)?, Utf8::read(ctx, token)?);
        let key = Class::<Key>::from_js(ctx, hot::value(ctx, key))?;
        Ok(match verify(ctx, bridge, &alg.lossy(), &key.borrow(), token.bytes())? {
            Ok(right) => hot::boolean(right),
            Err(wrong) => hot::number(wrong as i32),
        })
    })?;
    // Where a key of that text, for that algorithm and use, was put, or -1.
    hot::install(ctx, table, c"kept", |ctx, bridge, [text, asked, signs]| {
        let (text, asked) = (Utf8::read(ctx, text)?, Utf8::read(ctx, asked)?);
        let found = bridge.kept_keys.borrow().find(text.bytes(), asked.bytes(), hot::is_true(signs));
        Ok(hot::number(found.map_or(-1, |at| at as i32)))
    })?;
    // The place for one more, which may have been another's.
    hot::install(ctx, table, c"keep", |ctx, bridge, [text, asked, signs, key]| {
        let (text, asked) = (Utf8::read(ctx, text)?, Utf8::read(ctx, asked)?);
        let mut kept = Kept::new(text.bytes(), asked.bytes(), hot::is_true(signs));
        if !hot::is_undefined(key) {
            let key = Class::<Key>::from_js(ctx, hot::value(ctx, key))?;
            if let Material::Hmac(hmac) = &key.borrow().material {
                kept = kept.begun(hmac.alg(), hmac.keyed());
            }
        }
        Ok(hot::number(bridge.kept_keys.borrow_mut().put(kept) as i32))
    })
}

/// The three parts of a token.
pub(super) fn split(token: &[u8]) -> Option<[&[u8]; 3]> {
    let mut parts = token.split(|byte| *byte == b'.');
    let three = [parts.next()?, parts.next()?, parts.next()?];
    parts.next().is_none().then_some(three)
}

/// Base64url without padding (RFC 7515, section 2).
pub(super) fn decoded(text: &[u8]) -> Result<Vec<u8>, Wrong> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| Wrong::Encoding)
}

/// Header or payload as an object without a member twice; that is not looked at again if it is known.
pub(super) fn part<'js>(
    ctx: &Ctx<'js>,
    text: &[u8],
    is_known: bool,
) -> rquickjs::Result<Result<Value<'js>, Wrong>> {
    let mut json = match decoded(text) {
        Ok(json) => json,
        Err(wrong) => return Ok(Err(wrong)),
    };
    let length = json.len();
    // The engine wants to find a zero behind it.
    json.push(0);
    let Ok(text) = std::str::from_utf8(&json[..length]) else { return Ok(Err(Wrong::Json)) };
    // SAFETY: a live context and `length` bytes with a zero behind them; what comes back is owned by nobody else.
    let value = unsafe {
        let raw = ctx.as_raw().as_ptr();
        Value::from_raw(ctx.clone(), qjs::JS_ParseJSON(raw, json.as_ptr().cast(), length as _, c"".as_ptr()))
    };
    if value.is_exception() {
        drop(ctx.catch());
        return Ok(Err(Wrong::Json));
    }
    Ok(match value.is_object() && !value.is_array() {
        false => Err(Wrong::Shape),
        true if !is_known && names::repeat(text) => Err(Wrong::Twice),
        true => Ok(value),
    })
}

/// Whether the signature is right. `alg` is the key's, by its JWS name (RFC 7518, section 3.1).
fn verify(
    ctx: &Ctx<'_>,
    bridge: &Bridge,
    alg: &str,
    key: &Key,
    token: &[u8],
) -> rquickjs::Result<Result<bool, Wrong>> {
    let Some([header, payload, signature]) = split(token) else { return Ok(Err(Wrong::Parts)) };
    let Ok(signature) = URL_SAFE_NO_PAD.decode(signature) else { return Ok(Err(Wrong::Signature)) };
    if URL_SAFE_NO_PAD.decode(payload).is_err() {
        return Ok(Err(Wrong::Payload));
    }
    let signed = &token[..header.len() + 1 + payload.len()];
    if !matches!(key.material, Material::Hmac(_)) {
        bridge.spend(ctx)?;
    }
    let parameters = parameters(alg).and_then(|parameters| usable(parameters, key, Usages::VERIFY));
    let right = match (&parameters, &key.material) {
        // Sums of what fits into a token take microseconds, which the engine's own looks at the clock see.
        (Ok(_), Material::Hmac(hmac)) => {
            bridge.spend_bytes(ctx, signed.len())?;
            return Ok(Ok(equal(&sum(hmac.keyed(), signed), &signature)));
        }
        (Ok(parameters), Material::Rsa(rsa)) => rsa.verify(signed, &signature, parameters),
        (Ok(parameters), Material::Ecdsa(ec)) => ec.verify(signed, &signature, parameters),
        (Ok(_), Material::Ed25519(ed)) => Ok(ed.verify(signed, &signature)),
        _ => Err(Refusal::support(format!("a key for {} does not verify", family(key).name()))),
    };
    match parameters {
        Err(refusal) => done(ctx, bridge, Err(refusal)),
        Ok(_) => done(ctx, bridge, right).map(Ok),
    }
}

/// What a JWS algorithm stands for. The hash of an HMAC key is the key's.
fn parameters(alg: &str) -> Result<Parameters, Refusal> {
    let hash = match alg.get(2..) {
        Some("256") => Hash::Sha256,
        Some("384") => Hash::Sha384,
        _ => Hash::Sha512,
    };
    let family = match alg.get(..2) {
        Some("HS") => Family::Hmac,
        Some("RS") => Family::RsaPkcs1,
        Some("PS") => Family::RsaPss,
        Some("ES") => Family::Ecdsa,
        Some("Ed") => Family::Ed25519,
        _ => return Err(Refusal::support("the algorithm is none of tokens")),
    };
    Ok(Parameters::of_signature(family, hash))
}

//! The way most tokens go, in one call: HS256 and its kin, by a secret that was imported before, with plain expectations, and
//! right in every way. It must never accept what `jwt.js` would refuse; whatever is not plain or not right gets no answer here,
//! and the prelude finds out what it is and says it.

use rquickjs::qjs::{self, JSValue};
use rquickjs::{Ctx, Object, Value};

use super::tokens::{decoded, part, split};
use super::uses::sum;
use crate::bridge::Bridge;
use crate::native::crypto::equal;
use crate::native::hot::{self, Utf8};

/// Longest token, as in `jwt.js`.
const MAX_TOKEN: usize = 16384;

/// What a token must name.
enum Expected {
    Anything,
    Text(Utf8),
}

/// `verifyKept(token, secret, algorithm, issuer, audience)`: `{ header, payload }`, or undefined.
pub(super) fn fill<'js>(ctx: &Ctx<'js>, table: &Object<'js>) -> rquickjs::Result<()> {
    hot::install(ctx, table, c"verifyKept", |ctx, bridge, [token, secret, algorithm, issuer, audience]| {
        let is_plain = hot::is_string(token)
            && hot::is_string(secret)
            && (hot::is_string(algorithm) || hot::is_undefined(algorithm));
        let (true, Some(issuer), Some(audience)) =
            (is_plain, expected(ctx, issuer)?, expected(ctx, audience)?)
        else {
            return Ok(qjs::JS_UNDEFINED);
        };
        let (token, secret) = (Utf8::read(ctx, token)?, Utf8::read(ctx, secret)?);
        let algorithm = match hot::is_undefined(algorithm) {
            true => None,
            false => Some(Utf8::read(ctx, algorithm)?),
        };
        let asked = algorithm.as_ref().map_or(&b""[..], Utf8::bytes);
        let found = verified(ctx, bridge, token.bytes(), (secret.bytes(), asked), &issuer, &audience)?;
        Ok(found.map_or(qjs::JS_UNDEFINED, hot::hand_over))
    })
}

/// `false` or a text that is not empty; nothing else is plain.
fn expected(ctx: &Ctx<'_>, value: JSValue) -> rquickjs::Result<Option<Expected>> {
    if hot::is_false(value) {
        return Ok(Some(Expected::Anything));
    }
    if !hot::is_string(value) {
        return Ok(None);
    }
    let text = Utf8::read(ctx, value)?;
    Ok(Some(Expected::Text(text))
        .filter(|text| !matches!(text, Expected::Text(text) if text.bytes().is_empty())))
}

fn verified<'js>(
    ctx: &Ctx<'js>,
    bridge: &Bridge,
    token: &[u8],
    (secret, asked): (&[u8], &[u8]),
    issuer: &Expected,
    audience: &Expected,
) -> rquickjs::Result<Option<Value<'js>>> {
    if token.len() > MAX_TOKEN {
        return Ok(None);
    }
    let Some([head, payload, signature]) = split(token) else { return Ok(None) };
    let keys = bridge.kept_keys.borrow();
    let Some((alg, begun, is_known)) = keys.begun(secret, asked, head) else { return Ok(None) };
    drop(keys);
    bridge.spend_bytes(ctx, token.len())?;
    // What is signed is known before anything of it is read.
    let Ok(signature) = decoded(signature) else { return Ok(None) };
    if !equal(&sum(begun, &token[..head.len() + 1 + payload.len()]), &signature) {
        return Ok(None);
    }
    let Ok(header) = part(ctx, head, is_known)? else { return Ok(None) };
    if !is_known {
        if !is_plain_header(ctx, &header, alg)? {
            return Ok(None);
        }
        bridge.kept_keys.borrow_mut().learn(secret, asked, head);
    }
    let Ok(claims) = part(ctx, payload, false)? else { return Ok(None) };
    if !is_right(&claims, bridge.host.now_ms() / 1000.0, ctx, issuer, audience)? {
        return Ok(None);
    }
    let found = Object::new(ctx.clone())?;
    found.set("header", header)?;
    found.set("payload", claims)?;
    Ok(Some(found.into_value()))
}

fn get<'js>(object: &Value<'js>, name: &str) -> rquickjs::Result<Value<'js>> {
    object.as_object().ok_or(rquickjs::Error::Unknown)?.get(name)
}

/// The key's algorithm, and nothing that asks for more.
fn is_plain_header(ctx: &Ctx<'_>, header: &Value<'_>, alg: &str) -> rquickjs::Result<bool> {
    for name in ["crit", "b64", "cty"] {
        if !get(header, name)?.is_undefined() {
            return Ok(false);
        }
    }
    let kid = get(header, "kid")?;
    Ok((kid.is_undefined() || kid.is_string()) && is_text(ctx, &get(header, "alg")?, alg.as_bytes())?)
}

fn is_text(ctx: &Ctx<'_>, value: &Value<'_>, expected: &[u8]) -> rquickjs::Result<bool> {
    Ok(value.is_string() && Utf8::read(ctx, value.as_raw())?.bytes() == expected)
}

/// Times (RFC 7519, section 4.1), issuer and audience.
fn is_right(
    claims: &Value<'_>,
    now: f64,
    ctx: &Ctx<'_>,
    issuer: &Expected,
    audience: &Expected,
) -> rquickjs::Result<bool> {
    let (exp, nbf, iat) = (get(claims, "exp")?, get(claims, "nbf")?, get(claims, "iat")?);
    let time = |value: &Value<'_>| value.as_number().filter(|number| number.is_finite());
    let is_timely = time(&exp).is_some_and(|exp| now < exp)
        && (nbf.is_undefined() || time(&nbf).is_some_and(|nbf| now >= nbf))
        && (iat.is_undefined() || time(&iat).is_some());
    let names = |expected: &Expected, name: &str| match expected {
        Expected::Anything => Ok(true),
        Expected::Text(text) => is_text(ctx, &get(claims, name)?, text.bytes()),
    };
    Ok(is_timely && names(issuer, "iss")? && names(audience, "aud")?)
}

//! Making keys and showing them. A key that is not extractable is never shown, whoever asks.

use std::cell::Cell;
use std::rc::Rc;

use rquickjs::{
    Array, ArrayBuffer, Class, Ctx, Exception, Function as JsFunction, IntoJs, Object, TypedArray, Value,
};
use zeroize::Zeroizing;

use super::aes_gcm::AesGcm;
use super::derive::Secret;
use super::ecdsa::EcKey;
use super::eddsa::EdKey;
use super::format::{Format, Given, Shown};
use super::hmac::HmacKey;
use super::jwk::Jwk;
use super::key::{Key, Made, Material, Place, Usages, Wanted};
use super::parameters::{Family, Hash, Parameters};
use super::refusal::Refusal;
use super::rsa::{self, RsaKey};
use super::{Checked, Handle, done, family};
use crate::bridge::Bridge;
use crate::native::{Text, bytes_of};

/// `generateKey`, `importKey`, `exportKey`, `describe`.
pub(super) fn fill<'js>(
    ctx: &Ctx<'js>,
    table: &Object<'js>,
    bridge: &Rc<Bridge>,
    taken: &Rc<Cell<u32>>,
) -> rquickjs::Result<()> {
    let (b, places) = (bridge.clone(), taken.clone());
    let generate = move |ctx: Ctx<'js>, algorithm: Object<'js>, extractable: bool, usages: Value<'js>| {
        b.spend(&ctx)?;
        let usages = read_usages(&ctx, &usages)?;
        let parameters = Parameters::read(&ctx, &algorithm)?;
        let wanted = Wanted { extractable, usages };
        let random = |out: &mut [u8]| b.host.random(out);
        let made = parameters.and_then(|p| match p.family {
            Family::Hmac => HmacKey::generate(&p, wanted, &random).map(|key| (key, None)),
            Family::AesGcm => AesGcm::generate(&p, wanted, &random).map(|key| (key, None)),
            Family::RsaPkcs1 | Family::RsaPss => Err(rsa::generate()),
            Family::Ecdsa => EcKey::generate(&p, wanted).map(|(one, two)| (one, Some(two))),
            Family::Ed25519 => EdKey::generate(wanted, &random).map(|(one, two)| (one, Some(two))),
            Family::Hkdf | Family::Pbkdf2 => {
                Err(Refusal::support("such a key is imported as 'raw', not generated"))
            }
        });
        let (first, second) = done(&ctx, &b, made)?;
        let Some(public) = second else { return seat(&ctx, first, wanted, &places)?.into_js(&ctx) };
        let of_private = Wanted { usages: usages.within(Usages::SIGN), ..wanted };
        let of_public = Wanted { usages: usages.within(Usages::VERIFY), extractable: true };
        let pair = Array::new(ctx.clone())?;
        pair.set(0, seat(&ctx, first, of_private, &places)?)?;
        pair.set(1, seat(&ctx, public, of_public, &places)?)?;
        pair.into_js(&ctx)
    };
    table.set("generateKey", JsFunction::new(ctx.clone(), generate)?)?;

    let (b, places) = (bridge.clone(), taken.clone());
    let import = move |ctx: Ctx<'js>,
                       format: Text,
                       data: Value<'js>,
                       algorithm: Object<'js>,
                       extractable: bool,
                       usages: Value<'js>| {
        b.spend(&ctx)?;
        let wanted = Wanted { extractable, usages: read_usages(&ctx, &usages)? };
        let made = import_key(&ctx, &format.0, &data, &algorithm, wanted)?;
        seat(&ctx, done(&ctx, &b, made)?, wanted, &places)
    };
    table.set("importKey", JsFunction::new(ctx.clone(), import)?)?;

    let b = bridge.clone();
    let export = move |ctx: Ctx<'js>, format: Text, key: Handle<'js>| {
        b.spend(&ctx)?;
        let key = key.borrow();
        let shown = done(&ctx, &b, export_key(&key, &format.0))?;
        match shown {
            Shown::Bytes(bytes) => ArrayBuffer::new_copy(ctx.clone(), &bytes[..])?.into_js(&ctx),
            Shown::Jwk(jwk) => {
                let wanted = Wanted { extractable: key.extractable, usages: key.usages };
                jwk.object(&ctx, wanted)?.into_js(&ctx)
            }
        }
    };
    table.set("exportKey", JsFunction::new(ctx.clone(), export)?)?;
    let describe = |ctx: Ctx<'js>, key: Handle<'js>| describe(&ctx, &key.borrow());
    table.set("describe", JsFunction::new(ctx.clone(), describe)?)
}

fn read_usages<'js>(ctx: &Ctx<'js>, list: &Value<'js>) -> rquickjs::Result<Usages> {
    let refuse = || Exception::throw_type(ctx, "usages must be a list of key usages");
    let list = list.as_array().ok_or_else(refuse)?;
    let names: Vec<String> = list.iter::<Text>().map(|t| t.map(|t| t.0)).collect::<Result<_, _>>()?;
    Usages::read(&names).ok_or_else(refuse)
}

/// Gives a key its place and its handle.
fn seat<'js>(
    ctx: &Ctx<'js>,
    made: Made,
    wanted: Wanted,
    places: &Rc<Cell<u32>>,
) -> rquickjs::Result<Handle<'js>> {
    let Made { kind, material } = made;
    let (extractable, usages) = (wanted.extractable, wanted.usages);
    let place = usages.check_some(kind).and_then(|()| Place::take(places));
    let place = place.map_err(|refusal| refusal.throw(ctx))?;
    Class::instance(ctx.clone(), Key { kind, extractable, usages, material, _place: place })
}

fn import_key<'js>(
    ctx: &Ctx<'js>,
    format: &str,
    data: &Value<'js>,
    algorithm: &Object<'js>,
    wanted: Wanted,
) -> Checked<Made> {
    let parameters = match Parameters::read(ctx, algorithm)? {
        Ok(parameters) => parameters,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let format = Format::read(format).ok_or_else(|| Exception::throw_type(ctx, "unknown key format"))?;
    let (bytes, jwk) = match (format, data.as_object()) {
        (Format::Jwk, Some(object)) => (Default::default(), Some(Jwk::read(ctx, object)?)),
        _ => (Zeroizing::new(bytes_of(ctx, data)?), None),
    };
    let given = match (format, &jwk) {
        (_, Some(jwk)) => Given::Jwk(jwk),
        (Format::Spki, _) => Given::Spki(&bytes),
        (Format::Pkcs8, _) => Given::Pkcs8(&bytes),
        (_, None) => Given::Raw(&bytes),
    };
    Ok(match parameters.family {
        Family::Hmac => HmacKey::import(&given, &parameters, wanted),
        Family::AesGcm => AesGcm::import(&given, wanted),
        Family::RsaPkcs1 | Family::RsaPss => RsaKey::import(&given, &parameters, wanted),
        Family::Ecdsa => EcKey::import(&given, &parameters, wanted),
        Family::Ed25519 => EdKey::import(&given, wanted),
        Family::Hkdf | Family::Pbkdf2 => Secret::import(&given, parameters.family, wanted),
    })
}

fn export_key(key: &Key, format: &str) -> Result<Shown, Refusal> {
    let Some(format) = Format::read(format) else { return Err(Refusal::support("unknown key format")) };
    if !key.extractable {
        return Err(Refusal::access("this key is not extractable: it was made with extractable = false"));
    }
    match &key.material {
        Material::Hmac(key) => key.export(format),
        Material::AesGcm(key) => key.export(format),
        Material::Rsa(key) => key.export(format),
        Material::Ecdsa(key) => key.export(format),
        Material::Ed25519(key) => key.export(format),
        Material::Secret(_) => Err(Refusal::support("a secret to derive from is never exported")),
    }
}

/// What `CryptoKey` shows: `{ type, extractable, algorithm, usages }`.
fn describe<'js>(ctx: &Ctx<'js>, key: &Key) -> rquickjs::Result<Object<'js>> {
    let algorithm = Object::new(ctx.clone())?;
    algorithm.set("name", family(key).name())?;
    let hash = |hash: Hash| {
        let named = Object::new(ctx.clone())?;
        named.set("name", hash.name())?;
        algorithm.set("hash", named)
    };
    match &key.material {
        Material::Hmac(hmac) => {
            hash(hmac.hash)?;
            algorithm.set("length", hmac.bytes.len() as u32 * 8)?;
        }
        Material::AesGcm(aes) => algorithm.set("length", aes.bits())?,
        Material::Rsa(rsa) => {
            algorithm.set("modulusLength", rsa.modulus_bits())?;
            algorithm.set("publicExponent", TypedArray::<u8>::new_copy(ctx.clone(), rsa.exponent())?)?;
            hash(rsa.hash)?;
        }
        Material::Ecdsa(ec) => algorithm.set("namedCurve", ec.curve.name())?,
        Material::Ed25519(_) | Material::Secret(_) => {}
    }
    let shown = Object::new(ctx.clone())?;
    shown.set("type", key.kind.name())?;
    shown.set("extractable", key.extractable)?;
    shown.set("algorithm", algorithm)?;
    shown.set("usages", key.usages.names())?;
    Ok(shown)
}

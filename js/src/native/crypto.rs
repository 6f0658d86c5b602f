//! Hashes, HMACs and random numbers over RustCrypto. Randomness is the host's. Keys are not kept anywhere.

use std::cell::RefCell;
use std::rc::Rc;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use ctutils::CtEq;
use hmac::{Hmac, KeyInit, Mac};
use rquickjs::class::{Trace, Tracer};
use rquickjs::function::Opt;
use rquickjs::{
    ArrayBuffer, Class, Coerced, Ctx, Exception, Function as JsFunction, IntoJs, JsLifetime, Object,
    String as JsString, Value,
};
use sha1::Sha1;
use sha2::{Digest, Sha224, Sha256, Sha384, Sha512, Sha512_224, Sha512_256};

use super::{Text, bytes_of};
use crate::bridge::Bridge;

/// Most random bytes of one call.
const MAX_RANDOM: usize = 64 << 10;

/// One macro arm per algorithm, so that adding one is a line here.
macro_rules! algorithms {
    ($($name:literal => $variant:ident, $hash:ty;)*) => {
        /// A running hash or HMAC.
        #[derive(Clone)]
        pub(super) enum State {
            $($variant($hash),)*
            Keyed(Keyed),
        }

        #[derive(Clone)]
        pub(super) enum Keyed {
            $($variant(Hmac<$hash>),)*
        }

        /// Their names, as `getHashes` gives them.
        const NAMES: &[&str] = &[$($name,)*];

        impl State {
            pub(super) fn plain(name: &str) -> Option<State> {
                match name { $($name => Some(State::$variant(<$hash>::new())),)* _ => None }
            }

            pub(super) fn keyed(name: &str, key: &[u8]) -> Option<State> {
                match name {
                    // HMAC takes keys of any length (RFC 2104, section 2).
                    $($name => Hmac::<$hash>::new_from_slice(key).ok().map(|h| State::Keyed(Keyed::$variant(h))),)*
                    _ => None,
                }
            }

            pub(super) fn update(&mut self, data: &[u8]) {
                match self {
                    $(State::$variant(h) => Digest::update(h, data),)*
                    $(State::Keyed(Keyed::$variant(h)) => Mac::update(h, data),)*
                }
            }

            pub(super) fn digest(self) -> Vec<u8> {
                match self {
                    $(State::$variant(h) => h.finalize().to_vec(),)*
                    $(State::Keyed(Keyed::$variant(h)) => h.finalize().into_bytes().to_vec(),)*
                }
            }
        }
    };
}

algorithms! {
    "md5" => Md5, md5::Md5;
    "sha1" => Sha1, Sha1;
    "sha224" => Sha224, Sha224;
    "sha256" => Sha256, Sha256;
    "sha384" => Sha384, Sha384;
    "sha512" => Sha512, Sha512;
    "sha512-224" => Sha512T224, Sha512_224;
    "sha512-256" => Sha512T256, Sha512_256;
}

/// Bytes that are summed between two looks at the call's CPU time.
const CHUNK: usize = 256 << 10;

/// Takes in data, however long: the engine cannot interrupt this, so the budget is looked at here.
pub(super) fn feed(ctx: &Ctx<'_>, bridge: &Bridge, state: &mut State, data: &[u8]) -> rquickjs::Result<()> {
    for chunk in data.chunks(CHUNK) {
        bridge.spend(ctx)?;
        state.update(chunk);
    }
    bridge.spend(ctx)
}

/// `createHash` and `createHmac` give one of these. `digest` may be called again, and `update` after it, as in DGate.
#[rquickjs::class(rename = "Hash")]
struct Hasher {
    state: RefCell<State>,
    bridge: Rc<Bridge>,
}

// SAFETY: it holds no value of the engine.
unsafe impl<'js> JsLifetime<'js> for Hasher {
    type Changed<'to> = Hasher;
}

impl<'js> Trace<'js> for Hasher {
    fn trace<'a>(&self, _: Tracer<'a, 'js>) {}
}

#[rquickjs::methods]
impl Hasher {
    fn update<'js>(
        this: rquickjs::function::This<Class<'js, Hasher>>,
        ctx: Ctx<'js>,
        data: Value<'js>,
    ) -> rquickjs::Result<Class<'js, Hasher>> {
        let hasher = this.0.borrow();
        hasher.bridge.spend(&ctx)?;
        let bytes = bytes_of(&ctx, &data)?;
        feed(&ctx, &hasher.bridge, &mut hasher.state.borrow_mut(), &bytes)?;
        drop(hasher);
        Ok(this.0)
    }

    fn digest<'js>(&self, ctx: Ctx<'js>, encoding: Opt<Text>) -> rquickjs::Result<Value<'js>> {
        let sum = self.state.borrow().clone().digest();
        encoded(&ctx, &sum, encoding.0.map_or(String::new(), |e| e.0).as_str())
    }
}

/// True if they are the same; takes as long wherever they differ, if their lengths are the same.
pub(super) fn equal(a: &[u8], b: &[u8]) -> bool {
    a.ct_eq(b).to_bool()
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |n: u8| char::from(DIGITS[usize::from(n)]);
    bytes.iter().flat_map(|b| [digit(b >> 4), digit(b & 15)]).collect()
}

fn encoded<'js>(ctx: &Ctx<'js>, bytes: &[u8], encoding: &str) -> rquickjs::Result<Value<'js>> {
    let text = match encoding {
        "hex" => hex(bytes),
        "base64" | "b64" => STANDARD.encode(bytes),
        "base64raw" | "b64raw" => STANDARD_NO_PAD.encode(bytes),
        "base64url" | "b64url" => URL_SAFE.encode(bytes),
        "base64rawurl" | "b64rawurl" => URL_SAFE_NO_PAD.encode(bytes),
        "" | "binary" | "undefined" | "null" => {
            return Ok(ArrayBuffer::new_copy(ctx.clone(), bytes)?.into_value());
        }
        _ => return Err(Exception::throw_type(ctx, &format!("unknown encoding '{encoding}'"))),
    };
    JsString::from_str(ctx.clone(), &text)?.into_js(ctx)
}

/// `SHA-256`, `sha512_256` and `sha-1` are known too.
fn canonical(name: &str) -> String {
    let name = name.to_ascii_lowercase().replace(['_', '/'], "-");
    match name.strip_prefix("sha-") {
        Some(rest) => format!("sha{rest}"),
        None => name,
    }
}

pub(super) fn fill<'js>(ctx: &Ctx<'js>, table: &Object<'js>, bridge: &Rc<Bridge>) -> rquickjs::Result<()> {
    let unknown =
        |ctx: &Ctx<'_>, name: &str| Exception::throw_type(ctx, &format!("unknown hash algorithm '{name}'"));
    let b = bridge.clone();
    let hash = move |ctx: Ctx<'js>, name: Text| {
        let state = State::plain(&canonical(&name.0)).ok_or_else(|| unknown(&ctx, &name.0))?;
        Class::instance(ctx, Hasher { state: RefCell::new(state), bridge: b.clone() })
    };
    table.set("createHash", JsFunction::new(ctx.clone(), hash)?)?;
    let b = bridge.clone();
    let hmac = move |ctx: Ctx<'js>, name: Text, key: Value<'js>| {
        let key = bytes_of(&ctx, &key)?;
        let state = State::keyed(&canonical(&name.0), &key).ok_or_else(|| unknown(&ctx, &name.0))?;
        Class::instance(ctx, Hasher { state: RefCell::new(state), bridge: b.clone() })
    };
    table.set("createHmac", JsFunction::new(ctx.clone(), hmac)?)?;
    table.set("getHashes", JsFunction::new(ctx.clone(), || NAMES.to_vec())?)?;
    let b = bridge.clone();
    let encode = move |ctx: Ctx<'js>, data: Value<'js>, encoding: Text| {
        b.spend(&ctx)?;
        let bytes = bytes_of(&ctx, &data)?;
        encoded(&ctx, &bytes, &encoding.0)
    };
    table.set("encode", JsFunction::new(ctx.clone(), encode)?)?;
    let spends = bridge.clone();
    let equal = move |ctx: Ctx<'js>, a: Value<'js>, b: Value<'js>| {
        spends.spend(&ctx)?;
        let (a, b) = (bytes_of(&ctx, &a)?, bytes_of(&ctx, &b)?);
        rquickjs::Result::Ok(equal(&a, &b))
    };
    table.set("timingSafeEqual", JsFunction::new(ctx.clone(), equal)?)?;

    let b = bridge.clone();
    let bytes = move |ctx: Ctx<'js>, n: Coerced<f64>| {
        if !(1.0..=MAX_RANDOM as f64).contains(&n.0) {
            return Err(Exception::throw_range(&ctx, "the size must be from 1 to 65536"));
        }
        b.spend(&ctx)?;
        let mut bytes = vec![0; n.0 as usize];
        b.host.random(&mut bytes);
        ArrayBuffer::new_copy(ctx, &bytes)
    };
    table.set("randomBytes", JsFunction::new(ctx.clone(), bytes)?)?;

    let b = bridge.clone();
    let int = move |ctx: Ctx<'js>, min: f64, max: f64| {
        let safe = |n: f64| n.fract() == 0.0 && n.abs() <= 9_007_199_254_740_991.0;
        if !(safe(min) && safe(max) && min < max && safe(max - min)) {
            return Err(Exception::throw_range(&ctx, "randomInt needs whole numbers with min below max"));
        }
        let range = (max - min) as u64;
        // Numbers past the last whole multiple of the range are drawn again, so that none is likelier.
        let fair = u64::MAX - u64::MAX % range;
        loop {
            let mut raw = [0; 8];
            b.host.random(&mut raw);
            let n = u64::from_le_bytes(raw);
            if n < fair {
                return Ok(min + (n % range) as f64);
            }
        }
    };
    table.set("randomInt", JsFunction::new(ctx.clone(), int)?)?;

    let b = bridge.clone();
    let uuid = move || {
        let mut raw = [0; 16];
        b.host.random(&mut raw);
        // Version 4, variant 10 (RFC 9562, section 5.4).
        raw[6] = raw[6] & 0x0f | 0x40;
        raw[8] = raw[8] & 0x3f | 0x80;
        let hex = hex(&raw);
        format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
    };
    table.set("randomUUID", JsFunction::new(ctx.clone(), uuid)?)
}

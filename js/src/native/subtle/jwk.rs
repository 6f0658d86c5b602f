//! JSON Web Keys (RFC 7517, RFC 7518 section 6): members read once and checked strictly; base64url without padding
//! and without stray bits.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rquickjs::{Array, Ctx, FromJs, Object, Value};
use zeroize::Zeroizing;

use super::key::{Usages, Wanted};
use super::refusal::Refusal;
use crate::native::Text;

/// Members that hold text; those from `k` on hold base64url.
const NAMES: [&str; 15] =
    ["kty", "use", "alg", "crv", "k", "n", "e", "d", "p", "q", "dp", "dq", "qi", "x", "y"];

/// A key as the prelude hands it over: an object with only the members of `JsonWebKey`, converted.
pub(super) struct Jwk {
    texts: [Option<Zeroizing<String>>; NAMES.len()],
    key_ops: Option<Vec<String>>,
    ext: Option<bool>,
    has_other_primes: bool,
}

impl Jwk {
    pub(super) fn read<'js>(ctx: &Ctx<'js>, from: &Object<'js>) -> rquickjs::Result<Jwk> {
        let mut texts = [const { None }; NAMES.len()];
        for (slot, name) in texts.iter_mut().zip(NAMES) {
            let value: Value = from.get(name)?;
            if !value.is_undefined() {
                *slot = Some(Zeroizing::new(Text::from_js(ctx, value)?.0));
            }
        }
        let key_ops = match from.get::<_, Value>("key_ops")?.into_array() {
            None => None,
            Some(list) => Some(list.iter::<Text>().map(|t| t.map(|t| t.0)).collect::<Result<_, _>>()?),
        };
        let ext = from.get::<_, Value>("ext")?.as_bool();
        Ok(Jwk { texts, key_ops, ext, has_other_primes: !from.get::<_, Value>("oth")?.is_undefined() })
    }

    fn text(&self, name: &str) -> Option<&str> {
        let at = NAMES.iter().position(|n| *n == name)?;
        self.texts[at].as_ref().map(|text| text.as_str())
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.text(name).is_some()
    }

    /// What every import checks: the type, and that the key is for what is wanted of it.
    pub(super) fn check(&self, kty: &str, for_use: &str, wanted: Wanted) -> Result<(), Refusal> {
        if self.text("kty") != Some(kty) {
            return Err(Refusal::data(format!("the JWK's 'kty' must be '{kty}' for this algorithm")));
        }
        if !wanted.usages.is_empty() && self.text("use").is_some_and(|found| found != for_use) {
            return Err(Refusal::data(format!("the JWK's 'use' must be '{for_use}' for this algorithm")));
        }
        if let Some(ops) = &self.key_ops {
            let twice = ops.iter().enumerate().any(|(at, op)| ops[..at].contains(op));
            let known: Vec<&String> = ops.iter().filter(|op| Usages::read(&[op]).is_some()).collect();
            if twice || !Usages::read(&known).is_some_and(|ops| ops.holds(wanted.usages)) {
                return Err(Refusal::data(
                    "the JWK's 'key_ops' must name each operation once, and those that are asked for",
                ));
            }
        }
        if self.ext == Some(false) && wanted.extractable {
            return Err(Refusal::data("the JWK says 'ext': false, so it cannot be imported as extractable"));
        }
        Ok(())
    }

    /// Refuses a key that is made for another algorithm.
    pub(super) fn check_alg(&self, expected: &str) -> Result<(), Refusal> {
        match self.text("alg") {
            Some(found) if found != expected => {
                Err(Refusal::data(format!("the JWK's 'alg' must be '{expected}' for this algorithm")))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn check_crv(&self, expected: &str) -> Result<(), Refusal> {
        match self.text("crv") {
            Some(found) if found == expected => Ok(()),
            _ => Err(Refusal::data(format!("the JWK's 'crv' must be '{expected}'"))),
        }
    }

    pub(super) fn check_two_primes(&self) -> Result<(), Refusal> {
        match self.has_other_primes {
            true => Err(Refusal::support("RSA keys of more than two primes ('oth') are not supported")),
            false => Ok(()),
        }
    }

    /// The bytes of a member.
    pub(super) fn bytes(&self, name: &str) -> Result<Zeroizing<Vec<u8>>, Refusal> {
        let text = self.text(name).ok_or_else(|| Refusal::data(format!("the JWK has no '{name}'")))?;
        match URL_SAFE_NO_PAD.decode(text) {
            Ok(bytes) => Ok(Zeroizing::new(bytes)),
            Err(_) => Err(Refusal::data(format!("the JWK's '{name}' is not base64url without padding"))),
        }
    }

    /// The bytes of a number, which has no leading zeros (RFC 7518, section 2, Base64urlUInt).
    pub(super) fn number(&self, name: &str) -> Result<Zeroizing<Vec<u8>>, Refusal> {
        let bytes = self.bytes(name)?;
        match bytes.first() {
            Some(first) if *first != 0 => Ok(bytes),
            _ => Err(Refusal::data(format!("the JWK's '{name}' is empty or begins with a zero"))),
        }
    }
}

/// A key on its way out: members in the order in which they are shown.
pub(super) struct Exported(Vec<(&'static str, Zeroizing<String>)>);

impl Exported {
    pub(super) fn new(kty: &str) -> Exported {
        Exported(vec![("kty", Zeroizing::new(kty.to_owned()))])
    }

    pub(super) fn text(mut self, name: &'static str, value: &str) -> Exported {
        self.0.push((name, Zeroizing::new(value.to_owned())));
        self
    }

    pub(super) fn bytes(mut self, name: &'static str, value: &[u8]) -> Exported {
        self.0.push((name, Zeroizing::new(URL_SAFE_NO_PAD.encode(value))));
        self
    }

    pub(super) fn object<'js>(&self, ctx: &Ctx<'js>, wanted: Wanted) -> rquickjs::Result<Object<'js>> {
        let object = Object::new(ctx.clone())?;
        for (name, value) in &self.0 {
            object.set(*name, value.as_str())?;
        }
        let ops = Array::new(ctx.clone())?;
        for (at, name) in wanted.usages.names().into_iter().enumerate() {
            ops.set(at, name)?;
        }
        object.set("key_ops", ops)?;
        object.set("ext", wanted.extractable)?;
        Ok(object)
    }
}

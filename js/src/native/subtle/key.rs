//! A key: what it is for, who may see it, and its material, which stays in Rust. JavaScript holds a handle without
//! members; bytes leave only through `export`, and only if the key is extractable.

use std::cell::Cell;
use std::rc::Rc;

use rquickjs::JsLifetime;
use rquickjs::class::{Trace, Tracer};

use super::aes_gcm::AesGcm;
use super::derive::Secret;
use super::ecdsa::EcKey;
use super::eddsa::EdKey;
use super::hmac::HmacKey;
use super::refusal::Refusal;
use super::rsa::RsaKey;

/// Keys that may live in one context. Their material is not in the engine's heap, so it is bounded by number.
const MAX_KEYS: u32 = 1024;

/// `CryptoKey.type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Secret,
    Public,
    Private,
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Kind::Secret => "secret",
            Kind::Public => "public",
            Kind::Private => "private",
        }
    }
}

/// A set of `KeyUsage`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Usages(u8);

impl Usages {
    pub(super) const NONE: Usages = Usages(0);
    pub(super) const ENCRYPT: Usages = Usages(1);
    pub(super) const DECRYPT: Usages = Usages(2);
    pub(super) const SIGN: Usages = Usages(4);
    pub(super) const VERIFY: Usages = Usages(8);
    pub(super) const DERIVE_KEY: Usages = Usages(16);
    pub(super) const DERIVE_BITS: Usages = Usages(32);
    pub(super) const WRAP: Usages = Usages(64);
    pub(super) const UNWRAP: Usages = Usages(128);

    /// In the order in which the standard lists them; the position is the bit.
    const NAMES: [&str; 8] =
        ["encrypt", "decrypt", "sign", "verify", "deriveKey", "deriveBits", "wrapKey", "unwrapKey"];

    /// Reads names; `None` if one is unknown.
    pub(super) fn read<S: AsRef<str>>(names: &[S]) -> Option<Usages> {
        let bit = |name: &S| Usages::NAMES.iter().position(|n| *n == name.as_ref()).map(|at| 1 << at);
        names.iter().try_fold(Usages::NONE, |all, name| bit(name).map(|bit| Usages(all.0 | bit)))
    }

    pub(super) fn names(self) -> Vec<&'static str> {
        let held = |at: &usize| self.0 & (1 << at) != 0;
        (0..Usages::NAMES.len()).filter(held).map(|at| Usages::NAMES[at]).collect()
    }

    pub(super) const fn and(self, other: Usages) -> Usages {
        Usages(self.0 | other.0)
    }

    /// What both have.
    pub(super) fn within(self, other: Usages) -> Usages {
        Usages(self.0 & other.0)
    }

    pub(super) fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(super) fn holds(self, other: Usages) -> bool {
        self.0 & other.0 == other.0
    }

    /// Refuses usages that a key of this kind cannot have.
    pub(super) fn check(self, kind: Kind, allowed: Usages, what: &str) -> Result<(), Refusal> {
        if allowed.holds(self) {
            return Ok(());
        }
        let (can, kind) = (allowed.names().join(", "), kind.name());
        Err(Refusal::syntax(format!("a {kind} {what} key can be for: {can}; for nothing else")))
    }

    /// Refuses a secret or private key without any; last of all, as the standard has it.
    pub(super) fn check_some(self, kind: Kind) -> Result<(), Refusal> {
        match self.is_empty() && kind != Kind::Public {
            true => Err(Refusal::syntax("the list of usages is empty: such a key could do nothing")),
            false => Ok(()),
        }
    }
}

/// What the caller of `importKey` and `generateKey` asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    pub(super) extractable: bool,
    pub(super) usages: Usages,
}

/// The material by family.
pub(super) enum Material {
    Hmac(HmacKey),
    AesGcm(AesGcm),
    Rsa(RsaKey),
    Ecdsa(EcKey),
    Ed25519(EdKey),
    Secret(Secret),
}

/// A key before it has a place in a context.
pub(super) struct Made {
    pub(super) kind: Kind,
    pub(super) material: Material,
}

/// One place of [`MAX_KEYS`]; given back when it drops.
pub(super) struct Place(Rc<Cell<u32>>);

impl Place {
    pub(super) fn take(taken: &Rc<Cell<u32>>) -> Result<Place, Refusal> {
        if taken.get() >= MAX_KEYS {
            return Err(Refusal::quota(format!(
                "more than {MAX_KEYS} keys are alive: import a key once and use it again"
            )));
        }
        taken.set(taken.get() + 1);
        Ok(Place(taken.clone()))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

/// What a handle in JavaScript holds.
#[rquickjs::class(rename = "Key")]
pub(crate) struct Key {
    pub(super) kind: Kind,
    pub(super) extractable: bool,
    pub(super) usages: Usages,
    pub(super) material: Material,
    pub(super) _place: Place,
}

// SAFETY: it holds no value of the engine.
unsafe impl<'js> JsLifetime<'js> for Key {
    type Changed<'to> = Key;
}

impl<'js> Trace<'js> for Key {
    fn trace<'a>(&self, _: Tracer<'a, 'js>) {}
}

impl Key {
    /// Refuses an operation that the key is not for.
    pub(super) fn permit(&self, usage: Usages) -> Result<(), Refusal> {
        if self.usages.holds(usage) {
            return Ok(());
        }
        let (asked, has) = (usage.names().join(""), self.usages.names().join(", "));
        Err(Refusal::access(format!("this key is not for '{asked}'; its usages are: {has}")))
    }
}

//! The forms in which keys come in and go out. A family that has no such form refuses it by name.

use zeroize::Zeroizing;

use super::jwk::{Exported, Jwk};
use super::refusal::Refusal;

/// `KeyFormat`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Raw,
    Spki,
    Pkcs8,
    Jwk,
}

impl Format {
    pub(super) fn read(name: &str) -> Option<Format> {
        [Format::Raw, Format::Spki, Format::Pkcs8, Format::Jwk].into_iter().find(|f| f.name() == name)
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Format::Raw => "raw",
            Format::Spki => "spki",
            Format::Pkcs8 => "pkcs8",
            Format::Jwk => "jwk",
        }
    }

    pub(super) fn refuse(self, what: &str) -> Refusal {
        Refusal::support(format!("{what} has no form '{}'", self.name()))
    }
}

/// A key as it came.
pub(super) enum Given<'a> {
    Raw(&'a [u8]),
    Spki(&'a [u8]),
    Pkcs8(&'a [u8]),
    Jwk(&'a Jwk),
}

impl Given<'_> {
    pub(super) fn format(&self) -> Format {
        match self {
            Given::Raw(_) => Format::Raw,
            Given::Spki(_) => Format::Spki,
            Given::Pkcs8(_) => Format::Pkcs8,
            Given::Jwk(_) => Format::Jwk,
        }
    }
}

/// A key as it goes out.
pub(super) enum Shown {
    Bytes(Zeroizing<Vec<u8>>),
    Jwk(Exported),
}

impl Shown {
    pub(super) fn bytes(bytes: Vec<u8>) -> Shown {
        Shown::Bytes(Zeroizing::new(bytes))
    }
}

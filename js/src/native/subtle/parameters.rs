//! Algorithms as the prelude hands them over: names in their standard form, members already converted. Anything
//! else is refused with what would work; nothing here may take a value for something it is not.

use rquickjs::{Ctx, FromJs, Object, Value};

use super::refusal::Refusal;
use crate::native::{Text, bytes_of};

/// Algorithm names that have keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    Hmac,
    AesGcm,
    RsaPkcs1,
    RsaPss,
    Ecdsa,
    Ed25519,
    Hkdf,
    Pbkdf2,
}

impl Family {
    const ALL: [Family; 8] = [
        Family::Hmac,
        Family::AesGcm,
        Family::RsaPkcs1,
        Family::RsaPss,
        Family::Ecdsa,
        Family::Ed25519,
        Family::Hkdf,
        Family::Pbkdf2,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Family::Hmac => "HMAC",
            Family::AesGcm => "AES-GCM",
            Family::RsaPkcs1 => "RSASSA-PKCS1-v1_5",
            Family::RsaPss => "RSA-PSS",
            Family::Ecdsa => "ECDSA",
            Family::Ed25519 => "Ed25519",
            Family::Hkdf => "HKDF",
            Family::Pbkdf2 => "PBKDF2",
        }
    }
}

/// Hash functions of the standard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hash {
    Sha1,
    Sha256,
    Sha384,
    Sha512,
}

impl Hash {
    pub(super) fn read(name: &str) -> Result<Hash, Refusal> {
        let known = [Hash::Sha1, Hash::Sha256, Hash::Sha384, Hash::Sha512];
        known.into_iter().find(|hash| hash.name() == name).ok_or_else(|| {
            Refusal::support(format!(
                "the hash '{name}' is not there; SHA-1, SHA-256, SHA-384 and SHA-512 are"
            ))
        })
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Hash::Sha1 => "SHA-1",
            Hash::Sha256 => "SHA-256",
            Hash::Sha384 => "SHA-384",
            Hash::Sha512 => "SHA-512",
        }
    }

    /// What `native::crypto` calls it.
    pub(super) fn plain_name(self) -> &'static str {
        match self {
            Hash::Sha1 => "sha1",
            Hash::Sha256 => "sha256",
            Hash::Sha384 => "sha384",
            Hash::Sha512 => "sha512",
        }
    }

    /// The number at the end of a JWS algorithm name (RFC 7518, section 3.1).
    pub(super) fn jws_suffix(self) -> &'static str {
        match self {
            Hash::Sha1 => "1",
            Hash::Sha256 => "256",
            Hash::Sha384 => "384",
            Hash::Sha512 => "512",
        }
    }

    /// Bits of a block (FIPS 180-4, section 1): the length of an HMAC key that is made without one.
    pub(super) fn block_bits(self) -> u32 {
        match self {
            Hash::Sha1 | Hash::Sha256 => 512,
            Hash::Sha384 | Hash::Sha512 => 1024,
        }
    }

    /// Bytes of a digest.
    pub(super) fn digest_bytes(self) -> u32 {
        match self {
            Hash::Sha1 => 20,
            Hash::Sha256 => 32,
            Hash::Sha384 => 48,
            Hash::Sha512 => 64,
        }
    }
}

/// The members of a normalised algorithm. Those that an operation needs are asked for by name.
pub(super) struct Parameters {
    pub(super) family: Family,
    hash: Option<Hash>,
    curve: Option<String>,
    pub(super) length: Option<u32>,
    pub(super) iv: Option<Vec<u8>>,
    pub(super) additional_data: Option<Vec<u8>>,
    pub(super) tag_bits: Option<u32>,
    pub(super) salt_bytes: Option<u32>,
    pub(super) iterations: Option<u32>,
    salt: Option<Vec<u8>>,
    info: Option<Vec<u8>>,
}

impl Parameters {
    /// Reads them. The outer error is a thrown one, the inner a refusal.
    pub(super) fn read<'js>(
        ctx: &Ctx<'js>,
        from: &Object<'js>,
    ) -> rquickjs::Result<Result<Parameters, Refusal>> {
        let text = |name: &str| match from.get::<_, Value>(name)? {
            value if value.is_undefined() => Ok(None),
            value => Text::from_js(ctx, value).map(|text| Some(text.0)),
        };
        let bytes = |name: &str| match from.get::<_, Value>(name)? {
            value if value.is_undefined() => Ok(None),
            value => bytes_of(ctx, &value).map(Some),
        };
        // The prelude gives whole numbers below 2^32; what is out of range becomes one that nothing admits.
        let number = |name: &str| match from.get::<_, Value>(name)? {
            value if value.is_undefined() => Ok::<_, rquickjs::Error>(None),
            value => Ok(Some(value.as_number().map_or(u32::MAX, |n| n as u32))),
        };
        let name = text("name")?.unwrap_or_default();
        let Some(family) = Family::ALL.into_iter().find(|family| family.name() == name) else {
            return Ok(Err(Refusal::support(format!("the algorithm '{name}' is not there"))));
        };
        let hash = match text("hash")?.map(|name| Hash::read(&name)).transpose() {
            Ok(hash) => hash,
            Err(refusal) => return Ok(Err(refusal)),
        };
        Ok(Ok(Parameters {
            family,
            hash,
            curve: text("namedCurve")?,
            length: number("length")?,
            iv: bytes("iv")?,
            additional_data: bytes("additionalData")?,
            tag_bits: number("tagLength")?,
            salt_bytes: number("saltLength")?,
            iterations: number("iterations")?,
            salt: bytes("salt")?,
            info: bytes("info")?,
        }))
    }

    /// Those of a signature; a salt is as long as the hash's digest (RFC 7518, section 3.5).
    pub(super) fn of_signature(family: Family, hash: Hash) -> Parameters {
        Parameters {
            family,
            hash: Some(hash),
            curve: None,
            length: None,
            iv: None,
            additional_data: None,
            tag_bits: None,
            salt_bytes: Some(hash.digest_bytes()),
            iterations: None,
            salt: None,
            info: None,
        }
    }

    pub(super) fn hash(&self) -> Result<Hash, Refusal> {
        self.hash.ok_or_else(|| Refusal::support("the algorithm needs a member 'hash'"))
    }

    pub(super) fn salt(&self) -> &[u8] {
        self.salt.as_deref().unwrap_or_default()
    }

    pub(super) fn info(&self) -> &[u8] {
        self.info.as_deref().unwrap_or_default()
    }

    pub(super) fn curve(&self) -> &str {
        self.curve.as_deref().unwrap_or_default()
    }
}

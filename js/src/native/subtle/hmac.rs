//! HMAC keys (RFC 2104). The sums themselves are `native::crypto`'s. A
//! key's bytes never leave but through `export`.

use zeroize::Zeroizing;

use super::format::{Format, Given, Shown};
use super::jwk::Exported;
use super::key::{Kind, Made, Material, Usages, Wanted};
use super::parameters::{Hash, Parameters};
use super::refusal::Refusal;
use crate::native::crypto::State;

/// Longest key, bits.
const MAX_BITS: u32 = 1 << 16;

const ALLOWED: Usages = Usages::SIGN.and(Usages::VERIFY);

/// A key of any length.
pub(super) struct HmacKey {
    pub(super) hash: Hash,
    pub(super) bytes: Zeroizing<Vec<u8>>,
    /// A sum of nothing yet, which each sum begins as a copy of; wiped when it goes, as all such are.
    keyed: State,
}

impl HmacKey {
    pub(super) fn generate(
        parameters: &Parameters,
        wanted: Wanted,
        random: &dyn Fn(&mut [u8]),
    ) -> Result<Made, Refusal> {
        wanted.usages.check(Kind::Secret, ALLOWED, "HMAC")?;
        let hash = parameters.hash()?;
        let bits = parameters.length.unwrap_or(hash.block_bits());
        if bits == 0 || bits > MAX_BITS || !bits.is_multiple_of(8) {
            return Err(Refusal::operation(format!("an HMAC key has 8 to {MAX_BITS} bits, in whole bytes")));
        }
        let mut bytes = Zeroizing::new(vec![0; bits as usize / 8]);
        random(&mut bytes);
        HmacKey::made(hash, bytes)
    }

    pub(super) fn import(
        given: &Given<'_>,
        parameters: &Parameters,
        wanted: Wanted,
    ) -> Result<Made, Refusal> {
        wanted.usages.check(Kind::Secret, ALLOWED, "HMAC")?;
        let hash = parameters.hash()?;
        let bytes = match given {
            Given::Raw(bytes) => Zeroizing::new(bytes.to_vec()),
            Given::Jwk(jwk) => {
                jwk.check("oct", "sig", wanted)?;
                jwk.check_alg(&alg(hash))?;
                jwk.bytes("k")?
            }
            Given::Spki(_) | Given::Pkcs8(_) => return Err(given.format().refuse("an HMAC key")),
        };
        if bytes.is_empty() || bytes.len() > MAX_BITS as usize / 8 {
            return Err(Refusal::data(format!("an HMAC key has 1 to {} bytes", MAX_BITS / 8)));
        }
        let bits = bytes.len() as u32 * 8;
        match parameters.length {
            None => {}
            Some(length) if length == bits => {}
            Some(length) if length < bits && length > bits - 8 => {
                return Err(Refusal::support("an HMAC key has a length in whole bytes"));
            }
            Some(_) => {
                return Err(Refusal::data(format!("the key has {bits} bits, and 'length' says otherwise")));
            }
        }
        HmacKey::made(hash, bytes)
    }

    fn made(hash: Hash, bytes: Zeroizing<Vec<u8>>) -> Result<Made, Refusal> {
        let keyed = State::keyed(hash.plain_name(), &bytes);
        let keyed = keyed.ok_or_else(|| Refusal::support("there is no HMAC with this hash"))?;
        Ok(Made { kind: Kind::Secret, material: Material::Hmac(HmacKey { hash, bytes, keyed }) })
    }

    /// Its JWS name (RFC 7518, section 3.2); none of a hash that tokens do not have is ever asked for.
    pub(super) fn alg(&self) -> &'static str {
        match self.hash {
            Hash::Sha1 => "HS1",
            Hash::Sha256 => "HS256",
            Hash::Sha384 => "HS384",
            Hash::Sha512 => "HS512",
        }
    }

    /// Where a sum by this key begins.
    pub(super) fn keyed(&self) -> State {
        self.keyed.clone()
    }

    pub(super) fn export(&self, format: Format) -> Result<Shown, Refusal> {
        match format {
            Format::Raw => Ok(Shown::Bytes(self.bytes.clone())),
            Format::Jwk => {
                Ok(Shown::Jwk(Exported::new("oct").bytes("k", &self.bytes).text("alg", &alg(self.hash))))
            }
            Format::Spki | Format::Pkcs8 => Err(format.refuse("an HMAC key")),
        }
    }
}

fn alg(hash: Hash) -> String {
    format!("HS{}", hash.jws_suffix())
}

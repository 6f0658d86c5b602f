//! Bits from a secret: HKDF (RFC 5869) and PBKDF2 (RFC 8018, section 5.2). The work is looked at by the budget as it
//! goes on, so that a number of iterations is bounded by the call's CPU time and by nothing else. Such a secret is
//! never exported.

use rquickjs::Ctx;
use zeroize::Zeroizing;

use super::Checked;
use super::format::Given;
use super::key::{Kind, Made, Material, Usages, Wanted};
use super::parameters::{Family, Hash, Parameters};
use super::refusal::Refusal;
use crate::bridge::Bridge;
use crate::native::crypto::State;

const ALLOWED: Usages = Usages::DERIVE_KEY.and(Usages::DERIVE_BITS);

/// Iterations between two looks at the CPU time: some tens of microseconds.
const STRIDE: u32 = 64;

/// A secret that bits are derived from.
pub(super) struct Secret {
    pub(super) family: Family,
    bytes: Zeroizing<Vec<u8>>,
}

impl Secret {
    pub(super) fn import(given: &Given<'_>, family: Family, wanted: Wanted) -> Result<Made, Refusal> {
        let Given::Raw(bytes) = given else { return Err(given.format().refuse(family.name())) };
        wanted.usages.check(Kind::Secret, ALLOWED, family.name())?;
        if wanted.extractable {
            return Err(Refusal::syntax(format!("a key for {} cannot be extractable", family.name())));
        }
        let bytes = Zeroizing::new(bytes.to_vec());
        Ok(Made { kind: Kind::Secret, material: Material::Secret(Secret { family, bytes }) })
    }

    /// As many bits as asked for.
    pub(super) fn derive(
        &self,
        ctx: &Ctx<'_>,
        bridge: &Bridge,
        parameters: &Parameters,
        bits: Option<u32>,
    ) -> Checked<Vec<u8>> {
        let hash = match parameters.hash() {
            Ok(hash) => hash,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let Some(bits) = bits.filter(|bits| bits.is_multiple_of(8)) else {
            return Ok(Err(Refusal::operation("the number of bits must be given and be a multiple of 8")));
        };
        let bytes = bits as usize / 8;
        match self.family {
            Family::Hkdf => Ok(self.hkdf(hash, parameters, bytes)),
            _ => self.pbkdf2(ctx, bridge, hash, parameters, bytes),
        }
    }

    fn hkdf(&self, hash: Hash, parameters: &Parameters, bytes: usize) -> Result<Vec<u8>, Refusal> {
        if bytes > 255 * hash.digest_bytes() as usize {
            return Err(Refusal::operation("HKDF gives 255 times the hash's length at most"));
        }
        let prk = Zeroizing::new(sum(keyed(hash, parameters.salt())?, &[&self.bytes]));
        let key = keyed(hash, &prk)?;
        let mut out = Vec::with_capacity(bytes + hash.digest_bytes() as usize);
        let mut last = Vec::new();
        for counter in 1..=255u8 {
            if out.len() >= bytes {
                break;
            }
            last = sum(key.clone(), &[&last, parameters.info(), &[counter]]);
            out.extend_from_slice(&last);
        }
        out.truncate(bytes);
        Ok(out)
    }

    fn pbkdf2(
        &self,
        ctx: &Ctx<'_>,
        bridge: &Bridge,
        hash: Hash,
        parameters: &Parameters,
        bytes: usize,
    ) -> Checked<Vec<u8>> {
        let iterations = parameters.iterations.unwrap_or(0);
        if iterations == 0 {
            return Ok(Err(Refusal::operation("PBKDF2 needs at least one iteration")));
        }
        let key = match keyed(hash, &self.bytes) {
            Ok(key) => key,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let mut out = Vec::new();
        for block in 1..=bytes.div_ceil(hash.digest_bytes() as usize) as u32 {
            let mut last = sum(key.clone(), &[parameters.salt(), &block.to_be_bytes()]);
            let mut all = last.clone();
            for done in 1..iterations {
                if done.is_multiple_of(STRIDE) {
                    bridge.spend(ctx)?;
                }
                last = sum(key.clone(), &[&last]);
                all.iter_mut().zip(&last).for_each(|(a, b)| *a ^= b);
            }
            bridge.spend(ctx)?;
            out.extend_from_slice(&all);
        }
        out.truncate(bytes);
        Ok(Ok(out))
    }
}

fn keyed(hash: Hash, key: &[u8]) -> Result<State, Refusal> {
    State::keyed(hash.plain_name(), key).ok_or_else(|| Refusal::support("the hash is not there"))
}

fn sum(mut state: State, parts: &[&[u8]]) -> Vec<u8> {
    parts.iter().for_each(|part| state.update(part));
    state.digest()
}

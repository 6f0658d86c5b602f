//! AES-GCM (NIST SP 800-38D) over ring, which has keys of 128 and 256 bits and
//! nonces of 96 bits. No plaintext leaves before its tag was found right.

use ring::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use zeroize::Zeroizing;

use super::format::{Format, Given, Shown};
use super::jwk::Exported;
use super::key::{Kind, Made, Material, Usages, Wanted};
use super::parameters::Parameters;
use super::refusal::Refusal;
use crate::native::crypto::equal;

const ALLOWED: Usages = Usages::ENCRYPT.and(Usages::DECRYPT).and(Usages::WRAP).and(Usages::UNWRAP);

/// Lengths of tags that the standard admits, bits.
const TAG_BITS: [u32; 7] = [32, 64, 96, 104, 112, 120, 128];

const FULL_TAG: usize = 16;

/// A key of 16 or 32 bytes.
pub(super) struct AesGcm {
    bytes: Zeroizing<Vec<u8>>,
}

impl AesGcm {
    pub(super) fn generate(
        parameters: &Parameters,
        wanted: Wanted,
        random: &dyn Fn(&mut [u8]),
    ) -> Result<Made, Refusal> {
        wanted.usages.check(Kind::Secret, ALLOWED, "AES-GCM")?;
        let bits = parameters.length.unwrap_or(0);
        match bits {
            128 | 256 => {}
            192 => return Err(no_192()),
            _ => return Err(Refusal::operation("an AES-GCM key has 128 or 256 bits")),
        }
        let mut bytes = Zeroizing::new(vec![0; bits as usize / 8]);
        random(&mut bytes);
        Ok(AesGcm { bytes }.made())
    }

    pub(super) fn import(given: &Given<'_>, wanted: Wanted) -> Result<Made, Refusal> {
        wanted.usages.check(Kind::Secret, ALLOWED, "AES-GCM")?;
        let bytes = match given {
            Given::Raw(bytes) => Zeroizing::new(bytes.to_vec()),
            Given::Jwk(jwk) => {
                jwk.check("oct", "enc", wanted)?;
                let bytes = jwk.bytes("k")?;
                jwk.check_alg(&alg(&bytes))?;
                bytes
            }
            Given::Spki(_) | Given::Pkcs8(_) => return Err(given.format().refuse("an AES-GCM key")),
        };
        match bytes.len() {
            16 | 32 => Ok(AesGcm { bytes }.made()),
            24 => Err(no_192()),
            _ => Err(Refusal::data("an AES-GCM key has 16 or 32 bytes")),
        }
    }

    fn made(self) -> Made {
        Made { kind: Kind::Secret, material: Material::AesGcm(self) }
    }

    pub(super) fn bits(&self) -> u32 {
        self.bytes.len() as u32 * 8
    }

    pub(super) fn export(&self, format: Format) -> Result<Shown, Refusal> {
        match format {
            Format::Raw => Ok(Shown::Bytes(self.bytes.clone())),
            Format::Jwk => {
                Ok(Shown::Jwk(Exported::new("oct").bytes("k", &self.bytes).text("alg", &alg(&self.bytes))))
            }
            Format::Spki | Format::Pkcs8 => Err(format.refuse("an AES-GCM key")),
        }
    }

    /// The ciphertext with the tag behind it.
    pub(super) fn encrypt(&self, mut data: Vec<u8>, parameters: &Parameters) -> Result<Vec<u8>, Refusal> {
        let call = Call::read(parameters)?;
        let tag = self.seal(&call, &mut data)?;
        data.extend_from_slice(&tag[..call.tag_bytes]);
        Ok(data)
    }

    /// The plaintext, if the tag is right.
    pub(super) fn decrypt(&self, mut data: Vec<u8>, parameters: &Parameters) -> Result<Vec<u8>, Refusal> {
        let call = Call::read(parameters)?;
        let Some(length) = data.len().checked_sub(call.tag_bytes) else {
            return Err(Refusal::operation("the data is shorter than its tag"));
        };
        if call.tag_bytes == FULL_TAG {
            let (nonce, aad) = call.parts()?;
            self.key()?.open_in_place(nonce, aad, &mut data).map_err(|_| wrong())?;
            data.truncate(length);
            return Ok(data);
        }
        // Ring opens full tags only. The cipher is a stream: sealing the ciphertext gives the plaintext, and sealing
        // that gives the whole tag, whose beginning must be the one that came.
        let expected = data.split_off(length);
        self.seal(&call, &mut data)?;
        let mut again = Zeroizing::new(data.clone());
        let tag = self.seal(&call, &mut again)?;
        if equal(&tag[..call.tag_bytes], &expected) {
            return Ok(data);
        }
        drop(Zeroizing::new(data));
        Err(wrong())
    }

    fn seal(&self, call: &Call<'_>, data: &mut [u8]) -> Result<[u8; FULL_TAG], Refusal> {
        let (nonce, aad) = call.parts()?;
        let tag = self
            .key()?
            .seal_in_place_separate_tag(nonce, aad, data)
            .map_err(|_| Refusal::operation("the data is too long for AES-GCM"))?;
        tag.as_ref().try_into().map_err(|_| Refusal::operation("the tag has another length than it should"))
    }

    fn key(&self) -> Result<LessSafeKey, Refusal> {
        let algorithm = if self.bytes.len() == 16 { &AES_128_GCM } else { &AES_256_GCM };
        let key = UnboundKey::new(algorithm, &self.bytes);
        key.map(LessSafeKey::new).map_err(|_| Refusal::operation("the key cannot be used"))
    }
}

/// The parameters of one operation.
struct Call<'a> {
    iv: &'a [u8],
    additional_data: &'a [u8],
    tag_bytes: usize,
}

impl Call<'_> {
    fn read(parameters: &Parameters) -> Result<Call<'_>, Refusal> {
        let tag_bits = parameters.tag_bits.unwrap_or(128);
        if !TAG_BITS.contains(&tag_bits) {
            return Err(Refusal::operation("'tagLength' is 32, 64, 96, 104, 112, 120 or 128 (the default)"));
        }
        let iv = parameters.iv.as_deref().unwrap_or_default();
        if iv.len() != 12 {
            return Err(Refusal::support(
                "AES-GCM takes an 'iv' of 12 bytes here: crypto.getRandomValues(new Uint8Array(12)), a new one for each message",
            ));
        }
        let additional_data = parameters.additional_data.as_deref().unwrap_or_default();
        Ok(Call { iv, additional_data, tag_bytes: tag_bits as usize / 8 })
    }

    fn parts(&self) -> Result<(Nonce, Aad<&[u8]>), Refusal> {
        let nonce = Nonce::try_assume_unique_for_key(self.iv);
        nonce.map(|n| (n, Aad::from(self.additional_data))).map_err(|_| wrong())
    }
}

fn wrong() -> Refusal {
    Refusal::operation("the data cannot be decrypted: another key, iv or additional data, or it was changed")
}

fn no_192() -> Refusal {
    Refusal::support("AES keys of 192 bits are not supported; 128 and 256 are")
}

fn alg(key: &[u8]) -> String {
    format!("A{}GCM", key.len() * 8)
}

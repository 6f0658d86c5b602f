//! Ed25519 (RFC 8032, RFC 8410, RFC 8037) over ring.

use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use zeroize::Zeroizing;

use super::der::{Label, read_pkcs8, read_spki, write_pkcs8, write_spki};
use super::format::{Format, Given, Shown};
use super::jwk::Exported;
use super::key::{Kind, Made, Material, Usages, Wanted};
use super::refusal::Refusal;

/// Bytes of a seed and of a public key.
const SIZE: usize = 32;

/// DER in front of a seed: an OCTET STRING of 32 bytes (RFC 8410, section 7).
const SEED_PREFIX: [u8; 2] = [4, SIZE as u8];

/// A public or private key.
pub(super) struct EdKey {
    point: Vec<u8>,
    private: Option<Private>,
}

struct Private {
    pair: Ed25519KeyPair,
    /// Kept only if the key may be exported.
    seed: Option<Zeroizing<Vec<u8>>>,
}

impl EdKey {
    /// The private key and the public one.
    pub(super) fn generate(wanted: Wanted, random: &dyn Fn(&mut [u8])) -> Result<(Made, Made), Refusal> {
        wanted.usages.check(Kind::Public, Usages::SIGN.and(Usages::VERIFY), "Ed25519")?;
        let mut seed = Zeroizing::new(vec![0; SIZE]);
        random(&mut seed);
        let private = EdKey::private(seed, None, wanted.extractable)?;
        let public = EdKey { point: private.point.clone(), private: None };
        Ok((private.made(), public.made()))
    }

    pub(super) fn import(given: &Given<'_>, wanted: Wanted) -> Result<Made, Refusal> {
        let is_private = match given {
            Given::Pkcs8(_) => true,
            Given::Spki(_) | Given::Raw(_) => false,
            Given::Jwk(jwk) => jwk.has("d"),
        };
        let (kind, allowed) =
            if is_private { (Kind::Private, Usages::SIGN) } else { (Kind::Public, Usages::VERIFY) };
        wanted.usages.check(kind, allowed, "Ed25519")?;
        let point = match given {
            Given::Raw(point) => point.to_vec(),
            Given::Spki(bytes) => read_spki(bytes, Label::Ed25519)?.to_vec(),
            Given::Pkcs8(bytes) => {
                let (octets, point) = read_pkcs8(bytes, Label::Ed25519)?;
                let seed = octets.strip_prefix(&SEED_PREFIX).unwrap_or_default();
                return Ok(EdKey::private(Zeroizing::new(seed.to_vec()), point, wanted.extractable)?.made());
            }
            Given::Jwk(jwk) => {
                jwk.check("OKP", "sig", wanted)?;
                jwk.check_crv("Ed25519")?;
                // RFC 9864 renames what RFC 8037 called EdDSA.
                jwk.check_alg("Ed25519").or_else(|_| jwk.check_alg("EdDSA"))?;
                let point = jwk.bytes("x")?;
                if jwk.has("d") {
                    let key = EdKey::private(jwk.bytes("d")?, Some(&point[..]), wanted.extractable)?;
                    return Ok(key.made());
                }
                point.to_vec()
            }
        };
        if point.len() != SIZE {
            return Err(Refusal::data("an Ed25519 public key has 32 bytes"));
        }
        Ok(EdKey { point, private: None }.made())
    }

    fn private(seed: Zeroizing<Vec<u8>>, point: Option<&[u8]>, extractable: bool) -> Result<EdKey, Refusal> {
        let pair = match point {
            Some(point) => Ed25519KeyPair::from_seed_and_public_key(&seed, point),
            None => Ed25519KeyPair::from_seed_unchecked(&seed),
        }
        .map_err(|why| Refusal::data(format!("the Ed25519 private key cannot be used: {why}")))?;
        let point = pair.public_key().as_ref().to_vec();
        Ok(EdKey { point, private: Some(Private { pair, seed: extractable.then_some(seed) }) })
    }

    fn made(self) -> Made {
        let kind = if self.private.is_some() { Kind::Private } else { Kind::Public };
        Made { kind, material: Material::Ed25519(self) }
    }

    pub(super) fn sign(&self, data: &[u8]) -> Result<Vec<u8>, Refusal> {
        let Some(private) = &self.private else { return Err(Refusal::access("only a private key can sign")) };
        Ok(private.pair.sign(data).as_ref().to_vec())
    }

    pub(super) fn verify(&self, data: &[u8], sum: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, &self.point).verify(data, sum).is_ok()
    }

    pub(super) fn export(&self, format: Format) -> Result<Shown, Refusal> {
        let seed = self.private.as_ref().and_then(|private| private.seed.as_ref());
        match (format, seed) {
            (Format::Jwk, _) => {
                let jwk = Exported::new("OKP").text("crv", "Ed25519").bytes("x", &self.point);
                let jwk = seed.into_iter().fold(jwk, |jwk, d| jwk.bytes("d", d));
                Ok(Shown::Jwk(jwk.text("alg", "Ed25519")))
            }
            (Format::Pkcs8, Some(seed)) => {
                let octets = Zeroizing::new([&SEED_PREFIX[..], seed].concat());
                write_pkcs8(Label::Ed25519, &octets).map(Shown::Bytes)
            }
            (Format::Raw, _) if self.private.is_none() => Ok(Shown::bytes(self.point.clone())),
            (Format::Spki, _) if self.private.is_none() => {
                write_spki(Label::Ed25519, &self.point).map(Shown::bytes)
            }
            (Format::Raw | Format::Spki, _) => {
                Err(Refusal::access("a private key is exported as 'pkcs8' or 'jwk'"))
            }
            (Format::Pkcs8, None) => {
                Err(Refusal::access("a public key is exported as 'raw', 'spki' or 'jwk'"))
            }
        }
    }
}

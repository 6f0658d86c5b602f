//! RSASSA-PKCS1-v1_5 and RSA-PSS (RFC 8017) over ring: 2048 to 4096 bits,
//! SHA-256, SHA-384 and SHA-512. Keys are not generated here: that takes more CPU time than a call has.

use pkcs1::der::asn1::UintRef;
use pkcs1::der::{Decode, Encode};
use pkcs1::{RsaPrivateKeyRef, RsaPublicKeyRef};
use ring::rand::SystemRandom;
use ring::rsa::KeyPairComponents;
use ring::signature::{self, RsaEncoding, RsaKeyPair, RsaParameters, RsaPublicKeyComponents};
use zeroize::Zeroizing;

use super::der::{Label, read_pkcs8, read_spki, write_pkcs8, write_spki};
use super::format::{Format, Given, Shown};
use super::jwk::{Exported, Jwk};
use super::key::{Kind, Made, Material, Usages, Wanted};
use super::parameters::{Family, Hash, Parameters};
use super::refusal::Refusal;

/// Names of the private members, as JWK has them (RFC 7518, section 6.3.2), in the order of RFC 8017, appendix A.1.2.
const SECRETS: [&str; 6] = ["d", "p", "q", "dp", "dq", "qi"];

type Secrets = [Zeroizing<Vec<u8>>; 6];

/// A public or private key, bound to its scheme and hash.
pub(super) struct RsaKey {
    pub(super) family: Family,
    pub(super) hash: Hash,
    modulus: Vec<u8>,
    exponent: Vec<u8>,
    private: Option<Private>,
}

struct Private {
    pair: RsaKeyPair,
    /// Kept only if the key may be exported.
    secrets: Option<Secrets>,
}

/// Why there is none.
pub(super) fn generate() -> Refusal {
    Refusal::support(
        "RSA keys are not generated here: it takes more CPU time than a call has. Make one with \
         'openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -outform DER' and import it as 'pkcs8'",
    )
}

impl RsaKey {
    pub(super) fn import(
        given: &Given<'_>,
        parameters: &Parameters,
        wanted: Wanted,
    ) -> Result<Made, Refusal> {
        let (family, hash) = (parameters.family, parameters.hash()?);
        let is_private = match given {
            Given::Pkcs8(_) => true,
            Given::Spki(_) => false,
            Given::Jwk(jwk) => jwk.has("d"),
            Given::Raw(_) => return Err(given.format().refuse("an RSA key")),
        };
        let kind = if is_private { Kind::Private } else { Kind::Public };
        let allowed = if is_private { Usages::SIGN } else { Usages::VERIFY };
        wanted.usages.check(kind, allowed, family.name())?;
        if hash == Hash::Sha1 {
            return Err(Refusal::support("RSA works with SHA-256, SHA-384 and SHA-512, not with SHA-1"));
        }
        let (modulus, exponent, secrets) = match given {
            Given::Pkcs8(bytes) => from_pkcs8(bytes)?,
            Given::Spki(bytes) => from_spki(bytes)?,
            Given::Jwk(jwk) => {
                jwk.check("RSA", "sig", wanted)?;
                jwk.check_alg(&alg(family, hash))?;
                from_jwk(jwk)?
            }
            Given::Raw(_) => return Err(given.format().refuse("an RSA key")),
        };
        check_public(&modulus, &exponent)?;
        let private =
            secrets.map(|s| Private::new(&modulus, &exponent, s, wanted.extractable)).transpose()?;
        Ok(Made { kind, material: Material::Rsa(RsaKey { family, hash, modulus, exponent, private }) })
    }

    pub(super) fn modulus_bits(&self) -> u32 {
        bits(&self.modulus)
    }

    pub(super) fn exponent(&self) -> &[u8] {
        &self.exponent
    }

    pub(super) fn sign(&self, data: &[u8], parameters: &Parameters) -> Result<Vec<u8>, Refusal> {
        self.check_salt(parameters)?;
        let Some(private) = &self.private else { return Err(Refusal::access("only a private key can sign")) };
        let encoding: &dyn RsaEncoding = match (self.family == Family::RsaPss, self.hash) {
            (false, Hash::Sha384) => &signature::RSA_PKCS1_SHA384,
            (false, Hash::Sha512) => &signature::RSA_PKCS1_SHA512,
            (false, _) => &signature::RSA_PKCS1_SHA256,
            (true, Hash::Sha384) => &signature::RSA_PSS_SHA384,
            (true, Hash::Sha512) => &signature::RSA_PSS_SHA512,
            (true, _) => &signature::RSA_PSS_SHA256,
        };
        let mut out = vec![0; private.pair.public().modulus_len()];
        let signed = private.pair.sign(encoding, &SystemRandom::new(), data, &mut out);
        signed
            .map(|()| out)
            .map_err(|_| Refusal::operation("signing failed: the private key is not consistent"))
    }

    pub(super) fn verify(&self, data: &[u8], sum: &[u8], parameters: &Parameters) -> Result<bool, Refusal> {
        self.check_salt(parameters)?;
        let scheme: &RsaParameters = match (self.family == Family::RsaPss, self.hash) {
            (false, Hash::Sha384) => &signature::RSA_PKCS1_2048_8192_SHA384,
            (false, Hash::Sha512) => &signature::RSA_PKCS1_2048_8192_SHA512,
            (false, _) => &signature::RSA_PKCS1_2048_8192_SHA256,
            (true, Hash::Sha384) => &signature::RSA_PSS_2048_8192_SHA384,
            (true, Hash::Sha512) => &signature::RSA_PSS_2048_8192_SHA512,
            (true, _) => &signature::RSA_PSS_2048_8192_SHA256,
        };
        let public = RsaPublicKeyComponents { n: &self.modulus, e: &self.exponent };
        Ok(public.verify(scheme, data, sum).is_ok())
    }

    /// Ring makes and takes PSS salts of the hash's length only; so does JWS (RFC 7518, section 3.5).
    fn check_salt(&self, parameters: &Parameters) -> Result<(), Refusal> {
        let bytes = self.hash.digest_bytes();
        if self.family == Family::RsaPss && parameters.salt_bytes != Some(bytes) {
            let hash = self.hash.name();
            return Err(Refusal::support(format!(
                "RSA-PSS with {hash} works with a 'saltLength' of {bytes}"
            )));
        }
        Ok(())
    }

    pub(super) fn export(&self, format: Format) -> Result<Shown, Refusal> {
        let secrets = self.private.as_ref().and_then(|private| private.secrets.as_ref());
        match (format, secrets) {
            (Format::Jwk, _) => {
                let jwk = Exported::new("RSA").bytes("n", &self.modulus).bytes("e", &self.exponent);
                let named = SECRETS.into_iter().zip(secrets.into_iter().flatten());
                let jwk = named.fold(jwk, |jwk, (name, value)| jwk.bytes(name, value));
                Ok(Shown::Jwk(jwk.text("alg", &alg(self.family, self.hash))))
            }
            (Format::Spki, _) if self.private.is_none() => {
                let (modulus, public_exponent) = (uint(&self.modulus)?, uint(&self.exponent)?);
                let bits = RsaPublicKeyRef { modulus, public_exponent }.to_der().map_err(|_| no_form())?;
                write_spki(Label::Rsa, &bits).map(Shown::bytes)
            }
            (Format::Pkcs8, Some([d, p, q, dp, dq, qi])) => {
                let key = RsaPrivateKeyRef {
                    modulus: uint(&self.modulus)?,
                    public_exponent: uint(&self.exponent)?,
                    private_exponent: uint(d)?,
                    prime1: uint(p)?,
                    prime2: uint(q)?,
                    exponent1: uint(dp)?,
                    exponent2: uint(dq)?,
                    coefficient: uint(qi)?,
                    other_prime_infos: None,
                };
                let octets = Zeroizing::new(key.to_der().map_err(|_| no_form())?);
                write_pkcs8(Label::Rsa, &octets).map(Shown::Bytes)
            }
            (Format::Spki, _) => Err(Refusal::access("a private key is exported as 'pkcs8' or 'jwk'")),
            (Format::Pkcs8, _) => Err(Refusal::access("a public key is exported as 'spki' or 'jwk'")),
            (Format::Raw, _) => Err(format.refuse("an RSA key")),
        }
    }
}

impl Private {
    fn new(modulus: &[u8], exponent: &[u8], secrets: Secrets, extractable: bool) -> Result<Private, Refusal> {
        let [d, p, q, dp, dq, qi] = &secrets;
        let components = KeyPairComponents {
            public_key: RsaPublicKeyComponents { n: modulus, e: exponent },
            d: &d[..],
            p: &p[..],
            q: &q[..],
            dP: &dp[..],
            dQ: &dq[..],
            qInv: &qi[..],
        };
        let pair = RsaKeyPair::from_components(&components)
            .map_err(|why| Refusal::data(format!("the RSA private key cannot be used: {why}")))?;
        Ok(Private { pair, secrets: extractable.then_some(secrets) })
    }
}

type Parts = (Vec<u8>, Vec<u8>, Option<Secrets>);

fn from_spki(bytes: &[u8]) -> Result<Parts, Refusal> {
    let bits = read_spki(bytes, Label::Rsa)?;
    let key =
        RsaPublicKeyRef::from_der(bits).map_err(|_| Refusal::data("this is no RSA public key in DER"))?;
    Ok((key.modulus.as_bytes().into(), key.public_exponent.as_bytes().into(), None))
}

fn from_pkcs8(bytes: &[u8]) -> Result<Parts, Refusal> {
    let (octets, _) = read_pkcs8(bytes, Label::Rsa)?;
    let key =
        RsaPrivateKeyRef::from_der(octets).map_err(|_| Refusal::data("this is no RSA private key in DER"))?;
    if key.other_prime_infos.is_some() {
        return Err(Refusal::support("RSA keys of more than two primes are not supported"));
    }
    let secrets =
        [key.private_exponent, key.prime1, key.prime2, key.exponent1, key.exponent2, key.coefficient]
            .map(|number| Zeroizing::new(number.as_bytes().to_vec()));
    Ok((key.modulus.as_bytes().into(), key.public_exponent.as_bytes().into(), Some(secrets)))
}

fn from_jwk(jwk: &Jwk) -> Result<Parts, Refusal> {
    jwk.check_two_primes()?;
    let public = (jwk.number("n")?.to_vec(), jwk.number("e")?.to_vec());
    if !jwk.has("d") {
        return Ok((public.0, public.1, None));
    }
    let mut secrets: Secrets = Default::default();
    for (slot, name) in secrets.iter_mut().zip(SECRETS) {
        *slot = jwk.number(name)?;
    }
    Ok((public.0, public.1, Some(secrets)))
}

/// What ring would find only when the key is used.
fn check_public(modulus: &[u8], exponent: &[u8]) -> Result<(), Refusal> {
    if !(2048..=4096).contains(&bits(modulus)) {
        return Err(Refusal::support("RSA keys have 2048 to 4096 bits here"));
    }
    let odd = |number: &[u8]| number.last().is_some_and(|last| last % 2 == 1);
    if !odd(modulus) || !odd(exponent) || !(2..=33).contains(&bits(exponent)) {
        return Err(Refusal::data("the RSA modulus or its public exponent cannot be right"));
    }
    Ok(())
}

/// Bits of a number without leading zeros.
fn bits(number: &[u8]) -> u32 {
    number.first().map_or(0, |first| number.len() as u32 * 8 - first.leading_zeros())
}

fn uint(bytes: &[u8]) -> Result<UintRef<'_>, Refusal> {
    UintRef::new(bytes).map_err(|_| no_form())
}

fn no_form() -> Refusal {
    Refusal::operation("the key has no DER form")
}

fn alg(family: Family, hash: Hash) -> String {
    format!("{}{}", if family == Family::RsaPss { "PS" } else { "RS" }, hash.jws_suffix())
}

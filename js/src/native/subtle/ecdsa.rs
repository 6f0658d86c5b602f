//! ECDSA on P-256 with SHA-256 and on P-384 with SHA-384 (FIPS 186-5) over ring.
//! Signatures are r and s side by side (IEEE P1363). No private number
//! is kept beside ring's own copy unless it may be exported.

use pkcs8::der::{Decode, Encode};
use ring::rand::SystemRandom;
use ring::signature::{self, EcdsaKeyPair};
use sec1::EcPrivateKey;
use zeroize::Zeroizing;

use super::curve::Curve;
use super::der::{Label, read_pkcs8, read_spki, write_pkcs8, write_spki};
use super::format::{Format, Given, Shown};
use super::jwk::{Exported, Jwk};
use super::key::{Kind, Made, Material, Usages, Wanted};
use super::parameters::Parameters;
use super::refusal::Refusal;

/// A public or private key.
pub(super) struct EcKey {
    pub(super) curve: Curve,
    /// 4, x, y.
    point: Vec<u8>,
    private: Option<Private>,
}

struct Private {
    pair: EcdsaKeyPair,
    /// Kept only if the key may be exported.
    number: Option<Zeroizing<Vec<u8>>>,
}

impl EcKey {
    /// The private key and the public one.
    pub(super) fn generate(parameters: &Parameters, wanted: Wanted) -> Result<(Made, Made), Refusal> {
        let curve = Curve::read(parameters.curve())?;
        let both = Usages::SIGN.and(Usages::VERIFY);
        wanted.usages.check(Kind::Public, both, "ECDSA")?;
        let made = EcdsaKeyPair::generate_pkcs8(curve.signing(), &SystemRandom::new());
        let document = made.map_err(|_| Refusal::operation("no randomness"))?;
        let (number, point) = from_pkcs8(document.as_ref(), curve)?;
        let public = EcKey { curve, point: point.clone(), private: None };
        let private = EcKey::private(curve, point, number, wanted.extractable)?;
        Ok((private.made(), public.made()))
    }

    pub(super) fn import(
        given: &Given<'_>,
        parameters: &Parameters,
        wanted: Wanted,
    ) -> Result<Made, Refusal> {
        let is_private = match given {
            Given::Pkcs8(_) => true,
            Given::Spki(_) | Given::Raw(_) => false,
            Given::Jwk(jwk) => jwk.has("d"),
        };
        let (kind, allowed) =
            if is_private { (Kind::Private, Usages::SIGN) } else { (Kind::Public, Usages::VERIFY) };
        wanted.usages.check(kind, allowed, "ECDSA")?;
        let curve = Curve::read(parameters.curve())?;
        let (number, point) = match given {
            Given::Raw(point) => (None, point.to_vec()),
            Given::Spki(bytes) => (None, read_spki(bytes, curve.label())?.to_vec()),
            Given::Pkcs8(bytes) => from_pkcs8(bytes, curve).map(|(number, point)| (Some(number), point))?,
            Given::Jwk(jwk) => {
                jwk.check("EC", "sig", wanted)?;
                jwk.check_crv(curve.name())?;
                jwk.check_alg(&format!("ES{}", curve.hash().jws_suffix()))?;
                from_jwk(jwk, curve)?
            }
        };
        if let Some(number) = number {
            return EcKey::private(curve, point, number, wanted.extractable).map(EcKey::made);
        }
        curve.check_point(&point)?;
        Ok(EcKey { curve, point, private: None }.made())
    }

    fn private(
        curve: Curve,
        point: Vec<u8>,
        number: Zeroizing<Vec<u8>>,
        extractable: bool,
    ) -> Result<EcKey, Refusal> {
        let random = SystemRandom::new();
        let pair = EcdsaKeyPair::from_private_key_and_public_key(curve.signing(), &number, &point, &random)
            .map_err(|why| {
            Refusal::data(format!("the {} private key cannot be used: {why}", curve.name()))
        })?;
        let private = Private { pair, number: extractable.then_some(number) };
        Ok(EcKey { curve, point, private: Some(private) })
    }

    fn made(self) -> Made {
        let kind = if self.private.is_some() { Kind::Private } else { Kind::Public };
        Made { kind, material: Material::Ecdsa(self) }
    }

    pub(super) fn sign(&self, data: &[u8], parameters: &Parameters) -> Result<Vec<u8>, Refusal> {
        self.check_hash(parameters)?;
        let Some(private) = &self.private else { return Err(Refusal::access("only a private key can sign")) };
        let signed = private.pair.sign(&SystemRandom::new(), data);
        signed.map(|sum| sum.as_ref().to_vec()).map_err(|_| Refusal::operation("signing failed"))
    }

    pub(super) fn verify(&self, data: &[u8], sum: &[u8], parameters: &Parameters) -> Result<bool, Refusal> {
        self.check_hash(parameters)?;
        let public = signature::UnparsedPublicKey::new(self.curve.verification(), &self.point);
        Ok(public.verify(data, sum).is_ok())
    }

    fn check_hash(&self, parameters: &Parameters) -> Result<(), Refusal> {
        let (curve, hash) = (self.curve.name(), self.curve.hash());
        if parameters.hash()? != hash {
            return Err(Refusal::support(format!("ECDSA on {curve} works with {}", hash.name())));
        }
        Ok(())
    }

    pub(super) fn export(&self, format: Format) -> Result<Shown, Refusal> {
        let number = self.private.as_ref().and_then(|private| private.number.as_ref());
        match (format, number) {
            (Format::Jwk, _) => {
                let (x, y) = self.point[1..].split_at(self.curve.size());
                let jwk = Exported::new("EC").text("crv", self.curve.name()).bytes("x", x).bytes("y", y);
                Ok(Shown::Jwk(number.into_iter().fold(jwk, |jwk, d| jwk.bytes("d", d))))
            }
            (Format::Pkcs8, Some(number)) => {
                let public_key = Some(&self.point[..]);
                let key = EcPrivateKey { private_key: number, parameters: None, public_key };
                let octets = key.to_der().map(Zeroizing::new);
                let octets = octets.map_err(|_| Refusal::operation("the key has no DER form"))?;
                write_pkcs8(self.curve.label(), &octets).map(Shown::Bytes)
            }
            (Format::Raw, _) if self.private.is_none() => Ok(Shown::bytes(self.point.clone())),
            (Format::Spki, _) if self.private.is_none() => {
                write_spki(self.curve.label(), &self.point).map(Shown::bytes)
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

/// The private number and the point of RFC 5915's structure.
fn from_pkcs8(bytes: &[u8], curve: Curve) -> Result<(Zeroizing<Vec<u8>>, Vec<u8>), Refusal> {
    let (octets, _) = read_pkcs8(bytes, curve.label())?;
    let key =
        EcPrivateKey::from_der(octets).map_err(|_| Refusal::data("this is no EC private key in DER"))?;
    let named = key.parameters.and_then(|parameters| parameters.named_curve());
    if named.is_some_and(|named| curve.label() != Label::Curve(named)) {
        return Err(Refusal::data("the key is one of another algorithm or curve"));
    }
    let point = key.public_key.ok_or_else(|| {
        Refusal::data(
            "the private key comes without its public key; 'openssl pkey -in FILE -outform DER' adds it",
        )
    })?;
    Ok((Zeroizing::new(key.private_key.to_vec()), point.to_vec()))
}

fn from_jwk(jwk: &Jwk, curve: Curve) -> Result<(Option<Zeroizing<Vec<u8>>>, Vec<u8>), Refusal> {
    let sized = |name: &str| {
        let bytes = jwk.bytes(name)?;
        let fits = bytes.len() == curve.size();
        let wrong = || Refusal::data(format!("the JWK's '{name}' must have {} bytes", curve.size()));
        if fits { Ok(bytes) } else { Err(wrong()) }
    };
    let point = [&[4], &sized("x")?[..], &sized("y")?[..]].concat();
    let number = if jwk.has("d") { Some(sized("d")?) } else { None };
    Ok((number, point))
}

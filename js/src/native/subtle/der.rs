//! The two DER envelopes of keys: SubjectPublicKeyInfo (RFC 5280, section 4.1.2.7) and PrivateKeyInfo (RFC 5208,
//! RFC 5958). Strict DER; trailing bytes are refused.

use pkcs8::der::asn1::{AnyRef, BitStringRef, Null, OctetStringRef};
use pkcs8::der::{Decode, Encode};
use pkcs8::spki::{AlgorithmIdentifierRef, SubjectPublicKeyInfoRef};
use pkcs8::{ObjectIdentifier, PrivateKeyInfoRef};
use zeroize::Zeroizing;

use super::refusal::Refusal;

/// `rsaEncryption` (RFC 8017, appendix C).
pub(super) const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
/// `id-ecPublicKey` (RFC 5480, section 2.1.1).
pub(super) const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
/// `secp256r1` and `secp384r1` (RFC 5480, section 2.1.1.1).
pub(super) const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
pub(super) const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
/// `id-Ed25519` (RFC 8410, section 3).
pub(super) const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");

/// Which algorithm an envelope must name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Label {
    /// `rsaEncryption`, with NULL as its parameters.
    Rsa,
    /// `id-ecPublicKey` with the curve as its parameters.
    Curve(ObjectIdentifier),
    /// `id-Ed25519`, without parameters.
    Ed25519,
}

impl Label {
    fn check(self, found: &AlgorithmIdentifierRef<'_>) -> Result<(), Refusal> {
        let fits = match self {
            Label::Rsa => found.oid == RSA && found.parameters.is_none_or(|p| p.is_null()),
            Label::Curve(curve) => {
                let named = found.parameters.and_then(|p| p.decode_as::<ObjectIdentifier>().ok());
                found.oid == EC && named == Some(curve)
            }
            Label::Ed25519 => found.oid == ED25519 && found.parameters.is_none(),
        };
        if fits { Ok(()) } else { Err(Refusal::data("the key is one of another algorithm or curve")) }
    }

    fn with<R>(
        self,
        then: impl FnOnce(AlgorithmIdentifierRef<'_>) -> pkcs8::der::Result<R>,
    ) -> Result<R, Refusal> {
        let (oid, curve) = match self {
            Label::Rsa => (RSA, None),
            Label::Curve(curve) => (EC, Some(curve)),
            Label::Ed25519 => (ED25519, None),
        };
        let parameters = match (&curve, self) {
            (Some(curve), _) => Some(AnyRef::from(curve)),
            (None, Label::Rsa) => Some(AnyRef::from(Null)),
            (None, _) => None,
        };
        then(AlgorithmIdentifierRef { oid, parameters })
            .map_err(|_| Refusal::operation("the key has no DER form"))
    }
}

/// The bits of a public key.
pub(super) fn read_spki(bytes: &[u8], label: Label) -> Result<&[u8], Refusal> {
    let info = SubjectPublicKeyInfoRef::from_der(bytes).map_err(|_| {
        Refusal::data("this is no SubjectPublicKeyInfo in DER (a PEM text must be decoded first)")
    })?;
    label.check(&info.algorithm)?;
    info.subject_public_key.as_bytes().ok_or_else(|| Refusal::data("the public key is not a number of bytes"))
}

pub(super) fn write_spki(label: Label, bits: &[u8]) -> Result<Vec<u8>, Refusal> {
    label.with(|algorithm| {
        let subject_public_key = BitStringRef::from_bytes(bits)?;
        SubjectPublicKeyInfoRef { algorithm, subject_public_key }.to_der()
    })
}

/// The octets of a private key, and the public key that may stand beside them.
pub(super) fn read_pkcs8(bytes: &[u8], label: Label) -> Result<(&[u8], Option<&[u8]>), Refusal> {
    let info = PrivateKeyInfoRef::from_der(bytes).map_err(|_| {
        Refusal::data(
            "this is no unencrypted PKCS #8 private key in DER ('openssl pkcs8 -topk8 -nocrypt -outform DER' makes one)",
        )
    })?;
    label.check(&info.algorithm)?;
    Ok((info.private_key.as_bytes(), info.public_key.and_then(|bits| bits.as_bytes())))
}

pub(super) fn write_pkcs8(label: Label, octets: &[u8]) -> Result<Zeroizing<Vec<u8>>, Refusal> {
    label.with(|algorithm| {
        let private_key = OctetStringRef::new(octets)?;
        PrivateKeyInfoRef { algorithm, private_key, public_key: None }.to_der().map(Zeroizing::new)
    })
}

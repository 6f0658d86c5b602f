//! The curves of ECDSA and the hash that goes with each. A point is checked to lie on its curve when it is imported,
//! never taken on trust.

use ring::agreement::{ECDH_P256, ECDH_P384, EphemeralPrivateKey, UnparsedPublicKey, agree_ephemeral};
use ring::rand::SystemRandom;
use ring::signature;

use super::der::{self, Label};
use super::parameters::Hash;
use super::refusal::Refusal;

/// The curves that are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Curve {
    P256,
    P384,
}

impl Curve {
    pub(super) fn read(name: &str) -> Result<Curve, Refusal> {
        match name {
            "P-256" => Ok(Curve::P256),
            "P-384" => Ok(Curve::P384),
            _ => Err(Refusal::support(format!("the curve '{name}' is not there; P-256 and P-384 are"))),
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Curve::P256 => "P-256",
            Curve::P384 => "P-384",
        }
    }

    pub(super) fn hash(self) -> Hash {
        match self {
            Curve::P256 => Hash::Sha256,
            Curve::P384 => Hash::Sha384,
        }
    }

    /// Bytes of a coordinate or of a private key.
    pub(super) fn size(self) -> usize {
        match self {
            Curve::P256 => 32,
            Curve::P384 => 48,
        }
    }

    pub(super) fn label(self) -> Label {
        Label::Curve(match self {
            Curve::P256 => der::P256,
            Curve::P384 => der::P384,
        })
    }

    pub(super) fn signing(self) -> &'static signature::EcdsaSigningAlgorithm {
        match self {
            Curve::P256 => &signature::ECDSA_P256_SHA256_FIXED_SIGNING,
            Curve::P384 => &signature::ECDSA_P384_SHA384_FIXED_SIGNING,
        }
    }

    pub(super) fn verification(self) -> &'static signature::EcdsaVerificationAlgorithm {
        match self {
            Curve::P256 => &signature::ECDSA_P256_SHA256_FIXED,
            Curve::P384 => &signature::ECDSA_P384_SHA384_FIXED,
        }
    }

    /// Refuses what is no uncompressed point of the curve (SEC 1, section 2.3.4). Ring says whether a point is one
    /// only when it is used, so a key is agreed on and forgotten.
    pub(super) fn check_point(self, point: &[u8]) -> Result<(), Refusal> {
        let agreement = match self {
            Curve::P256 => &ECDH_P256,
            Curve::P384 => &ECDH_P384,
        };
        if point.len() == self.size() + 1 && matches!(point[0], 2 | 3) {
            return Err(Refusal::support("compressed points are not supported: give the uncompressed form"));
        }
        let ours = EphemeralPrivateKey::generate(agreement, &SystemRandom::new())
            .map_err(|_| Refusal::operation("no randomness"))?;
        agree_ephemeral(ours, &UnparsedPublicKey::new(agreement, point), |_| ())
            .map_err(|_| Refusal::data(format!("the public key is no point of {}", self.name())))
    }
}

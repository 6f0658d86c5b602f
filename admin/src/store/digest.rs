//! The two hashes that tell whether nodes agree. The state hash is a sum over all records, so that the order of writes
//! does not matter and a change costs what it touches; the changelog hash is a chain, so that order does matter.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};

/// 256 bits, in hexadecimal wherever text is wanted.
#[derive(Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// The digest of one record: SHA-256 of the key's length (4 bytes, big-endian), the key and the value.
    fn of_record(key: &[u8], value: &[u8]) -> Self {
        let length = u32::try_from(key.len()).expect("keys are at most 511 bytes");
        let mut hash = Sha256::new();
        hash.update(length.to_be_bytes());
        hash.update(key);
        hash.update(value);
        Self(hash.finalize().into())
    }

    /// Adds a record to a state hash: a sum modulo 2^256.
    pub(crate) fn add_record(&mut self, key: &[u8], value: &[u8]) {
        let term = Self::of_record(key, value);
        let mut carry = 0;
        for (a, b) in self.0.iter_mut().zip(term.0).rev() {
            let sum = u16::from(*a) + u16::from(b) + carry;
            *a = sum as u8;
            carry = sum >> 8;
        }
    }

    /// Takes a record out of a state hash.
    pub(crate) fn remove_record(&mut self, key: &[u8], value: &[u8]) {
        let term = Self::of_record(key, value);
        let mut borrow = 0;
        for (a, b) in self.0.iter_mut().zip(term.0).rev() {
            let difference = i16::from(*a) - i16::from(b) - borrow;
            *a = difference as u8;
            borrow = i16::from(difference < 0);
        }
    }

    /// The next link of a chain: SHA-256 of this digest and `entry`.
    pub(crate) fn chain(&mut self, entry: &[u8]) {
        let mut hash = Sha256::new();
        hash.update(self.0);
        hash.update(entry);
        self.0 = hash.finalize().into();
    }
}

impl std::fmt::Display for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

impl std::fmt::Debug for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        let wrong = || serde::de::Error::custom("a digest is 64 hexadecimal digits");
        if text.len() != 64 || !text.is_ascii() {
            return Err(wrong());
        }
        let mut bytes = [0; 32];
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).map_err(|_| wrong())?;
        }
        Ok(Self(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_forgets_order_and_what_was_taken_out() {
        let records: Vec<(Vec<u8>, Vec<u8>)> =
            (0..100u32).map(|n| (n.to_be_bytes().to_vec(), vec![n as u8; n as usize])).collect();
        let mut forward = Digest::default();
        records.iter().for_each(|(k, v)| forward.add_record(k, v));
        let mut backward = Digest::default();
        backward.add_record(b"extra", b"1");
        records.iter().rev().for_each(|(k, v)| backward.add_record(k, v));
        assert_ne!(forward, backward);
        backward.remove_record(b"extra", b"1");
        assert_eq!(forward, backward);
        records.iter().for_each(|(k, v)| forward.remove_record(k, v));
        assert_eq!(forward, Digest::default());
    }

    #[test]
    fn the_length_separates_key_from_value() {
        let (mut a, mut b) = (Digest::default(), Digest::default());
        a.add_record(b"ab", b"c");
        b.add_record(b"a", b"bc");
        assert_ne!(a, b);
    }

    #[test]
    fn text_round_trip() {
        let mut digest = Digest::default();
        digest.chain(b"x");
        let text = serde_json::to_string(&digest).unwrap();
        assert_eq!(serde_json::from_str::<Digest>(&text).unwrap(), digest);
        assert!(serde_json::from_str::<Digest>("\"00\"").is_err());
    }
}

//! Which keys of tokens a context has imported already, by the text they were given as. The keys themselves are in the
//! prelude, at the places that are told here. Texts are compared and never given out, and wiped when they go.

use zeroize::Zeroizing;

use crate::native::crypto::State;

/// Most keys that are kept; the oldest goes first.
const MOST: usize = 32;
/// Longest text that is kept, bytes.
const LONGEST: usize = 16 << 10;

/// A key as it was given: its text, the algorithm that was asked for, and whether it is to sign.
pub(crate) struct Kept {
    text: Zeroizing<Vec<u8>>,
    asked: Vec<u8>,
    signs: bool,
    /// Of an HMAC key: its JWS name and a sum of nothing yet.
    begun: Option<(&'static str, State)>,
    /// The header, as tokens have it, that was last found plain for this key: most of them have the same.
    header: Vec<u8>,
}

/// Longest header that is remembered.
const LONGEST_HEADER: usize = 256;

impl Kept {
    pub(super) fn new(text: &[u8], asked: &[u8], signs: bool) -> Kept {
        Kept {
            text: Zeroizing::new(text.to_vec()),
            asked: asked.to_vec(),
            signs,
            begun: None,
            header: Vec::new(),
        }
    }

    /// The same with how a sum by it begins; `alg` is the key's own.
    pub(super) fn begun(self, alg: &'static str, keyed: State) -> Kept {
        Kept { begun: Some((alg, keyed)), ..self }
    }
}

/// The keys of one context.
#[derive(Default)]
pub(crate) struct KeptKeys {
    all: Vec<Kept>,
    /// Where the next one goes once all places are taken.
    oldest: usize,
}

impl KeptKeys {
    /// The place of a key.
    pub(super) fn find(&self, text: &[u8], asked: &[u8], signs: bool) -> Option<usize> {
        self.all.iter().position(|kept| kept.signs == signs && kept.asked == asked && *kept.text == *text)
    }

    fn of(&self, text: &[u8], asked: &[u8]) -> Option<&Kept> {
        self.find(text, asked, false).and_then(|at| self.all.get(at))
    }

    /// Where a sum by a key that verifies begins, its algorithm, and whether that header is known to be plain.
    pub(super) fn begun(
        &self,
        text: &[u8],
        asked: &[u8],
        header: &[u8],
    ) -> Option<(&'static str, State, bool)> {
        let kept = self.of(text, asked)?;
        kept.begun.as_ref().map(|(alg, keyed)| (*alg, keyed.clone(), kept.header == header))
    }

    /// That header is plain: it names the key's algorithm, and asks for nothing.
    pub(super) fn learn(&mut self, text: &[u8], asked: &[u8], header: &[u8]) {
        if let Some(at) = self.find(text, asked, false).filter(|_| header.len() <= LONGEST_HEADER) {
            self.all[at].header.clear();
            self.all[at].header.extend_from_slice(header);
        }
    }

    /// A place for a key, taken from the oldest one if there is none left. One that is too long shares a place with
    /// nothing: it is kept as an empty text, which no key is.
    pub(super) fn put(&mut self, kept: Kept) -> usize {
        let kept = if kept.text.len() > LONGEST { Kept::new(b"", b"", kept.signs) } else { kept };
        if self.all.len() < MOST {
            self.all.push(kept);
            return self.all.len() - 1;
        }
        let at = self.oldest;
        self.oldest = (at + 1) % MOST;
        self.all[at] = kept;
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_found_by_all_that_they_are_and_the_oldest_goes() {
        let mut keys = KeptKeys::default();
        for n in 0..MOST as u32 {
            assert_eq!(keys.put(Kept::new(&n.to_le_bytes(), b"HS256", false)), n as usize);
        }
        for (text, asked, signs, expected) in [
            (1u32, "HS256", false, Some(1)),
            (1, "HS512", false, None),
            (1, "HS256", true, None),
            (99, "HS256", false, None),
        ] {
            assert_eq!(keys.find(&text.to_le_bytes(), asked.as_bytes(), signs), expected, "{text} {asked}");
        }
        assert_eq!(keys.put(Kept::new(b"new", b"", false)), 0);
        assert_eq!(keys.put(Kept::new(b"newer", b"", true)), 1);
        assert_eq!(keys.find(&0u32.to_le_bytes(), b"HS256", false), None);
        assert_eq!(keys.find(b"new", b"", false), Some(0));
        // How a sum begins is known of keys that verify, with the header that was plain.
        let keyed = State::keyed("sha256", b"new").expect("a hash that is there");
        keys.put(Kept::new(b"mac", b"", false).begun("HS256", keyed));
        for (text, header, expected) in [
            ("mac", "h", Some(false)),
            ("mac", "h", Some(true)),
            ("mac", "other", Some(false)),
            ("new", "h", None),
        ] {
            let begun = keys.begun(text.as_bytes(), b"", header.as_bytes());
            assert_eq!(begun.map(|(_, _, is_known)| is_known), expected, "{text} {header}");
            keys.learn(text.as_bytes(), b"", b"h");
        }
        assert_eq!(keys.put(Kept::new(&[7; LONGEST + 1], b"", false)), 3);
        assert_eq!(keys.find(&[7; LONGEST + 1], b"", false), None);
    }
}

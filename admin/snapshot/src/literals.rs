//! From literal bytes to a number, for look-ups that find everything cold: a table of eight bytes per literal, of which a
//! look-up touches one line, and labels that stand beside what is looked for. Who writes literals is an operator, so the
//! hash is a fast one and no secret; a request cannot put anything in, and asks at most once per literal of one table.

use smallvec::SmallVec;

/// Marks a free slot; no index is as large.
const FREE: u32 = u32::MAX;
/// Slots that stand in the table itself.
const INLINE: usize = 2;

#[derive(Debug, Clone, Copy)]
struct Slot {
    hash: u32,
    index: u32,
}

/// Numbers by the hash of their literals. Whether a literal is the one is for its owner to say.
#[derive(Debug, Default)]
pub(crate) struct Literals {
    /// As many as a power of two, or none.
    slots: SmallVec<[Slot; INLINE]>,
    taken: u32,
}

impl Literals {
    /// The number of a literal with this hash that `is_it` says yes to.
    pub(crate) fn find(&self, hash: u32, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        let slots = &self.slots[..];
        for step in 0..slots.len() {
            let slot = slots.get((hash as usize).wrapping_add(step) & (slots.len() - 1))?;
            if slot.index == FREE {
                return None;
            }
            if slot.hash == hash && is_it(slot.index) {
                return Some(slot.index);
            }
        }
        None
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.taken == 0
    }

    /// Adds a literal that is not there.
    pub(crate) fn insert(&mut self, hash: u32, index: u32) {
        assert!(index != FREE, "there are fewer literals than numbers");
        let size = self.slots.len();
        let most = if size <= INLINE { size } else { size / 8 * 7 };
        if self.taken as usize >= most {
            let more = smallvec::smallvec![Slot { hash: 0, index: FREE }; (size * 2).max(1)];
            for slot in std::mem::replace(&mut self.slots, more) {
                if slot.index != FREE {
                    self.put(slot);
                }
            }
        }
        self.put(Slot { hash, index });
        self.taken += 1;
    }

    fn put(&mut self, slot: Slot) {
        let mask = self.slots.len() - 1;
        let mut at = slot.hash as usize & mask;
        while self.slots[at].index != FREE {
            at = (at + 1) & mask;
        }
        self.slots[at] = slot;
    }
}

/// A hash of a few bytes: eight at a time, each folded in by a multiplication of twice the width.
pub(crate) fn hash(bytes: &[u8]) -> u32 {
    /// 2^64 divided by the golden ratio.
    const RATIO: u64 = 0x9E37_79B9_7F4A_7C15;
    fn fold(state: u64, word: u64) -> u64 {
        let product = u128::from(state ^ word) * u128::from(RATIO);
        product as u64 ^ (product >> 64) as u64
    }
    let (mut state, mut rest) = (RATIO.wrapping_mul(bytes.len() as u64), bytes);
    while let Some((word, tail)) = rest.split_first_chunk::<8>() {
        (state, rest) = (fold(state, u64::from_le_bytes(*word)), tail);
    }
    // With the length, parts that overlap tell as much as the bytes themselves.
    if let (Some(first), Some(last)) = (rest.first_chunk::<4>(), rest.last_chunk::<4>()) {
        let (first, last) = (u32::from_le_bytes(*first), u32::from_le_bytes(*last));
        state = fold(state, u64::from(first) << 32 | u64::from(last));
    } else if let (Some(first), Some(last)) = (rest.first(), rest.last()) {
        let middle = rest[rest.len() / 2];
        state = fold(state, u64::from(u32::from_le_bytes([*first, middle, *last, 0])));
    }
    (state ^ state >> 32) as u32
}

/// A literal, kept beside what it stands for unless it is long.
#[derive(Debug, Clone)]
pub(crate) enum Label {
    Short(u8, [u8; 22]),
    Long(Box<[u8]>),
}

impl From<&[u8]> for Label {
    fn from(bytes: &[u8]) -> Self {
        let mut short = [0; 22];
        match short.get_mut(..bytes.len()) {
            Some(place) => {
                place.copy_from_slice(bytes);
                Self::Short(bytes.len() as u8, short)
            }
            None => Self::Long(bytes.into()),
        }
    }
}

impl Label {
    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Self::Short(length, short) => &short[..usize::from(*length)],
            Self::Long(long) => long,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn what_was_put_in_is_found_and_nothing_else() {
        for count in [0u32, 1, 2, 3, 4, 7, 8, 100, 10_000] {
            let names: Vec<String> = (0..count).map(|n| format!("items-{n}")).collect();
            let mut table = Literals::default();
            for (index, name) in names.iter().enumerate() {
                table.insert(hash(name.as_bytes()), index as u32);
            }
            let find = |name: &str| {
                table.find(hash(name.as_bytes()), |index| names[index as usize].as_bytes() == name.as_bytes())
            };
            for (index, name) in names.iter().enumerate() {
                assert_eq!(find(name), Some(index as u32), "{name} of {count}");
            }
            for absent in ["", "items-", "item", "items-10000", "a much longer name than any other"] {
                assert_eq!(find(absent), None, "{absent} among {count}");
            }
        }
    }

    #[test]
    fn one_hash_for_all_is_slow_and_right() {
        let mut table = Literals::default();
        (0..20).for_each(|index| table.insert(7, index));
        for index in 0..20 {
            assert_eq!(table.find(7, |found| found == index), Some(index));
        }
        assert_eq!(table.find(7, |_| false), None);
        assert_eq!(table.find(8, |_| true), None);
    }

    #[test]
    fn hashes_differ_where_bytes_do() {
        let texts = (0..20).flat_map(|length| {
            (0..=length).map(move |at| {
                let mut text = vec![b'a'; length];
                text.iter_mut().skip(at).take(1).for_each(|byte| *byte = b'b');
                text
            })
        });
        let texts: HashSet<Vec<u8>> = texts.collect();
        let hashes: HashSet<u32> = texts.iter().map(|text| hash(text)).collect();
        assert_eq!(hashes.len(), texts.len());
        // The lowest bits choose the slot: names that differ in a number only must not share them.
        let low: HashSet<u32> = (0..4096).map(|n| hash(format!("route-{n}").as_bytes()) & 4095).collect();
        assert!(low.len() > 2_300, "{} of 4096; at random 2,590", low.len());
    }

    #[test]
    fn labels_give_back_what_they_were_made_of() {
        for length in [0, 1, 21, 22, 23, 200] {
            let bytes: Vec<u8> = (0..length).collect();
            assert_eq!(Label::from(&bytes[..]).bytes(), bytes);
        }
        assert_eq!(size_of::<Label>(), 24);
    }
}

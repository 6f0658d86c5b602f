//! Two ways to write a JSON line: into a buffer that grows, for anything, and into room that was made before, for text that
//! needs no escaping. The second is what nearly every line takes: nothing is checked or called piece by piece that one look
//! before the line has settled.

use super::escape;

/// Writes a line's pieces.
pub(super) trait Pen {
    /// Text of our own, of a length known when this is compiled.
    fn put<const N: usize>(&mut self, text: &[u8; N]);
    /// Text of our own.
    fn own(&mut self, text: &[u8]);
    /// Text of a stranger, inside a JSON string.
    fn text(&mut self, text: &[u8]);
    /// A number.
    fn number(&mut self, value: u64);
}

impl Pen for Vec<u8> {
    fn put<const N: usize>(&mut self, text: &[u8; N]) {
        self.extend_from_slice(text);
    }

    fn own(&mut self, text: &[u8]) {
        self.extend_from_slice(text);
    }

    fn text(&mut self, text: &[u8]) {
        escape::json(self, text);
    }

    fn number(&mut self, value: u64) {
        self.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
    }
}

/// Room that is known to be enough, for text that is known to be plain.
pub(super) struct Room<'a> {
    bytes: &'a mut [u8],
    at: usize,
}

impl<'a> Room<'a> {
    pub(super) fn new(bytes: &'a mut [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// How much was written.
    pub(super) fn used(&self) -> usize {
        self.at
    }
}

impl Pen for Room<'_> {
    #[inline(always)]
    fn put<const N: usize>(&mut self, text: &[u8; N]) {
        self.bytes[self.at..self.at + N].copy_from_slice(text);
        self.at += N;
    }

    #[inline(always)]
    fn own(&mut self, text: &[u8]) {
        self.bytes[self.at..self.at + text.len()].copy_from_slice(text);
        self.at += text.len();
    }

    #[inline(always)]
    fn text(&mut self, text: &[u8]) {
        self.own(text);
    }

    #[inline]
    fn number(&mut self, value: u64) {
        let digits = digits(value);
        let place = &mut self.bytes[self.at..self.at + digits];
        self.at += digits;
        let mut rest = value;
        let (first, pairs) = place.as_rchunks_mut::<2>();
        for pair in pairs.iter_mut().rev() {
            *pair = PAIRS[(rest % 100) as usize];
            rest /= 100;
        }
        if let [first] = first {
            *first = b'0' + rest as u8;
        }
    }
}

/// The numbers below a hundred in two digits.
const PAIRS: [[u8; 2]; 100] = {
    let mut pairs = [[0; 2]; 100];
    let mut at = 0;
    while at < 100 {
        pairs[at] = [b'0' + (at / 10) as u8, b'0' + (at % 10) as u8];
        at += 1;
    }
    pairs
};

/// How many digits a number has. Those of a line are mostly short.
fn digits(value: u64) -> usize {
    match value {
        0..10 => 1,
        10..100 => 2,
        100..1_000 => 3,
        1_000..10_000 => 4,
        10_000..100_000 => 5,
        100_000..1_000_000 => 6,
        _ => value.ilog10() as usize + 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_write_the_same_numbers() {
        let near = |power: u32| [10u64.pow(power) - 1, 10u64.pow(power), 10u64.pow(power) + 1];
        for value in (0..20).flat_map(near).chain([u64::MAX]) {
            let (mut grown, mut bytes) = (Vec::new(), [0; 20]);
            grown.number(value);
            let mut room = Room::new(&mut bytes);
            room.number(value);
            let used = room.used();
            assert_eq!(&bytes[..used], &grown[..], "{value}");
        }
    }
}

//! Buffers that go round on a shard. A connection keeps little room while it is idle; a message that needs more borrows
//! a large buffer for its time and leaves its small one here meanwhile, so that large bodies, one after another, allocate
//! nothing and no idle connection holds what one of them needed. What finds no place here is freed.

use std::cell::RefCell;

/// Capacity of a large buffer: a relay's read and the head before it.
const LARGE_BYTES: usize = 80 << 10;
/// What is above this borrows a large one. It is only asked of bodies: a head that arrives slowly borrows nothing.
const SMALL_BYTES: usize = 2 << 10;
/// Buffers of each kind that are kept.
const MAX_KEPT: usize = 64;

#[derive(Default)]
struct Spare {
    large: Vec<Vec<u8>>,
    small: Vec<Vec<u8>>,
}

thread_local! {
    static SPARE: RefCell<Spare> = RefCell::default();
}

fn keep(list: &mut Vec<Vec<u8>>, buffer: Vec<u8>) {
    if list.len() < MAX_KEPT && buffer.capacity() > 0 {
        list.push(buffer);
    }
}

/// Makes room for `more` bytes behind what is there.
pub fn grow(buffer: &mut Vec<u8>, more: usize) {
    let whole = buffer.len() + more;
    if whole <= buffer.capacity() {
        return;
    }
    if !(SMALL_BYTES + 1..=LARGE_BYTES).contains(&whole) {
        return buffer.reserve(more);
    }
    SPARE.with_borrow_mut(|spare| {
        let mut large = spare.large.pop().unwrap_or_else(|| Vec::with_capacity(LARGE_BYTES));
        large.extend_from_slice(buffer);
        let mut small = std::mem::replace(buffer, large);
        small.clear();
        keep(&mut spare.small, small);
    });
}

/// Leaves an empty buffer with room for `least` bytes and at most `most`.
pub fn settle(buffer: &mut Vec<u8>, least: usize, most: usize) {
    buffer.clear();
    if buffer.capacity() > most {
        SPARE.with_borrow_mut(|spare| {
            let fits = |small: &Vec<u8>| (least..=most).contains(&small.capacity());
            let small = spare.small.iter().rposition(fits).map(|at| spare.small.swap_remove(at));
            let large = std::mem::replace(buffer, small.unwrap_or_default());
            if large.capacity() == LARGE_BYTES {
                keep(&mut spare.large, large);
            }
        });
    }
    buffer.reserve(least);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_borrowed_comes_back_and_is_used_again() {
        let mut buffer = Vec::with_capacity(2 << 10);
        buffer.extend_from_slice(b"a head");
        let first = buffer.as_ptr();
        grow(&mut buffer, 60 << 10);
        assert_eq!((&buffer[..], buffer.capacity()), (&b"a head"[..], LARGE_BYTES));
        let large = buffer.as_ptr();
        settle(&mut buffer, 0, 2 << 10);
        assert_eq!((buffer.as_ptr(), buffer.capacity()), (first, 2 << 10), "the small one is back");
        grow(&mut buffer, 20 << 10);
        assert_eq!(buffer.as_ptr(), large);
        settle(&mut buffer, 0, 1 << 10);
        assert_eq!(buffer.capacity(), 0, "the small one is too large here");
    }

    #[test]
    fn little_and_very_much_are_nobodys_business() {
        let mut buffer = Vec::new();
        grow(&mut buffer, 100);
        assert!((100..SMALL_BYTES).contains(&buffer.capacity()));
        grow(&mut buffer, 1 << 20);
        assert!(buffer.capacity() >= 1 << 20);
        settle(&mut buffer, 100, 200);
        assert!((100..=200).contains(&buffer.capacity()));
    }
}

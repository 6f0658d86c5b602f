//! A ring of buffers that the kernel picks from when there is something to receive. The ring's memory is the kernel's to
//! read for as long as the ring of operations lives; a buffer is the kernel's from `give` until a completion names it.

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::io;
use std::sync::atomic::{AtomicU16, Ordering};
use uring::types::BufRingEntry;

/// The only group of buffers.
pub(crate) const GROUP: u16 = 0;
/// Most buffers; a power of two. About as many as there are completions in a turn, few enough to stay in a cache.
const MOST: usize = 1024;
/// Bytes of one.
pub(crate) const ROOM: usize = 2048;
/// From one to the next: not a power of two, so that their beginnings are not in one set of the cache.
const STRIDE: usize = ROOM + 64;
/// What the kernel maps begins at a page.
const PAGE: usize = 4096;

/// The buffers, and the ring through which they are given to the kernel.
pub(crate) struct Buffers {
    entries: *mut BufRingEntry,
    bytes: Vec<u8>,
    /// A power of two.
    count: u16,
    /// Where the next buffer is put; what the kernel sees of it is stored by `publish`.
    tail: u16,
}

impl Buffers {
    /// Enough for so many sockets, or for as many as have something in one turn; all given to the kernel. They must
    /// outlive the ring of operations.
    pub(crate) fn new(submitter: &uring::Submitter<'_>, sockets: usize) -> io::Result<Self> {
        let count = sockets.next_power_of_two().min(MOST) as u16;
        // SAFETY: the layout has a size.
        let entries = unsafe { alloc_zeroed(layout(count)) }.cast::<BufRingEntry>();
        if entries.is_null() {
            handle_alloc_error(layout(count));
        }
        let mut buffers = Self { entries, bytes: vec![0; STRIDE * usize::from(count)], count, tail: 0 };
        // SAFETY: so many entries are there, from a page's begin on, and they stay: the caller keeps them.
        unsafe { submitter.register_buf_ring_with_flags(entries as u64, count, GROUP, 0)? };
        (0..count).for_each(|id| buffers.give(id));
        buffers.publish();
        Ok(buffers)
    }

    /// What a completion put into the buffer that it names.
    pub(crate) fn filled(&self, id: u16, length: usize) -> &[u8] {
        &self.bytes[usize::from(id) * STRIDE..][..length.min(ROOM)]
    }

    /// Gives a buffer back; the kernel sees it once that is published.
    pub(crate) fn give(&mut self, id: u16) {
        // SAFETY: the index is below the number of entries, and the kernel does not read this one before the tail is
        // past it.
        let entry = unsafe { &mut *self.entries.add(usize::from(self.tail & (self.count - 1))) };
        entry.set_addr(self.bytes.as_ptr() as u64 + u64::from(id) * STRIDE as u64);
        entry.set_len(ROOM as u32);
        entry.set_bid(id);
        self.tail = self.tail.wrapping_add(1);
    }

    /// Shows the kernel what was given.
    pub(crate) fn publish(&self) {
        // SAFETY: the tail is inside the first entry, which is there and aligned.
        let tail = unsafe { AtomicU16::from_ptr(BufRingEntry::tail(self.entries).cast_mut()) };
        tail.store(self.tail, Ordering::Release);
    }
}

impl Drop for Buffers {
    fn drop(&mut self) {
        // SAFETY: made with this layout.
        unsafe { dealloc(self.entries.cast(), layout(self.count)) };
    }
}

/// Of the entries of so many buffers.
fn layout(count: u16) -> Layout {
    let size = usize::from(count) * size_of::<BufRingEntry>();
    Layout::from_size_align(size, PAGE).expect("a page is a power of two")
}

//! The engine's allocator: libc's, with a gauge and a cap, so that memory is known without walking the heap and a
//! refusal is seen even when the engine could only throw `null`. It must never allocate through the engine itself.

use std::cell::Cell;
use std::rc::Rc;

use rquickjs::allocator::Allocator;

/// What the allocator counted.
pub(crate) struct Gauge {
    used: Cell<usize>,
    cap: usize,
    refused: Cell<bool>,
}

impl Gauge {
    pub(crate) fn new(cap: usize) -> Rc<Gauge> {
        Rc::new(Gauge { used: Cell::new(0), cap, refused: Cell::new(false) })
    }

    /// Bytes in use.
    pub(crate) fn used(&self) -> usize {
        self.used.get()
    }

    /// True if an allocation was refused since the last call of this.
    pub(crate) fn take_refused(&self) -> bool {
        self.refused.replace(false)
    }

    fn admits(&self, more: usize) -> bool {
        let fits = self.used.get().checked_add(more).is_some_and(|total| total <= self.cap);
        if !fits {
            self.refused.set(true);
        }
        fits
    }

    fn add(&self, ptr: *mut u8) -> *mut u8 {
        if !ptr.is_null() {
            self.used.set(self.used.get() + size_of_block(ptr));
        }
        ptr
    }
}

fn size_of_block(ptr: *mut u8) -> usize {
    // SAFETY: only called with blocks of libc's allocator, or null, for which it answers 0.
    unsafe { libc::malloc_usable_size(ptr.cast()) }
}

/// The allocator that a runtime is made with.
pub(crate) struct Heap(pub(crate) Rc<Gauge>);

// SAFETY: every block comes from and goes back to libc, which keeps the alignment and sizes the trait asks for.
unsafe impl Allocator for Heap {
    fn alloc(&mut self, size: usize) -> *mut u8 {
        if !self.0.admits(size) {
            return std::ptr::null_mut();
        }
        // SAFETY: malloc has no precondition.
        self.0.add(unsafe { libc::malloc(size) }.cast())
    }

    fn calloc(&mut self, count: usize, size: usize) -> *mut u8 {
        let fits = count.checked_mul(size).is_some_and(|total| self.0.admits(total));
        if !fits {
            return std::ptr::null_mut();
        }
        // SAFETY: calloc has no precondition.
        self.0.add(unsafe { libc::calloc(count, size) }.cast())
    }

    unsafe fn dealloc(&mut self, ptr: *mut u8) {
        self.0.used.set(self.0.used.get() - size_of_block(ptr));
        // SAFETY: the caller hands back a block of ours.
        unsafe { libc::free(ptr.cast()) }
    }

    unsafe fn realloc(&mut self, ptr: *mut u8, new_size: usize) -> *mut u8 {
        let before = size_of_block(ptr);
        if new_size > before && !self.0.admits(new_size - before) {
            return std::ptr::null_mut();
        }
        // SAFETY: the caller hands in a block of ours or null; a failed realloc leaves it alone.
        let moved: *mut u8 = unsafe { libc::realloc(ptr.cast(), new_size) }.cast();
        if !moved.is_null() {
            self.0.used.set(self.0.used.get() - before + size_of_block(moved));
        }
        moved
    }

    unsafe fn usable_size(ptr: *mut u8) -> usize {
        size_of_block(ptr)
    }
}

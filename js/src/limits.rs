//! Budgets of modules, and what a runtime counts. Every number that bounds a module stands here; none of them may
//! be "unlimited".

use crate::failure::Cause;

/// What one runtime, and one call in it, may use.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// CPU milliseconds of one call, over all its slices.
    pub cpu_ms: u32,
    /// CPU milliseconds that evaluating the modules of a new context may take.
    pub boot_cpu_ms: u32,
    /// Heap of the runtime with all its contexts.
    pub memory_bytes: usize,
    /// Native stack that JavaScript may use, below the frame that calls it.
    pub stack_bytes: usize,
    /// Host operations (bodies, state writes, sleeps) in flight per exchange.
    pub pending: u32,
    /// Timers in flight per exchange.
    pub timers: u32,
    /// `fetch` calls that wait for their response, per exchange.
    pub fetches: u32,
    /// Contexts of the pool: exchanges that may hold a lease at the same time.
    pub contexts: u32,
    /// A console line is cut here.
    pub console_line_bytes: usize,
    /// Unhandled rejections reported per call; the rest is dropped.
    pub rejections: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            cpu_ms: 10,
            boot_cpu_ms: 100,
            memory_bytes: 32 << 20,
            stack_bytes: 256 << 10,
            pending: 64,
            timers: 64,
            fetches: 16,
            contexts: 64,
            console_line_bytes: 8 << 10,
            rejections: 4,
        }
    }
}

/// Counters of a runtime since it was made, and its size now.
#[derive(Debug, Clone, Copy, Default)]
pub struct RuntimeStats {
    /// Contexts that exist: leased or waiting in the pool.
    pub contexts: u32,
    /// Of those, leased now.
    pub leased: u32,
    /// Contexts made since the start; a number that keeps growing means that contexts die.
    pub contexts_made: u64,
    /// Heap in use, bytes.
    pub memory_bytes: usize,
    /// Calls begun.
    pub calls: u64,
    /// Nanoseconds spent inside the engine by calls.
    pub cpu_ns: u64,
    /// Failed calls and leases by [`Cause`]; use [`RuntimeStats::failed`].
    pub failures: [u64; Cause::COUNT],
}

impl RuntimeStats {
    /// How often `cause` ended a call or refused a lease.
    pub fn failed(&self, cause: Cause) -> u64 {
        self.failures[cause as usize]
    }
}

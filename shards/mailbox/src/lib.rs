//! The one concurrent structure of the house: a bounded queue and a newest-wins slot, each with a hook that wakes the
//! owner of the reading end. Sending never waits and never grows anything; what does not fit is handed back.
//!
//! Nothing here knows a runtime: the hook is whatever wakes the reader (a byte in a socket, a `Notify`).

mod queue;
mod slot;

pub use queue::{QueueReader, QueueWriter, queue};
pub use slot::{SlotReader, SlotWriter, slot};

use std::sync::Arc;

/// Wakes the owner of a reading end. Called after every successful send, from the sender's thread; must not block.
pub type Wake = Arc<dyn Fn() + Send + Sync>;

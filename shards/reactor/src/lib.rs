//! The one door to the runtime: drivers, sockets, deadlines, clock, timers and tasks over monoio. Whoever wants
//! another runtime, a raw ring or a simulated one changes this crate and no other.
//!
//! Nothing here knows HTTP, and nothing here may hand out a type of the runtime.

pub mod clock;
mod deadline;
mod driver;
mod listener;
mod options;
mod place;
mod socket;
mod task;
mod wake;

pub use deadline::{Cut, Deadline, cut_idle};
pub use driver::{Driver, RingMode, RingOptions, probe, run};
pub use listener::Listener;
pub use options::{KeepAlive, SocketOptions};
pub use place::{Memory, pin_to, take_memory_from};
pub use socket::{ConnectError, Reader, Socket, Writer, connect};
pub use task::{Either, give_way, race, sleep, spawn, spawn_guarded};
pub use wake::{WakeSource, Wakeups, wakeups};

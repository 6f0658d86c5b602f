//! The one door to the runtime: sockets, timers, clock and tasks over monoio.

//! The ways that are compared: how bytes are received, how the ring is told which socket, and when a receive is armed.
//! A table, so that a new one is a row; what each does to the kernel stands in `relay.rs`.

/// One way to relay.
#[derive(Debug)]
pub(crate) struct Way {
    pub(crate) name: &'static str,
    /// For people.
    pub(crate) what: &'static str,
    pub(crate) receive: Receive,
    /// Sockets are registered with the ring, and named by their place there.
    pub(crate) fixed: bool,
    /// A receive is armed with the send before it, not when that is complete.
    pub(crate) early: bool,
    /// How long one completion waits for [`GATHERED`] in all before the thread is woken, in microseconds (Linux 6.12).
    pub(crate) gather_us: u32,
}

/// Completions that are worth waking for at once.
pub(crate) const GATHERED: usize = 32;

/// How bytes come out of a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Receive {
    /// One operation for one receive, into the connection's own buffer.
    Once,
    /// The same, where one of so many is a `RECVMSG` that brings the kernel's time of arrival.
    Stamped(u64),
    /// One operation for one receive, into a buffer that the kernel picks when there is something.
    Picked,
    /// One operation for all receives of a socket, into buffers that the kernel picks.
    Multishot,
    /// The same, where one completion may fill several buffers.
    Bundled,
}

impl Receive {
    /// Whether the kernel picks the buffers.
    pub(crate) fn picks(self) -> bool {
        matches!(self, Self::Picked | Self::Multishot | Self::Bundled)
    }

    /// Whether one operation goes on receiving.
    pub(crate) fn lasts(self) -> bool {
        matches!(self, Self::Multishot | Self::Bundled)
    }

    /// One receive of so many asks for its time; 0 is none.
    pub(crate) fn stamp_every(self) -> u64 {
        if let Self::Stamped(every) = self { every } else { 0 }
    }
}

const PLAIN: Way = Way {
    name: "plain",
    what: "recv and send, one operation each, as the gateway does",
    receive: Receive::Once,
    fixed: false,
    early: false,
    gather_us: 0,
};

/// All of them; the first is what the others are divided by.
pub(crate) const WAYS: [Way; 11] = [
    PLAIN,
    Way {
        name: "multishot",
        what: "one recv for all of a socket's bytes, from a ring of buffers, copied out",
        receive: Receive::Multishot,
        ..PLAIN
    },
    Way { name: "fixed", what: "registered sockets", fixed: true, ..PLAIN },
    Way { name: "multishot-fixed", what: "both", receive: Receive::Multishot, fixed: true, ..PLAIN },
    Way {
        name: "stamped",
        what: "recvmsg, with the kernel's time of arrival (SO_TIMESTAMPNS)",
        receive: Receive::Stamped(1),
        ..PLAIN
    },
    Way {
        name: "stamped-8th",
        what: "the same of one receive in eight, recv for the others",
        receive: Receive::Stamped(8),
        ..PLAIN
    },
    Way {
        name: "picked",
        what: "recv once, into a buffer of the ring of buffers, copied out",
        receive: Receive::Picked,
        ..PLAIN
    },
    Way {
        name: "bundled",
        what: "as multishot, a completion may fill several buffers",
        receive: Receive::Bundled,
        ..PLAIN
    },
    Way { name: "early", what: "a recv is armed together with the send before it", early: true, ..PLAIN },
    Way { name: "early-fixed", what: "the same, registered sockets", early: true, fixed: true, ..PLAIN },
    Way {
        name: "gathered",
        what: "the ring waits for 32 completions, but for 50 µs at most: every request is late by that",
        gather_us: 50,
        ..PLAIN
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ways_are_told_apart_by_their_names() {
        for (at, way) in WAYS.iter().enumerate() {
            assert!(WAYS[..at].iter().all(|other| other.name != way.name), "{}", way.name);
            // Armed for good already.
            assert!(!(way.early && way.receive.lasts()), "{}", way.name);
        }
        assert_eq!(WAYS[0].receive, Receive::Once);
    }
}

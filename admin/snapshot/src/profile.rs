//! The latency profile: where the time of exchanges went, as HdrHistograms that a shard fills and others read. A shard
//! records into a set of its own without allocating, and hands whole sets over once an interval; whoever gets one adds
//! it up off the hot path. Nothing here is shared while it is written.

use hdrhistogram::Histogram;
use std::sync::Arc;

/// The finest step in nanoseconds; shorter times are all the same.
const LOWEST_NS: u64 = 64;
/// The longest time that is told apart: ten minutes. Longer ones count as this.
const HIGHEST_NS: u64 = 600 * 1_000_000_000;

/// A span of an exchange. All are wall time in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// From the end of the request's head to the last byte of the response handed to the kernel.
    Total,
    /// The gateway's own part of it: the total less all the others, which never overlap: with it they are the total.
    Tax,
    /// Functions of modules, what they wait for included.
    Module,
    /// Making a connection to the upstream; exchanges on a kept one have none.
    Connect,
    /// From the request handed to the kernel to the first byte of the response.
    FirstByte,
    /// From the response's head to the end of its body, where that was not here with the head, less what the client was
    /// waited for meanwhile.
    Transfer,
    /// Waits that are nobody's time above: for the client's body, for room in a socket, a retry's pause, a name.
    Wait,
}

impl Phase {
    /// All of them, in the order of their index.
    pub const ALL: [Self; 7] =
        [Self::Total, Self::Tax, Self::Module, Self::Connect, Self::FirstByte, Self::Transfer, Self::Wait];

    /// Stable name: `total`, `tax`, `module`, `connect`, `first_byte`, `transfer`, `wait`.
    pub fn name(self) -> &'static str {
        ["total", "tax", "module", "connect", "first_byte", "transfer", "wait"][self as usize]
    }
}

/// One histogram a phase, of times in nanoseconds. A phase that an exchange did not have is not counted for it.
#[derive(Debug, Clone)]
pub struct Times(Box<[Histogram<u32>; Phase::ALL.len()]>);

impl Times {
    /// Empty ones that are exact to so many decimal digits (1 to 5). With 3 they take about half a megabyte, with 2
    /// about 80 kilobytes, of which only what is used is ever touched.
    pub fn new(digits: u8) -> Self {
        let empty = || {
            Histogram::new_with_bounds(LOWEST_NS, HIGHEST_NS, digits)
                .expect("bounds that are fixed and right")
        };
        Self(Box::new(std::array::from_fn(|_| empty())))
    }

    /// To how many decimal digits it is exact.
    pub fn digits(&self) -> u8 {
        self.of(Phase::Total).sigfig()
    }

    /// Counts one time. Never allocates.
    pub fn record(&mut self, phase: Phase, ns: u64) {
        self.0[phase as usize].saturating_record(ns);
    }

    /// The histogram of a phase.
    pub fn of(&self, phase: Phase) -> &Histogram<u32> {
        &self.0[phase as usize]
    }

    /// Adds another set, of the same precision or not.
    pub fn add(&mut self, more: &Self) {
        for (sum, more) in self.0.iter_mut().zip(more.0.iter()) {
            if !more.is_empty() {
                sum.add(more).expect("all sets have the same highest time");
            }
        }
    }

    /// Forgets what was counted of one phase.
    pub fn clear(&mut self, phase: Phase) {
        self.0[phase as usize].reset();
    }

    /// Whether nothing was counted.
    pub fn is_empty(&self) -> bool {
        self.of(Phase::Total).is_empty()
    }
}

/// What rows of a profile are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    /// A route; the empty key stands for requests that matched none.
    Route,
    /// A service.
    Service,
    /// A module, as it stands in a route's list. Only [`Phase::Module`] is counted.
    Module,
}

impl Scope {
    /// `route`, `service`, `module`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Route => "route",
            Self::Service => "service",
            Self::Module => "module",
        }
    }
}

/// Which rows are wanted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Scopes {
    /// One a route.
    pub routes: bool,
    /// One a service.
    pub services: bool,
    /// One a module.
    pub modules: bool,
}

impl Scopes {
    /// Whether any is wanted.
    pub fn any(self) -> bool {
        self.routes || self.services || self.modules
    }

    /// Whether those of one scope are.
    pub fn has(self, scope: Scope) -> bool {
        match scope {
            Scope::Route => self.routes,
            Scope::Service => self.services,
            Scope::Module => self.modules,
        }
    }

    /// Those of a scope, too.
    pub fn and(self, scope: Scope) -> Self {
        match scope {
            Scope::Route => Self { routes: true, ..self },
            Scope::Service => Self { services: true, ..self },
            Scope::Module => Self { modules: true, ..self },
        }
    }

    /// Those of both.
    pub fn or(self, other: Self) -> Self {
        Self {
            routes: self.routes || other.routes,
            services: self.services || other.services,
            modules: self.modules || other.modules,
        }
    }
}

/// What is wanted of a shard's profile besides what its flags say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProfileOrder {
    /// Rows of all of these.
    pub scopes: Scopes,
    /// Single rows, for which there is always room.
    pub keys: Box<[(Scope, Arc<str>)]>,
    /// Until when, milliseconds since 1970.
    pub until_ms: u64,
    /// Hand over what was counted so far: what is counted from now on is told of alone.
    pub is_cut: bool,
}

/// The key of the row that counts what found no room for a row of its own, one a scope. No name has it: those have a
/// namespace before a slash.
pub const OTHERS: &str = "others";

/// The exchanges of one route, service or module in an interval, or of all [`OTHERS`].
#[derive(Debug, Clone)]
pub struct ProfileRow {
    /// What it is about.
    pub scope: Scope,
    /// `namespace/name`; empty for requests that matched no route.
    pub key: Arc<str>,
    /// Times.
    pub times: Times,
}

/// What one shard saw in one interval.
#[derive(Debug, Clone)]
pub struct IntervalProfile {
    /// Index of the shard.
    pub shard: u16,
    /// Begin of the interval, milliseconds since 1970.
    pub began_ms: u64,
    /// Its end.
    pub ended_ms: u64,
    /// All exchanges.
    pub times: Times,
    /// Rows that were asked for and saw an exchange.
    pub rows: Vec<ProfileRow>,
    /// Exchanges that found no room for a row of theirs, and are in that of the others.
    pub rows_refused: u64,
}

/// Where a shard's intervals go besides the admin. The recorder implements it, the process hands it in, and the shard
/// never waits on it.
pub trait ProfileSink: Send {
    /// Hands an interval over. `false`: it was dropped and counted.
    fn submit(&mut self, interval: Arc<IntervalProfile>) -> bool;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_added_up_is_what_was_recorded() {
        for (digits, within) in [(3, 0.001), (2, 0.01)] {
            let (mut sum, mut other) = (Times::new(digits), Times::new(2));
            for ms in 1..=1_000u64 {
                let times = if ms % 2 == 0 { &mut sum } else { &mut other };
                times.record(Phase::Total, ms * 1_000_000);
            }
            other.record(Phase::Tax, u64::MAX);
            sum.add(&other);
            let total = sum.of(Phase::Total);
            assert_eq!(total.len(), 1_000);
            let p99 = total.value_at_quantile(0.99) as f64;
            assert!((p99 / 990e6 - 1.0).abs() <= within + 0.01, "{p99}");
            assert_eq!(sum.of(Phase::Tax).len(), 1, "what is too long counts as the longest");
            assert!(sum.of(Phase::Connect).is_empty());
        }
    }
}

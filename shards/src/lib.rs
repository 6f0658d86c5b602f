//! The data plane: one complete proxy per core, sharing nothing. A request enters here, is routed by the snapshot the
//! shard holds, passes policies and modules, reaches an upstream and comes back, without crossing a thread.
//!
//! No mutex, no shared atomic per request, no file, no name resolution, no logging to a stream happens in here; the laws
//! are in DESIGN and checked by `tools/tidy` and clippy.

mod accept;
mod body;
mod cache;
mod connection;
mod counters;
mod exchange;
mod fault;
mod fetch;
mod install;
mod limits;
mod link;
mod local;
mod names;
mod outbox;
mod policy;
mod pool;
mod profile;
mod record;
mod reply;
mod respond;
mod route;
mod script;
mod secure;
mod shard;
mod surroundings;
mod tables;
mod tickets;
mod upstream;
mod wire;

pub use cache::{CachePeers, cache_mesh};
pub use limits::Limits;
pub use profile::{Profiling, ServerTiming};
pub use record::{Rate, RecordFormat, RecordRules, Redaction, Sampling};
pub use shard::{ShardOptions, spawn_shard};
pub use surroundings::Surroundings;
pub use tidegate_codec::HeadLimits;
pub use tidegate_reactor::{
    Driver, KeepAlive, Memory, RingMode, RingOptions, SocketOptions, WakeSource, probe, wakeups,
};

/// Doors for microbenchmarks (`examples/parts.rs`) to what is pure but private here. No interface, and nothing in the
/// gateway goes through it.
#[doc(hidden)]
#[allow(missing_docs, reason = "hidden, and named for what they measure")]
pub mod bench {
    use crate::profile::Spans;
    use crate::record::{Line, RecordRules, Records};
    use crate::upstream::request::{Facts, Target, write_head};
    use crate::wire::Peer;
    use tidegate_codec::{RequestHead, ResponseHead};
    use tidegate_snapshot::{ProxySettings, RecordSink, Route};

    /// What a shard has at hand while it serves a request of this route.
    pub struct Desk {
        peer: Peer,
        route: Route,
        settings: ProxySettings,
        records: Records,
        ended_ns: u64,
    }

    impl Desk {
        pub fn new(route: Route, sink: Box<dyn RecordSink>) -> Self {
            let address = std::net::SocketAddr::from(([203, 0, 113, 7], 50_000));
            let peer = Peer { address, text: address.ip().to_string().into(), is_secure: false };
            let records = Records::new(Some(sink), RecordRules::default());
            let ended_ns = tidegate_reactor::clock::precise_ns();
            Self { peer, route, settings: ProxySettings::default(), records, ended_ns }
        }

        /// Writes the head that goes upstream; nothing without a service.
        pub fn request_upstream(&self, out: &mut Vec<u8>, head: &RequestHead) {
            let Some(service) = &self.route.service else { return };
            let facts = Facts {
                route: &self.route,
                service,
                target: Target::from(&service.endpoints[0]),
                rest: None,
                forwarded: self.settings.forwarded,
                is_host_chosen: false,
                body: head.body(),
            };
            write_head(out, head, &self.peer, &facts);
        }

        /// Writes the head that goes to the client.
        pub fn response_to_client(&self, out: &mut Vec<u8>, head: &ResponseHead) {
            crate::respond::write_proxied_head(out, head, &self.settings);
        }

        /// Writes one line of the access log.
        pub fn access_line(&self, head: &RequestHead) {
            self.records.add(&Line {
                shard: 0,
                peer: &self.peer,
                head: Some(head),
                route: Some(&self.route),
                status: 200,
                fault: None,
                received_bytes: 700,
                sent_bytes: 4_711,
                head_bytes: 320,
                ended_ns: self.ended_ns,
                duration_ns: 123_456,
                spans: &Spans { first_byte_ns: 98_765, ..Spans::default() },
                said: None,
            });
        }
    }
}

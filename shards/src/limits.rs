//! Every bound of the data plane, in one place. Crossing one is a counted event, never growth. Each value is a flag of
//! `tidegate serve` under the same name, with the default that stands here.

use std::time::Duration;
use tidegate_codec::HeadLimits;
use tidegate_reactor::{KeepAlive, SocketOptions};

/// The bounds and time-outs of one shard.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Client connections open at once on this shard; one more is answered 503 and closed.
    pub max_connections: usize,
    /// Bounds on a request's head.
    pub request_head: HeadLimits,
    /// Bounds on an upstream's response head.
    pub response_head: HeadLimits,
    /// From a request's first byte to the end of its head.
    pub header_timeout: Duration,
    /// Between two requests of a connection.
    pub idle_timeout: Duration,
    /// Between two reads of a body, from the client or the upstream.
    pub body_timeout: Duration,
    /// For one write to make progress, to the client or the upstream.
    pub write_timeout: Duration,
    /// How long an answered client may go on sending what nobody reads before the connection is closed.
    pub linger_timeout: Duration,
    /// Idle upstream connections kept per address.
    pub upstream_idle_per_address: usize,
    /// Idle upstream connections kept on this shard.
    pub upstream_idle_total: usize,
    /// How long an upstream connection is kept idle.
    pub upstream_idle_timeout: Duration,
    /// Upstream connections open at once per address; one more request is answered 503.
    pub upstream_max_per_address: usize,
    /// Bytes that a relay reads at once.
    pub relay_buffer_bytes: usize,
    /// Room for reading a request's head; grows up to `request_head.head_bytes` for a larger one and shrinks again
    /// when the connection is idle.
    pub connection_buffer_bytes: usize,
    /// Options of client sockets.
    pub client_socket: SocketOptions,
    /// Options of upstream sockets.
    pub upstream_socket: SocketOptions,
    /// Contexts of one script on this shard: calls that may be under way at once.
    pub script_contexts: u32,
    /// Lines for a module's log between two reports (four a second); what is more is dropped and counted. What modules
    /// write on the console and how they fail are counted apart.
    pub module_lines: u32,
    /// Bytes of such lines.
    pub module_line_bytes: usize,
    /// Fetches of modules under way at once on this shard.
    pub fetch_max: usize,
    /// From the start of a module's fetch to the head of its response.
    pub fetch_timeout: Duration,
    /// Bytes of one namespace's cache on this shard, keys and overhead counted.
    pub cache_bytes: usize,
    /// Bytes of one cached value.
    pub cache_value_bytes: usize,
    /// Between two reports of what was counted, to the admin. No flag: who reads metrics relies on it.
    pub report_interval: Duration,
    /// Rows of routes in one such report: what has waited longest goes first, the rest counts on until the next. A row
    /// costs both sides about a microsecond, and the shard stands still for its part. No flag, as above.
    pub report_rows: usize,
    /// Names that modules asked for, kept resolved.
    pub resolved_names: usize,
    /// How long such a name is believed.
    pub resolved_ttl: Duration,
    /// Rows of the latency profile about single routes, services and modules in one interval.
    pub profile_rows: usize,
    /// Between two intervals of the latency profile.
    pub hdr_interval: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_connections: 16_384,
            request_head: HeadLimits { line_bytes: 16 << 10, head_bytes: 64 << 10, fields: 100 },
            response_head: HeadLimits { line_bytes: 8 << 10, head_bytes: 128 << 10, fields: 200 },
            header_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(75),
            body_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(30),
            linger_timeout: Duration::from_secs(2),
            upstream_idle_per_address: 1_024,
            upstream_idle_total: 4_096,
            upstream_idle_timeout: Duration::from_secs(30),
            upstream_max_per_address: 4_096,
            relay_buffer_bytes: 64 << 10,
            connection_buffer_bytes: 2 << 10,
            client_socket: SocketOptions {
                keep_alive: Some(KeepAlive {
                    idle: Duration::from_secs(60),
                    interval: Duration::from_secs(10),
                    count: 6,
                }),
                ..SocketOptions::default()
            },
            upstream_socket: SocketOptions::default(),
            script_contexts: 64,
            cache_bytes: 16 << 20,
            cache_value_bytes: 1 << 20,
            module_lines: 128,
            module_line_bytes: 128 << 10,
            fetch_max: 1_024,
            fetch_timeout: Duration::from_secs(10),
            report_interval: Duration::from_millis(250),
            report_rows: 1_024,
            resolved_names: 256,
            resolved_ttl: Duration::from_secs(30),
            profile_rows: 256,
            hdr_interval: Duration::from_secs(1),
        }
    }
}

//! The flags of `tidegate serve` and what they mean. A value in the configuration file's `tidegate:` section is a flag
//! that stands before those of the command line, so that names, checks and defaults exist once: here.

use crate::metal::Metal;
use clap::parser::ValueSource;
use clap::{CommandFactory, FromArgMatches, Parser};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;
use tidegate_admin::resource::{check_node_tag, parse_size};
use tidegate_shards::{
    HeadLimits, Limits, Rate, RecordFormat, RecordRules, Redaction, Sampling, ServerTiming,
};
use tidegate_snapshot::Scopes;

/// Which driver the shards use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Runtime {
    /// io_uring where it works, epoll otherwise.
    Auto,
    /// io_uring or nothing.
    IoUring,
    /// epoll.
    Epoll,
}

/// Who is told where the time went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Telling {
    /// Nobody.
    Never,
    /// Who asks.
    Asked,
    /// Everybody.
    Always,
}

/// What interval logs tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Rows {
    /// One row a route.
    Routes,
    /// One row a service.
    Services,
    /// One row a module.
    Modules,
}

/// `10s`, `250ms`, `1m30s`, `2h`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let why = || format!("'{text}' is no time: write 250ms, 10s, 1m30s or 2h");
    let (mut total, mut rest) = (Duration::ZERO, text);
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).filter(|at| *at > 0).ok_or_else(why)?;
        let number: u64 = rest[..digits].parse().map_err(|_| why())?;
        let unit_end = rest[digits..].find(|c: char| c.is_ascii_digit()).map_or(rest.len(), |at| digits + at);
        let milliseconds = match &rest[digits..unit_end] {
            "ms" => Some(number),
            "s" => number.checked_mul(1_000),
            "m" => number.checked_mul(60_000),
            "h" => number.checked_mul(3_600_000),
            _ => None,
        };
        total += Duration::from_millis(milliseconds.ok_or_else(why)?);
        rest = &rest[unit_end..];
    }
    if text.is_empty() { Err(why()) } else { Ok(total) }
}

/// Shards hand their latency profile over so often at least, so that what is shown live is not older, whatever is written.
const LIVE: Duration = Duration::from_secs(1);
/// Most rows of the latency profile: with more, memory is spent on routes that nobody looks at.
const MOST_ROWS: usize = 65_536;

/// Of the latency profile: what is shorter costs more than it tells, what is longer is lost with the process.
fn interval(text: &str) -> Result<Duration, String> {
    let time = duration(text)?;
    if time < Duration::from_millis(100) {
        Err(format!("{text} is too short: at least 100ms"))
    } else if time > Duration::from_secs(3_600) {
        Err(format!("{text} is too long: at most 1h"))
    } else {
        Ok(time)
    }
}

fn rows(text: &str) -> Result<usize, String> {
    let within = text.parse().ok().filter(|rows| (1..=MOST_ROWS).contains(rows));
    within.ok_or_else(|| format!("{text} is no number of rows: 1 to {MOST_ROWS}"))
}

pub(crate) fn size(text: &str) -> Result<usize, String> {
    parse_size(text).and_then(|n| usize::try_from(n).map_err(|_| format!("{text} is too much")))
}

/// A module's stack: a shard's own has 2 MiB, and the gateway works below the module.
fn stack(text: &str) -> Result<usize, String> {
    let bytes = size(text)?;
    let fits = (64 << 10..=1 << 20).contains(&bytes);
    if fits { Ok(bytes) } else { Err(format!("{text} is no stack for a module: 64k to 1m")) }
}

fn node_tag(text: &str) -> Result<String, String> {
    check_node_tag(text).map(|()| text.to_owned())
}

/// Runs the gateway.
#[derive(Debug, Clone, Parser)]
#[command(name = "serve", args_override_self = true, disable_version_flag = true)]
pub struct Serve {
    /// Configuration file: YAML, JSON or TOML, also one of DGate
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Let `$(command)` in the configuration file run commands
    #[arg(long)]
    pub allow_config_commands: bool,
    /// Where the state is kept [default: ./tidegate-data, or what the file says]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Where clients connect [default: 127.0.0.1:8080, or what the file says]
    #[arg(long, value_name = "ADDR")]
    pub proxy_listen: Option<String>,
    /// Where the admin API is served [default: 127.0.0.1:9080, or what the file says]
    #[arg(long, value_name = "ADDR")]
    pub admin_listen: Option<String>,
    /// Serve the admin API without authentication on an address that others can reach
    #[arg(long)]
    pub insecure_admin: bool,
    /// Host names under which the admin API is called, besides addresses and localhost; others are refused
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    pub admin_host_names: Vec<String>,
    /// Tags of this node, `name` or `name:data`, besides those of the configuration file; resources choose nodes by them
    #[arg(long, value_name = "TAG,…", value_delimiter = ',', value_parser = node_tag)]
    pub tags: Vec<String>,
    /// Once ready, write the process id and the ports to this file as JSON
    #[arg(long, value_name = "FILE")]
    pub ports_file: Option<PathBuf>,
    /// Write access logs to this folder
    #[arg(long, value_name = "DIR")]
    pub access_log_dir: Option<PathBuf>,
    /// Size of an access log file, after which the next one is begun
    #[arg(long, value_name = "BYTES", default_value = "256m", value_parser = parse_size)]
    pub access_log_segment_bytes: u64,
    /// Access logs are kept up to so many files' size in all, in however many files; the oldest are deleted
    #[arg(long, value_name = "N", default_value_t = 8)]
    pub access_log_segments: usize,
    /// Write the latency profile's intervals to this folder, as HdrHistogram logs
    #[arg(long, value_name = "DIR")]
    pub hdr_dir: Option<PathBuf>,
    /// Size of an interval log, after which the next one is begun
    #[arg(long, value_name = "BYTES", default_value = "256m", value_parser = parse_size)]
    pub hdr_segment_bytes: u64,
    /// Interval logs are kept up to so many files' size in all, in however many files; the oldest are deleted
    #[arg(long, value_name = "N", default_value_t = 8)]
    pub hdr_segments: usize,
    /// How long the intervals in --hdr-dir are, 100ms to 1h; what is shown live is a second old at most
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = interval)]
    pub hdr_interval: Duration,
    /// A record's line: json, clf, combined, or a template as '%{client} %{method} %{path} %{status} %{req.user-agent}'
    #[arg(long, value_name = "FORMAT", default_value = "json")]
    pub access_log_format: String,
    /// Header fields and query parameters that are redacted, besides those whose name says that they are credentials
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    pub access_log_redact: Vec<String>,
    /// Write credentials into access logs as they were sent
    #[arg(long)]
    pub access_log_unredacted: bool,
    /// Share of requests that leave a line, as 1% or 0.01; of every kind alike, and by count alone
    #[arg(long, value_name = "SHARE", default_value = "100%", value_parser = Rate::parse)]
    pub access_log_sample: Rate,
    /// The same of errors: of status 500 and above, and of faults that are not the client's
    #[arg(long, value_name = "SHARE", default_value = "100%", value_parser = Rate::parse)]
    pub access_log_sample_errors: Rate,
    /// Rows of the latency profile that are always kept, and written to --hdr-dir, besides the shards' own
    #[arg(long, value_name = "KIND,…", value_enum, value_delimiter = ',')]
    pub profile: Vec<Rows>,
    /// Tell clients in a Server-Timing field where the time went; asked: those that send `X-Server-Timing: 1`
    #[arg(long, value_name = "WHEN", value_enum, default_value_t = Telling::Never)]
    pub server_timing: Telling,
    /// Rows of the latency profile on each shard in one interval, 1 to 65536; each takes up to 300 KB of memory while rows
    /// are kept; what finds no room is counted in one row, `others`
    #[arg(long, value_name = "N", default_value = "256", value_parser = rows)]
    pub profile_rows: usize,
    /// Least loud log level: trace, debug, info, warn or error [default: info, or what the file says]
    #[arg(long, value_name = "LEVEL")]
    pub log_level: Option<tracing::Level>,
    /// Log JSON lines
    #[arg(long)]
    pub log_json: bool,

    /// Names of the flags that were given, by the file or the command line.
    #[arg(skip)]
    given: BTreeSet<String>,

    #[command(flatten)]
    pub metal: Metal,

    /// Client connections per shard; one more is answered 503 [default: what the limit on open files allows, up to 16384]
    #[arg(long, value_name = "N", help_heading = "Bounds")]
    pub max_connections: Option<usize>,
    /// Request line
    #[arg(long, value_name = "BYTES", default_value = "16k", value_parser = size, help_heading = "Bounds")]
    pub max_request_line_bytes: usize,
    /// Request head
    #[arg(long, value_name = "BYTES", default_value = "64k", value_parser = size, help_heading = "Bounds")]
    pub max_request_head_bytes: usize,
    /// Request header fields
    #[arg(long, value_name = "N", default_value_t = 100, help_heading = "Bounds",
          value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=256))]
    pub max_request_fields: usize,
    /// Response head of an upstream
    #[arg(long, value_name = "BYTES", default_value = "128k", value_parser = size, help_heading = "Bounds")]
    pub max_response_head_bytes: usize,
    /// Response header fields of an upstream
    #[arg(long, value_name = "N", default_value_t = 200, help_heading = "Bounds",
          value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=256))]
    pub max_response_fields: usize,
    /// Request body of a route that does not say its own; 0 is no bound
    #[arg(long, value_name = "BYTES", default_value = "0", value_parser = parse_size, help_heading = "Bounds")]
    pub max_body_bytes: u64,

    /// From a request's first byte to the end of its head
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration, help_heading = "Time")]
    pub header_timeout: Duration,
    /// Between two requests of a connection
    #[arg(long, value_name = "TIME", default_value = "75s", value_parser = duration, help_heading = "Time")]
    pub idle_timeout: Duration,
    /// Between two reads of a body, from a client or an upstream
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration, help_heading = "Time")]
    pub body_timeout: Duration,
    /// For one write to make progress
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration, help_heading = "Time")]
    pub write_timeout: Duration,
    /// How long an answered client may go on sending before its connection is closed
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = duration, help_heading = "Time")]
    pub linger_timeout: Duration,
    /// How long requests in flight may take to finish when the gateway ends
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration, help_heading = "Time")]
    pub drain_timeout: Duration,
    /// How long `/readyz` says no before the listeners close, for load balancers to notice
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = duration, help_heading = "Time")]
    pub shutdown_delay: Duration,

    /// Idle connections kept per upstream address and shard
    #[arg(long, value_name = "N", default_value_t = 1024, help_heading = "Upstreams")]
    pub upstream_idle_per_address: usize,
    /// Idle upstream connections kept per shard
    #[arg(long, value_name = "N", default_value_t = 4096, help_heading = "Upstreams")]
    pub upstream_idle_total: usize,
    /// How long an upstream connection is kept idle
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration, help_heading = "Upstreams")]
    pub upstream_idle_timeout: Duration,
    /// Connections open at once per upstream address and shard; one more request is answered 503
    #[arg(long, value_name = "N", default_value_t = 4096, help_heading = "Upstreams")]
    pub upstream_max_per_address: usize,
    /// How often names of upstreams are resolved again
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration, help_heading = "Upstreams")]
    pub resolve_interval: Duration,

    /// Room for reading a head on each connection; idle connections keep no more
    #[arg(long, value_name = "BYTES", default_value = "2k", value_parser = size, help_heading = "Buffers")]
    pub connection_buffer_bytes: usize,
    /// Bytes that a body's relay reads at once
    #[arg(long, value_name = "BYTES", default_value = "64k", value_parser = size, help_heading = "Buffers")]
    pub relay_buffer_bytes: usize,
    /// CPU time of one module call, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 10, help_heading = "Modules",
          value_parser = clap::value_parser!(u32).range(1..=60_000))]
    pub module_cpu_ms: u32,
    /// Heap of one script on one shard
    #[arg(long, value_name = "BYTES", default_value = "32m", value_parser = size, help_heading = "Modules")]
    pub module_memory_bytes: usize,
    /// Stack of a module call
    #[arg(long, value_name = "BYTES", default_value = "256k", value_parser = stack, help_heading = "Modules")]
    pub module_stack_bytes: usize,
    /// Largest body that a module may collect
    #[arg(long, value_name = "BYTES", default_value = "8m", value_parser = size, help_heading = "Modules")]
    pub module_body_bytes: usize,
    /// `fetch` calls of one request at once
    #[arg(long, value_name = "N", default_value_t = 16, help_heading = "Modules",
          value_parser = clap::value_parser!(u32).range(..=1_024))]
    pub module_fetches: u32,
    /// Timers of one request at once
    #[arg(long, value_name = "N", default_value_t = 64, help_heading = "Modules",
          value_parser = clap::value_parser!(u32).range(..=1_024))]
    pub module_timers: u32,
    /// Other operations of one request at once: bodies, writes, sleeps
    #[arg(long, value_name = "N", default_value_t = 64, help_heading = "Modules",
          value_parser = clap::value_parser!(u32).range(1..=1_024))]
    pub module_pending: u32,
    /// Calls of one script that may be under way on one shard
    #[arg(long, value_name = "N", default_value_t = 64, help_heading = "Modules",
          value_parser = clap::value_parser!(u32).range(1..=65_536))]
    pub module_contexts: u32,
    /// Fetches of modules under way at once on one shard
    #[arg(long, value_name = "N", default_value_t = 1024, help_heading = "Modules")]
    pub fetch_max: usize,
    /// From the start of a module's fetch to the head of its response; a module may ask for less
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration, help_heading = "Modules")]
    pub fetch_timeout: Duration,
    /// Entries kept of one module's log
    #[arg(long, value_name = "N", default_value_t = 1_000, help_heading = "Modules",
          value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub module_log_lines: u32,
    /// Bytes kept of one module's log
    #[arg(long, value_name = "BYTES", default_value = "256k", value_parser = size, help_heading = "Modules")]
    pub module_log_bytes: usize,
    /// Bytes kept of all modules' logs
    #[arg(long, value_name = "BYTES", default_value = "32m", value_parser = size, help_heading = "Modules")]
    pub module_log_total_bytes: usize,
    /// Certificates (PEM) of authorities that a module's fetch trusts beside the system's
    #[arg(long, value_name = "FILE", help_heading = "Modules")]
    pub fetch_ca_file: Option<PathBuf>,
    /// Cached values of one namespace on one shard, with keys and overhead, at least 64k; the least recently used go
    #[arg(long, value_name = "BYTES", default_value = "16m", value_parser = size, help_heading = "Modules")]
    pub cache_bytes: usize,
    /// Largest cached value
    #[arg(long, value_name = "BYTES", default_value = "1m", value_parser = size, help_heading = "Modules")]
    pub cache_value_bytes: usize,
    /// A scheduled run of a module is cancelled after this
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = duration, help_heading = "Modules")]
    pub scheduled_timeout: Duration,
}

impl Serve {
    /// The same flags with the file's values put before them.
    pub fn over(
        words: &[String],
        tuning: &std::collections::BTreeMap<String, String>,
    ) -> Result<Self, clap::Error> {
        let file = tuning.iter().map(|(key, value)| match value.as_str() {
            // A switch has no value on the command line.
            "true" => format!("--{}", key.replace('_', "-")),
            value => format!("--{}={value}", key.replace('_', "-")),
        });
        let all = std::iter::once("serve".to_string()).chain(file).chain(words.iter().cloned());
        let matches = Self::command().try_get_matches_from(all)?;
        let mut serve = Self::from_arg_matches(&matches)?;
        let is_given = |id: &clap::Id| matches.value_source(id.as_str()) == Some(ValueSource::CommandLine);
        serve.given = matches.ids().filter(|id| is_given(id)).map(ToString::to_string).collect();
        Ok(serve)
    }

    /// What makes no sense as these flags stand together, a sentence each.
    pub fn faults(&self) -> Vec<String> {
        let mut faults = crate::combined::faults(self, &self.given);
        faults.extend(self.metal.check().err());
        faults
    }

    /// Who is told where the time went.
    pub fn server_timing(&self) -> ServerTiming {
        match self.server_timing {
            Telling::Never => ServerTiming::Never,
            Telling::Asked => ServerTiming::Asked,
            Telling::Always => ServerTiming::Always,
        }
    }

    /// The profile's rows that are always kept.
    pub fn scopes(&self) -> Scopes {
        let has = |rows| self.profile.contains(&rows);
        Scopes { routes: has(Rows::Routes), services: has(Rows::Services), modules: has(Rows::Modules) }
    }

    /// What access records look like.
    pub fn record_rules(&self) -> Result<RecordRules, String> {
        let redaction = if self.access_log_unredacted {
            Redaction::off()
        } else {
            Redaction::new(&self.access_log_redact)
        };
        let format = RecordFormat::parse(&self.access_log_format, &redaction)
            .map_err(|why| format!("--access-log-format: {why}"))?;
        let sampling =
            Sampling { all: self.access_log_sample.clone(), errors: self.access_log_sample_errors.clone() };
        Ok(RecordRules { format, redaction, sampling })
    }

    /// The bounds of a shard; `max_connections` is what the process was found to be able to hold.
    pub fn limits(&self, max_connections: usize) -> Limits {
        Limits {
            max_connections,
            request_head: HeadLimits {
                line_bytes: self.max_request_line_bytes,
                head_bytes: self.max_request_head_bytes,
                fields: self.max_request_fields,
            },
            response_head: HeadLimits {
                head_bytes: self.max_response_head_bytes,
                fields: self.max_response_fields,
                ..Limits::default().response_head
            },
            header_timeout: self.header_timeout,
            idle_timeout: self.idle_timeout,
            body_timeout: self.body_timeout,
            write_timeout: self.write_timeout,
            linger_timeout: self.linger_timeout,
            upstream_idle_per_address: self.upstream_idle_per_address,
            upstream_idle_total: self.upstream_idle_total,
            upstream_idle_timeout: self.upstream_idle_timeout,
            upstream_max_per_address: self.upstream_max_per_address,
            relay_buffer_bytes: self.relay_buffer_bytes.max(4096),
            connection_buffer_bytes: self.connection_buffer_bytes.max(256),
            client_socket: self.metal.client_socket(),
            upstream_socket: self.metal.upstream_socket(),
            script_contexts: self.module_contexts,
            fetch_max: self.fetch_max,
            fetch_timeout: self.fetch_timeout,
            cache_bytes: self.cache_bytes.max(64 << 10),
            cache_value_bytes: self.cache_value_bytes,
            profile_rows: self.profile_rows,
            hdr_interval: self.hdr_interval.min(LIVE),
            ..Limits::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        for (text, expected) in
            [("250ms", Some(250)), ("10s", Some(10_000)), ("1m30s", Some(90_000)), ("2h", Some(7_200_000))]
                .into_iter()
                .chain(["", "10", "s", "1d", "-1s", "1.5s"].map(|bad| (bad, None)))
        {
            assert_eq!(duration(text).ok().map(|d| d.as_millis()), expected, "{text}");
        }
    }

    #[test]
    fn the_profile_has_bounds() {
        let serve = |flag: &str, value: &str| Serve::over(&[flag.into(), value.into()], &Default::default());
        for (value, live_ms) in [("100ms", 100), ("1s", 1_000), ("1m", 1_000), ("1h", 1_000)] {
            let serve = serve("--hdr-interval", value).expect(value);
            assert_eq!(serve.limits(1).hdr_interval.as_millis(), live_ms, "{value}");
        }
        for (flag, value) in [
            ("--hdr-interval", "99ms"),
            ("--hdr-interval", "61m"),
            ("--profile-rows", "0"),
            ("--profile-rows", "65537"),
            ("--profile-rows", "99999999999999999999"),
        ] {
            assert!(serve(flag, value).is_err(), "{flag} {value}");
        }
    }

    #[test]
    fn flags_win_over_the_file_and_the_file_over_defaults() {
        let tuning = [("idle_timeout", "5s"), ("shards", "3"), ("log_json", "true")]
            .map(|(key, value)| (key.to_string(), value.to_string()));
        let words = ["--shards".to_string(), "2".to_string()];
        let serve = Serve::over(&words, &tuning.into()).expect("good flags");
        assert_eq!(
            (serve.metal.shards, serve.idle_timeout, serve.log_json),
            (Some(2), Duration::from_secs(5), true)
        );
        assert_eq!(serve.header_timeout, Duration::from_secs(10));
        assert!(Serve::over(&[], &[("no_such".to_string(), "1".to_string())].into()).is_err());
    }

    #[test]
    fn the_flags_defaults_are_those_of_the_limits() {
        let serve = Serve::over(&[], &Default::default()).expect("defaults");
        let (flags, own) = (serve.limits(16_384), Limits::default());
        assert_eq!(format!("{flags:?}"), format!("{own:?}"));
    }
}

//! The command line. Bounds are checked here, so that nothing is started for a run that cannot work.

mod compare;

use crate::Failure;
use crate::pace::{Plan, Request, target};
use crate::workload::{Answer, Exchange, Workload};
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;
use std::time::Duration;

pub(crate) use compare::{Compare, Peers};

/// Measures Tidegate beside its peers.
#[derive(Parser)]
#[command(name = "tidegate-perf", version, about)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Compare Tidegate with installed peers, in interleaved rounds of the same load: CPU time per request, and more
    Compare(Compare),
    /// Measure what calls of modules cost by themselves: no network, one thread, the host interface answered at once
    Calls(Calls),
    /// List the peers: where they are found, their versions, and what installs those that are missing
    Peers(Peers),
    /// Measure what the parts of a request cost by themselves: parsing, look-ups, rewriting, recording, calls of modules
    Micro(Micro),
    /// Load a server at a fixed rate and tell latencies from when each request was due (open loop, HTTP/1.1)
    Pace(Pace),
    /// Measure the time that requests spend in a gateway from outside, by the packets of its two sides (needs CAP_NET_RAW)
    Gap(Gap),
    /// Measure what scrapes of /metrics at 10,000 routes do to the latencies of a shard, by its own histograms
    Scrape(Scrape),
    /// Compare ways of using io_uring for what a gateway does: CPU time of a relay of bytes on one ring
    Ring(Ring),
    /// Set shards against one: the same load on all CPUs, what scales and what does not
    Shards(Shards),
    /// What `gap` puts in the gateway's place
    #[command(hide = true)]
    Relay(RelayOptions),
}

#[derive(Args, Clone, Debug)]
pub(crate) struct Calls {
    /// Also count the instructions of a call with valgrind's callgrind: exact to about a thousandth on any machine
    #[arg(long)]
    pub(crate) instructions: bool,
    /// Only the calls whose name contains this
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub(crate) only: String,
    /// What `--output json` wrote before, to show what has changed
    #[arg(long, value_name = "FILE")]
    pub(crate) against: Option<PathBuf>,
    /// How the result is printed
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    pub(crate) output: Output,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct Micro {
    /// Also count instructions with valgrind's callgrind: exact to about a thousandth on any machine
    #[arg(long)]
    pub(crate) instructions: bool,
    /// Only those whose name contains this
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub(crate) only: String,
    /// What `--output json` wrote before (perf/micro.json): counts instructions, shows changes, and fails on growth
    #[arg(long, value_name = "FILE")]
    pub(crate) baseline: Option<PathBuf>,
    /// How many more instructions than the baseline's are no failure [default: 2%; 10% where the compiler, the C library or
    /// the CPU's vectors are not the baseline's]
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    pub(crate) tolerance: Option<f64>,
    /// How the result is printed
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    pub(crate) output: Output,
}

/// `2%` or `2` as 0.02.
fn percent(text: &str) -> Result<f64, String> {
    let number: f64 = text.trim_end_matches('%').parse().map_err(|_| "it is a number of percent")?;
    if (0.0..=1000.0).contains(&number) { Ok(number / 100.0) } else { Err("it is 0 to 1000".into()) }
}

#[derive(Args, Clone, Debug)]
pub(crate) struct Pace {
    /// What is asked for: http://HOST:PORT/PATH
    #[arg(long)]
    url: String,
    #[command(flatten)]
    beat: Beat,
    /// CPU that the load is bound to; best one that nobody else uses [default: any]
    #[arg(long)]
    cpu: Option<usize>,
    /// Never sleep: the most exact, where the CPU is the load's own
    #[arg(long)]
    spin: bool,
    /// Also write the percentile distribution, in the form that HdrHistogram's plotters read
    #[arg(long, value_name = "FILE")]
    pub(crate) hgrm: Option<PathBuf>,
    /// How the result is printed
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    pub(crate) output: Output,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct Gap {
    /// Whose time is measured
    #[arg(long, value_enum, default_value_t = Gateway::Tidegate)]
    pub(crate) gateway: Gateway,
    /// Rounds, each of one run through the gateway and one through a relay of bytes in its place
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) rounds: u32,
    #[command(flatten)]
    pub(crate) beat: Beat,
    /// Start Tidegate without --arrival-stamps: its own latencies then begin where the shard comes to a packet, and lack
    /// the wait for that
    #[arg(long)]
    pub(crate) no_stamps: bool,
    /// The tidegate binary; without it cargo builds that of the sources in this folder
    #[arg(long, value_name = "PATH")]
    pub(crate) tidegate: Option<PathBuf>,
    /// CPU that the gateway is pinned to
    #[arg(long, default_value_t = 0)]
    pub(crate) cpu: usize,
    /// CPU for the upstream and the load
    #[arg(long, default_value_t = 1)]
    pub(crate) load_cpu: usize,
    /// How the result is printed
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    pub(crate) output: Output,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct Scrape {
    /// Rounds, each of a run without scrapes, one with them, and again one without
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) rounds: u32,
    /// From one scrape to the next; one that is due while the last is not done waits for it
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = duration)]
    pub(crate) every: Duration,
    #[command(flatten)]
    pub(crate) beat: Beat,
    /// The tidegate binary; without it cargo builds that of the sources in this folder
    #[arg(long, value_name = "PATH")]
    pub(crate) tidegate: Option<PathBuf>,
    /// CPU of the shard
    #[arg(long, default_value_t = 0)]
    pub(crate) cpu: usize,
    /// CPU for the upstream and the load, and for all of the gateway but its shard
    #[arg(long, default_value_t = 1)]
    pub(crate) load_cpu: usize,
    /// CPU for all of the gateway but its shard, with the priority it has by itself; the shard's own is allowed
    /// [default: the load's, behind load and upstream, since those are not what is measured]
    #[arg(long, value_name = "CPU")]
    pub(crate) admin_cpu: Option<usize>,
    /// How the result is printed
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    pub(crate) output: Format,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct Ring {
    /// Only these ways, beside the plain one [default: all]
    #[arg(long, value_delimiter = ',', value_name = "NAME")]
    pub(crate) only: Vec<String>,
    /// Numbers of connections, one comparison each
    #[arg(long, value_delimiter = ',', default_values_t = [64, 2000], value_parser = clap::value_parser!(u32).range(1..=4000))]
    pub(crate) connections: Vec<u32>,
    /// Rounds, in each of which every way runs once
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) rounds: u32,
    /// How long a run is: 500ms, 10s
    #[arg(long = "for", value_name = "TIME", default_value = "500ms", value_parser = duration)]
    pub(crate) length: Duration,
    /// What a client and the upstream each take for a message, beside receiving and sending it: with more than the relay
    /// needs, the relay is not what everything waits for; 0us makes it that, and it wakes the load with most sends
    #[arg(long, value_name = "TIME", default_value = "2us", value_parser = microseconds)]
    pub(crate) work: Duration,
    /// CPU of the relay
    #[arg(long, default_value_t = 0)]
    pub(crate) cpu: usize,
    /// CPU of the load and the upstream
    #[arg(long, default_value_t = 1)]
    pub(crate) load_cpu: usize,
    /// How the result is printed
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    pub(crate) output: Output,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct Shards {
    /// How many shards, in turn; the others are told as a share of the first
    #[arg(long, value_delimiter = ',', default_values_t = [1, 2], value_parser = shard_count)]
    pub(crate) shards: Vec<usize>,
    /// Rounds; every round measures each number once
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) rounds: u32,
    /// How long each measurement is, in whole seconds: 3s, 1m
    #[arg(long = "for", value_name = "TIME", default_value = "3s", value_parser = whole_seconds)]
    pub(crate) seconds: u32,
    /// Connections of the load, which has a thread for each CPU, as the upstream has
    #[arg(long, default_value_t = 128, value_parser = clap::value_parser!(u32).range(1..=8000))]
    pub(crate) connections: u32,
    /// The tidegate binary; without it cargo builds that of the sources in this folder
    #[arg(long, value_name = "PATH")]
    pub(crate) tidegate: Option<PathBuf>,
    /// How the result is printed
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    pub(crate) output: Format,
}

fn shard_count(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|count| (1..=256).contains(count)).ok_or_else(|| "it is 1 to 256".into())
}

#[derive(Args, Clone, Debug)]
pub(crate) struct RelayOptions {
    pub(crate) port: u16,
    pub(crate) upstream: u16,
}

/// Who can be looked at from outside.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gateway {
    Tidegate,
    Nginx,
    Haproxy,
}

/// How often a load at a fixed rate asks, and for how long.
#[derive(Args, Clone, Debug)]
pub(crate) struct Beat {
    /// Requests a second [default: half of what the server takes in a closed loop where that is measured, else 5000]
    #[arg(long, value_parser = rate)]
    pub(crate) rate: Option<f64>,
    /// Connections; a request that is due and finds none free waits, and its clock runs
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=8000))]
    connections: u32,
    /// How long: 500ms, 10s, 2m
    #[arg(long = "for", value_name = "TIME", default_value = "10s", value_parser = duration)]
    pub(crate) length: Duration,
    /// Random gaps (a Poisson process) with this seed, instead of even ones
    #[arg(long, value_name = "SEED")]
    poisson: Option<u64>,
    /// How long an answer may take from when its request was due
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration)]
    timeout: Duration,
}

impl Pace {
    pub(crate) fn plan(&self) -> Result<Plan, Failure> {
        let (address, host, path) = target(&self.url)?;
        let answer = Answer::Bytes(Vec::new());
        let exchange = Exchange { path, host, answer, ..Workload::SmallGet.exchange() };
        let plan = self.beat.plan(address, Request::new(&exchange, false));
        Ok(Plan { cpu: self.cpu, spin: self.spin, ..plan })
    }
}

impl Beat {
    /// A plan that is bound to no CPU.
    pub(crate) fn plan(&self, address: std::net::SocketAddr, request: Request) -> Plan {
        let Self { rate, connections, length, poisson, timeout } = *self;
        let rate = rate.unwrap_or(5_000.0);
        Plan { address, request, rate, seed: poisson, connections, length, timeout, cpu: None, spin: false }
    }
}

fn rate(text: &str) -> Result<f64, String> {
    let rate: f64 = text.parse().map_err(|_| "it is a number of requests a second")?;
    if (0.1..=5e6).contains(&rate) { Ok(rate) } else { Err("it is between 0.1 and 5,000,000".into()) }
}

/// `500ms`, `10s`, `2m`.
fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit_ms = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        _ => return Err("it is a number with ms, s or m".into()),
    };
    let ms = number.parse::<u64>().ok().and_then(|number| number.checked_mul(unit_ms));
    let ms = ms.filter(|ms| (1..=86_400_000).contains(ms)).ok_or("it is between 1ms and a day")?;
    Ok(Duration::from_millis(ms))
}

/// `2us`.
fn microseconds(text: &str) -> Result<Duration, String> {
    let number = text.strip_suffix("us").and_then(|number| number.parse().ok());
    let number = number.filter(|us| *us <= 1_000).ok_or("it is 0us to 1000us")?;
    Ok(Duration::from_micros(number))
}

/// `3s`, `1m`, or `3` as it was once written; wrk and h2load know no fractions.
fn whole_seconds(text: &str) -> Result<u32, String> {
    let bare = text.bytes().all(|byte| byte.is_ascii_digit());
    let time = if bare { duration(&format!("{text}s"))? } else { duration(text)? };
    let whole = u32::try_from(time.as_secs()).ok().filter(|_| time.subsec_nanos() == 0);
    whole
        .filter(|seconds| (1..=600).contains(seconds))
        .ok_or_else(|| "it is 1s to 10m, in whole seconds".into())
}

#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Output {
    Table,
    Json,
}

/// How a result that the README has is printed.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Table,
    Json,
    /// As the README has it
    Markdown,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_rates_are_within_bounds() {
        for (text, ms) in [("500ms", Some(500)), ("10s", Some(10_000)), ("2m", Some(120_000))] {
            assert_eq!(duration(text).ok(), ms.map(Duration::from_millis), "{text}");
        }
        for wrong in ["", "s", "10", "0s", "1h", "-1s", "1.5s", "99999999999999999999s", "9999m"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
        assert_eq!(microseconds("2us"), Ok(Duration::from_micros(2)));
        assert!(["2", "us", "-1us", "1001us", "2ms"].iter().all(|wrong| microseconds(wrong).is_err()));
        for (text, seconds) in [("3s", Some(3)), ("3", Some(3)), ("1m", Some(60)), ("2000ms", Some(2))] {
            assert_eq!(whole_seconds(text).ok(), seconds, "{text}");
        }
        for wrong in ["", "0", "500ms", "11m", "-1", "1.5"] {
            assert!(whole_seconds(wrong).is_err(), "{wrong}");
        }
        assert_eq!((rate("0.5"), percent("2%"), percent("2")), (Ok(0.5), Ok(0.02), Ok(0.02)));
        assert!(percent("-1%").is_err() && percent("x").is_err());
        for wrong in ["0", "-1", "NaN", "inf", "x"] {
            assert!(rate(wrong).is_err(), "{wrong}");
        }
    }
}

//! The words and flags of `top` and `profile`, and the requests they mean. What is wrong with them is said before
//! anything is sent.

use crate::failure::Failure;
use crate::options::Options;
use clap::{ArgMatches, Args, Command, FromArgMatches, ValueEnum};
use std::path::PathBuf;
use std::time::Duration;

/// What rows are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum By {
    /// One row for the node
    Node,
    /// One a core
    Shard,
    /// One a route
    Route,
    /// One a service
    Service,
    /// One a module
    Module,
}

impl By {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::Shard => "shard",
            Self::Route => "route",
            Self::Service => "service",
            Self::Module => "module",
        }
    }

    /// Whether shards keep such rows only when they are asked to.
    pub(crate) fn is_asked_for(self) -> bool {
        !matches!(self, Self::Node | Self::Shard)
    }
}

/// What comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Sort {
    /// Most exchanges
    Rate,
    /// Largest 99th percentile
    P99,
    /// Largest 99th percentile of the gateway's own time
    Tax,
    /// Most errors
    Errors,
}

// No doc comment: clap would print it as the description of the command.
#[derive(Debug, Clone, Args)]
pub(crate) struct Top {
    /// What rows are about: node, shard, route, service or module; several with commas
    #[arg(
        long,
        value_name = "WHAT",
        value_delimiter = ',',
        default_value = "shard,route",
        hide_possible_values = true
    )]
    pub(crate) by: Vec<By>,
    /// How often it is shown, and how far back each time looks
    #[arg(short, long, value_name = "TIME", default_value = "1s", value_parser = time)]
    pub(crate) interval: Duration,
    /// What comes first: rate, p99, tax or errors
    #[arg(long, value_name = "WHAT", default_value = "rate", hide_possible_values = true)]
    pub(crate) sort: Sort,
    /// Most rows of each kind
    #[arg(long, value_name = "NUMBER", default_value_t = 20)]
    pub(crate) limit: usize,
    /// Measure for one interval, show it, and end
    #[arg(long)]
    pub(crate) once: bool,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct Dump {
    /// For how long to measure, from now on
    #[arg(long = "for", value_name = "TIME", default_value = "10s", value_parser = time)]
    pub(crate) time: Duration,
    /// What rows are about: node, shard, route, service or module
    #[arg(long, value_name = "WHAT", default_value = "node", hide_possible_values = true)]
    pub(crate) by: By,
    /// Only this route, service or module (namespace/name), or shard
    #[arg(long, value_name = "KEY")]
    pub(crate) key: Option<String>,
    /// Most rows, those with the most exchanges
    #[arg(long, value_name = "NUMBER", default_value_t = 20)]
    pub(crate) limit: usize,
    /// Draw the percentile plot into this file
    #[arg(long, value_name = "FILE")]
    pub(crate) svg: Option<PathBuf>,
    /// Write percentile distributions for HdrHistogram plotters: FILE.hgrm becomes FILE.total.hgrm, FILE.tax.hgrm, ...
    #[arg(long, value_name = "FILE")]
    pub(crate) hgrm: Option<PathBuf>,
}

/// `500ms`, `30s`, `2m`, `1h`.
fn time(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is no time: write 500ms, 30s, 2m or 1h");
    let unit = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
    let number: u64 = text[..unit].parse().map_err(|_| wrong())?;
    let ms = match &text[unit..] {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err(wrong()),
    };
    match number.checked_mul(ms) {
        Some(ms @ 100..=3_600_000) => Ok(Duration::from_millis(ms)),
        _ => Err(format!("{text} is out of bounds: between 100ms and 1h")),
    }
}

/// A value as the API spells it.
fn spelled(value: &impl ValueEnum) -> String {
    value.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

impl Top {
    /// What the API cannot look back on.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        if self.interval > Duration::from_secs(60) {
            return Err(Failure::usage("--interval is longer than the minute that the gateway keeps")
                .hint("give at most 60s, or measure longer with: tidegate profile --for 10m"));
        }
        Ok(())
    }

    /// The target of one look. `wait`: at what comes instead of what was.
    pub(crate) fn target(&self, by: By, wait: bool) -> String {
        let (ms, sort, limit) = (self.interval.as_millis(), spelled(&self.sort), self.limit);
        let wait = if wait { "&wait=true" } else { "" };
        format!("/api/v1/profile?by={}&for={ms}ms&sort={sort}&limit={limit}{wait}", by.name())
    }
}

impl Dump {
    /// The target of the stream.
    pub(crate) fn target(&self) -> String {
        let key = self.key.as_deref().map(|key| format!("&key={}", crate::request::encode(key)));
        format!(
            "/api/v1/profile?by={}&for={}ms&limit={}&points=true&follow=true{}",
            self.by.name(),
            self.time.as_millis(),
            self.limit,
            key.unwrap_or_default()
        )
    }
}

const TOP: &str = "top";
const PROFILE: &str = "profile";

/// Whether a word is one of these commands.
pub(crate) fn is_command(name: &str) -> bool {
    [TOP, PROFILE].contains(&name)
}

/// The commands.
pub(crate) fn subcommands() -> [Command; 2] {
    let top = Command::new(TOP)
        .about("Shows live what passes and how long it takes: per core and per route, the gateway's own time beside the whole")
        .after_help("Example:\n  tidegate top --by route --sort tax\n\nq or Ctrl-C ends it. Without a terminal it prints \
             a table, or with -o json a line, each interval.");
    let profile = Command::new(PROFILE)
        .about("Measures where the time goes from now on: a percentile table for each phase, and a percentile plot")
        .after_help("Example:\n  tidegate profile --for 30s --svg latency.svg\n  tidegate profile --for 1m --by route --key default/users");
    [Options::augment_args(Top::augment_args(top)), Options::augment_args(Dump::augment_args(profile))]
}

/// The task of a command's matches.
pub(crate) fn task(name: &str, matches: &mut ArgMatches) -> Result<crate::command::Task, clap::Error> {
    Ok(if name == TOP {
        crate::command::Task::Top(Box::new(Top::from_arg_matches_mut(matches)?))
    } else {
        crate::command::Task::Profile(Box::new(Dump::from_arg_matches_mut(matches)?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units_and_bounds() {
        for (text, ms) in [
            ("100ms", Some(100)),
            ("30s", Some(30_000)),
            ("2m", Some(120_000)),
            ("1h", Some(3_600_000)),
            ("2h", None),
            ("99ms", None),
            ("30", None),
            ("s", None),
            ("1.5s", None),
            ("-1s", None),
            ("99999999999999999999s", None),
        ] {
            assert_eq!(time(text).ok().map(|time| time.as_millis() as u64), ms, "{text}");
        }
    }
}

//! `tidegate doctor`: what this host gives the gateway, checked before it is started, and what it leaves on the table. It
//! takes the flags that fit `serve` to a machine and judges the host by them. It changes nothing but a file it makes and
//! removes in the data folder: what to change is said, not done.

mod cores;
mod disks;
mod host;
mod kernel;
mod network;
mod process;
mod tcp;
#[cfg(test)]
mod tests;

use crate::machine::Machine;
use crate::metal::Metal;
use clap::Parser;
use host::Host;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The command.
#[derive(Parser)]
pub struct Doctor {
    /// The data folder the gateway will use
    #[arg(long, value_name = "DIR", default_value = "tidegate-data")]
    data_dir: PathBuf,
    /// Where clients will connect
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    proxy_listen: String,
    /// Where the admin API will be served
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9080")]
    admin_listen: String,
    /// The folder of access logs
    #[arg(long, value_name = "DIR")]
    access_log_dir: Option<PathBuf>,
    /// The folder of interval logs
    #[arg(long, value_name = "DIR")]
    hdr_dir: Option<PathBuf>,
    /// Connections open at once per upstream address and shard
    #[arg(long, value_name = "N", default_value_t = 4096)]
    upstream_max_per_address: usize,
    #[command(flatten)]
    metal: Metal,
    /// How the checks are printed: table or json
    #[arg(short, long, value_name = "FORMAT", default_value = "table", value_parser = ["table", "json"])]
    output: String,
}

/// How a check went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Grade {
    Good,
    /// A choice that costs something and may be meant.
    Note,
    /// It will run, with less.
    Weak,
    /// It will not start.
    Bad,
}

impl Grade {
    fn name(self) -> &'static str {
        match self {
            Self::Good => "ok",
            Self::Note => "note",
            Self::Weak => "warn",
            Self::Bad => "fail",
        }
    }
}

/// One thing that was looked at.
#[derive(Debug)]
struct Check {
    what: &'static str,
    grade: Grade,
    /// What is.
    finding: String,
    /// What it costs; empty where it costs nothing.
    cost: String,
    /// What changes it: a command where there is one.
    fix: String,
}

impl Check {
    fn new(what: &'static str, grade: Grade, finding: impl Into<String>) -> Self {
        Self { what, grade, finding: finding.into(), cost: String::new(), fix: String::new() }
    }

    fn good(what: &'static str, finding: impl Into<String>) -> Self {
        Self::new(what, Grade::Good, finding)
    }

    fn weak(what: &'static str, finding: impl Into<String>) -> Self {
        Self::new(what, Grade::Weak, finding)
    }

    fn note(what: &'static str, finding: impl Into<String>) -> Self {
        Self::new(what, Grade::Note, finding)
    }

    fn of(what: &'static str, result: Result<String, String>) -> Self {
        match result {
            Ok(finding) => Self::good(what, finding),
            Err(why) => Self::new(what, Grade::Bad, why),
        }
    }

    /// What it costs.
    fn costs(self, cost: impl Into<String>) -> Self {
        Self { cost: cost.into(), ..self }
    }

    /// What changes it.
    fn fix(self, fix: impl Into<String>) -> Self {
        Self { fix: fix.into(), ..self }
    }
}

impl Doctor {
    /// Prints the checks. Exit code 1 if the gateway would not start.
    pub fn run(&self) -> ExitCode {
        let checks = self.checks();
        let text = if self.output == "json" {
            format!("{}\n", checks.iter().map(as_json).collect::<serde_json::Value>())
        } else {
            checks.iter().map(shown).collect()
        };
        tidegate_ctl::print(text);
        if checks.iter().any(|c| c.grade == Grade::Bad) { ExitCode::FAILURE } else { ExitCode::SUCCESS }
    }

    fn checks(&self) -> Vec<Check> {
        let machine = match Machine::decide(&self.metal) {
            Ok(machine) => machine,
            Err(why) => return vec![Check::new("flags", Grade::Bad, why)],
        };
        let host = Host::new(Path::new("/"), &machine);
        let mut checks = kernel::checks(&host, &self.metal);
        checks.extend(cores::checks(&host, &machine));
        checks.extend(cores::ring_threads(&host, &self.metal));
        checks.extend(process::checks(self, &machine));
        let logs = [
            ("access_log", "--access-log-dir", &self.access_log_dir),
            ("hdr_log", "--hdr-dir", &self.hdr_dir),
        ];
        for (what, flag, dir) in logs {
            checks.extend(dir.iter().map(|dir| disks::check(what, flag, dir, &self.data_dir)));
        }
        checks.extend(tcp::checks(&host, &self.metal, self.upstream_max_per_address));
        checks.extend(network::checks(&host, self.metal.steer, &self.port()));
        checks
    }

    /// The proxy's port, for commands that name it.
    fn port(&self) -> String {
        self.proxy_listen.rsplit(':').next().unwrap_or("8080").to_owned()
    }
}

fn as_json(check: &Check) -> serde_json::Value {
    let mut value = serde_json::json!({
        "check": check.what,
        "result": check.grade.name(),
        "finding": check.finding,
    });
    for (name, text) in [("cost", &check.cost), ("fix", &check.fix)] {
        if !text.is_empty() {
            value[name] = text.as_str().into();
        }
    }
    value
}

fn shown(check: &Check) -> String {
    let mut text = format!("{:<5} {:<18} {}\n", check.grade.name(), check.what, check.finding);
    if check.grade == Grade::Good {
        return text;
    }
    for (name, more) in [("costs", &check.cost), ("fix", &check.fix)] {
        if !more.is_empty() {
            text += &format!("{:<24}   {name}: {more}\n", "");
        }
    }
    text
}

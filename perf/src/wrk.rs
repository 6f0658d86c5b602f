//! The load: wrk on its own CPU, and its result. Reads what wrk counted; never its rounded text.

use crate::Failure;
use crate::child::{Child, installed};
use crate::workload::Exchange;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Before the line of JSON.
const MARK: &str = "RESULT ";

/// The end of every script; runs once, after the load.
pub(crate) const REPORT: &str = r#"
function done(summary, latency, requests)
  io.write(string.format(
    'RESULT {"requests":%d,"microseconds":%d,"p50":%d,"p99":%d,"connect":%d,"read":%d,"write":%d,"status":%d,"timeout":%d}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    summary.errors.connect, summary.errors.read, summary.errors.write, summary.errors.status, summary.errors.timeout))
end
"#;

/// What wrk counted in one run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Load {
    /// Answers received, those with an error status included.
    pub(crate) requests: u64,
    pub(crate) seconds: f64,
    /// Latencies, in microseconds.
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    /// Connections, reads and writes that failed, time-outs, and answers with a status from 400 on.
    pub(crate) errors: u64,
}

/// An exchange as a load, ready to be run again and again.
pub(crate) struct Wrk {
    program: PathBuf,
    script: PathBuf,
    path: String,
    connections: u32,
    cpu: usize,
    dir: PathBuf,
}

impl Wrk {
    /// Keeps its script as `<name>.lua` in `dir`.
    pub(crate) fn new(
        name: &str,
        exchange: &Exchange,
        connections: u32,
        cpu: usize,
        dir: &Path,
    ) -> Result<Self, Failure> {
        let program = installed("wrk").ok_or("wrk is not installed (Debian: apt install wrk)")?;
        let script = dir.join(format!("{name}.lua"));
        fs::write(&script, exchange.load_script()).map_err(|why| format!("{}: {why}", script.display()))?;
        let path = exchange.path.clone();
        Ok(Self { program, script, path, connections, cpu, dir: dir.to_owned() })
    }

    /// Loads a port for whole seconds; wrk knows no fractions.
    pub(crate) fn run(&self, port: u16, seconds: u32) -> Result<Load, Failure> {
        let mut command = Command::new(&self.program);
        command
            .args(["-t1", "--latency", "--timeout", "10s"])
            .arg(format!("-c{}", self.connections))
            .arg(format!("-d{seconds}s"))
            .arg("-s")
            .arg(&self.script)
            .arg(format!("http://127.0.0.1:{port}{}", self.path));
        let child = Child::start("wrk", command, self.cpu, &self.dir)?;
        let said = child.finish(Duration::from_secs(u64::from(seconds) + 30))?;
        parse(&said).ok_or_else(|| format!("wrk gave no result:\n{said}"))
    }
}

fn parse(said: &str) -> Option<Load> {
    let result: Value = serde_json::from_str(said.lines().find_map(|line| line.strip_prefix(MARK))?).ok()?;
    let number = |key: &str| result.get(key)?.as_u64();
    let errors =
        ["connect", "read", "write", "status", "timeout"].into_iter().map(number).sum::<Option<u64>>()?;
    Some(Load {
        requests: number("requests")?,
        seconds: number("microseconds")? as f64 / 1e6,
        p50: number("p50")? as f64,
        p99: number("p99")? as f64,
        errors,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_found_among_what_wrk_says() {
        let said = "Running 3s test\n  50%    1.00ms\nRESULT {\"requests\":9,\"microseconds\":1500000,\"p50\":7,\
                    \"p99\":8,\"connect\":1,\"read\":2,\"write\":0,\"status\":0,\"timeout\":3}\n";
        let expected = Load { requests: 9, seconds: 1.5, p50: 7.0, p99: 8.0, errors: 6 };
        assert_eq!(parse(said), Some(expected));
        for broken in ["", "RESULT {}", "RESULT nonsense", "Requests/sec: 12"] {
            assert_eq!(parse(broken), None, "{broken}");
        }
    }
}

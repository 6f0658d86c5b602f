//! h2load of nghttp2: HTTP/2, several streams on every connection. Percentiles come from its file with a line for each
//! request; its own text has none.

use crate::Failure;
use crate::child::{Child, installed};
use crate::load::{Load, openssl_settings, percentile};
use crate::workload::Exchange;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Streams that every connection has open at once.
const STREAMS: u32 = 32;

/// An exchange as a load.
pub(crate) struct H2load {
    program: PathBuf,
    scheme: &'static str,
    openssl: PathBuf,
    fields: Vec<(&'static str, String)>,
    host: String,
    path: String,
    connections: u32,
    cpu: usize,
    log: PathBuf,
    dir: PathBuf,
}

impl H2load {
    /// Keeps its log as `<name>.tsv` in `dir`.
    pub(crate) fn new(
        name: &str,
        tls: bool,
        exchange: &Exchange,
        connections: u32,
        cpu: usize,
        dir: &Path,
    ) -> Result<Self, Failure> {
        // The check of the answer needs the other one: nobody should be started for nothing.
        let tools = ["nghttp", "h2load"].map(installed);
        let [Some(_), Some(program)] = tools else {
            return Err("h2load and nghttp are not installed (Debian: apt install nghttp2-client)".into());
        };
        let Exchange { path, host, fields, .. } = exchange.clone();
        let (openssl, log) = (openssl_settings(dir)?, dir.join(format!("{name}.tsv")));
        let scheme = if tls { "https" } else { "http" };
        let dir = dir.to_owned();
        Ok(Self { program, scheme, openssl, fields, host, path, connections, cpu, log, dir })
    }

    /// Loads a port for whole seconds.
    pub(crate) fn run(&self, port: u16, seconds: u32) -> Result<Load, Failure> {
        // It adds to a file that is there.
        let _ = fs::remove_file(&self.log);
        let mut command = Command::new(&self.program);
        command
            .args(["--threads=1", &format!("--clients={}", self.connections)])
            .args([format!("--max-concurrent-streams={STREAMS}"), format!("--duration={seconds}")])
            .arg(format!("--connect-to=127.0.0.1:{port}"))
            .arg("--log-file")
            .arg(&self.log)
            .args(
                self.fields.iter().map(|(name, value)| format!("--header={}: {value}", name.to_lowercase())),
            )
            .arg(format!("{}://{}{}", self.scheme, self.host, self.path))
            .env("OPENSSL_CONF", &self.openssl);
        let child = Child::start("h2load", command, self.cpu, &self.dir)?;
        let said = child.finish(Duration::from_secs(u64::from(seconds) + 30))?;
        let lines = fs::read_to_string(&self.log).map_err(|why| format!("{}: {why}", self.log.display()))?;
        let _ = fs::remove_file(&self.log);
        parse(&said, &lines, f64::from(seconds)).ok_or_else(|| format!("h2load gave no result:\n{said}"))
    }
}

/// From its text what failed, and from its lines the rest: start, status, microseconds.
fn parse(said: &str, lines: &str, seconds: f64) -> Option<Load> {
    // "requests: 9 total, 9 started, 9 done, 9 succeeded, 0 failed, 0 errored, 0 timeout"
    let counts = said.lines().find_map(|line| line.strip_prefix("requests: "))?;
    let count = |name: &str| -> Option<u64> {
        counts.split(", ").find_map(|part| part.strip_suffix(name))?.trim().parse().ok()
    };
    let done = count("done")?;
    let mut latencies: Vec<u32> =
        lines.lines().filter_map(|line| line.split('\t').nth(2)?.parse().ok()).collect();
    latencies.sort_unstable();
    Some(Load {
        requests: done,
        seconds,
        p50: percentile(&latencies, 50.0)?,
        p99: percentile(&latencies, 99.0)?,
        p999: percentile(&latencies, 99.9)?,
        // Streams still open when the time is over are neither done nor failed.
        errors: count("failed")? + count("errored")? + count("timeout")?,
        late: false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_found_in_its_text_and_its_lines() {
        let said = "finished in 1.00s, 4.00 req/s, 1B/s\n\
                    requests: 4 total, 5 started, 4 done, 3 succeeded, 1 failed, 2 errored, 0 timeout\n";
        let lines = "1\t200\t10\n2\t200\t30\n3\t200\t20\n4\t500\t40\n";
        let expected =
            Load { requests: 4, seconds: 1.0, p50: 20.0, p99: 40.0, p999: 40.0, errors: 3, late: false };
        assert_eq!(parse(said, lines, 1.0), Some(expected));
        for (said, lines) in [("", lines), (said, ""), ("requests: none", lines)] {
            assert_eq!(parse(said, lines, 1.0), None, "{said}");
        }
    }
}

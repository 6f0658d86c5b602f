//! The load: which generator a workload takes, and what each of them has to tell. All run on the load's CPU and ask for
//! the same things of everybody.

use crate::Failure;
use crate::h2load::H2load;
use crate::handshakes::Handshakes;
use crate::pace::{self, Outcome, Plan, Request};
use crate::setup::Task;
use crate::workload::{Exchange, Transport};
use crate::wrk::Wrk;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// For an answer at a fixed rate.
const TIMEOUT: Duration = Duration::from_secs(10);

/// What was counted in one run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Load {
    /// Answers received, those with an error status included.
    pub(crate) requests: u64,
    pub(crate) seconds: f64,
    /// Latencies, in microseconds.
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) p999: f64,
    /// Connections, reads and writes that failed, time-outs, and answers with a status from 400 on.
    pub(crate) errors: u64,
    /// The load did not keep the rate it was to keep, so that its own lateness is in the latencies.
    pub(crate) late: bool,
}

/// How a load is made, beside what it asks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) connections: u32,
    /// Requests a second, where they are due at a fixed rate.
    pub(crate) rate: f64,
    /// The CPU it runs on.
    pub(crate) cpu: usize,
}

/// An exchange as a load, ready to be run again and again.
pub(crate) enum Generator {
    Wrk(Wrk),
    H2load(H2load),
    Handshakes(Handshakes),
    Paced(Plan),
}

impl Generator {
    /// The generator for an exchange of this task. Its files are kept under `name` in `dir`.
    pub(crate) fn new(
        name: &str,
        task: Task,
        exchange: &Exchange,
        shape: Shape,
        dir: &Path,
    ) -> Result<Self, Failure> {
        let Shape { connections, rate, cpu } = shape;
        let transport = task.transport();
        Ok(match transport {
            Transport::Plain if task.workload.paced() => Self::Paced(Plan {
                address: (Ipv4Addr::LOCALHOST, 0).into(),
                request: Request::new(exchange, false),
                rate,
                seed: None,
                connections,
                length: Duration::ZERO,
                timeout: TIMEOUT,
                cpu: Some(cpu),
                // The upstream needs the CPU as well.
                spin: false,
            }),
            // wrk takes up the session of the connection before, which no setting of it or of all gateways prevents.
            Transport::Tls if exchange.close => Self::Handshakes(Handshakes::new(exchange, connections, cpu)),
            Transport::Plain | Transport::Tls => {
                Self::Wrk(Wrk::new(name, transport.tls(), exchange, connections, cpu, dir)?)
            }
            Transport::Http2 | Transport::Http2Cleartext => {
                Self::H2load(H2load::new(name, transport.tls(), exchange, connections, cpu, dir)?)
            }
        })
    }

    /// Loads a port for whole seconds.
    pub(crate) fn run(&self, port: u16, seconds: u32) -> Result<Load, Failure> {
        match self {
            Self::Wrk(wrk) => wrk.run(port, seconds),
            Self::H2load(h2load) => h2load.run(port, seconds),
            Self::Handshakes(handshakes) => handshakes.run(port, seconds),
            Self::Paced(plan) => {
                let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
                let length = Duration::from_secs(seconds.into());
                Ok(paced(&pace::run_plan(&Plan { address, length, ..plan.clone() })?))
            }
        }
    }
}

/// What a load at a fixed rate has shown, in the terms of the others.
fn paced(outcome: &Outcome) -> Load {
    let at = |quantile| outcome.corrected.value_at_quantile(quantile) as f64 / 1e3;
    Load {
        requests: outcome.answered,
        seconds: outcome.seconds,
        p50: at(0.5),
        p99: at(0.99),
        p999: at(0.999),
        errors: outcome.errors.sum(),
        late: outcome.late(),
    }
}

/// OpenSSL's own settings for the generators that use it: what is negotiated is the same with everybody, who would
/// otherwise choose by themselves between ciphers of different cost.
pub(crate) fn openssl_settings(dir: &Path) -> Result<PathBuf, Failure> {
    let path = dir.join("openssl.cnf");
    let text = "openssl_conf = all\n[all]\nssl_conf = ssl\n[ssl]\nsystem_default = tls\n[tls]\n\
                MinProtocol = TLSv1.3\nCiphersuites = TLS_AES_128_GCM_SHA256\nGroups = X25519\n";
    fs::write(&path, text).map_err(|why| format!("{}: {why}", path.display()))?;
    Ok(path)
}

/// The value that a share of sorted values lies at or below.
pub(crate) fn percentile(sorted: &[u32], percent: f64) -> Option<f64> {
    let rank = (sorted.len() as f64 * percent / 100.0).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).map(|value| f64::from(*value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_were_seen() {
        let values: Vec<u32> = (1..=1000).collect();
        for (percent, expected) in [(50.0, 500.0), (99.0, 990.0), (99.9, 999.0), (100.0, 1000.0)] {
            assert_eq!(percentile(&values, percent), Some(expected));
        }
        assert_eq!(percentile(&[7], 50.0), Some(7.0));
        assert_eq!(percentile(&[], 50.0), None);
    }
}

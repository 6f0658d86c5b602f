//! wrk: HTTP/1.1, in the clear or over TLS, on connections that are kept or not. Reads what wrk counted; never its
//! rounded text.

use crate::child::{Child, installed};
use crate::load::{Load, openssl_settings};
use crate::workload::{DOMAINS, Exchange, ROUTES_PER_DOMAIN};
use crate::{Failure, interrupt};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Seconds of a closed loop that is to show how many requests a gateway takes.
const CLOSED_LOOP: u32 = 2;
/// How often it is run: other work on the machine only ever makes it less.
const CLOSED_LOOPS: u32 = 3;

/// Before the line of JSON.
const MARK: &str = "RESULT ";

/// The end of every script; runs once, after the load.
const REPORT: &str = r#"
function done(summary, latency, requests)
  io.write(string.format(
    'RESULT {"requests":%d,"microseconds":%d,"p50":%d,"p99":%d,"p999":%d,"connect":%d,"read":%d,"write":%d,"status":%d,"timeout":%d}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), latency:percentile(99.9),
    summary.errors.connect, summary.errors.read, summary.errors.write, summary.errors.status, summary.errors.timeout))
end
"#;

/// An exchange as a load.
pub(crate) struct Wrk {
    program: PathBuf,
    script: PathBuf,
    scheme: &'static str,
    openssl: PathBuf,
    path: String,
    connections: u32,
    /// A thread for each of them.
    cpus: Vec<usize>,
    dir: PathBuf,
}

impl Wrk {
    /// Keeps its script as `<name>.lua` in `dir`.
    pub(crate) fn new(
        name: &str,
        tls: bool,
        exchange: &Exchange,
        connections: u32,
        cpu: usize,
        dir: &Path,
    ) -> Result<Self, Failure> {
        let program = installed("wrk").ok_or("wrk is not installed (Debian: apt install wrk)")?;
        let script = dir.join(format!("{name}.lua"));
        fs::write(&script, lua(exchange)).map_err(|why| format!("{}: {why}", script.display()))?;
        let (path, scheme) = (exchange.path.clone(), if tls { "https" } else { "http" });
        let openssl = openssl_settings(dir)?;
        Ok(Self { program, script, scheme, openssl, path, connections, cpus: vec![cpu], dir: dir.to_owned() })
    }

    /// The same with a thread for each of some CPUs, which the system spreads over them.
    pub(crate) fn on(self, cpus: &[usize]) -> Self {
        Self { cpus: cpus.to_vec(), ..self }
    }

    /// Loads a port for whole seconds; wrk knows no fractions.
    pub(crate) fn run(&self, port: u16, seconds: u32) -> Result<Load, Failure> {
        let mut command = Command::new(&self.program);
        command
            .args(["--latency", "--timeout", "10s"])
            .arg(format!("-t{}", self.cpus.len()))
            .arg(format!("-c{}", self.connections))
            .arg(format!("-d{seconds}s"))
            .arg("-s")
            .arg(&self.script)
            .arg(format!("{}://127.0.0.1:{port}{}", self.scheme, self.path))
            .env("OPENSSL_CONF", &self.openssl);
        let child = Child::start_on("wrk", command, &self.cpus, &self.dir)?;
        let said = child.finish(Duration::from_secs(u64::from(seconds) + 30))?;
        parse(&said).ok_or_else(|| format!("wrk gave no result:\n{said}"))
    }

    /// Requests a second that a port takes at most: the best of three runs.
    pub(crate) fn most(&self, port: u16) -> Result<f64, Failure> {
        (0..CLOSED_LOOPS).try_fold(0.0, |most: f64, _| {
            interrupt::check()?;
            let load = self.run(port, CLOSED_LOOP)?;
            Ok(most.max(load.requests as f64 / load.seconds))
        })
    }
}

/// The script: the request if wrk's own arguments cannot say it, and the result as one line of JSON, which is exact
/// where wrk's own text is rounded.
fn lua(exchange: &Exchange) -> String {
    let fields =
        exchange.header().into_iter().map(|(name, value)| format!("wrk.headers[{name:?}] = {value:?}\n"));
    let body = match exchange.body.len() {
        0 => String::new(),
        length => format!("wrk.body = string.rep(\"x\", {length})\n"),
    };
    // Steps from domain to domain, so that no two requests that follow each other have anything in common. All
    // requests are made before the load begins: while it runs, they are only looked up.
    let routes = if exchange.all_routes {
        format!(
            "local requests, at = {{}}, 0\n\
             function init()\n  for domain = 0, {} do for route = 0, {} do\n\
             \x20   wrk.headers[\"Host\"] = string.format(\"shop-%03d.example\", domain)\n\
             \x20   requests[#requests + 1] = wrk.format(nil, \"/small/\" .. route)\n  end end\nend\n\
             function request()\n  at = (at + 7919) % #requests\n  return requests[at + 1]\nend\n",
            DOMAINS - 1,
            ROUTES_PER_DOMAIN - 1
        )
    } else {
        String::new()
    };
    format!("wrk.method = \"{}\"\n{}{body}{routes}{REPORT}", exchange.method, fields.collect::<String>())
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
        p999: number("p999")? as f64,
        errors,
        late: false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::Workload;

    #[test]
    fn results_are_found_among_what_wrk_says() {
        let said = "Running 3s test\n  50%    1.00ms\nRESULT {\"requests\":9,\"microseconds\":1500000,\"p50\":7,\
                    \"p99\":8,\"p999\":9,\"connect\":1,\"read\":2,\"write\":0,\"status\":0,\"timeout\":3}\n";
        let expected =
            Load { requests: 9, seconds: 1.5, p50: 7.0, p99: 8.0, p999: 9.0, errors: 6, late: false };
        assert_eq!(parse(said), Some(expected));
        for broken in ["", "RESULT {}", "RESULT nonsense", "Requests/sec: 12"] {
            assert_eq!(parse(broken), None, "{broken}");
        }
    }

    #[test]
    fn scripts_ask_what_the_workload_says() {
        for (workload, expected) in [
            (Workload::Post16k, "wrk.body = string.rep(\"x\", 16384)"),
            (Workload::Routes10k, "for domain = 0, 99 do for route = 0, 99 do"),
            (Workload::NewConnections, "wrk.headers[\"Connection\"] = \"close\""),
            (Workload::Jwt, "wrk.headers[\"Cookie\"] = \"theme=dark; session=ey"),
        ] {
            let script = lua(&workload.exchange());
            assert!(script.contains(expected), "{script}");
            assert!(!lua(&Workload::SmallGet.exchange()).contains(expected));
        }
    }
}

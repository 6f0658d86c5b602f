//! Pingora's library in a small main of our own, `perf/pingora`: one thread, kept upstream connections. It has no
//! configuration file; what it is to do stands on its command line.

use crate::Failure;
use crate::setup::Setup;
use crate::workload::{DOMAINS, ROUTES_PER_DOMAIN, Transport, domain};
use std::path::Path;
use std::process::Command;

/// The command that runs it in the foreground; the routes' file is written beside.
pub(crate) fn command(program: &Path, setup: &Setup) -> Result<Command, Failure> {
    let Setup { task, port, upstream, certificate, .. } = setup;
    let mut command = Command::new(program);
    command.arg(format!("127.0.0.1:{port}")).arg(format!("127.0.0.1:{upstream}"));
    match task.transport() {
        Transport::Plain => {}
        Transport::Tls | Transport::Http2 => {
            command.arg(format!("tls={},{}", certificate.chain.display(), certificate.key.display()));
        }
        Transport::Http2Cleartext => {
            command.arg("h2c");
        }
    }
    if let Some(answer) = task.own_answer() {
        command.arg(format!("answer={answer}"));
    }
    if task.many_routes() {
        let routes: String = (0..DOMAINS * ROUTES_PER_DOMAIN)
            .map(|n| format!("{}/small/{}\n", domain(n / ROUTES_PER_DOMAIN), n % ROUTES_PER_DOMAIN))
            .collect();
        command.arg(format!("routes={}", setup.write("routes", &routes)?.display()));
    }
    Ok(command)
}

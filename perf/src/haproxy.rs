//! HAProxy as a proxy with one thread: the same headers, kept and reused upstream connections, no log.

use std::path::Path;
use std::process::Command;

/// Its configuration.
pub(crate) fn config(port: u16, upstream: u16) -> String {
    format!(
        "global\n  nbthread 1\n  maxconn 9000\n  tune.bufsize 32768\n\
         defaults\n  mode http\n  timeout connect 5s\n  timeout client 600s\n  timeout server 600s\n\
         \x20 option forwardfor\n  http-reuse always\n\
         frontend gateway\n  bind 127.0.0.1:{port} backlog 4096\n\
         \x20 http-request set-header X-Forwarded-Host %[req.hdr(host)]\n\
         \x20 http-request set-header X-Forwarded-Proto http\n\
         \x20 http-request set-header X-Real-IP %[src]\n\
         \x20 default_backend origin\n\
         backend origin\n  server origin 127.0.0.1:{upstream} pool-max-conn 4096 pool-purge-delay 600s\n"
    )
}

/// The command that runs it in the foreground, as one process.
pub(crate) fn command(program: &Path, config: &Path) -> Command {
    let mut command = Command::new(program);
    command.arg("-db").arg("-f").arg(config);
    command
}

//! HAProxy as a proxy with one thread: the same headers, kept and reused upstream connections, no log.

use crate::Failure;
use crate::scripts::Script;
use std::fs;
use std::path::Path;
use std::process::Command;

/// What a script adds to a configuration.
#[derive(Debug, Default)]
pub(crate) struct Additions {
    global: String,
    frontend: String,
}

/// What the script of an `haproxy-lua` adds; its file goes into `dir`, which must be there.
pub(crate) fn lua(script: Script, dir: &Path) -> Result<Additions, Failure> {
    let (text, calls) = script.haproxy()?;
    let file = dir.join("script.lua");
    fs::write(&file, text).map_err(|why| format!("{}: {why}", file.display()))?;
    Ok(Additions { global: format!("  lua-load {}\n", file.display()), frontend: format!("  {calls}\n") })
}

/// Whether this HAProxy was built with Lua.
pub(crate) fn has_lua(program: &Path) -> bool {
    let told = Command::new(program).arg("-vv").output();
    told.is_ok_and(|told| String::from_utf8_lossy(&told.stdout).contains("USE_LUA=1"))
}

/// Its configuration.
pub(crate) fn config(port: u16, upstream: u16, added: &Additions) -> String {
    let Additions { global, frontend } = added;
    format!(
        "global\n  nbthread 1\n  maxconn 9000\n  tune.bufsize 32768\n{global}\
         defaults\n  mode http\n  timeout connect 5s\n  timeout client 600s\n  timeout server 600s\n\
         \x20 option forwardfor\n  http-reuse always\n\
         frontend gateway\n  bind 127.0.0.1:{port} backlog 4096\n\
         \x20 http-request set-header X-Forwarded-Host %[req.hdr(host)]\n\
         \x20 http-request set-header X-Forwarded-Proto http\n\
         \x20 http-request set-header X-Real-IP %[src]\n{frontend}\
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

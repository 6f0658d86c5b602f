//! HAProxy as a proxy with one thread: the same headers, kept and reused upstream connections, no log.

use crate::Failure;
use crate::session;
use crate::setup::Setup;
use crate::workload::{DOMAINS, ROUTES_PER_DOMAIN, Transport, domain};
use std::path::Path;
use std::process::Command;

/// Whether this HAProxy was built with Lua.
pub(crate) fn has_lua(program: &Path) -> bool {
    let told = Command::new(program).arg("-vv").output();
    told.is_ok_and(|told| String::from_utf8_lossy(&told.stdout).contains("USE_LUA=1"))
}

/// Its configuration; a script's file and the map of the routes are written beside it.
pub(crate) fn config(setup: &Setup) -> Result<String, Failure> {
    let task = setup.task;
    let (mut global, mut frontend) = (String::new(), String::new());
    if let Some(script) = task.script() {
        let (text, calls) = script.haproxy()?;
        global = format!("  lua-load {}\n", setup.write("script.lua", text)?.display());
        frontend = format!("  {calls}\n");
    }
    let mut backends = vec!["origin"];
    if let Some(answer) = task.own_answer() {
        frontend +=
            &format!("  http-request return status 200 content-type application/json string '{answer}'\n");
    } else if task.many_routes() {
        // A map of exact strings is a tree: its best way to tell many routes apart.
        let line = |domain: &str, n| format!("{domain}/small/{n} origin\n");
        let routes: String = (0..DOMAINS * ROUTES_PER_DOMAIN)
            .map(|n| line(&domain(n / ROUTES_PER_DOMAIN), n % ROUTES_PER_DOMAIN))
            .collect();
        let map = setup.write("routes.map", &routes)?;
        frontend += &format!("  use_backend %[base,map_str({},none)]\n", map.display());
    } else if task.session() {
        frontend += &session::haproxy_frontend();
        backends.extend(session::SERVICES);
    } else {
        frontend += "  default_backend origin\n";
    }
    let scheme = if task.transport().tls() { "https" } else { "http" };
    // As with nginx; but what is small costs a quarter more with large buffers, and a sixteenth more with the default.
    let buffer = if task.large_body() { 73_728 } else { 32_768 };
    let (port, listen, upstream) = (setup.port, listen(setup), setup.upstream);
    let backends: String = backends
        .iter()
        .map(|name| {
            format!("backend {name}\n  server origin 127.0.0.1:{upstream} pool-max-conn 4096 pool-purge-delay 600s\n")
        })
        .collect();
    Ok(format!(
        "global\n  nbthread 1\n  maxconn 9000\n  tune.bufsize {buffer}\n{global}\
         defaults\n  mode http\n  timeout connect 5s\n  timeout client 600s\n  timeout server 600s\n\
         \x20 option forwardfor\n  http-reuse always\n\
         frontend gateway\n  bind 127.0.0.1:{port} backlog 4096{listen}\n\
         \x20 http-request set-header X-Forwarded-Host %[req.hdr(host)]\n\
         \x20 http-request set-header X-Forwarded-Proto {scheme}\n\
         \x20 http-request set-header X-Real-IP %[src]\n{frontend}\
         {backends}backend none\n  http-request return status 404\n"
    ))
}

fn listen(setup: &Setup) -> String {
    let both = setup.certificate.both.display();
    let deferred = if setup.task.new_connections() { " defer-accept" } else { "" };
    match setup.task.transport() {
        Transport::Plain => deferred.into(),
        Transport::Tls => format!("{deferred} ssl crt {both} alpn http/1.1"),
        Transport::Http2 => format!(" ssl crt {both} alpn h2,http/1.1"),
        Transport::Http2Cleartext => " proto h2".into(),
    }
}

/// The command that runs it in the foreground, as one process.
pub(crate) fn command(program: &Path, config: &Path) -> Command {
    let mut command = Command::new(program);
    command.arg("-db").arg("-f").arg(config);
    command
}

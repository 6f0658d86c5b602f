//! nginx as a proxy, tuned as its users would for this job: one worker, kept upstream connections, no log, buffers
//! that hold the workloads' bodies in memory. Also what its two roles, proxy and upstream, have in common.

use crate::Failure;
use crate::scripts::{REQUEST_FIELD, Script};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The part of a configuration that every nginx here needs: one worker, everything in `dir`, nothing logged.
/// `main` goes before everything.
pub(crate) fn frame(dir: &Path, main: &str, http: &str) -> String {
    let dir = dir.display();
    // As root, workers would become another user, who may not read a temporary folder.
    // SAFETY: the call has no arguments and cannot fail.
    let user = if unsafe { libc::geteuid() } == 0 { "user root;\n" } else { "" };
    format!(
        "{main}{user}worker_processes 1;\ndaemon off;\npid {dir}/nginx.pid;\nerror_log {dir}/error.log;\n\
         events {{ worker_connections 16384; }}\nhttp {{\n\
         access_log off;\nserver_tokens off;\nkeepalive_requests 1000000000;\nkeepalive_timeout 600s;\n\
         tcp_nodelay on;\nsendfile on;\ndefault_type application/json;\nclient_body_buffer_size 64k;\n\
         client_body_temp_path {dir}/body;\nproxy_temp_path {dir}/proxy;\nfastcgi_temp_path {dir}/fastcgi;\n\
         uwsgi_temp_path {dir}/uwsgi;\nscgi_temp_path {dir}/scgi;\n{http}}}\n"
    )
}

/// What a script adds to a configuration, by the block it belongs to.
#[derive(Debug, Default)]
pub(crate) struct Additions {
    pub(crate) main: String,
    pub(crate) http: String,
    pub(crate) location: String,
}

/// The proxy's configuration.
pub(crate) fn config(dir: &Path, port: u16, upstream: u16, added: &Additions) -> String {
    let Additions { main, http, location } = added;
    let http = format!(
        "{http}upstream origin {{ server 127.0.0.1:{upstream}; keepalive 4096; keepalive_requests 1000000000; \
         keepalive_timeout 600s; }}\n\
         server {{\nlisten 127.0.0.1:{port} backlog=4096;\nlocation / {{\n\
         proxy_pass http://origin;\nproxy_http_version 1.1;\nproxy_set_header Connection \"\";\n\
         proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;\n\
         proxy_set_header X-Forwarded-Host $http_host;\nproxy_set_header X-Forwarded-Proto $scheme;\n\
         proxy_set_header X-Real-IP $remote_addr;\n\
         proxy_buffer_size 16k;\nproxy_buffers 8 16k;\nproxy_max_temp_file_size 0;\n{location}}}\n}}\n"
    );
    frame(dir, main, &http)
}

/// The command that runs a configuration.
pub(crate) fn command(program: &Path, dir: &Path, config: &Path) -> Command {
    let mut command = Command::new(program);
    command.arg("-p").arg(dir).arg("-c").arg(config).arg("-e").arg(dir.join("error.log"));
    command
}

/// A module's file, if this nginx has it where it looks for modules.
pub(crate) fn module(program: &Path, file: &str) -> Option<PathBuf> {
    // nginx tells on stderr.
    let told = Command::new(program).arg("-V").output().ok()?.stderr;
    let told = String::from_utf8_lossy(&told);
    let option = |name: &str| told.split_whitespace().find_map(|word| word.strip_prefix(name));
    let dir = option("--modules-path=").map(PathBuf::from);
    let dir = dir.or_else(|| Some(Path::new(option("--prefix=")?).join("modules")))?;
    Some(dir.join(file)).filter(|path| path.is_file())
}

/// What the script of an `nginx-njs` adds; its file goes into `dir`, which must be there.
pub(crate) fn njs(module: &Path, script: Script, dir: &Path) -> Result<Additions, Failure> {
    let file = dir.join("script.js");
    fs::write(&file, script.njs()?).map_err(|why| format!("{}: {why}", file.display()))?;
    let made = "js_set $made main.made;\n";
    // An empty value is not sent; it is asked for all the same.
    let set = format!("proxy_set_header {} $made;\n", REQUEST_FIELD.0);
    let (variable, location) = match script {
        Script::Both => (made, format!("{set}js_header_filter main.answered;\n")),
        Script::Json => ("", "js_body_filter main.edit;\n".to_owned()),
        _ => (made, set),
    };
    Ok(Additions {
        main: format!("load_module {};\n", module.display()),
        http: format!("js_import main from {};\n{variable}", file.display()),
        location,
    })
}

/// What the script of an `nginx-lua` adds; its two modules, the toolkit first.
pub(crate) fn lua(modules: &[PathBuf; 2], script: Script) -> Result<Additions, Failure> {
    let (http, location) = script.nginx_lua()?;
    Ok(Additions {
        main: modules.iter().map(|module| format!("load_module {};\n", module.display())).collect(),
        http: format!("{http}\n"),
        location: format!("{location}\n"),
    })
}

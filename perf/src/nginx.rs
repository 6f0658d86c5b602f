//! nginx as a proxy, tuned as its users would for this job: one worker, kept upstream connections, no log, buffers
//! that hold the workloads' bodies in memory. Also what its two roles, proxy and upstream, have in common.

use std::path::Path;
use std::process::Command;

/// The part of a configuration that every nginx here needs: one worker, everything in `dir`, nothing logged.
pub(crate) fn frame(dir: &Path, http: &str) -> String {
    let dir = dir.display();
    // As root, workers would become another user, who may not read a temporary folder.
    // SAFETY: the call has no arguments and cannot fail.
    let user = if unsafe { libc::geteuid() } == 0 { "user root;\n" } else { "" };
    format!(
        "{user}worker_processes 1;\ndaemon off;\npid {dir}/nginx.pid;\nerror_log {dir}/error.log;\n\
         events {{ worker_connections 16384; }}\nhttp {{\n\
         access_log off;\nserver_tokens off;\nkeepalive_requests 1000000000;\nkeepalive_timeout 600s;\n\
         tcp_nodelay on;\nsendfile on;\ndefault_type application/json;\nclient_body_buffer_size 64k;\n\
         client_body_temp_path {dir}/body;\nproxy_temp_path {dir}/proxy;\nfastcgi_temp_path {dir}/fastcgi;\n\
         uwsgi_temp_path {dir}/uwsgi;\nscgi_temp_path {dir}/scgi;\n{http}}}\n"
    )
}

/// The proxy's configuration.
pub(crate) fn config(dir: &Path, port: u16, upstream: u16) -> String {
    let http = format!(
        "upstream origin {{ server 127.0.0.1:{upstream}; keepalive 4096; keepalive_requests 1000000000; \
         keepalive_timeout 600s; }}\n\
         server {{\nlisten 127.0.0.1:{port} backlog=4096;\nlocation / {{\n\
         proxy_pass http://origin;\nproxy_http_version 1.1;\nproxy_set_header Connection \"\";\n\
         proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;\n\
         proxy_set_header X-Forwarded-Host $http_host;\nproxy_set_header X-Forwarded-Proto $scheme;\n\
         proxy_set_header X-Real-IP $remote_addr;\n\
         proxy_buffer_size 16k;\nproxy_buffers 8 16k;\nproxy_max_temp_file_size 0;\n}}\n}}\n"
    );
    frame(dir, &http)
}

/// The command that runs a configuration.
pub(crate) fn command(program: &Path, dir: &Path, config: &Path) -> Command {
    let mut command = Command::new(program);
    command.arg("-p").arg(dir).arg("-c").arg(config).arg("-e").arg(dir.join("error.log"));
    command
}

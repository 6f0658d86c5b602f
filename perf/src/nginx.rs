//! nginx as a proxy, tuned as its users would for this job: one worker, kept upstream connections, no log, buffers
//! that hold the workloads' bodies in memory. Also what its two roles, proxy and upstream, have in common.

use crate::Failure;
use crate::scripts::{REQUEST_FIELD, Script};
use crate::session;
use crate::setup::Setup;
use crate::workload::{DOMAINS, ROUTES_PER_DOMAIN, Transport, domain};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The file of nginx's njs module.
pub(crate) const NJS: &str = "ngx_http_js_module.so";
/// Those of its Lua module, in the order in which they are loaded.
pub(crate) const LUA: [&str; 2] = ["ndk_http_module.so", "ngx_http_lua_module.so"];

/// The part of a configuration that every nginx here needs: everything in `dir`, nothing logged. `main` goes before
/// everything.
pub(crate) fn frame(dir: &Path, workers: usize, main: &str, http: &str) -> String {
    let dir = dir.display();
    // As root, workers would become another user, who may not read a temporary folder.
    // SAFETY: the call has no arguments and cannot fail.
    let user = if unsafe { libc::geteuid() } == 0 { "user root;\n" } else { "" };
    format!(
        "{main}{user}worker_processes {workers};\ndaemon off;\npid {dir}/nginx.pid;\nerror_log {dir}/error.log;\n\
         events {{ worker_connections 16384; }}\nhttp {{\n\
         access_log off;\nserver_tokens off;\nkeepalive_requests 1000000000;\nkeepalive_timeout 600s;\n\
         tcp_nodelay on;\nsendfile on;\ndefault_type application/json;\nclient_body_buffer_size 64k;\n\
         client_body_temp_path {dir}/body;\nproxy_temp_path {dir}/proxy;\nfastcgi_temp_path {dir}/fastcgi;\n\
         uwsgi_temp_path {dir}/uwsgi;\nscgi_temp_path {dir}/scgi;\n{http}}}\n"
    )
}

/// Which language the scripts are in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    /// None: no module is loaded.
    Nothing,
    Njs,
    Lua,
}

/// What a script adds to a configuration, by the block it belongs to.
#[derive(Debug, Default)]
struct Additions {
    main: String,
    http: String,
    location: String,
}

const PROXY: &str = "proxy_pass http://origin;\nproxy_http_version 1.1;\nproxy_set_header Connection \"\";\n\
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;\n\
    proxy_set_header X-Forwarded-Host $http_host;\nproxy_set_header X-Forwarded-Proto $scheme;\n\
    proxy_set_header X-Real-IP $remote_addr;\n\
    proxy_max_temp_file_size 0;\n";

/// The proxy's configuration.
pub(crate) fn config(program: &Path, language: Language, setup: &Setup) -> Result<String, Failure> {
    let task = setup.task;
    let module = |file: &str| {
        module(program, file).ok_or_else(|| format!("{} has no module {file}", program.display()))
    };
    let Additions { main, http, location } = match (language, task.script()) {
        (Language::Njs, Some(script)) => njs(&module(NJS)?, script, setup)?,
        (Language::Lua, Some(script)) => lua(&[module(LUA[0])?, module(LUA[1])?], script)?,
        (Language::Njs, None) if task.session() => {
            let file = setup.write("session.js", &session::njs())?;
            Additions {
                main: format!("load_module {};\n", module(NJS)?.display()),
                http: format!("js_import main from {};\njs_set $user main.user;\n", file.display()),
                location: String::new(),
            }
        }
        _ => Additions::default(),
    };
    let listen = listen(setup);
    // A body that one buffer holds is read and written at once: a fifth less CPU for 64 KiB. Small ones do not care.
    let buffer = if task.large_body() { "72k" } else { "16k" };
    let proxy = format!("{PROXY}proxy_buffer_size {buffer};\nproxy_buffers 8 {buffer};\n{location}");
    let servers = match (task.own_answer(), task.many_routes()) {
        (Some(answer), _) => format!("server {{\n{listen}location / {{ return 200 '{answer}'; }}\n}}\n"),
        // As a user of nginx would write them: exact locations are a tree that is searched without a regex.
        (None, true) => (0..DOMAINS).map(|n| domain_server(&listen, &domain(n))).collect(),
        (None, false) if task.session() => {
            format!("server {{\n{listen}{}}}\n", session::nginx_locations(&proxy))
        }
        (None, false) => format!("server {{\n{listen}location / {{\n{proxy}}}\n}}\n"),
    };
    let http = format!(
        "{http}upstream origin {{ server 127.0.0.1:{}; keepalive 4096; keepalive_requests 1000000000; \
         keepalive_timeout 600s; }}\nserver_names_hash_max_size 4096;\n{servers}",
        setup.upstream
    );
    Ok(frame(setup.dir, 1, &main, &http))
}

fn listen(setup: &Setup) -> String {
    let port = setup.port;
    // Only one server of an address may say so; workloads with many servers keep their connections.
    let deferred = if setup.task.new_connections() { " deferred" } else { "" };
    let extra = match setup.task.transport() {
        Transport::Plain => return format!("listen 127.0.0.1:{port} backlog=4096{deferred};\n"),
        Transport::Tls => "ssl",
        Transport::Http2 => "ssl http2",
        Transport::Http2Cleartext => return format!("listen 127.0.0.1:{port} http2 backlog=4096;\n"),
    };
    format!(
        "listen 127.0.0.1:{port} {extra} backlog=4096{deferred};\nssl_certificate {};\nssl_certificate_key {};\n\
         ssl_protocols TLSv1.2 TLSv1.3;\n",
        setup.certificate.chain.display(),
        setup.certificate.key.display()
    )
}

fn domain_server(listen: &str, name: &str) -> String {
    // Only one of the servers of an address may give its options.
    let listen = if name == domain(0) { listen.to_owned() } else { listen.replace(" backlog=4096", "") };
    let inherited: String = PROXY.lines().filter(|line| !line.starts_with("proxy_pass")).collect();
    let routes: String = (0..ROUTES_PER_DOMAIN)
        .map(|n| format!("location = /small/{n} {{ proxy_pass http://origin; }}\n"))
        .collect();
    format!("server {{\n{listen}server_name {name};\n{inherited}\n{routes}}}\n")
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

/// What the script of an `nginx-njs` adds.
fn njs(module: &Path, script: Script, setup: &Setup) -> Result<Additions, Failure> {
    let file = setup.write("script.js", script.njs()?)?;
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
fn lua(modules: &[PathBuf; 2], script: Script) -> Result<Additions, Failure> {
    let (http, location) = script.nginx_lua()?;
    Ok(Additions {
        main: modules.iter().map(|module| format!("load_module {};\n", module.display())).collect(),
        http: format!("{http}\n"),
        location: format!("{location}\n"),
    })
}

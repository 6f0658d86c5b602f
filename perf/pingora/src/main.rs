//! Pingora's library as a peer of the comparison, as a user of it would start it: `LISTEN UPSTREAM [tls=CERT,KEY] [h2c]
//! [answer=TEXT] [routes=FILE]`. What is done for a request is in `proxy`.

mod proxy;

use pingora::prelude::*;
use pingora::server::configuration::ServerConf;
use pingora::{apps::HttpServerOptions, listeners::tls::TlsSettings};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|first| first == "--version") {
        return println!("pingora {}", env!("CARGO_PKG_VERSION"));
    }
    let option = |name: &str| arguments.iter().find_map(|argument| argument.strip_prefix(name));
    let tls = option("tls=").map(|files| files.split_once(',').expect("tls=CERT,KEY"));
    let routes = option("routes=").map(|file| std::fs::read_to_string(file).expect("a file of routes"));
    let proxy = proxy::Proxy {
        upstream: arguments[1].parse().expect("LISTEN UPSTREAM"),
        scheme: if tls.is_some() { "https" } else { "http" },
        answer: option("answer=").map(|text| bytes::Bytes::copy_from_slice(text.as_bytes())),
        routes: routes.map(|text| text.lines().map(str::to_owned).collect()),
    };
    let conf = ServerConf {
        threads: 1,
        work_stealing: false,
        upstream_keepalive_pool_size: 4096,
        grace_period_seconds: Some(0),
        graceful_shutdown_timeout_seconds: Some(0),
        ..Default::default()
    };
    let mut server = Server::new_with_opt_and_conf(None, conf);
    server.bootstrap();
    let mut service = http_proxy_service(&server.configuration, proxy);
    if arguments.iter().any(|argument| argument == "h2c") {
        let mut options = HttpServerOptions::default();
        options.h2c = true;
        service.app_logic_mut().expect("an application").server_options = Some(options);
    }
    if let Some((certificate, key)) = tls {
        let mut settings = TlsSettings::intermediate(certificate, key).expect("a certificate and its key");
        settings.enable_h2();
        service.add_tls_with_settings(&arguments[0], None, settings);
    } else {
        service.add_tcp(&arguments[0]);
    }
    server.add_service(service);
    server.run_forever();
}

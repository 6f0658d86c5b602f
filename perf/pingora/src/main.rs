//! Pingora's library as a proxy for the comparison: what a user of it would write, and no more. Started as
//! `LISTEN UPSTREAM [tls=CERT,KEY] [h2c] [answer=TEXT] [routes=FILE]`; must never do less for a request than the other
//! peers are configured for.

use async_trait::async_trait;
use pingora::prelude::*;
use pingora::{
    apps::HttpServerOptions, http::ResponseHeader, listeners::tls::TlsSettings,
    server::configuration::ServerConf,
};
use std::collections::HashSet;

struct Proxy {
    upstream: std::net::SocketAddr,
    scheme: &'static str,
    /// Answered here, without an upstream.
    answer: Option<bytes::Bytes>,
    /// `HOST/PATH` of every route; with none, everything is proxied.
    routes: Option<HashSet<String>>,
}

#[async_trait]
impl ProxyHttp for Proxy {
    type CTX = ();
    fn new_ctx(&self) {}

    async fn request_filter(&self, session: &mut Session, _: &mut ()) -> Result<bool> {
        if let Some(routes) = &self.routes {
            let request = session.req_header();
            let host = request.headers.get("host").and_then(|host| host.to_str().ok()).unwrap_or_default();
            if !routes.contains(&[host, request.uri.path()].concat()) {
                return session.respond_error(404).await.map(|()| true);
            }
        }
        let Some(answer) = &self.answer else { return Ok(false) };
        let mut head = ResponseHeader::build(200, Some(2))?;
        head.insert_header("Content-Type", "application/json")?;
        head.insert_header("Content-Length", answer.len())?;
        session.write_response_header(Box::new(head), false).await?;
        session.write_response_body(Some(answer.clone()), true).await?;
        Ok(true)
    }

    async fn upstream_peer(&self, _: &mut Session, _: &mut ()) -> Result<Box<HttpPeer>> {
        Ok(Box::new(HttpPeer::new(self.upstream, false, String::new())))
    }

    async fn upstream_request_filter(
        &self,
        session: &mut Session,
        request: &mut RequestHeader,
        _: &mut (),
    ) -> Result<()> {
        let client = session
            .client_addr()
            .and_then(|address| address.as_inet())
            .map(|address| address.ip().to_string());
        let client = client.unwrap_or_default();
        let host = session.req_header().headers.get("host").cloned();
        // In HTTP/2 the name stands in `:authority`; the upstream speaks HTTP/1.1 and wants it in `Host`.
        let host = host.or_else(|| session.req_header().uri.authority()?.as_str().parse().ok());
        if let Some(host) = host {
            request.insert_header("X-Forwarded-Host", &host)?;
            request.insert_header("Host", host)?;
        }
        request.append_header("X-Forwarded-For", &client)?;
        request.insert_header("X-Forwarded-Proto", self.scheme)?;
        request.insert_header("X-Real-IP", client)
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|first| first == "--version") {
        return println!("pingora {}", env!("CARGO_PKG_VERSION"));
    }
    let option = |name: &str| arguments.iter().find_map(|argument| argument.strip_prefix(name));
    let tls = option("tls=").map(|files| files.split_once(',').expect("tls=CERT,KEY"));
    let routes = option("routes=").map(|file| std::fs::read_to_string(file).expect("a file of routes"));
    let proxy = Proxy {
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
    match tls {
        None => service.add_tcp(&arguments[0]),
        Some((certificate, key)) => {
            let mut settings =
                TlsSettings::intermediate(certificate, key).expect("a certificate and its key");
            settings.enable_h2();
            service.add_tls_with_settings(&arguments[0], None, settings);
        }
    }
    server.add_service(service);
    server.run_forever();
}

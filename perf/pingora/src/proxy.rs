//! What Pingora does for a request: finds the route, answers or proxies, and tells the service who asked. Must never do
//! less than the other peers are configured for.

use async_trait::async_trait;
use pingora::http::ResponseHeader;
use pingora::prelude::*;
use std::collections::HashSet;

pub struct Proxy {
    pub upstream: std::net::SocketAddr,
    pub scheme: &'static str,
    /// Answered here, without an upstream.
    pub answer: Option<bytes::Bytes>,
    /// `HOST/PATH` of every route; with none, everything is proxied.
    pub routes: Option<HashSet<String>>,
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
        from: &mut Session,
        to: &mut RequestHeader,
        _: &mut (),
    ) -> Result<()> {
        let client = from.client_addr().and_then(|address| address.as_inet());
        let client = client.map(|address| address.ip().to_string()).unwrap_or_default();
        let host = from.req_header().headers.get("host").cloned();
        // In HTTP/2 the name stands in `:authority`; the upstream speaks HTTP/1.1 and wants it in `Host`.
        if let Some(host) = host.or_else(|| from.req_header().uri.authority()?.as_str().parse().ok()) {
            to.insert_header("X-Forwarded-Host", &host)?;
            to.insert_header("Host", host)?;
        }
        to.append_header("X-Forwarded-For", &client)?;
        to.insert_header("X-Forwarded-Proto", self.scheme)?;
        to.insert_header("X-Real-IP", client)
    }
}

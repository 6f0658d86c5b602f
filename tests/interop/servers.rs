//! Upstreams: nginx, Python's http.server in both versions of HTTP, and Node's http with everything it can do.

use super::harness::{Config, Gateway};
use super::tool::{Server, has, python};
use std::fs;

fn before(server: &Server) -> Gateway {
    Gateway::start("auto", &Config::new().serve("a", server.url()), &[])
}

#[test]
fn nginx() {
    if !has("nginx", &["-v"]) {
        return;
    }
    let dir = tempfile::tempdir().expect("a folder");
    let path = |name: &str| dir.path().join(name).display().to_string();
    fs::create_dir_all(path("a")).expect("a folder");
    let big: String = (0..40_000).map(|n| format!("{n:07}\n")).collect();
    fs::write(path("a/big.txt"), &big).expect("written");
    let server = Server::start("nginx", |port| {
        let here = path("");
        let config = format!(
            "daemon off; master_process off; pid {here}pid; error_log {here}error.log;
             events {{ worker_connections 64; }}
             http {{
               access_log off; default_type text/plain; gzip on; gzip_min_length 1; gzip_types text/plain; gzip_proxied any;
               client_body_temp_path {here}body; proxy_temp_path {here}proxy; fastcgi_temp_path {here}fastcgi;
               uwsgi_temp_path {here}uwsgi; scgi_temp_path {here}scgi;
               server {{
                 listen 127.0.0.1:{port}; root {here};
                 location = /a/length {{ return 200 \"$request_length $content_length $http_x_forwarded_for\\n\"; }}
                 location = /a/none {{ return 204; }}
                 location = /a/moved {{ return 301 /elsewhere; }}
               }}
             }}"
        );
        fs::write(path("nginx.conf"), config).expect("written");
        vec!["-c".into(), path("nginx.conf"), "-p".into(), path("")]
    });
    let gateway = before(&server);
    let mut client = gateway.connect();
    for _ in 0..3 {
        assert_eq!(client.get("/a/big.txt").text(), big);
        // gzip makes it chunks of an unknown length. nginx does it for what has a Via only if it is told to.
        let zipped = client.ask("GET /a/big.txt HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip\r\n\r\n");
        assert_eq!((zipped.framing, zipped.get("content-encoding")), ("chunked", Some("gzip")));
        assert!(zipped.body.starts_with(&[0x1f, 0x8b]));
        let head = client.ask("HEAD /a/big.txt HTTP/1.1\r\nHost: h\r\n\r\n");
        assert_eq!(head.get("content-length"), Some(big.len().to_string().as_str()));
        let tag = head.get("etag").expect("a tag").to_string();
        let same = client.ask(format!("GET /a/big.txt HTTP/1.1\r\nHost: h\r\nIf-None-Match: {tag}\r\n\r\n"));
        assert_eq!(same.status(), 304);
        let part = client.ask("GET /a/big.txt HTTP/1.1\r\nHost: h\r\nRange: bytes=8-14\r\n\r\n");
        assert_eq!((part.status(), part.text().as_str()), (206, "0000001"));
        assert_eq!(client.get("/a/none").status(), 204);
        assert!(client.get("/a/moved").get("location").is_some_and(|to| to.ends_with("/elsewhere")));
        let posted = client.ask("POST /a/length HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello");
        assert!(posted.text().trim_end().ends_with("5 127.0.0.1"), "{}", posted.text());
        let chunks =
            "POST /a/length HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
        assert_eq!(client.ask(chunks).status(), 200);
    }
    assert_eq!(gateway.metric("tidegate_faults_total", ""), 0);
}

/// An echo in http.server; the second argument is the version it speaks.
const HTTP_SERVER: &str = r#"
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
class Echo(BaseHTTPRequestHandler):
    protocol_version = sys.argv[2]
    def do_GET(self):
        length = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(length) + b"!"
        self.send_response(200)
        if "close" not in self.path:
            self.send_header("Content-Length", str(len(body)))
        else:
            self.close_connection = True
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
    do_POST = do_PUT = do_HEAD = do_GET
ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Echo).serve_forever()
"#;

#[test]
fn python_http_server() {
    let Some(python) = python() else { return };
    for version in ["HTTP/1.0", "HTTP/1.1"] {
        let server = Server::start(&python, |port| {
            ["-c", HTTP_SERVER, &port.to_string(), version].map(str::to_string).to_vec()
        });
        let gateway = before(&server);
        let mut client = gateway.connect();
        for _ in 0..3 {
            assert_eq!(client.get("/a").text(), "!", "{version}");
            let posted = client.ask("POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello");
            assert_eq!(posted.text(), "hello!", "{version}");
            client.send("PUT /a HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
            assert_eq!(client.head().status(), 100, "{version}");
            client.send("hello");
            assert_eq!(client.response().text(), "hello!", "{version}");
            let head = client.ask("HEAD /a HTTP/1.1\r\nHost: h\r\n\r\n");
            assert_eq!(head.get("content-length"), Some("1"), "{version}");
            let closed = client.get("/a/close");
            assert_eq!((closed.text().as_str(), closed.framing), ("!", "chunked"), "{version}");
        }
        assert_eq!(gateway.metric("tidegate_faults_total", ""), 0);
    }
}

/// An echo in Node with chunks, trailers and an interim response.
const NODE: &str = r#"
require('http').createServer((q, r) => {
  const pieces = [];
  q.on('data', d => pieces.push(d));
  q.on('end', () => {
    const body = Buffer.concat(pieces).toString();
    if (q.url === '/a/hints') r.writeEarlyHints({ link: '</a.css>; rel=preload' });
    if (q.url === '/a/trailers') {
      r.writeHead(200, { Trailer: 'X-Sum' });
      r.write('some ');
      r.addTrailers({ 'X-Sum': String(q.trailers['x-sum']) });
      return r.end('more');
    }
    if (q.url === '/a/chunks') { r.write(body.slice(0, 2)); return r.end(body.slice(2)); }
    r.end(body + (q.headers['content-length'] || q.headers['transfer-encoding'] || 'none'));
  });
}).listen(+process.argv[1], '127.0.0.1');
"#;

#[test]
fn node_http_server() {
    if !has("node", &["--version"]) {
        return;
    }
    let server = Server::start("node", |port| vec!["-e".into(), NODE.into(), port.to_string()]);
    let gateway = before(&server);
    let mut client = gateway.connect();
    for _ in 0..3 {
        assert_eq!(client.get("/a").text(), "none");
        let posted = client.ask("POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello");
        assert_eq!(posted.text(), "hello5");
        let chunks =
            "POST /a/chunks HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
        let answer = client.ask(chunks);
        assert_eq!((answer.text().as_str(), answer.framing), ("hello", "chunked"));
        let trailers = "POST /a/trailers HTTP/1.1\r\nHost: h\r\nTE: trailers\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-Sum: 9\r\n\r\n";
        let answer = client.ask(trailers);
        assert_eq!(answer.text(), "some more");
        assert_eq!(answer.trailers, [("X-Sum".to_string(), "9".to_string())]);
        client.send("GET /a/hints HTTP/1.1\r\nHost: h\r\n\r\n");
        assert_eq!(client.head().status(), 103);
        assert_eq!(client.response().text(), "none");
        assert_eq!(client.ask("HEAD /a HTTP/1.1\r\nHost: h\r\n\r\n").status(), 200);
    }
    assert_eq!(gateway.metric("tidegate_faults_total", ""), 0);
}

//! Clients: curl, Python's http.client and requests, Node's fetch and http, and wrk, against an upstream that answers by
//! every framing.

use super::harness::{Config, Gateway, Upstream, chunked, ok};
use super::tool::{has, python, run};

/// `/echo` repeats the body, `/chunks` answers in chunks with a trailer, `/close` until the end of the connection.
fn upstream() -> Upstream {
    Upstream::new(|visit| {
        loop {
            let request = visit.request()?;
            match request.target() {
                "/a/chunks" => visit.write(format!(
                    "HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n{}",
                    chunked(&["one ", "two"], &["X-Sum: 7"])
                ))?,
                "/a/close" => return visit.write("HTTP/1.1 200 OK\r\n\r\ntill the end"),
                _ if request.method() == "HEAD" => {
                    visit.write("HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n")?;
                }
                "/a/none" => visit.write("HTTP/1.1 204 No Content\r\n\r\n")?,
                _ => visit.write(ok(&format!("{}:{}", request.framing, request.text())))?,
            }
        }
    })
}

fn gateway() -> (Upstream, Gateway) {
    let upstream = upstream();
    let gateway = Gateway::start("auto", &Config::new().serve("a", upstream.url()), &["--shards", "2"]);
    (upstream, gateway)
}

#[test]
fn curl() {
    if !has("curl", &["--version"]) {
        return;
    }
    let (_upstream, gateway) = gateway();
    let url = |path: &str| format!("http://{}{path}", gateway.proxy);
    let curl =
        |arguments: &[&str]| run("curl", &[&["-sS", "--fail", "--max-time", "15"], arguments].concat());
    assert_eq!(curl(&[&url("/a/echo"), "-d", "hello"]), "length:hello");
    assert_eq!(curl(&[&url("/a/echo"), "-d", "hello", "-H", "Transfer-Encoding: chunked"]), "chunked:hello");
    assert_eq!(curl(&[&url("/a/echo"), "-d", "hello", "-H", "Expect: 100-continue"]), "length:hello");
    assert_eq!(curl(&["--http1.0", &url("/a/echo"), "-d", "hello"]), "length:hello");
    assert_eq!(curl(&[&url("/a/chunks")]), "one two");
    assert_eq!(curl(&["--http1.0", &url("/a/chunks")]), "one two");
    assert_eq!(curl(&[&url("/a/close")]), "till the end");
    assert_eq!(curl(&[&url("/a/none"), "-w", "%{http_code}"]), "204");
    assert!(curl(&["-I", &url("/a/echo")]).contains("Content-Length: 1234"));
    // curl offers an upgrade to h2c, which is not granted.
    assert_eq!(curl(&["--http2", &url("/a/echo")]), "none:");
    // Several on one connection: all but the first say that it was kept.
    let all = [url("/a/echo"), url("/a/chunks"), url("/a/echo")];
    let kept = curl(&["-w", " %{num_connects};", &all[0], &all[1], &all[2]]);
    assert_eq!(kept, "none: 1;one two 0;none: 0;");
    let trailers = curl(&["-i", &url("/a/chunks")]);
    assert!(trailers.contains("X-Sum: 7"), "{trailers}");
}

/// With `PORT` set: asserts the same with http.client.
const HTTP_CLIENT: &str = r#"
import http.client, sys
c = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=15)
def ask(method, path, want, body=None, headers={}, chunked=False):
    c.request(method, path, body=body, headers=headers, encode_chunked=chunked)
    r = c.getresponse()
    got = r.read()
    assert got == want, (method, path, got)
    return r
for n in range(3):
    ask("GET", "/a/echo", b"none:")
    sock = c.sock
    ask("POST", "/a/echo", b"length:hello", b"hello")
    ask("POST", "/a/echo", b"chunked:onetwo", iter([b"one", b"two"]), {"Transfer-Encoding": "chunked"}, True)
    ask("GET", "/a/chunks", b"one two")
    ask("HEAD", "/a/echo", b"")
    ask("GET", "/a/none", b"")
    ask("GET", "/a/close", b"till the end")
    assert c.sock is sock, "the connection was not kept"
c.close()
c._http_vsn, c._http_vsn_str = 10, "HTTP/1.0"
ask("GET", "/a/chunks", b"one two")
print("good")
"#;

/// The same with requests.
const REQUESTS: &str = r#"
import requests, sys
base = f"http://127.0.0.1:{sys.argv[1]}"
s = requests.Session()
s.trust_env = False
for n in range(3):
    assert s.get(base + "/a/echo", timeout=15).text == "none:"
    assert s.post(base + "/a/echo", data=b"hello", timeout=15).text == "length:hello"
    assert s.post(base + "/a/echo", data=iter([b"one", b"two"]), timeout=15).text == "chunked:onetwo"
    assert s.get(base + "/a/chunks", timeout=15).text == "one two"
    assert s.get(base + "/a/close", timeout=15).text == "till the end"
    assert s.head(base + "/a/echo", timeout=15).headers["Content-Length"] == "1234"
    assert s.get(base + "/a/none", timeout=15).status_code == 204
print("good")
"#;

#[test]
fn python_clients() {
    let Some(python) = python() else { return };
    let (upstream, gateway) = gateway();
    let port = gateway.proxy.port().to_string();
    assert_eq!(run(&python, &["-c", HTTP_CLIENT, &port]), "good\n");
    assert!(upstream.requests().len() > 20);
    if has(&python, &["-c", "import requests; print('requests', requests.__version__)"]) {
        assert_eq!(run(&python, &["-c", REQUESTS, &port]), "good\n");
    }
}

/// The same with Node: fetch, and http with an agent that keeps connections, trailers and `Expect`.
const NODE: &str = r#"
const http = require('http'), assert = require('assert');
const port = +process.argv[1], base = `http://127.0.0.1:${port}`;
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
const ask = (options, body) => new Promise((done, fail) => {
  const q = http.request({ port, host: '127.0.0.1', agent, ...options }, r => {
    let text = '';
    r.setEncoding('utf8');
    r.on('data', d => text += d);
    r.on('end', () => done({ status: r.statusCode, text, trailers: r.trailers, reused: q.reusedSocket, hints: q.hints }));
    r.on('error', fail);
  });
  q.on('error', fail);
  if (options.headers && options.headers.Expect) q.on('continue', () => q.end(body));
  else if (Array.isArray(body)) { for (const piece of body) q.write(piece); q.addTrailers && q.end(); }
  else q.end(body);
});
(async () => {
  for (let n = 0; n < 3; n++) {
    assert.equal(await (await fetch(base + '/a/echo')).text(), 'none:');
    assert.equal(await (await fetch(base + '/a/echo', { method: 'POST', body: 'hello' })).text(), 'length:hello');
    assert.equal(await (await fetch(base + '/a/chunks')).text(), 'one two');
    assert.equal(await (await fetch(base + '/a/close')).text(), 'till the end');
    assert.equal((await fetch(base + '/a/echo', { method: 'HEAD' })).headers.get('content-length'), '1234');
    assert.equal((await fetch(base + '/a/none')).status, 204);
    const one = await ask({ path: '/a/echo', method: 'POST' }, ['one', 'two']);
    assert.equal(one.text, 'chunked:onetwo');
    const two = await ask({ path: '/a/chunks' });
    assert.equal(two.text, 'one two');
    assert.equal(two.trailers['x-sum'], '7');
    assert.equal(two.reused, true);
    const three = await ask({ path: '/a/echo', method: 'POST', headers: { Expect: '100-continue', 'Content-Length': 5 } }, 'hello');
    assert.equal(three.text, 'length:hello');
  }
  console.log('good');
  process.exit(0);
})().catch(error => { console.error(error); process.exit(1); });
"#;

#[test]
fn node_clients() {
    if !has("node", &["--version"]) {
        return;
    }
    let (_upstream, gateway) = gateway();
    assert_eq!(run("node", &["-e", NODE, &gateway.proxy.port().to_string()]), "good\n");
}

#[test]
fn wrk() {
    if !has("wrk", &["--version"]) {
        return;
    }
    let (upstream, gateway) = gateway();
    let report = run("wrk", &["-t1", "-c16", "-d1s", &format!("http://{}/a/echo", gateway.proxy)]);
    assert!(!report.contains("Socket errors") && !report.contains("Non-2xx"), "{report}");
    assert!(upstream.requests().len() > 100, "{report}");
    // It keeps its connections, and so does the gateway: at most one for each of the client's, and few more.
    assert!(upstream.connections() <= 40, "{} connections", upstream.connections());
}

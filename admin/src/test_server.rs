//! The echo server of the configuration: answers any request with what it received, as DGate's does, so that routes and
//! modules can be tried without an upstream. It runs on a thread of its own and knows nothing of the gateway.

use crate::resource::Timespan;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, Query, Request, State};
use axum::response::Response;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde_json::{Map, Value, json};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::oneshot;

/// Largest body that is read and repeated, bytes.
const MAX_BODY: usize = 16 << 20;
/// Longest `wait`.
const MAX_WAIT: Duration = Duration::from_secs(300);
/// How long open requests may take to end.
const ENDS_WITHIN: Duration = Duration::from_millis(200);

/// How the echo server answers.
#[derive(Debug, Clone, Default)]
pub struct TestServer {
    /// Fields of every answer: name, value. What is no header field is left out.
    pub global_headers: Vec<(String, String)>,
}

/// A running echo server; dropping it stops it.
#[derive(Debug)]
pub struct TestServerHandle {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl TestServerHandle {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for TestServerHandle {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the test server's thread panicked");
        }
    }
}

/// Starts the echo server on a listener.
pub fn test_server(listener: TcpListener, settings: TestServer) -> io::Result<TestServerHandle> {
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (stop, stopped) = oneshot::channel::<()>();
    let thread = std::thread::Builder::new().name("test-server".into()).spawn(move || {
        runtime.block_on(async move {
            let listener = match tokio::net::TcpListener::from_std(listener) {
                Ok(listener) => listener,
                Err(e) => return tracing::error!(error = %e, "the test server cannot listen"),
            };
            let app = Router::new().fallback(echo).with_state(Arc::new(settings));
            let serve = axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>());
            tokio::select! {
                _ = serve.into_future() => {}
                _ = stopped => {}
            }
        });
        runtime.shutdown_timeout(ENDS_WITHIN);
    })?;
    Ok(TestServerHandle { address, stop: Some(stop), thread: Some(thread) })
}

async fn echo(
    State(settings): State<Arc<TestServer>>,
    ConnectInfo(client): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let query = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri).map_or_else(|_| Vec::new(), |q| q.0);
    let wait = query.iter().find(|(name, _)| name == "wait").map(|(_, text)| text.parse::<Timespan>());
    let waited = match wait {
        Some(Ok(wait)) if wait.0 <= MAX_WAIT => {
            tokio::time::sleep(wait.0).await;
            Some(wait)
        }
        Some(_) => {
            let why = format!("'wait' is a duration such as 30ms, at most {} s", MAX_WAIT.as_secs());
            return answer(&settings, StatusCode::BAD_REQUEST, &json!({ "error": why }));
        }
        None => None,
    };
    let Ok(body) = to_bytes(body, MAX_BODY).await else {
        let why = format!("the body is larger than {MAX_BODY} bytes");
        return answer(&settings, StatusCode::PAYLOAD_TOO_LARGE, &json!({ "error": why }));
    };
    let headers = headers_of(&parts.headers);
    let host = parts.headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let mut data = json!({
        "method": parts.method.as_str(),
        "path": parts.uri.path(),
        "url": parts.uri.to_string(),
        "query": lists(query.iter().map(|(name, value)| (name.clone(), value.clone()))),
        "headers": headers,
        "req_headers": headers,
        "body": String::from_utf8_lossy(&body),
        "host": host.unwrap_or_default(),
        "remote_addr": client.to_string(),
        "protocol": format!("{:?}", parts.version),
        "global_headers": settings.global_headers.iter().cloned().map(pair).collect::<Map<_, _>>(),
    });
    if let Some(waited) = waited {
        data["waited"] = waited.to_string().into();
    }
    answer(&settings, StatusCode::OK, &json!({ "status_code": 200, "data": data }))
}

fn pair((name, value): (String, String)) -> (String, Value) {
    (name, value.into())
}

/// Names to lists of values, as Go prints them.
fn lists(pairs: impl Iterator<Item = (String, String)>) -> Map<String, Value> {
    let mut map = Map::new();
    for (name, value) in pairs {
        let list = map.entry(name).or_insert_with(|| Value::Array(Vec::new()));
        list.as_array_mut().expect("only lists are put in").push(value.into());
    }
    map
}

/// Fields under the names that Go would give them, `X-Real-Ip`.
fn headers_of(headers: &HeaderMap) -> Map<String, Value> {
    lists(headers.iter().map(|(name, value)| {
        let words = name.as_str().split('-').map(|word| {
            let (first, rest) = word.split_at(word.len().min(1));
            first.to_ascii_uppercase() + rest
        });
        (words.collect::<Vec<_>>().join("-"), String::from_utf8_lossy(value.as_bytes()).into_owned())
    }))
}

fn answer(settings: &TestServer, status: StatusCode, body: &Value) -> Response {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    for (name, value) in &settings.global_headers {
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value))
        {
            headers.insert(name, value);
        }
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::TcpStream;

    /// Status line with fields, and the body as JSON.
    fn call(server: &TestServerHandle, request: &str) -> (String, Value) {
        let mut stream = TcpStream::connect(server.address()).expect("connects");
        stream.write_all(request.as_bytes()).expect("sends");
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("answers");
        let (head, body) = text.split_once("\r\n\r\n").expect("head");
        (head.to_owned(), serde_json::from_str(body).expect("JSON"))
    }

    fn server() -> TestServerHandle {
        let listener = TcpListener::bind("127.0.0.1:0").expect("port");
        test_server(listener, TestServer { global_headers: vec![("X-Echo".into(), "yes".into())] })
            .expect("starts")
    }

    #[test]
    fn it_repeats_what_it_got() {
        let server = server();
        let (head, body) = call(
            &server,
            "PURGE /a/b?x=1&x=2&y= HTTP/1.1\r\nHost: h:1\r\nX-REAL-ip: 1.2.3.4\r\nConnection: close\r\n\
             Content-Length: 3\r\n\r\nabc",
        );
        assert!(head.starts_with("HTTP/1.1 200") && head.contains("x-echo: yes"), "{head}");
        let data = &body["data"];
        for (name, expected) in [
            ("method", json!("PURGE")),
            ("path", json!("/a/b")),
            ("query", json!({"x": ["1", "2"], "y": [""]})),
            ("body", json!("abc")),
            ("host", json!("h:1")),
            ("global_headers", json!({"X-Echo": "yes"})),
        ] {
            assert_eq!(data[name], expected, "{name}");
        }
        assert_eq!(data["headers"]["X-Real-Ip"], json!(["1.2.3.4"]));
        assert_eq!(data["headers"], data["req_headers"]);
        assert!(data["remote_addr"].as_str().is_some_and(|a| a.starts_with("127.0.0.1:")));
    }

    #[test]
    fn it_waits_as_long_as_it_is_asked_to() {
        let server = server();
        let start = std::time::Instant::now();
        let (_, body) = call(&server, "GET /?wait=30ms HTTP/1.0\r\n\r\n");
        assert!(start.elapsed() >= Duration::from_millis(30));
        assert_eq!(body["data"]["waited"], "30ms");
        let (head, _) = call(&server, "GET /?wait=soon HTTP/1.0\r\n\r\n");
        assert!(head.contains("400"), "{head}");
    }
}

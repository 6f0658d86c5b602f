//! `fetch` over https against a real server: an authority from `--fetch-ca-file` is trusted, nobody else is, and
//! connections are kept. What ends a fetch from outside ends its connection too.

use crate::Stage;
use crate::harness::{DEADLINE, Upstream, never_answers, ok, until};
use crate::operator::Json as _;
use crate::operator::node::Plan;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::json;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// An authority's certificate as PEM, and a server that it vouches for under `localhost`.
fn secure() -> (String, Arc<ServerConfig>) {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority =
        CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("an authority");
    let key = KeyPair::generate().expect("a key");
    let names = CertificateParams::new(["localhost".to_owned()]).expect("names");
    let certificate = names.signed_by(&key, &authority).expect("a certificate");
    let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .expect("a certificate and its key");
    (authority.pem(), Arc::new(config))
}

/// Answers every request with its own line, whatever it is, and keeps the connection; counts connections.
fn serve(config: Arc<ServerConfig>) -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let count = Arc::<AtomicUsize>::default();
    let counting = count.clone();
    // Ends with the test's process: it waits for connections and holds nothing else.
    std::thread::spawn(move || {
        for socket in listener.incoming().flatten() {
            counting.fetch_add(1, Ordering::AcqRel);
            let config = config.clone();
            std::thread::spawn(move || answer(config, socket));
        }
    });
    (port, count)
}

fn answer(config: Arc<ServerConfig>, socket: TcpStream) -> Option<()> {
    socket.set_read_timeout(Some(DEADLINE)).ok()?;
    let session = ServerConnection::new(config).expect("a session");
    let mut stream = BufReader::new(StreamOwned::new(session, socket));
    loop {
        let (mut first, mut line) = (String::new(), String::new());
        stream.read_line(&mut first).ok().filter(|read| *read > 0)?;
        while line != "\r\n" {
            line.clear();
            stream.read_line(&mut line).ok().filter(|read| *read > 0)?;
        }
        let answer = ok(first.trim_end());
        stream.get_mut().write_all(answer.as_bytes()).ok()?;
        stream.get_mut().flush().ok()?;
    }
}

#[test]
fn authorities_of_the_file_are_trusted() {
    let (pem, config) = secure();
    let (port, connections) = serve(config);
    let plan = Plan::new();
    let file = plan.file("authorities.pem", &pem);
    let trusting = Stage::over(plan.flag("--fetch-ca-file", file.to_str().expect("a path")));
    let doubting = Stage::new();
    for stage in [&trusting, &doubting] {
        stage.fetching("f", &["net:fetch", "net:private"]);
    }
    for n in 0..10 {
        let told = trusting.fetches("f", &format!("https://localhost:{port}/{n}"), json!({}));
        assert_eq!(told["body"], format!("GET /{n} HTTP/1.1"), "{told}");
    }
    assert_eq!(connections.load(Ordering::Acquire), 1);
    for (stage, url, want) in [
        (
            &doubting,
            format!("https://localhost:{port}/"),
            "no authority that is trusted here (--fetch-ca-file",
        ),
        (&trusting, format!("https://127.0.0.1:{port}/"), "not valid for name"),
    ] {
        let told = stage.fetches("f", &url, json!({}));
        assert!(told["error"].as_str().is_some_and(|error| error.contains(want)), "{want}: {told}");
    }
}

#[test]
fn a_file_without_authorities_is_refused_at_the_start() {
    let plan = Plan::new();
    let file = plan.file("authorities.pem", "nothing\n");
    let (status, log) = plan.flag("--fetch-ca-file", file.to_str().expect("a path")).fails();
    assert!(!status.success() && log.contains("--fetch-ca-file") && log.contains("no certificate"), "{log}");
}

#[test]
fn what_ends_a_fetch_ends_its_connection() {
    let stage = Stage::new();
    let silent = never_answers();
    let endless = Upstream::new(|visit| {
        visit.request()?;
        visit.write("HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\nabc")?;
        visit.wait_for_close()
    });
    stage.granted(
        "aborts",
        &["net:fetch", "net:private"],
        "export const requestHandler = async (ctx: any) => {
            try { await fetch(ctx.request().query.get('u'), { signal: AbortSignal.timeout(50) }); }
            catch (error: any) { ctx.response().json(error.name); }
        }",
    );
    // The module gives up.
    assert_eq!(stage.get(&format!("/aborts?u={}", silent.url())).json(), json!("TimeoutError"));
    until("the server sees it", || silent.ends() == 1);
    // The gateway gives up, with the module's answer.
    stage.granted(
        "leaves",
        &["net:fetch", "net:private"],
        "export const requestHandler = async (ctx: any) => {
            await fetch(ctx.request().query.get('u')); ctx.response().send('done');
        }",
    );
    assert_eq!(stage.get(&format!("/leaves?u={}", endless.url())).text(), "done");
    until("the server sees it", || endless.ends() == 1);
    until("nothing is left", || crate::fetch::metric(&stage.node, "tidegate_fetch_open") == 0);
}

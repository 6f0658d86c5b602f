//! The same over TLS: who is trusted, what is kept, and what an end without a word means.

use super::*;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use rustls::version::{TLS12, TLS13};
use std::time::SystemTime;

/// An authority, and servers that it vouches for.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        Self(CertifiedIssuer::self_signed(params, key).expect("a certificate"))
    }

    fn around(&self) -> Surroundings {
        Surroundings {
            roots: vec![b"no certificate".to_vec(), self.0.der().to_vec()],
            ..Surroundings::default()
        }
    }

    fn server(
        &self,
        names: &[&str],
        versions: &[&'static rustls::SupportedProtocolVersion],
    ) -> Arc<ServerConfig> {
        self.server_until(names, versions, 2100)
    }

    fn server_until(
        &self,
        names: &[&str],
        versions: &[&'static rustls::SupportedProtocolVersion],
        year: i32,
    ) -> Arc<ServerConfig> {
        let names: Vec<String> = names.iter().map(|name| name.to_string()).collect();
        let mut params = CertificateParams::new(names).expect("names");
        params.not_before = rcgen::date_time_ymd(2000, 1, 1);
        params.not_after = rcgen::date_time_ymd(year, 1, 1);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.0).expect("a certificate");
        let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .expect("a certificate and its key");
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Arc::new(config)
    }
}

fn https(server: &Server, path: &str) -> String {
    format!("https://127.0.0.1:{}{path}", server.address.port())
}

#[test]
fn kept_connections_large_bodies_and_streams() {
    let authority = Authority::new("known");
    for version in [&TLS13, &TLS12] {
        // An echo of whatever framing, and how the session was made.
        let server = Server::sealed(authority.server(&["127.0.0.1"], &[version]), |visit| {
            loop {
                let head = visit.head()?;
                let mut got = Vec::new();
                while head.contains("chunked") {
                    let data = visit.chunk()?;
                    if data.is_empty() {
                        break;
                    }
                    got.extend(data);
                }
                if let Some((_, rest)) = head.split_once("Content-Length: ") {
                    got = visit.take(rest.lines().next().and_then(|n| n.parse().ok()).expect("a length"))?;
                }
                visit.write(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", got.len()))?;
                visit.write(got)?;
            }
        });
        on_each_driver_with(
            |_| (),
            || authority.around(),
            async |bench| {
                for n in 0..20 {
                    assert_eq!(
                        bench.text(request("GET", https(&server, "/"))).await,
                        Ok("200 ".into()),
                        "{n}"
                    );
                }
                let large: Vec<u8> = (0..2_000_000u32).map(|n| (n / 7) as u8).collect();
                let mut asked = request("POST", https(&server, "/"));
                asked.body = HttpBody::Whole(large.clone());
                let response = bench.fetch(asked).await.expect("an answer");
                assert!(rest(&*response.body).await.expect("a body") == large);
                assert_eq!(bench.fetcher.counters.upstream_connects.get(), 1, "one session for all");
                let mut asked = request("PUT", https(&server, "/"));
                asked.body = HttpBody::Stream(Pieces::new(300, &[9; 3_000], false));
                let response = bench.fetch(asked).await.expect("an answer");
                assert_eq!(rest(&*response.body).await.expect("a body"), [9; 3_000].repeat(300));
                // Plain text to the same address is another connection.
                let why = bench.text(request("GET", server.url("/"))).await.expect_err("no plain text");
                assert!(why.contains("closed") || why.contains("no HTTP/1.1"), "{why}");
                bench.must_be_idle().await;
            },
        );
    }
}

#[test]
fn who_is_trusted() {
    let (authority, other) = (Authority::new("known"), Authority::new("unknown"));
    let answers = |visit: &mut server::Visit| {
        visit.head()?;
        visit.write("HTTP/1.1 204 No Content\r\n\r\n")
    };
    let last_year = 1969 + (SystemTime::UNIX_EPOCH.elapsed().expect("a clock").as_secs() / 31_556_952) as i32;
    for (config, want) in [
        (authority.server(&["127.0.0.1"], &[&TLS13, &TLS12]), "204 "),
        (other.server(&["127.0.0.1"], &[&TLS13]), "is of no authority that is trusted here (--fetch-ca-file"),
        (authority.server(&["127.0.0.2", "localhost"], &[&TLS13]), "not valid for name"),
        (authority.server_until(&["127.0.0.1"], &[&TLS12], last_year), "expired"),
    ] {
        let server = Server::sealed(config, answers);
        on_each_driver_with(
            |_| (),
            || authority.around(),
            async |bench| {
                let told = bench.text(request("GET", https(&server, "/"))).await.unwrap_or_else(|why| why);
                assert!(told.contains(want), "{told}");
                bench.must_be_idle().await;
            },
        );
    }
    // A server that speaks no TLS, and one that says nothing.
    let plain = Server::new(|visit| visit.write("HTTP/1.1 400 Bad Request\r\n\r\n"));
    let silent = Server::new(|visit| {
        visit.wait_for_close();
        None
    });
    on_each_driver(async |bench| {
        let why = bench.text(request("GET", https(&plain, "/"))).await.expect_err("no TLS");
        assert!(why.starts_with("TLS: "), "{why}");
        let mut asked = request("GET", https(&silent, "/"));
        asked.timeout_ms = Some(80);
        assert_eq!(bench.text(asked).await, Err("no response within 80 ms".into()));
        bench.must_be_idle().await;
    });
}

#[test]
fn a_body_that_ends_with_its_connection_ends_with_a_word() {
    let authority = Authority::new("known");
    let server = Server::sealed(authority.server(&["127.0.0.1"], &[&TLS13, &TLS12]), |visit| {
        let head = visit.head()?;
        visit.write("HTTP/1.1 200 OK\r\n\r\nuntil the end")?;
        if head.starts_with("GET /well") { visit.close_notify() } else { None }
    });
    on_each_driver_with(
        |_| (),
        || authority.around(),
        async |bench| {
            let asked = request("GET", https(&server, "/well"));
            assert_eq!(bench.text(asked).await, Ok("200 until the end".into()));
            let why = bench.text(request("GET", https(&server, "/cut"))).await.expect_err("cut");
            assert!(why.contains("closed the connection before the body was complete"), "{why}");
            bench.must_be_idle().await;
        },
    );
}

//! What is refused, before a socket is opened.

use super::*;
use std::net::SocketAddr;

#[test]
fn private_addresses_take_a_permission() {
    let server = Server::says("HTTP/1.1 204 No Content\r\n\r\n");
    on_each_driver(async |bench| {
        let port = server.address.port();
        for (host, name) in [
            ("127.0.0.1", "127.0.0.1 is a loopback address"),
            ("[::ffff:127.0.0.1]", "::ffff:127.0.0.1 is a loopback address"),
            ("10.0.0.1", "10.0.0.1 is a private address"),
            ("169.254.169.254", "169.254.169.254 is a link-local address"),
            ("[fe80::1]", "fe80::1 is a link-local address"),
            ("[64:ff9b::10.0.0.1]", "64:ff9b::a00:1 is a private address"),
            ("100.64.1.1", "100.64.1.1 is an address shared by a carrier's customers"),
        ] {
            let mut asked = request("GET", format!("http://{host}:{port}/"));
            asked.allow_private = false;
            let want = format!("{name}: grant 'net:private' to the module");
            assert_eq!(bench.text(asked).await, Err(want), "{host}");
        }
        let mut asked = request("GET", format!("http://0.0.0.0:{port}/"));
        asked.allow_private = false;
        let why = bench.text(asked).await.expect_err("refused");
        assert!(why.contains("0.0.0.0 is no address of a host"), "{why}");
        let counters = &bench.fetcher.counters;
        assert_eq!(
            (counters.fetches.get(), counters.fetch_refused.get(), counters.fetch_errors.get()),
            (8, 8, 0)
        );
        assert_eq!(bench.text(request("GET", server.url("/"))).await, Ok("204 ".into()));
        // A mapped address leads where the address within leads.
        let mapped = format!("http://[::ffff:127.0.0.1]:{port}/");
        assert_eq!(bench.text(request("GET", mapped)).await, Ok("204 ".into()));
        bench.must_be_idle().await;
    });
    assert!(server.heads().iter().all(|head| !head.contains("10.0.0.1")));
}

#[test]
fn the_admin_api_is_never_reached() {
    let server = Server::says("HTTP/1.1 204 No Content\r\n\r\n");
    let around = || Surroundings { admin: vec![server.address], ..Surroundings::default() };
    on_each_driver_with(
        |_| (),
        around,
        async |bench| {
            let port = server.address.port();
            for host in ["127.0.0.1", "127.0.0.2", "[::1]", "[::ffff:127.0.0.1]"] {
                for allow_private in [true, false] {
                    let mut asked = request("GET", format!("http://{host}:{port}/"));
                    asked.allow_private = allow_private;
                    let why = bench.text(asked).await.expect_err("refused");
                    assert!(why.contains("is the gateway's own admin API"), "{host}: {why}");
                }
            }
        },
    );
    assert_eq!(server.connections(), 0);
    // An address that nobody knew to be this host's: found out before a byte of the request is sent.
    let Some(server) = own_address().and_then(|own| std::net::TcpListener::bind((own, 0)).ok()) else {
        return;
    };
    let address = server.local_addr().expect("an address");
    let admin = SocketAddr::from(([198, 51, 100, 1], address.port()));
    on_each_driver_with(
        |_| (),
        || Surroundings { admin: vec![admin], ..Surroundings::default() },
        async |bench| {
            let why = bench.text(request("GET", format!("http://{address}/"))).await.expect_err("refused");
            assert!(why.contains("is the gateway's own admin API"), "{why}");
        },
    );
}

/// An address of this host that is no loopback one, where it has any: the one it would send from.
fn own_address() -> Option<std::net::IpAddr> {
    let socket = std::net::UdpSocket::bind("0.0.0.0:0").ok()?;
    // Nothing is sent: this asks the routing table.
    socket.connect("192.0.2.1:9").ok()?;
    let own = socket.local_addr().ok()?.ip();
    (!own.is_loopback() && !own.is_unspecified()).then_some(own)
}

#[test]
fn what_a_name_resolves_to_is_what_is_judged_and_called() {
    let server = Server::says("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    let port = server.address.port();
    on_each_driver(async |bench| {
        let answers = |name: &str, addresses: &[&str]| {
            let addresses: Vec<SocketAddr> =
                addresses.iter().map(|ip| SocketAddr::new(ip.parse().expect("an address"), port)).collect();
            (name.to_owned(), addresses)
        };
        let table = [
            answers("inside.example", &["127.0.0.1"]),
            answers("metadata.example", &["169.254.169.254"]),
            answers("both.example", &["10.255.255.1", "::1"]),
        ];
        let questions = Cell::new(0);
        let resolving = bench.resolving(&questions, &table);
        let asking = async {
            for (host, allow_private, want) in [
                ("inside.example", false, "127.0.0.1 is a loopback address: grant 'net:private'"),
                ("inside.example", true, "200 ok"),
                ("INSIDE.example.", true, "200 ok"),
                ("metadata.example", false, "169.254.169.254 is a link-local address"),
                ("both.example", false, "10.255.255.1 is a private address"),
                ("nowhere.example", true, "the host cannot be resolved: no such host"),
            ] {
                let mut asked = request("GET", format!("http://{host}:{port}/"));
                asked.allow_private = allow_private;
                let told = bench.text(asked).await.unwrap_or_else(|why| why);
                assert!(told.contains(want), "{host}: {told}");
            }
        };
        tidegate_reactor::race(asking, resolving).await;
        assert_eq!(questions.get(), 4, "answers are believed for a while");
    });
    // Host is what the URL says, not what it resolves to.
    assert!(server.heads()[0].contains(&format!("\r\nHost: inside.example:{port}\r\n")));
}

#[test]
fn what_no_request_can_be_made_of() {
    on_each_driver_with(
        |limits| limits.fetch_max = 0,
        Surroundings::default,
        async |bench| {
            let why = bench.text(request("GET", "http://127.0.0.1/".into())).await.expect_err("crowded");
            assert_eq!(why, "0 are under way on this shard already, which is the most (--fetch-max)");
        },
    );
    on_each_driver(async |bench| {
        for (method, url, field, want) in [
            ("CONNECT", "http://a/", ("a", "b"), "the method 'CONNECT'"),
            ("G\r\nT", "http://a/", ("a", "b"), "the method 'G\\r\\nT'"),
            ("GET", "http://u@a/", ("a", "b"), "a URL with a user name"),
            ("GET", "gopher://a/", ("a", "b"), "only http and https"),
            ("GET", "http://2130706433/", ("a", "b"), "its host is no plain name or address"),
            ("GET", "http://a/\r\n", ("a", "b"), "must be percent-encoded"),
            ("GET", "http://a/", ("a", "b\r\nc: d"), "the header 'a'"),
            ("GET", "http://a/", ("a\n", "b"), "the header 'a\\n'"),
        ] {
            let mut asked = request(method, url.into());
            asked.fields.push((field.0.into(), field.1.into()));
            let why = bench.text(asked).await.expect_err("refused");
            assert!(why.contains(want), "{why}");
        }
        assert_eq!(
            (bench.fetcher.counters.fetch_errors.get(), bench.fetcher.counters.upstream_connects.get()),
            (8, 0)
        );
        assert!(bench.asked.borrow_mut().take().is_none(), "nothing was resolved");
    });
}

//! Servers that misbehave, and connections that are not what they were.

use super::*;

#[test]
fn answers_that_are_none() {
    for (answer, want) in [
        ("", "the server closed the connection before its response was complete"),
        (
            "HTTP/1.1 200 OK\r\nContent-Le",
            "the server closed the connection before its response was complete",
        ),
        ("SSH-2.0-x\r\n", "the response is no HTTP/1.1"),
        ("HTTP/1.1 200 OK\nA: b\n\n", "the response is no HTTP/1.1: a line ends in LF without CR"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n", "the response is no HTTP/1.1"),
        ("HTTP/1.1 101 Switching Protocols\r\n\r\n", "the server switched protocols"),
        ("HTTP/1.1 600 x\r\nContent-Length: 0\r\n\r\n", "the response's status 600 is none"),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc",
            "closed the connection before the body was complete",
        ),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", "before the body was complete"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", "the body is no HTTP/1.1"),
    ] {
        let server = Server::says_and_closes(answer);
        on_each_driver(async |bench| {
            let why = bench.text(request("GET", server.url("/"))).await.expect_err(answer);
            assert!(why.contains(want), "{answer:?}: {why}");
            assert_eq!(bench.fetcher.counters.fetch_errors.get(), 1);
            assert_eq!(bench.fetcher.counters.upstream_idle.get(), 0);
            bench.must_be_idle().await;
        });
    }
    let server = Server::new(|visit| {
        visit.head()?;
        while visit.write("HTTP/1.1 102 Processing\r\n\r\n").is_some() {}
        None
    });
    on_each_driver(async |bench| {
        let why = bench.text(request("GET", server.url("/"))).await.expect_err("endless");
        assert!(why.contains("interim responses without end"), "{why}");
    });
}

#[test]
fn servers_that_stall() {
    let stalls = |said: &'static str| {
        Server::new(move |visit| {
            visit.head()?;
            visit.write(said)?;
            visit.wait_for_close();
            None
        })
    };
    let (silent, stalling) =
        (stalls("HTTP/1.1 2"), stalls("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc"));
    let limit = |limits: &mut Limits| {
        limits.fetch_timeout = Duration::from_millis(300);
        limits.body_timeout = Duration::from_millis(100);
    };
    on_each_driver_with(limit, Surroundings::default, async |bench| {
        let mut asked = request("GET", silent.url("/"));
        asked.timeout_ms = Some(50);
        assert_eq!(bench.text(asked).await, Err("no response within 50 ms".into()));
        let asked = request("GET", silent.url("/"));
        assert_eq!(bench.text(asked).await, Err("no response within 300 ms".into()));
        let response = bench.get(&stalling, "/").await.expect("a head");
        assert_eq!(next(&*response.body).await, Ok(Some(b"abc".to_vec())));
        let why = next(&*response.body).await.expect_err("late");
        assert_eq!(why, "the server stopped sending the body (--body-timeout)");
        assert_eq!(next(&*response.body).await, Err(why), "the trouble stays the answer");
        drop(response);
        bench.must_be_idle().await;
    });
}

#[test]
fn a_kept_connection_that_is_dead() {
    // Answers one request on each connection, and closes when the second one has come.
    let server = Server::new(|visit| {
        visit.head()?;
        visit.write("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na")?;
        visit.head().map(drop)
    });
    on_each_driver(async |bench| {
        for n in 0..3 {
            let asked = request("GET", server.url("/"));
            assert_eq!(bench.text(asked).await, Ok("200 a".into()), "{n}");
        }
        assert_eq!(bench.fetcher.counters.upstream_retries.get(), 2);
        // What is not idempotent is not sent twice.
        let why = bench.text(request("POST", server.url("/"))).await.expect_err("closed");
        assert!(why.contains("closed the connection"), "{why}");
        assert_eq!(bench.text(request("POST", server.url("/"))).await, Ok("200 a".into()));
    });
}

#[test]
fn another_address_answers_where_the_first_does_not() {
    let server = Server::says("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    let port = server.address.port();
    // Its queue is full, so that it leaves further connections unanswered.
    let deaf = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
    let address = SocketAddr::from(([127, 0, 0, 2], port));
    deaf.bind(&address.into()).expect("another address of the loopback interface");
    deaf.listen(0).expect("listening");
    let waiting: Vec<_> =
        (0..4).map(|_| std::net::TcpStream::connect_timeout(&address, Duration::from_millis(50))).collect();
    assert!(waiting.iter().any(Result::is_err), "the queue is full");
    let table = [
        ("deaf.example".to_owned(), vec![address, server.address]),
        ("nobody.example".to_owned(), vec![SocketAddr::from(([127, 0, 0, 3], port)), server.address]),
    ];
    on_each_driver_with(
        |limits| limits.fetch_timeout = Duration::from_millis(600),
        Surroundings::default,
        async |bench| {
            let questions = Cell::new(0);
            let asking = async {
                for host in ["deaf.example", "nobody.example"] {
                    let asked = request("GET", format!("http://{host}:{port}/"));
                    assert_eq!(bench.text(asked).await, Ok("200 ok".into()), "{host}");
                }
            };
            tidegate_reactor::race(asking, bench.resolving(&questions, &table)).await;
        },
    );
}

#[test]
fn nobody_there() {
    // Bound and not listening.
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address");
    drop(taken);
    on_each_driver(async |bench| {
        let why = bench.text(request("GET", format!("http://{address}/"))).await.expect_err("refused");
        assert_eq!(why, format!("no connection to {address}: nobody listens there"));
        bench.must_be_idle().await;
    });
}

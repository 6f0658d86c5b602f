//! Bodies in both directions, and the connections they leave behind.

use super::*;
use std::sync::atomic::{AtomicUsize, Ordering};

#[test]
fn framings_and_the_connections_they_leave() {
    // What is answered, what the module gets, and whether the connection can be used again.
    for (method, answer, want, is_kept) in [
        ("GET", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", "200 abc", true),
        ("GET", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "200 ", true),
        (
            "GET",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\nT: t\r\n\r\n",
            "200 abc",
            true,
        ),
        ("GET", "HTTP/1.1 204 No Content\r\n\r\n", "204 ", true),
        ("GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", "304 ", true),
        ("HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", "200 ", true),
        (
            "POST",
            "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 201 Made\r\nContent-Length: 1\r\n\r\n1",
            "201 1",
            true,
        ),
        ("GET", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc", "200 abc", false),
        ("GET", "HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nabc", "200 abc", false),
        ("GET", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcpoison", "200 abc", false),
    ] {
        let server = Server::says(answer);
        on_each_driver(async |bench| {
            let before = server.connections();
            for _ in 0..3 {
                assert_eq!(bench.text(request(method, server.url("/"))).await, Ok(want.into()), "{answer:?}");
                if !is_kept {
                    break;
                }
            }
            assert_eq!(bench.fetcher.counters.upstream_idle.get(), u64::from(is_kept), "{answer:?}");
            assert_eq!(server.connections() - before, 1, "{answer:?}");
            assert_eq!(bench.fetcher.counters.upstream_reuses.get(), if is_kept { 2 } else { 0 });
            bench.must_be_idle().await;
            bench.fetcher.pool.close_idle(&bench.fetcher.counters);
        });
    }
    let server = Server::says_and_closes("HTTP/1.1 200 OK\r\nX-A: b\r\n\r\nuntil the end");
    on_each_driver(async |bench| {
        assert_eq!(bench.text(request("GET", server.url("/"))).await, Ok("200 until the end".into()));
        let response = bench.get(&server, "/").await.expect("a head");
        assert_eq!(
            (response.reason.as_str(), response.fields),
            ("OK", vec![(b"X-A".to_vec(), b"b".to_vec())])
        );
    });
}

#[test]
fn what_is_let_go_of_early() {
    let server = Server::new(|visit| {
        loop {
            let head = visit.head()?;
            match head.starts_with("GET /small") {
                true => visit
                    .write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n")?,
                false => {
                    visit.write("HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n")?;
                    while visit.write([b'x'; 10_000]).is_some() {}
                    return None;
                }
            }
        }
    });
    on_each_driver(async |bench| {
        for _ in 0..3 {
            // Never read: it was little, and here.
            bench.get(&server, "/small").await.expect("a head");
            bench.must_be_idle().await;
        }
        assert_eq!(bench.fetcher.counters.upstream_connects.get(), 1);
        let response = bench.get(&server, "/large").await.expect("a head");
        assert!(next(&*response.body).await.expect("a piece").is_some());
        drop(response);
        bench.must_be_idle().await;
        assert_eq!(bench.fetcher.counters.upstream_idle.get(), 0, "it was not kept");
        // Nor is one whose future is dropped before there is a head, or in the middle of a read.
        let response = bench.get(&server, "/large").await.expect("a head");
        let read = next(&*response.body);
        drop(tidegate_reactor::race(async {}, read).await);
        drop(response);
        bench.must_be_idle().await;
        let cut = tidegate_reactor::race(bench.get(&server, "/small"), async {}).await;
        drop(cut);
        bench.must_be_idle().await;
    });
}

/// Answers with what came, as it came.
fn echoes() -> Server {
    Server::new(|visit| {
        loop {
            let head = visit.head()?;
            let mut got = Vec::new();
            if head.contains("Transfer-Encoding: chunked") {
                loop {
                    let data = visit.chunk()?;
                    if data.is_empty() {
                        break;
                    }
                    got.extend(data);
                }
            } else if let Some((_, rest)) = head.split_once("Content-Length: ") {
                let length = rest.lines().next().and_then(|n| n.parse().ok()).expect("a length");
                got = visit.take(length)?;
            }
            visit.write(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", got.len()))?;
            visit.write(got)?;
        }
    })
}

#[test]
fn uploads() {
    let server = echoes();
    on_each_driver(async |bench| {
        let large: Vec<u8> = (0..3_000_000u32).map(|n| n as u8).collect();
        for body in [b"".to_vec(), b"abc".to_vec(), large] {
            let mut asked = request("POST", server.url("/"));
            asked.body = HttpBody::Whole(body.clone());
            let response = bench.fetch(asked).await.expect("an answer");
            assert!(rest(&*response.body).await.expect("a body") == body, "{} bytes", body.len());
        }
        let before = server.connections();
        for (count, piece) in [(0, &b"x"[..]), (1, b"abc"), (500, &[7; 5_000])] {
            let mut asked = request("PUT", server.url("/"));
            asked.body = HttpBody::Stream(Pieces::new(count, piece, false));
            let response = bench.fetch(asked).await.expect("an answer");
            assert_eq!(rest(&*response.body).await.expect("a body"), piece.repeat(count as usize));
        }
        // Pieces go on fresh connections, which are kept all the same.
        assert_eq!(server.connections() - before, 3);
        let mut asked = request("PUT", server.url("/"));
        asked.body = HttpBody::Stream(Pieces::new(3, b"abc", true));
        let why = bench.text(asked).await.expect_err("broken");
        assert_eq!(why, "the request's body broke off: the pen broke");
        bench.must_be_idle().await;
        bench.fetcher.pool.close_idle(&bench.fetcher.counters);
    });
    // A body of unknown length says so, an empty one of a method that has one too, and the others say nothing.
    let heads = server.heads();
    assert!(heads[0].contains("\r\nContent-Length: 0\r\n"));
    assert!(
        heads
            .iter()
            .all(|head| head.contains("Content-Length: ") != head.contains("Transfer-Encoding: chunked"))
    );
}

#[test]
fn an_upload_goes_on_while_nobody_reads_its_answer() {
    let got = Arc::<AtomicUsize>::default();
    let counting = got.clone();
    let server = Server::new(move |visit| {
        visit.head()?;
        visit.write("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n")?;
        loop {
            let data = visit.chunk()?;
            counting.fetch_add(data.len(), Ordering::AcqRel);
            if data.is_empty() {
                return visit.write("end");
            }
        }
    });
    on_each_driver(async |bench| {
        let before = got.load(Ordering::Acquire);
        let mut asked = request("POST", server.url("/"));
        asked.body = HttpBody::Stream(Pieces::new(2_000, &[1; 4_096], false));
        let response = bench.fetch(asked).await.expect("an early answer");
        for _ in 0..20_000 {
            if got.load(Ordering::Acquire) - before == 2_000 * 4_096 {
                break;
            }
            sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(got.load(Ordering::Acquire) - before, 2_000 * 4_096);
        assert_eq!(rest(&*response.body).await, Ok(b"end".to_vec()));
        bench.must_be_idle().await;
        // Both directions ended in order: the connection is kept, until the server closes it.
        assert_eq!(bench.fetcher.counters.upstream_connects.get(), 1);
    });
}

#[test]
fn an_answer_that_comes_before_the_upload_has_ended() {
    let server = Server::new(|visit| {
        let head = visit.head()?;
        if head.starts_with("PUT /refused") {
            visit.write("HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\n\r\nno")?;
            visit.wait_for_close();
            return None;
        }
        // An echo, piece by piece.
        visit.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
        loop {
            let data = visit.chunk()?;
            visit.write(format!("{:x}\r\n", data.len()))?;
            visit.write(&data)?;
            visit.write("\r\n")?;
            if data.is_empty() {
                return visit.write("");
            }
        }
    });
    on_each_driver(async |bench| {
        let mut asked = request("PUT", server.url("/refused"));
        asked.body = HttpBody::Stream(Pieces::new(u32::MAX, &[1; 4_096], false));
        assert_eq!(bench.text(asked).await, Ok("413 no".into()));
        let mut asked = request("PUT", server.url("/refused"));
        asked.body = HttpBody::Whole(vec![1; 20_000_000]);
        assert_eq!(bench.text(asked).await, Ok("413 no".into()));
        bench.must_be_idle().await;
        assert_eq!(bench.fetcher.counters.upstream_idle.get(), 0);
        let mut asked = request("PUT", server.url("/echo"));
        asked.body = HttpBody::Stream(Pieces::new(400, &[1; 10_000], false));
        let response = bench.fetch(asked).await.expect("an early answer");
        assert_eq!(rest(&*response.body).await.expect("a body").len(), 4_000_000);
        // It broke behind the answer's head: neither direction goes on.
        let mut asked = request("PUT", server.url("/echo"));
        asked.body = HttpBody::Stream(Pieces::new(2, b"abc", true));
        let told = bench.text(asked).await.expect_err("broken");
        assert!(told.contains("the pen broke") || told.contains("broke off"), "{told}");
        bench.must_be_idle().await;
    });
}

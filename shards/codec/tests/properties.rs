//! What must hold for any stream: no panic, one meaning however it is cut, and the same meaning when it is written anew.
//! The fuzz targets assert the same of bytes that a fuzzer finds; here they are made of pieces that requests are made of.

#[allow(unreachable_pub)] // The fuzzer uses it, too.
mod stream;

use proptest::prelude::*;
use proptest::sample::{Index, select};
use stream::{End, check_encoded, requests, responses};

/// A stream that is mostly a request or two, with something odd in it now and then.
fn request_stream() -> impl Strategy<Value = Vec<u8>> {
    let line = select(vec![
        "GET / HTTP/1.1",
        "POST /a%2Fb/%61?c=d HTTP/1.1",
        "PUT //x;y/é HTTP/1.0",
        "OPTIONS * HTTP/1.1",
        "GET http://A.example:80/p HTTP/1.1",
        "HEAD /a/../b HTTP/1.1",
    ]);
    let host = select(vec!["Host: a.example", "host:A.Example.:80", "", "Host: [::1]:8080", "Host: a,b"]);
    let field = select(vec![
        "Content-Length: 3",
        "Content-Length:  0 ",
        "Transfer-Encoding: chunked",
        "Transfer-Encoding: gzip",
        "Connection: close",
        "Connection: keep-alive, X-Mine",
        "X-Mine: 1",
        "x_mine: \u{e9}",
        "X-Forwarded-For: 1.2.3.4",
        "Expect: 100-continue",
        "Empty:",
        " folded",
        "No-Colon",
        "TE: trailers",
        "Bare: a\rb",
        "Lf: a\nb: c",
    ]);
    let body = select(vec![
        "",
        "abc",
        "3\r\nabc\r\n0\r\n\r\n",
        "1;a=\"b\"\r\nx\r\n0\r\nSum: 1\r\nHost: b\r\n\r\n",
        "0\r\n\r\n",
    ]);
    let request =
        (line, host, prop::collection::vec(field, 0..4), body).prop_map(|(line, host, fields, body)| {
            let mut out = format!("{line}\r\n");
            let lines = [host].into_iter().chain(fields).filter(|line| !line.is_empty());
            lines.for_each(|line| out.extend([line, "\r\n"]));
            out.extend(["\r\n", body]);
            out.into_bytes()
        });
    prop::collection::vec(request, 1..3).prop_map(|requests| requests.concat())
}

fn cuts(input: &[u8], indexes: &[Index]) -> Vec<usize> {
    let mut cuts: Vec<_> = indexes.iter().map(|index| index.index(input.len() + 1)).collect();
    cuts.sort_unstable();
    cuts
}

/// In pieces, a broken rule may show later, or as another one, but never as none.
fn is_same_end(whole: End, pieces: End) -> bool {
    matches!((whole, pieces), (End::Refused(_), End::Refused(_) | End::Starved)) || whole == pieces
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn requests_mean_the_same_in_pieces_and_anew(
        input in request_stream(),
        indexes in prop::collection::vec(any::<Index>(), 0..4),
    ) {
        let whole = requests(&input, &[]);
        let pieces = requests(&input, &cuts(&input, &indexes));
        prop_assert!(is_same_end(whole.1, pieces.1), "{:?} {:?}", whole.1, pieces.1);
        prop_assert_eq!(&whole.0, &pieces.0);
        whole.0.iter().for_each(|message| check_encoded(message, |again| requests(again, &[])));
    }

    #[test]
    fn a_byte_that_is_changed_never_panics(
        mut input in request_stream(),
        at in any::<Index>(),
        byte in any::<u8>(),
    ) {
        let at = at.index(input.len());
        input[at] = byte;
        let whole = requests(&input, &[]);
        whole.0.iter().for_each(|message| check_encoded(message, |again| requests(again, &[])));
        let response = [b"HTTP/1.1 200 OK\r\n".as_slice(), &input].concat();
        let whole = responses(&response, &[], &http::Method::GET);
        whole.0.iter().for_each(|message| check_encoded(message, |again| responses(again, &[], &http::Method::GET)));
    }

    #[test]
    fn any_bytes_never_panic(
        input in prop::collection::vec(any::<u8>(), 0..200),
        indexes in prop::collection::vec(any::<Index>(), 0..4),
    ) {
        requests(&input, &cuts(&input, &indexes));
        responses(&input, &cuts(&input, &indexes), &http::Method::GET);
    }
}

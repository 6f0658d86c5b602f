//! Other people's requests, good and bad: the corpora of llhttp, defparam's smuggler and h2o's fuzzer.
//! They lie beside the repository; where they are not, a test says so and passes.
#![allow(clippy::disallowed_methods, reason = "a test reads its corpus")]

#[allow(unreachable_pub)] // The fuzzer uses it, too.
mod stream;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use std::path::Path;
use stream::{End, check_encoded, requests};
use tidegate_codec::{BodyFraming, Malformed};

/// The cases of one corpus; none where it is missing.
fn cases(corpus: &str) -> Vec<Value> {
    let path = format!("{}/../../../shared/corpora/{corpus}/cases.jsonl", env!("CARGO_MANIFEST_DIR"));
    match std::fs::read_to_string(Path::new(&path)) {
        Ok(text) => text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect(),
        Err(error) => {
            eprintln!("skipped: the corpus {corpus} is not here ({error})");
            Vec::new()
        }
    }
}

fn bytes(case: &Value, member: &str) -> Vec<u8> {
    STANDARD.decode(case[member].as_str().expect("a string")).expect("base64")
}

/// Where we read otherwise than llhttp on purpose. Most of its cases lack Host, which is put in before they are read.
const STRICTER_THAN_LLHTTP: &[(&str, Malformed)] = &[
    // An upgrade and a body do not go together.
    ("connection/Emitting part of body and pausing", Malformed::UpgradeWithBody),
    ("connection/Upgrade POST request", Malformed::UpgradeWithBody),
    // We speak HTTP, and none of its cousins.
    ("method/SOURCE request with ICE", Malformed::Version),
    ("method/OPTIONS request with RTSP", Malformed::Version),
    ("method/ANNOUNCE request with RTSP", Malformed::Version),
    ("sample/No HTTP version", Malformed::RequestLine),
    // RFC 9112 section 3.2.4: the asterisk is for OPTIONS.
    ("method/M-SEARCH request", Malformed::TargetForm),
    ("method/PRI request HTTP2", Malformed::TargetForm),
    // `Host: 0.0.0.0=5000`.
    ("sample/curl GET", Malformed::Host),
    ("sample/Firefox GET", Malformed::Host),
    // The only transfer coding is chunked.
    ("transfer-encoding/POST with `chunked` as last transfer-encoding", Malformed::UnknownTransferCoding),
    (
        "transfer-encoding/POST with `chunked` as last transfer-encoding (multiple headers)",
        Malformed::DuplicateTransferEncoding,
    ),
    ("uri/Fragment in URI", Malformed::Fragment),
    ("uri/`host:port` and basic auth", Malformed::Userinfo),
];

/// What the corpus has from a test of llhttp that skips bodies: read as a stream, the first body is not all there.
const BODY_IS_MISSING: &[&str] = &["content-length/Content-Length reset when no body is received"];

/// What llhttp refuses because its list of methods is closed; ours is any token (RFC 9110 section 9.1), and routes decide.
const OPEN_WHERE_LLHTTP_IS_CLOSED: &[&str] =
    &["invalid/Invalid method", "invalid/HTTP protocol and ANNOUNCE method"];

#[test]
fn llhttp() {
    let mut wrong = Vec::new();
    for case in cases("h1-llhttp").iter().filter(|case| case["lenient"] == false) {
        let id = case["id"].as_str().expect("an id").trim_start_matches("llhttp/");
        let raw = bytes(case, "raw_b64");
        let has_host = String::from_utf8_lossy(&raw).to_ascii_lowercase().contains("host:");
        let input = if has_host { raw } else { put_in_host(&raw) };
        let (messages, end) = requests(&input, &[]);
        let complete = messages.iter().filter(|message| message.complete).count() as u64;
        let expected = case["messages"].as_u64().expect("a number");
        let stricter = STRICTER_THAN_LLHTTP.iter().find(|(stricter, _)| *stricter == id);
        let ok = match (case["expect"].as_str(), end) {
            (_, End::Refused(malformed)) if stricter.is_some() => {
                stricter.is_some_and(|(_, m)| *m == malformed)
            }
            (Some("reject"), _) if OPEN_WHERE_LLHTTP_IS_CLOSED.contains(&id) => complete == 1,
            (Some("reject"), _) => complete <= expected,
            (_, End::Refused(_)) => false,
            _ if BODY_IS_MISSING.contains(&id) => end == End::Starved,
            _ => complete == expected,
        };
        if !ok || (stricter.is_some() && !matches!(end, End::Refused(_))) {
            wrong.push(format!("{id}: {complete} of {expected} messages, {end:?}, {}", case["expect"]));
        }
        messages.iter().for_each(|message| check_encoded(message, |again| requests(again, &[])));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A Host behind every request line: the one of an absolute target, or any.
fn put_in_host(input: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = input;
    let line_end = b" HTTP/1.1\r\n";
    while let Some(at) = rest.windows(line_end.len()).position(|window| window == line_end) {
        let line = String::from_utf8_lossy(&rest[..at]).into_owned();
        let authority = line.split_once("http://").and_then(|(_, rest)| rest.split(['/', '?']).next());
        let (line, after) = rest.split_at(at + line_end.len());
        out.extend_from_slice(line);
        out.extend_from_slice(format!("Host: {}\r\n", authority.unwrap_or("a")).as_bytes());
        rest = after;
    }
    [&out, rest].concat()
}

#[test]
fn mutated_transfer_encodings_have_one_reading_or_none() {
    let (mut accepted, mut refused) = (0, 0);
    for case in cases("h1-te-mutations-defparam") {
        let template = bytes(&case, "head_template_b64");
        for (body, length) in
            [("1\r\nZ\r\nQ\r\n\r\n", "5"), ("0\r\n\r\nX", "6"), ("0\r\n\r\n", "5"), ("", "0")]
        {
            let words = [
                ("__METHOD__", "POST"),
                ("__ENDPOINT__", "/"),
                ("__RANDOM__", "1"),
                ("__HOST__", "a.example"),
                ("__REPLACE_CL__", length),
            ];
            let head = words.iter().fold(template.clone(), |head, (from, to)| replace(&head, from, to));
            let input = [&head, b"\r\n".as_slice(), body.as_bytes()].concat();
            let (messages, end) = requests(&input, &[]);
            let Some(message) = messages.first() else {
                assert!(
                    matches!(end, End::Refused(_)),
                    "{} starved: {:?}",
                    case["id"],
                    String::from_utf8_lossy(&input)
                );
                refused += 1;
                continue;
            };
            // Accepted: then there is one framing field, and nothing else in the head that a lenient reader takes for one.
            accepted += 1;
            let head = String::from_utf8_lossy(&head).to_ascii_lowercase();
            let exact = head.lines().filter(|line| *line == "transfer-encoding: chunked").count();
            match message.framing {
                BodyFraming::Chunked => assert!(exact == 1 && !head.contains("content-length"), "{head:?}"),
                BodyFraming::Length(_) => assert!(is_no_framing_field(&head), "{}: {head:?}", case["id"]),
                other => panic!("{}: {other:?}", case["id"]),
            }
            check_encoded(message, |again| requests(again, &[]));
        }
    }
    eprintln!("{accepted} accepted, {refused} refused");
}

/// No line of the head is a Transfer-Encoding by its exact name; what is left are other names, which every reader must take for
/// such (the corpus has `Transfer-Encodin`, `X-Transfer-Encoding` and the like).
fn is_no_framing_field(head: &str) -> bool {
    !head
        .split("\r\n")
        .any(|line| line.split(':').next().is_some_and(|name| name.trim() == "transfer-encoding"))
}

fn replace(text: &[u8], from: &str, to: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.windows(from.len()).position(|window| window == from.as_bytes()) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(to.as_bytes());
        rest = &rest[at + from.len()..];
    }
    [&out, rest].concat()
}

#[test]
fn what_is_accepted_of_h2os_fuzzing_is_written_canonically() {
    let (mut accepted, mut streams) = (0, 0);
    for case in cases("h1-h2o-fuzz") {
        let input = bytes(&case, "raw_b64");
        let whole = requests(&input, &[]);
        streams += 1;
        for message in &whole.0 {
            accepted += 1;
            check_encoded(message, |again| requests(again, &[]));
        }
        for cuts in [
            vec![input.len() / 2],
            vec![input.len() / 3, input.len() / 3 + 1],
            (0..input.len().min(600)).collect(),
        ] {
            let pieces = requests(&input, &cuts);
            assert_eq!(pieces.0, whole.0, "{} in pieces", case["id"]);
        }
    }
    eprintln!("{accepted} messages in {streams} streams");
}

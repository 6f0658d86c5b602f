//! What the pure parts of a request cost, each by itself: `cargo run --release -p tidegate-shards --example parts`. Best
//! of many short rounds, interleaved. Not a test: it asserts nothing.
//!
//! With `--json` one line of JSON for each. With `--call NAME --times N` that one so many times and nothing else, for a
//! tool that counts instructions (`tidegate-perf micro` does both). What is looked up changes from call to call, so
//! that what lies where in memory falls on all alike; for what stays cold in 512 KiB,
//! `valgrind --tool=cachegrind --cache-sim=yes --LL=524288,8,64` on "host and route of 10,000, scattered".
#![allow(clippy::disallowed_methods, reason = "the main thread is no shard")]

use http::Method;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tidegate_codec::{BodyDecoder, BodyFraming, RequestHead, ResponseHead, canonical_host, canonical_path};
use tidegate_shards::{HeadLimits, bench::Desk};
use tidegate_snapshot::{
    Domain, DomainTable, Endpoint, Found, MethodSet, PathTree, Phase, RecordSink, Route, Service, Times,
};

const LIMITS: HeadLimits = HeadLimits { line_bytes: 16 << 10, head_bytes: 64 << 10, fields: 100 };
const MINIMAL: &str = "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n";
/// What a browser sends: 12 fields.
const BROWSER: &str = "GET /shop/items/4711?sort=price&page=2 HTTP/1.1\r\nHost: www.shop.example\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n\
    Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\nAccept-Language: en-US,en;q=0.5\r\n\
    Accept-Encoding: gzip, deflate, br, zstd\r\nReferer: https://www.shop.example/shop/items\r\n\
    Cookie: session=0123456789abcdef0123456789abcdef; theme=dark; consent=yes\r\nDNT: 1\r\n\
    Upgrade-Insecure-Requests: 1\r\nSec-Fetch-Dest: document\r\nSec-Fetch-Mode: navigate\r\nPriority: u=0, i\r\n\r\n";
const RESPONSE: &str = "HTTP/1.1 200 OK\r\nServer: nginx\r\nDate: Sat, 21 Nov 2026 17:00:00 GMT\r\n\
    Content-Type: application/json; charset=utf-8\r\nContent-Length: 100\r\nConnection: keep-alive\r\n\
    Cache-Control: private, max-age=0\r\nETag: \"0123456789abcdef\"\r\nVary: Accept-Encoding\r\n\r\n";

type Case = (&'static str, fn() -> Box<dyn FnMut()>);

const CASES: [Case; 15] = [
    ("request head, minimal", || request_head(MINIMAL.into())),
    ("request head, 12 fields of a browser", || request_head(BROWSER.into())),
    ("request head, 40 fields", || request_head(forty_fields())),
    ("response head, 8 fields", response_head),
    ("chunked body, 8 chunks of 512 bytes", chunked_body),
    ("canonical path, plain", || path(b"/shop/items/4711/reviews/latest")),
    ("canonical path, escaped", || path(b"/shop/%69tems/a%20b/%C3%A4/reviews/latest")),
    ("canonical host", host),
    ("domain among 100", domain),
    ("route among 10,000", route_of_many),
    ("host and route of 10,000, scattered", scattered),
    ("request head written for the upstream", to_upstream),
    ("response head written for the client", to_client),
    ("access line", access_line),
    ("time recorded in a histogram", histogram),
];

fn forty_fields() -> String {
    let fields: String = (0..39).map(|n| format!("X-Field-{n:02}: value {n} of a field\r\n")).collect();
    format!("GET /shop/items/4711 HTTP/1.1\r\nHost: www.shop.example\r\n{fields}\r\n")
}

fn request_head(text: String) -> Box<dyn FnMut()> {
    let (mut head, mut input) = (RequestHead::default(), Vec::new());
    Box::new(move || {
        input.clear();
        input.extend_from_slice(text.as_bytes());
        assert_eq!(black_box(&mut head).parse(&mut input, &LIMITS), Ok(true));
    })
}

fn parsed_request(text: &str) -> RequestHead {
    let mut head = RequestHead::default();
    assert_eq!(head.parse(&mut text.into(), &LIMITS), Ok(true));
    head
}

fn response_head() -> Box<dyn FnMut()> {
    let (mut head, mut input) = (ResponseHead::default(), Vec::new());
    Box::new(move || {
        input.clear();
        input.extend_from_slice(RESPONSE.as_bytes());
        assert_eq!(black_box(&mut head).parse(&mut input, &LIMITS, &Method::GET), Ok(true));
    })
}

fn chunked_body() -> Box<dyn FnMut()> {
    let chunk = format!("200\r\n{}\r\n", "x".repeat(512));
    let body = format!("{}0\r\n\r\n", chunk.repeat(8)).into_bytes();
    Box::new(move || {
        let mut decoder = BodyDecoder::new(BodyFraming::Chunked);
        let (mut at, mut content) = (0, 0);
        while !decoder.is_done() {
            let found = decoder.decode(black_box(&body[at..])).expect("it is well-formed");
            at += found.consumed;
            content += found.data.len();
        }
        assert_eq!(content, 8 * 512);
    })
}

fn path(raw: &'static [u8]) -> Box<dyn FnMut()> {
    let mut out = Vec::new();
    Box::new(move || {
        out.clear();
        canonical_path(black_box(raw), &mut out).expect("it is a path");
        black_box(&out);
    })
}

fn host() -> Box<dyn FnMut()> {
    let mut out = Vec::new();
    Box::new(move || {
        out.clear();
        canonical_host(black_box(b"WWW.Shop.Example:8080"), &mut out).expect("it is a host");
        black_box(&out);
    })
}

fn domains(hosts: &[String]) -> DomainTable {
    let domains = hosts.iter().enumerate().map(|(n, host)| Domain {
        key: format!("shop-{n:03}/shop").into(),
        namespace: n as u32,
        priority: 0,
        patterns: vec![host.parse().expect("a pattern")],
    });
    DomainTable::new(domains.collect(), None)
}

fn hosts() -> Vec<String> {
    (0..100).map(|n| format!("shop-{n:03}.example")).collect()
}

fn domain() -> Box<dyn FnMut()> {
    let hosts = hosts();
    let table = domains(&hosts);
    let mut turn = 0;
    Box::new(move || {
        turn = (turn + 1) % hosts.len();
        assert_eq!(table.find(black_box(&hosts[turn])), Some(turn as u32));
    })
}

/// The routes of `tidegate-perf compare --workloads routes-10k`, asked for in its order: no two that follow each other have
/// anything in common.
fn scattered() -> Box<dyn FnMut()> {
    let (hosts, paths) = (hosts(), (0..100).map(|n| format!("/small/{n}")).collect::<Vec<String>>());
    let table = domains(&hosts);
    let tree = |domain: usize| {
        let mut tree = PathTree::default();
        for (n, path) in paths.iter().enumerate() {
            let route = Arc::new(route((domain * 100 + n) as u32));
            tree.insert(&path.parse().expect("a pattern"), MethodSet::any(), route);
        }
        tree
    };
    let (trees, mut turn): (Vec<_>, _) = ((0..hosts.len()).map(tree).collect(), 0);
    Box::new(move || {
        turn = (turn + 7_919) % 10_000;
        let (host, path) = (&hosts[turn / 100], paths[turn % 100].as_bytes());
        let tree = table.find(black_box(host)).and_then(|namespace| trees.get(namespace as usize));
        let found = tree.map(|tree| tree.find(black_box(path), &Method::GET));
        let Some(Found::Match(found)) = found else { panic!("every one is there") };
        assert_eq!(found.value.slot as usize, turn);
    })
}

fn route_of_many() -> Box<dyn FnMut()> {
    let mut tree = PathTree::default();
    for n in 0..10_000 {
        let pattern = format!("/shop-{}/items-{n}/{{id}}/reviews", n % 100);
        tree.insert(&pattern.parse().expect("a pattern"), MethodSet::any(), n);
    }
    let paths: Vec<String> = (0..200)
        .map(|n| n * 37 % 10_000)
        .map(|n| format!("/shop-{}/items-{n}/4711/reviews", n % 100))
        .collect();
    let mut turn = 0;
    Box::new(move || {
        turn = (turn + 1) % paths.len();
        assert!(matches!(tree.find(black_box(paths[turn].as_bytes()), &Method::GET), Found::Match(_)));
    })
}

/// A sink that gives the same buffers again and again.
struct Again(Vec<Vec<u8>>);

impl RecordSink for Again {
    fn buffer(&mut self) -> Vec<u8> {
        self.0.pop().unwrap_or_else(|| Vec::with_capacity(64 << 10))
    }

    fn submit(&mut self, mut lines: Vec<u8>) -> bool {
        lines.clear();
        self.0.push(lines);
        true
    }
}

fn route(slot: u32) -> Route {
    let service = Service {
        slot: 0,
        key: "default/origin".into(),
        description: "{}".into(),
        endpoints: vec![Endpoint {
            url: "http://10.0.0.7:8000".into(),
            authority: (*b"10.0.0.7:8000").into(),
            base_path: Box::default(),
            query: None,
            addresses: Box::default(),
        }],
        retries: 0,
        retry_wait: Duration::ZERO,
        connect_timeout: Duration::ZERO,
        request_timeout: Duration::ZERO,
        hide_gateway_headers: false,
        disable_query_params: false,
    };
    Route {
        slot,
        key: "default/items".into(),
        namespace: "default".into(),
        description: "{}".into(),
        methods: MethodSet::any(),
        preserve_host: false,
        strip_path: false,
        allow_encoded_slash: false,
        service: Some(Arc::new(service)),
        response: None,
        pipeline: None,
        max_body_bytes: u64::MAX,
    }
}

fn desk() -> Desk {
    Desk::new(route(0), Box::new(Again(Vec::new())))
}

fn to_upstream() -> Box<dyn FnMut()> {
    let (desk, head, mut out) = (desk(), parsed_request(BROWSER), Vec::new());
    Box::new(move || {
        out.clear();
        desk.request_upstream(&mut out, black_box(&head));
        black_box(&out);
    })
}

fn to_client() -> Box<dyn FnMut()> {
    let mut head = ResponseHead::default();
    assert_eq!(head.parse(&mut RESPONSE.into(), &LIMITS, &Method::GET), Ok(true));
    let (desk, mut out) = (desk(), Vec::new());
    Box::new(move || {
        out.clear();
        desk.response_to_client(&mut out, black_box(&head));
        black_box(&out);
    })
}

fn access_line() -> Box<dyn FnMut()> {
    let (desk, head) = (desk(), parsed_request(BROWSER));
    Box::new(move || desk.access_line(black_box(&head)))
}

fn histogram() -> Box<dyn FnMut()> {
    let (mut times, mut ns) = (Times::new(3), 10_000);
    Box::new(move || {
        ns = ns * 7 % 1_000_003 + 1_000;
        black_box(&mut times).record(Phase::Total, black_box(ns));
    })
}

fn best(rounds: usize, per_round: usize, runs: &mut [Box<dyn FnMut()>]) -> Vec<f64> {
    let mut best = vec![f64::MAX; runs.len()];
    for _ in 0..rounds {
        for (run, best) in runs.iter_mut().zip(&mut best) {
            let start = Instant::now();
            (0..per_round).for_each(|_| run());
            *best = best.min(start.elapsed().as_nanos() as f64 / per_round as f64);
        }
    }
    best
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [call, name, times, count] = &arguments[..] {
        let count: u32 =
            count.parse().ok().filter(|_| call == "--call" && times == "--times").expect("usage");
        let (_, make) = CASES.iter().find(|(known, _)| known == name).expect("a name that --json gives");
        let mut run = make();
        return (0..count).for_each(|_| run());
    }
    let json = arguments.first().is_some_and(|first| first == "--json");
    let mut runs: Vec<Box<dyn FnMut()>> = CASES.iter().map(|(_, make)| make()).collect();
    for ((name, _), ns) in CASES.iter().zip(best(40, 2_000, &mut runs)) {
        match json {
            true => println!("{{\"name\":\"{name}\",\"nanoseconds\":{ns}}}"),
            false => println!("{name:<42} {ns:>9.1} ns"),
        }
    }
}

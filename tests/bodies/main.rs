//! Bodies far larger than memory should ever hold, in each direction and framing: they arrive whole while the gateway's
//! memory stays flat. `TIDEGATE_BODY_GB` makes them larger, for a look by hand with a release build.

#[path = "../harness/mod.rs"]
mod harness;

use base64::Engine as _;
use harness::{Config, Gateway, Stream, Upstream, ok};
use serde_json::json;
use std::io::{Read, Write};
use std::time::Instant;

/// What the gateway may grow by while any number of bytes passes: buffers, and what the allocator keeps of them.
const MOST_GROWTH_KIB: u64 = 16 << 10;
const PIECE: usize = 1 << 20;

fn size() -> u64 {
    let gigabytes = std::env::var("TIDEGATE_BODY_GB").ok().and_then(|text| text.parse().ok());
    gigabytes.unwrap_or(1u64) << 30
}

/// Bytes whose place can be told from their value, so that none can be lost or come twice unseen.
fn piece(n: u64) -> Vec<u8> {
    let mut bytes = vec![n as u8; PIECE];
    bytes[..8].copy_from_slice(&n.to_le_bytes());
    bytes
}

/// Writes the pieces of a body, in chunks where asked.
fn pour(socket: &mut impl Write, size: u64, is_chunked: bool) -> std::io::Result<()> {
    for n in 0..size / PIECE as u64 {
        if is_chunked {
            write!(socket, "{PIECE:x}\r\n")?;
        }
        socket.write_all(&piece(n))?;
        if is_chunked {
            socket.write_all(b"\r\n")?;
        }
    }
    if is_chunked { socket.write_all(b"0\r\n\r\n") } else { Ok(()) }
}

/// Follows a body that was poured; panics at the first byte that is not in its place.
#[derive(Default)]
struct Gauge {
    seen: u64,
    number: [u8; 8],
}

impl Gauge {
    fn take(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let at = (self.seen % PIECE as u64) as usize;
            let run = bytes.len().min(if at < 8 { 8 - at } else { PIECE - at });
            let (now, rest) = bytes.split_at(run);
            if at < 8 {
                self.number[at..at + run].copy_from_slice(now);
            } else {
                let n = self.seen / PIECE as u64;
                assert_eq!(u64::from_le_bytes(self.number), n, "a piece is lost or came twice");
                assert!(now.iter().all(|b| *b == n as u8), "a byte is out of its place");
            }
            self.seen += run as u64;
            bytes = rest;
        }
    }

    /// Reads so many bytes of a body that is not in chunks.
    fn read(&mut self, stream: &mut Stream, size: u64) {
        let early = stream.take_rest();
        self.take(&early);
        let mut buffer = vec![0; PIECE];
        while self.seen < size {
            let read = stream.socket.read(&mut buffer).expect("more of the body");
            assert!(read > 0, "the body ends at {} of {size}", self.seen);
            self.take(&buffer[..read]);
        }
    }
}

/// Runs one transfer and says what it took.
fn flat(name: &str, gateway: &Gateway, size: u64, transfer: impl FnOnce()) {
    gateway.get("/warm");
    let (before, from) = (gateway.memory_kib("VmRSS"), Instant::now());
    transfer();
    let (after, peak) = (gateway.memory_kib("VmRSS"), gateway.memory_kib("VmHWM"));
    let speed = size as f64 / f64::from(1 << 20) / from.elapsed().as_secs_f64();
    println!("{name}: {} MiB at {speed:.0} MiB/s, RSS {before} -> {after} KiB, peak {peak} KiB", size >> 20);
    assert!(peak <= before + MOST_GROWTH_KIB, "{name}: memory grew from {before} to {peak} KiB");
}

/// Passes every piece on as it is.
const MODULE: &str = "
const pass = () => new TransformStream({ transform: (piece, out) => out.enqueue(piece) });
export function requestModifier(ctx) {
    if (ctx.request().method === 'POST') ctx.request().writeBody(ctx.request().body.pipeThrough(pass()));
}
export function responseModifier(ctx) {
    if (ctx.request().method === 'GET') ctx.upstream().writeBody(ctx.upstream().body.pipeThrough(pass()));
}";

/// The route goes through a module that streams.
fn scripted(config: Config) -> Config {
    let payload = base64::engine::general_purpose::STANDARD.encode(MODULE);
    config
        .add("modules", json!({ "name": "pass", "moduleType": "javascript", "payload": payload }))
        .add("routes", json!({ "name": "piped", "paths": ["/piped/*"], "methods": ["*"], "service": "big", "modules": ["pass"], "stripPath": true }))
}

fn upload(path: &str, runtime: &str, is_chunked: bool, size: u64) {
    let upstream = Upstream::new(move |visit| {
        loop {
            let head = visit.head()?;
            if head.target() != "/big" {
                visit.body(head)?;
                visit.write(ok("warm"))?;
                continue;
            }
            let mut gauge = Gauge::default();
            if is_chunked || head.get("transfer-encoding").is_some() {
                visit.stream.chunks(|data| gauge.take(data)).expect("a whole body");
            } else {
                gauge.read(&mut visit.stream, size);
            }
            visit.write(ok(&gauge.seen.to_string()))?;
        }
    });
    let config = scripted(Config::new().serve("big", upstream.url()).serve("warm", upstream.url()));
    let gateway = Gateway::start(runtime, &config, &[]);
    flat(&format!("{path} up, chunked: {is_chunked}, {runtime}"), &gateway, size, || {
        let mut client = gateway.connect();
        let framing = match is_chunked {
            true => "Transfer-Encoding: chunked".to_string(),
            false => format!("Content-Length: {}", size),
        };
        client.send(format!("POST {path} HTTP/1.1\r\nHost: h\r\n{framing}\r\n\r\n"));
        pour(&mut client.stream.socket, size, is_chunked).expect("taken");
        assert_eq!(client.response().text(), size.to_string());
    });
}

fn download(path: &str, runtime: &str, is_chunked: bool, size: u64) {
    let upstream = Upstream::new(move |visit| {
        loop {
            if visit.request()?.target() != "/big" {
                visit.write(ok("warm"))?;
                continue;
            }
            let framing = match is_chunked {
                true => "Transfer-Encoding: chunked".to_string(),
                false => format!("Content-Length: {}", size),
            };
            visit.write(format!("HTTP/1.1 200 OK\r\n{framing}\r\n\r\n"))?;
            pour(&mut visit.stream.socket, size, is_chunked).ok()?;
        }
    });
    let config = scripted(Config::new().serve("big", upstream.url()).serve("warm", upstream.url()));
    let gateway = Gateway::start(runtime, &config, &[]);
    flat(&format!("{path} down, chunked: {is_chunked}, {runtime}"), &gateway, size, || {
        let mut client = gateway.connect();
        client.send(format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n"));
        let head = client.head();
        assert_eq!(head.status(), 200);
        let mut gauge = Gauge::default();
        if is_chunked || path != "/big" {
            client.stream.chunks(|data| gauge.take(data)).expect("a whole body");
        } else {
            gauge.read(&mut client.stream, size);
        }
        assert_eq!(gauge.seen, size);
    });
}

/// One after another: side by side they would share the cores and the time would say nothing. Chunks are a quarter of
/// it: what is slow about them in a debug build is this test.
#[test]
fn a_gigabyte_passes_in_each_direction_at_flat_memory() {
    upload("/big", "auto", false, size());
    download("/big", "auto", false, size());
    upload("/big", "auto", true, size() / 4);
    download("/big", "auto", true, size() / 4);
    upload("/big", "epoll", true, size() / 8);
    download("/big", "epoll", false, size() / 8);
}

/// The same through a module that gets every piece into its hands; a tenth of it, in JavaScript that is not optimised.
#[test]
fn bodies_stream_through_a_module_at_flat_memory() {
    download("/piped/big", "auto", false, size() / 8);
    upload("/piped/big", "auto", false, size() / 8);
    download("/piped/big", "epoll", true, size() / 16);
    upload("/piped/big", "epoll", true, size() / 16);
}

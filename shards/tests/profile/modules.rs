//! What modules take, and the rows that are kept for single routes, services and modules when somebody asks.

use crate::rig::{Client, Rig, SLOW, Wanted, seen, upstream};
use crate::{OK, check, each};
use std::sync::Arc;
use std::time::Duration;
use tidegate_js::{Function, Language};
use tidegate_shards::{Limits, SocketOptions};
use tidegate_snapshot::*;

pub fn pipeline(source: &str) -> Option<Arc<Pipeline>> {
    let compiled = tidegate_js::compile("slow", source, Language::JavaScript).expect("it compiles");
    let has = |function| compiled.functions.has(function);
    let functions = ScriptFunctions {
        fetch_upstream: has(Function::FetchUpstream),
        request_modifier: has(Function::RequestModifier),
        response_modifier: has(Function::ResponseModifier),
        request_handler: has(Function::RequestHandler),
        error_handler: has(Function::ErrorHandler),
    };
    let code = compiled.code();
    let script = Script {
        slot: 0,
        key: "default/slow".into(),
        namespace: "default".into(),
        modules: Box::new([ModuleCode {
            name: code.name,
            bytecode: code.bytecode,
            source_map: code.source_map,
        }]),
        functions,
        limits: ModuleLimits { cpu_ms: 1_000, ..ModuleLimits::default() },
        permissions: Arc::default(),
    };
    let variant = Variant { script: Arc::new(script), when: Box::default(), share: None };
    let stages = Box::new([Stage { variants: Box::new([variant]) }]);
    Some(Arc::new(Pipeline { stages, functions }))
}

const SLEEP: &str = "const sleep = () => new Promise(done => setTimeout(done, 50));";

const ALL: Scopes = Scopes { routes: true, services: true, modules: true };

fn answers_late(client: &mut Client) {
    each(client, "\r\n\r\n", |client| {
        std::thread::sleep(SLOW);
        client.send(OK);
    });
}

/// The rows of all intervals by scope and key, and how many found no room.
fn rows(intervals: &[Arc<IntervalProfile>]) -> (Vec<(Scope, String, Times)>, u64) {
    let mut rows: Vec<(Scope, String, Times)> = Vec::new();
    for row in intervals.iter().flat_map(|interval| &interval.rows) {
        match rows.iter_mut().find(|(scope, key, _)| (*scope, key.as_str()) == (row.scope, &*row.key)) {
            Some((.., times)) => times.add(&row.times),
            None => rows.push((row.scope, row.key.to_string(), row.times.clone())),
        }
    }
    rows.sort_by_key(|(scope, key, _)| (*scope, key.clone()));
    (rows, intervals.iter().map(|interval| interval.rows_refused).sum())
}

#[test]
fn a_module_that_sleeps_shows_in_module() {
    let handler = format!(
        "{SLEEP} export async function requestHandler(ctx) {{ await sleep(); return new Response('ok') }}"
    );
    let rig = Rig::start(None, Wanted { pipeline: pipeline(&handler), ..Wanted::default() });
    let mut client = rig.connect();
    // The first finds no engine yet, which the gateway has to make.
    (0..3).for_each(|_| drop(client.get("ok")));
    check(
        &rig.sum(),
        3,
        &[Phase::Total, Phase::Module],
        &[Phase::Connect, Phase::FirstByte, Phase::Transfer],
    );
}

#[test]
fn both_functions_of_a_module_add_up_and_the_upstream_is_not_in_them() {
    let both = format!(
        "{SLEEP} export async function requestModifier(ctx) {{ await sleep() }} export async function responseModifier(ctx) {{ await sleep() }}"
    );
    let wanted = Wanted { pipeline: pipeline(&both), scopes: ALL, ..Wanted::default() };
    let rig = Rig::start(Some(upstream(answers_late)), wanted);
    let mut client = rig.connect();
    client.get("ok");
    client.get("ok");
    drop(client);
    let intervals = rig.end();
    let mut sum = Times::new(3);
    intervals.iter().for_each(|interval| sum.add(&interval.times));
    check(&sum, 2, &[Phase::Total, Phase::Module, Phase::FirstByte], &[Phase::Transfer]);
    let slow = SLOW.as_secs_f64() * 1e3;
    let (module, first_byte) = (seen(&sum, Phase::Module).1, seen(&sum, Phase::FirstByte).1);
    assert!(module > slow * 2.0 - 2.0 && module < slow * 2.9, "both functions: {module} ms");
    assert!(first_byte < slow * 1.9, "the upstream alone: {first_byte} ms");
    let (rows, refused) = rows(&intervals);
    let found: Vec<_> = rows.iter().map(|(scope, key, _)| (*scope, key.as_str())).collect();
    let expected = [
        (Scope::Route, "default/all"),
        (Scope::Service, "default/upstream"),
        (Scope::Module, "default/slow"),
    ];
    assert_eq!((found, refused), (expected.to_vec(), 0));
    for (scope, _, times) in &rows {
        let phases = if *scope == Scope::Module { &[Phase::Module][..] } else { &Phase::ALL };
        for phase in Phase::ALL {
            let expected = if phases.contains(&phase) { sum.of(phase).len() } else { 0 };
            assert_eq!(times.of(phase).len(), expected, "{scope:?} {phase:?}");
        }
    }
}

#[test]
fn rows_come_when_they_are_asked_for_and_go_again() {
    let limits = Limits { hdr_interval: Duration::from_millis(20), ..Limits::default() };
    let mut rig = Rig::start(Some(upstream(answers_late)), Wanted { limits, ..Wanted::default() });
    let mut client = rig.connect();
    for (scopes, until_ms, rows) in [
        (Scopes::default(), u64::MAX, 0),
        (Scopes { services: false, modules: false, ..ALL }, u64::MAX, 1),
        (ALL, u64::MAX, 2),
        (ALL, 1, 0),
    ] {
        let order = ProfileOrder { scopes, until_ms, ..ProfileOrder::default() };
        assert!(rig.inbox.send(ToShard::Profile(order)).is_ok());
        // The answer takes longer than two intervals, so that each request is counted in one of its own.
        client.get("ok");
        assert_eq!(rig.next().rows.len(), rows, "{scopes:?}");
    }
}

#[test]
fn what_finds_no_room_is_counted_with_the_others() {
    let limits = Limits { profile_rows: 1, ..Limits::default() };
    let wanted = Wanted { limits, scopes: ALL, ..Wanted::default() };
    let rig = Rig::start(Some(upstream(answers_late)), wanted);
    rig.connect().get("ok");
    let (rows, refused) = rows(&rig.end());
    let found: Vec<_> = rows.iter().map(|(scope, key, _)| (*scope, key.as_str())).collect();
    assert_eq!((found, refused), (vec![(Scope::Route, "default/all"), (Scope::Service, OTHERS)], 1));
    assert_eq!(rows[1].2.of(Phase::Total).len(), 1);
}

#[test]
fn an_order_begins_an_interval_and_keeps_room_for_its_key() {
    let limits = Limits { profile_rows: 1, ..Limits::default() };
    let rig = Rig::start(Some(upstream(answers_late)), Wanted { limits, ..Wanted::default() });
    let mut client = rig.connect();
    client.get("ok");
    let keys = [(Scope::Service, "default/upstream".into()), (Scope::Route, "default/none".into())];
    let order = ProfileOrder { keys: keys.into(), until_ms: u64::MAX, is_cut: true, ..Default::default() };
    assert!(rig.inbox.send(ToShard::Profile(order)).is_ok());
    // An interval is a second without it.
    let began = std::time::Instant::now();
    let first = rig.intervals.recv_timeout(Duration::from_millis(900)).expect("cut at once");
    assert!(first.rows.is_empty() && began.elapsed() < Duration::from_millis(900));
    client.get("ok");
    drop((client, first));
    let seen = rig.end_from(1);
    let (rows, refused) = rows(&seen);
    let found: Vec<_> = rows.iter().map(|(scope, key, _)| (*scope, key.as_str())).collect();
    assert_eq!((found, refused), (vec![(Scope::Service, "default/upstream")], 0));
}

#[test]
fn a_client_that_reads_slowly_is_no_tax() {
    let client_socket = SocketOptions { send_buffer: 16 << 10, ..SocketOptions::default() };
    let limits = Limits { client_socket, ..Limits::default() };
    let handler = "export function requestHandler(ctx) { return new Response('x'.repeat(8 << 20) + '.') }";
    let rig = Rig::start(None, Wanted { limits, pipeline: pipeline(handler), ..Wanted::default() });
    let mut client = rig.connect();
    // The first finds no engine yet, which the gateway has to make.
    client.get(".");
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    std::thread::sleep(20 * SLOW);
    client.read_to(".");
    let times = rig.sum();
    let longest = |phase| times.of(phase).max() as f64 / 1e6;
    let (total, tax) = (longest(Phase::Total), longest(Phase::Tax));
    assert!(total > 900.0 && tax < 600.0, "total {total} ms, tax {tax} ms");
}

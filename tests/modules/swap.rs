//! A module is replaced while requests run: every response comes from exactly one version, and the version that was
//! answered for is the one that the next request meets.

use crate::Stage;
use crate::operator::node::client;
use std::sync::atomic::{AtomicBool, Ordering};

/// Every function of a version, and what it imports, says which one it is.
fn version(n: u32) -> [(&'static str, String); 2] {
    let part = format!("export const part: string = 'v{n}';");
    let whole = format!(
        "import {{ part }} from './part';
         import {{ asyncSleep }} from 'dgate';
         export async function requestModifier(ctx: any) {{
            ctx.request().headers.set('X-Request', 'v{n} ' + part); await asyncSleep('1ms');
         }}
         export async function responseModifier(ctx: any) {{
            await asyncSleep('1ms');
            const up = ctx.upstream(), told = await up.readJson();
            up.headers.set('X-Version', 'v{n}');
            up.writeJson({{ request: told.fields['x-request'], response: 'v{n}', part }});
         }}"
    );
    [("part", part), ("whole", whole)]
}

#[test]
fn responses_are_of_one_version_each() {
    let stage = Stage::with(&[("--shards", "2")]);
    // One import at a time would be a mixture by right: both change in one file's worth of versions here.
    let write = |n: u32| {
        let [(_, part), (_, whole)] = version(n);
        let source = whole.replace("import { part } from './part';", &part.replace("export ", ""));
        stage.node.module("whole", &source);
    };
    write(0);
    stage.route("whole", &["whole"], Some("s"));
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    let (mut client, mut seen) =
                        (client(stage.node.proxy), std::collections::BTreeSet::new());
                    while !over.load(Ordering::Relaxed) {
                        let answer = client.get("/whole");
                        let v = answer.get("x-version").unwrap_or_default().to_owned();
                        let expected =
                            format!("{{\"request\":\"{v} {v}\",\"response\":\"{v}\",\"part\":\"{v}\"}}");
                        assert_eq!(
                            (answer.status(), answer.text()),
                            (203, expected),
                            "a mixture: {answer:?}"
                        );
                        seen.insert(v);
                    }
                    seen
                })
            })
            .collect();
        for n in 1..60 {
            write(n);
            for _ in 0..2 {
                assert_eq!(stage.get("/whole").get("x-version"), Some(format!("v{n}").as_str()));
            }
            assert!(!threads.iter().any(|thread| thread.is_finished()), "a client failed");
        }
        over.store(true, Ordering::Relaxed);
        let seen: usize =
            threads.into_iter().map(|thread| thread.join().expect("no mixture").len()).max().unwrap_or(0);
        assert!(seen > 5, "the clients saw versions go by: {seen}");
    });
}

/// How often a module is replaced; `TIDEGATE_SWAPS` for more, by hand with a release build.
fn swaps() -> u32 {
    std::env::var("TIDEGATE_SWAPS").ok().and_then(|text| text.parse().ok()).unwrap_or(150)
}

/// Without what is mapped from files: the store keeps a log of all the versions.
fn resident_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it lives");
    let line = status.lines().find(|line| line.starts_with("RssAnon")).expect("a line of memory");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("a number")
}

/// Under load: no request fails, memory stays where it is, and the first call of a version is about as fast as others.
#[test]
fn swaps_cost_neither_memory_nor_a_request() {
    let stage = Stage::with(&[("--shards", "1")]);
    let write = |n: u32| {
        // As large as real modules are.
        let filler: String =
            (0..200).map(|i| format!("function unused{i}(a: number) {{ return a + {i} }}\n")).collect();
        let source =
            format!("{filler} export const requestHandler = (ctx: any) => ctx.response().send('v{n}')");
        stage.node.module("swapped", &source);
    };
    write(0);
    stage.alone("steady", "export const requestHandler = (ctx: any) => ctx.response().send('steady')");
    stage.route("swapped", &["swapped"], None);
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let load: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let mut client = client(stage.node.proxy);
                    let mut served = 0;
                    while !over.load(Ordering::Relaxed) {
                        assert_eq!(client.get("/steady").text(), "steady");
                        let answer = client.get("/swapped");
                        assert!(answer.status() == 200 && answer.text().starts_with('v'), "{answer:?}");
                        served += 2;
                    }
                    served
                })
            })
            .collect();
        let mut own = client(stage.node.proxy);
        let mut time = |path: &str| {
            let begun = std::time::Instant::now();
            let answer = own.get(path);
            (begun.elapsed(), answer.text())
        };
        let (mut first, mut later, mut warm) = (Vec::new(), Vec::new(), 0);
        for n in 1..=swaps() {
            write(n);
            let (took, text) = time("/swapped");
            assert_eq!(text, format!("v{n}"));
            first.push(took);
            later.push(time("/swapped").0);
            if n == swaps() / 3 {
                warm = resident_kib(stage.node.pid());
            }
        }
        let after = resident_kib(stage.node.pid());
        over.store(true, Ordering::Relaxed);
        let served: u32 = load.into_iter().map(|thread| thread.join().expect("no request fails")).sum();
        first.sort();
        later.sort();
        let at = |times: &[std::time::Duration], part: usize| times[times.len() * part / 100];
        println!(
            "{} swaps, {served} requests: first calls p50 {:?} p99 {:?}, later ones p50 {:?} p99 {:?}; anonymous memory {warm} -> {after} KiB",
            swaps(),
            at(&first, 50),
            at(&first, 99),
            at(&later, 50),
            at(&later, 99)
        );
        assert!(served > swaps(), "there was load: {served}");
        assert!(after < warm + (12 << 10), "memory grew from {warm} to {after} KiB");
        assert!(
            at(&first, 50) < at(&later, 50) + std::time::Duration::from_millis(50),
            "the first call of a version waits"
        );
    });
}

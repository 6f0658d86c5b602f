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

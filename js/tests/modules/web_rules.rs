//! Rules of the web-standard classes that the web platform tests have no cases for here: Headers, Request, Response,
//! Blob and FormData; and that nobody gets at more than those classes.

use proptest::prelude::*;
use tidegate_js::{Answer, Cause, Function, Grants, Limits, Runtime};

use crate::harness::{Bench, Shared, TestExchange, eval, ts};

fn check(cases: &[(&str, &str)]) {
    for (statements, expected) in cases {
        assert_eq!(eval(statements), *expected, "{statements}");
    }
}

#[test]
fn headers() {
    check(&[
        (
            "const h = new Headers({ B: '1', a: '2' }); h.append('b', '3'); return JSON.stringify([...h])",
            "[[\"a\",\"2\"],[\"b\",\"1, 3\"]]",
        ),
        (
            "const h = new Headers([['x', ' y\\t']]); return '[' + h.get('X') + ']' + h.get('z') + h.has('x')",
            "[y]nulltrue",
        ),
        (
            "const h = new Headers([['Set-Cookie', 'a'], ['set-cookie', 'b']]); return h.getSetCookie().join('|') + h.get('set-cookie') + [...h.keys()]",
            "a|ba, bset-cookie,set-cookie",
        ),
        (
            "const h = new Headers({ a: '1' }); h.set('A', '2'); h.delete('b'); return new Headers(h).get('a')!",
            "2",
        ),
        ("try { new Headers({ 'a b': 'x' }) } catch (e) { return e.name }", "TypeError"),
        ("try { new Headers({ a: 'x\\ny' }) } catch (e) { return e.name }", "TypeError"),
        ("try { new Headers({ a: 'ł' }) } catch (e) { return e.name }", "TypeError"),
        ("try { new Headers([['a']] as any) } catch (e) { return e.name }", "TypeError"),
        ("try { new Headers('a' as any) } catch (e) { return e.name }", "TypeError"),
        (
            "try { Response.redirect('http://a/').headers.set('a', 'b') } catch (e) { return e.name }",
            "TypeError",
        ),
        (
            "const h = new Headers({ a: '1' }); let s = ''; for (const [n, v] of h) { s += n + v; if (n === 'a') h.append('b', '2') } return s",
            "a1b2",
        ),
        (
            "return Object.prototype.toString.call(new Headers()) + JSON.stringify(new Headers({ A: 'b' }))",
            "[object Headers]{\"a\":\"b\"}",
        ),
        (
            "const r = new Request('http://a/', { headers: { Host: 'b', 'Content-Length': '1', Expect: 'x', TE: 'y', X: 'z' } }); return [...r.headers.keys()].join()",
            "x",
        ),
    ]);
}

#[test]
fn requests_and_responses() {
    check(&[
        (
            "const r = new Request('HTTP://A.test:80/x y'); return r.url + r.method + r.redirect + r.signal.aborted + r.bodyUsed",
            "http://a.test/x%20yGETfollowfalsefalse",
        ),
        (
            "return new Request('http://a/', { method: 'patch' }).method + new Request('http://a/', { method: 'put' }).method",
            "patchPUT",
        ),
        ("try { new Request('http://a/', { method: 'TRACE' }) } catch (e) { return e.name }", "TypeError"),
        (
            "const a = new Request('http://a/', { method: 'POST', body: 'x' }); const b = new Request(a); return await b.text() + a.bodyUsed",
            "xtrue",
        ),
        (
            "const a = new Request('http://a/', { method: 'POST', body: 'x', headers: { q: '1' } }); const b = a.clone(); return await a.text() + await b.text() + b.headers.get('q')",
            "xx1",
        ),
        (
            "const r = new Response('äö'); return await r.text() + r.status + r.ok + r.headers.get('content-type') + r.type",
            "äö200truetext/plain;charset=UTF-8default",
        ),
        ("return '' + (await new Response(new Uint8Array([1, 2, 3]).subarray(1)).bytes())", "2,3"),
        (
            "const b = await new Response('abc', { headers: { 'content-type': 'a/b' } }).blob(); return b.type + b.size + await b.text()",
            "a/b3abc",
        ),
        ("const r = new Response('{bad'); try { await r.json() } catch (e) { return e.name }", "SyntaxError"),
        ("try { new Response('', { status: 99 }) } catch (e) { return e.name }", "RangeError"),
        ("try { new Response('x', { status: 204 }) } catch (e) { return e.name }", "TypeError"),
        ("try { Response.redirect('http://a/', 200) } catch (e) { return e.name }", "RangeError"),
        ("try { Response.json(undefined) } catch (e) { return e.name }", "TypeError"),
        ("const r = Response.error(); return r.type + r.status", "error0"),
        (
            "const r = new Response('x'); r.body!.getReader(); return '' + r.bodyUsed + await r.text().catch((e) => e.name)",
            "falseTypeError",
        ),
        (
            "const r = new Response('x'); const c = r.clone(); for await (const _ of r.body!) {} return '' + r.bodyUsed + c.bodyUsed + await c.text()",
            "truefalsex",
        ),
        (
            "const s = new ReadableStream({ start(c) { c.enqueue(new Uint8Array([104])); c.enqueue(new Uint8Array([105])); c.close() } }); return await new Response(s).text()",
            "hi",
        ),
        (
            "const s = new ReadableStream({ start(c) { c.enqueue('text'); c.close() } }); return await new Response(s).text().catch((e) => e.message)",
            "the stream of a body must give Uint8Arrays",
        ),
        (
            "const a = await new Response('x').arrayBuffer(); return '' + (a instanceof ArrayBuffer) + a.byteLength",
            "true1",
        ),
        (
            "class Mine extends Response { own() { return this.status } } return '' + new Mine('x').own() + (new Mine() instanceof Response)",
            "200true",
        ),
        (
            "try { Response.prototype.text.call({} as any).catch((e: any) => e); return 'rejected' } catch (e) { return 'threw' }",
            "rejected",
        ),
    ]);
}

#[test]
fn blobs_and_forms() {
    check(&[
        (
            "const b = new Blob(['a', new Uint8Array([98]), new Blob(['c'])], { type: 'T/X' }); return b.size + b.type + await b.text() + await b.slice(1, 2).text()",
            "3t/xabcb",
        ),
        (
            "const f = new File(['x'], 'n.txt', { type: 'a/b', lastModified: 5 }); return f.name + f.lastModified + (f instanceof Blob)",
            "n.txt5true",
        ),
        ("let s = ''; for await (const c of new Blob(['hi']).stream()) s += c.length; return s", "2"),
        (
            "const f = new FormData(); f.append('a', '1'); f.append('a', '2'); f.set('b', '3'); return [...f].join(';') + f.getAll('a') + f.get('z') + f.has('b')",
            "a,1;a,2;b,31,2nulltrue",
        ),
        (
            "const f = new FormData(); f.append('a', '1'); f.append('f', new Blob(['xy'], { type: 'q/r' }), 'n'); const r = new Response(f); const g = await r.formData(); const file: any = g.get('f'); return g.get('a') + file.name + file.type + await file.text()",
            "1nq/rxy",
        ),
        (
            "const r = new Response('a=1&b=%20', { headers: { 'content-type': 'application/x-www-form-urlencoded' } }); return [...(await r.formData())].join(';')",
            "a,1;b, ",
        ),
        ("return await new Response('x').formData().catch((e) => e.name)", "TypeError"),
        ("const c = structuredClone(new Blob(['q'])); return await c.text()", "q"),
    ]);
}

#[test]
fn laziness_gives_nothing_away() {
    check(&[
        (
            "return ['URL', 'fetch', 'Response', 'ReadableStream', 'AbortSignal', 'console', 'crypto'].map((n) => typeof (globalThis as any)[n]).join()",
            "function,function,function,function,function,object,object",
        ),
        ("return '' + (URL === URL) + (new URL('http://a/') instanceof URL)", "truetrue"),
    ]);
}

thread_local! {
    static GARBAGE: Bench = Bench::ts(
        "export async function requestHandler(ctx: any) {
            const [a, b] = ctx.request().headers.get('garbage').split('|').concat('');
            const half = a.replaceAll('q', '\\ud800');
            const tried = [
                () => { const u = new URL('http://x/'); for (const p of ['href', 'protocol', 'host', 'hostname', 'port', 'pathname', 'search', 'hash', 'username', 'password']) try { (u as any)[p] = half } catch {} return u.href },
                () => new URL(a, b).href, () => new URL(half, 'http://a/').searchParams.toString(), () => new URLSearchParams(half).toString(),
                () => new URLPattern(a, b).exec(half, b), () => new URLPattern({ pathname: half, hostname: b }).test('http://a/' + a),
                () => new TextDecoder(a), () => new TextDecoder('utf-16le', { fatal: true }).decode(new TextEncoder().encode(half), { stream: true }),
                () => atob(half), () => btoa(half), () => new Headers({ [a]: half }), () => new Response(half, { statusText: a, status: a.length }),
                () => new Request(a, { method: b }), () => structuredClone({ [half]: a }), () => new Date(a), () => new Blob([half], { type: a }),
                () => console.log(half, a, b), () => AbortSignal.timeout(a as any), () => setTimeout(a as any, b as any), () => clearTimeout(a as any),
            ];
            let done = 0;
            for (const attempt of tried) try { attempt(); done++ } catch (e) { if (!(e instanceof Error)) throw e }
            return done > 0 ? 'alive' : 'nothing worked';
         }",
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn garbage_is_an_error_and_nothing_worse(text in "[ -~äß€🦀]{0,40}", shape in "[a-z:/?#@{}*()\\[\\]%.+q-]{0,30}") {
        let bench = GARBAGE.with(|b| Bench { host: b.host.clone(), runtime: b.runtime.clone() });
        let exchange = std::rc::Rc::new(TestExchange::default());
        exchange.fields.borrow_mut()[0].push(("garbage".into(), format!("{text}|{shape}")));
        prop_assert_eq!(bench.call(&exchange, Function::RequestHandler), Ok(Answer::Text("alive".into())));
        exchange.fields.borrow_mut()[0].last_mut().unwrap().1 = format!("{shape}|{text}");
        prop_assert_eq!(bench.call(&exchange, Function::RequestHandler), Ok(Answer::Text("alive".into())));
        prop_assert_eq!(bench.runtime.stats().contexts_made, 1);
    }
}

/// A global that is first touched where nothing is left to evaluate it with fails there, and not for ever.
#[test]
fn a_global_that_could_not_be_set_up_is_there_for_the_next_request() {
    for (name, limits) in [
        ("URL", Limits::default()),
        ("fetch", Limits::default()),
        ("ReadableStream", Limits { stack_bytes: 96 << 10, ..Limits::default() }),
    ] {
        let source = format!(
            "let first = true; let seen = '';
             export function requestHandler() {{
                 const deep = (n: number) => {{ try {{ deep(n + 1) }} catch (e) {{ try {{ {name} }} catch (e) {{ seen = e.message }} throw e }} }};
                 try {{ deep(0) }} catch {{}}
                 return 'survived';
             }}
             export function fetchUpstream() {{ return typeof {name} }}"
        );
        let bench = Bench::of(&[ts("m", &source)], limits);
        for _ in 0..3 {
            let exchange = std::rc::Rc::new(TestExchange::default());
            let _ = bench.call(&exchange, Function::RequestHandler);
            assert_eq!(
                bench.call(&exchange, Function::FetchUpstream),
                Ok(Answer::Text("function".into())),
                "{name}"
            );
        }
    }
    // The heap is full while it is set up.
    let source = "export function requestHandler() { const kept = []; for (;;) { kept.push(new Array(64).fill(1)); if (kept.length > 6000) fetch } }
                  export function fetchUpstream() { return typeof fetch }";
    for memory_bytes in (6_900_000..8_200_000).step_by(45_000) {
        let Ok(runtime) = Runtime::new(
            &[ts("m", source).code()],
            Limits { memory_bytes, cpu_ms: 1_000, ..Limits::default() },
            Grants::all(),
            std::rc::Rc::new(Shared::default()),
        ) else {
            continue;
        };
        let bench = Bench { host: Shared::default(), runtime };
        let exchange = std::rc::Rc::new(TestExchange::default());
        let failure = bench.call(&exchange, Function::RequestHandler).expect_err("it takes all there is");
        assert!(matches!(failure.cause, Cause::Memory | Cause::CpuTime), "{memory_bytes}: {failure}");
        let then = bench.call(&exchange, Function::FetchUpstream);
        assert_eq!(then, Ok(Answer::Text("function".into())), "{memory_bytes}");
    }
}

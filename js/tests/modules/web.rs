//! fetch, bodies as streams, and functions that return a `Response`.

use std::rc::Rc;

use tidegate_js::{Answer, Function, Side};

use crate::harness::{Bench, TestExchange, drive};
use crate::wires::{Far, Pieces, deliver};

fn far(status: u16, fields: &[(&'static str, &'static str)], body: &[&str]) -> Far {
    Far::Answers(status, fields.to_vec(), Pieces::of(body, false))
}

/// What the statements return, given these answers of the far end, and what that was asked.
fn asked(answers: Vec<Far>, statements: &str) -> (String, Vec<String>) {
    let bench = Bench::ts(&format!(
        "import {{ http, util, x }} from 'dgate'; import * as own from 'tidegate/http'; const used = [http, util, x, own];
         export async function requestHandler(ctx: any) {{ {statements} }}"
    ));
    bench.host.0.net.answers.borrow_mut().extend(answers);
    let text = match bench.handle().1 {
        Ok(Answer::Text(text)) => text,
        other => panic!("{statements}\n{other:?}\nconsole: {:?}", bench.host.0.texts()),
    };
    let asked = bench.host.0.net.asked.borrow().clone();
    (text, asked)
}

#[test]
fn fetch_sends_what_it_is_told_and_gives_what_comes() {
    let html = || {
        far(
            200,
            &[("Content-Type", "text/html"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")],
            &["<p>", "hi"],
        )
    };
    for (answer, statements, expected, request) in [
        (
            html(),
            "const r = await fetch('http://a.test/x?y#z'); return [r.status, r.statusText, r.ok, r.url, r.redirected, r.type, r.headers.get('content-type'), r.headers.getSetCookie().join('+'), await r.text(), r.bodyUsed].join()",
            "200,Fine,true,http://a.test/x?y,false,basic,text/html,a=1+b=2,<p>hi,true",
            "GET http://a.test/x?y accept=*/* ",
        ),
        (
            far(200, &[], &["{\"a\":", "[1]}"]),
            "const r = await fetch('http://a.test', { method: 'post', body: 'b' }); return (await r.json()).a[0] + typeof r.body",
            "1object",
            "POST http://a.test/ content-type=text/plain;charset=UTF-8,Accept=*/* b",
        ),
        (
            far(404, &[], &[]),
            "const r = await fetch(new Request('http://a.test/', { method: 'PUT', headers: { X: '1', Host: 'evil', Connection: 'x' }, body: new URLSearchParams({ q: 'ä' }) })); return '' + r.ok + (await r.arrayBuffer()).byteLength",
            "false0",
            "PUT http://a.test/ X=1,content-type=application/x-www-form-urlencoded;charset=UTF-8,Accept=*/* q=%C3%A4",
        ),
        (
            far(200, &[], &["a", "b", "c"]),
            "let s = ''; for await (const piece of (await fetch('http://a.test/')).body) s += new TextDecoder().decode(piece) + ';'; return s",
            "a;b;c;",
            "GET http://a.test/ Accept=*/* ",
        ),
        (
            far(200, &[], &["ab"]),
            "const r = await fetch('http://a.test/'); const c = r.clone(); return await r.text() + await c.text()",
            "abab",
            "GET http://a.test/ Accept=*/* ",
        ),
        (
            far(200, &[], &["up", "per"]),
            "const r = await fetch('http://a.test/'); let s = ''; const up = new TransformStream({ transform(t, c) { c.enqueue(t.toUpperCase()) } }); for await (const t of r.body.pipeThrough(new TextDecoderStream()).pipeThrough(up)) s += t; return s",
            "UPPER",
            "GET http://a.test/ Accept=*/* ",
        ),
        (
            far(200, &[], &["x"]),
            "const body = new ReadableStream({ start(c) { c.enqueue(new TextEncoder().encode('one')); c.enqueue('two'); c.close() } }); const r = await fetch('http://a.test/', { method: 'POST', body, duplex: 'half' }); return await r.text()",
            "x",
            "POST http://a.test/ Accept=*/* onetwo",
        ),
        (
            far(200, &[], &["d"]),
            "const r = await http.fetch('http://a.test/', { headers: [['A', 'b']], redirects: 'manual' }); return await r.text() + typeof r._debug_time + (own.fetch === http.fetch)",
            "dnumbertrue",
            "GET http://a.test/ A=b,Accept=*/* ",
        ),
        (
            far(200, &[("content-type", "application/x-www-form-urlencoded")], &["a=1&b=", "2"]),
            "return [...(await (await fetch('http://a.test/')).formData())].join(';')",
            "a,1;b,2",
            "GET http://a.test/ Accept=*/* ",
        ),
        (
            far(204, &[], &[]),
            "const r = await fetch('http://a.test/'); return String(r.body) + await r.text()",
            "null",
            "GET http://a.test/ Accept=*/* ",
        ),
    ] {
        let (text, requests) = asked(vec![answer], statements);
        assert_eq!(text, expected, "{statements}");
        assert_eq!(requests[0].to_lowercase(), request.to_lowercase(), "{statements}");
    }
}

#[test]
fn redirects() {
    let to = |status, location: &'static str| far(status, &[("Location", location)], &["moved"]);
    let done = || far(200, &[], &["end"]);
    for (answers, statements, expected, requests) in [
        (
            vec![to(302, "/b"), done()],
            "const r = await fetch('http://a.test/a#h', { method: 'POST', body: 'x', headers: { Authorization: 's' } }); return r.url + r.redirected + await r.text()",
            "http://a.test/btrueend",
            vec![
                "POST http://a.test/a Authorization=s,content-type=text/plain;charset=UTF-8,Accept=*/* x",
                "GET http://a.test/b Authorization=s,Accept=*/* ",
            ],
        ),
        (
            vec![to(307, "https://b.test/"), done()],
            "const r = await fetch('http://a.test/', { method: 'POST', body: 'x', headers: { Authorization: 's', cookie: 'c', 'Proxy-Authorization': 'p', X: 'y' } }); return r.url",
            "https://b.test/",
            vec![
                "POST http://a.test/ Authorization=s,cookie=c,Proxy-Authorization=p,X=y,content-type=text/plain;charset=UTF-8,Accept=*/* x",
                "POST https://b.test/ X=y,content-type=text/plain;charset=UTF-8,Accept=*/* x",
            ],
        ),
        (
            vec![to(303, "/c"), done()],
            "const r = await fetch('http://a.test/', { method: 'DELETE' }); return r.url",
            "http://a.test/c",
            vec!["DELETE http://a.test/ Accept=*/* ", "GET http://a.test/c Accept=*/* "],
        ),
        (
            vec![to(301, "/c")],
            "const r = await fetch('http://a.test/', { redirect: 'manual' }); return r.status + r.headers.get('location') + r.redirected",
            "301/cfalse",
            vec!["GET http://a.test/ Accept=*/* "],
        ),
        (
            vec![to(301, "/c")],
            "try { await fetch('http://a.test/', { redirect: 'error' }) } catch (e) { return e.name + ': ' + e.message }",
            "TypeError: fetch: http://a.test redirects, and redirect is 'error'",
            vec!["GET http://a.test/ Accept=*/* "],
        ),
        (
            vec![to(301, "file:///etc/passwd")],
            "try { await fetch('http://a.test/') } catch (e) { return e.name + ': ' + e.cause.message }",
            "TypeError: fetch: 'file:' is not supported, only http: and https: are",
            vec!["GET http://a.test/ Accept=*/* "],
        ),
        (
            vec![to(308, "/c")],
            "try { await fetch('http://a.test/', { method: 'POST', body: new ReadableStream({ start(c) { c.close() } }) }) } catch (e) { return e.message }",
            "fetch: a body that is a stream cannot be sent again after a redirect",
            vec!["POST http://a.test/ Accept=*/* "],
        ),
    ] {
        let (text, seen) = asked(answers, statements);
        assert_eq!(text, expected, "{statements}");
        let lower = |all: &[String]| all.iter().map(|r| r.to_lowercase()).collect::<Vec<_>>();
        assert_eq!(
            lower(&seen),
            requests.iter().map(|r| r.to_lowercase()).collect::<Vec<_>>(),
            "{statements}"
        );
    }
    let many = (0..25).map(|_| to(302, "/again")).collect();
    let (text, seen) = asked(many, "try { await fetch('http://a.test/') } catch (e) { return e.message }");
    assert_eq!((text.as_str(), seen.len()), ("fetch: more than 20 redirects", 21));
}

#[test]
fn what_goes_wrong_with_fetch() {
    for (answers, statements, expected) in [
        (
            vec![Far::Fails("no route to host")],
            "try { await fetch('http://a.test/') } catch (e) { return [e.name, e.message, e.cause.message].join() }",
            "TypeError,fetch of http://a.test failed: no route to host,no route to host",
        ),
        (
            vec![Far::Answers(200, vec![], Pieces::of(&["ab"], true))],
            "const r = await fetch('http://a.test/'); try { await r.text() } catch (e) { return e.name + e.cause.message }",
            "TypeErrorthe connection broke",
        ),
        (
            vec![Far::Hangs],
            "try { await fetch('http://a.test/', { signal: AbortSignal.timeout(50) }) } catch (e) { return e.name + performance.now() }",
            "TimeoutError50",
        ),
        (
            vec![Far::Hangs],
            "const c = new AbortController(); setTimeout(() => c.abort('why'), 5); try { await fetch('http://a.test/', { signal: c.signal }) } catch (e) { return e }",
            "why",
        ),
        (
            vec![],
            "try { await fetch('http://a.test/', { signal: AbortSignal.abort() }) } catch (e) { return e.name + (e instanceof DOMException) }",
            "AbortErrortrue",
        ),
        (
            vec![far(200, &[], &["a", "b"])],
            "const c = new AbortController(); const r = await fetch('http://a.test/', { signal: c.signal }); c.abort('late'); try { await r.text() } catch (e) { return e }",
            "late",
        ),
        (
            vec![far(200, &[], &["a", "b"])],
            "const r = await fetch('http://a.test/'); await r.text(); try { await r.text() } catch (e) { return e.name }",
            "TypeError",
        ),
        (
            vec![],
            "try { await fetch('ftp://a/') } catch (e) { return e.message }",
            "fetch: 'ftp:' is not supported, only http: and https: are",
        ),
        (
            vec![],
            "try { await fetch('/relative') } catch (e) { return e.message }",
            "Invalid URL: '/relative'",
        ),
        (vec![], "try { await fetch('http://u:p@a.test/') } catch (e) { return e.name }", "TypeError"),
        (
            vec![],
            "try { await fetch('http://a.test/', { body: 'x' }) } catch (e) { return e.message }",
            "a request with the method GET cannot have a body",
        ),
        (
            vec![],
            "try { await fetch('http://a.test/', { headers: { 'a b': 'c' } }) } catch (e) { return e.name }",
            "TypeError",
        ),
        (
            vec![],
            "try { await fetch('http://a.test/', { headers: { a: 'b\\r\\nc: d' } }) } catch (e) { return e.name }",
            "TypeError",
        ),
    ] {
        assert_eq!(asked(answers, statements).0, expected, "{statements}");
    }
}

#[test]
fn a_returned_response_is_the_answer() {
    for (statements, status, fields, body) in [
        (
            "return new Response('hi', { status: 201, headers: { A: 'b' } })",
            201,
            "A=b,content-type=text/plain;charset=UTF-8",
            "hi",
        ),
        ("return Response.json({ a: 1 })", 200, "content-type=application/json", "{\"a\":1}"),
        ("return Response.redirect('http://b.test/x', 307)", 307, "location=http://b.test/x", ""),
        (
            "const r = new Response(null, { status: 204 }); r.headers.append('Set-Cookie', 'a=1'); r.headers.append('Set-Cookie', 'b=2'); return r",
            204,
            "Set-Cookie=a=1,Set-Cookie=b=2",
            "",
        ),
        (
            "await null; return new Response(new Uint8Array([65, 66]), { headers: { 'Content-Length': '99' } })",
            200,
            "",
            "AB",
        ),
        (
            "const r = new Response('x'); const sent = r.clone(); await r.text(); return sent",
            200,
            "content-type=text/plain;charset=UTF-8",
            "x",
        ),
        (
            "ctx.response().headers.set('B', 'old'); return new Response('', { headers: { b: 'new' } })",
            200,
            "b=new,content-type=text/plain;charset=UTF-8",
            "",
        ),
    ] {
        let bench = Bench::ts(&format!("export async function requestHandler(ctx: any) {{ {statements} }}"));
        let (x, result) = bench.handle();
        assert_eq!(result, Ok(Answer::Nothing), "{statements}");
        let seen: Vec<String> = x.fields.borrow()[2].iter().map(|(n, v)| format!("{n}={v}")).collect();
        assert_eq!((x.status_of(Side::Response), seen.join(",").as_str()), (status, fields), "{statements}");
        assert_eq!((x.body(Side::Response).as_str(), x.ended.get()), (body, true), "{statements}");
    }
    for (statements, message) in [
        ("return Response.error()", "the function returned Response.error(): it has nothing to send"),
        (
            "ctx.response().send('a'); return new Response('b')",
            "the response has been sent already: the Response that was returned cannot be",
        ),
        (
            "const r = new Response('b'); await r.text(); return r",
            "the body of the Response that was returned has been read already, or is locked",
        ),
    ] {
        let bench = Bench::ts(&format!("export async function requestHandler(ctx: any) {{ {statements} }}"));
        let failure = bench.handle().1.expect_err(statements);
        assert!(failure.message.contains(message), "{statements}: {failure}");
    }
    // Every function that may, synchronously too; and an object that is none is left alone.
    let bench = Bench::ts(
        "export const requestModifier = () => new Response('m'); export const responseModifier = async () => new Response('u');
         export const errorHandler = () => new Response('e'); export const requestHandler = () => { Response; return { status: 500 } }",
    );
    for (function, body) in [(Function::RequestModifier, "m"), (Function::ResponseModifier, "u")] {
        let x = Rc::new(TestExchange::default());
        assert_eq!(bench.call(&x, function), Ok(Answer::Nothing));
        assert_eq!((x.body(Side::Response).as_str(), x.ended.get()), (body, true));
    }
    let (x, result) = bench.handle();
    assert_eq!((result, x.ended.get(), x.status_of(Side::Response)), (Ok(Answer::Nothing), false, 200));
}

/// Runs the function and reads the body that it streams.
fn streamed(function: Function, side: usize, answers: Vec<Far>, source: &str) -> (String, bool) {
    let bench = Bench::ts(source);
    bench.host.0.net.answers.borrow_mut().extend(answers);
    let x = Rc::new(TestExchange::default());
    x.bodies.borrow_mut()[1] = b"some more".to_vec();
    let mut lease = bench.lease(&x);
    drive(&bench.host, lease.call(function)).unwrap_or_else(|f| panic!("{source}: {f}\n{}", f.stack));
    let body = x.streamed.borrow()[side].clone().unwrap_or_else(|| panic!("{source}: no stream was written"));
    let (text, pumped) = deliver(&bench.host, &mut lease, &body);
    drop(lease);
    assert_eq!(bench.runtime.stats().contexts_made, 1, "{source}");
    (text.unwrap_or_else(|refused| refused.0), pumped.is_ok())
}

#[test]
fn bodies_are_streams() {
    for (function, side, answers, source, expected) in [
        (
            Function::ResponseModifier,
            1,
            vec![],
            "export function responseModifier(ctx: any) { const u = ctx.upstream();
               const up = new TransformStream({ transform(c, t) { t.enqueue(new TextDecoder().decode(c).toUpperCase()) }, flush(t) { t.enqueue('!') } });
               u.writeBody(u.body.pipeThrough(up)) }",
            ("SOME| MORE|!|", true),
        ),
        (
            Function::RequestModifier,
            0,
            vec![],
            "export function requestModifier(ctx: any) { ctx.request().writeBody(ReadableStream.from([new Uint8Array([65]), 'b', new Uint8Array(0), 'c'])) }",
            ("A|b|c|", true),
        ),
        (
            Function::RequestHandler,
            2,
            vec![far(200, &[], &["passed", "on"])],
            "export const requestHandler = () => fetch('http://a.test/')",
            ("passed|on|", true),
        ),
        (
            Function::RequestHandler,
            2,
            vec![far(200, &[], &["a", "b"])],
            "export async function requestHandler() { const r = await fetch('http://a.test/'); return new Response(r.body, { headers: r.headers }) }",
            ("a|b|", true),
        ),
        (
            Function::RequestHandler,
            2,
            vec![],
            "export const requestHandler = (ctx: any) => new Response(new ReadableStream({ pull(c) { this.n = (this.n ?? 0) + 1; this.n > 3 ? c.close() : c.enqueue('' + this.n) } } as any))",
            ("1|2|3|", true),
        ),
        (
            Function::RequestHandler,
            2,
            vec![],
            "export const requestHandler = (ctx: any) => { ctx.response().end(ReadableStream.from(['x'])) }",
            ("x|", true),
        ),
        (
            Function::RequestHandler,
            2,
            vec![],
            "export const requestHandler = (ctx: any) => new Response(new ReadableStream({ start(c) { c.enqueue('a') }, pull() { throw new Error('broke') } }))",
            ("broke", false),
        ),
        (
            Function::RequestHandler,
            2,
            vec![],
            "export const requestHandler = (ctx: any) => new Response(ReadableStream.from([{}]))",
            ("the stream of a body must give bytes or strings", false),
        ),
    ] {
        let (text, ok) = streamed(function, side, answers, source);
        assert_eq!((text.as_str(), ok), expected, "{source}");
    }
}

#[test]
fn a_body_is_read_once() {
    for (statements, expected) in [
        (
            "const r = ctx.request(); let s = ''; for await (const c of r.body) s += new TextDecoder().decode(c) + ';'; return s",
            "{\"n;\":5};",
        ),
        (
            "const r = ctx.request(); r.body; try { await r.readBody() } catch (e) { return e.message }",
            "the body was taken as a stream: read it from there",
        ),
        ("const r = ctx.request(); r.body; r.writeBody('new'); return await r.readText()", "new"),
        ("return String(ctx.request().body === ctx.request().body)", "true"),
        (
            "const r = ctx.request().toRequest(); return [r.method, r.url, r.headers.get('accept'), r.body].join()",
            "GET,http://example.com/a/b?q=1&q=2&x=%20y,text/plain, */*,",
        ),
        (
            "ctx.request().method = 'POST'; const r = ctx.request().toRequest(); return r.method + (await r.json()).n",
            "POST5",
        ),
        (
            "ctx.request().method = 'POST'; const r = ctx.request().toRequest(); const b = ctx.request().body; try { await r.text() } catch (e) { return e.message }",
            "the body was taken already",
        ),
        (
            "return await util.readWriteBody(ctx.request(), (t) => t.replace('5', '6')) + await ctx.request().readText()",
            "{\"n\":6}{\"n\":6}",
        ),
    ] {
        assert_eq!(asked(vec![], statements).0, expected, "{statements}");
    }
}

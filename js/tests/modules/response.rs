//! The response that a handler writes, the upstream's response, and cookies.

use std::rc::Rc;

use tidegate_js::{Answer, Function, Side};

use crate::harness::{Bench, TestExchange};

/// Status, content type, location and body that the statements leave behind.
fn written(statements: &str) -> (u16, String, String, String) {
    let bench = Bench::ts(&format!(
        "export async function requestHandler(ctx: any) {{ const res = ctx.response(); {statements} }}"
    ));
    let (x, result) = bench.handle();
    result.unwrap_or_else(|f| panic!("{statements}: {f}\n{}", f.stack));
    let field = |name| x.field(Side::Response, name).unwrap_or_default();
    (x.status_of(Side::Response), field("content-type"), field("location"), x.body(Side::Response))
}

#[test]
fn bodies_and_their_types() {
    for (statements, status, content_type, body) in [
        ("res.json({ a: [1] })", 200, "application/json", "{\"a\":[1]}"),
        ("res.status(201).json(null)", 201, "application/json", "null"),
        ("res.send('hi')", 200, "text/plain; charset=utf-8", "hi"),
        ("res.send('<html>x')", 200, "text/html; charset=utf-8", "<html>x"),
        ("res.headers.set('Content-Type', 'text/css'); res.send('a{}')", 200, "text/css", "a{}"),
        ("res.send(new TextEncoder().encode('b'))", 200, "application/octet-stream", "b"),
        ("res.end(new Uint16Array([0x4241]).subarray(0))", 200, "application/octet-stream", "AB"),
        ("res.end(new Uint8Array([65, 66, 67]).subarray(1))", 200, "application/octet-stream", "BC"),
        ("res.send('\\ud800!')", 200, "text/plain; charset=utf-8", "\u{fffd}!"),
        ("res.end(new Uint8Array([65, 66]).buffer)", 200, "application/octet-stream", "AB"),
        ("res.status(204).end()", 204, "", ""),
        (
            "try { res.send({ a: 1 }) } catch (e) { res.send(e.name) }",
            200,
            "text/plain; charset=utf-8",
            "TypeError",
        ),
        (
            "try { res.json(() => {}) } catch (e) { res.send(e.message) }",
            200,
            "text/plain; charset=utf-8",
            "this value has no JSON form",
        ),
        (
            "try { res.status(999) } catch (e) { res.send(e.message) }",
            200,
            "text/plain; charset=utf-8",
            "the status must be from 200 to 599",
        ),
        (
            "try { res.status('x') } catch (e) { res.send(e.name) }",
            200,
            "text/plain; charset=utf-8",
            "RangeError",
        ),
        (
            "res.locals.a = 'kept'; res.send(ctx.response().locals.a + res.headersSent)",
            200,
            "text/plain; charset=utf-8",
            "keptfalse",
        ),
    ] {
        let (s, t, _, b) = written(statements);
        assert_eq!((s, t.as_str(), b.as_str()), (status, content_type, body), "{statements}");
    }
    for (statements, status, location) in [
        ("res.redirect('/a')", 307, "/a"),
        ("res.redirectPermanent('https://b/')", 301, "https://b/"),
        ("res.location('/c').status(201).end()", 201, "/c"),
    ] {
        let (s, _, l, b) = written(statements);
        assert_eq!((s, l.as_str(), b.as_str()), (status, location, ""), "{statements}");
    }
}

#[test]
fn after_the_end_nothing_can_be_written() {
    for call in [
        "json({})",
        "send('x')",
        "end()",
        "redirect('/')",
        "status(500)",
        "cookie('a', 'b')",
        "location('/')",
    ] {
        let (.., body) = written(&format!(
            "res.send('first'); try {{ res.{call}; return }} catch (e) {{ ctx.m = e.message; if (!/sent already/.test(e.message)) throw e }}"
        ));
        assert_eq!(body, "first", "{call}");
    }
}

#[test]
fn cookies() {
    for (statements, cookie) in [
        ("res.cookie('a', 'b').end()", "a=b"),
        (
            "res.cookie('a', 'b c', { path: '/', domain: 'x.org', httpOnly: true, secure: true, sameSite: 'strict', maxAge: 60 }).end()",
            "a=\"b c\"; Path=/; Domain=x.org; Max-Age=60; HttpOnly; Secure; SameSite=Strict",
        ),
        ("res.cookie('a', '', { expires: new Date(0) }).end()", "a=; Expires=Thu, 01 Jan 1970 00:00:00 GMT"),
    ] {
        let bench = Bench::ts(&format!(
            "export function requestHandler(ctx: any) {{ const res = ctx.response(); {statements} }}"
        ));
        let (x, result) = bench.handle();
        result.unwrap();
        assert_eq!(x.field(Side::Response, "set-cookie").as_deref(), Some(cookie), "{statements}");
    }
    for bad in [
        "'a b', 'c'",
        "'a', 'b;c'",
        "'a', 'b\\r\\nX: y'",
        "'a', 'b', { path: '/; HttpOnly' }",
        "'a', 'b', { sameSite: 'x' }",
        "'', 'x'",
    ] {
        let bench = Bench::ts(&format!(
            "export function requestHandler(ctx: any) {{ ctx.response().cookie({bad}) }}"
        ));
        let (x, result) = bench.handle();
        assert!(result.is_err() && x.field(Side::Response, "set-cookie").is_none(), "{bad}");
    }
    let bench = Bench::ts(
        "export const requestHandler = (ctx: any) => JSON.stringify([ctx.response().getCookies(), ctx.response().getCookie('b').value, ctx.response().getCookie('z')])",
    );
    let x = Rc::new(TestExchange::default());
    x.fields.borrow_mut()[0].push(("Cookie".into(), "a=1; b=\"2\"; c".into()));
    let expected = "[[{\"name\":\"a\",\"value\":\"1\"},{\"name\":\"b\",\"value\":\"2\"}],\"2\",null]";
    assert_eq!(bench.call(&x, Function::RequestHandler), Ok(Answer::Text(expected.into())));
}

#[test]
fn the_upstreams_response() {
    for (expression, expected) in [
        ("u.statusCode + u.statusText", "201Created"),
        ("u.protocol + u.contentLength", "HTTP/1.1-1"),
        ("u.headers.get('server')", "unit"),
        ("u.trailer.get('x-sum') + u.trailer.has('y')", "9false"),
        ("u.query().get('q')", "1"),
        ("JSON.stringify(u.cookie())", "[{\"name\":\"a\",\"value\":\"b\",\"path\":\"/\",\"httpOnly\":true}]"),
        ("await u.readText()", "up"),
        ("'' + (u.status(404) === u) + u.statusCode + u.statusText", "true404Not Found"),
        (
            "(u.writeJson({ x: 1 }), u.headers.get('content-type') + await u.readText())",
            "application/json{\"x\":1}",
        ),
        ("(u.redirect('/x'), u.statusCode + u.headers.get('location'))", "307/x"),
        ("(u.redirectPermanent('/x'), '' + u.statusCode)", "301"),
        (
            "JSON.stringify(u)",
            "{\"headers\":{\"Server\":[\"unit\"],\"Set-Cookie\":[\"a=b; Path=/; HttpOnly\"]},\"statusCode\":201,\"statusText\":\"Created\",\"trailer\":{\"X-Sum\":[\"9\"]},\"protocol\":\"HTTP/1.1\",\"contentLength\":-1}",
        ),
    ] {
        let bench = Bench::ts(&format!(
            "export async function responseModifier(ctx: any) {{ const u = ctx.upstream(); return {expression} }}"
        ));
        let x = Rc::new(TestExchange::default());
        assert_eq!(
            bench.call(&x, Function::ResponseModifier),
            Ok(Answer::Text(expected.into())),
            "{expression}"
        );
    }
}

//! `ctx` and everything reached from it.

use std::rc::Rc;

use tidegate_js::{Answer, Function, Side};

use crate::harness::{Bench, TestExchange, eval};

#[test]
fn one_header() {
    let bench = Bench::ts("export function requestModifier(ctx) { ctx.request().headers.set('x-a', '1') }");
    let exchange = Rc::new(TestExchange::default());
    assert_eq!(bench.call(&exchange, Function::RequestModifier), Ok(Answer::Nothing));
    assert_eq!(exchange.field(Side::Request, "X-A").as_deref(), Some("1"));
}

#[test]
fn parts_of_ctx() {
    for (statements, expected) in [
        ("return ctx.id", "ex1"),
        ("ctx.set('k', { a: 1 }); return JSON.stringify(ctx.get('k'))", "{\"a\":1}"),
        ("return String(ctx.get('__proto__'))", "undefined"),
        ("return ctx.pathParam('id') + ctx.pathParam('none')", "77"),
        ("return JSON.stringify([ctx.pathParams(), {}.id])", "[{\"id\":\"77\",\"__proto__\":\"evil\"},null]"),
        ("return ctx.route().name + ctx.route().tags[0] + ({}).polluted", "r1tundefined"),
        ("return String(ctx.service())", "null"),
        ("return ctx.namespace().name", "ns1"),
        ("return String(ctx.upstream())", "null"),
        (
            "return String(ctx.request() === ctx.request() && ctx.request().headers === ctx.request().headers)",
            "true",
        ),
    ] {
        assert_eq!(eval(statements), expected, "{statements}");
    }
}

#[test]
fn parts_of_the_request() {
    for (statements, expected) in [
        (
            "const r = ctx.request(); return [r.method, r.path, r.host, r.remoteAddress, r.proto, r.contentLength].join()",
            "GET,/a/b,example.com,10.0.0.7,HTTP/1.1,7",
        ),
        ("return ctx.request().headers.get('ACCEPT')", "text/plain"),
        ("return ctx.request().headers.get('x')", ""),
        ("return ctx.request().headers.values('accept').join('|')", "text/plain|*/*"),
        ("return String(ctx.request().headers.has('accept')) + ctx.request().headers.has('b')", "truefalse"),
        (
            "const h = ctx.request().headers; h.del('accept'); h.add('b', 1); h.add('b', 2); return JSON.stringify(h)",
            "{\"b\":[\"1\",\"2\"]}",
        ),
        ("return String(ctx.request().headers.delete('accept'))", "true"),
        (
            "return [...ctx.request().headers].map(([n, v]) => n + '=' + v).join()",
            "Accept=text/plain,accept=*/*",
        ),
        ("let s = ''; ctx.request().headers.forEach((v, n) => { s += n }); return s", "Acceptaccept"),
        ("return ctx.request().query.get('q') + ctx.request().query.get('x') + ctx.query().get('no')", "1 y"),
        (
            "const q = ctx.request().query; q.set('q', 'ä'); q.add('z', '&'); return q.encode()",
            "x=+y&q=%C3%A4&z=%26",
        ),
        ("return String(ctx.query().has('q')) + ctx.query().has('r')", "truefalse"),
        ("return JSON.stringify(await ctx.request().readJson())", "{\"n\":5}"),
        (
            "const b = await ctx.request().readBody(); return b.constructor.name + b.byteLength",
            "ArrayBuffer7",
        ),
        (
            "ctx.request().path = '/new'; ctx.request().method = 'PUT'; return ctx.request().path + ctx.request().method",
            "/newPUT",
        ),
        (
            "try { ctx.request().headers.set('a', 'b\\r\\nc: d') } catch (e) { return e.message }",
            "a header value may not have control characters",
        ),
        (
            "try { ctx.request().headers.set('Content-Length', '5') } catch (e) { return e.message }",
            "Content-Length belongs to the gateway",
        ),
        (
            "return JSON.stringify(ctx.request())",
            "{\"method\":\"GET\",\"path\":\"/a/b\",\"headers\":{\"Accept\":[\"text/plain\"],\"accept\":[\"*/*\"]},\"query\":{\"q\":[\"1\",\"2\"],\"x\":[\" y\"]},\"host\":\"example.com\",\"remoteAddress\":\"10.0.0.7\",\"proto\":\"HTTP/1.1\",\"contentLength\":7}",
        ),
        ("return String(JSON.parse(JSON.stringify(ctx)).id)", "ex1"),
    ] {
        assert_eq!(eval(statements), expected, "{statements}");
    }
}

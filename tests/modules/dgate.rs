//! What the functional tests of DGate 1 do with modules, in words of our own: a link shortener over a collection, a load
//! balancer by address, changed requests and responses, and several modules on a route, each in a namespace of its own.

use crate::operator::node::module;
use crate::operator::{Json as _, request};
use crate::{Stage, telling};
use serde_json::{Value, json};

/// Puts things into a namespace that a domain leads to.
struct Tenant<'s> {
    stage: &'s Stage,
    name: &'static str,
    host: &'static str,
}

impl<'s> Tenant<'s> {
    fn new(stage: &'s Stage, name: &'static str, host: &'static str) -> Self {
        stage.node.put("/api/v1/namespace", json!({ "name": name }));
        let tenant = Self { stage, name, host };
        tenant.put("domain", json!({ "name": "dm", "patterns": [host] }));
        tenant
    }

    fn put(&self, kind: &str, mut body: Value) {
        body["namespace"] = self.name.into();
        self.stage.node.put(&format!("/api/v1/{kind}"), body);
    }

    fn ask(&self, method: &str, path: &str, fields: &[(&str, &str)]) -> crate::harness::Message {
        let fields: Vec<_> = [("Host", self.host)].iter().chain(fields).copied().collect();
        self.stage.node.client().ask(request(method, path, &fields, b""))
    }
}

#[test]
fn a_link_shortener_over_query_parameters() {
    let stage = Stage::new();
    let tenant = Tenant::new(&stage, "url_shortener-ns", "url_shortener.example.com");
    let schema = json!({ "type": "object", "properties": { "url": { "type": "string" } } });
    tenant.put("collection", json!({ "name": "short_link", "type": "document", "schema": schema }));
    tenant.put("module", module("shorten", "
        import { addDocument, getDocument } from 'dgate/state';
        import { createHash } from 'dgate/crypto';
        export const requestHandler = (ctx) => {
            const [req, res] = [ctx.request(), ctx.response()];
            console.log('asked', JSON.stringify(req), JSON.stringify(res));
            if (req.method == 'GET') {
                if (!req.query.has('id')) return res.status(400).json({ error: 'no id' });
                return getDocument('short_link', req.query.get('id'))
                    .then((doc) => doc?.data?.url ? res.redirect(doc.data.url) : res.status(404).json({ error: 'none' }))
                    .catch((e) => res.status(500).json({ error: e?.message }));
            }
            const url = req.query.get('url');
            if (!url) return res.status(400).json({ error: 'no url' });
            const id = createHash('sha1').update(url).digest('base64rawurl').slice(-8);
            return addDocument({ id, collection: 'short_link', data: { url } })
                .then(() => res.status(201).json({ id }))
                .catch((e) => res.status(500).json({ error: e?.message }));
        };"));
    tenant.put(
        "route",
        json!({ "name": "base", "paths": ["/", "/{id}"], "methods": ["GET", "POST"],
        "modules": ["shorten"], "stripPath": true, "preserveHost": true }),
    );
    let made = tenant.ask("POST", "/?url=https%3A%2F%2Fdgate.io%2F1", &[]);
    assert_eq!(made.status(), 201, "{made:?}");
    let id = made.json()["id"].as_str().expect("an id").to_owned();
    assert_eq!(id.len(), 8);
    let followed = tenant.ask("GET", &format!("/?id={id}"), &[]);
    assert_eq!((followed.status(), followed.get("location")), (307, Some("https://dgate.io/1")));
    assert_eq!(tenant.ask("GET", &format!("/{id}"), &[]).status(), 400);
    assert_eq!(tenant.ask("GET", "/?id=nothing", &[]).status(), 404);
    assert_eq!(tenant.ask("POST", "/", &[]).status(), 400);
    assert_eq!(tenant.ask("DELETE", "/", &[]).status(), 405);
    assert_eq!(stage.node.get("/").status(), 404, "another host, another namespace");
}

#[test]
fn a_load_balancer_by_address() {
    let stage = Stage::new();
    let tenant = Tenant::new(&stage, "lb", "lb.example.com");
    let up = stage.upstream.url();
    tenant.put(
        "service",
        json!({ "name": "s", "urls": [format!("{up}/a"), format!("{up}/b"), format!("{up}/c")] }),
    );
    tenant.put(
        "module",
        module(
            "by-address",
            "
        import { createHash } from 'dgate/crypto';
        export const fetchUpstream = async (ctx) => {
            const from = ctx.request().headers.get('X-Forwarded-For') || ctx.request().remoteAddress;
            const number = parseInt(createHash('sha1').update(from).digest('hex').substr(0, 4), 16);
            const urls = ctx.service()!.urls;
            return urls[number % urls.length];
        };",
        ),
    );
    tenant.put(
        "route",
        json!({ "name": "r", "paths": ["/test-lb", "/hello"], "methods": ["GET"],
        "modules": ["by-address"], "service": "s", "stripPath": true, "preserveHost": true }),
    );
    let mut targets: Vec<String> = Vec::new();
    for n in 0..8 {
        let from = format!("192.168.0.{n}");
        for _ in 0..2 {
            let told = tenant.ask("GET", "/test-lb", &[("X-Forwarded-For", &from)]).json();
            assert_eq!(told["fields"]["host"], "lb.example.com", "{told}");
            targets.push(told["target"].as_str().unwrap_or_default().to_owned());
        }
    }
    assert!(targets.chunks(2).all(|pair| pair[0] == pair[1]), "one address, one upstream: {targets:?}");
    targets.sort();
    targets.dedup();
    assert_eq!(targets, ["/a", "/b", "/c"]);
}

#[test]
fn several_modules_and_aliases() {
    let stage = Stage::new();
    let tenant = Tenant::new(&stage, "multimod-test-ns", "multimod-test.example.com");
    tenant.put(
        "module",
        module(
            "two",
            "
        const change = (ctx) => ctx.request().writeJson({ a: 1 });
        const wrap = async (ctx) => ctx.upstream()?.writeJson({
            body: await ctx.upstream()?.readJson(), headers: ctx.upstream()?.headers,
            status: ctx.upstream()?.statusCode, text: ctx.upstream()?.statusText,
        });
        export { change as requestModifier, wrap as responseModifier };",
        ),
    );
    tenant.put(
        "module",
        module(
            "one",
            "
        export { requestModifier } from './two';
        import { responseModifier as wrap } from './two';
        const responseModifier = async (ctx) => { console.log('from one'); return wrap(ctx); };",
        ),
    );
    let up = stage.upstream.url();
    tenant.put("service", json!({ "name": "s", "urls": [format!("{up}/a")] }));
    tenant.put(
        "route",
        json!({ "name": "r", "paths": ["/", "/multimod-test"], "methods": ["GET"],
        "modules": ["one", "two"], "service": "s", "stripPath": true, "preserveHost": true }),
    );
    for path in ["/", "/multimod-test"] {
        let told = tenant.ask("GET", path, &[]).json();
        assert_eq!((&told["body"]["body"], &told["status"]), (&json!("{\"a\":1}"), &json!(203)), "{told}");
        assert_eq!(told["body"]["target"], "/a");
        assert!(told["headers"].is_object(), "{told}");
    }
    let line = stage.node.wait_log(&["from one"]);
    assert!(line.contains("multimod-test-ns/one"), "{line}");
}

#[test]
fn changed_requests_and_responses() {
    let stage = Stage::new();
    let other = telling();
    stage.node.module(
        "changes",
        &format!(
            "
        export const requestModifier = async (ctx) => {{
            const req = ctx.request();
            const from = req.headers.get('X-Forwarded-For') || req.remoteAddress;
            if (!from) throw new Error('nobody');
            req.headers.set('X-Geo-Country', 'Tideland'); req.headers.set('X-Geo-Latitude', 54.5);
            req.headers.set('X-Geo-Proxy', false);
        }};
        export const fetchUpstream = () => '{}';
        export const responseModifier = async (ctx) => {{
            const up = ctx.upstream();
            const told = await up.readJson();
            told.uuid = 'u';
            up.status(200).writeJson(told);
        }};
        export const errorHandler = async (ctx, error) => {{
            ctx.response().status(500).json({{ error: error?.message ?? 'Unknown error' }});
        }};",
            other.url()
        ),
    );
    stage.route("changes", &["changes"], Some("s"));
    let answer = stage.get("/changes");
    assert_eq!(answer.status(), 200, "{answer:?}");
    let told = answer.json();
    assert_eq!(told["uuid"], "u");
    let fields = &told["fields"];
    assert_eq!(
        (&fields["x-geo-country"], &fields["x-geo-latitude"], &fields["x-geo-proxy"]),
        (&json!("Tideland"), &json!("54.5"), &json!("false"))
    );
    assert_eq!((other.requests().len(), stage.upstream.requests().len()), (1, 0));
}

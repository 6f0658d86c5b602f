//! Whole modules in the style that DGate's users bring along.

use std::rc::Rc;

use tidegate_js::{Answer, Function, Side};

use crate::harness::{Bench, TestExchange};

const SHORTENER: &str = r#"
import { createHash } from "dgate/crypto";
import { addDocument, getDocument } from "dgate/state";

export const requestHandler = (ctx: any) => {
  const req = ctx.request(), res = ctx.response();
  if (req.method == "GET") {
    const id = req.query.get("id");
    if (!id) { res.status(400).json({ error: "id is required" }); return; }
    return getDocument(id, "short_link").then((doc: any) => {
      if (!doc?.data?.url) res.status(404).json({ error: "not found" });
      else res.redirect(doc.data.url);
    }).catch((e: any) => { console.log("error", e, JSON.stringify(e)); res.status(500).json({ error: e?.message }) });
  } else if (req.method == "POST") {
    const link = req.query.get("url");
    if (!link) return res.status(400).json({ error: "url is required" });
    const hash = createHash("sha1").update(link).digest("base64rawurl").slice(-8);
    return addDocument({ id: hash, collection: "short_link", data: { url: link } })
      .then(() => res.status(201).json({ id: hash }));
  } else return res.status(405).json({ error: "method not allowed" });
};
"#;

#[test]
fn a_url_shortener() {
    let bench = Bench::ts(SHORTENER);
    let ask = |method: &str, query: &str| {
        let x = Rc::new(TestExchange::default());
        x.parts.borrow_mut()[0] = method.into();
        x.parts.borrow_mut()[2] = query.into();
        assert_eq!(bench.call(&x, Function::RequestHandler), Ok(Answer::Nothing), "{method} {query}");
        (x.status_of(Side::Response), x.body(Side::Response), x.field(Side::Response, "location"))
    };
    let (status, body, _) = ask("POST", "url=https%3A%2F%2Fexample.com%2F");
    assert_eq!((status, body.len()), (201, "{\"id\":\"12345678\"}".len()), "{body}");
    let id = &body[7..15];
    assert_eq!(ask("GET", &format!("id={id}")), (307, String::new(), Some("https://example.com/".into())));
    assert_eq!(ask("GET", "id=none").0, 404);
    assert_eq!(ask("GET", "").0, 400);
    assert_eq!(ask("POST", "").0, 400);
    assert_eq!(ask("PUT", "").0, 405);
}

#[test]
fn balancing_by_the_clients_address() {
    let bench = Bench::ts(
        r#"
        import { createHash } from "dgate/crypto";
        const urls = ["http://a", "http://b", "http://c"];
        export const fetchUpstream = async (ctx: any) => {
          const address = ctx.request().headers.get("X-Forwarded-For").split(",")[0] || ctx.request().remoteAddress;
          const hash = createHash("sha1").update(address).digest("hex").substr(0, 8);
          return urls[Math.abs(parseInt(hash, 16)) % urls.length];
        }"#,
    );
    let ask = |address: &str| {
        let x = Rc::new(TestExchange::default());
        x.parts.borrow_mut()[4] = address.into();
        bench.call(&x, Function::FetchUpstream).unwrap()
    };
    assert_eq!(ask("10.0.0.1"), ask("10.0.0.1"));
    let all: std::collections::BTreeSet<String> =
        (0..50).map(|n| format!("{:?}", ask(&format!("10.0.0.{n}")))).collect();
    assert_eq!(all.len(), 3);
}

#[test]
fn changing_the_upstreams_body() {
    let bench = Bench::ts(
        r#"
        export async function responseModifier(ctx: any) {
          const up = ctx.upstream();
          const text = new TextDecoder().decode(await up.readBody());
          up.headers.set("X-Length", text.length);
          up.status(200).writeJson({ text, path: ctx.request().path });
        }"#,
    );
    let x = Rc::new(TestExchange::default());
    bench.call(&x, Function::ResponseModifier).unwrap();
    assert_eq!(x.body(Side::Upstream), "{\"text\":\"up\",\"path\":\"/a/b\"}");
    assert_eq!(x.field(Side::Upstream, "x-length").as_deref(), Some("2"));
    assert_eq!(x.status_of(Side::Upstream), 200);
}

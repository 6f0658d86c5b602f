//! The examples do what their own tests say, and the same behind real sockets.

use crate::harness::{Message, Upstream};
use crate::operator::node::{Node, Plan};
use crate::operator::{Json as _, Says as _};
use crate::{ends, repository};
use base64::Engine as _;
use serde_json::{Value, json};

#[test]
fn all_pass_their_own_tests() {
    let said = ends(0, &repository("tools/examples"), &["module", "test"]);
    assert!(said.contains(" 0 failed, 0 skipped"), "{said}");
    let examples = std::fs::read_dir(repository("tools/examples")).expect("a folder");
    let names: Vec<String> =
        examples.map(|entry| entry.expect("a file").file_name().to_string_lossy().into_owned()).collect();
    for name in names.iter().filter(|name| name.ends_with(".ts") && !name.ends_with(".test.ts")) {
        let test = name.replace(".ts", ".test.ts");
        assert!(names.contains(&test) && said.contains(&test), "{name} has no test that was run");
    }
}

/// A gateway with an upstream that tells what it was asked.
struct Stage {
    node: Node,
    upstream: Upstream,
}

impl Stage {
    fn new() -> Self {
        let upstream = Upstream::answering(|asked| {
            let fields: serde_json::Map<String, Value> =
                asked.fields.iter().map(|(name, value)| (name.to_ascii_lowercase(), json!(value))).collect();
            let told = json!({ "target": asked.target(), "fields": fields, "card": "4111 1111 1111 1111", "password": "p" });
            let body = told.to_string();
            format!(
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            )
        });
        let node = Plan::new().start();
        node.put("/api/v1/service", json!({ "name": "up", "urls": [upstream.url()] }));
        for (name, data) in [
            ("session-key", "a key of at least thirty-two bytes"),
            ("signing-key", "k"),
            ("webhook-key", "w"),
        ] {
            node.put("/api/v1/secret", json!({ "name": name, "data": data }));
        }
        for name in ["links", "deliveries"] {
            node.put("/api/v1/collection", json!({ "name": name, "visibility": "private", "schema": {} }));
        }
        Self { node, upstream }
    }

    /// A module under its name, on `/name` and below.
    fn runs(&self, name: &str, source: &str, paths: &[&str], has_service: bool) {
        let payload = base64::engine::general_purpose::STANDARD.encode(source);
        let permissions =
            ["net:fetch", "net:private", "documents:read", "documents:write", "cache", "secrets"];
        self.node.put(
            "/api/v1/module",
            json!({ "name": name, "payload": payload, "moduleType": "typescript", "permissions": permissions }),
        );
        let mut route = json!({ "name": name, "paths": paths, "methods": ["*"], "modules": [name] });
        if has_service {
            route["service"] = json!("up");
        }
        self.node.put("/api/v1/route", route);
    }

    /// An example as it is, but for what is replaced.
    fn example(&self, name: &str, paths: &[&str], has_service: bool, replaced: &[(&str, &str)]) {
        let path = repository("tools/examples").join(format!("{name}.ts"));
        let mut source = std::fs::read_to_string(path).expect("an example");
        for (from, to) in replaced {
            assert!(source.contains(from), "{name} has no {from}");
            source = source.replace(from, to);
        }
        self.runs(name, &source, paths, has_service);
    }

    fn get(&self, path: &str, fields: &[(&str, &str)]) -> Message {
        self.node.client().say("GET", path, fields, b"")
    }

    fn post(&self, path: &str, fields: &[(&str, &str)], body: &str) -> Message {
        self.node.client().say("POST", path, fields, body.as_bytes())
    }
}

#[test]
fn all_run_behind_real_sockets() {
    let stage = Stage::new();
    let url = stage.upstream.url();
    // Signs what clients of the examples send.
    stage.runs(
        "mint",
        r#"import { signJwt, hmac } from "tidegate/crypto";
        export async function requestHandler(ctx: any) {
          const { claims, key, text } = await ctx.request().readJson();
          return new Response(text === undefined
            ? await signJwt(claims, key, { algorithm: "HS256", expiresInSeconds: 60 })
            : hmac("sha256", key, text, "hex"));
        }"#,
        &["/mint"],
        false,
    );
    let mint = |asked: Value| stage.post("/mint", &[], &asked.to_string()).text();

    stage.example("balance", &["/balance"], true, &[]);
    assert_eq!(stage.get("/balance", &[]).status(), 200);

    stage.example("links", &["/links", "/links/{id}"], false, &[]);
    let made = stage.post("/links", &[], r#"{"url":"https://example.com/long"}"#);
    assert_eq!(made.status(), 201, "{made:?}");
    let id = made.json()["id"].as_str().expect("an id").to_owned();
    let followed = stage.get(&format!("/links/{id}"), &[]);
    assert_eq!((followed.status(), followed.get("location")), (307, Some("https://example.com/long")));

    stage.example("edit_json", &["/edit"], true, &[]);
    let edited = stage.get("/edit", &[]).json();
    assert_eq!((&edited["servedBy"], &edited["password"]), (&json!("up"), &Value::Null), "{edited}");

    stage.example("merge", &["/overview/{id}"], false, &[("http://services.internal", &url)]);
    let merged = stage.get("/overview/7", &[]).json();
    let targets = (&merged["user"]["target"], &merged["orders"]["target"]);
    assert_eq!(targets, (&json!("/users/7"), &json!("/orders?user=7")), "{merged}");

    stage.example("jwt_cookie", &["/private"], true, &[]);
    let token = mint(
        json!({ "claims": { "iss": "shop", "sub": "ada" }, "key": "a key of at least thirty-two bytes" }),
    );
    let cookie = format!("session={token}");
    let let_in = stage.get("/private", &[("Cookie", &cookie), ("X-User", "root")]);
    assert_eq!((let_in.status(), &let_in.json()["fields"]["x-user"]), (200, &json!("ada")), "{let_in:?}");
    assert_eq!(stage.get("/private", &[("Cookie", "session=a.b.c")]).status(), 401);
    assert_eq!(stage.get("/private", &[]).status(), 401);

    stage.example("sign", &["/signed"], true, &[]);
    let fields = stage.get("/signed", &[]).json()["fields"].clone();
    let text = format!("{}\nGET\n/signed\n", fields["x-signed-at"].as_str().expect("a time"));
    assert_eq!(fields["x-signature"], mint(json!({ "text": text, "key": "k" })));

    let variants = [("http://shop-old.internal", url.as_str()), ("http://shop-new.internal", url.as_str())];
    stage.example("ab_split", &["/shop"], true, &variants);
    let shop = stage.get("/shop", &[("Cookie", "variant=new")]);
    assert_eq!(shop.get("set-cookie"), Some("variant=new; Path=/; Max-Age=2592000; HttpOnly"));

    stage.example("cache", &["/cached"], true, &[]);
    let (miss, hit) = (stage.get("/cached", &[]), stage.get("/cached", &[]));
    assert_eq!((miss.get("x-cache"), hit.get("x-cache")), (Some("miss"), Some("hit")));
    assert_eq!(miss.text(), hit.text());

    stage.example("rate_limit", &["/limited"], true, &[("[100, 60]", "[3, 60]")]);
    let statuses: Vec<u16> = (0..5).map(|_| stage.get("/limited", &[]).status()).collect();
    assert_eq!(statuses, [200, 200, 200, 429, 429]);

    stage.example("stream", &["/cards"], true, &[]);
    assert_eq!(stage.get("/cards", &[]).json()["card"], "•••• •••• •••• ••••");

    stage.example("webhook", &["/hook"], false, &[]);
    let body = r#"{"event":"paid"}"#;
    let signature = format!("sha256={}", mint(json!({ "text": body, "key": "w" })));
    assert_eq!(stage.post("/hook", &[("X-Signature", &signature)], body).status(), 202);
    assert_eq!(stage.post("/hook", &[("X-Signature", "sha256=00")], body).status(), 401);
    stage.node.stop();
}

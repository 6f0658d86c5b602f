//! What goes in and never comes out: whatever is read afterwards, the bytes are nowhere.

use super::*;

const CERT: &str = "-----BEGIN CERTIFICATE-----\nCERTBYTESCERTBYTES\n-----END CERTIFICATE-----";
const KEY: &str = "-----BEGIN PRIVATE KEY-----\nKEYBYTESKEYBYTES\n-----END PRIVATE KEY-----";
const SECRET: &str = "SECRETBYTESSECRETBYTES";

fn clean(got: &Got) {
    let shown = format!("{} {:?}", got.text, got.headers);
    for bytes in ["CERTBYTES", "KEYBYTES", "SECRETBYTES"] {
        assert!(!shown.contains(bytes), "{shown}");
    }
}

#[tokio::test]
async fn no_answer_ever_shows_a_secret() {
    let node = Node::start().await;
    let domain = json!({"name": "d", "namespace": "default", "patterns": ["*"], "cert": CERT, "key": KEY});
    let secret = json!({"name": "s", "namespace": "default", "data": SECRET});
    clean(&node.put("/api/v1/secret", secret.clone()).await);
    clean(&node.put("/api/v1/secret/default/s", secret.clone()).await);
    clean(&node.put("/api/v1/domain", domain.clone()).await);
    clean(&node.put("/api/v1/domain/default/d", domain).await);
    // Refusals do not repeat what they refuse.
    for (path, body) in [
        ("/api/v1/secret", json!({"name": "s", "namespace": "default", "data": format!("{SECRET}2")})),
        ("/api/v1/secret", json!({"name": "t", "data": [SECRET]})),
        ("/api/v1/secret", json!({"name": "a/b", "data": SECRET})),
        ("/api/v1/domain", json!({"name": "e", "patterns": [], "cert": SECRET, "key": KEY})),
        ("/api/v1/module", json!({"name": "m", "payload": SECRET, "moduleType": SECRET})),
        ("/api/v1/service", json!({"name": "s", "urls": ["http://user:SECRETBYTES@host", "SECRETBYTES"]})),
    ] {
        let got = node.put(path, body).await;
        assert!((400..500).contains(&got.status), "{got:?}");
        clean(&got);
    }
    let broken = format!("{{\"name\":\"x\",\"data\":\"{SECRET}\",}}");
    clean(&node.send(Method::PUT, "/api/v1/secret", &[], broken).await);
    for endpoint in table::endpoints().into_iter().filter(|endpoint| endpoint.method == Method::GET) {
        for name in ["s", "d"] {
            let path = endpoint.path.replace("{namespace}", "default").replace("{name}", name);
            let path = path.replace("{collection}", "c").replace("{id}", "i");
            clean(&node.get(&path).await);
            clean(&node.get(&format!("{path}?namespace=default&collection=c")).await);
        }
    }
}

#[tokio::test]
async fn a_secret_is_written_once_and_a_certificate_survives_an_edit() {
    let node = Node::start().await;
    let secret = |data: &str| json!({"name": "s", "namespace": "default", "data": data});
    assert_eq!(node.put("/api/v1/secret", secret("one")).await.status, 201);
    assert_eq!(node.put("/api/v1/secret", secret("one")).await.status, 201, "the same again is no change");
    assert_eq!(node.put("/api/v1/secret", secret("two")).await.status, 409);
    assert_eq!(node.delete("/api/v1/secret", json!({"name": "s"})).await.status, 202);
    assert_eq!(node.put("/api/v1/secret", secret("two")).await.status, 201);

    let stored = |node: &Node| {
        let key = crate::change::Key {
            kind: crate::change::Kind::Domain,
            namespace: "default".into(),
            collection: None,
            name: "d".into(),
        };
        node.state.inner.store.view().unwrap().get(&key).unwrap().unwrap()
    };
    let path = "/api/v1/domain/default/d";
    node.set(path, json!({"patterns": ["a.example"], "cert": CERT, "key": KEY})).await;
    let mut shown = node.get(path).await.json()["data"].take();
    shown["priority"] = json!(5);
    node.set(path, shown.clone()).await;
    assert_eq!((&stored(&node)["priority"], &stored(&node)["key"]), (&json!(5), &json!(KEY)));
    shown["cert"] = json!("");
    node.set(path, shown).await;
    assert!(stored(&node).get("key").is_none());
}

/// Writes down every event of this process's library code, fields and all.
#[derive(Clone, Default)]
struct Everything(Arc<Mutex<String>>);

impl tracing::Subscriber for Everything {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, attributes: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        attributes.record(&mut Fields(&self.0));
        tracing::span::Id::from_u64(1)
    }
    fn record(&self, _: &tracing::span::Id, values: &tracing::span::Record<'_>) {
        values.record(&mut Fields(&self.0));
    }
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn event(&self, event: &tracing::Event<'_>) {
        event.record(&mut Fields(&self.0));
    }
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
}

struct Fields<'a>(&'a Mutex<String>);

impl tracing::field::Visit for Fields<'_> {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
        self.0.lock().expect("nobody panics with it").push_str(&format!("{field}={value:?}\n"));
    }
}

#[tokio::test]
async fn no_log_ever_shows_a_secret() {
    use crate::api::auth::{AdminAuth, KeySource};
    let log = Everything::default();
    // With one subscriber alone, whichever thread meets an event first decides for all whether anybody wants it.
    let _second = tracing::Dispatch::new(Everything::default());
    let _guard = tracing::subscriber::set_default(log.clone());
    let auth = AdminAuth::Key { source: KeySource::Query("token".into()), keys: vec![SECRET.into()] };
    let node = Node::with(ApiSettings { auth, ..ApiSettings::default() }).await;
    for (path, body) in [
        ("secret", json!({"name": "s", "data": SECRET})),
        ("secret", json!({"name": "s", "data": format!("{SECRET}2")})),
        ("secret", json!({"name": "t", "data": [SECRET]})),
        ("domain", json!({"name": "d", "patterns": ["*"], "cert": CERT, "key": KEY})),
        ("module", json!({"name": "m", "payloadRaw": format!("export const a = '{SECRET}'")})),
        ("module", json!({"name": "m", "payloadRaw": format!("let = '{SECRET}'")})),
        ("collection", json!({"name": "c", "schema": {"type": "string", "const": SECRET}})),
        ("document/d", json!(SECRET)),
        ("document/d", json!([SECRET])),
    ] {
        node.put(&format!("/api/v1/{path}?token={SECRET}&collection=c"), body.clone()).await;
        node.put(&format!("/api/v1/{path}?token={SECRET}x&collection=c"), body).await;
    }
    let shown = log.0.lock().expect("nobody panics with it").clone();
    assert!(shown.contains("put secret default/s") && shown.contains("admin request refused"), "{shown}");
    for bytes in ["SECRETBYTES", "KEYBYTES", "CERTBYTES"] {
        assert!(!shown.contains(bytes), "{shown}");
    }
}

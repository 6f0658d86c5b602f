//! Configurations of DGate 1 start as they are; what this gateway does not do is named in a warning.

use crate::harness::{Upstream, ok};
use crate::operator::node::{Plan, client};
use crate::operator::{Json as _, request};
use serde_json::Value;

/// What users of DGate have: most of its keys, in its forms.
const TYPICAL: &str = r##"
version: v1
log_level: ${LOG_LEVEL:-info}
debug: true
tags: ["dev", "test"]
storage:
  type: file
  dir: .dgate/data/
test_server:
  port: 0
  host: 127.0.0.1
  global_headers:
    X-Test-Header: ${TEST_URL:-TEST}
proxy:
  port: 0
  host: 127.0.0.1
  console_log_level: info
  enable_h2c: true
  enable_http2: true
  disable_x_forwarded_headers: false
  allowed_domains: ["*", "*.example.com"]
  global_headers:
    X-From: dgate
  client_transport:
    disable_private_ips: false
    dns_server: 8.8.8.8:53
    dns_timeout: 5s
    max_idle_conns: 100
    idle_conn_timeout: 90s
    disable_compression: true
  init_resources:
    namespaces:
      - name: "admin"
        tags: ["#dev", "namespace"]
    services:
      - name: "svc"
        namespace: "admin"
        urls: ["UPSTREAM"]
        retries: 2
        retryTimeout: 50ms
        tags: ["a"]
    routes:
      - name: "rt"
        paths: ["/*"]
        methods: ["*"]
        modules: ["mod"]
        namespace: "admin"
        service: svc
        stripPath: true
    modules:
      - name: "mod"
        namespace: "admin"
        payload: ZXhwb3J0IGNvbnN0IHJlc3BvbnNlTW9kaWZpZXIgPSAoY3R4KSA9PiBjdHgudXBzdHJlYW0oKS5oZWFkZXJzLnNldCgnWC1Nb2QnLCAnMScpOwo=
    domains:
      - name: "dm"
        namespace: "admin"
        patterns: ["*.dgate.example.com"]
        priority: 3
    collections:
      - name: "col"
        namespace: "admin"
        visibility: public
        type: document
        schema: {"type": "object", "properties": {"n": {"type": "number"}}}
    documents:
      - id: "d1"
        namespace: "admin"
        collection: "col"
        data: {"n": 1}
    secrets:
      - name: "sec"
        namespace: "admin"
        data: "cGxhbnRlZA=="
admin:
  port: 0
  host: 127.0.0.1
  allow_list: ["127.0.0.1/8", "::1"]
  watch_only: false
"##;

#[test]
fn a_typical_configuration_starts_unchanged() {
    let upstream = Upstream::answering(|request| ok(request.target()));
    let node = Plan::yaml(&TYPICAL.replace("UPSTREAM", &upstream.url())).env("TEST_URL", "from-env").start();
    let ask = |host: &str, path: &str| node.client().ask(request("GET", path, &[("Host", host)], b""));
    let answer = ask("1.dgate.example.com", "/a/b");
    assert_eq!((answer.status(), answer.text().as_str()), (200, "/a/b"), "{answer:?}");
    assert_eq!((answer.get("x-mod"), answer.get("x-from")), (Some("1"), Some("dgate")));
    assert_eq!(ask("other.example.com", "/a").status(), 404);
    let echo = client(node.test_server).get("/");
    assert_eq!(echo.get("x-test-header"), Some("from-env"));
    let document = node.admin("GET", "/api/v1/document/d1?namespace=admin&collection=col", &Value::Null);
    assert_eq!(document.json()["data"]["data"], serde_json::json!({ "n": 1 }));
    let log = node.log();
    for key in ["enable_h2c", "enable_http2", "dns_server"] {
        assert!(
            log.lines().any(|line| line.contains("WARN") && line.contains(key)),
            "{key} is not named: {log}"
        );
    }
    assert!(!log.contains("planted"), "{log}");
}

#[test]
fn a_replicated_configuration_names_what_is_not_done_yet() {
    let config = r#"
version: v1
log_level: info
node_id: test1
storage: { type: memory }
proxy: { port: 0, host: 127.0.0.1 }
admin:
  port: 0
  host: 127.0.0.1
  replication:
    id: test1
    bootstrap_cluster: true
    advert_address: "localhost:9081"
    cluster_address: ["localhost:9081"]
    raft_config: { heartbeat_timeout: 50ms, election_timeout: 100ms }
"#;
    let node = Plan::yaml(config).start();
    assert!(
        node.log().lines().any(|line| line.contains("WARN") && line.contains("replication")),
        "{}",
        node.log()
    );
    assert_eq!(node.admin("GET", "/readyz", &Value::Null).status(), 200);
}

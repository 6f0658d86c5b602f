//! Envoy as a proxy with one worker: the same headers, kept upstream connections, no log, no request ids, no tracing,
//! none of its own fields, statistics per request off where it can.

use crate::session;
use crate::setup::{Setup, Task};
use crate::workload::{DOMAINS, ROUTES_PER_DOMAIN, domain};
use serde_json::{Map, Value, json};
use std::path::Path;
use std::process::Command;

const HTTP: &str = "type.googleapis.com/envoy.extensions.filters.http";
const ROUTE: &str = "type.googleapis.com/envoy.config.route.v3.Route";
const TLS: &str = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext";
const MANAGER: &str = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.\
                       HttpConnectionManager";
const BY_FIELD: &str = "type.googleapis.com/envoy.type.matcher.v3.HttpRequestHeaderMatchInput";

/// Its configuration, in JSON, which is YAML as well.
pub(crate) fn config(setup: &Setup) -> Value {
    let Setup { task, port, upstream, certificate, .. } = setup;
    let mut filters = Vec::new();
    if task.session() {
        filters.push(json!({"name": "envoy.filters.http.jwt_authn", "typed_config": jwt()}));
    }
    filters.push(json!({"name": "envoy.filters.http.router", "typed_config": {
        "@type": format!("{HTTP}.router.v3.Router"), "dynamic_stats": false, "suppress_envoy_headers": true}}));
    let set = |name: &str, value: &str| {
        json!({"header": {"key": name, "value": value},
        "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"})
    };
    let manager = json!({"@type": MANAGER, "stat_prefix": "gateway", "codec_type": "AUTO",
        "use_remote_address": true, "generate_request_id": false, "server_header_transformation": "PASS_THROUGH",
        "http2_protocol_options": {"max_concurrent_streams": 128},
        "http_filters": filters,
        "route_config": {"request_headers_to_add": [set("X-Forwarded-Host", "%REQ(:AUTHORITY)%"),
            set("X-Real-IP", "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%")], "virtual_hosts": hosts(*task)}});
    let mut chain = json!({"filters":
        [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]});
    if task.transport().tls() {
        let protocols = if task.transport().http2() { vec!["h2", "http/1.1"] } else { vec!["http/1.1"] };
        chain["transport_socket"] = json!({"name": "envoy.transport_sockets.tls", "typed_config": {"@type": TLS,
            "common_tls_context": {"alpn_protocols": protocols, "tls_params":
                {"tls_minimum_protocol_version": "TLSv1_2", "tls_maximum_protocol_version": "TLSv1_3"},
            "tls_certificates": [{"certificate_chain": {"filename": certificate.chain},
                "private_key": {"filename": certificate.key}}]}}});
    }
    let at = |port: &u16| json!({"socket_address": {"address": "127.0.0.1", "port_value": port}});
    let endpoint = json!({"endpoint": {"address": at(upstream)}});
    let mut listener =
        json!({"name": "gateway", "address": at(port), "tcp_backlog_size": 4096, "filter_chains": [chain]});
    if task.new_connections() {
        listener["socket_options"] = json!([{"description": "TCP_DEFER_ACCEPT", "level": libc::IPPROTO_TCP,
            "name": libc::TCP_DEFER_ACCEPT, "int_value": 1}]);
    }
    json!({"static_resources": {
        "listeners": [listener],
        "clusters": [{"name": "origin", "type": "STATIC", "connect_timeout": "5s",
            "circuit_breakers": {"thresholds": [{"max_connections": 16384, "max_pending_requests": 16384,
                "max_requests": 16384}]},
            "load_assignment": {"cluster_name": "origin", "endpoints": [{"lb_endpoints": [endpoint]}]}}],
    }})
}

fn to_origin(of: Value) -> Value {
    json!({"match": of, "route": {"cluster": "origin"}})
}

fn hosts(task: Task) -> Value {
    let host = |name: &str, domain: &str, routes: Vec<Value>| json!([{"name": name, "domains": [domain], "routes": routes}]);
    if let Some(answer) = task.own_answer() {
        let response = json!({"status": 200, "body": {"inline_string": answer}});
        let field = json!([{"header": {"key": "content-type", "value": "application/json"}}]);
        let route =
            json!({"match": {"prefix": "/"}, "direct_response": response, "response_headers_to_add": field});
        host("all", "*", vec![route])
    } else if task.many_routes() {
        // A tree of exact paths: routes in a list are compared one after another.
        let action = json!({"action": {"name": "route", "typed_config":
            {"@type": ROUTE, "match": {"prefix": "/"}, "route": {"cluster": "origin"}}}});
        let paths: Map<String, Value> =
            (0..ROUTES_PER_DOMAIN).map(|n| (format!("/small/{n}"), action.clone())).collect();
        let matcher = json!({"matcher_tree": {"input": {"name": "path", "typed_config":
            {"@type": BY_FIELD, "header_name": ":path"}}, "exact_match_map": {"map": paths}}});
        (0..DOMAINS).map(|n| json!({"name": domain(n), "domains": [domain(n)], "matcher": matcher})).collect()
    } else if task.session() {
        let services = session::SERVICES.iter().map(|name| to_origin(json!({"prefix": format!("/{name}/")})));
        host("all", "*", services.collect())
    } else {
        host("all", "*", vec![to_origin(json!({"prefix": "/"}))])
    }
}

fn jwt() -> Value {
    let key = json!({"keys": [{"kty": "oct", "alg": "HS256", "k": session::KEY_BASE64URL}]});
    json!({"@type": format!("{HTTP}.jwt_authn.v3.JwtAuthentication"),
        "providers": {"shop": {"issuer": "shop", "from_cookies": ["session"], "forward": true,
            "local_jwks": {"inline_string": key.to_string()},
            "claim_to_headers": [{"header_name": session::USER_FIELD, "claim_name": "sub"}]}},
        "rules": [{"match": {"prefix": "/"}, "requires": {"provider_name": "shop"}}]})
}

/// The command that runs it in the foreground.
pub(crate) fn command(program: &Path, config: &Path) -> Command {
    let mut command = Command::new(program);
    command.arg("--config-path").arg(config).args(["--concurrency", "1", "--log-level", "error"]);
    command.args(["--disable-hot-restart"]);
    command
}

//! Files as users write them: what they mean, what they are warned about, and where their faults are.

use super::*;
use crate::api::auth::{AdminAuth, KeySource};
use crate::change::Kind;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use tidegate_snapshot::EventLevel;

fn env(name: &str) -> Option<String> {
    match name {
        "TG_TOKEN" => Some("hunter2".into()),
        "TG_PORT" => Some("8082".into()),
        _ => None,
    }
}

fn options() -> LoadOptions<'static> {
    LoadOptions { allow_commands: false, env: &env }
}

fn parse(text: &str) -> Result<Loaded, Vec<Invalid>> {
    let tree = Format::Yaml.parse(text).map_err(|why| vec![Invalid::new("", why)])?;
    read(tree, &fixtures(), &options())
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/config/fixtures")
}

#[test]
fn a_whole_file_of_version_1() {
    let Loaded { file, warnings } = load(&fixtures().join("full-v1.yaml"), &options()).expect("loads");
    assert_eq!((file.log.level, file.log.json, file.debug), (LogLevel::Warn, true, true));
    assert_eq!((file.node_id.as_str(), file.tags.join(",")), ("harbour-1", "edge,north".to_owned()));
    assert!(file.disable_default_namespace);
    assert_eq!(file.storage, StorageConfig { memory: false, dir: Some("var/state".into()) });
    assert_eq!(file.proxy.listen.to_string(), "0.0.0.0:8082");
    assert_eq!(file.proxy.console_level, EventLevel::Debug);
    assert_eq!(file.proxy.max_body_bytes, Some(1 << 20));
    let settings = &file.proxy.settings;
    assert!(settings.redirect_https[0].matches("a.secure.example"));
    assert!(settings.allowed_domains[1].matches("x.example.com") && settings.strict_mode);
    assert_eq!((settings.https_port, settings.forwarded.trusted_depth), (8443, 2));
    assert_eq!(&*settings.global_headers[0].1, b"harbour");
    assert_eq!(file.admin.listen.to_string(), "0.0.0.0:9081");
    assert_eq!(
        file.admin.allow_list.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["127.0.0.0/8", "::1/128"]
    );
    assert!(matches!(&file.admin.auth, AdminAuth::Basic(users) if users[0].1.expose() == "hunter2"));
    let test_server = file.test_server.as_ref().expect("test server");
    assert_eq!(test_server.global_headers, [("X-Echo".to_owned(), "yes".to_owned())]);
    let tuning: Vec<String> = file.tuning.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let expected = [
        "cpus=0,2",
        "max_connections=1000",
        "shards=2",
        "upstream_idle_per_address=32",
        "upstream_idle_timeout=90000ms",
    ];
    assert_eq!(tuning, expected);
    let items: Vec<String> = file.proxy.init.items.iter().map(|item| format!("{item:?}")).collect();
    assert_eq!(items[1], "service at proxy.init_resources.services[0]");
    let modules: Vec<&Value> =
        file.proxy.init.items.iter().filter(|i| i.kind == Kind::Module).map(|i| &i.value).collect();
    assert_eq!((&modules[0]["moduleType"], &modules[1]["moduleType"]), (&Value::Null, &json!("javascript")));
    let source = STANDARD.decode(modules[0]["payload"].as_str().expect("payload")).expect("base64");
    assert!(source.starts_with(b"export function"));
    let warned: Vec<&str> = warnings.iter().map(|warning| warning.at.as_str()).collect();
    assert_eq!(warned, ["proxy.tls", "proxy.client_transport.dial_timeout", "proxy.enable_http2"]);
    assert!(!format!("{file:?}").contains("hunter2"), "secrets are never printed");
}

#[test]
fn nothing_means_the_defaults() {
    let Loaded { file, warnings } = parse("").expect("loads");
    assert_eq!(file.proxy.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(file.admin.listen.to_string(), "127.0.0.1:9080");
    assert!(file.test_server.is_none() && file.proxy.init.items.is_empty() && file.tuning.is_empty());
    assert_eq!(file.proxy.settings.https_port, 443);
    assert_eq!(warnings[0].at, "admin");
    assert_eq!(format!("{file:?}"), format!("{:?}", FileConfig::default()));
}

#[test]
fn what_keys_mean() {
    type Case = (&'static str, fn(&FileConfig) -> String, &'static str);
    let cases: [Case; 16] = [
        ("proxy: {port: 80}", |f| f.proxy.listen.to_string(), "0.0.0.0:80"),
        ("proxy: {host: '::1'}", |f| f.proxy.listen.to_string(), "[::1]:8080"),
        ("proxy: {port: '${TG_PORT}'}", |f| f.proxy.listen.port.to_string(), "8082"),
        ("log_level: fatal", |f| f.log.level.name().into(), "error"),
        ("log_level: debug", |f| format!("{:?}", f.proxy.console_level), "Info"),
        ("{log_level: debug, proxy: {}}", |f| format!("{:?}", f.proxy.console_level), "Debug"),
        ("log_color: false", |f| format!("{:?}", f.log.color), "Some(false)"),
        ("debug: '${X:-true}'", |f| f.debug.to_string(), "true"),
        ("storage: {type: memory}", |f| f.storage.memory.to_string(), "true"),
        ("proxy: {x_forwarded_for_depth: -1}", |f| f.proxy.settings.forwarded.trusted_depth.to_string(), "0"),
        ("admin: {auth_method: key, key_auth: {keys: [k]}}", |f| format!("{:?}", f.admin.auth), "key"),
        ("admin: {key_auth: {keys: [k]}}", |f| format!("{:?}", f.admin.auth), "key"),
        (
            "test_server: {}",
            |f| f.test_server.as_ref().map(|t| t.listen.to_string()).unwrap(),
            "127.0.0.1:8888",
        ),
        (
            "proxy: {client_transport: {disable_keep_alives: true}}",
            |f| f.tuning.values().cloned().collect(),
            "0",
        ),
        (
            "proxy: {client_transport: {idle_conn_timeout_ms: 1500}}",
            |f| f.tuning.values().cloned().collect(),
            "1500ms",
        ),
        (
            "{proxy: {client_transport: {max_idle_conns: 9}}, tidegate: {upstream_idle_total: 7}}",
            |f| f.tuning.values().cloned().collect(),
            "7",
        ),
    ];
    for (text, read, expected) in cases {
        let found = read(&parse(text).unwrap_or_else(|faults| panic!("{text}: {faults:?}")).file);
        if expected == "key" {
            assert!(found.starts_with("Key") && !found.contains("\"k\""), "{text}: {found}");
        } else {
            assert_eq!(found, expected, "{text}");
        }
    }
    let file =
        parse("admin: {auth_method: key, key_auth: {query_param_name: t, keys: [k]}}").expect("loads").file;
    assert!(matches!(file.admin.auth, AdminAuth::Key { source: KeySource::Query(name), .. } if name == "t"));
}

#[test]
fn variables_in_resources_get_their_types() {
    let text = "proxy: {init_resources: {services: [{name: '${N:-7}', retries: '${R:-4}', tlsSkipVerify: '${T:-true}'}]}}";
    let init = parse(text).expect("loads").file.proxy.init;
    assert_eq!(init.items[0].value, json!({"name": "7", "retries": 4, "tlsSkipVerify": true}));
    let text = "proxy: {init_resources: {modules: [{name: m, permissions: ['cache'], limits: {cpu_ms: '${C:-50}', memoryBytes: 4m}}]}}";
    let init = parse(text).expect("loads").file.proxy.init;
    let expected =
        json!({"name": "m", "permissions": ["cache"], "limits": {"cpu_ms": 50, "memoryBytes": "4m"}});
    assert_eq!(init.items[0].value, expected);
}

#[test]
fn what_is_known_and_not_acted_on_is_named() {
    for (text, at) in [
        ("version: v9", "version"),
        ("cluster: {enabled: true}", "cluster"),
        ("Logger: {encoding: json}", "Logger"),
        ("proxy: {enable_h2c: true, enable_http2: true}", "proxy.enable_h2c"),
        ("proxy: {enable_console_logger: true}", "proxy.enable_console_logger"),
        ("proxy: {client_transport: {dns_server: '1.1.1.1:53'}}", "proxy.client_transport.dns_server"),
        ("proxy: {init_resources: {skip_validation: true}}", "proxy.init_resources.skip_validation"),
        ("admin: {tls: {port: 9443}}", "admin.tls"),
        ("admin: {replication: {id: a, bootstrap_cluster: true}}", "admin.replication"),
        ("test_server: {enable_env_vars: true}", "test_server.enable_env_vars"),
    ] {
        let warnings =
            parse(&format!("{text}\n")).unwrap_or_else(|faults| panic!("{text}: {faults:?}")).warnings;
        assert!(warnings.iter().any(|warning| warning.at == at), "{text}: {warnings:?}");
    }
    let quiet =
        "admin: {port: 1}\nproxy: {enable_h2c: false, client_transport: {disable_private_ips: false}}";
    let dated = parse("proxy: {global_headers: {dAte: now, x-a: '1'}}\n").expect("loads");
    assert!(dated.warnings.iter().any(|warning| warning.at == "proxy.global_headers.dAte"));
    let left: Vec<&[u8]> = dated.file.proxy.settings.global_headers.iter().map(|(name, _)| &**name).collect();
    assert_eq!(left, [b"x-a"]);
    assert_eq!(parse(quiet).expect("loads").warnings, [], "what asks for nothing needs no warning");
}

#[test]
fn faults_say_where_and_what() {
    for (text, at, why) in [
        ("porxy: {}", "porxy", "no such key"),
        ("strage: {}", "strage", "did you mean 'storage'?"),
        ("proxy: {prot: 1}", "proxy.prot", "no such key"),
        ("proxy: {global_header: {}}", "proxy.global_header", "'global_headers'"),
        ("a: 1\na: 2", "", "a"),
        ("proxy: 7", "proxy", "a section"),
        ("proxy: {port: 99999}", "proxy.port", "16 bits"),
        ("proxy: {port: x}", "proxy.port", "whole number"),
        ("debug: maybe", "debug", "true or false"),
        ("log_level: loud", "log_level", "is no level"),
        ("storage: {type: tape}", "storage.type", "file or memory"),
        ("tags: {a: 1}", "tags", "a list of strings"),
        ("tags: [edge, '#region:eu']", "tags[1]", "like 'edge' or 'region:eu'"),
        ("tags: ['${NOPE}']", "tags[0]", "${NOPE:-default}"),
        ("proxy: {host: $(hostname)}", "proxy.host", "--allow-config-commands"),
        ("proxy: {allowed_domains: ['/[/']}", "proxy.allowed_domains[0]", "regular expression"),
        ("proxy: {global_headers: {'a b': c}}", "proxy.global_headers", "'a b'"),
        ("proxy: {global_headers: {Connection: close}}", "proxy.global_headers", "frames the message"),
        ("proxy: {allow_list: [10.0.0.0/8]}", "proxy.allow_list", "everybody"),
        (
            "proxy: {client_transport: {disable_private_ips: true}}",
            "proxy.client_transport.disable_private_ips",
            "private",
        ),
        ("proxy: {client_transport: {idle_conn_timeout: 5}}", "", ""),
        (
            "proxy: {client_transport: {idle_conn_timeout: 5x}}",
            "proxy.client_transport.idle_conn_timeout",
            "a duration",
        ),
        ("proxy: {init_resources: {route: []}}", "proxy.init_resources.route", "'routes'"),
        ("proxy: {init_resources: {routes: [1]}}", "proxy.init_resources.routes[0]", "section"),
        (
            "proxy: {init_resources: {modules: [{name: a, payload_file: nope.ts}]}}",
            "proxy.init_resources.modules[0].payload_file",
            "nope.ts",
        ),
        (
            "proxy: {init_resources: {modules: [{name: a, payloadFile: .}]}}",
            "proxy.init_resources.modules[0].payloadFile",
            "not a file",
        ),
        (
            "proxy: {init_resources: {modules: [{name: a, payload: eA==, payloadRaw: x}]}}",
            "proxy.init_resources.modules[0].payload",
            "one of",
        ),
        (
            "proxy: {init_resources: {domains: [{name: a, cert: x, cert_file: plain.js}]}}",
            "proxy.init_resources.domains[0].cert",
            "one of",
        ),
        ("admin: {allow_list: [here]}", "admin.allow_list[0]", "10.0.0.0/8"),
        ("admin: {auth_method: jwt, jwt_auth: {secret: x}}", "admin.auth_method", "not supported"),
        ("admin: {auth_method: magic}", "admin.auth_method", "no method"),
        ("admin: {auth_method: basic}", "admin.basic_auth", "is needed"),
        ("admin: {auth_method: basic, basic_auth: {users: []}}", "admin.basic_auth.users", "nobody"),
        (
            "admin: {auth_method: basic, basic_auth: {users: [{username: a}]}}",
            "admin.basic_auth.users[0].username",
            "password",
        ),
        (
            "admin: {auth_method: none, basic_auth: {users: [{username: a, password: b}]}}",
            "admin.auth_method",
            "credentials",
        ),
        (
            "admin: {auth_method: key, key_auth: {keys: [''], header_name: a, query_param_name: b}}",
            "admin.key_auth.keys",
            "empty",
        ),
        ("tidegate: {shards: {a: 1}}", "tidegate.shards", "one value"),
    ] {
        match parse(text) {
            Ok(_) => assert_eq!(why, "", "{text} must be refused"),
            Err(faults) => {
                let found = faults.iter().find(|fault| fault.at == at && fault.why.contains(why));
                assert!(found.is_some() && !why.is_empty(), "{text}: {faults:?}");
            }
        }
    }
}

#[test]
fn all_faults_come_at_once_and_show_no_values() {
    let text =
        "log_level: loud\nnope: 1\nadmin: {auth_method: basic, basic_auth: {users: [{password: [s3cret]}]}}";
    let faults = parse(text).expect_err("refused");
    assert!(faults.len() >= 4, "{faults:?}");
    assert!(!format!("{faults:?}").contains("s3cret"));
}

#[test]
fn files_that_cannot_be_loaded() {
    for name in ["none.yaml", "stamp.ts", "."] {
        assert_eq!(load(&fixtures().join(name), &options()).expect_err(name).len(), 1);
    }
}

#[test]
fn the_other_formats_and_version_2() {
    let dir = tempfile::tempdir().expect("dir");
    for (name, text) in [
        (
            "a.json",
            r#"{"version":"v1","storage":{"type":"memory"},"admin":{"port":1},"proxy":{"init_resources":{"modules":
               [{"name":"m","namespace":"default","moduleType":"javascript","payloadRaw":"export const a = `${b}`"}]}}}"#,
        ),
        (
            "a.toml",
            "version = 'v1'\n[storage]\ntype = 'memory'\n[admin]\nport = 1\n[[proxy.init_resources.modules]]\n\
             name = 'm'\nnamespace = 'default'\nmoduleType = 'javascript'\npayloadRaw = 'export const a = `${b}`'\n",
        ),
    ] {
        let path = dir.path().join(name);
        std::fs::write(&path, text).expect("written");
        let file = load(&path, &options()).unwrap_or_else(|faults| panic!("{name}: {faults:?}")).file;
        assert!(file.storage.memory && file.admin.listen.port == 1, "{name}");
        let payload = file.proxy.init.items[0].value["payload"].as_str().expect("payload").to_owned();
        assert_eq!(STANDARD.decode(payload).expect("base64"), b"export const a = `${b}`", "{name}");
    }
}

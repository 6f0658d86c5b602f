//! What the compiler makes of resources, and above all what it leaves alone.

mod scripts;

use super::*;
use base64::Engine as _;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::net::IpAddr;
use tidegate_snapshot::{Found, Route, Script};

/// Addresses made by hand.
#[derive(Default)]
struct Hosts(HashMap<&'static str, Vec<IpAddr>>, u64);

impl Addresses for Hosts {
    fn of(&self, host: &str) -> &[IpAddr] {
        self.0.get(host).map_or(&[], Vec::as_slice)
    }
    fn version(&self) -> u64 {
        self.1
    }
}

struct Bench {
    compiler: Compiler,
    hosts: Hosts,
    generation: u64,
}

fn defaults(default_namespace: bool) -> Defaults {
    Defaults {
        settings: Arc::default(),
        module_limits: ModuleLimits::default(),
        max_body_bytes: 1_000,
        default_namespace,
        tags: NodeTags::new(["edge".to_owned(), "region:eu".to_owned()]),
    }
}

/// `kind namespace/name`.
fn key(at: &str) -> Key {
    let (kind, path) = at.split_once(' ').expect("kind");
    let (namespace, name) = path.split_once('/').unwrap_or((path, path));
    let kind = Kind::ALL.into_iter().find(|k| k.name() == kind).expect("kind");
    Key { kind, namespace: namespace.into(), collection: None, name: name.into() }
}

fn text(at: &str, fields: Value) -> (Key, String) {
    let key = key(at);
    let mut value = fields;
    value["name"] = key.name.clone().into();
    if key.kind != Kind::Namespace {
        value["namespace"] = key.namespace.clone().into();
    }
    let parsed = crate::resource::parse(key.kind, value).expect(at);
    assert_eq!(parsed.key, key);
    (key, parsed.value.to_string())
}

impl Bench {
    fn new(default_namespace: bool) -> Self {
        let compiler = Compiler::new(defaults(default_namespace));
        Self { compiler, hosts: Hosts::default(), generation: 0 }
    }

    fn put(&mut self, at: &str, fields: Value) {
        let (key, text) = text(at, fields);
        self.compiler.put(&key, &text);
    }

    fn service(&mut self, at: &str) {
        self.put(&format!("service {at}"), json!({"urls": ["http://127.0.0.1:9000"]}));
    }

    fn route(&mut self, at: &str, path: &str, service: &str) {
        self.put(&format!("route {at}"), json!({"paths": [path], "methods": ["*"], "service": service}));
    }

    fn module(&mut self, at: &str, source: &str) {
        let payload = base64::engine::general_purpose::STANDARD.encode(source);
        self.put(&format!("module {at}"), json!({"payload": payload}));
    }

    fn scripted(&mut self, at: &str, path: &str, modules: &[&str]) {
        self.put(&format!("route {at}"), json!({"paths": [path], "methods": ["GET"], "modules": modules}));
    }

    fn remove(&mut self, at: &str) {
        self.compiler.remove(&key(at));
    }

    fn try_build(&mut self) -> Option<Arc<Snapshot>> {
        self.generation += 1;
        self.compiler.build(Revision(self.generation), self.generation, &self.hosts)
    }

    fn build(&mut self) -> Arc<Snapshot> {
        self.try_build().expect("something changed")
    }
}

fn find(snapshot: &Snapshot, host: &str, path: &str) -> Option<Arc<Route>> {
    let namespace = snapshot.namespace_for(host)?;
    match namespace.routes.find(path.as_bytes(), &http::Method::GET) {
        Found::Match(found) => Some(found.value.clone()),
        _ => None,
    }
}

fn route(snapshot: &Snapshot, host: &str, path: &str) -> Arc<Route> {
    find(snapshot, host, path).unwrap_or_else(|| panic!("no route for {host}{path}"))
}

#[test]
fn the_first_snapshot_has_the_default_namespace() {
    let mut bench = Bench::new(true);
    let snapshot = bench.build();
    assert_eq!(&*snapshot.namespaces[0].name, "default");
    assert_eq!(&*snapshot.namespaces[0].description, r#"{"name":"default","tags":["default"]}"#);
    assert!(snapshot.namespace_for("any.host").is_some());
    assert!(bench.try_build().is_none(), "nothing changed");
    assert!(Bench::new(false).build().namespaces.is_empty());
}

#[test]
fn hosts_that_no_domain_matches() {
    // (default exists, namespaces, domains as namespace/pattern, host, namespace)
    type Case = (
        bool,
        &'static [&'static str],
        &'static [(&'static str, &'static str)],
        &'static str,
        Option<&'static str>,
    );
    let cases: [Case; 10] = [
        (true, &[], &[], "h", Some("default")),
        (true, &["a"], &[], "h", Some("default")),
        (false, &["a"], &[], "h", Some("a")),
        (false, &["a", "b"], &[], "h", None),
        (false, &["default"], &[], "h", None),
        (true, &["a"], &[("a", "a.com")], "a.com", Some("a")),
        (true, &["a"], &[("a", "a.com")], "h", Some("default")),
        (true, &["a"], &[("a", "a.com"), ("default", "d.com")], "h", None),
        (false, &["a"], &[("a", "a.com")], "h", None),
        (true, &["a"], &[("a", "*"), ("default", "d.com")], "d.com", Some("default")),
    ];
    for (default, namespaces, domains, host, expected) in cases {
        let mut bench = Bench::new(default);
        for name in namespaces {
            bench.put(&format!("namespace {name}"), json!({}));
        }
        for (at, (namespace, pattern)) in domains.iter().enumerate() {
            bench.put(&format!("domain {namespace}/d{at}"), json!({"patterns": [pattern]}));
        }
        let snapshot = bench.build();
        let found = snapshot.namespace_for(host).map(|namespace| &*namespace.name);
        assert_eq!(found, expected, "{default} {namespaces:?} {domains:?} {host}");
    }
}

#[test]
fn what_did_not_change_is_the_same_object() {
    let mut bench = Bench::new(true);
    bench.put("namespace a", json!({}));
    bench.put("domain a/d", json!({"patterns": ["a.com"]}));
    for at in ["default/s", "default/t", "a/s"] {
        bench.service(at);
    }
    bench.route("default/x", "/x", "s");
    bench.route("default/y", "/y", "t");
    bench.route("a/x", "/x", "s");
    let one = bench.build();
    bench.put("service default/t", json!({"urls": ["http://127.0.0.1:9001"], "retries": 0}));
    let two = bench.build();

    assert!(Arc::ptr_eq(&one.namespaces[0], &two.namespaces[0]), "namespace a was not written");
    let (x1, x2) = (route(&one, "h", "/x"), route(&two, "h", "/x"));
    assert!(Arc::ptr_eq(&x1, &x2), "x has another service");
    let (y1, y2) = (route(&one, "h", "/y"), route(&two, "h", "/y"));
    assert!(!Arc::ptr_eq(&y1, &y2));
    assert!(Arc::ptr_eq(&y1.key, &y2.key) && y1.slot == y2.slot);
    let (t1, t2) = (y1.service.as_ref().unwrap(), y2.service.as_ref().unwrap());
    assert!(Arc::ptr_eq(&t1.key, &t2.key) && t1.slot == t2.slot && t2.retries == 0);

    bench.put("service default/t", json!({"urls": ["http://127.0.0.1:9001"], "retries": 0}));
    assert!(bench.try_build().is_none(), "the same text again");
    // The whole state again is no change either.
    let all: Vec<(Key, String)> = [
        text("namespace a", json!({})),
        text("domain a/d", json!({"patterns": ["a.com"]})),
        text("service default/s", json!({"urls": ["http://127.0.0.1:9000"]})),
        text("service default/t", json!({"urls": ["http://127.0.0.1:9001"], "retries": 0})),
        text("service a/s", json!({"urls": ["http://127.0.0.1:9000"]})),
        text("route default/x", json!({"paths": ["/x"], "methods": ["*"], "service": "s"})),
        text("route default/y", json!({"paths": ["/y"], "methods": ["*"], "service": "t"})),
        text("route a/x", json!({"paths": ["/x"], "methods": ["*"], "service": "s"})),
    ]
    .into();
    bench.compiler.reset(&all);
    assert!(bench.try_build().is_none());
    bench.compiler.reset(&all[2..7]);
    let three = bench.build();
    assert_eq!(three.namespaces.len(), 1, "a is gone with all that was in it");
}

#[test]
fn slots_stay_with_their_resource_and_are_used_again() {
    let mut bench = Bench::new(true);
    bench.service("default/s");
    for name in ["a", "b", "c"] {
        bench.route(&format!("default/{name}"), &format!("/{name}"), "s");
    }
    let one = bench.build();
    let slots: Vec<u32> = ["/a", "/b", "/c"].iter().map(|path| route(&one, "h", path).slot).collect();
    assert_eq!((slots, one.route_slots, one.service_slots), (vec![0, 1, 2], 3, 1));
    bench.remove("route default/b");
    bench.route("default/d", "/d", "s");
    bench.route("default/a", "/a2", "s");
    let two = bench.build();
    assert_eq!((route(&two, "h", "/d").slot, route(&two, "h", "/a2").slot, two.route_slots), (1, 0, 3));
    assert!(find(&two, "h", "/b").is_none() && find(&two, "h", "/a").is_none());
    assert!(!Arc::ptr_eq(&route(&one, "h", "/b").key, &route(&two, "h", "/d").key));
    for name in ["route default/c", "route default/d"] {
        bench.remove(name);
    }
    assert_eq!(bench.build().route_slots, 1);
}

#[test]
fn addresses_are_filled_in_and_followed() {
    let mut bench = Bench::new(true);
    bench.put("service default/s", json!({"urls": ["http://Up.example:81/v1/", "http://[::1]:82"]}));
    bench.put("service default/t", json!({"urls": ["http://127.0.0.1"]}));
    bench.route("default/x", "/x", "s");
    bench.route("default/y", "/y", "t");
    assert_eq!(bench.compiler.hosts(), BTreeSet::from(["up.example".to_owned()]));
    let addresses = |snapshot: &Snapshot| -> Vec<String> {
        let route = route(snapshot, "h", "/x");
        let endpoints = &route.service.as_ref().expect("service").endpoints;
        endpoints.iter().flat_map(|e| e.addresses.iter().map(ToString::to_string)).collect()
    };
    let one = bench.build();
    assert_eq!(addresses(&one), ["[::1]:82"]);
    bench.hosts.0.insert("up.example", vec!["10.0.0.1".parse().unwrap(), "::2".parse().unwrap()]);
    bench.hosts.1 += 1;
    let two = bench.build();
    assert_eq!(addresses(&two), ["10.0.0.1:81", "[::2]:81", "[::1]:82"]);
    assert!(Arc::ptr_eq(&route(&one, "h", "/y"), &route(&two, "h", "/y")));
    bench.hosts.1 += 1;
    assert!(bench.try_build().is_none(), "another name moved");
}

#[test]
fn fields_are_resolved() {
    let mut bench = Bench::new(true);
    bench.put(
        "service default/s",
        json!({"urls": ["http://127.0.0.1"], "retryTimeout": "30ms", "hideDGateHeaders": true}),
    );
    bench.put(
        "route default/r",
        json!({"paths": ["/r/{id}/*", "/q"], "methods": ["GET", "PURGE"], "service": "s", "stripPath": true,
               "preserveHost": true, "maxBodyBytes": 7, "allowEncodedSlash": true}),
    );
    bench.route("default/plain", "/plain", "s");
    let snapshot = bench.build();
    let (r, plain) = (route(&snapshot, "h", "/r/1/x"), route(&snapshot, "h", "/plain"));
    assert!(r.strip_path && r.preserve_host && r.allow_encoded_slash && !plain.strip_path);
    assert_eq!((r.max_body_bytes, plain.max_body_bytes), (7, 1_000));
    assert!(Arc::ptr_eq(&r, &route(&snapshot, "h", "/q")));
    assert_eq!(r.methods.allow(), "GET, PURGE");
    let service = r.service.as_ref().expect("service");
    assert!(service.hide_gateway_headers && service.retries == 3 && service.retry_wait.as_millis() == 30);
    let shown: Value = serde_json::from_str(&r.description).expect("JSON");
    assert_eq!((&shown["name"], &shown["paths"][1]), (&json!("r"), &json!("/q")));
}

//! The rules among resources, by examples: what a write may refer to and what it would leave dangling.

use super::*;
use crate::change::{CacheOp, Op};
use crate::store::{Rules, StateView};
use std::collections::BTreeMap;

/// A state in memory.
#[derive(Default)]
struct State(BTreeMap<Key, Value>);

impl StateView for State {
    fn get(&self, key: &Key) -> Option<Value> {
        self.0.get(key).cloned()
    }
    fn list(&self, kind: Kind, namespace: Option<&str>) -> Vec<(Key, Value)> {
        let of = |key: &Key| key.kind == kind && namespace.is_none_or(|namespace| key.namespace == namespace);
        self.0.iter().filter(|(key, _)| of(key)).map(|(key, value)| (key.clone(), value.clone())).collect()
    }
    fn count(&self, kind: Kind, namespace: &str, collection: Option<&str>) -> u64 {
        let rows = self.list(kind, Some(namespace)).into_iter();
        rows.filter(|(key, _)| {
            kind != Kind::Document || collection.is_none_or(|c| key.collection.as_deref() == Some(c))
        })
        .count() as u64
    }
    fn any_in_namespace(&self, namespace: &str) -> bool {
        self.0.keys().any(|key| key.namespace == namespace && key.kind != Kind::Namespace)
    }
}

fn put(kind: Kind, value: Value) -> Op {
    parse(kind, value).expect("a good resource").into_put()
}

fn state() -> State {
    let mut state = State::default();
    for (kind, value) in [
        (Kind::Namespace, json!({"name": "n"})),
        (Kind::Service, json!({"name": "s", "namespace": "n", "urls": ["http://a"]})),
        (Kind::Module, json!({"name": "m", "namespace": "n", "payloadRaw": "1"})),
        (
            Kind::Route,
            json!({"name": "r", "namespace": "n", "paths": ["/"], "methods": ["*"], "service": "s",
            "modules": ["m"]}),
        ),
        (Kind::Collection, json!({"name": "c", "namespace": "n", "schema": {"type": "integer"}})),
        (Kind::Collection, json!({"name": "empty", "namespace": "n"})),
        (Kind::Document, json!({"id": "d", "namespace": "n", "collection": "c", "data": 1})),
        (Kind::Secret, json!({"name": "x", "namespace": "n", "data": "hush"})),
    ] {
        let Op::Put { key, value } = put(kind, value) else { unreachable!("a put") };
        state.0.insert(key, value);
    }
    state
}

#[test]
fn references_lead_somewhere_and_what_is_used_stays() {
    let key = |kind, name: &str| Key { kind, namespace: "n".into(), collection: None, name: name.into() };
    let delete = |kind, name: &str| Op::Delete { key: key(kind, name) };
    let route = json!({"name": "q", "namespace": "n", "paths": ["/"], "methods": ["*"], "service": "s"});
    let documents =
        |collection: &str| Op::DeleteDocuments { namespace: "n".into(), collection: collection.into() };
    let count = |namespace: &str| Op::Cache {
        namespace: namespace.into(),
        key: "k".into(),
        update: CacheOp::Increment { by: 1, ttl_ms: None },
    };
    let nowhere = json!({"name": "s", "namespace": "nowhere", "urls": ["http://a"]});
    let in_default = json!({"name": "s", "namespace": "default", "urls": ["http://a"]});
    for (op, expected) in [
        (put(Kind::Route, route.clone()), vec![]),
        (
            put(Kind::Route, with(&route, json!({"service": "t", "modules": ["m", "k"]}))),
            vec!["service", "modules[1]"],
        ),
        (put(Kind::Route, with(&route, json!({"namespace": "default"}))), vec!["service"]),
        (put(Kind::Service, nowhere), vec!["namespace"]),
        (put(Kind::Service, in_default), vec![]),
        (count("n"), vec![]),
        (count("default"), vec![]),
        (count("nowhere"), vec![""]),
        (put(Kind::Document, json!({"id": "e", "namespace": "n", "collection": "c", "data": 2})), vec![]),
        (
            put(Kind::Document, json!({"id": "e", "namespace": "n", "collection": "c", "data": "x"})),
            vec!["data"],
        ),
        (
            put(Kind::Document, json!({"id": "e", "namespace": "n", "collection": "q", "data": 1})),
            vec!["collection"],
        ),
        (put(Kind::Collection, json!({"name": "c", "namespace": "n"})), vec![]),
        (
            put(Kind::Collection, json!({"name": "c", "namespace": "n", "schema": {"type": "null"}})),
            vec!["schema"],
        ),
        (put(Kind::Collection, json!({"name": "empty", "namespace": "n", "schema": false})), vec![]),
        (put(Kind::Secret, json!({"name": "x", "namespace": "n", "data": "other"})), vec!["name"]),
        (put(Kind::Secret, json!({"name": "x", "namespace": "n", "data": "hush"})), vec![]),
        (put(Kind::Secret, json!({"name": "y", "namespace": "n", "data": "hush"})), vec![]),
        (Op::Delete { key: Key { name: "n".into(), ..key(Kind::Namespace, "n") } }, vec![""]),
        (delete(Kind::Service, "s"), vec![""]),
        (delete(Kind::Module, "m"), vec![""]),
        (delete(Kind::Route, "r"), vec![]),
        (delete(Kind::Collection, "c"), vec![""]),
        (delete(Kind::Collection, "empty"), vec![]),
        (delete(Kind::Secret, "x"), vec![]),
        (documents("c"), vec![]),
        (documents("q"), vec!["collection"]),
    ] {
        let faults = ResourceRules::default().check(&state(), &op);
        let paths: Vec<&str> = faults.iter().map(|fault| &*fault.at).collect();
        assert_eq!(paths, expected, "{op:?}: {faults:?}");
        assert!(!faults.iter().any(|fault| fault.why.contains("hush")), "{faults:?}");
    }
}

#[test]
fn who_refers_is_named() {
    let op = Op::Delete {
        key: Key { kind: Kind::Service, namespace: "n".into(), collection: None, name: "s".into() },
    };
    let faults = ResourceRules::default().check(&state(), &op);
    assert!(faults[0].why.contains("'r'"), "{faults:?}");
}

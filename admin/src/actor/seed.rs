//! The configuration file's resources at start: checked like API calls, every fault told with its path in the file, and
//! written as one change that holds only what differs from the state. What users made over the API stays.

use crate::change::{Change, Key, Kind, Op};
use crate::config::{InitResources, dot};
use crate::invalid::Invalid;
use crate::resource::{self, DEFAULT_NAMESPACE, ModuleChecker, ResourceRules};
use crate::store::{Rules, StateView, Store, StoreError, View};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

/// Why the resources cannot be written.
#[derive(Debug)]
pub(super) enum SeedError {
    /// They break rules.
    Invalid(Vec<Invalid>),
    /// The state cannot be read.
    Store(StoreError),
}

impl From<StoreError> for SeedError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// The state with the file's resources in it.
struct Overlay<'a> {
    view: &'a View<'a>,
    over: BTreeMap<Key, Value>,
}

impl Overlay<'_> {
    fn stored(&self, key: &Key) -> Option<Value> {
        // A record that cannot be read is told when the change itself is applied.
        self.view.get(key).ok().flatten()
    }
}

impl StateView for Overlay<'_> {
    fn get(&self, key: &Key) -> Option<Value> {
        self.over.get(key).cloned().or_else(|| self.stored(key))
    }

    fn list(&self, kind: Kind, namespace: Option<&str>) -> Vec<(Key, Value)> {
        let mut all: BTreeMap<Key, Value> =
            self.view.list(kind, namespace).unwrap_or_default().into_iter().collect();
        let over = self.over.iter().filter(|(key, _)| {
            key.kind == kind && namespace.is_none_or(|namespace| key.namespace == namespace)
        });
        all.extend(over.map(|(key, value)| (key.clone(), value.clone())));
        all.into_iter().collect()
    }

    fn count(&self, kind: Kind, namespace: &str, collection: Option<&str>) -> u64 {
        let collection = collection.filter(|_| kind == Kind::Document);
        let new = self.over.keys().filter(|key| {
            key.kind == kind
                && key.namespace == namespace
                && (collection.is_none() || key.collection.as_deref() == collection)
                && self.stored(key).is_none()
        });
        self.view.count(kind, namespace, collection).unwrap_or_default() + new.count() as u64
    }

    fn any_in_namespace(&self, namespace: &str) -> bool {
        Kind::ALL.into_iter().any(|kind| kind != Kind::Namespace && self.count(kind, namespace, None) > 0)
    }
}

/// A resource of the file that is right by itself.
struct Item<'a> {
    at: &'a str,
    key: Key,
    value: Value,
}

/// The change that makes the state hold the file's resources; `None` if it does already.
pub(super) fn change(
    store: &Store,
    init: &InitResources,
    default_namespace: bool,
) -> Result<Option<Change>, SeedError> {
    let view = store.view()?;
    let mut faults = Vec::new();
    let items = parse(init, default_namespace, &view, &mut faults)?;
    if faults.is_empty() {
        faults = check(&view, &items);
    }
    if !faults.is_empty() {
        return Err(SeedError::Invalid(faults));
    }
    let mut ops = Vec::new();
    for Item { key, value, .. } in items {
        let stored = view.get(&key)?;
        let same = match (&stored, key.kind) {
            (None, _) => false,
            (Some(stored), Kind::Document) => stored.get("data") == value.get("data"),
            (Some(stored), _) => *stored == value,
        };
        if same {
            continue;
        }
        // A secret is written once over the API; the file is who wrote this one.
        if key.kind == Kind::Secret && stored.is_some() {
            ops.push(Op::Delete { key: key.clone() });
        }
        ops.push(Op::Put { key, value });
    }
    let at_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |age| age.as_millis() as u64);
    Ok((!ops.is_empty()).then_some(Change { ops, at_ms }))
}

fn below(at: &str, fault: Invalid) -> Invalid {
    Invalid::new(format!("{at}{}{}", dot(&fault.at), fault.at), fault.why)
}

fn parse<'a>(
    init: &'a InitResources,
    default_namespace: bool,
    view: &View<'_>,
    faults: &mut Vec<Invalid>,
) -> Result<Vec<Item<'a>>, StoreError> {
    let mut items: Vec<Item<'a>> = Vec::new();
    for written in &init.items {
        let mut value = written.value.clone();
        if let Some(fields) = value.as_object_mut()
            && written.kind != Kind::Namespace
            && default_namespace
        {
            fields.entry("namespace").or_insert_with(|| DEFAULT_NAMESPACE.into());
        }
        match resource::parse(written.kind, value) {
            Err(found) => faults.extend(found.into_iter().map(|fault| below(&written.at, fault))),
            Ok(parsed) => {
                if let Some(first) = items.iter().find(|item| item.key == parsed.key) {
                    let why = format!("names the same {} as {}", written.kind.name(), first.at);
                    faults.push(Invalid::new(&written.at, why));
                }
                if !default_namespace
                    && parsed.key.namespace == DEFAULT_NAMESPACE
                    && written.kind != Kind::Namespace
                    && !init.items.iter().any(is_default_namespace)
                {
                    let why = "is 'default', which disable_default_namespace switches off";
                    faults.push(Invalid::new(format!("{}.namespace", written.at), why));
                }
                let value = keep_certificate(view, &parsed.key, parsed.value)?;
                items.push(Item { at: &written.at, key: parsed.key, value });
            }
        }
    }
    Ok(items)
}

fn is_default_namespace(item: &crate::config::InitResource) -> bool {
    item.kind == Kind::Namespace && item.value.get("name").and_then(Value::as_str) == Some(DEFAULT_NAMESPACE)
}

/// A domain without a certificate keeps the one that is stored, as over the API.
fn keep_certificate(view: &View<'_>, key: &Key, mut value: Value) -> Result<Value, StoreError> {
    if key.kind == Kind::Domain
        && value.get("cert").is_none()
        && let Some(Value::Object(stored)) = view.get(key)?
    {
        for (name, kept) in stored.into_iter().filter(|(name, _)| name == "cert" || name == "key") {
            value[name] = kept;
        }
    }
    Ok(value)
}

/// The rules among resources and the modules' own, item by item so that each fault has its place.
fn check(view: &View<'_>, items: &[Item<'_>]) -> Vec<Invalid> {
    let (rules, modules) = (ResourceRules::default(), ModuleChecker::default());
    let mut overlay = Overlay { view, over: BTreeMap::new() };
    let mut faults = Vec::new();
    for item in items {
        // Kinds come in the order in which they can be created, so what an item may refer to is there.
        if item.key.kind != Kind::Secret {
            let op = Op::Put { key: item.key.clone(), value: item.value.clone() };
            faults.extend(rules.check(&overlay, &op).into_iter().map(|fault| below(item.at, fault)));
        }
        overlay.over.insert(item.key.clone(), item.value.clone());
    }
    let ops: Vec<Op> =
        items.iter().map(|item| Op::Put { key: item.key.clone(), value: item.value.clone() }).collect();
    let state = |kind: Kind, namespace: &str| view.list(kind, Some(namespace)).unwrap_or_default();
    let broken = modules.check(&state, &ops);
    if broken.is_empty() {
        return faults;
    }
    // One by one against the whole, to know whose they are; compilations are kept in between.
    let whole = |kind: Kind, namespace: &str| overlay.list(kind, Some(namespace));
    let before = faults.len();
    for (item, op) in items.iter().zip(&ops).filter(|(i, _)| matches!(i.key.kind, Kind::Module | Kind::Route))
    {
        let found = modules.check(&whole, std::slice::from_ref(op));
        faults.extend(found.into_iter().map(|fault| below(item.at, fault)));
    }
    if faults.len() == before {
        faults.extend(broken.into_iter().map(|fault| below("proxy.init_resources", fault)));
    }
    faults
}

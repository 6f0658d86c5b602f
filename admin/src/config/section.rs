//! A section of the file while it is read: every key is asked for once, wrong types are faults with their path, what
//! nobody asked for is unknown. Numbers and flags may also stand as strings, which is what a variable expands to.

use super::nearest;
use crate::invalid::Invalid;
use crate::resource::Timespan;
use serde_json::{Map, Value};
use std::cell::RefCell;
use std::time::Duration;

/// What reading the file found.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) faults: Vec<Invalid>,
    pub(super) warnings: Vec<Invalid>,
}

/// One map of the file.
pub(super) struct Section<'a> {
    at: String,
    map: Map<String, Value>,
    known: Vec<&'static str>,
    findings: &'a RefCell<Findings>,
}

impl<'a> Section<'a> {
    /// Begins to read `value`, which is a map or nothing.
    pub(super) fn open(value: Value, at: impl Into<String>, findings: &'a RefCell<Findings>) -> Self {
        let at = at.into();
        let map = match value {
            Value::Object(map) => map,
            Value::Null => Map::new(),
            other => {
                let why = format!("must be a section with keys, and is {}", describe(&other));
                findings.borrow_mut().faults.push(Invalid::new(at.clone(), why));
                Map::new()
            }
        };
        Self { at, map, known: Vec::new(), findings }
    }

    /// The path of a key.
    pub(super) fn path(&self, key: &str) -> String {
        if self.at.is_empty() { key.to_owned() } else { format!("{}.{key}", self.at) }
    }

    /// Notes a fault of a key.
    pub(super) fn fault(&self, key: &str, why: impl Into<String>) {
        self.findings.borrow_mut().faults.push(Invalid::new(self.path(key), why));
    }

    /// Notes something about a key that the operator should know.
    pub(super) fn warn(&self, key: &str, why: impl Into<String>) {
        self.findings.borrow_mut().warnings.push(Invalid::new(self.path(key), why));
    }

    /// Where the findings of this file go.
    pub(super) fn findings(&self) -> &'a RefCell<Findings> {
        self.findings
    }

    /// Takes a value as it is; absent and null are the same.
    pub(super) fn take(&mut self, key: &'static str) -> Option<Value> {
        self.known.push(key);
        self.map.remove(key).filter(|value| !value.is_null())
    }

    fn read<T>(&mut self, key: &'static str, what: &str, read: impl Fn(&Value) -> Option<T>) -> Option<T> {
        let value = self.take(key)?;
        let found = read(&value);
        if found.is_none() {
            self.fault(key, format!("must be {what}, and is {}", describe(&value)));
        }
        found
    }

    /// A string; numbers and flags are taken as they are written.
    pub(super) fn text(&mut self, key: &'static str) -> Option<String> {
        self.read(key, "a string", scalar)
    }

    /// `true` or `false`.
    pub(super) fn flag(&mut self, key: &'static str) -> Option<bool> {
        self.read(key, "true or false", |value| match value {
            Value::Bool(flag) => Some(*flag),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        })
    }

    /// A whole number that fits `T`.
    pub(super) fn number<T: TryFrom<i64>>(&mut self, key: &'static str) -> Option<T> {
        let what = format!("a whole number that fits {} bits", 8 * size_of::<T>());
        self.read(key, &what, |value| {
            match value {
                Value::Number(number) => number.as_i64(),
                Value::String(text) => text.trim().parse().ok(),
                _ => None,
            }
            .and_then(|number| T::try_from(number).ok())
        })
    }

    /// A duration: a Go string (`1m30s`) or integer nanoseconds.
    pub(super) fn duration(&mut self, key: &'static str) -> Option<Duration> {
        self.read(key, "a duration such as 500ms or 1m30s", |value| match value {
            Value::Number(number) => number.as_u64().map(Duration::from_nanos),
            Value::String(text) => text.trim().parse().ok().map(|span: Timespan| span.0),
            _ => None,
        })
    }

    /// A list of strings; one string alone is a list of one.
    pub(super) fn texts(&mut self, key: &'static str) -> Vec<String> {
        self.read(key, "a list of strings", |value| match value {
            Value::Array(items) => items.iter().map(scalar).collect(),
            one => Some(vec![scalar(one)?]),
        })
        .unwrap_or_default()
    }

    /// A map of strings to strings, ordered by key.
    pub(super) fn pairs(&mut self, key: &'static str) -> Vec<(String, String)> {
        self.read(key, "a map of names to strings", |value| {
            let map = value.as_object()?;
            map.iter().map(|(name, value)| Some((name.clone(), scalar(value)?))).collect()
        })
        .unwrap_or_default()
    }

    /// A section below this one; `None` if it is not there.
    pub(super) fn section(&mut self, key: &'static str) -> Option<Section<'a>> {
        let value = self.take(key)?;
        Some(Section::open(value, self.path(key), self.findings))
    }

    /// The items of a list with their paths.
    pub(super) fn items(&mut self, key: &'static str) -> Vec<(String, Value)> {
        let at = self.path(key);
        let list = self.read(key, "a list", |value| value.as_array().cloned()).unwrap_or_default();
        list.into_iter().enumerate().map(|(index, item)| (format!("{at}[{index}]"), item)).collect()
    }

    /// A key that DGate knows and we do not act on. Warned about, unless its value asks for nothing.
    pub(super) fn later(&mut self, key: &'static str, why: &str) {
        if self.take(key).is_some_and(|value| asks_for_something(&value)) {
            self.warn(key, why);
        }
    }

    /// A key of DGate that protects something, which we do not act on. Ignoring it would open what it closes.
    pub(super) fn refuse(&mut self, key: &'static str, why: &str) {
        if self.take(key).is_some_and(|value| asks_for_something(&value)) {
            self.fault(key, why);
        }
    }

    /// What is left of the map, for sections whose keys are not ours to know.
    pub(super) fn rest(&mut self) -> Map<String, Value> {
        std::mem::take(&mut self.map)
    }

    /// Ends reading: every key that nobody asked for is a fault.
    pub(super) fn finish(self) {
        for key in self.map.keys() {
            let why = match nearest::of(key, &self.known) {
                Some(close) => format!("there is no such key; did you mean '{close}'?"),
                None => "there is no such key".to_owned(),
            };
            self.fault(key, why);
        }
    }
}

/// A scalar as text.
pub(super) fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

fn asks_for_something(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::Number(number) => number.as_i64() != Some(0),
        Value::String(text) => !text.is_empty() && text != "false",
        Value::Array(items) => !items.is_empty(),
        Value::Object(_) | Value::Bool(true) => true,
    }
}

/// The value's type, and never the value, which may be secret.
fn describe(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "another number",
        Value::String(_) => "a string that is not one",
        Value::Array(_) => "a list",
        Value::Object(_) => "a section",
    }
}

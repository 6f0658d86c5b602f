//! State, cache, secrets and environment of the kit: plain maps. What is there when the first test begins is what every
//! test begins with.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::host::{CacheUpdate, CacheValue, Refused, StateRead, StateWrite};

/// A value of the cache and the millisecond of the monotonic clock at which it is gone.
#[derive(Clone)]
struct Kept {
    value: CacheValue,
    until_ms: Option<u64>,
}

/// All four.
#[derive(Clone, Default)]
pub(crate) struct Store {
    /// JSON of each collection.
    collections: BTreeMap<String, String>,
    /// (collection, id) → (data, created, updated), the times in milliseconds of the wall clock.
    documents: BTreeMap<(String, String), (String, f64, f64)>,
    cache: BTreeMap<String, Kept>,
    pub(crate) secrets: BTreeMap<String, String>,
    pub(crate) env: BTreeMap<String, String>,
}

/// Text as JSON.
pub(crate) fn quoted(text: &str) -> String {
    let mut json = String::with_capacity(text.len() + 2);
    json.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => json.extend(['\\', c]),
            c if (c as u32) < 0x20 => json.push_str(&format!("\\u{:04x}", c as u32)),
            c => json.push(c),
        }
    }
    json.push('"');
    json
}

/// The text under the key `name` of an object that `JSON.stringify` wrote.
fn name_in(json: &str) -> Option<String> {
    let (mut depth, mut is_key, mut key) = (0, false, String::new());
    let mut rest = json.chars();
    while let Some(c) = rest.next() {
        match c {
            '{' | '[' => (depth, is_key) = (depth + 1, c == '{'),
            '}' | ']' => depth -= 1,
            ',' => is_key = depth == 1,
            ':' => is_key = false,
            '"' => {
                let text = rest_of_string(&mut rest)?;
                if is_key {
                    key = text;
                } else if depth == 1 && key == "name" {
                    return Some(text);
                }
            }
            _ => {}
        }
    }
    None
}

fn rest_of_string(rest: &mut std::str::Chars<'_>) -> Option<String> {
    let mut text = String::new();
    loop {
        match rest.next()? {
            '"' => return Some(text),
            '\\' => match rest.next()? {
                'u' => {
                    let code: String = rest.by_ref().take(4).collect();
                    text.push(char::from_u32(u32::from_str_radix(&code, 16).ok()?)?);
                }
                'n' => text.push('\n'),
                't' => text.push('\t'),
                other => text.push(other),
            },
            c => text.push(c),
        }
    }
}

impl Store {
    fn document(&self, collection: &str, id: &str) -> Option<String> {
        let (data, created, updated) = self.documents.get(&(collection.to_owned(), id.to_owned()))?;
        let (id, collection) = (quoted(id), quoted(collection));
        Some(format!(
            "{{\"id\":{id},\"collection\":{collection},\"namespace\":\"default\",\"data\":{data},\
             \"createdAt\":{created:.0},\"updatedAt\":{updated:.0}}}"
        ))
    }

    pub(crate) fn read(&self, read: &StateRead) -> String {
        let found = match read {
            StateRead::Collection { name } => self.collections.get(name).cloned(),
            StateRead::Document { collection, id } => self.document(collection, id),
            StateRead::Documents { collection, limit, offset } => {
                let ids = self.documents.keys().filter(|(known, _)| known == collection);
                let page = ids.skip(*offset as usize).take(*limit as usize);
                let all: Vec<String> = page.filter_map(|(_, id)| self.document(collection, id)).collect();
                Some(format!("[{}]", all.join(",")))
            }
        };
        found.unwrap_or_else(|| "null".into())
    }

    pub(crate) fn write(&mut self, write: StateWrite, now_ms: f64) -> Result<String, Refused> {
        match write {
            StateWrite::PutCollection { collection } => {
                let name =
                    name_in(&collection).ok_or_else(|| Refused("the collection has no name".into()))?;
                self.collections.insert(name, collection);
            }
            StateWrite::DeleteCollection { name } => {
                if self.documents.keys().any(|(collection, _)| *collection == name) {
                    return Err(Refused(format!("the collection '{name}' has documents")));
                }
                self.collections.remove(&name);
            }
            StateWrite::PutDocument { collection, id, data } => {
                if !self.collections.contains_key(&collection) {
                    return Err(Refused(format!(
                        "there is no collection '{collection}': add it with state.collection(\"{collection}\") in the test"
                    )));
                }
                let key = (collection, id);
                let created = self.documents.get(&key).map_or(now_ms, |(_, created, _)| *created);
                self.documents.insert(key, (data, created, now_ms));
            }
            StateWrite::DeleteDocument { collection, id } => {
                self.documents.remove(&(collection, id));
            }
        }
        Ok("{\"ok\":true}".into())
    }

    pub(crate) fn cached(&self, key: &str, now_ms: u64) -> Option<CacheValue> {
        let kept = self.cache.get(key)?;
        kept.until_ms.is_none_or(|until| now_ms < until).then(|| kept.value.clone())
    }

    pub(crate) fn cache(&mut self, key: &str, value: Option<CacheValue>, ttl_ms: Option<u64>, now_ms: u64) {
        match value {
            Some(value) => {
                let until_ms = ttl_ms.map(|ttl| now_ms + ttl);
                self.cache.insert(key.into(), Kept { value, until_ms });
            }
            None => drop(self.cache.remove(key)),
        }
    }

    pub(crate) fn update(
        &mut self,
        key: &str,
        update: CacheUpdate,
        now_ms: u64,
    ) -> Result<Option<CacheValue>, Refused> {
        let current = self.cached(key, now_ms);
        match update {
            CacheUpdate::Read => Ok(current),
            CacheUpdate::CompareAndSet { expected, value, ttl_ms } => {
                let is_expected = current == expected;
                if is_expected {
                    self.cache(key, value, ttl_ms, now_ms);
                }
                Ok(Some(CacheValue::Json(Rc::from(is_expected.to_string()))))
            }
            CacheUpdate::Increment { by, ttl_ms } => {
                let number = match &current {
                    None => Some(0),
                    Some(CacheValue::Json(json)) => json.parse::<i64>().ok(),
                    Some(CacheValue::Bytes(_)) => None,
                };
                let sum = number
                    .ok_or_else(|| Refused(format!("'{key}' is no whole number")))?
                    .checked_add(by)
                    .ok_or_else(|| Refused(format!("'{key}' would leave the range of whole numbers")))?;
                let value = CacheValue::Json(Rc::from(sum.to_string()));
                match self.cache.get_mut(key).filter(|_| current.is_some()) {
                    Some(kept) => kept.value = value.clone(),
                    None => self.cache(key, Some(value.clone()), ttl_ms, now_ms),
                }
                Ok(Some(value))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_collections() {
        for (json, name) in [
            ("{\"name\":\"links\"}", Some("links")),
            (
                "{\"schema\":{\"name\":\"inner\",\"required\":[\"name\",\"x\"]},\"name\":\"a\\\"b\"}",
                Some("a\"b"),
            ),
            ("{\"tags\":[\"name\",\"x\"],\"name\":\"t\"}", Some("t")),
            ("{\"visibility\":\"private\"}", None),
            ("{}", None),
        ] {
            assert_eq!(name_in(json).as_deref(), name, "{json}");
        }
    }
}

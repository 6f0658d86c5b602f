//! Keys as the database orders them: kind, namespace, collection and name, separated by NUL, so that bytes order as
//! [`Key`] does and a prefix is a kind, a namespace or a collection. The kinds' numbers are on disk: never renumber.

use crate::change::{Key, Kind};

/// LMDB's limit for a key, bytes.
const MAX_KEY: usize = 511;

/// A key that cannot be stored, with the reason in a sentence for the author of the resource.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct UnusableKey(pub(crate) String);

/// The number of a kind on disk.
fn tag(kind: Kind) -> u8 {
    match kind {
        Kind::Namespace => 1,
        Kind::Service => 2,
        Kind::Route => 3,
        Kind::Module => 4,
        Kind::Domain => 5,
        Kind::Collection => 6,
        Kind::Document => 7,
        Kind::Secret => 8,
    }
}

fn kind(tag: u8) -> Option<Kind> {
    Kind::ALL.into_iter().find(|k| self::tag(*k) == tag)
}

/// The database's form of `key`. Errors: an empty or overlong part, a NUL, a collection where none belongs or none where
/// one does.
pub(crate) fn encode(key: &Key) -> Result<Vec<u8>, UnusableKey> {
    let collection = key.collection.as_deref().unwrap_or("");
    let refuse = |why: String| Err(UnusableKey(why));
    if (key.kind == Kind::Document) == collection.is_empty() {
        return refuse("a document needs a collection, and nothing else has one".into());
    }
    if key.namespace.is_empty() || key.name.is_empty() {
        return refuse("the namespace and the name must not be empty".into());
    }
    if [key.namespace.as_str(), collection, &key.name].iter().any(|p| p.contains('\0')) {
        return refuse("names must not contain NUL".into());
    }
    let mut bytes = prefix(key.kind, Some(&key.namespace), Some(collection));
    bytes.extend_from_slice(key.name.as_bytes());
    if bytes.len() > MAX_KEY {
        return refuse(format!(
            "the names together have {} bytes, at most {} fit",
            bytes.len() - 3,
            MAX_KEY - 3
        ));
    }
    Ok(bytes)
}

/// The prefix of all keys of a kind, a namespace in it, a collection in that. `collection` needs `namespace`; it is
/// `Some("")` for resources outside collections.
pub(crate) fn prefix(kind: Kind, namespace: Option<&str>, collection: Option<&str>) -> Vec<u8> {
    debug_assert!(namespace.is_some() || collection.is_none());
    let mut bytes = vec![tag(kind)];
    for part in [namespace, collection].into_iter().flatten() {
        bytes.extend_from_slice(part.as_bytes());
        bytes.push(0);
    }
    bytes
}

/// The part of a stored key before its name: what documents and resources are counted under.
pub(crate) fn without_name(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().rposition(|b| *b == 0).map_or(0, |at| at + 1);
    &bytes[..end]
}

/// Reads a key back; `None` if the bytes are not a key.
pub(crate) fn decode(bytes: &[u8]) -> Option<Key> {
    let (first, rest) = bytes.split_first()?;
    let kind = kind(*first)?;
    let mut parts = std::str::from_utf8(rest).ok()?.splitn(3, '\0');
    let (namespace, collection, name) = (parts.next()?, parts.next()?, parts.next()?);
    let collection = (kind == Kind::Document).then(|| collection.to_owned());
    Some(Key { kind, namespace: namespace.to_owned(), collection, name: name.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(kind: Kind, namespace: &str, collection: Option<&str>, name: &str) -> Key {
        Key { kind, namespace: namespace.into(), collection: collection.map(Into::into), name: name.into() }
    }

    #[test]
    fn keys_survive_the_round_trip() {
        for k in [
            key(Kind::Namespace, "a", None, "a"),
            key(Kind::Route, "a", None, "b/c"),
            key(Kind::Document, "ä", Some("c"), "id with space"),
            key(Kind::Secret, "n", None, &"x".repeat(400)),
        ] {
            assert_eq!(decode(&encode(&k).unwrap()), Some(k));
        }
    }

    #[test]
    fn bytes_order_as_keys_do() {
        let mut keys = vec![
            key(Kind::Document, "a", Some("b"), "c"),
            key(Kind::Document, "a", Some("bb"), "a"),
            key(Kind::Document, "aa", Some("a"), "a"),
            key(Kind::Document, "a", Some("b"), "cc"),
        ];
        let mut bytes: Vec<_> = keys.iter().map(|k| encode(k).unwrap()).collect();
        keys.sort();
        bytes.sort();
        assert_eq!(bytes.iter().map(|b| decode(b).unwrap()).collect::<Vec<_>>(), keys);
    }

    #[test]
    fn unusable_keys_are_refused() {
        for k in [
            key(Kind::Document, "a", None, "b"),
            key(Kind::Route, "a", Some("c"), "b"),
            key(Kind::Route, "", None, "b"),
            key(Kind::Route, "a", None, ""),
            key(Kind::Route, "a\0", None, "b"),
            key(Kind::Document, "a", Some("c\0"), "b"),
            key(Kind::Route, "a", None, &"x".repeat(600)),
        ] {
            assert!(encode(&k).is_err(), "{k:?}");
        }
    }

    #[test]
    fn the_counted_part_ends_before_the_name() {
        let k = encode(&key(Kind::Document, "a", Some("b"), "c")).unwrap();
        assert_eq!(without_name(&k), prefix(Kind::Document, Some("a"), Some("b")));
        let k = encode(&key(Kind::Route, "a", None, "c")).unwrap();
        assert_eq!(without_name(&k), prefix(Kind::Route, Some("a"), Some("")));
    }
}

//! The grammar of names and ids. Every name is 1 to 128 bytes of letters, digits, `.`, `_` and `-` and starts with a
//! letter, a digit or `_`; a document's id is freer. Together they always fit the store's keys.

use crate::change::{Key, Kind};
use crate::invalid::Invalid;

/// Longest name in bytes.
pub const MAX_NAME: usize = 128;
/// Longest document id in bytes.
pub const MAX_ID: usize = 200;
/// Most tags of a resource.
const MAX_TAGS: usize = 64;

/// The key of a resource that is neither a namespace nor a document.
pub(crate) fn key(kind: Kind, namespace: &str, name: &str) -> Key {
    Key { kind, namespace: namespace.into(), collection: None, name: name.into() }
}

/// Whether `name` follows the grammar.
pub fn is_name(name: &str) -> bool {
    name.len() <= MAX_NAME
        && name.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
}

pub(crate) fn check(at: &str, name: &str, faults: &mut Vec<Invalid>) {
    if !is_name(name) {
        let why =
            "a name has 1 to 128 letters, digits, '.', '_' and '-', and starts with a letter, digit or '_'";
        faults.push(Invalid::new(at, why));
    }
}

pub(crate) fn check_id(at: &str, id: &str, faults: &mut Vec<Invalid>) {
    if id.is_empty() || id.len() > MAX_ID || id.chars().any(char::is_control) {
        faults.push(Invalid::new(at, "an id has 1 to 200 bytes and no control characters"));
    }
}

pub(crate) fn check_tags(tags: &[String], faults: &mut Vec<Invalid>) {
    if tags.len() > MAX_TAGS {
        faults.push(Invalid::new("tags", format!("has more than {MAX_TAGS} entries")));
    }
    for (at, tag) in tags.iter().enumerate() {
        if tag.is_empty() || tag.len() > MAX_NAME || tag.chars().any(char::is_control) {
            faults.push(Invalid::new(
                format!("tags[{at}]"),
                "a tag has 1 to 128 bytes and no control characters",
            ));
        }
    }
}

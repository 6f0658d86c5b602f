//! The grammar of names and ids. Every name is 1 to 128 bytes of letters, digits, `.`, `_` and `-` and starts with a
//! letter, a digit or `_`; a module's may have a version behind it, and a document's id is freer. Together they always
//! fit the store's keys.

use super::tag::{self, Tag};
use crate::change::{Key, Kind};
use crate::invalid::Invalid;

/// Longest name in bytes.
pub const MAX_NAME: usize = 128;
/// Longest document id in bytes.
pub const MAX_ID: usize = 200;
/// Longest tag in bytes: a canary's has a module's name in it.
const MAX_TAG: usize = 160;
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

/// Whether `name` is a module's: `NAME` or `NAME:VERSION`, both after the same grammar.
pub fn is_module_name(name: &str) -> bool {
    let (name, version) = split_version(name);
    is_name(name) && version.is_none_or(|version| is_name(version) && name.len() + version.len() < MAX_NAME)
}

/// Name and version of a module's name.
pub(crate) fn split_version(name: &str) -> (&str, Option<&str>) {
    name.split_once(':').map_or((name, None), |(name, version)| (name, Some(version)))
}

/// The same as [`check`] for a module.
pub(crate) fn check_module(at: &str, name: &str, faults: &mut Vec<Invalid>) {
    if name.contains(':') && !is_module_name(name) {
        let why = "a module's name is NAME or NAME:VERSION, like 'auth:2', of at most 128 letters, digits, '.', '_' \
                   and '-', and both start with a letter, digit or '_'";
        faults.push(Invalid::new(at, why));
    } else if !name.contains(':') {
        check(at, name, faults);
    }
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

/// Checks the tags of a resource that is no module.
pub(crate) fn check_tags(tags: &[String], faults: &mut Vec<Invalid>) {
    read_tags(tags, faults, &mut |at, tag| match tag {
        Tag::Canary(..) => Some(Invalid::new(at, "only a module has canaries: put the tag on the module")),
        _ => None,
    });
}

/// Checks the form of every tag, and what `also` says about each.
pub(crate) fn read_tags(
    tags: &[String],
    faults: &mut Vec<Invalid>,
    also: &mut dyn FnMut(String, Tag<'_>) -> Option<Invalid>,
) {
    if tags.len() > MAX_TAGS {
        faults.push(Invalid::new("tags", format!("has more than {MAX_TAGS} entries")));
    }
    for (index, text) in tags.iter().enumerate() {
        let at = format!("tags[{index}]");
        if text.is_empty() || text.len() > MAX_TAG || text.chars().any(char::is_control) {
            faults
                .push(Invalid::new(at, format!("a tag has 1 to {MAX_TAG} bytes and no control characters")));
            continue;
        }
        match tag::parse(text) {
            Ok(tag) => faults.extend(also(at, tag)),
            Err(why) => faults.push(Invalid::new(at, why)),
        }
    }
}

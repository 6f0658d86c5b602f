//! The grammar of tags, and which resources a node runs. Most tags are free labels; those with a special character in
//! front choose nodes, and `canary@…` on a module gives a part of its calls to another one. What a node has been told
//! never changes what is stored: every node keeps everything.

use super::{name, selection};
use std::collections::BTreeSet;

/// What a tag means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Tag<'a> {
    /// A label.
    Plain,
    /// `#NAME[:DATA]`: the node has the tag.
    Has(Wanted<'a>),
    /// `!NAME[:DATA]`: it does not.
    Lacks(Wanted<'a>),
    /// `?NAME:A,B`: it has one of them at least.
    Any(Vec<Wanted<'a>>),
    /// `?*NAME:A,B`: it has exactly one of them.
    One(Vec<Wanted<'a>>),
    /// `canary@P%:MODULE`: parts per million of a module's calls run another one.
    Canary(u32, &'a str),
}

/// A tag of a node; without data it stands for any.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wanted<'a> {
    name: &'a str,
    data: Option<&'a str>,
}

/// Data of a tag: no separator, nothing that cannot be seen.
fn is_data(data: &str) -> bool {
    !data.is_empty() && !data.contains([',', ' ']) && !data.chars().any(char::is_control)
}

fn wanted<'a>(rest: &'a str, sign: char) -> Result<Wanted<'a>, String> {
    let (name, data) = rest.split_once(':').map_or((rest, None), |(name, data)| (name, Some(data)));
    if !name::is_name(name) || data.is_some_and(|data| !is_data(data)) {
        return Err(format!(
            "a tag that starts with '{sign}' names a tag of nodes: write '{sign}name' or '{sign}name:data'"
        ));
    }
    Ok(Wanted { name, data })
}

fn several<'a>(rest: &'a str, sign: &str) -> Result<Vec<Wanted<'a>>, String> {
    let read = || {
        let (name, list) = rest.split_once(':')?;
        let list: Vec<Wanted<'a>> = list.split(',').map(|data| Wanted { name, data: Some(data) }).collect();
        (name::is_name(name) && list.iter().all(|one| one.data.is_some_and(is_data))).then_some(list)
    };
    read().ok_or_else(|| {
        format!("a tag that starts with '{sign}' names several tags of nodes: write '{sign}name:a,b'")
    })
}

/// Whether it looks like `word@12%…`, which only special tags do.
fn is_share(text: &str) -> bool {
    text.split_once('@').is_some_and(|(word, rest)| {
        let number = rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
        name::is_name(word) && number.len() < rest.len() && number.starts_with('%')
    })
}

const CANARY: &str = "the only tag with a share is a module's 'canary@P%:MODULE', like 'canary@1%:auth:2'";

/// Reads a tag. Errors: a sentence, for a special form that is none.
pub(crate) fn parse(text: &str) -> Result<Tag<'_>, String> {
    if let Some(rest) = text.strip_prefix("?*") {
        several(rest, "?*").map(Tag::One)
    } else if let Some(rest) = text.strip_prefix('?') {
        several(rest, "?").map(Tag::Any)
    } else if let Some(rest) = text.strip_prefix('#') {
        wanted(rest, '#').map(Tag::Has)
    } else if let Some(rest) = text.strip_prefix('!') {
        wanted(rest, '!').map(Tag::Lacks)
    } else if text.starts_with('@') {
        Err("a tag cannot start with '@': tags that depend on the time are not there; '#', '!', '?' and '?*' choose nodes".into())
    } else if text.starts_with("canary@") || is_share(text) {
        let read = || {
            let (share, module) = text.strip_prefix("canary@")?.split_once("%:")?;
            Some(Tag::Canary(selection::share(share)?, module)).filter(|_| name::is_module_name(module))
        };
        read().ok_or_else(|| CANARY.into())
    } else {
        Ok(Tag::Plain)
    }
}

/// The tags of this node.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct NodeTags(BTreeSet<String>);

impl NodeTags {
    /// From the configuration.
    pub(crate) fn new(tags: impl IntoIterator<Item = String>) -> Self {
        Self(tags.into_iter().collect())
    }

    fn has(&self, wanted: &Wanted<'_>) -> bool {
        self.0.iter().any(|own| match own.split_once(':') {
            Some((name, data)) => name == wanted.name && wanted.data.is_none_or(|wanted| wanted == data),
            None => own == wanted.name && wanted.data.is_none(),
        })
    }

    /// Whether a resource with these tags runs here: every tag that chooses nodes must choose this one. A form that is
    /// not known was stored as a label.
    pub(crate) fn choose(&self, tags: &[String]) -> bool {
        tags.iter().all(|tag| match parse(tag) {
            Ok(Tag::Has(wanted)) => self.has(&wanted),
            Ok(Tag::Lacks(wanted)) => !self.has(&wanted),
            Ok(Tag::Any(list)) => list.iter().any(|wanted| self.has(wanted)),
            Ok(Tag::One(list)) => list.iter().filter(|wanted| self.has(wanted)).count() == 1,
            Ok(Tag::Plain | Tag::Canary(..)) | Err(_) => true,
        })
    }
}

/// Checks a tag of a node. Errors: a sentence.
pub fn check_node_tag(tag: &str) -> Result<(), String> {
    let (name, data) = tag.split_once(':').map_or((tag, None), |(name, data)| (name, Some(data)));
    if name::is_name(name) && data.is_none_or(is_data) {
        Ok(())
    } else {
        Err(format!("'{tag}' is no tag of a node: write 'name' or 'name:data', like 'edge' or 'region:eu'"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_node_runs() {
        let node = NodeTags::new(["edge", "region:eu", "zone:a", "zone:b"].map(str::to_owned));
        for (tags, expected) in [
            (&[][..], true),
            (&["team a", "x@example.com", "50%", "a:b"], true),
            (&["#edge"], true),
            (&["#edge:1"], false),
            (&["#core"], false),
            (&["#region"], true),
            (&["#region:eu"], true),
            (&["#region:us"], false),
            (&["!core"], true),
            (&["!edge"], false),
            (&["!region:us"], true),
            (&["!region:eu"], false),
            (&["!region"], false),
            (&["?region:us,eu"], true),
            (&["?region:us"], false),
            (&["?zone:a,b"], true),
            (&["?*zone:a,b"], false),
            (&["?*zone:a,c"], true),
            (&["?*zone:c,d"], false),
            (&["#edge", "!region:eu"], false),
            (&["#edge", "!region:us", "label"], true),
        ] {
            let tags: Vec<String> = tags.iter().map(|tag| (*tag).to_owned()).collect();
            assert_eq!(node.choose(&tags), expected, "{tags:?}");
        }
        assert!(!NodeTags::default().choose(&["#a".into()]) && NodeTags::default().choose(&["!a".into()]));
    }

    #[test]
    fn special_forms_that_are_none() {
        for (tag, part) in [
            ("#", "'#name:data'"),
            ("#a b", "'#name:data'"),
            ("#a:", "'#name:data'"),
            ("#a:b,c", "'#name:data'"),
            ("!", "'!name:data'"),
            ("?a", "'?name:a,b'"),
            ("?a:", "'?name:a,b'"),
            ("?a:b,,c", "'?name:a,b'"),
            ("?*a", "'?*name:a,b'"),
            ("@daily", "time"),
            ("canary@1%", "canary@P%:MODULE"),
            ("canary@:m", "canary@P%:MODULE"),
            ("canary@101%:m", "canary@P%:MODULE"),
            ("canary@1%:a b", "canary@P%:MODULE"),
            ("beta@5%:m", "canary@P%:MODULE"),
        ] {
            let why = parse(tag).expect_err(tag);
            assert!(why.contains(part), "{tag}: {why}");
        }
        assert_eq!(parse("canary@0.5%:auth:2"), Ok(Tag::Canary(5_000, "auth:2")));
        for tag in ["a", "a:b", "me@home", "a@1", "100%"] {
            assert_eq!(parse(tag), Ok(Tag::Plain), "{tag}");
        }
        assert!(check_node_tag("region:eu").is_ok() && check_node_tag("edge").is_ok());
        for tag in ["", "#a", "a b", "a:", "a:b,c"] {
            assert!(check_node_tag(tag).is_err(), "{tag}");
        }
    }
}

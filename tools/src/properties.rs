//! The words after `RESOURCE ACTION`: `key=value`, `key:=json`, `key@=file`, and a bare name. Each word becomes one
//! JSON value under the field's own key; a word that is not understood is an error, never skipped. It reads the files
//! that are named and nothing else.

use crate::closest::closest;
use crate::failure::Failure;
use crate::field::{Field, FieldType, Kind, fold};
use crate::value;
use serde_json::{Map, Value};

/// How a word gives its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Text,
    Json,
    File,
}

/// Splits at the first `=`; a `:` or `@` before it belongs to the operator.
fn split(word: &str) -> Option<(&str, Operator, &str)> {
    let (key, value) = word.split_once('=')?;
    Some(if let Some(key) = key.strip_suffix(':') {
        (key, Operator::Json, value)
    } else if let Some(key) = key.strip_suffix('@') {
        (key, Operator::File, value)
    } else {
        (key, Operator::Text, value)
    })
}

/// Reads the words of a command. `allowed` are the fields that the action takes.
pub(crate) fn parse(kind: &Kind, allowed: &[Field], words: &[String]) -> Result<Map<String, Value>, Failure> {
    let mut properties = Map::new();
    let mut language = None;
    for word in words {
        let (field, value) = match split(word) {
            None => (field(kind, allowed, kind.identity(), word)?, Value::from(word.as_str())),
            Some((key, operator, text)) => {
                let (field, unit) = field_with_unit(kind, allowed, key, word)?;
                if field.key == "payload" && operator == Operator::File {
                    language = language_of(text);
                }
                let value = read(&field, operator, text, unit)
                    .map_err(|failure| failure.at(redact(&field, key, operator, word)))?;
                (field, value)
            }
        };
        insert(&mut properties, &field, value, word)?;
    }
    if let Some(language) = language.filter(|_| allowed.iter().any(|field| field.key == "moduleType")) {
        properties.entry("moduleType").or_insert(language.into());
    }
    Ok(properties)
}

fn insert(
    properties: &mut Map<String, Value>,
    field: &Field,
    value: Value,
    word: &str,
) -> Result<(), Failure> {
    match properties.get(field.key) {
        Some(before) if *before != value => Err(Failure::usage(format!("{} is given twice", field.key))
            .at(redact(field, field.key, Operator::Text, word))
            .hint("keep one of them")),
        _ => {
            properties.insert(field.key.into(), value);
            Ok(())
        }
    }
}

/// A secret on a command line need not also stand in a log of errors.
fn redact(field: &Field, key: &str, operator: Operator, word: &str) -> String {
    if field.secret && operator != Operator::File { format!("{key}=…") } else { word.into() }
}

fn read(field: &Field, operator: Operator, text: &str, milliseconds: bool) -> Result<Value, Failure> {
    let mistaken = |expected: String| Failure::usage(format!("{} must be {expected}", field.key));
    match operator {
        Operator::Text | Operator::Json if milliseconds => match text.parse::<u64>() {
            Ok(number) => Ok(format!("{number}ms").into()),
            Err(_) => Err(mistaken("a whole number of milliseconds under this key".into())),
        },
        Operator::Text if field.key == "schema" && !text.starts_with('{') => {
            Err(mistaken("a JSON Schema".into()).hint("write schema:='{\"type\":\"object\"}'"))
        }
        Operator::Text => value::from_text(field.value, text).map_err(mistaken),
        Operator::Json => match text.strip_prefix('@') {
            // No JSON starts with `@`, so this form takes nothing away from `key:=json`.
            Some(path) => match String::from_utf8(file(path)?) {
                Ok(text) => value::json(&text).map_err(mistaken),
                Err(_) => Err(mistaken("JSON in UTF-8".into())),
            },
            None => value::json(text).map_err(mistaken),
        },
        Operator::File if text.is_empty() => Ok("".into()),
        Operator::File if field.value == FieldType::Json && field.key == "schema" => {
            Err(mistaken("JSON, not base64".into()).hint(format!("write schema:=@{text}")))
        }
        Operator::File => value::from_file(field.value, &file(text)?).map_err(mistaken),
    }
}

fn file(path: &str) -> Result<Vec<u8>, Failure> {
    std::fs::read(path).map_err(|error| {
        Failure::usage(format!("cannot read the file {path}"))
            .why(error.to_string())
            .hint("check the path; it is relative to where you are")
    })
}

fn field_with_unit(kind: &Kind, allowed: &[Field], key: &str, word: &str) -> Result<(Field, bool), Failure> {
    // Version 2 writes time-outs in milliseconds under another key.
    if let Some(stem) = fold(key).strip_suffix("ms")
        && let Some(field) = lookup(allowed, stem).filter(|field| field.value == FieldType::Duration)
    {
        return Ok((field, true));
    }
    Ok((field(kind, allowed, key, word)?, false))
}

fn field(kind: &Kind, allowed: &[Field], key: &str, word: &str) -> Result<Field, Failure> {
    if let Some(field) = lookup(allowed, key) {
        return Ok(field);
    }
    let known: Vec<&str> = allowed.iter().map(|field| field.key).collect();
    let what = match (key.is_empty(), kind.field(key)) {
        (true, _) => "a word starts with =, and no key".into(),
        (_, Some(_)) => format!("this action takes no {key}"),
        (_, None) => format!("a {} has no key {key:?}", kind.name),
    };
    let known_keys = if known.is_empty() {
        "it takes no keys".into()
    } else {
        format!("known keys: {}", known.join(", "))
    };
    let hint = match closest(key, known.iter().copied()) {
        Some(near) if !key.is_empty() => format!("did you mean {near}?"),
        _ => format!("see tidegate {} --help", kind.name),
    };
    let shown = word.split_once('=').map_or(word, |(key, _)| key);
    Err(Failure::usage(what).at(shown).why(known_keys).hint(hint))
}

fn lookup(allowed: &[Field], key: &str) -> Option<Field> {
    let folded = fold(key);
    allowed.iter().find(|field| fold(field.key) == folded).copied()
}

/// The language of a module by its file's ending.
fn language_of(path: &str) -> Option<&'static str> {
    match path.rsplit_once('.')?.1.to_ascii_lowercase().as_str() {
        "ts" | "mts" => Some("typescript"),
        "js" | "mjs" => Some("javascript"),
        _ => None,
    }
}

/// Names the required keys that are missing.
pub(crate) fn require(
    kind: &Kind,
    action: &str,
    required: &[Field],
    properties: &Map<String, Value>,
) -> Result<(), Failure> {
    let missing: Vec<&Field> = required.iter().filter(|field| !properties.contains_key(field.key)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let keys: Vec<&str> = missing.iter().map(|field| field.key).collect();
    let examples: Vec<&str> = missing.iter().map(|field| field.example).collect();
    Err(Failure::usage(format!("{} {action} needs {}", kind.name, keys.join(", "))).hint(format!(
        "add {} (all keys: tidegate {} create --help)",
        examples.join(" "),
        kind.name
    )))
}

//! Text to a tree of values, whatever of the three formats it is written in. A key that stands twice is refused: the
//! reader that lets the last one win hides a mistake. It knows no key and expands nothing.

use serde::de::{self, Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use std::fmt;
use std::path::Path;

/// What a configuration file may be written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Yaml,
    Json,
    Toml,
}

impl Format {
    /// By the file's extension; `None` for any other.
    pub(super) fn of(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "yaml" | "yml" => Some(Self::Yaml),
            "json" => Some(Self::Json),
            "toml" => Some(Self::Toml),
            _ => None,
        }
    }

    /// Parses. An empty text is an empty tree. The error is the parser's own text, with its line and column.
    pub(super) fn parse(self, text: &str) -> Result<Value, String> {
        if text.trim().is_empty() {
            return Ok(Value::Null);
        }
        match self {
            Self::Yaml => serde_saphyr::from_str::<Tree>(text).map(|t| t.0).map_err(|e| e.to_string()),
            Self::Json => serde_json::from_str::<Tree>(text).map(|t| t.0).map_err(|e| e.to_string()),
            Self::Toml => toml::from_str::<Tree>(text).map(|t| t.0).map_err(|e| e.to_string()),
        }
    }
}

struct Tree(Value);

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TreeVisitor).map(Tree)
    }
}

struct TreeVisitor;

impl<'de> DeserializeSeed<'de> for TreeVisitor {
    type Value = Value;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for TreeVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }
    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<Value, D::Error> {
        inner.deserialize_any(self)
    }
    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("a number must be finite"))
    }
    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(TreeVisitor)? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            if map.contains_key(&key) {
                return Err(de::Error::custom(format!("the key '{key}' stands twice")));
            }
            map.insert(key, entries.next_value_seed(TreeVisitor)?);
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use super::Format;
    use serde_json::json;

    #[test]
    fn the_formats_give_one_tree() {
        let expected = json!({"a": {"b": 1, "c": [true, "x"]}, "d": "1m"});
        for (format, text) in [
            (Format::Yaml, "a:\n  b: 1\n  c: [true, x]\nd: 1m\n"),
            (Format::Json, r#"{"a":{"b":1,"c":[true,"x"]},"d":"1m"}"#),
            (Format::Toml, "d = \"1m\"\n[a]\nb = 1\nc = [true, \"x\"]\n"),
        ] {
            assert_eq!(format.parse(text).expect(text), expected, "{format:?}");
        }
    }

    #[test]
    fn a_key_that_stands_twice_is_refused() {
        for (format, text) in [
            (Format::Yaml, "a: 1\nb:\n  c: 1\n  c: 2\n"),
            (Format::Json, r#"{"a":1,"a":2}"#),
            (Format::Toml, "a = 1\na = 2\n"),
        ] {
            assert!(format.parse(text).is_err(), "{format:?}");
        }
    }

    #[test]
    fn broken_text_is_refused_with_its_place() {
        for (format, text) in
            [(Format::Yaml, "a: [1\nb: 2"), (Format::Json, "{\"a\":}"), (Format::Toml, "a = \n")]
        {
            let why = format.parse(text).expect_err("must be refused");
            assert!(why.contains("line") || why.contains('|'), "{format:?}: {why}");
        }
    }
}

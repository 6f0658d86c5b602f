//! JSON from users: objects that name a key twice are refused, because readers disagree about which one counts, and the
//! nesting is bounded. Errors say where, never what.

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// Deepest nesting of arrays and objects.
const MAX_DEPTH: usize = 64;

/// Parses one JSON value. Errors: a sentence with line and column.
pub fn parse(bytes: &[u8]) -> Result<Value, String> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    Strict { depth: 0 }
        .deserialize(&mut reader)
        .and_then(|value| reader.end().map(|()| value))
        .map_err(|error| format!("not acceptable JSON: {error}"))
}

struct Strict {
    depth: usize,
}

impl Strict {
    fn deeper<E: Error>(&self) -> Result<Self, E> {
        if self.depth >= MAX_DEPTH {
            return Err(E::custom(format_args!("nested deeper than {MAX_DEPTH} levels")));
        }
        Ok(Self { depth: self.depth + 1 })
    }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("any JSON value")
    }
    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }
    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }
    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }
    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("a number is out of range"))
    }
    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }
    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element_seed(self.deeper()?)? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(Name(name)) = access.next_key()? {
            if object.contains_key(&name) {
                return Err(A::Error::custom("an object has the same key twice"));
            }
            let value = access.next_value_seed(self.deeper()?)?;
            object.insert(name, value);
        }
        Ok(Value::Object(object))
    }
}

/// A key; a type of its own because serde_json gives some plain strings a meaning.
struct Name(String);

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn what_is_read() {
        for json in ["null", "1", "-1", "1.5", "\"a\"", "[1,[2]]", "{\"a\":{\"b\":[true]}}", " {} "] {
            assert_eq!(
                parse(json.as_bytes()).unwrap(),
                serde_json::from_str::<serde_json::Value>(json).unwrap()
            );
        }
    }

    #[test]
    fn what_is_refused() {
        let deep = format!("{}{}", "[".repeat(65), "]".repeat(65));
        for (json, why) in [
            ("{\"hush\":1,\"hush\":2}", "same key twice at line 1"),
            ("{\"a\":{\"hush\":1,\"hush\":2}}", "same key twice"),
            ("{\"hu\\u0073h\":1,\"hush\":2}", "same key twice"),
            (deep.as_str(), "deeper than 64"),
            ("{} x", "trailing"),
            ("{", "EOF"),
            ("", "EOF"),
            ("{'hush':1}", "line 1"),
            ("NaN", "line 1"),
            ("1e999", "out of range"),
            ("\"\u{1}hush\"", "control character"),
        ] {
            let error = parse(json.as_bytes()).expect_err(json);
            assert!(error.contains(why), "{json}: {error}");
            assert!(!error.contains("hush"), "{error}");
        }
        assert!(parse(b"\"\xff\"").is_err());
    }
}

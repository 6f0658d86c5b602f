//! One value from the command line to JSON, by the type of its field. Version 1's reading comes first; what only
//! version 2 accepts (`paths=["/a"]`, `data={…}`) is taken where version 1 would have had no use for it. No input or
//! output happens here.

use crate::field::FieldType;
use base64::Engine;
use serde_json::Value;

/// Text after `key=`. The error completes "KEY must be …".
pub(crate) fn from_text(value: FieldType, text: &str) -> Result<Value, String> {
    match value {
        FieldType::Text | FieldType::File | FieldType::Pem => Ok(text.into()),
        FieldType::List => Ok(list(text)),
        FieldType::Boolean => match text.to_ascii_lowercase().as_str() {
            "true" | "t" | "1" | "yes" | "on" => Ok(true.into()),
            "false" | "f" | "0" | "no" | "off" => Ok(false.into()),
            _ => Err("true or false".into()),
        },
        FieldType::Integer => {
            text.parse::<i64>().map(Value::from).map_err(|_| "a whole number, such as 3".into())
        }
        FieldType::Duration if is_duration(text) => Ok(text.into()),
        FieldType::Duration => Err("a duration with its unit, such as 50ms, 5s or 1m30s".into()),
        FieldType::Choice(words) if words.contains(&text) => Ok(text.into()),
        FieldType::Choice(words) => Err(words.join(" or ")),
        // Version 1 sends the text as a string, version 2 as what it looks like. Only what starts like a structure
        // is read as JSON, so that `data=007` stays the string that version 1 made of it.
        FieldType::Json if text.starts_with(['{', '[']) => json(text),
        FieldType::Json => Ok(text.into()),
    }
}

/// Text after `key:=`.
pub(crate) fn json(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|error| format!("JSON ({error})"))
}

/// A file after `key@=`: base64 of its bytes. A PEM field takes the text itself, since that is what PEM is.
pub(crate) fn from_file(value: FieldType, bytes: &[u8]) -> Result<Value, String> {
    match (value, std::str::from_utf8(bytes)) {
        (FieldType::Pem, Ok(text)) => Ok(text.into()),
        (FieldType::Pem, Err(_)) => Err("a PEM file (text that starts with -----BEGIN)".into()),
        _ => Ok(base64::engine::general_purpose::STANDARD.encode(bytes).into()),
    }
}

/// Comma-separated, or a JSON array of strings. A comma inside braces, as in `/{id:[0-9]{1,3}}`, separates nothing.
fn list(text: &str) -> Value {
    if text.starts_with('[')
        && let Ok(items) = serde_json::from_str::<Vec<String>>(text)
    {
        return items.into();
    }
    if text.is_empty() {
        return Value::Array(Vec::new());
    }
    let mut items = vec![String::new()];
    let mut depth = 0_i32;
    for c in text.chars() {
        match c {
            ',' if depth <= 0 => items.push(String::new()),
            _ => {
                depth += i32::from(c == '{') - i32::from(c == '}');
                items.last_mut().expect("never empty").push(c);
            }
        }
    }
    items.into_iter().map(|item| item.trim().to_owned()).collect::<Vec<_>>().into()
}

/// The grammar of Go's `time.ParseDuration`, without a sign: no time-out runs backwards.
pub(crate) fn is_duration(text: &str) -> bool {
    if text == "0" {
        return true;
    }
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let mut number = digits;
        if let Some(fraction) = rest[digits..].strip_prefix('.') {
            let more = fraction.len() - fraction.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            if digits + more == 0 {
                return false;
            }
            number += 1 + more;
        }
        rest = &rest[number..];
        let unit = ["ns", "us", "µs", "μs", "ms", "s", "m", "h"].into_iter().find(|u| rest.starts_with(u));
        match unit {
            Some(unit) if number > 0 => rest = &rest[unit.len()..],
            _ => return false,
        }
    }
    !text.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn text_becomes_what_the_field_is() {
        use FieldType::*;
        for (value, text, expected) in [
            (Text, "42", json!("42")),
            (List, "/a,/b", json!(["/a", "/b"])),
            (List, "/a, /b", json!(["/a", "/b"])),
            (List, "", json!([])),
            (List, "/{id:[0-9]{1,3}},/b", json!(["/{id:[0-9]{1,3}}", "/b"])),
            (List, r#"["/a,b","/c"]"#, json!(["/a,b", "/c"])),
            (List, "[::1]", json!(["[::1]"])),
            (Boolean, "true", json!(true)),
            (Boolean, "0", json!(false)),
            (Integer, "-5", json!(-5)),
            (Duration, "1m30s", json!("1m30s")),
            (Json, "{\"a\":1}", json!({"a": 1})),
            (Json, "007", json!("007")),
            (Choice(&["public", "private"]), "public", json!("public")),
            (File, "aGk=", json!("aGk=")),
        ] {
            assert_eq!(from_text(value, text), Ok(expected), "{value:?} {text}");
        }
        for (value, text) in [
            (Boolean, "maybe"),
            (Integer, "1.5"),
            (Integer, ""),
            (Duration, "5"),
            (Json, "{a"),
            (Choice(&["public", "private"]), "Public"),
        ] {
            assert!(from_text(value, text).is_err(), "{value:?} {text}");
        }
    }

    #[test]
    fn durations_are_those_of_go() {
        for good in ["0", "5s", "1.5h", "1m30s", ".5s", "100ns", "7µs", "1.s", "1h0m0s"] {
            assert!(is_duration(good), "{good}");
        }
        for bad in ["", "5", "-5s", "s", ".s", "5 s", "5d", "1m30", "1e3s"] {
            assert!(!is_duration(bad), "{bad}");
        }
    }

    #[test]
    fn files_are_base64_except_pem() {
        assert_eq!(from_file(FieldType::File, b"hi\n"), Ok(json!("aGkK")));
        assert_eq!(from_file(FieldType::Text, &[0xff]), Ok(json!("/w==")));
        assert_eq!(from_file(FieldType::Pem, b"-----BEGIN"), Ok(json!("-----BEGIN")));
        assert!(from_file(FieldType::Pem, &[0xff]).is_err());
    }
}

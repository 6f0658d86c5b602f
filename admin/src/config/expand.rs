//! `${VAR}`, `${VAR:-default}` and `$(command)` in strings. Done on the parsed tree, so that a value can never add
//! structure, and in one pass, so that what was put in is not expanded again. Source code of modules is left alone:
//! `${…}` is JavaScript there.

use crate::invalid::Invalid;
use serde_json::Value;
use std::process::Command;

/// Where variables come from.
pub(super) struct Expander<'a> {
    pub(super) env: &'a dyn Fn(&str) -> Option<String>,
    pub(super) allow_commands: bool,
}

/// Keys whose strings are somebody else's language.
const VERBATIM: [&str; 3] = ["payload", "payloadRaw", "payload_raw"];

impl Expander<'_> {
    /// Expands every string under `value` in place.
    pub(super) fn expand(&self, value: &mut Value, at: &str, faults: &mut Vec<Invalid>) {
        match value {
            Value::String(text) if text.contains('$') => match self.string(text) {
                Ok(expanded) => *text = expanded,
                Err(why) => faults.push(Invalid::new(at, why)),
            },
            Value::Array(items) => {
                for (index, item) in items.iter_mut().enumerate() {
                    self.expand(item, &format!("{at}[{index}]"), faults);
                }
            }
            Value::Object(map) => {
                for (key, item) in map.iter_mut().filter(|(key, _)| !VERBATIM.contains(&key.as_str())) {
                    let at = if at.is_empty() { key.clone() } else { format!("{at}.{key}") };
                    self.expand(item, &at, faults);
                }
            }
            _ => {}
        }
    }

    fn string(&self, text: &str) -> Result<String, String> {
        let (mut out, mut rest) = (String::with_capacity(text.len()), text);
        while let Some(at) = rest.find('$') {
            out.push_str(&rest[..at]);
            let tail = &rest[at + 1..];
            if let Some((inner, after)) = enclosed(tail, '{', '}')
                && let Some((name, default)) = variable(inner)
            {
                out.push_str(&self.variable(name, default)?);
                rest = after;
            } else if let Some((command, after)) = enclosed(tail, '(', ')') {
                out.push_str(&self.command(command)?);
                rest = after;
            } else {
                out.push('$');
                rest = tail;
            }
        }
        out.push_str(rest);
        Ok(out)
    }

    /// Like a shell: with a default, empty counts as not set.
    fn variable(&self, name: &str, default: Option<&str>) -> Result<String, String> {
        match ((self.env)(name), default) {
            (Some(value), None) => Ok(value),
            (Some(value), Some(_)) if !value.is_empty() => Ok(value),
            (_, Some(default)) => Ok(default.to_owned()),
            (None, None) => {
                Err(format!("the environment has no variable {name}: set it, or write ${{{name}:-default}}"))
            }
        }
    }

    fn command(&self, command: &str) -> Result<String, String> {
        if !self.allow_commands {
            return Err(format!(
                "'$({command})' would run a command: put the value into a variable and write ${{VAR}}, or allow \
                 commands with --allow-config-commands"
            ));
        }
        let output = Command::new("/bin/sh")
            .args(["-c", command])
            .output()
            .map_err(|e| format!("'{command}' cannot be run: {e}"))?;
        if !output.status.success() {
            return Err(format!("'{command}' failed ({})", output.status));
        }
        let text = String::from_utf8(output.stdout).map_err(|_| format!("'{command}' printed no UTF-8"))?;
        Ok(text.trim().to_owned())
    }
}

/// `{inner}after` for its delimiters, up to the first closing one.
fn enclosed(text: &str, open: char, close: char) -> Option<(&str, &str)> {
    text.strip_prefix(open)?.split_once(close)
}

/// `NAME` or `NAME:-default`.
fn variable(inner: &str) -> Option<(&str, Option<&str>)> {
    let (name, default) = match inner.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (inner, None),
    };
    let plain = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    plain.then_some((name, default))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn expanded(mut value: Value, allow_commands: bool) -> Result<Value, Vec<Invalid>> {
        let env = |name: &str| match name {
            "PORT" => Some("8081".to_owned()),
            "EMPTY" => Some(String::new()),
            "TRICKY" => Some("a: b\n${PORT} $(id)".to_owned()),
            _ => None,
        };
        let mut faults = Vec::new();
        Expander { env: &env, allow_commands }.expand(&mut value, "", &mut faults);
        if faults.is_empty() { Ok(value) } else { Err(faults) }
    }

    #[test]
    fn variables() {
        for (text, expected) in [
            ("${PORT}", "8081"),
            ("${PORT:-1}", "8081"),
            ("${MISSING:-1}", "1"),
            ("${MISSING:-}", ""),
            ("${EMPTY:-1}", "1"),
            ("${EMPTY}", ""),
            ("a${PORT}b${PORT}c", "a8081b8081c"),
            ("$PORT ${not a name} $", "$PORT ${not a name} $"),
            ("/^(.+\\.)?example\\.(a|b)$/", "/^(.+\\.)?example\\.(a|b)$/"),
            ("${TRICKY}", "a: b\n${PORT} $(id)"),
            ("${MISSING:-http://h:1/}", "http://h:1/"),
        ] {
            assert_eq!(expanded(json!(text), false), Ok(json!(expected)), "{text}");
        }
    }

    #[test]
    fn faults_have_paths() {
        let faults =
            expanded(json!({"a": [{"b": "${MISSING}"}], "c": "$(id)", "payload": "${x} $(y)"}), false)
                .expect_err("must be refused");
        let at: Vec<&str> = faults.iter().map(|fault| fault.at.as_str()).collect();
        assert_eq!(at, ["a[0].b", "c"]);
        assert!(faults[1].why.contains("--allow-config-commands"));
    }

    #[test]
    fn commands_run_when_allowed() {
        assert_eq!(expanded(json!("x$(echo ' y ')z"), true), Ok(json!("xyz")));
        assert!(expanded(json!("$(exit 3)"), true).is_err());
    }
}

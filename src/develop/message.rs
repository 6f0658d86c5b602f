//! Requests and responses in files: as JSON in the form that the test kit's builders take, or as they stand on the wire.

use serde_json::{Map, Value, json};
use std::fs;
use std::path::Path;

/// A request: `.json`, or anything else as `GET /path HTTP/1.1`, fields, an empty line and the body.
pub fn request(path: &Path) -> Result<Value, String> {
    from_file(path, |first| {
        let mut words = first.split_ascii_whitespace();
        let (Some(method), Some(target)) = (words.next(), words.next()) else {
            return Err("the first line is no request: write GET /path HTTP/1.1".to_owned());
        };
        // A whole URL names the host too.
        let (host, path) = match target.split_once("://") {
            Some((_, rest)) => {
                let at = rest.find(['/', '?']).unwrap_or(rest.len());
                let path = if rest[at..].starts_with('/') {
                    rest[at..].to_owned()
                } else {
                    format!("/{}", &rest[at..])
                };
                (Some(rest[..at].to_owned()), path)
            }
            None => (None, target.to_owned()),
        };
        let mut parts =
            Map::from_iter([("method".to_owned(), json!(method)), ("path".to_owned(), json!(path))]);
        parts.extend(host.map(|host| ("host".to_owned(), json!(host))));
        Ok(parts)
    })
}

/// A response: `.json`, or anything else as `HTTP/1.1 200 OK`, fields, an empty line and the body.
pub fn response(path: &Path) -> Result<Value, String> {
    from_file(path, |first| {
        let status = first.strip_prefix("HTTP/").and_then(|rest| rest.split_ascii_whitespace().nth(1));
        let status: u16 = status
            .and_then(|status| status.parse().ok())
            .ok_or("the first line is no status: write HTTP/1.1 200 OK")?;
        Ok(Map::from_iter([("status".to_owned(), json!(status))]))
    })
}

fn from_file(
    path: &Path,
    first_line: impl Fn(&str) -> Result<Map<String, Value>, String>,
) -> Result<Value, String> {
    let failed = |why: String| format!("{}: {why}", path.display());
    let text = fs::read_to_string(path).map_err(|e| failed(e.to_string()))?;
    if path.extension().is_some_and(|ending| ending == "json") {
        return serde_json::from_str(&text).map_err(|e| failed(e.to_string()));
    }
    parse(&text, first_line).map_err(failed)
}

fn parse(
    text: &str,
    first_line: impl Fn(&str) -> Result<Map<String, Value>, String>,
) -> Result<Value, String> {
    let text = text.replace("\r\n", "\n");
    let (head, body) = text.split_once("\n\n").unwrap_or((text.trim_end(), ""));
    // Lines that begin with # are remarks, as editors have it in .http files.
    let mut lines = head.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty());
    let mut parts = first_line(lines.next().unwrap_or_default())?;
    let mut fields = Vec::new();
    for line in lines {
        let (name, value) = line.split_once(':').ok_or_else(|| format!("'{line}' is no header field"))?;
        // The gateway frames messages; a length that was copied along means nothing here.
        if !["content-length", "transfer-encoding"].contains(&name.to_ascii_lowercase().as_str()) {
            fields.push(json!([name.trim(), value.trim()]));
        }
    }
    parts.insert("headers".into(), Value::from(fields));
    if !body.is_empty() {
        parts.insert("body".into(), json!(body));
    }
    Ok(Value::Object(parts))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_of_the_wire() {
        let any = |first: &str| Ok(Map::from_iter([("first".to_owned(), json!(first))]));
        for (text, parsed) in [
            (
                "GET / HTTP/1.1\r\nA: b: c\r\n\r\nbody\n\nmore",
                json!({"first":"GET / HTTP/1.1","headers":[["A","b: c"]],"body":"body\n\nmore"}),
            ),
            ("# remark\nGET /\nContent-Length: 3\n", json!({"first":"GET /","headers":[]})),
        ] {
            assert_eq!(parse(text, any), Ok(parsed), "{text:?}");
        }
        assert!(parse("GET /\nnonsense\n", any).is_err());
    }
}

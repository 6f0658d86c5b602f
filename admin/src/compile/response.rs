//! What a route answers by itself, written out for the wire once, so that a shard only copies it. What was stored has
//! been checked: nothing is refused here.

use crate::resource::{Response, Values};
use http::StatusCode;
use tidegate_snapshot::DirectResponse;

/// What a body is when nobody says so.
const PLAIN: &str = "text/plain; charset=utf-8";

/// Whether the status has no content and no length (RFC 9110 sections 6.4.1 and 8.6).
fn is_bodiless(status: u16) -> bool {
    matches!(status, 204 | 304)
}

/// The response as bytes.
pub(super) fn build(written: &Response) -> DirectResponse {
    let status = written.status;
    let body = written.body.as_deref().unwrap_or_default();
    let body = if is_bodiless(status) { "" } else { body };
    let lines = |(name, values): (&String, &Values)| -> Vec<(String, String)> {
        values.all().iter().map(|value| (name.clone(), value.clone())).collect()
    };
    let mut fields: Vec<(String, String)> = written.headers.iter().flat_map(lines).collect();
    let has_type = fields.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type"));
    if !body.is_empty() && !has_type {
        fields.push(("Content-Type".into(), PLAIN.into()));
    }
    if !is_bodiless(status) {
        fields.push(("Content-Length".into(), body.len().to_string()));
    }
    let reason = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
    let mut head = format!("HTTP/1.1 {status} {}\r\n", reason.unwrap_or_default());
    fields.iter().for_each(|(name, value)| head.push_str(&format!("{name}: {value}\r\n")));
    let bytes = |text: String| text.into_bytes().into_boxed_slice();
    DirectResponse {
        status,
        head: bytes(head),
        fields: fields.into_iter().map(|(name, value)| (bytes(name), bytes(value))).collect(),
        body: body.as_bytes().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn responses_are_written_out() {
        for (written, head, body) in [
            (json!({}), "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n", ""),
            (
                json!({"body": "ü\n"}),
                "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 3\r\n",
                "ü\n",
            ),
            (
                json!({"status": 503, "headers": {"content-type": "application/json", "Retry-After": "5"}, "body": "{}"}),
                "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\ncontent-type: application/json\r\n\
                 Content-Length: 2\r\n",
                "{}",
            ),
            (
                json!({"headers": {"Set-Cookie": ["a=1", "b=2; Secure"], "X-One": ["1"]}}),
                "HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2; Secure\r\nX-One: 1\r\nContent-Length: 0\r\n",
                "",
            ),
            (json!({"status": 599, "body": ""}), "HTTP/1.1 599 \r\nContent-Length: 0\r\n", ""),
            (json!({"status": 204}), "HTTP/1.1 204 No Content\r\n", ""),
            (json!({"status": 205}), "HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n", ""),
            (
                json!({"status": 304, "headers": {"ETag": "\"a\""}}),
                "HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\n",
                "",
            ),
        ] {
            let built = build(&serde_json::from_value(written.clone()).expect("a response"));
            let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("text");
            assert_eq!((text(&built.head), text(&built.body)), (head.into(), body.into()), "{written}");
            assert_eq!(built.head.iter().filter(|byte| **byte == b'\n').count(), built.fields.len() + 1);
        }
    }
}

//! The judge of a case: sends it to the gateway, reads everything that comes back, and says whether both ends saw the same.

use super::harness::{Client, Gateway, Head, Trouble, Upstream};

/// What came of a case.
#[derive(Debug, Default)]
pub struct Verdict {
    /// Responses that came from the upstream.
    pub proxied: usize,
    /// Statuses that the gateway answered by itself.
    pub refused: Vec<u16>,
}

/// An upstream whose answers have no body for any method, so that they can be told apart without knowing the request.
pub fn strict_upstream() -> Upstream {
    Upstream::answering(|_| "HTTP/1.1 204 No Content\r\nX-Strict: yes\r\n\r\n".into())
}

/// Sends the case, ends sending, and reads to the end. Panics where the answers are not well-formed, where a refusal
/// leaves the connection open, or where anything stands behind one.
pub fn judge(gateway: &Gateway, id: &str, bytes: &[u8]) -> Verdict {
    let mut client = gateway.connect();
    client.try_send(bytes);
    client.finish();
    let mut verdict = Verdict::default();
    loop {
        let head = match client.try_head() {
            Ok(head) => head,
            Err(Trouble::Ended | Trouble::Cut(_)) => return verdict,
            Err(trouble) => panic!("{id}: {trouble:?}\n{}", show(bytes)),
        };
        match head.status() {
            100..=199 => {}
            204 if head.get("x-strict").is_some() => verdict.proxied += 1,
            status => {
                verdict.refused.push(status);
                let is_over = head.get("connection") == Some("close");
                assert!(is_over || !closes(status), "{id}: kept after {head:?}\n{}", show(bytes));
                if is_over {
                    read_last(&mut client, &head, id, bytes);
                    return verdict;
                }
                if let Err(trouble @ Trouble::Damaged(_)) = client.stream.body(head, false) {
                    panic!("{id}: {trouble:?}\n{}", show(bytes));
                }
            }
        }
    }
}

/// Statuses that mean that nobody can say where the next request begins.
fn closes(status: u16) -> bool {
    matches!(status, 400 | 408 | 413 | 414 | 417 | 431 | 501 | 505)
}

/// Behind the last head stands its body (nothing, if it answered HEAD) and then the end.
fn read_last(client: &mut Client, head: &Head, id: &str, bytes: &[u8]) {
    let length: usize = head.get("content-length").and_then(|length| length.parse().ok()).unwrap_or_default();
    while matches!(client.stream.fill(), Ok(true)) {}
    let rest = client.stream.rest();
    assert!(
        rest.is_empty() || rest.len() == length,
        "{id}: {} bytes behind {head:?}\n{}",
        rest.len(),
        show(bytes)
    );
}

/// The case as text.
pub fn show(bytes: &[u8]) -> String {
    format!("{:?}", String::from_utf8_lossy(bytes))
}

/// What a careless upstream might take for a framing field that the gateway did not write.
pub fn framing_look_alike(head: &Head) -> Option<String> {
    let squeezed = |name: &str| -> String {
        name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
    };
    let mut framings = 0;
    for (name, value) in &head.fields {
        let is_coding = squeezed(name) == "transferencoding";
        let is_length = squeezed(name) == "contentlength";
        framings += usize::from(is_coding || is_length);
        let is_ours =
            (name == "Transfer-Encoding" && value == "chunked") || (is_length && name.contains('-'));
        if (is_coding || is_length) && !is_ours {
            return Some(format!("{name}: {value}"));
        }
    }
    (framings > 1).then(|| format!("{framings} framing fields"))
}

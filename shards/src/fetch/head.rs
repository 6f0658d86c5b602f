//! The heads of a `fetch`: the request's written from checked parts, so that nothing a module says can end a line or
//! frame a message, and the response's as a module gets it.

use super::trouble::Trouble;
use super::url::Url;
use http::Method;
use tidegate_codec::{BodyFraming, FieldKind, Fields, ResponseHead, encode};

/// What says who asks, where the module does not.
const USER_AGENT: &[u8] = b"tidegate";

/// A method that can be fetched with: any token but CONNECT and TRACE (URL and Fetch standards, "forbidden method").
pub fn method(text: &str) -> Result<Method, Trouble> {
    let refused = || Trouble::Method(text.chars().take(40).collect());
    let method = Method::from_bytes(text.as_bytes()).map_err(|_| refused())?;
    let is_forbidden = ["CONNECT", "TRACE", "TRACK"].iter().any(|name| text.eq_ignore_ascii_case(name));
    if is_forbidden { Err(refused()) } else { Ok(method) }
}

/// Checks names and values; what belongs to the connection or frames the message is left out.
pub fn fields(list: &[(String, String)]) -> Result<Fields, Trouble> {
    let mut fields = Fields::default();
    for (name, value) in list {
        fields
            .add(name.as_bytes(), value.as_bytes())
            .map_err(|rule| Trouble::Field(name.chars().take(100).collect(), rule))?;
    }
    fields.remove_kinds(is_ours);
    Ok(fields)
}

/// Fields of a request that are the gateway's to write.
fn is_ours(kind: FieldKind) -> bool {
    kind.is_hop_by_hop()
        || matches!(kind, FieldKind::Host | FieldKind::ContentLength | FieldKind::Expect | FieldKind::Trailer)
}

/// Writes the request's head.
pub fn write(out: &mut Vec<u8>, method: &Method, url: &Url, fields: &Fields, body: BodyFraming) {
    encode::request_line(out, method, url.path(), url.query());
    encode::field(out, b"Host", url.authority());
    for (_, name, value) in fields.iter() {
        encode::field(out, name, value);
    }
    if !fields.has(b"user-agent") {
        encode::field(out, b"User-Agent", USER_AGENT);
    }
    match body {
        BodyFraming::Length(length) => encode::field_u64(out, b"Content-Length", length),
        BodyFraming::Chunked => encode::field(out, b"Transfer-Encoding", b"chunked"),
        BodyFraming::None | BodyFraming::UntilClose => {}
    }
    encode::end_of_head(out);
}

/// Methods whose requests say that they have no body (RFC 9110 section 8.6).
pub fn announces_no_body(method: &Method) -> bool {
    matches!(*method, Method::POST | Method::PUT | Method::PATCH)
}

/// The fields of a response without those of its connection.
pub fn response_fields(head: &ResponseHead) -> Vec<(Vec<u8>, Vec<u8>)> {
    let kept =
        head.fields.iter().filter(|(kind, ..)| !kind.is_hop_by_hop() && *kind != FieldKind::ConnectionOption);
    kept.map(|(_, name, value)| (name.to_vec(), value.to_vec())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tidegate_codec::{HeadLimits, Malformed, RequestHead};

    fn written(name: &str, url: &str, list: &[(&str, &str)], body: BodyFraming) -> Result<String, Trouble> {
        let list: Vec<_> = list.iter().map(|(n, v)| (n.to_string(), v.to_string())).collect();
        let mut out = Vec::new();
        let url = Url::parse(url.to_owned()).map_err(Trouble::Url)?;
        write(&mut out, &method(name)?, &url, &fields(&list)?, body);
        Ok(String::from_utf8(out).expect("text"))
    }

    #[test]
    fn heads() {
        let check = |text: Result<String, Trouble>, want: &str| assert_eq!(text.expect("a head"), want);
        check(
            written("GET", "http://a:81/x?y", &[], BodyFraming::None),
            "GET /x?y HTTP/1.1\r\nHost: a:81\r\nUser-Agent: tidegate\r\n\r\n",
        );
        // What frames the message or belongs to the connection is not the module's to say.
        let ours = [
            ("Host", "evil"),
            ("content-length", "5"),
            ("Transfer-Encoding", "gzip"),
            ("Connection", "close, X-Kept"),
            ("Keep-Alive", "x"),
            ("TE", "trailers"),
            ("Upgrade", "h2c"),
            ("Expect", "100-continue"),
            ("Proxy-Authorization", "x"),
        ];
        check(
            written(
                "PATCH",
                "http://a/",
                &[&ours[..], &[("X-Kept", " é\t")]].concat(),
                BodyFraming::Length(3),
            ),
            "PATCH / HTTP/1.1\r\nHost: a\r\nX-Kept: é\r\nUser-Agent: tidegate\r\nContent-Length: 3\r\n\r\n",
        );
        check(
            written(
                "x!",
                "https://[::1]/",
                &[("user-agent", "me"), ("A", "1"), ("a", "2")],
                BodyFraming::Chunked,
            ),
            "x! / HTTP/1.1\r\nHost: [::1]\r\nuser-agent: me\r\nA: 1\r\na: 2\r\nTransfer-Encoding: chunked\r\n\r\n",
        );
    }

    #[test]
    fn refusals() {
        for name in ["", "G T", "GET\r\n", "CONNECT", "trace", "TRACK", "GÉT", "GET\0"] {
            assert!(matches!(method(name), Err(Trouble::Method(_))), "{name:?}");
        }
        for (name, value, want) in [
            ("", "x", Malformed::FieldName),
            ("a b", "x", Malformed::FieldName),
            ("a:", "x", Malformed::FieldName),
            ("a\r\nb", "x", Malformed::FieldName),
            ("é", "x", Malformed::FieldName),
            ("a", "x\r\nb: c", Malformed::FieldValue),
            ("a", "x\n", Malformed::FieldValue),
            ("a", "x\0", Malformed::FieldValue),
            ("content_length", "5", Malformed::FieldAlias),
        ] {
            let list = [(name.to_owned(), value.to_owned())];
            let found = fields(&list).err();
            assert!(
                matches!(found, Some(Trouble::Field(_, rule)) if rule == want),
                "{name:?} {value:?}: {found:?}"
            );
        }
    }

    const ODD: &str = "[ -~\\r\\n\\t\\x00\u{e9}\u{10348}]{0,12}";

    proptest! {
        /// Whatever a module says, what is written is exactly one request, or nothing.
        #[test]
        fn one_request_or_none(
            name in prop_oneof!["GET|POST|HEAD|[A-Z]{1,8}", ODD],
            rest in prop_oneof!["(/[a-z0-9;=@~_-]{0,5}){0,3}(\\?[!-~&&[^#]]{0,9})?", ODD],
            list in prop::collection::vec(
                prop_oneof![("[A-Za-z][A-Za-z-]{0,15}", "[ -~\t\u{e9}]{0,20}"), (ODD, ODD)], 0..6,
            ),
            body in prop::collection::vec(any::<u8>(), 0..40),
            is_chunked: bool,
        ) {
            let url = Url::parse(format!("http://a.example{rest}"));
            let list: Vec<(String, String)> = list;
            let (Ok(url), Ok(name), Ok(fields)) = (url, method(&name), fields(&list)) else { return Ok(()) };
            let framing = if is_chunked { BodyFraming::Chunked } else { BodyFraming::Length(body.len() as u64) };
            let mut out = Vec::new();
            write(&mut out, &name, &url, &fields, framing);
            let head = out.len();
            // Every CR and LF is one of a line's end, and the only empty line is the last.
            let text = &out[..head];
            let ends = text.windows(2).filter(|pair| pair == b"\r\n").count();
            prop_assert_eq!(text.iter().filter(|b| **b == b'\r').count(), ends);
            prop_assert_eq!(text.iter().filter(|b| **b == b'\n').count(), ends);
            prop_assert!(!text.contains(&0));
            prop_assert_eq!(text.windows(4).position(|four| four == b"\r\n\r\n"), Some(head - 4));
            if is_chunked {
                encode::chunk(&mut out, &body);
                encode::last_chunk(&mut out, None);
            } else {
                out.extend_from_slice(&body);
            }
            let limits = HeadLimits { line_bytes: 8 << 10, head_bytes: 64 << 10, fields: 100 };
            let mut parsed = RequestHead::default();
            match parsed.parse(&mut out, &limits) {
                Ok(whole) => {
                    prop_assert!(whole);
                    prop_assert_eq!(parsed.method(), &name);
                    prop_assert_eq!(parsed.body(), framing);
                    prop_assert_eq!(parsed.host(), url.host().as_bytes());
                    let added = if fields.has(b"user-agent") { 2 } else { 3 };
                    prop_assert_eq!(parsed.fields.len(), fields.len() + added);
                }
                // The gateway is stricter as a server than the grammar: only about paths and their bytes.
                Err(rule) => prop_assert!(rule.code().starts_with("path"), "{}", rule.code()),
            }
        }
    }
}

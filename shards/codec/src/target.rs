//! The four forms of a request target (RFC 9112 section 3.2), told apart and cut into parts; nothing is decoded or compared here.

use crate::Malformed;
use crate::fields::Span;
use http::Method;
use memchr::{memchr, memchr2};

/// A request target, as spans within it.
#[derive(PartialEq, Eq, Debug)]
pub(crate) enum Target {
    /// `/path?query`.
    Origin { path: Span, query: Option<Span> },
    /// `http://authority/path?query`. The path may be empty.
    Absolute { https: bool, authority: Span, path: Span, query: Option<Span> },
    /// `host:port`, for CONNECT only.
    Authority,
    /// `*`, for OPTIONS only.
    Asterisk,
}

/// # Errors
/// [`Malformed::TargetForm`], [`Malformed::Fragment`], [`Malformed::Scheme`], [`Malformed::Userinfo`], [`Malformed::Host`].
pub(crate) fn split(target: &[u8], method: &Method) -> Result<Target, Malformed> {
    if *method == Method::CONNECT {
        let is_path =
            target.first() == Some(&b'/') || target.windows(3).any(|w| w == b"://") || target == b"*";
        return if is_path { Err(Malformed::TargetForm) } else { Ok(Target::Authority) };
    }
    if target.first() == Some(&b'/') {
        let (path, query) = cut_query(target, 0)?;
        return Ok(Target::Origin { path, query });
    }
    if target == b"*" && *method == Method::OPTIONS {
        return Ok(Target::Asterisk);
    }
    let Some(colon) = memchr(b':', target).filter(|&colon| target[colon..].starts_with(b"://")) else {
        return Err(Malformed::TargetForm);
    };
    let https = match &target[..colon] {
        scheme if scheme.eq_ignore_ascii_case(b"http") => false,
        scheme if scheme.eq_ignore_ascii_case(b"https") => true,
        _ => return Err(Malformed::Scheme),
    };
    let start = colon + 3;
    let end = target[start..].iter().position(|b| b"/?#".contains(b)).map_or(target.len(), |end| start + end);
    if target[start..end].contains(&b'@') {
        return Err(Malformed::Userinfo);
    }
    if start == end {
        return Err(Malformed::Host);
    }
    let (path, query) = cut_query(target, end)?;
    Ok(Target::Absolute { https, authority: Span::new(start, end), path, query })
}

/// Cuts what begins at `start` into path and query.
fn cut_query(target: &[u8], start: usize) -> Result<(Span, Option<Span>), Malformed> {
    let len = target.len();
    let Some(end) = memchr2(b'?', b'#', &target[start..]).map(|end| start + end) else {
        return Ok((Span::new(start, len), None));
    };
    if target[end] == b'#' || memchr(b'#', &target[end..]).is_some() {
        return Err(Malformed::Fragment);
    }
    Ok((Span::new(start, end), Some(Span::new(end + 1, len))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        let show = |method: &str, target: &str| -> Result<String, Malformed> {
            let text = |span: Span| std::str::from_utf8(span.of(target.as_bytes())).unwrap().to_owned();
            let query = |query: Option<Span>| query.map(|q| format!("?{}", text(q))).unwrap_or_default();
            Ok(match split(target.as_bytes(), &method.parse().unwrap())? {
                Target::Origin { path, query: q } => format!("{} {}", text(path), query(q)),
                Target::Absolute { https, authority, path, query: q } => {
                    format!("{https} {} {} {}", text(authority), text(path), query(q))
                }
                Target::Authority => "authority".into(),
                Target::Asterisk => "asterisk".into(),
            })
        };
        let check = |method: &str, target: &str, want: Result<&str, Malformed>| {
            assert_eq!(show(method, target), want.map(str::to_owned), "{method} {target}");
        };
        check("GET", "/", Ok("/ "));
        check("GET", "/a?b?c", Ok("/a ?b?c"));
        check("GET", "/a?", Ok("/a ?"));
        check("GET", "//a", Ok("//a "));
        check("GET", "/http://b", Ok("/http://b "));
        check("GET", "/a#b", Err(Malformed::Fragment));
        check("GET", "/a?b#c", Err(Malformed::Fragment));
        check("GET", "HTTP://A:1/b?c", Ok("false A:1 /b ?c"));
        check("GET", "https://a", Ok("true a  "));
        check("GET", "http://a?b/c", Ok("false a  ?b/c"));
        check("GET", "http://a#b", Err(Malformed::Fragment));
        check("GET", "ftp://a/", Err(Malformed::Scheme));
        check("GET", "http:///a", Err(Malformed::Host));
        check("GET", "http://u@a/", Err(Malformed::Userinfo));
        check("GET", "http://a/@", Ok("false a /@ "));
        check("OPTIONS", "*", Ok("asterisk"));
        check("OPTIONS", "*?a", Err(Malformed::TargetForm));
        for bad in ["*", "a", "a:80", "http:/a", "?a", "#", "mailto:a", "..", "\\"] {
            check("GET", bad, Err(Malformed::TargetForm));
        }
        check("CONNECT", "a:80", Ok("authority"));
        for bad in ["/", "/a:80", "http://a:80", "*"] {
            check("CONNECT", bad, Err(Malformed::TargetForm));
        }
    }
}

//! Path patterns of both DGate versions, parsed into one piece per segment: literal, `{name}` or `:name`,
//! `{name:regex}` (also mixed with literals), `*` for one segment inside a pattern, and a trailing `*` or `**` for the
//! rest. Patterns are matched against canonical paths only.

use crate::host_pattern::anchored;
use regex::bytes::Regex;
use std::str::FromStr;

/// Most parameters a pattern may name.
pub const MAX_PARAMS: usize = 16;
/// Most segments a pattern may have.
const MAX_SEGMENTS: usize = 64;

/// What one segment of a pattern asks for.
#[derive(Debug, Clone)]
pub enum Piece {
    /// Exactly these bytes; may be empty (a trailing slash).
    Literal(Box<[u8]>),
    /// Any segment that is not empty, as a parameter.
    Param,
    /// Any segment that is not empty, without a name.
    Any,
    /// A segment that this anchored expression matches; each of its groups is a parameter.
    Regex(Regex),
    /// The rest of the path, slashes included, behind these bytes. Only at the end.
    Rest(Box<[u8]>),
}

/// A parsed path pattern.
#[derive(Debug, Clone)]
pub struct PathPattern {
    /// One piece per segment.
    pub pieces: Vec<Piece>,
    /// Names of the parameters in order of appearance; the rest is called `*`.
    pub names: Box<[Box<str>]>,
}

/// Why a path pattern cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathPatternError(pub String);

impl std::fmt::Display for PathPatternError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

fn refuse<T>(why: impl Into<String>) -> Result<T, PathPatternError> {
    Err(PathPatternError(why.into()))
}

/// Cuts at slashes that do not stand inside braces.
fn segments(text: &str) -> Result<Vec<&str>, PathPatternError> {
    let (mut depth, mut start, mut found) = (0usize, 0, Vec::new());
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' if depth == 0 => return refuse("a '}' without its '{'"),
            b'}' => depth -= 1,
            b'/' if depth == 0 => {
                found.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    if depth > 0 {
        return refuse("a '{' without its '}'");
    }
    found.push(&text[start..]);
    if found.len() > MAX_SEGMENTS {
        return refuse(format!("more than {MAX_SEGMENTS} segments"));
    }
    Ok(found)
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

/// One segment that mixes literals, parameters and stars, as an anchored expression.
fn mixed(segment: &str, names: &mut Vec<Box<str>>) -> Result<Piece, PathPatternError> {
    let (mut expression, mut rest) = (String::new(), segment);
    while let Some(at) = rest.find(['{', '*']) {
        expression.push_str(&regex::escape(&rest[..at]));
        if rest.as_bytes()[at] == b'*' {
            expression.push_str("[^/]*");
            rest = &rest[at + 1..];
            continue;
        }
        let mut depth = 0usize;
        let close = rest[at..].bytes().position(|b| {
            depth = if b == b'{' { depth + 1 } else { depth - usize::from(b == b'}') };
            depth == 0
        });
        let Some(close) = close else { return refuse("a '{' without its '}'") };
        let inner = &rest[at + 1..at + close];
        let (name, pattern) = inner.split_once(':').unwrap_or((inner, "[^/]+"));
        if !is_name(name) {
            return refuse(format!("'{{{inner}}}' needs a name of letters, digits, '-' and '_'"));
        }
        let pattern = pattern.strip_prefix('^').unwrap_or(pattern);
        let pattern = pattern.strip_suffix('$').unwrap_or(pattern);
        let groups = anchored(pattern, false).map_err(|error| PathPatternError(error.0))?.captures_len();
        if groups > 1 {
            return refuse(format!("'{{{inner}}}': use (?:…) instead of (…)"));
        }
        expression.push_str(&format!("({pattern})"));
        names.push(name.into());
        rest = &rest[at + close + 1..];
    }
    expression.push_str(&regex::escape(rest));
    regex::bytes::RegexBuilder::new(&format!(r"\A(?:{expression})\z"))
        .unicode(false)
        .size_limit(1 << 20)
        .build()
        .map(Piece::Regex)
        .map_err(|error| PathPatternError(format!("not a regular expression we can use: {error}")))
}

fn piece(segment: &str, last: bool, names: &mut Vec<Box<str>>) -> Result<Piece, PathPatternError> {
    if last && segment.ends_with('*') && !segment.contains('{') {
        let prefix = segment.trim_end_matches('*');
        if prefix.contains('*') || segment.len() - prefix.len() > 2 {
            return refuse("'*' for the rest stands once, at the end");
        }
        names.push("*".into());
        return Ok(Piece::Rest(prefix.as_bytes().into()));
    }
    if segment.contains("**") {
        return refuse("'**' stands only at the end of a pattern");
    }
    if segment == "*" {
        return Ok(Piece::Any);
    }
    let named = segment
        .strip_prefix(':')
        .filter(|name| is_name(name))
        .or_else(|| segment.strip_prefix('{').and_then(|s| s.strip_suffix('}')).filter(|name| is_name(name)));
    if let Some(name) = named {
        names.push(name.into());
        return Ok(Piece::Param);
    }
    if segment.contains(['{', '*']) {
        return mixed(segment, names);
    }
    if segment.bytes().any(|b| b <= b' ' || b == 0x7f || b"?#\\".contains(&b)) {
        return refuse("a path pattern has no spaces, control characters, '?', '#' or '\\'");
    }
    if segment == "." || segment == ".." {
        return refuse("a canonical path has no '.' or '..' segment, so this can never match");
    }
    Ok(Piece::Literal(segment.as_bytes().into()))
}

impl FromStr for PathPattern {
    type Err = PathPatternError;

    fn from_str(text: &str) -> Result<Self, PathPatternError> {
        let Some(body) = text.strip_prefix('/') else { return refuse("a path pattern starts with '/'") };
        let (segments, mut names) = (segments(body)?, Vec::new());
        let count = segments.len();
        let pieces = segments
            .into_iter()
            .enumerate()
            .map(|(at, segment)| piece(segment, at + 1 == count, &mut names))
            .collect::<Result<Vec<_>, _>>()?;
        if names.len() > MAX_PARAMS {
            return refuse(format!("more than {MAX_PARAMS} parameters"));
        }
        if let Some(twice) = names.iter().enumerate().find(|(at, name)| names[..*at].contains(name)) {
            return refuse(format!("the parameter '{}' stands twice", twice.1));
        }
        Ok(Self { pieces, names: names.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::PathPattern;

    #[test]
    fn what_parses_and_what_does_not() {
        for good in [
            "/",
            "/a/b",
            "/a/",
            "/{id}",
            "/:id",
            "/{id:[0-9]+}",
            "/{y:\\d{4}}-{m:\\d{2}}",
            "/a/*",
            "/a/**",
            "/a*",
            "/a/*/b",
            "/f/{name}.json",
            "/a*b/c",
            "/x:y",
        ] {
            assert!(good.parse::<PathPattern>().is_ok(), "{good}");
        }
        for bad in [
            "",
            "a",
            "/{",
            "/}",
            "/{}",
            "/{a b}",
            "/{id:[}",
            "/{id:(a)(b)}",
            "/**/a",
            "/a***",
            "/{a}/{a}",
            "/a b",
            "/a?b",
            "/..",
            "/a/./b",
        ] {
            assert!(bad.parse::<PathPattern>().is_err(), "{bad}");
        }
    }
}

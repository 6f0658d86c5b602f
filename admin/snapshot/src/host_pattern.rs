//! Host patterns: exact, `*`, `*suffix`, `prefix*`, `*middle*` and `/regex/`. Always anchored, always without case,
//! never with a port.

use regex::bytes::{Regex, RegexBuilder};
use std::str::FromStr;

/// A compiled host pattern.
#[derive(Debug, Clone)]
pub enum HostPattern {
    /// `*`
    Any,
    /// `example.com`
    Exact(Box<str>),
    /// `*.example.com`
    Suffix(Box<str>),
    /// `api.*`
    Prefix(Box<str>),
    /// `*internal*`
    Contains(Box<str>),
    /// `/…/`, matched against the whole host.
    Regex(Regex),
}

/// Why a host pattern cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PatternError(pub String);

impl std::fmt::Display for PatternError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Largest program a regex of the configuration may compile to, in bytes.
const REGEX_SIZE_LIMIT: usize = 1 << 20;

pub(crate) fn anchored(pattern: &str, without_case: bool) -> Result<Regex, PatternError> {
    RegexBuilder::new(&format!(r"\A(?:{pattern})\z"))
        .case_insensitive(without_case)
        .unicode(false)
        .size_limit(REGEX_SIZE_LIMIT)
        .build()
        .map_err(|error| PatternError(format!("not a regular expression we can use: {error}")))
}

impl FromStr for HostPattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        if text.len() >= 2 && text.starts_with('/') && text.ends_with('/') {
            return anchored(&text[1..text.len() - 1], true).map(Self::Regex);
        }
        let lower = text.to_ascii_lowercase();
        let inner = lower.trim_matches('*');
        if inner.bytes().any(|b| !(b.is_ascii_alphanumeric() || b"-._[]:".contains(&b) || b >= 0x80)) {
            return Err(PatternError(
                "a host pattern has letters, digits, '-', '_' and '.', with '*' only at its ends".into(),
            ));
        }
        if inner.rsplit_once(':').is_some_and(|(head, port)| {
            !head.is_empty() && !head.contains(':') && port.bytes().all(|b| b.is_ascii_digit())
        }) {
            return Err(PatternError("a host pattern has no port: leave ':…' out".into()));
        }
        let inner: Box<str> = inner.into();
        Ok(match (lower.starts_with('*'), lower.ends_with('*'), inner.is_empty()) {
            (true, _, true) if lower == "*" => Self::Any,
            (_, _, true) => return Err(PatternError("a host pattern names a host, or is '*'".into())),
            (false, false, _) => Self::Exact(inner),
            (true, false, _) => Self::Suffix(inner),
            (false, true, _) => Self::Prefix(inner),
            (true, true, _) => Self::Contains(inner),
        })
    }
}

impl HostPattern {
    /// Whether a canonical host (lower case, no port) matches.
    pub fn matches(&self, host: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Exact(exact) => host == &**exact,
            Self::Suffix(suffix) => host.ends_with(&**suffix),
            Self::Prefix(prefix) => host.starts_with(&**prefix),
            Self::Contains(middle) => host.contains(&**middle),
            Self::Regex(regex) => regex.is_match(host.as_bytes()),
        }
    }

    /// The host of an exact pattern.
    pub fn exact(&self) -> Option<&str> {
        match self {
            Self::Exact(host) => Some(host),
            _ => None,
        }
    }

    /// Orders patterns of one priority: exact before patterns, longer before shorter, `*` last.
    pub(crate) fn specificity(&self) -> (u8, usize) {
        match self {
            Self::Exact(host) => (3, host.len()),
            Self::Regex(regex) => (2, regex.as_str().len()),
            Self::Suffix(part) | Self::Prefix(part) | Self::Contains(part) => (1, part.len()),
            Self::Any => (0, 0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::HostPattern;

    #[test]
    fn patterns_match_whole_hosts() {
        for (pattern, host, expected) in [
            ("example.com", "example.com", true),
            ("Example.COM", "example.com", true),
            ("example.com", "examplexcom", false),
            ("example.com", "example.com.evil.net", false),
            ("*", "anything", true),
            ("*.example.com", "a.example.com", true),
            ("*.example.com", "example.com", false),
            ("*.example.com", "a.example.com.evil.net", false),
            ("api.*", "api.example.com", true),
            ("api.*", "xapi.example.com", false),
            ("*internal*", "a.internal.b", true),
            ("/api[0-9]+/", "api42", true),
            ("/api[0-9]+/", "api42.evil", false),
            ("/a|b/", "b", true),
            ("/a|b/", "bc", false),
        ] {
            let parsed: HostPattern = pattern.parse().expect(pattern);
            assert_eq!(parsed.matches(host), expected, "{pattern} against {host}");
        }
    }

    #[test]
    fn bad_patterns_are_refused() {
        for pattern in ["", "**", "a*b", "a b", "/[/", "example.com:80", "a/b", "user@host"] {
            assert!(pattern.parse::<HostPattern>().is_err(), "{pattern}");
        }
    }
}

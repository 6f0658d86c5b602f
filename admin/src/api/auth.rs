//! Who may call the admin API: nobody in particular, users with passwords, or holders of a key. Every comparison takes
//! the same time whatever matches, and no credential is ever printed.

use crate::resource::Hidden;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderValue, Uri, header};
use sha2::{Digest as _, Sha256};

/// Where a key is looked for when nothing else is configured.
pub const DEFAULT_KEY_HEADER: &str = "X-API-Key";

/// What a caller has to show.
#[derive(Debug, Clone, Default)]
pub enum AdminAuth {
    /// Nothing. Only fit for loopback: see the checks against browsers in `origin`.
    #[default]
    None,
    /// One of these users with their password (RFC 7617).
    Basic(Vec<(String, Hidden<String>)>),
    /// One of these keys.
    Key {
        /// Where it stands in the request.
        source: KeySource,
        /// All that are accepted.
        keys: Vec<Hidden<String>>,
    },
}

/// Where a key stands in a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    /// In a header field of this name.
    Header(String),
    /// In a query parameter of this name. Urls end in other people's logs: prefer the header.
    Query(String),
}

impl Default for KeySource {
    fn default() -> Self {
        Self::Header(DEFAULT_KEY_HEADER.into())
    }
}

impl AdminAuth {
    /// Whether the request shows what it has to.
    pub(crate) fn admits(&self, headers: &HeaderMap, uri: &Uri) -> bool {
        match self {
            Self::None => true,
            Self::Basic(users) => basic(headers).is_some_and(|shown| {
                any(users.iter().map(|(user, password)| format!("{user}:{}", password.expose())), &shown)
            }),
            Self::Key { source, keys } => key(source, headers, uri)
                .is_some_and(|shown| any(keys.iter().map(|key| key.expose().clone()), shown.as_bytes())),
        }
    }

    /// What a 401 says in `WWW-Authenticate` (RFC 9110 section 11.6.1).
    pub(crate) fn challenge(&self) -> HeaderValue {
        match self {
            Self::None | Self::Key { .. } => HeaderValue::from_static("ApiKey realm=\"tidegate admin\""),
            Self::Basic(_) => HeaderValue::from_static("Basic realm=\"tidegate admin\", charset=\"UTF-8\""),
        }
    }
}

/// Whether one of `known` equals `shown`. Digests are compared, all of them, so that time tells neither which nor how
/// much of it matched.
fn any(known: impl Iterator<Item = String>, shown: &[u8]) -> bool {
    let shown = Sha256::digest(shown);
    let mut matched = 0u8;
    for candidate in known {
        let candidate = Sha256::digest(candidate.as_bytes());
        let difference = candidate.iter().zip(shown.iter()).fold(0u8, |sum, (a, b)| sum | (a ^ b));
        matched |= u8::from(std::hint::black_box(difference) == 0);
    }
    matched == 1
}

/// `user:password` of the one `Authorization` field.
fn basic(headers: &HeaderMap) -> Option<Vec<u8>> {
    let mut fields = headers.get_all(header::AUTHORIZATION).iter();
    let (field, None) = (fields.next()?, fields.next()) else { return None };
    let (scheme, rest) = field.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("basic").then(|| STANDARD.decode(rest.trim()).ok()).flatten()
}

fn key(source: &KeySource, headers: &HeaderMap, uri: &Uri) -> Option<String> {
    match source {
        KeySource::Header(name) => {
            let mut fields = headers.get_all(name.as_str()).iter();
            let (field, None) = (fields.next()?, fields.next()) else { return None };
            field.to_str().ok().map(str::to_owned)
        }
        KeySource::Query(name) => {
            let query = axum::extract::Query::<Vec<(String, String)>>::try_from_uri(uri).ok()?;
            let mut values = query.0.into_iter().filter(|(found, _)| found == name).map(|(_, value)| value);
            let (value, None) = (values.next()?, values.next()) else { return None };
            Some(value)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(fields: &[(&'static str, &str)]) -> HeaderMap {
        fields.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    fn basic_of(text: &str) -> String {
        format!("Basic {}", STANDARD.encode(text))
    }

    #[test]
    fn the_matrix() {
        let basic = AdminAuth::Basic(vec![("ann".into(), "pass:word".into()), ("bob".into(), "b".into())]);
        let by_header = AdminAuth::Key { source: KeySource::default(), keys: vec!["k1".into(), "k2".into()] };
        let by_query = AdminAuth::Key { source: KeySource::Query("token".into()), keys: vec!["k1".into()] };
        let good = basic_of("ann:pass:word");
        let lower = good.replace("Basic", "basic");
        let (bob, wrong, nobody) = (basic_of("bob:b"), basic_of("ann:b"), basic_of(":"));
        for (auth, fields, uri, expected) in [
            (&AdminAuth::None, vec![], "/", true),
            (&basic, vec![], "/", false),
            (&basic, vec![("authorization", good.as_str())], "/", true),
            (&basic, vec![("authorization", lower.as_str())], "/", true),
            (&basic, vec![("authorization", bob.as_str())], "/", true),
            (&basic, vec![("authorization", wrong.as_str())], "/", false),
            (&basic, vec![("authorization", nobody.as_str())], "/", false),
            (&basic, vec![("authorization", "Basic !!")], "/", false),
            (&basic, vec![("authorization", "Bearer k1")], "/", false),
            (&by_header, vec![("x-api-key", "k2")], "/", true),
            (&by_header, vec![("x-api-key", "k3")], "/", false),
            (&by_header, vec![("x-api-key", "")], "/", false),
            (&by_header, vec![], "/?X-API-Key=k1", false),
            (&by_query, vec![], "/?token=k1", true),
            (&by_query, vec![], "/?token=k1&token=k1", false),
            (&by_query, vec![("token", "k1")], "/", false),
        ] {
            assert_eq!(
                auth.admits(&headers(&fields), &uri.parse().unwrap()),
                expected,
                "{auth:?} {fields:?} {uri}"
            );
        }
        let mut twice = headers(&[("authorization", good.as_str())]);
        twice.append("authorization", good.parse().unwrap());
        assert!(!basic.admits(&twice, &"/".parse().unwrap()));
    }

    #[test]
    fn debug_shows_no_credential() {
        let auth = AdminAuth::Basic(vec![("ann".into(), "hunter2".into())]);
        assert!(!format!("{auth:?}").contains("hunter2"));
        let auth = AdminAuth::Key { source: KeySource::default(), keys: vec!["hunter2".into()] };
        assert!(!format!("{auth:?}").contains("hunter2"));
    }
}

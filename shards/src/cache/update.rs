//! What an exact operation does to a value: the arithmetic of increments and the comparison. Pure, and the same for every
//! shard.

use super::keeper::expiry;
use tidegate_js::{CacheUpdate, CacheValue};

/// The largest whole number that JavaScript counts to without gaps (ECMA-262 21.1.2.6).
const LARGEST: i64 = 9_007_199_254_740_991;

/// What follows from an operation.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    /// For the module.
    pub(super) answer: Option<CacheValue>,
    /// The value from now on (`None`: none) and when it ends; nothing if it stays.
    pub(super) write: Option<(Option<CacheValue>, u64)>,
}

/// Judges `update` of a value that is `present` until `ends_ms`. Errors: a sentence for the module's author.
pub(super) fn judge(
    key: &str,
    present: Option<CacheValue>,
    ends_ms: u64,
    update: CacheUpdate,
    now_ms: u64,
) -> Result<Verdict, String> {
    match update {
        CacheUpdate::Read => Ok(Verdict { answer: present, write: None }),
        CacheUpdate::Increment { by, ttl_ms } => {
            let (before, ends_ms) = match &present {
                None => (0, expiry(ttl_ms, now_ms)),
                Some(value) => (whole(value).ok_or_else(|| not_whole(key))?, ends_ms),
            };
            let sum =
                before.checked_add(by).filter(|sum| (-LARGEST..=LARGEST).contains(sum)).ok_or_else(|| {
                    format!("'{key}' would leave the whole numbers that JavaScript counts exactly (2^53 - 1)")
                })?;
            let value = CacheValue::Json(sum.to_string().into());
            Ok(Verdict { answer: Some(value.clone()), write: Some((Some(value), ends_ms)) })
        }
        CacheUpdate::CompareAndSet { expected, value, ttl_ms } => {
            let is_so = present == expected;
            // None for none is no write.
            let write =
                (is_so && (present.is_some() || value.is_some())).then(|| (value, expiry(ttl_ms, now_ms)));
            let answer = CacheValue::Json(if is_so { "true" } else { "false" }.into());
            Ok(Verdict { answer: Some(answer), write })
        }
    }
}

fn whole(value: &CacheValue) -> Option<i64> {
    match value {
        CacheValue::Json(text) => text.parse().ok(),
        CacheValue::Bytes(_) => None,
    }
}

fn not_whole(key: &str) -> String {
    format!("'{key}' cannot be incremented: the value in the cache is no whole number")
}

#[cfg(test)]
mod tests {
    use super::super::space::NEVER;
    use super::*;

    fn json(text: &str) -> Option<CacheValue> {
        Some(CacheValue::Json(text.into()))
    }

    #[test]
    fn increments() {
        let add = |by| CacheUpdate::Increment { by, ttl_ms: Some(10) };
        for (present, by, sum) in [
            (None, 1, Some("1")),
            (json("41"), 1, Some("42")),
            (json("-1"), -5, Some("-6")),
            (json("9007199254740990"), 1, Some("9007199254740991")),
            (json("9007199254740991"), 1, None),
            (json("-9007199254740991"), -1, None),
            (json("1"), i64::MAX, None),
            (json("1.5"), 1, None),
            (json("\"1\""), 1, None),
            (json("null"), 1, None),
            (Some(CacheValue::Bytes(b"1"[..].into())), 1, None),
        ] {
            let ends = if present.is_some() { 77 } else { 110 };
            let expected = sum.map(|sum| Verdict { answer: json(sum), write: Some((json(sum), ends)) });
            assert_eq!(judge("k", present.clone(), 77, add(by), 100).ok(), expected, "{present:?} {by}");
        }
    }

    #[test]
    fn comparisons() {
        let bytes = || Some(CacheValue::Bytes(b"1"[..].into()));
        for (present, expected, value, is_so, write) in [
            (None, None, json("1"), true, Some(json("1"))),
            (None, None, None, true, None),
            (None, json("1"), json("2"), false, None),
            (json("1"), None, json("2"), false, None),
            (json("1"), json("1"), json("2"), true, Some(json("2"))),
            (json("1"), json("1"), None, true, Some(None)),
            (json("1"), bytes(), json("2"), false, None),
            (bytes(), bytes(), json("2"), true, Some(json("2"))),
        ] {
            let update = CacheUpdate::CompareAndSet { expected: expected.clone(), value, ttl_ms: None };
            let verdict = judge("k", present.clone(), 5, update, 1).expect("a verdict");
            let answer = json(if is_so { "true" } else { "false" });
            assert_eq!(
                verdict,
                Verdict { answer, write: write.map(|value| (value, NEVER)) },
                "{present:?} {expected:?}"
            );
        }
    }
}

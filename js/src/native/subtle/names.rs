//! Whether JSON has an object with a member twice, at any depth: then two readers may take it for two things, so a token that
//! says so is refused (RFC 8725, section 2.4; RFC 7519, section 4). Looks at text that a parser has found to be JSON.

use std::borrow::Cow;

/// Names of one object that are compared with each other; of more, a sorted list is.
const FEW: usize = 16;

/// Names as the bytes of their characters; half a surrogate pair has three bytes of its own.
type Names<'a> = Vec<Cow<'a, [u8]>>;

/// True if a member is there twice. The text must be JSON.
pub(super) fn repeat(json: &str) -> bool {
    let bytes = json.as_bytes();
    // Of each object that is open its names; nothing of an array.
    let mut open: Vec<Option<Names<'_>>> = Vec::new();
    let (mut at, mut is_name) = (0, false);
    while let Some(byte) = bytes.get(at) {
        at += 1;
        match byte {
            b'{' => {
                open.push(Some(Vec::new()));
                is_name = true;
            }
            b'[' => {
                open.push(None);
                is_name = false;
            }
            b'}' | b']' => {
                if open.pop().flatten().is_some_and(has_two) {
                    return true;
                }
                is_name = false;
            }
            b',' => is_name = open.last().is_some_and(Option::is_some),
            b'"' => {
                let begin = at;
                while bytes.get(at).is_some_and(|byte| *byte != b'"') {
                    at += if bytes[at] == b'\\' { 2 } else { 1 };
                }
                let text = bytes.get(begin..at).unwrap_or_default();
                at += 1;
                if let (true, Some(Some(names))) = (is_name, open.last_mut()) {
                    names.push(if text.contains(&b'\\') { Cow::Owned(unescaped(text)) } else { text.into() });
                    is_name = false;
                }
            }
            _ => {}
        }
    }
    false
}

fn has_two(mut names: Names<'_>) -> bool {
    if names.len() <= FEW {
        return names.iter().enumerate().any(|(at, name)| names[..at].contains(name));
    }
    names.sort_unstable();
    names.windows(2).any(|pair| pair[0] == pair[1])
}

/// A text without its escapes (RFC 8259, section 7).
fn unescaped(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, tail @ ..] = rest {
        rest = tail;
        if *first != b'\\' {
            out.push(*first);
            continue;
        }
        let Some((escape, tail)) = rest.split_first() else { break };
        rest = tail;
        match escape {
            b'b' => out.push(8),
            b'f' => out.push(12),
            b'n' => out.push(b'\n'),
            b'r' => out.push(b'\r'),
            b't' => out.push(b'\t'),
            b'u' => {
                let mut code = unit(&mut rest);
                if (0xd800..0xdc00).contains(&code) && rest.starts_with(b"\\u") {
                    let mut after = &rest[2..];
                    let low = unit(&mut after);
                    if (0xdc00..0xe000).contains(&low) {
                        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
                        rest = after;
                    }
                }
                match char::from_u32(code) {
                    Some(character) => {
                        out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                    }
                    // Half a pair, in the form that a character of that number would have.
                    None => {
                        let low = |shift: u32| 0x80 | (code >> shift & 0x3f) as u8;
                        out.extend_from_slice(&[0xe0 | (code >> 12) as u8, low(6), low(0)]);
                    }
                }
            }
            other => out.push(*other),
        }
    }
    out
}

/// Four hexadecimal digits.
fn unit(rest: &mut &[u8]) -> u32 {
    let (digits, tail) = rest.split_at(rest.len().min(4));
    *rest = tail;
    digits.iter().fold(0, |number, digit| number << 4 | char::from(*digit).to_digit(16).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_one_object_are_compared_as_they_are_meant() {
        let many = |last: &str| {
            let names: String = (0..40).map(|n| format!("\"m{n}\":[{n}],")).collect();
            format!("{{{names}\"{last}\":1}}")
        };
        for (json, expected) in [
            (r#"{}"#, false),
            (r#"{"a":1,"b":2}"#, false),
            (r#"{"a":1,"a":2}"#, true),
            (r#"{"a":"a","b":"a","c":["a","a",{"a":"b"}]}"#, false),
            (r#"{"a":{"x":1,"y":{"x":1,"x":2}}}"#, true),
            (r#"[{"a":1},{"a":1}]"#, false),
            (r#"[{"a":1},[{"a":1,"a":1}]]"#, true),
            (r#"{"alg":1,"\u0061lg":2}"#, true),
            (r#"{"a\"b":1,"a\u0022b":2}"#, true),
            (r#"{"a\\":1,"a":2}"#, false),
            (r#"{"\/":1,"/":2}"#, true),
            (r#"{"\n":1,"\u000A":2}"#, true),
            (r#"{"😀":1,"\ud83d\ude00":2}"#, true),
            (r#"{"\ud83d":1,"\ud83d":2}"#, true),
            (r#"{"\ud83d":1,"\ude00":2}"#, false),
            (r#"{"\ud83d\u0061":1,"\ud83da":2}"#, true),
            (r#"{"é":1,"\u00e9":2}"#, true),
            (r#"{"a":"{\"a\":1,","b":"\"a\":"}"#, false),
            (&many("m40"), false),
            (&many("m39"), true),
        ] {
            assert_eq!(repeat(json), expected, "{json}");
        }
    }

    #[test]
    fn what_is_no_json_does_no_harm() {
        for text in ["\"", "{\"", "{\"\\", "{\"\\u", "{\"\\u12", "{\"\\ud800\\u\"", "]}]}", "{{{", "{\"a\\\""]
        {
            repeat(text);
        }
    }
}

//! What must not stand in a log: credentials in header fields, in parameters of queries, and before the `@` of a URL. It
//! would rather take too much away than too little, and it never changes what is sent, only what is written.

/// Instead of a credential.
pub(super) const REDACTED: &[u8] = b"[redacted]";

/// Names are compared as their letters and digits, in lower case. A name that holds one of these names a credential.
const PARTS: [&[u8]; 14] = [
    b"token",
    b"secret",
    b"passw",
    b"passphrase",
    b"passcode",
    b"apikey",
    b"accesskey",
    b"privatekey",
    b"signature",
    b"credential",
    b"authorization",
    b"jwt",
    b"sessionid",
    b"assertion",
];
/// And a parameter that is one of these, or has it between punctuation.
const WORDS: [&[u8]; 12] = [
    b"key",
    b"code",
    b"sig",
    b"auth",
    b"pass",
    b"pwd",
    b"sid",
    b"session",
    b"otp",
    b"hmac",
    b"samlresponse",
    b"ticket",
];
/// Header fields that are credentials, besides those whose name says so.
const FIELDS: [&str; 6] = ["cookie", "set-cookie", "dpop", "x-amzn-oidc-data", "x-auth", "x-key"];
/// A longer name is taken for a credential's: nobody's parameter has one.
const LONGEST_NAME: usize = 64;

/// Which names are credentials.
#[derive(Clone, Debug)]
pub struct Redaction {
    is_off: bool,
    /// Letters and digits of names that were added.
    added: Vec<Vec<u8>>,
}

impl Default for Redaction {
    fn default() -> Self {
        Self::new(&[])
    }
}

impl Redaction {
    /// The usual names and these, of header fields and of query parameters.
    pub fn new(added: &[String]) -> Self {
        let added = added.iter().map(|name| letters(name.as_bytes()).0.to_vec());
        Self { is_off: false, added: added.filter(|name| !name.is_empty()).collect() }
    }

    /// Everything is written as it was sent.
    pub fn off() -> Self {
        Self { is_off: true, added: Vec::new() }
    }

    /// Whether the values of a header field (its name in lower case) are credentials.
    pub(super) fn hides_field(&self, name: &str) -> bool {
        let (letters, is_cut) = letters(name.as_bytes());
        !self.is_off && (is_cut || FIELDS.contains(&name) || self.hides(&letters))
    }

    /// Whether a parameter's name is a credential's.
    fn hides_parameter(&self, name: &[u8]) -> bool {
        let (letters, is_cut) = letters(name);
        is_cut || self.hides(&letters) || letters.words().any(|word| WORDS.contains(&word))
    }

    fn hides(&self, name: &[u8]) -> bool {
        PARTS.iter().any(|part| name.windows(part.len()).any(|window| window == *part))
            || self.added.iter().any(|added| **added == *name)
    }

    /// Gives a query (without its `?`) to `emit` in pieces, the values of credentials replaced.
    pub(super) fn query(&self, query: &[u8], emit: &mut impl FnMut(&[u8])) {
        if self.is_off { emit(query) } else { self.scan(query, true, emit) }
    }

    /// The same with a header field's value, which may hold URLs.
    pub(super) fn value(&self, value: &[u8], emit: &mut impl FnMut(&[u8])) {
        let is_harmless = |bytes: &[u8]| !bytes.iter().any(|byte| b"?&#;%@".contains(byte));
        if self.is_off || is_harmless(value) { emit(value) } else { self.scan(value, false, emit) }
    }

    fn scan(&self, text: &[u8], is_query: bool, emit: &mut impl FnMut(&[u8])) {
        let (mut at, mut emitted) = (0, 0);
        let mut name = is_query.then_some(0);
        while at < text.len() {
            match mark(&text[at..]) {
                Mark::Separator(width) => {
                    at += width;
                    name = Some(at);
                }
                Mark::Equals(width) => {
                    let is_hidden = name.take().is_some_and(|name| self.hides_parameter(&text[name..at]));
                    at += width;
                    if is_hidden {
                        emit(&text[emitted..at]);
                        emit(REDACTED);
                        // A semicolon may be part of it, whatever it means to the service.
                        let ends = |byte: &u8| *byte == b'&' || (!is_query && b" \">\t".contains(byte));
                        at += text[at..].iter().position(ends).unwrap_or(text.len() - at);
                        emitted = at;
                    }
                }
                Mark::Authority => {
                    at += 3;
                    let end = text[at..].iter().position(|byte| b"/?# \"".contains(byte));
                    let authority = &text[at..end.map_or(text.len(), |end| at + end)];
                    if let Some(user) = authority.iter().rposition(|byte| *byte == b'@') {
                        emit(&text[emitted..at]);
                        at += user + 1;
                        emitted = at;
                    }
                }
                Mark::None => at += 1,
            }
        }
        emit(&text[emitted..]);
    }
}

/// What begins here, as it is or percent-encoded: URLs stand in the parameters of URLs.
enum Mark {
    Separator(usize),
    Equals(usize),
    /// `://`
    Authority,
    None,
}

fn mark(text: &[u8]) -> Mark {
    match text {
        [b'?' | b'&' | b';' | b'#', ..] => Mark::Separator(1),
        [b'=', ..] => Mark::Equals(1),
        [b'%', b'3', b'f' | b'F', ..] | [b'%', b'2', b'6' | b'3', ..] | [b'%', b'3', b'b' | b'B', ..] => {
            Mark::Separator(3)
        }
        [b'%', b'3', b'd' | b'D', ..] => Mark::Equals(3),
        [b':', b'/', b'/', ..] => Mark::Authority,
        _ => Mark::None,
    }
}

/// A name's letters and digits in lower case, and where they were apart.
struct Letters {
    bytes: [u8; LONGEST_NAME],
    length: usize,
    /// Bit `n`: before byte `n` stood something else.
    breaks: u64,
}

impl std::ops::Deref for Letters {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

impl Letters {
    /// The words, and the whole name.
    fn words(&self) -> impl Iterator<Item = &[u8]> {
        let mut begin = 0;
        let ends = (1..=self.length).filter(|at| *at == self.length || self.breaks >> at & 1 == 1);
        ends.map(move |end| &self[std::mem::replace(&mut begin, end)..end]).chain(std::iter::once(&**self))
    }
}

/// The answer is also whether the name was too long.
fn letters(name: &[u8]) -> (Letters, bool) {
    let mut letters = Letters { bytes: [0; LONGEST_NAME], length: 0, breaks: 0 };
    let mut at = 0;
    let mut is_apart = false;
    while at < name.len() {
        let (byte, width) = match name[at..] {
            [b'%', high, low, ..] => match (digit(high), digit(low)) {
                (Some(high), Some(low)) => (high << 4 | low, 3),
                _ => (b'%', 1),
            },
            [byte, ..] => (byte, 1),
            [] => break,
        };
        at += width;
        if !byte.is_ascii_alphanumeric() {
            is_apart = true;
            continue;
        }
        if letters.length == LONGEST_NAME {
            return (letters, true);
        }
        letters.breaks |= u64::from(is_apart) << letters.length;
        letters.bytes[letters.length] = byte.to_ascii_lowercase();
        letters.length += 1;
        is_apart = false;
    }
    (letters, false)
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).map(|digit| digit as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(redaction: &Redaction, is_query: bool, text: &str) -> String {
        let mut out = Vec::new();
        let mut emit = |bytes: &[u8]| out.extend_from_slice(bytes);
        if is_query {
            redaction.query(text.as_bytes(), &mut emit);
        } else {
            redaction.value(text.as_bytes(), &mut emit);
        }
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn credentials_in_queries_are_replaced() {
        for (query, expected) in [
            ("", ""),
            ("a=1&b=2", "a=1&b=2"),
            ("token=x", "token=[redacted]"),
            ("a=1&access_token=x.y&b=2", "a=1&access_token=[redacted]&b=2"),
            ("API-KEY=x&apikey=y&api_key=z", "API-KEY=[redacted]&apikey=[redacted]&api_key=[redacted]"),
            ("%61ccess%5Ftoken=x", "%61ccess%5Ftoken=[redacted]"),
            ("user[password]=x&auth[key]=y", "user[password]=[redacted]&auth[key]=[redacted]"),
            ("code=x&sig=y&key=z&pwd=q", "code=[redacted]&sig=[redacted]&key=[redacted]&pwd=[redacted]"),
            ("postcode=1&keyword=2&design=3&author=4", "postcode=1&keyword=2&design=3&author=4"),
            (
                "X-Amz-Signature=x&X-Amz-Credential=y",
                "X-Amz-Signature=[redacted]&X-Amz-Credential=[redacted]",
            ),
            ("a=1;token=x;y&b=2", "a=1;token=[redacted]&b=2"),
            ("token=a=b", "token=[redacted]"),
            ("token=", "token=[redacted]"),
            ("token", "token"),
            ("to=https%3A%2F%2Fh%2F%3Ftoken%3Dx&b=2", "to=https%3A%2F%2Fh%2F%3Ftoken%3D[redacted]&b=2"),
            ("to=https://u:p@h/&b=2", "to=https://h/&b=2"),
        ] {
            assert_eq!(all(&Redaction::default(), true, query), expected);
            assert_eq!(all(&Redaction::off(), true, query), query);
        }
        let long = format!("{}=x", "n".repeat(LONGEST_NAME + 1));
        assert!(all(&Redaction::default(), true, &long).ends_with("=[redacted]"));
    }

    #[test]
    fn urls_in_fields_lose_theirs() {
        for (value, expected) in [
            ("curl/8.0", "curl/8.0"),
            ("https://h/p?a=1&token=x", "https://h/p?a=1&token=[redacted]"),
            ("https://user:pw@h/p?a=1", "https://h/p?a=1"),
            ("<https://h/?token=x>; rel=\"next\"", "<https://h/?token=[redacted]>; rel=\"next\""),
            ("https://h/cb#access_token=x&state=1", "https://h/cb#access_token=[redacted]&state=1"),
            ("mail@example.com", "mail@example.com"),
        ] {
            assert_eq!(all(&Redaction::default(), false, value), expected);
        }
    }

    #[test]
    fn names_of_fields_and_added_names() {
        let added = Redaction::new(&["X-Tenant".into(), "user_email".into()]);
        for (name, expected) in [
            ("authorization", true),
            ("proxy-authorization", true),
            ("cookie", true),
            ("set-cookie", true),
            ("x-api-key", true),
            ("x-csrf-token", true),
            ("x-tenant", true),
            ("user-agent", false),
            ("content-type", false),
            ("referer", false),
            ("x-error-code", false),
        ] {
            assert_eq!(added.hides_field(name), expected, "{name}");
            assert!(!Redaction::off().hides_field(name));
        }
        assert_eq!(all(&added, true, "userEmail=a&tenant=b"), "userEmail=[redacted]&tenant=b");
    }
}

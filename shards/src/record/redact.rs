//! What must not stand in a log: credentials in header fields, in parameters of queries and paths, and before the `@` of
//! URLs, however often they are percent-encoded. It would rather take too much away than too little, and it never changes
//! what is sent, only what is written.

mod layers;
mod names;
#[cfg(test)]
mod tests;

use layers::first;
use names::{Letters, letters};

/// Instead of a credential.
pub(super) const REDACTED: &[u8] = b"[redacted]";

/// A scheme is looked for among so many characters of a value.
const LONGEST_SCHEME: usize = 40;
/// What a token begins with that says of itself what it is: base64url of `{"`, RFC 7519 section 3.1.
const TOKEN: &[u8] = b"eyJ";

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

/// Where a text stands: how far a credential in it reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// To the next parameter.
    Query,
    /// To its end.
    Path,
    /// To the next parameter, or the end of a URL in angle brackets.
    Field,
}

impl Redaction {
    /// The usual names and these, of header fields and of parameters.
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
        !self.is_off && (is_cut || names::is_field(name, &letters) || self.is_added(&letters))
    }

    /// Whether a parameter's name is a credential's. One that is no parameter for sure may be long.
    fn hides_parameter(&self, name: &[u8], is_sure: bool) -> bool {
        let (letters, is_cut) = letters(name);
        is_cut && is_sure || names::is_parameter(&letters) || self.is_added(&letters)
    }

    fn is_added(&self, name: &Letters) -> bool {
        !self.added.is_empty() && name.runs().any(|run| self.added.iter().any(|added| **added == *run))
    }

    /// Gives a query (without its `?`) to `emit` in pieces, the values of credentials replaced.
    pub(super) fn query(&self, query: &[u8], emit: &mut impl FnMut(&[u8])) {
        if self.is_off { emit(query) } else { Scan::new(self, query, Place::Query, emit).run() }
    }

    /// The same with a path that has percent signs, equals signs or an `@`: one without has nothing to hide.
    pub(super) fn marked_path(&self, path: &[u8], emit: &mut impl FnMut(&[u8])) {
        if self.is_off { emit(path) } else { Scan::new(self, path, Place::Path, emit).run() }
    }

    /// The same with a header field's value, which may hold URLs, or be a credential under any name.
    pub(super) fn value(&self, value: &[u8], emit: &mut impl FnMut(&[u8])) {
        let is_harmless = |bytes: &[u8]| !bytes.iter().any(|byte| b"=%@\"'".contains(byte));
        if self.is_off {
            emit(value)
        } else if begins_with_scheme(value) {
            emit(REDACTED)
        } else if is_harmless(value) && !value.starts_with(TOKEN) && !value.windows(2).any(|two| two == b": ")
        {
            emit(value)
        } else {
            Scan::new(self, value, Place::Field, emit).run()
        }
    }
}

/// Whether a text is an authentication scheme and something behind it (RFC 9110 section 11.4).
fn begins_with_scheme(text: &[u8]) -> bool {
    let (mut at, mut begin) = (0, 0);
    for _ in 0..LONGEST_SCHEME {
        if at >= text.len() {
            return false;
        }
        let (byte, width, _) = first(&text[at..]);
        match byte {
            b' ' | b'\t' | b'+' | b'"' if at == begin => begin = at + width,
            b' ' | b'\t' | b'+' => return names::is_scheme(&letters(&text[begin..at]).0),
            byte if byte.is_ascii_alphanumeric() || b"-_.".contains(&byte) => {}
            _ => return false,
        }
        at += width;
    }
    false
}

/// One walk over a text, without its layers of percent-encoding.
struct Scan<'a, E> {
    redaction: &'a Redaction,
    text: &'a [u8],
    place: Place,
    emit: &'a mut E,
    /// What was given to `emit`, up to here.
    emitted: usize,
    /// Where the name of a parameter would begin, and whether it is one for sure.
    name: (usize, bool),
    /// Where the user information of a URL would begin.
    user: usize,
    /// A colon stands in it.
    has_colon: bool,
    /// How often the two slashes before it are encoded, where there are some. What is encoded more often than they are
    /// does not end it, but is part of it.
    slashes: Option<u8>,
}

impl<'a, E: FnMut(&[u8])> Scan<'a, E> {
    fn new(redaction: &'a Redaction, text: &'a [u8], place: Place, emit: &'a mut E) -> Self {
        let name = (0, place == Place::Query);
        Self { redaction, text, place, emit, emitted: 0, name, user: 0, has_colon: false, slashes: None }
    }

    fn run(mut self) {
        let text = self.text;
        let (mut at, mut before) = (0, b' ');
        while at < text.len() {
            let (byte, width, layers) = first(&text[at..]);
            let next = at + width;
            let mut hidden = None;
            match byte {
                b'?' | b'#' => {
                    self.name = (next, true);
                    self.end_user(next, layers);
                }
                b'&' | b';' => {
                    self.name = (next, true);
                    self.end_part(next, layers);
                }
                b'/' | b'\\' => {
                    self.name = (next, false);
                    if matches!(before, b'/' | b'\\' | b':') && self.slashes.is_none_or(|of| layers <= of) {
                        (self.slashes, self.user, self.has_colon) = (Some(layers), next, false);
                    } else {
                        self.end_user(next, layers);
                    }
                }
                b' ' | b'\t' | b'"' | b'\'' | b'<' | b'>' => self.end_user(next, layers),
                b',' | b'{' => {
                    self.name = (next, false);
                    self.end_part(next, layers);
                }
                b'=' => {
                    hidden = self.equals(at, next);
                    if hidden.is_none() {
                        self.end_part(next, layers);
                    }
                }
                b':' => {
                    self.has_colon = true;
                    let follows = text.get(next..).filter(|rest| !rest.is_empty()).map(first);
                    let is_pair = matches!(before, b'"' | b'\'')
                        || follows.is_some_and(|(byte, ..)| b" \t+\"'".contains(&byte));
                    if is_pair {
                        hidden = self.equals(at, next);
                    }
                }
                b'@' => self.at_sign(at, next, layers),
                b'e' if !before.is_ascii_alphanumeric() => hidden = self.token(at),
                _ => {}
            }
            before = byte;
            at = hidden.unwrap_or(next);
        }
        (self.emit)(&text[self.emitted..]);
    }

    /// What could have been user information was none.
    fn end_user(&mut self, next: usize, layers: u8) {
        if self.slashes.is_none_or(|of| layers <= of) {
            (self.slashes, self.user, self.has_colon) = (None, next, false);
        }
    }

    /// The same where a mark may be part of it behind slashes (RFC 3986 section 3.2.1).
    fn end_part(&mut self, next: usize, layers: u8) {
        if self.slashes.is_none() || self.place == Place::Query && layers == 0 {
            (self.slashes, self.user, self.has_colon) = (None, next, false);
        }
    }

    /// A name ended: where its value ends, if that is hidden.
    fn equals(&mut self, at: usize, next: usize) -> Option<usize> {
        let (begin, is_sure) = std::mem::replace(&mut self.name, (next, false));
        let value = &self.text[next..];
        let is_scheme = begins_with_scheme(value);
        if !is_scheme && !self.redaction.hides_parameter(&self.text[begin.min(at)..at], is_sure) {
            return None;
        }
        let is_quoted = value.first().is_some_and(|first| b"\"'[{ \t".contains(first));
        let length = value.iter().position(|byte| match self.place {
            Place::Query => *byte == b'&',
            Place::Field => b"&>".contains(byte) && !is_quoted,
            Place::Path => false,
        });
        Some(self.hide(next, next + length.unwrap_or(value.len())))
    }

    /// User information ended, if it was some: with a colon, or behind slashes.
    fn at_sign(&mut self, at: usize, next: usize, layers: u8) {
        if at > self.user && (self.has_colon || self.slashes.is_some()) {
            self.hide(self.user, at);
            // What follows up to another `@` was part of it.
            self.slashes.get_or_insert(layers);
        }
        (self.user, self.has_colon) = (next, false);
    }

    /// A JSON Web Token, whatever it is called. What follows has no marks up to there.
    fn token(&mut self, at: usize) -> Option<usize> {
        let text = &self.text[at..];
        if !text.starts_with(TOKEN) {
            return None;
        }
        let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
        let length = text.iter().position(|byte| !is_part(byte)).unwrap_or(text.len());
        let end = at + length;
        Some(if text[..length].contains(&b'.') { self.hide(at, end) } else { end })
    }

    /// Replaces a part of the text; one that is empty has nothing to hide.
    fn hide(&mut self, begin: usize, end: usize) -> usize {
        if begin < end {
            (self.emit)(&self.text[self.emitted..begin]);
            (self.emit)(REDACTED);
            self.emitted = end;
        }
        (self.name, self.user, self.has_colon) = ((end, false), end, false);
        end
    }
}

//! Header fields as spans into the buffer they were received in, in their order and with their case.
//! It must never copy a received field, hold a value that could break out of its line, or show values when it is printed.

use crate::grammar::{is_ows, is_token, is_value, trim_ows};
use crate::{FieldKind, MAX_FIELDS, Malformed};
use std::fmt;

/// What `bytes` may grow to by changes; a module that sets a field in a loop ends here.
const MAX_BYTES: usize = 1 << 20;

/// A range of a buffer, in 32 bits a side.
#[derive(Copy, Clone, Default, PartialEq, Eq, Debug)]
pub(crate) struct Span {
    start: u32,
    end: u32,
}

impl Span {
    /// `start <= end`, both within a buffer of less than 4 GiB (heads are capped far below).
    pub(crate) fn new(start: usize, end: usize) -> Span {
        debug_assert!(start <= end && end <= u32::MAX as usize);
        Span { start: start as u32, end: end as u32 }
    }

    /// Where `part`, a slice of `whole`, lies in it.
    pub(crate) fn within(whole: &[u8], part: &[u8]) -> Span {
        let start = (part.as_ptr() as usize).wrapping_sub(whole.as_ptr() as usize);
        Span::new(start, start + part.len())
    }

    /// A sub-range; the offsets count from the start of this one.
    pub(crate) fn slice(self, from: usize, to: usize) -> Span {
        let start = self.start as usize;
        debug_assert!(start + to <= self.end as usize);
        Span::new(start + from, start + to)
    }

    pub(crate) fn len(self) -> usize {
        (self.end - self.start) as usize
    }

    pub(crate) fn start(self) -> usize {
        self.start as usize
    }

    pub(crate) fn end(self) -> usize {
        self.end as usize
    }

    pub(crate) fn of(self, bytes: &[u8]) -> &[u8] {
        &bytes[self.start as usize..self.end as usize]
    }
}

#[derive(Copy, Clone)]
pub(crate) struct Field {
    pub(crate) kind: FieldKind,
    pub(crate) name: Span,
    pub(crate) value: Span,
}

/// Header fields of one message (or its trailers). `bytes` is the receive buffer itself, swapped in; a field is two spans into
/// it; what is changed or added is appended. Meant to be kept and reused: its capacity stays from message to message.
///
/// A head keeps its request line in the same bytes, so `fields` of a head is never to be swapped with another's.
#[derive(Default, Clone)]
pub struct Fields {
    pub(crate) bytes: Vec<u8>,
    pub(crate) list: Vec<Field>,
    /// `bytes` from here on were appended: each field there is alone on its span, and may be overwritten.
    pub(crate) received: usize,
}

impl Fields {
    /// No fields at all, for those who have to lend some.
    pub(crate) fn none() -> &'static Fields {
        static NONE: Fields = Fields { bytes: Vec::new(), list: Vec::new(), received: 0 };
        &NONE
    }

    /// Kind, name and value of every field, in order.
    pub fn iter(&self) -> impl Iterator<Item = (FieldKind, &[u8], &[u8])> + '_ {
        self.list.iter().map(|f| (f.kind, f.name.of(&self.bytes), f.value.of(&self.bytes)))
    }

    /// The value of the first field of that name, in any case.
    pub fn get(&self, name: &[u8]) -> Option<&[u8]> {
        self.position(name).map(|at| self.list[at].value.of(&self.bytes))
    }

    /// The value of the first field of that kind; cheaper than [`get`](Fields::get).
    pub fn get_kind(&self, kind: FieldKind) -> Option<&[u8]> {
        self.list.iter().find(|f| f.kind == kind).map(|f| f.value.of(&self.bytes))
    }

    /// The values of all fields of that name, in order.
    pub fn values<'a>(&'a self, name: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
        self.list.iter().filter(move |f| self.is_named(f, name)).map(|f| f.value.of(&self.bytes))
    }

    /// Whether there is a field of that name.
    pub fn has(&self, name: &[u8]) -> bool {
        self.position(name).is_some()
    }

    /// How many fields there are, counting each line.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Makes this the only field of that name: at the place of the first one, or at the end. White space around the value is
    /// taken off.
    ///
    /// # Errors
    /// As [`add`](Fields::add); then nothing has changed.
    pub fn set(&mut self, name: &[u8], value: &[u8]) -> Result<(), Malformed> {
        let Some(at) = self.position(name) else { return self.add(name, value) };
        let value = trim_ows(value);
        let kind = check(name, value)?;
        let old = self.list[at].value;
        let span = if old.start() >= self.received && value.len() <= old.len() {
            let span = old.slice(0, value.len());
            self.bytes[span.start()..span.end()].copy_from_slice(value);
            span
        } else {
            self.append(value)?
        };
        // The kind is decided anew: a field that the sender's Connection listed is now ours.
        self.list[at].kind = kind;
        self.list[at].value = span;
        self.remove_from(at + 1, name);
        Ok(())
    }

    /// Adds a field at the end. White space around the value is taken off.
    ///
    /// # Errors
    /// [`Malformed::FieldName`] unless the name is a token, [`Malformed::FieldAlias`] for an underscore alias of a protected
    /// name, [`Malformed::FieldValue`] for a control character other than HTAB, [`Malformed::TooManyFields`] and
    /// [`Malformed::HeadTooLarge`] at [`MAX_FIELDS`] fields or 1 MiB.
    pub fn add(&mut self, name: &[u8], value: &[u8]) -> Result<(), Malformed> {
        let value = trim_ows(value);
        let kind = check(name, value)?;
        if self.list.len() >= MAX_FIELDS {
            return Err(Malformed::TooManyFields);
        }
        if self.bytes.len() + name.len() + value.len() > MAX_BYTES {
            return Err(Malformed::HeadTooLarge);
        }
        let name = self.append(name)?;
        let value = self.append(value)?;
        self.list.push(Field { kind, name, value });
        Ok(())
    }

    /// Removes every field of that name; the answer is how many there were.
    pub fn remove(&mut self, name: &[u8]) -> usize {
        self.remove_from(0, name)
    }

    /// Removes every field of a kind that `unwanted` names; the answer is how many there were.
    pub fn remove_kinds(&mut self, mut unwanted: impl FnMut(FieldKind) -> bool) -> usize {
        let before = self.list.len();
        self.list.retain(|f| !unwanted(f.kind));
        before - self.list.len()
    }

    /// Removes all fields. The bytes stay, since the request line lives in them, until the next head is parsed.
    pub fn clear(&mut self) {
        self.list.clear();
    }

    fn is_named(&self, field: &Field, name: &[u8]) -> bool {
        field.name.len() == name.len() && field.name.of(&self.bytes).eq_ignore_ascii_case(name)
    }

    fn position(&self, name: &[u8]) -> Option<usize> {
        self.list.iter().position(|f| self.is_named(f, name))
    }

    fn remove_from(&mut self, from: usize, name: &[u8]) -> usize {
        let before = self.list.len();
        let mut at = 0;
        let bytes = &self.bytes;
        self.list.retain(|f| {
            at += 1;
            at <= from || f.name.len() != name.len() || !f.name.of(bytes).eq_ignore_ascii_case(name)
        });
        before - self.list.len()
    }

    /// Puts bytes behind the received ones.
    pub(crate) fn append(&mut self, bytes: &[u8]) -> Result<Span, Malformed> {
        let start = self.bytes.len();
        if start + bytes.len() > MAX_BYTES {
            return Err(Malformed::HeadTooLarge);
        }
        self.bytes.extend_from_slice(bytes);
        Ok(Span::new(start, self.bytes.len()))
    }

    /// Takes what httparse found in `input` as this message's fields; the bytes are swapped in afterwards.
    ///
    /// httparse takes a bare LF for a line end, so what follows each value is looked at here.
    ///
    /// # Errors
    /// [`Malformed::BareLf`], [`Malformed::FieldAlias`].
    pub(crate) fn load(&mut self, input: &[u8], parsed: &[httparse::Header<'_>]) -> Result<(), Malformed> {
        self.list.clear();
        self.list.reserve(parsed.len());
        for header in parsed {
            let name = Span::within(input, header.name.as_bytes());
            let value = Span::within(input, header.value);
            let line_end = input[value.end()..].iter().find(|&&b| !is_ows(b));
            if line_end != Some(&b'\r') {
                return Err(Malformed::BareLf);
            }
            self.list.push(Field { kind: FieldKind::of(header.name.as_bytes())?, name, value });
        }
        Ok(())
    }

    /// Swaps the first `end` bytes of `input` in as the bytes of this message; `input` keeps what follows.
    pub(crate) fn swap_in(&mut self, input: &mut Vec<u8>, end: usize) {
        std::mem::swap(&mut self.bytes, input);
        input.clear();
        input.extend_from_slice(&self.bytes[end..]);
        self.bytes.truncate(end);
        self.received = end;
    }
}

/// Whether a field may be written: its kind, if so.
fn check(name: &[u8], value: &[u8]) -> Result<FieldKind, Malformed> {
    if !is_token(name) {
        return Err(Malformed::FieldName);
    }
    if !is_value(value) {
        return Err(Malformed::FieldValue);
    }
    FieldKind::of(name)
}

/// Names only: values are where the secrets are.
impl fmt::Debug for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter().map(|(_, name, _)| String::from_utf8_lossy(name))).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(lines: &[(&str, &str)]) -> Fields {
        let mut fields = Fields::default();
        for (name, value) in lines {
            fields.add(name.as_bytes(), value.as_bytes()).unwrap();
        }
        fields
    }

    fn shown(fields: &Fields) -> String {
        let line = |(_, n, v): (_, &[u8], &[u8])| {
            format!("{}={}", String::from_utf8_lossy(n), String::from_utf8_lossy(v))
        };
        fields.iter().map(line).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn set_keeps_the_first_place() {
        let check = |name: &str, value: &str, want: &str| {
            let mut f = fields(&[("A", "1"), ("b", "2"), ("a", "3"), ("c", "4")]);
            f.set(name.as_bytes(), value.as_bytes()).unwrap();
            assert_eq!(shown(&f), want, "{name}={value}");
        };
        check("a", "x", "A=x b=2 c=4");
        check("A", "longer than before", "A=longer than before b=2 c=4");
        check("B", " \tx ", "A=1 b=x a=3 c=4");
        check("b", "", "A=1 b= a=3 c=4");
        check("d", "5", "A=1 b=2 a=3 c=4 d=5");
    }

    #[test]
    fn setters_refuse_what_would_break_out_of_the_line() {
        let check = |name: &str, value: &str, want: Malformed| {
            let mut f = fields(&[("a", "1"), ("b", "2")]);
            assert_eq!(f.add(name.as_bytes(), value.as_bytes()), Err(want), "add {name:?} {value:?}");
            assert_eq!(f.set(name.as_bytes(), value.as_bytes()), Err(want), "set {name:?} {value:?}");
            assert_eq!(shown(&f), "a=1 b=2");
        };
        check("", "x", Malformed::FieldName);
        check("a b", "x", Malformed::FieldName);
        check("a:", "x", Malformed::FieldName);
        check("a\r\n", "x", Malformed::FieldName);
        check("a", "x\r\ny: z", Malformed::FieldValue);
        check("a", "x\ny", Malformed::FieldValue);
        check("a", "x\0y", Malformed::FieldValue);
        check("a", "x\x7fy", Malformed::FieldValue);
        check("x_forwarded_for", "1", Malformed::FieldAlias);
    }

    #[test]
    fn reading_and_removing() {
        let mut f = fields(&[("Cookie", "a"), ("x", "1"), ("cookie", "b"), ("via", "v")]);
        assert_eq!(f.get(b"COOKIE"), Some(&b"a"[..]));
        assert_eq!(f.get_kind(FieldKind::Via), Some(&b"v"[..]));
        assert_eq!(f.values(b"cookie").collect::<Vec<_>>(), [b"a", b"b"]);
        assert!(f.has(b"X") && !f.has(b"y"));
        assert_eq!(f.remove(b"cookie"), 2);
        assert_eq!(f.remove(b"cookie"), 0);
        assert_eq!(f.remove_kinds(|kind| kind == FieldKind::Via), 1);
        assert_eq!(shown(&f), "x=1");
        f.clear();
        assert!(f.is_empty());
        assert_eq!(format!("{:?}", fields(&[("authorization", "secret")])), r#"["authorization"]"#);
    }

    #[test]
    fn growth_is_bounded() {
        let mut f = Fields::default();
        while f.add(b"a", b"1").is_ok() {}
        assert_eq!(f.add(b"a", b"1"), Err(Malformed::TooManyFields));
        assert_eq!(f.len(), MAX_FIELDS);
        let size = f.bytes.len();
        for _ in 0..100_000 {
            f.set(b"a", b"2").unwrap();
        }
        assert_eq!(f.bytes.len(), size, "a shorter value takes the place of the one before");
        assert_eq!(f.add(b"b", &vec![b'x'; MAX_BYTES]), Err(Malformed::HeadTooLarge));
    }
}

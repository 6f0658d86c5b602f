//! The position map of one module: from the engine's line and byte column to the line and character of the source,
//! and where its imports stand. Written once by `compile`, read only when something failed, so it is small rather
//! than fast. It must never be trusted further than for text: a broken map gives unmapped positions, no panic.

/// One stretch of generated code: it begins at `dst` and came from `src`. All numbers count from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Token {
    pub(crate) dst_line: u32,
    /// In bytes, as the engine counts.
    pub(crate) dst_column: u32,
    pub(crate) src_line: u32,
    /// In characters, as people count.
    pub(crate) src_column: u32,
}

/// An import or re-export of a module, and the names it wants from there. Positions count from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Import {
    /// The specifier as written.
    pub(crate) specifier: String,
    pub(crate) line: u32,
    pub(crate) column: u32,
    /// Imported names with their positions.
    pub(crate) names: Vec<(String, u32, u32)>,
}

/// The whole map.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Positions {
    /// `name.ts`, as positions are shown.
    pub(crate) shown: String,
    /// Lines without tokens are the same on both sides (JavaScript runs as it was written).
    pub(crate) identity: bool,
    /// Line and column of the statement that exports `scheduled`, from 1.
    pub(crate) scheduled: Option<(u32, u32)>,
    /// A call may leave something behind in the module's variables for the next one.
    pub(crate) remembers: bool,
    pub(crate) imports: Vec<Import>,
    pub(crate) tokens: Vec<Token>,
}

impl Positions {
    /// Where in the source a position of the engine lies; both count from 1.
    pub(crate) fn source_of(&self, line: u32, column: u32) -> (u32, u32) {
        let at = (line.saturating_sub(1), column.saturating_sub(1));
        let after = self.tokens.partition_point(|t| (t.dst_line, t.dst_column) <= at);
        match self.tokens[..after].last() {
            Some(t) if t.dst_line == at.0 => (t.src_line + 1, t.src_column + 1),
            _ if self.identity => (line, column),
            Some(t) => (t.src_line + 1, t.src_column + 1),
            None => (line, column),
        }
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = vec![1, u8::from(self.identity), u8::from(self.remembers)];
        put_text(&mut out, &self.shown);
        let (line, column) = self.scheduled.unwrap_or_default();
        put(&mut out, line);
        put(&mut out, column);
        put(&mut out, self.imports.len() as u32);
        for import in &self.imports {
            put_text(&mut out, &import.specifier);
            put(&mut out, import.line);
            put(&mut out, import.column);
            put(&mut out, import.names.len() as u32);
            for (name, line, column) in &import.names {
                put_text(&mut out, name);
                put(&mut out, *line);
                put(&mut out, *column);
            }
        }
        put(&mut out, self.tokens.len() as u32);
        let mut last = Token::default();
        for t in &self.tokens {
            let new_line = t.dst_line - last.dst_line;
            put(&mut out, new_line);
            put(&mut out, if new_line == 0 { t.dst_column - last.dst_column } else { t.dst_column });
            put_signed(&mut out, i64::from(t.src_line) - i64::from(last.src_line));
            put_signed(&mut out, i64::from(t.src_column) - i64::from(last.src_column));
            last = *t;
        }
        out
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Positions> {
        let mut r = Reader(bytes);
        if r.byte()? != 1 {
            return None;
        }
        let identity = r.byte()? == 1;
        let remembers = r.byte()? == 1;
        let shown = r.text()?;
        let scheduled = Some((r.number()?, r.number()?)).filter(|(line, _)| *line > 0);
        let mut imports = Vec::new();
        for _ in 0..r.number()? {
            let (specifier, line, column) = (r.text()?, r.number()?, r.number()?);
            let mut names = Vec::new();
            for _ in 0..r.number()? {
                names.push((r.text()?, r.number()?, r.number()?));
            }
            imports.push(Import { specifier, line, column, names });
        }
        let (count, mut t) = (r.number()?, Token::default());
        let mut tokens = Vec::new();
        for _ in 0..count {
            let (lines, columns) = (r.number()?, r.number()?);
            t.dst_column = if lines == 0 { t.dst_column.checked_add(columns)? } else { columns };
            t.dst_line = t.dst_line.checked_add(lines)?;
            t.src_line = u32::try_from(i64::from(t.src_line) + r.signed()?).ok()?;
            t.src_column = u32::try_from(i64::from(t.src_column) + r.signed()?).ok()?;
            tokens.push(t);
        }
        Some(Positions { shown, identity, scheduled, remembers, imports, tokens })
    }
}

/// Line and column of a byte offset, both from 1, the column in characters.
pub(crate) fn line_column(source: &str, offset: usize) -> (u32, u32) {
    let mut offset = offset.min(source.len());
    while !source.is_char_boundary(offset) {
        offset -= 1;
    }
    let before = &source[..offset];
    let start = before.rfind('\n').map_or(0, |i| i + 1);
    let line = before.bytes().filter(|b| *b == b'\n').count();
    (line as u32 + 1, before[start..].chars().count() as u32 + 1)
}

fn put(out: &mut Vec<u8>, mut n: u32) {
    while n >= 0x80 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}

fn put_signed(out: &mut Vec<u8>, n: i64) {
    put(out, ((n << 1) ^ (n >> 63)) as u32);
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    put(out, text.len() as u32);
    out.extend_from_slice(text.as_bytes());
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn number(&mut self) -> Option<u32> {
        let mut n = 0u64;
        for shift in (0..35).step_by(7) {
            let b = self.byte()?;
            n |= u64::from(b & 0x7f) << shift;
            if b & 0x80 == 0 {
                return u32::try_from(n).ok();
            }
        }
        None
    }

    fn signed(&mut self) -> Option<i64> {
        let n = i64::from(self.number()?);
        Some((n >> 1) ^ -(n & 1))
    }

    fn text(&mut self) -> Option<String> {
        let len = self.number()? as usize;
        let (text, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        String::from_utf8(text.to_vec()).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn offsets_become_lines_and_characters() {
        for (source, offset, at) in
            [("", 0, (1, 1)), ("ab\ncd", 4, (2, 2)), ("ä€x", 5, (1, 3)), ("x\n", 2, (2, 1))]
        {
            assert_eq!(line_column(source, offset), at, "{source:?} {offset}");
        }
    }

    proptest! {
        #[test]
        fn a_map_survives_its_encoding(raw in prop::collection::vec((0u32..50, 0u32..200, 0u32..900, 0u32..200), 0..80)) {
            let mut raw = raw;
            raw.sort();
            let tokens: Vec<Token> = raw.into_iter()
                .map(|(dst_line, dst_column, src_line, src_column)| Token { dst_line, dst_column, src_line, src_column })
                .collect();
            let map = Positions {
                shown: "mädchen.ts".into(),
                identity: false,
                remembers: true,
                scheduled: Some((7, 1)),
                imports: vec![Import { specifier: "./a".into(), line: 3, column: 9, names: vec![("x".into(), 3, 10)] }],
                tokens,
            };
            prop_assert_eq!(Positions::decode(&map.encode()), Some(map));
        }

        #[test]
        fn broken_maps_do_not_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Some(map) = Positions::decode(&bytes) {
                map.source_of(3, 7);
            }
        }
    }
}

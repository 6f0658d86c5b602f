//! Rust source as the laws read it: without comments and literals, with its test code marked and its `use` trees spelt
//! out. It knows no law.

use crate::lexer::blank;

/// A source file prepared for a law.
pub(crate) struct Source {
    /// The text with comments and literals blanked, line by line.
    lines: Vec<String>,
    /// Which lines belong to test code.
    test: Vec<bool>,
}

impl Source {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        let code = blank(text);
        let lines: Vec<String> = code.lines().map(str::to_owned).collect();
        let test = if is_test_file(path) { vec![true; lines.len()] } else { test_lines(&code, lines.len()) };
        Self { lines, test }
    }

    /// Lines of code that run in production, with their numbers from 1.
    pub(crate) fn production(&self) -> impl Iterator<Item = (usize, &str)> {
        self.lines
            .iter()
            .enumerate()
            .filter(|(index, _)| !self.test[*index])
            .map(|(i, line)| (i + 1, line.as_str()))
    }

    /// Every line of code, with its number from 1.
    pub(crate) fn all(&self) -> impl Iterator<Item = (usize, &str)> {
        self.lines.iter().enumerate().map(|(index, line)| (index + 1, line.as_str()))
    }

    /// Full paths of every import outside tests, with the line its statement begins on.
    pub(crate) fn imports(&self) -> Vec<(usize, String)> {
        let mut imports = Vec::new();
        let mut open: Option<(usize, String)> = None;
        for (number, line) in self.production() {
            let mut rest = line;
            loop {
                if let Some((start, mut statement)) = open.take() {
                    match rest.split_once(';') {
                        Some((end, after)) => {
                            statement.push_str(end);
                            expand("", &statement, &mut |path| imports.push((start, path)));
                            rest = after;
                        }
                        None => {
                            statement.push_str(rest);
                            statement.push(' ');
                            open = Some((start, statement));
                            break;
                        }
                    }
                }
                match words(rest).find(|(_, word)| *word == "use") {
                    // `use<'a>` in a bound is no import.
                    Some((at, _)) if rest[at + 3..].starts_with(char::is_whitespace) => {
                        open = Some((number, String::new()));
                        rest = &rest[at + 3..];
                    }
                    Some((at, _)) => rest = &rest[at + 3..],
                    None => break,
                }
            }
        }
        imports
    }
}

/// Whether a file holds nothing but tests, by its name.
pub(crate) fn is_test_file(path: &str) -> bool {
    path.split('/').any(|part| matches!(part, "tests" | "benches" | "examples" | "fuzz" | "tests.rs"))
        || path.ends_with("_tests.rs")
}

/// Identifiers of a line with their byte offsets.
pub(crate) fn words(line: &str) -> impl Iterator<Item = (usize, &str)> {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at + line[at..].find(part)?;
        let end = line[start..].find(|c| !part(c)).map_or(line.len(), |length| start + length);
        at = end;
        Some((start, &line[start..end]))
    })
}

/// Spells out a `use` tree.
fn expand(prefix: &str, tree: &str, found: &mut impl FnMut(String)) {
    let tree = tree.trim();
    let Some(open) = tree.find('{') else {
        let path = tree.split(" as ").next().unwrap_or_default().trim().replace(' ', "");
        if !path.is_empty() {
            found(format!("{prefix}{path}"));
        }
        return;
    };
    let prefix = format!("{prefix}{}", tree[..open].trim().replace(' ', ""));
    let inside = tree[open + 1..].strip_suffix('}').unwrap_or(&tree[open + 1..]);
    let (mut depth, mut start) = (0, 0);
    for (at, c) in inside.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                expand(&prefix, &inside[start..at], found);
                start = at + 1;
            }
            _ => {}
        }
    }
    expand(&prefix, &inside[start..], found);
}

/// Marks the items below `#[cfg(test)]`.
fn test_lines(code: &str, count: usize) -> Vec<bool> {
    let mut test = vec![false; count];
    let mut from = 0;
    while let Some(found) = code[from..].find("#[cfg(test)]") {
        let start = from + found;
        let end = item_end(code, start);
        let line = |at: usize| code[..at].matches('\n').count();
        let (first, last) = (line(start), line(end.saturating_sub(1).max(start)));
        test[first..=last.min(count - 1)].fill(true);
        from = end;
    }
    test
}

/// Offset after the item that an attribute at `start` belongs to.
fn item_end(code: &str, start: usize) -> usize {
    let (mut round, mut curly) = (0_i32, 0_i32);
    for (at, c) in code[start..].char_indices() {
        match c {
            '(' | '[' => round += 1,
            ')' | ']' => round -= 1,
            '{' => curly += 1,
            '}' => {
                curly -= 1;
                if curly == 0 {
                    return start + at + 1;
                }
            }
            ';' if round == 0 && curly == 0 => return start + at + 1,
            _ => {}
        }
    }
    code.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imports_are_spelt_out() {
        let text = "use a::b;\npub(crate) use c::{d, e::{f as g, self},\n  h};\nfn x() -> impl Y + use<'_> { use z::*; }\n\
                    // use not::me;\n#[cfg(test)]\nmod tests {\n use std::fs;\n}\nuse last::one;";
        let found: Vec<(usize, String)> = Source::new("x.rs", text).imports();
        let found: Vec<(usize, &str)> = found.iter().map(|(line, path)| (*line, path.as_str())).collect();
        let expected = [
            (1, "a::b"),
            (2, "c::d"),
            (2, "c::e::f"),
            (2, "c::e::self"),
            (2, "c::h"),
            (4, "z::*"),
            (10, "last::one"),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn test_code_is_known() {
        let text =
            "a\n#[cfg(test)]\nmod tests;\nb\n#[cfg(test)]\n#[allow(x)]\nfn f(a: [u8; 3]) {\n  { }\n}\nc";
        let source = Source::new("x.rs", text);
        assert_eq!(source.production().map(|(number, _)| number).collect::<Vec<_>>(), [1, 4, 10]);
        assert_eq!(Source::new("x/tests.rs", text).production().count(), 0);
    }
}

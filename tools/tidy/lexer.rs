//! Takes comments and literals out of Rust text and leaves every line where it was. A lexer, not a parser: it must
//! never take a word in a comment or a string for code, and knows nothing else of the language.

/// Replaces comments and literals by spaces; line breaks stay.
pub(crate) fn blank(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut code = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let end = literal_end(&chars, at);
        if end == at {
            code.push(chars[at]);
            at += 1;
        } else {
            code.extend(chars[at..end].iter().map(|c| if *c == '\n' { '\n' } else { ' ' }));
            at = end;
        }
    }
    code
}

/// Index after the comment or literal that begins at `at`; `at` itself if none does.
fn literal_end(chars: &[char], at: usize) -> usize {
    let is = |index: usize, c: char| chars.get(index) == Some(&c);
    match chars[at] {
        '/' if is(at + 1, '/') => (at..chars.len()).find(|i| chars[*i] == '\n').unwrap_or(chars.len()),
        '/' if is(at + 1, '*') => {
            let (mut depth, mut i) = (0, at);
            while i < chars.len() {
                let step = match chars[i] {
                    '/' if is(i + 1, '*') => 1,
                    '*' if is(i + 1, '/') => -1,
                    _ => 0,
                };
                depth += step;
                i += if step == 0 { 1 } else { 2 };
                if depth == 0 {
                    break;
                }
            }
            i.min(chars.len())
        }
        'r' if starts_word(chars, at) => {
            let hashes = (at + 1..chars.len()).take_while(|i| chars[*i] == '#').count();
            if !is(at + 1 + hashes, '"') {
                return at;
            }
            let closes = |i: &usize| chars[*i] == '"' && (1..=hashes).all(|n| is(i + n, '#'));
            (at + 2 + hashes..chars.len()).find(closes).map_or(chars.len(), |i| i + 1 + hashes)
        }
        '"' => {
            let mut i = at + 1;
            while i < chars.len() && chars[i] != '"' {
                i += if chars[i] == '\\' { 2 } else { 1 };
            }
            (i + 1).min(chars.len())
        }
        '\'' if is(at + 1, '\\') => {
            (at + 3..chars.len()).find(|i| chars[*i] == '\'').map_or(chars.len(), |i| i + 1)
        }
        '\'' if is(at + 2, '\'') => at + 3,
        _ => at,
    }
}

/// Whether an `r` begins a raw string: alone, or after the `b` or `c` of one.
fn starts_word(chars: &[char], at: usize) -> bool {
    let part = |i: usize| chars[i].is_alphanumeric() || chars[i] == '_';
    match at {
        0 => true,
        1 => !part(0) || matches!(chars[0], 'b' | 'c'),
        _ => !part(at - 1) || (matches!(chars[at - 1], 'b' | 'c') && !part(at - 2)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_no_code() {
        for (text, code) in [
            ("a // b\nc", "a     \nc"),
            ("a /* b /* c */ d */ e", "a                   e"),
            (r#"f("b \" c") d"#, "f(        ) d"),
            (r##"r#"b " c"# d"##, "           d"),
            ("br\"b\\\" d", "b      d"),
            ("'a' 'b c: &'x str '\\'' '\"' e", "    'b c: &'x str          e"),
            ("var\"b\"", "var   "),
        ] {
            assert_eq!(blank(text), code, "{text}");
        }
    }
}

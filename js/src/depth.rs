//! A bound on how deep a source may nest, checked before the parser sees it: that parser recurses on the native
//! stack without a limit of its own, and a stack overflow would kill the process. It counts too much rather than
//! too little; code that people or bundlers write stays far below.

/// Longest source that is accepted, bytes.
pub(crate) const MAX_SOURCE: usize = 2 << 20;

/// Brackets open at the same time.
const MAX_BRACKETS: usize = 500;

/// Tokens that may hang on each other without a separator (`!!!!x`, `a ? b : c ? …`, `x => y => …`).
const MAX_CHAIN: usize = 8_000;

/// Native stack for parsing what passes. Only touched pages cost memory.
pub(crate) const STACK_BYTES: usize = 256 << 20;

/// The byte offset at which the source nests too deep, if it does.
pub(crate) fn too_deep(source: &str) -> Option<usize> {
    let mut levels: Vec<usize> = vec![0];
    let (mut chain, mut in_word) = (0usize, false);
    let mut last = b';';
    for (at, b) in source.bytes().enumerate() {
        let word = b.is_ascii_alphanumeric() || matches!(b, b'_' | b'$' | b'"' | b'\'' | b'`') || b >= 0x80;
        let counts = if word { !in_word } else { !b.is_ascii_whitespace() };
        in_word = word;
        match b {
            b'(' | b'[' | b'{' => levels.push(0),
            b')' | b']' | b'}' if levels.len() > 1 => chain -= levels.pop().unwrap_or(0),
            _ => {}
        }
        let level = levels.last_mut().expect("the outermost level is never popped");
        let ends_line =
            b == b'\n' && (last.is_ascii_alphanumeric() || matches!(last, b'"' | b'\'' | b'`' | b']'));
        // `else if` chains nest, though they do not look it.
        let ends_block = b == b'}' && !source.as_bytes()[at + 1..].trim_ascii_start().starts_with(b"else");
        if matches!(b, b';' | b',') || ends_block || ends_line {
            chain -= *level;
            *level = 0;
        } else if counts {
            chain += 1;
            *level += 1;
        }
        if levels.len() > MAX_BRACKETS || chain > MAX_CHAIN {
            return Some(at);
        }
        if !b.is_ascii_whitespace() {
            last = b;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth() {
        let deep = [
            "(".repeat(1_000),
            "!".repeat(50_000),
            "x=>".repeat(40_000),
            "if(1)".repeat(40_000),
            "if(1){}else ".repeat(9_000),
        ];
        for source in deep {
            assert!(too_deep(&source).is_some(), "{}", &source[..8]);
        }
        let fine = [
            "f(1);\n".repeat(50_000),
            "a = 1\n".repeat(50_000),
            "[1,2],".repeat(50_000),
            "x".repeat(1 << 20),
        ];
        for source in fine {
            assert_eq!(too_deep(&source), None, "{}", &source[..8]);
        }
    }
}

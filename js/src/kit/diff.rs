//! The difference of two texts, line by line: the longest common lines stay, the rest was taken out or put in.

/// What a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// In both.
    Same,
    /// Only in the first.
    Removed,
    /// Only in the second.
    Added,
}

/// Lines compared at most; of longer texts the first ones.
const MAX_LINES: usize = 400;

/// The lines of both texts in order.
pub fn diff<'a>(first: &'a str, second: &'a str) -> Vec<(Change, &'a str)> {
    let a: Vec<&str> = first.lines().take(MAX_LINES).collect();
    let b: Vec<&str> = second.lines().take(MAX_LINES).collect();
    // longest[i][j]: common lines of a[i..] and b[j..].
    let mut longest = vec![vec![0u16; b.len() + 1]; a.len() + 1];
    for i in (0..a.len()).rev() {
        for j in (0..b.len()).rev() {
            longest[i][j] = match a[i] == b[j] {
                true => longest[i + 1][j + 1] + 1,
                false => longest[i + 1][j].max(longest[i][j + 1]),
            };
        }
    }
    let (mut i, mut j, mut lines) = (0, 0, Vec::new());
    while i < a.len() || j < b.len() {
        if i < a.len() && j < b.len() && a[i] == b[j] {
            lines.push((Change::Same, a[i]));
            (i, j) = (i + 1, j + 1);
        } else if j >= b.len() || (i < a.len() && longest[i + 1][j] >= longest[i][j + 1]) {
            lines.push((Change::Removed, a[i]));
            i += 1;
        } else {
            lines.push((Change::Added, b[j]));
            j += 1;
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_both() {
        for (first, second, marks) in [
            ("a\nb\nc", "a\nx\nc", "=a -b +x =c"),
            ("", "a", "+a"),
            ("a\nb", "b", "-a =b"),
            ("same", "same", "=same"),
        ] {
            let found: Vec<String> = diff(first, second)
                .into_iter()
                .map(|(change, line)| match change {
                    Change::Same => format!("={line}"),
                    Change::Removed => format!("-{line}"),
                    Change::Added => format!("+{line}"),
                })
                .collect();
            assert_eq!(found.join(" "), marks);
        }
    }
}

//! Columns of text for a terminal. Every character counts as one column wide; whoever pipes gets every cell whole.
//! Control characters from the network never reach the terminal.

use serde_json::Value;

/// How a table is drawn.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Style {
    /// Columns of the terminal; nothing means no cell is cut.
    pub(crate) width: Option<usize>,
    pub(crate) color: bool,
}

/// Space between two columns.
const GAP: usize = 2;
/// No column is made narrower than this.
const NARROWEST: usize = 8;

/// A value as one line.
pub(crate) fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".into(),
        Value::String(text) if text.is_empty() => "-".into(),
        Value::String(text) => printable(text),
        Value::Array(items) if items.is_empty() => "-".into(),
        Value::Array(items) if items.iter().all(|item| !item.is_object() && !item.is_array()) => {
            items.iter().map(cell).collect::<Vec<_>>().join(",")
        }
        other => printable(&other.to_string()),
    }
}

/// The text without anything a terminal would obey.
pub(crate) fn printable(text: &str) -> String {
    let obeyed = |c: char| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if !text.contains(obeyed) {
        return text.into();
    }
    text.chars().flat_map(|c| if obeyed(c) { c.escape_default().collect() } else { vec![c] }).collect()
}

/// Draws rows; with a header, its cells are shown in capitals. Without one, the first column is the label.
pub(crate) fn render(header: Option<&[String]>, rows: &[Vec<String>], style: Style) -> String {
    let header: Option<Vec<String>> = header.map(|names| names.iter().map(|name| heading(name)).collect());
    let all = || header.iter().chain(rows);
    let mut widths: Vec<usize> = Vec::new();
    for row in all() {
        widths.resize(widths.len().max(row.len()), 0);
        for (column, text) in row.iter().enumerate() {
            widths[column] = widths[column].max(text.chars().count());
        }
    }
    if let Some(total) = style.width {
        shrink(&mut widths, total);
    }
    let mut text = String::new();
    for (index, row) in all().enumerate() {
        for (column, cell) in row.iter().enumerate() {
            let label = if header.is_some() { index == 0 } else { column == 0 };
            let cut = cut(cell, widths[column]);
            let pad = widths[column] - cut.chars().count() + GAP;
            let (on, off) = if style.color && label { ("\x1b[1m", "\x1b[0m") } else { ("", "") };
            text.push_str(&format!("{on}{cut}{off}"));
            if column + 1 < row.len() {
                text.push_str(&" ".repeat(pad));
            }
        }
        text.push('\n');
    }
    text
}

/// `moduleType` to `MODULE TYPE`.
fn heading(key: &str) -> String {
    let mut words = String::new();
    let mut before_is_lower = false;
    for c in printable(key).chars() {
        if c == '_' || (c.is_uppercase() && before_is_lower) {
            words.push(' ');
        }
        if c != '_' {
            words.extend(c.to_uppercase());
        }
        before_is_lower = c.is_lowercase();
    }
    words
}

/// Takes columns from the widest until the table fits or nothing more can be taken.
fn shrink(widths: &mut [usize], total: usize) {
    let gaps = widths.len().saturating_sub(1) * GAP;
    while widths.iter().sum::<usize>() + gaps > total {
        match widths.iter_mut().filter(|width| **width > NARROWEST).max() {
            Some(widest) => *widest -= 1,
            None => break,
        }
    }
}

fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.into();
    }
    text.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn rows(rows: &[&[&str]]) -> Vec<Vec<String>> {
        rows.iter().map(|row| row.iter().map(|cell| (*cell).to_owned()).collect()).collect()
    }

    #[test]
    fn columns_are_aligned_and_cut_to_the_terminal() {
        let header = ["name".to_owned(), "moduleType".to_owned()];
        let rows = rows(&[&["a", "typescript"], &["a-long-name-that-is-cut", "js"]]);
        assert_eq!(
            render(Some(&header), &rows, Style::default()),
            "NAME                     MODULE TYPE\n\
             a                        typescript\n\
             a-long-name-that-is-cut  js\n"
        );
        let narrow = Style { width: Some(24), color: false };
        assert_eq!(
            render(Some(&header), &rows, narrow),
            "NAME         MODULE TYPE\na            typescript\na-long-nam…  js\n"
        );
        let hopeless = Style { width: Some(3), color: false };
        assert!(render(Some(&header), &rows, hopeless).lines().all(|line| line.chars().count() <= 18));
    }

    #[test]
    fn colors_mark_headers_and_labels() {
        let style = Style { width: None, color: true };
        assert_eq!(render(None, &rows(&[&["name", "x"]]), style), "\x1b[1mname\x1b[0m  x\n");
        assert_eq!(render(Some(&["id".into()]), &rows(&[&["1"]]), style), "\x1b[1mID\x1b[0m\n1\n");
    }

    #[test]
    fn cells_are_one_harmless_line() {
        for (value, text) in [
            (json!(null), "-"),
            (json!([]), "-"),
            (json!(""), "-"),
            (json!(["/a", "/b"]), "/a,/b"),
            (json!([1, true]), "1,true"),
            (json!({"a": [1]}), "{\"a\":[1]}"),
            (json!("two\nlines"), "two\\nlines"),
            (json!("\u{1b}[31mred"), "\\u{1b}[31mred"),
            (json!("\u{202e}gpj.exe"), "\\u{202e}gpj.exe"),
            (json!("größe"), "größe"),
        ] {
            assert_eq!(cell(&value), text, "{value}");
        }
    }
}

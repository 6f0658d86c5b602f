//! The known key that was probably meant. It guesses only where the guess is close.

/// Most edits between what was written and what is suggested.
const MAX_EDITS: usize = 3;

/// The closest of `known` to `word`, if it is close.
pub(super) fn of<'k>(word: &str, known: &[&'k str]) -> Option<&'k str> {
    let plain = |text: &str| text.to_ascii_lowercase().replace(['-', '_'], "");
    let meant = plain(word);
    let bound = MAX_EDITS.min(meant.len() / 3);
    known
        .iter()
        .map(|candidate| (edits(&meant, &plain(candidate)), *candidate))
        .filter(|(distance, _)| *distance <= bound)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Levenshtein distance in bytes.
fn edits(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let above = row[j + 1];
            row[j + 1] = (diagonal + usize::from(x != y)).min(above + 1).min(row[j] + 1);
            diagonal = above;
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    #[test]
    fn only_close_keys_are_suggested() {
        let known = ["log_level", "log_json", "proxy", "storage"];
        for (word, expected) in [
            ("loglevel", Some("log_level")),
            ("log-levle", Some("log_level")),
            ("Proxy", Some("proxy")),
            ("prxoy", None),
            ("strage", Some("storage")),
            ("x", None),
            ("unrelated", None),
        ] {
            assert_eq!(super::of(word, &known), expected, "{word}");
        }
    }
}

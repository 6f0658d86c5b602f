//! "Did you mean": the nearest known word to one that is not known. It decides nothing else.

/// The known word with the fewest edits, if a third of the letters or less is wrong.
pub(crate) fn closest<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wrong = wrong.to_lowercase();
    let bound = (wrong.chars().count() / 3).max(1);
    known
        .into_iter()
        .map(|word| (edits(&wrong, &word.to_lowercase()), word))
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, _)| *distance <= bound)
        .map(|(_, word)| word)
}

/// Optimal string alignment distance: insertions, deletions, replacements and swaps of neighbours.
fn edits(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, to) in b.iter().enumerate() {
            let replaced = last[j] + usize::from(from != to);
            let mut best = replaced.min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *from == b[j - 1] && a[i - 1] == *to {
                best = best.min(before[j - 1] + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_found() {
        let known = ["name", "namespace", "paths", "methods", "stripPath"];
        for (wrong, nearest) in [
            ("path", Some("paths")),
            ("mehtods", Some("methods")),
            ("strippaht", Some("stripPath")),
            ("nmae", Some("name")),
            ("zzz", None),
            ("", None),
        ] {
            assert_eq!(closest(wrong, known), nearest, "{wrong}");
        }
    }
}

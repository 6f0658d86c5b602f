//! Sizes as people write them: whole bytes, or with `k`, `m` or `g` in powers of 1,024. Flags and resources read them
//! here, so that `32m` is the same everywhere. Never a float, never negative.

/// Bytes of `4096`, `64k`, `8m` or `1g`; `kb` and `KiB` mean `k`. Errors: a sentence.
pub fn parse_size(text: &str) -> Result<u64, String> {
    let lower = text.to_ascii_lowercase();
    let trimmed = lower.trim_end_matches('b').trim_end_matches('i');
    let (number, shift) = match trimmed.char_indices().last() {
        Some((at, 'k')) => (&trimmed[..at], 10),
        Some((at, 'm')) => (&trimmed[..at], 20),
        Some((at, 'g')) => (&trimmed[..at], 30),
        _ => (trimmed, 0),
    };
    let number: u64 =
        number.parse().map_err(|_| format!("'{text}' is no size: write 4096, 64k, 8m or 1g"))?;
    number.checked_shl(shift).filter(|n| n >> shift == number).ok_or_else(|| format!("{text} is too much"))
}

#[cfg(test)]
mod tests {
    use super::parse_size;

    #[test]
    fn sizes() {
        for (text, expected) in [
            ("0", Some(0)),
            ("4096", Some(4096)),
            ("64k", Some(65_536)),
            ("8MiB", Some(8 << 20)),
            ("1g", Some(1 << 30)),
        ]
        .into_iter()
        .chain(["", "k", "-1", "1.5m", "99999999999g"].map(|bad| (bad, None)))
        {
            assert_eq!(parse_size(text).ok(), expected, "{text}");
        }
    }
}

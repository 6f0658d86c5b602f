//! Percent-encoding taken off, as often as it was put on: what a service decodes twice must not pass as harmless. Reads one
//! byte at a time, and copies nothing.

/// Digits of percent signs may be encoded themselves, so deep.
const DEPTH: u8 = 3;

/// The byte that a text (which is not empty) begins with when no layer of percent-encoding is left, how many bytes of the
/// text that takes, and how many layers there were.
pub(super) fn first(text: &[u8]) -> (u8, usize, u8) {
    match text[0] {
        b'%' => encoded(text, DEPTH),
        byte => (byte, 1, 0),
    }
}

fn encoded(text: &[u8], depth: u8) -> (u8, usize, u8) {
    let (mut byte, mut width, mut layers) = (b'%', 1, 0u8);
    while byte == b'%'
        && let Some((high, after)) = digit(text, width, depth)
        && let Some((low, after)) = digit(text, after, depth)
    {
        (byte, width, layers) = (high << 4 | low, after, layers.saturating_add(1));
    }
    (byte, width, layers)
}

/// The hexadecimal digit that stands at a place, and where it ends.
fn digit(text: &[u8], at: usize, depth: u8) -> Option<(u8, usize)> {
    let (byte, width) = match text.get(at)? {
        b'%' if depth > 0 => {
            let (byte, width, _) = encoded(&text[at..], depth - 1);
            (byte, width)
        }
        byte => (*byte, 1),
    };
    char::from(byte).to_digit(16).map(|digit| (digit as u8, at + width))
}

#[cfg(test)]
mod tests {
    use super::first;

    #[test]
    fn every_layer_comes_off() {
        for (text, expected) in [
            ("a", (b'a', 1, 0)),
            ("%3D", (b'=', 3, 1)),
            ("%3d=", (b'=', 3, 1)),
            ("%253D", (b'=', 5, 2)),
            ("%25253D", (b'=', 7, 3)),
            ("%%33%44", (b'=', 7, 1)),
            ("%25%33%44", (b'=', 9, 2)),
            ("%", (b'%', 1, 0)),
            ("%4", (b'%', 1, 0)),
            ("%zz", (b'%', 1, 0)),
            ("%25zz", (b'%', 3, 1)),
            ("%%%%", (b'%', 1, 0)),
        ] {
            assert_eq!(first(text.as_bytes()), expected, "{text}");
        }
    }
}

//! A stream of requests, pipelined and cut in up to three pieces: read the same in pieces as at once, and read the same again when
//! it is written anew. Run with `RUSTC_BOOTSTRAP=1 cargo fuzz run request`.
#![no_main]

#[allow(dead_code)] // Each target reads one direction.
#[path = "../../tests/stream/mod.rs"]
mod stream;

use libfuzzer_sys::fuzz_target;
use stream::{End, check_encoded, requests};
use tidegate_codec::{canonical_host, canonical_path};

fuzz_target!(|data: &[u8]| {
    // The first two bytes say where to cut, so that the rest can be a plain stream.
    let [first, second, input @ ..] = data else { return };
    let whole = requests(input, &[]);
    let mut cuts = [usize::from(*first) % (input.len() + 1), usize::from(*second) * 4 % (input.len() + 1)];
    cuts.sort_unstable();
    for cuts in [&cuts[..], &(0..input.len().min(512)).collect::<Vec<_>>()] {
        let pieces = requests(input, cuts);
        assert_eq!(pieces.0, whole.0);
        // In pieces, a broken rule may show later (as one waits for a whole head) or as another one, never as none.
        match (whole.1, pieces.1) {
            (End::Refused(_), End::Refused(_) | End::Starved) => {}
            (whole, pieces) => assert_eq!(whole, pieces),
        }
    }
    whole.0.iter().for_each(|message| check_encoded(message, |again| requests(again, &[])));

    let (mut once, mut twice) = (Vec::new(), Vec::new());
    if let Ok(flags) = canonical_path(input, &mut once) {
        assert_eq!(canonical_path(&once, &mut twice), Ok(flags));
        assert_eq!(once, twice);
    }
    let (mut once, mut twice) = (Vec::new(), Vec::new());
    if canonical_host(input, &mut once).is_ok() {
        assert_eq!(canonical_host(&once, &mut twice), Ok(None));
        assert_eq!(once, twice);
    }
});

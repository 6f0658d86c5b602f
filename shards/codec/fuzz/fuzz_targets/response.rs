//! A stream of responses, cut in up to three pieces: read the same in pieces as at once, and read the same again when it is
//! written anew. Run with `RUSTC_BOOTSTRAP=1 cargo fuzz run response`.
#![no_main]

#[allow(dead_code)] // Each target reads one direction.
#[path = "../../tests/stream/mod.rs"]
mod stream;

use http::Method;
use libfuzzer_sys::fuzz_target;
use stream::{End, check_encoded, responses};

fuzz_target!(|data: &[u8]| {
    let [first, second, input @ ..] = data else { return };
    let method = if first % 4 == 0 { Method::HEAD } else { Method::GET };
    let whole = responses(input, &[], &method);
    let mut cuts = [usize::from(*first) % (input.len() + 1), usize::from(*second) * 4 % (input.len() + 1)];
    cuts.sort_unstable();
    for cuts in [&cuts[..], &(0..input.len().min(512)).collect::<Vec<_>>()] {
        let pieces = responses(input, cuts, &method);
        assert_eq!(pieces.0, whole.0);
        match (whole.1, pieces.1) {
            (End::Refused(_), End::Refused(_) | End::Starved) => {}
            (whole, pieces) => assert_eq!(whole, pieces),
        }
    }
    whole.0.iter().for_each(|message| check_encoded(message, |again| responses(again, &[], &method)));
});

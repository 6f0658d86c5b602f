//! Histograms in the V2 compressed encoding of HdrHistogram, as text: what its libraries in other languages read. The
//! layout is that of `HdrHistogram.encodeIntoCompressedByteBuffer`: a cookie and a length before a zlib stream, in which
//! stand a header of 40 bytes and the counts of all cells as ZigZag LEB128, runs of empty cells as one negative number.

use super::cells::Sum;
use base64::Engine as _;
use miniz_oxide::deflate::compress_to_vec_zlib;

/// Encoding 2 with counts of at most eight bytes.
const COOKIE: u32 = 0x1c84_9313;
/// The same within a zlib stream.
const COMPRESSED_COOKIE: u32 = 0x1c84_9314;
/// zlib's usual level.
const LEVEL: u8 = 6;
/// Bounds of the shards' histograms in nanoseconds.
const LOWEST_NS: u64 = 64;
const HIGHEST_NS: u64 = 600_000_000_000;

/// Base64 of the compressed encoding. Values are nanoseconds.
pub(super) fn encode(sum: &Sum) -> String {
    let mut counts = Vec::new();
    let mut next = 0;
    for (cell, count) in sum.filled() {
        if cell > next {
            zigzag(&mut counts, -((cell - next) as i64));
        }
        zigzag(&mut counts, i64::try_from(count).unwrap_or(i64::MAX));
        next = cell + 1;
    }
    let mut plain = Vec::with_capacity(40 + counts.len());
    plain.extend(COOKIE.to_be_bytes());
    plain.extend((counts.len() as u32).to_be_bytes());
    plain.extend(0u32.to_be_bytes());
    plain.extend(u32::from(sum.fineness().digits()).to_be_bytes());
    plain.extend(LOWEST_NS.to_be_bytes());
    plain.extend(HIGHEST_NS.to_be_bytes());
    plain.extend(1f64.to_be_bytes());
    plain.extend(counts);
    let packed = compress_to_vec_zlib(&plain, LEVEL);
    let mut bytes = COMPRESSED_COOKIE.to_be_bytes().to_vec();
    bytes.extend((packed.len() as u32).to_be_bytes());
    bytes.extend(packed);
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// ZigZag LEB128 of at most nine bytes: the ninth has all its eight bits for the value.
fn zigzag(out: &mut Vec<u8>, value: i64) {
    let mut value = ((value << 1) ^ (value >> 63)) as u64;
    for _ in 0..8 {
        if value < 0x80 {
            out.push(value as u8);
            return;
        }
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

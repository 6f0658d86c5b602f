//! What a crash leaves behind, cleared away at the next start: zeroes that padded the last block of a segment, and segments
//! that nothing was written to. Must never touch a file that another process writes.

use crate::disk::claim_is_free;
use crate::segment::Kind;
use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Looked at together, from the end of a file on.
const PIECE: u64 = 64 << 10;

/// Repairs the segment that was written last. What cannot be repaired is left as it is: nobody needs it to go on.
pub(crate) fn repair(dir: &Path, kind: Kind) {
    let segments = kind.segments(dir);
    // A rotation may have begun a file before the one before it was cut.
    for path in segments.iter().rev().take(2) {
        let _ = cut(path);
    }
}

fn cut(path: &Path) -> io::Result<()> {
    let file = File::options().read(true).write(true).open(path)?;
    if !claim_is_free(file.as_raw_fd()) {
        return Ok(());
    }
    let length = file.metadata()?.len();
    let kept = without_zeroes(&file, length)?;
    if kept == 0 {
        fs::remove_file(path)
    } else if kept < length {
        file.set_len(kept)?;
        file.sync_all()
    } else {
        Ok(())
    }
}

/// How long a file is without the zeroes at its end. Lines have none.
fn without_zeroes(file: &File, mut length: u64) -> io::Result<u64> {
    let mut piece = vec![0; PIECE as usize];
    while length > 0 {
        let begin = length.saturating_sub(PIECE);
        let piece = &mut piece[..(length - begin) as usize];
        file.read_exact_at(piece, begin)?;
        if let Some(last) = piece.iter().rposition(|byte| *byte != 0) {
            return Ok(begin + last as u64 + 1);
        }
        length = begin;
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zeroes_at_the_end_go_and_lines_stay() {
        let dir = tempfile::tempdir().expect("dir");
        let path = dir.path().join("access-20261121T120102Z-000001.log");
        for (zeroes, text, left) in [
            (4_095, "a\nb\n", Some("a\nb\n")),
            (0, "a\nb\n", Some("a\nb\n")),
            (3 * PIECE as usize, "a\nhalf a li", Some("a\nhalf a li")),
            (PIECE as usize, "", None),
            (0, "", None),
        ] {
            let mut bytes = text.as_bytes().to_vec();
            bytes.resize(text.len() + zeroes, 0);
            fs::write(&path, &bytes).expect("file");
            repair(dir.path(), Kind::Profile);
            assert_eq!(fs::read(&path).expect("file"), bytes, "another kind's");
            let writing = File::open(&path).expect("file");
            crate::disk::claim(writing.as_raw_fd());
            repair(dir.path(), Kind::Access);
            assert_eq!(fs::read(&path).expect("file"), bytes, "it is being written");
            drop(writing);
            repair(dir.path(), Kind::Access);
            assert_eq!(fs::read_to_string(&path).ok().as_deref(), left, "{text:?} and {zeroes} zeroes");
        }
    }
}

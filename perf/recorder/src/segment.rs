//! Names, order and age of segment files. Deletes nothing but files named like segments, and never the newest ones.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};
use std::{fs, io};

/// What stands in a segment, as its name says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `access-TIME-NUMBER.log`
    Access,
    /// `profile-TIME-NUMBER.hlog`
    Profile,
}

/// The segment files of one kind in one folder.
pub(crate) struct Segments {
    dir: PathBuf,
    kind: Kind,
    /// Bytes that all segments but the newest may have together.
    most_bytes: u64,
    segment_bytes: u64,
    next: u64,
}

/// A segment counts for no less than this part of a full one, so that there is a bound on their number too.
const SMALLEST_PART: u64 = 1_024;

impl Segments {
    pub(crate) fn new(dir: PathBuf, kind: Kind, keep: usize, segment_bytes: u64) -> Self {
        let most_bytes = (keep.max(1) as u64 - 1).saturating_mul(segment_bytes);
        Self { dir, kind, most_bytes, segment_bytes, next: 1 }
    }

    /// Where the next segment goes; a new name at each call, so that one in use is passed over by asking again. Makes
    /// the folder: it may have been deleted since.
    pub(crate) fn next_path(&mut self) -> io::Result<PathBuf> {
        fs::create_dir_all(&self.dir)?;
        let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let path = self.dir.join(format!(
            "{}-{}-{:06}.{}",
            self.kind.prefix(),
            utc(seconds),
            self.next,
            self.kind.ending()
        ));
        self.next += 1;
        Ok(path)
    }

    /// Deletes the oldest segments that have no room beside `current`, which may still become a full one and always stays.
    pub(crate) fn retire(&self, current: &Path) {
        let mut bytes = 0u64;
        let smallest = self.segment_bytes / SMALLEST_PART;
        for path in self.kind.segments(&self.dir).iter().rev().filter(|path| *path != current) {
            let length = fs::metadata(path).map_or(0, |file| file.len());
            bytes = bytes.saturating_add(length.max(smallest).min(self.segment_bytes));
            if bytes > self.most_bytes {
                // One that cannot be deleted now is tried again at the next rotation.
                let _ = fs::remove_file(path);
            }
        }
    }
}

impl Kind {
    fn prefix(self) -> &'static str {
        match self {
            Self::Access => "access",
            Self::Profile => "profile",
        }
    }

    fn ending(self) -> &'static str {
        match self {
            Self::Access => "log",
            Self::Profile => "hlog",
        }
    }

    /// The segments of a folder, oldest first.
    pub(crate) fn segments(self, dir: &Path) -> Vec<PathBuf> {
        let entries = fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
        let mut found: Vec<PathBuf> = entries.filter(|path| self.names(path)).collect();
        found.sort_unstable();
        found
    }

    /// Prefix, `-`, 16 characters of time, `-`, digits, `.`, ending.
    fn names(self, path: &Path) -> bool {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let rest = name.strip_prefix(self.prefix()).and_then(|rest| rest.strip_suffix(self.ending()));
        let Some(rest) = rest.and_then(|rest| rest.strip_prefix('-')?.strip_suffix('.')) else {
            return false;
        };
        rest.split_once('-').is_some_and(|(time, number)| {
            time.len() == 16 && !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
        })
    }
}

/// Seconds since 1970 as `20261121T120102Z`.
fn utc(seconds: u64) -> String {
    utc_readable(seconds).replace(['-', ':'], "")
}

/// Seconds since 1970 as `2026-11-21T12:01:02Z`. Days to date by Howard Hinnant's `civil_from_days`.
pub(crate) fn utc_readable(seconds: u64) -> String {
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_utc() {
        for (seconds, expected) in [
            (0, "19700101T000000Z"),
            (951_782_399, "20000228T235959Z"),
            (951_782_400, "20000229T000000Z"),
            (1_795_262_462, "20261121T120102Z"),
            (4_107_542_400, "21000301T000000Z"),
        ] {
            assert_eq!(utc(seconds), expected, "{seconds}");
        }
    }

    #[test]
    fn only_segments_are_deleted_and_the_newest_stay() {
        let dir = tempfile::tempdir().expect("dir");
        let names = [
            "access-20261121T120102Z-000001.log",
            "access-20261121T120102Z-000002.log",
            "access-20261121T120103Z-000001.log",
            "access-20261121T120104Z-000001.log",
            "access-notes.log",
            "access-20261121T120102Z-.log",
            "other.log",
            "profile-20261121T120102Z-000001.hlog",
        ];
        names.iter().for_each(|name| fs::write(dir.path().join(name), "x").expect("file"));
        let segments = Segments::new(dir.path().to_owned(), Kind::Access, 2, 1);
        segments.retire(&dir.path().join(names[0]));
        let left: Vec<&str> = names.into_iter().filter(|name| dir.path().join(name).exists()).collect();
        assert_eq!(left, [names[0], names[3], names[4], names[5], names[6], names[7]]);
    }

    #[test]
    fn what_has_room_stays_however_many_files_it_is_in() {
        let dir = tempfile::tempdir().expect("dir");
        let name = |at: usize| dir.path().join(format!("access-20261121T1201{at:02}Z-000001.log"));
        // Segments of up to 100 bytes, three of them: beside the newest there is room for 200 bytes.
        let segments = Segments::new(dir.path().to_owned(), Kind::Access, 3, 100);
        for (lengths, left) in [
            (&[10; 12][..], 12),
            (&[100, 100, 100, 5], 3),
            (&[100, 91, 5, 5, 5], 4),
            (&[500, 500, 500], 3),
            (&[90, 150, 60, 0, 0], 4),
        ] {
            for (at, length) in lengths.iter().enumerate() {
                fs::write(name(at), vec![b'x'; *length]).expect("file");
            }
            segments.retire(&name(lengths.len() - 1));
            let found = Kind::Access.segments(dir.path());
            assert_eq!(found.len(), left, "{lengths:?}");
            assert_eq!(found.last(), Some(&name(lengths.len() - 1)));
            found.iter().for_each(|path| fs::remove_file(path).expect("removed"));
        }
    }
}

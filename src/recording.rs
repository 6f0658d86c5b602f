//! The recorder as the flags want it, and what a person is told of it: once when lines begin to be lost, once when that is
//! over. It must never stop the gateway: what cannot be written is counted.

use crate::args::Serve;
use std::io;
use tidegate_admin::metrics::{OtherMetrics, Sample};
use tidegate_recorder::{
    AccessOptions, FileOptions, ProfileOptions, RecorderGauge, RecorderHandle, RecorderOptions,
    RecorderStats, Started, StreamStats,
};
use tracing::{info, warn};

/// Bytes of lines that a shard gathers before it hands them over.
const BUFFER_BYTES: usize = 64 << 10;
/// Buffers of one shard that may wait.
const QUEUE_DEPTH: usize = 64;

/// Starts the recorder, if the flags ask for anything that it writes.
pub fn start(args: &Serve, shards: u16) -> Result<Option<Started>, String> {
    let access = args.access_log_dir.clone().map(|dir| AccessOptions {
        files: FileOptions {
            dir,
            segment_bytes: args.access_log_segment_bytes,
            keep_segments: args.access_log_segments,
        },
        buffer_bytes: BUFFER_BYTES,
        queue_depth: QUEUE_DEPTH,
    });
    let profile = args.hdr_dir.clone().map(|dir| ProfileOptions {
        files: FileOptions { dir, segment_bytes: args.hdr_segment_bytes, keep_segments: args.hdr_segments },
        interval: args.hdr_interval,
        most_rows: args.profile_rows,
    });
    if access.is_none() && profile.is_none() {
        return Ok(None);
    }
    let flags = match (&access, &profile) {
        (Some(_), Some(_)) => "--access-log-dir or --hdr-dir",
        (Some(_), None) => "--access-log-dir",
        (None, _) => "--hdr-dir",
    };
    tidegate_recorder::start(RecorderOptions { access, profile }, usize::from(shards))
        .map(Some)
        .map_err(|error| format!("{flags}: {error}"))
}

/// What a scrape shows of a recorder.
pub fn metrics(started: Option<&Started>) -> OtherMetrics {
    let Some(gauge) = started.map(|started| started.handle.gauge()) else { return OtherMetrics::default() };
    OtherMetrics::new(move || {
        let RecorderStats { access, profile } = gauge.stats();
        FAMILIES
            .iter()
            .flat_map(|(name, kind, help, of)| {
                [("access", access), ("profile", profile)].map(|(log, stats)| Sample {
                    name,
                    kind,
                    help,
                    label: ("log", log),
                    value: of(&stats),
                })
            })
            .collect()
    })
}

/// Name, kind, help and value of each.
const FAMILIES: [(&str, &str, &str, fn(&StreamStats) -> u64); 6] = [
    ("tidegate_recorder_written_bytes_total", "counter", "Bytes in log files.", |stats| stats.written_bytes),
    ("tidegate_recorder_segments_total", "counter", "Log files begun.", |stats| stats.segments),
    (
        "tidegate_recorder_dropped_lines_total",
        "counter",
        "Lines dropped because a queue was full or the disk refused them.",
        |stats| stats.dropped_lines,
    ),
    (
        "tidegate_recorder_dropped_buffers_total",
        "counter",
        "Buffers of access lines, or intervals of a shard, dropped whole.",
        |stats| stats.dropped_buffers,
    ),
    ("tidegate_recorder_direct", "gauge", "Whether log files are written past the page cache.", |stats| {
        u64::from(stats.direct)
    }),
    ("tidegate_recorder_failing", "gauge", "Whether the disk takes no log lines now.", |stats| {
        u64::from(stats.failing.is_some())
    }),
];

/// Looks at the recorder's figures from time to time and says what changed.
pub struct Watch {
    handle: RecorderHandle,
    gauge: RecorderGauge,
    access: Seen,
    profile: Seen,
}

#[derive(Default)]
struct Seen {
    before: StreamStats,
    is_losing: bool,
}

impl Watch {
    /// Watches a recorder that runs.
    pub fn new(handle: RecorderHandle) -> Self {
        Self { gauge: handle.gauge(), handle, access: Seen::default(), profile: Seen::default() }
    }

    /// Says what changed since the last look.
    pub fn look(&mut self) {
        let now = self.gauge.stats();
        self.access.look("the access log", now.access);
        self.profile.look("the interval log", now.profile);
    }

    /// Ends the recorder after everything that was handed over.
    pub fn stop(mut self) -> Result<(), String> {
        let ended = self.handle.stop();
        let now = self.gauge.stats();
        self.access.look("the access log", now.access);
        self.profile.look("the interval log", now.profile);
        ended.map_err(|error| format!("the last records could not be written: {error}"))
    }
}

impl Seen {
    fn look(&mut self, what: &str, now: StreamStats) {
        let lost = now.dropped_lines - self.before.dropped_lines;
        let is_losing = lost > 0 || now.failing.is_some();
        if is_losing && !self.is_losing {
            let why = match now.failing {
                Some(0) => "the disk refuses them".into(),
                Some(number) => io::Error::from_raw_os_error(number).to_string(),
                None => "the disk cannot keep up".into(),
            };
            warn!(
                lost_lines = lost,
                why, "{what} loses lines; they are counted in tidegate_recorder_dropped_lines_total"
            );
        } else if self.is_losing && !is_losing {
            info!(lost_lines = now.dropped_lines, "{what} is written again");
        }
        self.before = now;
        self.is_losing = is_losing;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loss_begins_and_ends_once() {
        let mut seen = Seen::default();
        let full = Some(libc::ENOSPC);
        for (dropped_lines, failing, expected) in [
            (0, None, false),
            (5, full, true),
            (5, full, true),
            (9, None, true),
            (9, None, false),
            (10, None, true),
        ] {
            seen.look("a log", StreamStats { dropped_lines, failing, ..StreamStats::default() });
            assert_eq!(seen.is_losing, expected, "{dropped_lines} {failing:?}");
        }
    }
}

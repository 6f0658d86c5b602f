//! Flags that make no sense as they stand together: one that has no effect without another, two that contradict each other,
//! bounds that leave nothing. All of them are said at once, each in a sentence. What can be meant is never refused.

use crate::args::{Runtime, Serve};
use crate::metal::Mode;
use std::collections::BTreeSet;

/// The least size of a segment, in bytes: what is written at once.
const LEAST_SEGMENT_BYTES: u64 = 4 << 10;

/// Flags of access logs, of interval logs, of the ring, and of its kernel threads.
const OF_ACCESS_LOGS: [&str; 7] = [
    "access_log_format",
    "access_log_redact",
    "access_log_sample",
    "access_log_sample_errors",
    "access_log_segment_bytes",
    "access_log_segments",
    "access_log_unredacted",
];
const OF_INTERVAL_LOGS: [&str; 2] = ["hdr_segment_bytes", "hdr_segments"];
const OF_THE_RING: [&str; 3] = ["ring_entries", "ring_completions", "ring_mode"];
const OF_RING_THREADS: [&str; 2] = ["ring_thread_cpus", "ring_thread_idle"];

fn flag(id: &str) -> String {
    format!("--{}", id.replace('_', "-"))
}

/// What is wrong with the flags that were given (their ids in clap), a sentence each.
pub fn faults(serve: &Serve, given: &BTreeSet<String>) -> Vec<String> {
    let mut faults = Vec::new();
    let mut needs = |ids: &[&str], is_there: bool, what: &str| {
        for id in ids.iter().filter(|id| !is_there && given.contains(**id)) {
            faults.push(format!("{} has no effect without {what}: add that, or leave it out", flag(id)));
        }
    };
    needs(&OF_ACCESS_LOGS, serve.access_log_dir.is_some(), "--access-log-dir");
    needs(&OF_INTERVAL_LOGS, serve.hdr_dir.is_some(), "--hdr-dir");
    let has_threads = serve.metal.ring_mode == Mode::KernelThread;
    needs(&OF_RING_THREADS, has_threads, "--ring-mode kernel-thread");
    let may_have_ring = serve.metal.runtime != Runtime::Epoll;
    needs(&OF_THE_RING, may_have_ring, "io_uring, which --runtime epoll turns off");
    needs(&["allow_config_commands"], serve.config.is_some(), "--config");
    if serve.access_log_unredacted && !serve.access_log_redact.is_empty() {
        faults.push(
            "--access-log-redact and --access-log-unredacted contradict each other: leave one out".into(),
        );
    }
    faults.extend(nothing_left(serve));
    faults
}

/// Bounds that leave nothing.
fn nothing_left(serve: &Serve) -> Vec<String> {
    let mut faults = Vec::new();
    let mut check = |is_bad: bool, id: &str, why: &str| {
        if is_bad {
            faults.push(format!("{} {why}", flag(id)));
        }
    };
    check(serve.max_connections == Some(0), "max_connections", "0 leaves no room for a client: at least 1");
    let segments = [("access_log_segments", serve.access_log_segments), ("hdr_segments", serve.hdr_segments)];
    for (id, segments) in segments {
        check(segments == 0, id, "0 keeps no file, not even the one being written: at least 1");
    }
    let sizes = [
        ("access_log_segment_bytes", serve.access_log_segment_bytes),
        ("hdr_segment_bytes", serve.hdr_segment_bytes),
    ];
    for (id, bytes) in sizes {
        check(bytes < LEAST_SEGMENT_BYTES, id, "is less than what is written at once: at least 4k");
    }
    check(
        serve.upstream_max_per_address == 0,
        "upstream_max_per_address",
        "0 leaves no connection to any upstream: at least 1",
    );
    let times = [
        ("header_timeout", serve.header_timeout),
        ("idle_timeout", serve.idle_timeout),
        ("body_timeout", serve.body_timeout),
        ("write_timeout", serve.write_timeout),
        ("fetch_timeout", serve.fetch_timeout),
        ("scheduled_timeout", serve.scheduled_timeout),
        ("resolve_interval", serve.resolve_interval),
    ];
    for (id, time) in times {
        check(
            time.is_zero(),
            id,
            "0s leaves no time at all: there is no 'never', so write a long time as 24h",
        );
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(words: &str, parts: &[&str]) {
        let words: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
        let faults = Serve::over(&words, &Default::default()).expect("flags").faults();
        assert_eq!(faults.len(), parts.len(), "{words:?}: {faults:#?}");
        for (fault, part) in faults.iter().zip(parts) {
            assert!(fault.contains(part), "{part}: {fault}");
        }
    }

    #[test]
    fn what_has_no_effect_or_no_sense_is_said_all_at_once() {
        for (words, parts) in [
            ("", &[][..]),
            ("--access-log-format clf", &["--access-log-format has no effect without --access-log-dir"]),
            ("--access-log-format clf --access-log-dir d", &[]),
            (
                "--access-log-unredacted --access-log-sample 1%",
                &["--access-log-sample has", "-unredacted has"],
            ),
            ("--access-log-dir d --access-log-unredacted --access-log-redact a", &["contradict"]),
            ("--hdr-segments 3", &["without --hdr-dir"]),
            ("--hdr-segments 3 --hdr-dir d", &[]),
            ("--ring-thread-cpus 1", &["without --ring-mode kernel-thread"]),
            ("--ring-thread-cpus 1 --ring-mode kernel-thread", &[]),
            ("--ring-entries 512 --runtime epoll", &["--ring-entries has no effect without io_uring"]),
            ("--ring-entries 512", &[]),
            (
                "--max-connections 0 --header-timeout 0s",
                &["--max-connections 0", "--header-timeout 0s leaves no time"],
            ),
            ("--access-log-dir d --access-log-segments 0", &["at least 1"]),
            ("--access-log-dir d --access-log-segment-bytes 1", &["at least 4k"]),
            ("--drain-timeout 0s --upstream-idle-total 0 --max-body-bytes 0", &[]),
        ] {
            check(words, parts);
        }
    }

    #[test]
    fn the_file_and_the_command_line_count_together() {
        let file = [("access_log_dir".to_owned(), "d".to_owned())].into();
        let words = ["--access-log-format=clf".to_owned()];
        assert_eq!(Serve::over(&words, &file).expect("flags").faults(), [""; 0]);
        let file = [("access_log_format".to_owned(), "clf".to_owned())].into();
        assert_eq!(Serve::over(&[], &file).expect("flags").faults().len(), 1);
    }
}

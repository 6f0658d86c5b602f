//! The recorder as the process sees it, on both engines, and its loop over a disk that fails.

mod failing;
mod profile;

use super::*;
use std::fs;
use std::path::Path;
use std::time::Instant;

fn options(dir: &Path) -> AccessOptions {
    let files = FileOptions { dir: dir.to_owned(), segment_bytes: 1 << 30, keep_segments: 8 };
    AccessOptions { files, buffer_bytes: 16 * 1024, queue_depth: 4 }
}

/// A recorder of access lines alone.
fn start_access(
    engine: Engine,
    access: AccessOptions,
    shards: usize,
) -> Result<(Vec<Feed>, RecorderHandle), RecorderError> {
    let options = RecorderOptions { access: Some(access), profile: None };
    start_on(engine, options, shards).map(|started| (started.feeds, started.handle))
}

fn stats(handle: &RecorderHandle) -> StreamStats {
    handle.gauge().stats().access
}

/// The segments of a folder, oldest first.
fn segments(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found: Vec<_> = fs::read_dir(dir)
        .expect("folder")
        .map(|entry| entry.expect("entry").path())
        .map(|path| {
            (path.file_name().expect("name").to_string_lossy().into_owned(), fs::read(path).expect("file"))
        })
        .collect();
    found.sort();
    found
}

fn text(dir: &Path) -> String {
    segments(dir).into_iter().map(|(_, bytes)| String::from_utf8(bytes).expect("text")).collect()
}

/// Submits numbered lines of varying length, a full queue being tried again.
fn feed_lines(feed: &mut Feed, shard: usize, count: usize, buffer_bytes: usize) {
    let mut buffer = feed.buffer();
    for n in 0..count {
        let line = format!("{shard} {n} {}\n", "x".repeat(n * 7 % 150));
        buffer.extend_from_slice(line.as_bytes());
        if buffer.len() >= buffer_bytes || n + 1 == count {
            let mut copy = Vec::new();
            while {
                copy.clone_from(&buffer);
                !feed.submit(buffer)
            } {
                std::thread::sleep(Duration::from_millis(1));
                buffer = feed.buffer();
                buffer.extend_from_slice(&copy);
            }
            buffer = feed.buffer();
        }
    }
}

fn check_round_trip(
    engine: Engine,
    dir: &Path,
    segment_bytes: u64,
    expect_segments: std::ops::RangeInclusive<usize>,
) {
    const LINES: usize = 20_000;
    let mut options = options(dir);
    (options.files.segment_bytes, options.files.keep_segments) = (segment_bytes, 1_000);
    let (feeds, handle) = start_access(engine, options.clone(), 2).expect("start");
    let shards: Vec<_> = feeds
        .into_iter()
        .enumerate()
        .map(|(shard, mut feed)| {
            std::thread::spawn(move || feed_lines(&mut feed, shard, LINES, options.buffer_bytes))
        })
        .collect();
    shards.into_iter().for_each(|shard| shard.join().expect("shard"));
    let (before, gauge) = (stats(&handle), handle.gauge());
    handle.stop().expect("stop");

    let text = text(dir);
    for shard in 0..2 {
        let mut lines = text.lines().filter(|line| line.starts_with(&format!("{shard} ")));
        for n in 0..LINES {
            let expected = format!("{shard} {n} {}", "x".repeat(n * 7 % 150));
            assert_eq!(lines.next(), Some(expected.as_str()), "{engine:?} shard {shard} line {n}");
        }
        assert_eq!(lines.next(), None);
    }
    let found = segments(dir);
    assert!(expect_segments.contains(&found.len()), "{} segments", found.len());
    assert!(found.iter().all(|(_, bytes)| bytes.len() as u64 <= segment_bytes && bytes.ends_with(b"\n")));
    let stats = gauge.stats().access;
    assert_eq!((stats.written_bytes, stats.segments), (text.len() as u64, found.len() as u64));
    assert!(before.written_bytes <= stats.written_bytes);
}

#[test]
fn every_line_of_two_feeds_comes_back() {
    for engine in [Engine::Direct, Engine::Plain] {
        let dir = tempfile::tempdir().expect("dir");
        check_round_trip(engine, dir.path(), 1 << 30, 1..=1);
    }
}

#[test]
fn segments_rotate_at_line_ends() {
    for engine in [Engine::Direct, Engine::Plain] {
        let dir = tempfile::tempdir().expect("dir");
        check_round_trip(engine, dir.path(), 200_000, 15..=30);
    }
}

#[test]
fn memory_file_systems_work_and_are_told_apart() {
    let Ok(dir) = tempfile::tempdir_in("/dev/shm") else { return };
    check_round_trip(Engine::Direct, dir.path(), 1 << 30, 1..=1);
}

#[test]
fn the_plain_engine_says_so() {
    let dir = tempfile::tempdir().expect("dir");
    let (_, handle) = start_access(Engine::Plain, options(dir.path()), 1).expect("start");
    assert!(!stats(&handle).direct);
    handle.stop().expect("stop");
    assert_eq!(segments(dir.path()), [], "an empty segment is not left behind");
}

#[test]
fn the_newest_segments_are_kept() {
    let dir = tempfile::tempdir().expect("dir");
    let mut options = options(dir.path());
    (options.files.segment_bytes, options.files.keep_segments) = (1, 3);
    let (mut feeds, handle) = start_access(Engine::Direct, options, 1).expect("start");
    for n in 0..10 {
        let mut buffer = feeds[0].buffer();
        buffer.extend_from_slice(format!("{n}\n").as_bytes());
        while !feeds[0].submit(buffer) {
            std::thread::sleep(Duration::from_millis(1));
            buffer = format!("{n}\n").into_bytes();
        }
    }
    let gauge = handle.gauge();
    handle.stop().expect("stop");
    assert_eq!(text(dir.path()), "7\n8\n9\n");
    assert_eq!(gauge.stats().access.segments, 10);
}

#[test]
fn a_full_queue_drops_counts_and_does_not_wait() {
    let counters = Arc::new(counters::Counters::default());
    // Nobody reads this inbox.
    let (mut feeds, _inbox) = feed::feeds(&options(Path::new("/nowhere")), 1, &counters);
    let begun = Instant::now();
    let mut accepted = 0;
    for _ in 0..10_000 {
        let mut buffer = feeds[0].buffer();
        assert!(
            buffer.is_empty() && buffer.capacity() >= 16 * 1024,
            "the refused buffer is handed out again"
        );
        buffer.extend_from_slice(b"one\ntwo\n");
        accepted += usize::from(feeds[0].submit(buffer));
    }
    assert!(begun.elapsed() < Duration::from_secs(5));
    assert_eq!((accepted, feeds[0].dropped()), (4, 2 * 9_996));
    let stats = counters.stats();
    assert_eq!((stats.dropped_buffers, stats.dropped_lines), (9_996, 2 * 9_996));
}

#[test]
fn buffers_come_back_and_no_more_than_the_bound_are_made() {
    let counters = Arc::new(counters::Counters::default());
    let (mut feeds, mut inbox) = feed::feeds(&options(Path::new("/nowhere")), 1, &counters);
    for _ in 0..100 {
        let mut buffer = feeds[0].buffer();
        buffer.push(b'\n');
        assert!(feeds[0].submit(buffer));
        let (line, buffer) = inbox.take().expect("submitted");
        inbox.give_back(line, buffer);
    }
    let kept: Vec<_> = (0..10).map(|_| feeds[0].buffer()).collect();
    assert_eq!(kept.iter().filter(|buffer| buffer.capacity() > 0).count(), 6);
}

#[test]
fn a_folder_that_cannot_be_is_an_error_that_names_it() {
    let dir = tempfile::tempdir().expect("dir");
    let file = dir.path().join("file");
    fs::write(&file, "").expect("file");
    for engine in [Engine::Direct, Engine::Plain] {
        let refused = start_access(engine, options(&file.join("logs")), 1).err().expect("refused");
        assert!(refused.to_string().contains("file/logs"), "{refused}");
    }
}

#[test]
fn a_file_that_vanished_is_followed_by_one_that_can_be_found() {
    let dir = tempfile::tempdir().expect("dir");
    let logs = dir.path().join("logs");
    let (mut feeds, handle) = start_access(Engine::Direct, options(&logs), 1).expect("start");
    assert!(feeds[0].submit(b"before\n".to_vec()));
    while stats(&handle).written_bytes < 7 {
        std::thread::sleep(Duration::from_millis(5));
    }
    fs::remove_dir_all(&logs).expect("remove");
    while stats(&handle).segments < 2 {
        feeds[0].submit(b"after\n".to_vec());
        std::thread::sleep(Duration::from_millis(5));
    }
    handle.stop().expect("stop");
    assert!(text(&logs).starts_with("after\n"));
}

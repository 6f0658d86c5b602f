//! Intervals of made-up shards become an interval log that the HdrHistogram reader understands, with what was counted in
//! it, on both engines.

use super::*;
use base64::Engine as _;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::Deserializer;
use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};
use std::collections::BTreeMap;
use tidegate_snapshot::{IntervalProfile, Phase, ProfileRow, ProfileSink, Scope, Times};

const BEGIN_MS: u64 = 2_000_000_000_000;

fn profile_options(dir: &Path) -> ProfileOptions {
    let files = FileOptions { dir: dir.to_owned(), segment_bytes: 1 << 30, keep_segments: 1_000 };
    ProfileOptions { files, interval: Duration::from_secs(1), most_rows: 256 }
}

fn start_profile(
    engine: Engine,
    profile: ProfileOptions,
    shards: usize,
) -> (Vec<ProfileFeed>, RecorderHandle) {
    let options = RecorderOptions { access: None, profile: Some(profile) };
    let started = start_on(engine, options, shards).expect("start");
    (started.profiles, started.handle)
}

fn times(of: &[(Phase, u64)]) -> Times {
    let mut times = Times::new(3);
    of.iter().for_each(|(phase, ns)| times.record(*phase, *ns));
    times
}

/// The interval `at` of a shard: `count` exchanges, the first of which took so long.
fn interval(shard: u16, at: u64, total_ns: u64, rows: &[(Scope, &str)]) -> Arc<IntervalProfile> {
    let all = times(&[(Phase::Total, total_ns), (Phase::Total, total_ns * 2), (Phase::Tax, total_ns / 10)]);
    Arc::new(IntervalProfile {
        shard,
        began_ms: BEGIN_MS + at * 1_000,
        ended_ms: BEGIN_MS + (at + 1) * 1_000,
        rows: rows
            .iter()
            .map(|(scope, key)| ProfileRow { scope: *scope, key: (*key).into(), times: all.clone() })
            .collect(),
        times: all,
        rows_refused: 0,
    })
}

fn submit(feed: &mut ProfileFeed, interval: &Arc<IntervalProfile>) {
    while !feed.submit(interval.clone()) {
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Of every tag: its lines, and all its values together.
type Read = BTreeMap<String, (usize, Histogram<u64>)>;

fn read(dir: &Path) -> Read {
    let mut read = Read::new();
    for (name, bytes) in segments(dir) {
        assert!(name.starts_with("profile-") && name.ends_with(".hlog"), "{name}");
        assert!(bytes.starts_with(b"#[Tidegate"), "every file has its header");
        for entry in IntervalLogIterator::new(&bytes) {
            let LogEntry::Interval(line) = entry.expect("a line") else { continue };
            let histogram = base64::engine::general_purpose::STANDARD.decode(line.encoded_histogram());
            let histogram: Histogram<u64> =
                Deserializer::new().deserialize(&mut &*histogram.expect("base64")).expect("a histogram");
            let tag = line.tag().map(|tag| tag.as_str().to_string()).unwrap_or_default();
            let empty = || (0, Histogram::new_from(&histogram));
            let (lines, sum) = read.entry(tag).or_insert_with(empty);
            *lines += 1;
            sum.add(&histogram).expect("same bounds");
            assert!((line.max() - histogram.max() as f64 / 1e6).abs() < 0.001, "the column is milliseconds");
            assert_eq!(line.duration().as_millis() % 1_000, 0);
        }
    }
    read
}

#[test]
fn shards_are_added_up_and_told_apart() {
    for engine in [Engine::Direct, Engine::Plain] {
        let dir = tempfile::tempdir().expect("dir");
        let (mut feeds, handle) = start_profile(engine, profile_options(dir.path()), 2);
        let rows = [(Scope::Route, "default/a b"), (Scope::Route, ""), (Scope::Module, "default/m")];
        for at in 0..20 {
            submit(&mut feeds[0], &interval(0, at, 1_000_000, &rows));
            submit(&mut feeds[1], &interval(1, at, 3_000_000, &rows[..1]));
        }
        let gauge = handle.gauge();
        handle.stop().expect("stop");
        let read = read(dir.path());
        let found: Vec<_> = read
            .iter()
            .map(|(tag, (lines, sum))| (tag.as_str(), *lines, sum.len(), sum.max() / 100_000))
            .collect();
        assert_eq!(
            found,
            [
                ("", 20, 80, 60),
                ("module.default/m.tax", 20, 20, 1),
                ("module.default/m.total", 20, 40, 20),
                ("route.default/a%20b.tax", 20, 40, 3),
                ("route.default/a%20b.total", 20, 80, 60),
                ("route.none.tax", 20, 20, 1),
                ("route.none.total", 20, 40, 20),
                ("shard0.tax", 20, 20, 1),
                ("shard0.total", 20, 40, 20),
                ("shard1.tax", 20, 20, 3),
                ("shard1.total", 20, 40, 60),
                ("tax", 20, 40, 3),
            ],
            "{engine:?}"
        );
        let stats = gauge.stats().profile;
        let bytes: usize = segments(dir.path()).iter().map(|(_, bytes)| bytes.len()).sum();
        assert_eq!((stats.segments, stats.written_bytes), (1, bytes as u64), "{engine:?}");
    }
}

#[test]
fn lines_longer_than_a_shards_interval_are_sums() {
    let dir = tempfile::tempdir().expect("dir");
    let options = ProfileOptions { interval: Duration::from_secs(10), ..profile_options(dir.path()) };
    let (mut feeds, handle) = start_profile(Engine::Direct, options, 2);
    let rows = [(Scope::Route, "n/r"), (Scope::Route, tidegate_snapshot::OTHERS)];
    for at in 0..25 {
        submit(&mut feeds[0], &interval(0, at, 1_000_000, &rows));
        submit(&mut feeds[1], &interval(1, at, 3_000_000, &[]));
    }
    handle.stop().expect("stop");
    let read = read(dir.path());
    let of = |tag: &str| (read[tag].0, read[tag].1.len());
    assert_eq!((of(""), of("shard1.total"), of("route.n/r.total")), ((3, 100), (3, 50), (3, 50)));
    assert_eq!(of("route.others.tax"), (3, 25));
}

#[test]
fn an_interval_that_a_shard_does_not_have_is_not_waited_for_at_the_end() {
    let dir = tempfile::tempdir().expect("dir");
    let (mut feeds, handle) = start_profile(Engine::Direct, profile_options(dir.path()), 2);
    // The other shard's of this interval was lost; its next one must not be mistaken for it.
    submit(&mut feeds[0], &interval(0, 0, 1_000_000, &[]));
    submit(&mut feeds[0], &interval(0, 1, 1_000_000, &[]));
    submit(&mut feeds[1], &interval(1, 1, 1_000_000, &[]));
    submit(&mut feeds[0], &interval(0, 2, 1_000_000, &[]));
    handle.stop().expect("stop");
    let read = read(dir.path());
    assert_eq!((read[""].0, read[""].1.len()), (3, 8));
    assert_eq!((read["shard0.total"].0, read["shard1.total"].0), (3, 1));
}

#[test]
fn every_file_of_a_rotation_stands_alone() {
    let dir = tempfile::tempdir().expect("dir");
    let mut options = profile_options(dir.path());
    options.files.segment_bytes = 2_000;
    let (mut feeds, handle) = start_profile(Engine::Direct, options, 1);
    for at in 0..50 {
        submit(&mut feeds[0], &interval(0, at, 1_000_000, &[]));
    }
    handle.stop().expect("stop");
    assert!(segments(dir.path()).len() > 2, "{}", segments(dir.path()).len());
    let read = read(dir.path());
    assert_eq!(read.keys().collect::<Vec<_>>(), ["", "tax"], "one shard is not said twice");
    assert_eq!((read[""].0, read[""].1.len()), (50, 100));
}

#[test]
fn an_idle_interval_is_a_line_and_a_full_queue_is_counted() {
    let dir = tempfile::tempdir().expect("dir");
    let (mut feeds, handle) = start_profile(Engine::Direct, profile_options(dir.path()), 1);
    let quiet = IntervalProfile { times: Times::new(3), ..(*interval(0, 0, 1, &[])).clone() };
    submit(&mut feeds[0], &Arc::new(quiet));
    let gauge = handle.gauge();
    handle.stop().expect("stop");
    assert_eq!((read(dir.path())[""].0, read(dir.path())[""].1.len()), (1, 0));
    // Nobody reads any more.
    let one = interval(0, 1, 1_000, &[(Scope::Service, "s")]);
    let accepted = (0..100).filter(|_| feeds[0].submit(one.clone())).count();
    let stats = gauge.stats().profile;
    let refused = 100 - accepted as u64;
    assert!(refused >= 90, "{refused}");
    assert_eq!((stats.dropped_buffers, stats.dropped_lines), (refused, refused * 4));
}

#[test]
fn both_kinds_are_written_by_one_recorder() {
    let dir = tempfile::tempdir().expect("dir");
    let (logs, hdr) = (dir.path().join("logs"), dir.path().join("hdr"));
    let options = RecorderOptions { access: Some(options(&logs)), profile: Some(profile_options(&hdr)) };
    let Started { mut feeds, mut profiles, handle } = start(options, 1).expect("start");
    submit(&mut profiles[0], &interval(0, 0, 1_000_000, &[]));
    feed_lines(&mut feeds[0], 0, 1_000, 16 * 1024);
    handle.stop().expect("stop");
    assert_eq!(text(&logs).lines().count(), 1_000);
    assert_eq!(read(&hdr)[""].0, 1);
}

#[test]
fn one_folder_that_cannot_be_stops_both_and_is_named() {
    let dir = tempfile::tempdir().expect("dir");
    let file = dir.path().join("file");
    fs::write(&file, "").expect("file");
    let options = RecorderOptions {
        access: Some(options(&dir.path().join("logs"))),
        profile: Some(profile_options(&file.join("hdr"))),
    };
    let refused = start(options, 1).err().expect("refused");
    assert!(refused.to_string().contains("file/hdr"), "{refused}");
}

//! The rings together: the bound over all of them, and followers who are late.

use super::*;

fn say(logs: &ModuleLogs, module: &str, text: &str) {
    let entry = Entry {
        seq: 0,
        at_ms: 0,
        level: Level::Info,
        kind: "console",
        what: "console",
        source: None,
        function: None,
        route: None,
        request_id: None,
        shard: Some(0),
        text: text.into(),
        stack: String::new(),
    };
    logs.add(&module.into(), entry);
    logs.tell();
}

fn logs(lines: usize, bytes: usize, total_bytes: usize) -> Arc<ModuleLogs> {
    Arc::new(ModuleLogs::new(Bounds { lines, bytes, total_bytes }))
}

const ALL: Wanted = Wanted { level: Level::Debug, since: None, limit: usize::MAX };

fn texts(batch: &Batch) -> Vec<&str> {
    batch.entries.iter().filter_map(|entry| entry["text"].as_str()).collect()
}

/// What is counted over all is what all have.
#[track_caller]
fn check_sum(logs: &ModuleLogs) {
    let rings = logs.rings();
    assert_eq!(rings.bytes, rings.by_module.values().map(Ring::bytes).sum::<usize>());
}

#[test]
fn the_bound_over_all_is_paid_by_who_is_noisy() {
    let logs = logs(1_000, 100_000, 60_000);
    for module in ["a/quiet", "b/quiet"] {
        (0..5).for_each(|n| say(&logs, module, &n.to_string()));
    }
    (0..2_000).for_each(|_| say(&logs, "a/noisy", &"x".repeat(100)));
    (0..2_000).for_each(|_| say(&logs, "b/noisy", &"x".repeat(100)));
    for module in ["a/quiet", "b/quiet"] {
        assert_eq!(logs.read(module, ALL).0.len(), 5, "{module}");
    }
    let sizes: Vec<u64> =
        ["a/noisy", "b/noisy"].map(|module| logs.size(module)["bytes"].as_u64().expect("bytes")).into();
    assert!(sizes.iter().sum::<u64>() <= 60_000 && sizes.iter().all(|bytes| *bytes > 20_000), "{sizes:?}");
    let (entries, dropped) = logs.read("a/noisy", ALL);
    assert_eq!(entries.len() as u64 + dropped, 2_000);
    check_sum(&logs);
    logs.retain(|module| module.starts_with("a/"));
    assert_eq!((logs.read("b/quiet", ALL).0.len(), logs.read("a/quiet", ALL).0.len()), (0, 5));
    check_sum(&logs);
}

#[test]
fn numbers_grow_over_all_modules() {
    let logs = logs(10, 10_000, 100_000);
    let before = logs.newest();
    say(&logs, "a/x", "1");
    say(&logs, "a/y", "2");
    say(&logs, "a/x", "3");
    let seqs: Vec<u64> = ["a/x", "a/y"]
        .iter()
        .flat_map(|module| logs.read(module, ALL).0)
        .map(|entry| entry["seq"].as_u64().expect("a number") - before)
        .collect();
    assert_eq!(seqs, [1, 3, 2]);
    assert!(before < 1 << 53, "JavaScript reads it exactly");
}

#[tokio::test]
async fn followers_get_what_comes_and_learn_what_they_missed() {
    let logs = logs(4, 100_000, 1_000_000);
    let (first, mut early) = logs.follow("a/m", ALL).expect("a follower");
    assert_eq!((first.entries.len(), early.take().entries.len()), (0, 0));
    say(&logs, "a/m", "1");
    say(&logs, "a/other", "no");
    assert!(early.changed().await);
    assert_eq!(texts(&early.take()), ["1"]);
    (2..=9).for_each(|n| say(&logs, "a/m", &n.to_string()));
    let batch = early.take();
    assert_eq!((batch.skipped, texts(&batch)), (4, vec!["6", "7", "8", "9"]));
    // Somebody who comes now, from the last two on.
    let (first, mut late) = logs.follow("a/m", Wanted { limit: 2, ..ALL }).expect("a follower");
    assert_eq!(texts(&first), ["8", "9"]);
    // After an entry that is there, in two parts.
    let since = first.entries[0]["seq"].as_u64().map(|seq| seq - 2);
    let (first, mut since) = logs.follow("a/m", Wanted { since, limit: 1, ..ALL }).expect("a follower");
    assert_eq!((texts(&first), texts(&since.take())), (vec!["7"], vec!["8", "9"]));
    // The module goes and comes back: nothing is called missed.
    logs.retain(|_| false);
    say(&logs, "a/m", "new");
    let batch = late.take();
    assert_eq!((batch.skipped, texts(&batch)), (0, vec!["new"]));
    logs.close();
    assert!(!early.changed().await || !early.changed().await);
    assert!(logs.follow("a/m", ALL).is_none());
}

#[test]
fn followers_are_bounded_and_make_room_when_they_go() {
    let logs = logs(4, 1_000, 1_000);
    let mut all: Vec<_> = (0..FOLLOWERS).map(|_| logs.follow("a/m", ALL).expect("room")).collect();
    assert!(logs.follow("a/m", ALL).is_none());
    all.pop();
    assert!(logs.follow("a/m", ALL).is_some());
}

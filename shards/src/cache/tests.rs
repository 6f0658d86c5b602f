//! Shards that are simulated in one thread, over the queues that the real ones use. What they do, and who reads how many
//! messages when, comes from a seed; what must hold then holds for every order that the queues allow.

use super::keeper::{Bounds, Keeper, Outcome, Place, expiry, owner_of};
use super::mail::{Mail, MailBounds};
use super::message::ToPeer;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tidegate_js::{CacheUpdate, CacheValue};
use tidegate_mailbox::{QueueReader, queue};

const NAMESPACE: &str = "n";

struct Shard {
    keeper: Keeper,
    mail: Mail,
    inbox: QueueReader<ToPeer>,
    place: Place,
}

/// What was asked and is not answered yet.
#[derive(Clone)]
struct Open {
    key: String,
    update: CacheUpdate,
    /// Least value that a read may answer: the counter's highest sum that was answered before it was asked.
    at_least: i64,
}

struct World {
    shards: Vec<Shard>,
    bounds: MailBounds,
    namespace: Arc<str>,
    now_ms: u64,
    tickets: u64,
    open: BTreeMap<u64, Open>,
    /// By counter: answered sums, and how many increments failed.
    sums: BTreeMap<String, BTreeSet<i64>>,
    /// By key: comparisons that succeeded, as what was expected and what was written.
    swaps: BTreeMap<String, BTreeMap<Option<String>, Option<String>>>,
    /// Every value written is another.
    serial: u64,
}

fn text(value: &Option<CacheValue>) -> Option<String> {
    value.as_ref().map(|value| match value {
        CacheValue::Json(text) => text.to_string(),
        CacheValue::Bytes(bytes) => format!("{bytes:?}"),
    })
}

impl World {
    fn new(count: u16, queue_length: usize, mail: MailBounds, bounds: Bounds) -> Self {
        let (writers, inboxes): (Vec<_>, Vec<_>) =
            (0..count).map(|_| queue::<ToPeer>(queue_length, Arc::new(|| {}))).unzip();
        let shard = |(me, inbox): (usize, QueueReader<ToPeer>)| {
            let others = writers.iter().enumerate().map(|(at, w)| (at != me).then(|| w.clone())).collect();
            Shard {
                keeper: Keeper::new(me as u16, count, bounds),
                mail: Mail::new(me as u16, others, mail),
                inbox,
                place: Place::default(),
            }
        };
        Self {
            shards: inboxes.into_iter().enumerate().map(shard).collect(),
            bounds: mail,
            namespace: NAMESPACE.into(),
            now_ms: 1_000,
            tickets: 0,
            open: BTreeMap::new(),
            sums: BTreeMap::new(),
            swaps: BTreeMap::new(),
            serial: 0,
        }
    }

    fn get(&mut self, on: usize, key: &str) -> Option<String> {
        let Shard { keeper, place, .. } = &mut self.shards[on];
        text(&keeper.get(NAMESPACE, place, key, self.now_ms))
    }

    fn set(&mut self, on: usize, key: &str, value: Option<&str>, ttl_ms: Option<u64>) -> Result<(), String> {
        let Shard { keeper, mail, place, .. } = &mut self.shards[on];
        let value = value.map(|value| CacheValue::Json(value.into()));
        keeper.set((&self.namespace, place), key, value, expiry(ttl_ms, self.now_ms), mail)
    }

    /// Begins an update; an answer that is there at once is judged at once.
    fn update(&mut self, on: usize, key: &str, update: CacheUpdate) {
        self.tickets += 1;
        let ticket = self.tickets;
        let at_least = self.sums.get(key).and_then(|sums| sums.last().copied()).unwrap_or(0);
        self.open.insert(ticket, Open { key: key.into(), update: update.clone(), at_least });
        let Shard { keeper, mail, place, .. } = &mut self.shards[on];
        let whose = (&self.namespace, &*place);
        if let Some(outcome) = keeper.update(whose, key, update, || ticket, self.now_ms, mail) {
            self.answered(ticket, outcome);
        }
    }

    fn answered(&mut self, ticket: u64, outcome: Outcome) {
        let Open { key, update, at_least } = self.open.remove(&ticket).expect("one answer for each question");
        // Refused: it did not happen.
        let Ok(answer) = outcome else { return };
        match update {
            CacheUpdate::Increment { .. } => {
                let sum = text(&answer).and_then(|sum| sum.parse().ok()).expect("a sum");
                assert!(
                    self.sums.entry(key.clone()).or_default().insert(sum),
                    "{key}: {sum} was answered twice"
                );
            }
            CacheUpdate::CompareAndSet { expected, value, .. }
                if text(&answer).as_deref() == Some("true") =>
            {
                let before = self.swaps.entry(key.clone()).or_default().insert(text(&expected), text(&value));
                assert_eq!(before, None, "{key}: two comparisons with {expected:?} succeeded");
            }
            CacheUpdate::CompareAndSet { .. } => {}
            CacheUpdate::Read => {
                let read = text(&answer).and_then(|sum| sum.parse::<i64>().ok()).unwrap_or(0);
                assert!(read >= at_least, "{key}: read {read} after {at_least} was answered");
            }
        }
    }

    /// A shard reads up to `count` messages; answers how many there were.
    fn read(&mut self, on: usize, count: usize) -> usize {
        for read in 0..count {
            let Shard { keeper, mail, inbox, .. } = &mut self.shards[on];
            let Some(message) = inbox.take() else { return read };
            if let Some((ticket, outcome)) = keeper.receive(message, self.now_ms, mail) {
                self.answered(ticket, outcome);
            }
        }
        count
    }

    fn flush(&mut self, on: usize) -> bool {
        let Shard { keeper, mail, .. } = &mut self.shards[on];
        mail.flush();
        keeper.catch_up(mail) && mail.is_idle()
    }

    /// Everything arrives.
    fn settle(&mut self) {
        for _ in 0..100_000 {
            let mut is_quiet = true;
            for on in 0..self.shards.len() {
                is_quiet &= self.flush(on);
                is_quiet &= self.read(on, 64) == 0;
            }
            if is_quiet {
                return;
            }
        }
        panic!("the shards never come to rest");
    }

    /// What every replica has of a key.
    fn replicas(&mut self, key: &str) -> Vec<Option<String>> {
        let now_ms = self.now_ms;
        self.shards.iter_mut().map(|s| text(&s.keeper.peek(NAMESPACE, key, now_ms))).collect()
    }

    fn check_bounds(&self, space_bytes: usize) {
        for shard in &self.shards {
            assert!(shard.keeper.sizes().1 <= space_bytes);
            let (messages, bytes) = shard.mail.most_waiting();
            // Answers are bounded by the questions.
            assert!(messages <= self.bounds.waiting + self.tickets as usize);
            assert!(bytes <= self.bounds.waiting_bytes + 1_000 + 200 * self.tickets as usize);
        }
    }
}

/// What happens in a simulated world.
#[derive(Debug, Clone)]
enum Step {
    Set { on: usize, key: u8, ttl_ms: Option<u64>, bytes: usize },
    Delete { on: usize, key: u8 },
    Increment { on: usize, key: u8 },
    Swap { on: usize, key: u8 },
    Read { on: usize, key: u8 },
    Deliver { on: usize, count: usize },
    Flush { on: usize },
    Pass { ms: u64 },
    Sweep { on: usize },
}

fn step(shards: usize) -> impl Strategy<Value = Step> {
    let (on, key) = (0..shards, 0u8..6);
    let both = (on.clone(), key);
    let ttl = proptest::option::of(1u64..200);
    prop_oneof![
        6 => (both.clone(), ttl, 0usize..60).prop_map(|((on, key), ttl_ms, bytes)| Step::Set { on, key, ttl_ms, bytes }),
        1 => both.clone().prop_map(|(on, key)| Step::Delete { on, key }),
        5 => both.clone().prop_map(|(on, key)| Step::Increment { on, key }),
        3 => both.clone().prop_map(|(on, key)| Step::Swap { on, key }),
        2 => both.prop_map(|(on, key)| Step::Read { on, key }),
        8 => (on.clone(), 1usize..6).prop_map(|(on, count)| Step::Deliver { on, count }),
        3 => on.clone().prop_map(|on| Step::Flush { on }),
        2 => (1u64..60).prop_map(|ms| Step::Pass { ms }),
        1 => on.prop_map(|on| Step::Sweep { on }),
    ]
}

/// Does a step. Keys of plain values, counters and comparisons are apart.
fn play(world: &mut World, step: Step) {
    match step {
        Step::Set { on, key, ttl_ms, bytes } => {
            world.serial += 1;
            let ends = expiry(ttl_ms, world.now_ms);
            let value = format!("{}-{ends}-{}", world.serial, "x".repeat(bytes));
            let key = format!("v{key}");
            if world.set(on, &key, Some(&value), ttl_ms).is_ok() {
                assert_eq!(world.get(on, &key), Some(value), "own writes are seen at once");
            }
        }
        Step::Delete { on, key } => {
            let key = format!("v{key}");
            if world.set(on, &key, None, None).is_ok() {
                assert_eq!(world.get(on, &key), None, "own deletions are seen at once");
            }
        }
        Step::Increment { on, key } => {
            world.update(on, &format!("c{key}"), CacheUpdate::Increment { by: 1, ttl_ms: None });
        }
        Step::Swap { on, key } => {
            world.serial += 1;
            let key = format!("s{key}");
            // What it expects is what this shard knows, which may be old.
            let expected = world.get(on, &key).map(|text| CacheValue::Json(text.into()));
            let value = Some(CacheValue::Json(world.serial.to_string().into()));
            world.update(on, &key, CacheUpdate::CompareAndSet { expected, value, ttl_ms: None });
        }
        Step::Read { on, key } => world.update(on, &format!("c{key}"), CacheUpdate::Read),
        Step::Deliver { on, count } => drop(world.read(on, count)),
        Step::Flush { on } => drop(world.flush(on)),
        Step::Pass { ms } => {
            world.now_ms += ms;
            for on in 0..world.shards.len() {
                for key in 0..6 {
                    if let Some(value) = world.get(on, &format!("v{key}")) {
                        let ends = value.split('-').nth(1).and_then(|ms| ms.parse::<u64>().ok());
                        assert!(ends.is_some_and(|ends| ends > world.now_ms), "read after its end: {value}");
                    }
                }
            }
        }
        Step::Sweep { on } => world.shards[on].keeper.sweep(3, world.now_ms),
    }
}

/// What holds once everything has arrived. `is_roomy`: nothing had to be forgotten.
fn judge(world: &mut World, is_roomy: bool) {
    world.settle();
    assert!(world.open.is_empty(), "every question was answered");
    let count = world.shards.len() as u16;
    for key in 0..6 {
        for kind in ["v", "c", "s"] {
            let key = format!("{kind}{key}");
            let replicas = world.replicas(&key);
            let known: BTreeSet<_> = replicas.iter().filter(|value| is_roomy || value.is_some()).collect();
            assert!(known.len() <= 1, "{key} differs: {replicas:?}");
        }
        // Sums are 1, 2, 3 … without a gap, and the owner has the last one.
        let key = format!("c{key}");
        let sums = world.sums.get(&key).cloned().unwrap_or_default();
        assert!(sums.iter().copied().eq(1..=sums.len() as i64), "{key}: {sums:?}");
        let owner = usize::from(owner_of(NAMESPACE, &key, count));
        let held = world.replicas(&key)[owner].clone();
        assert_eq!(held, sums.last().map(i64::to_string), "{key}: the owner keeps its counters");
    }
    // Successful comparisons make one chain, from nothing to what is there now.
    for (key, swaps) in world.swaps.clone() {
        let (mut at, mut steps) = (None, 0);
        while let Some(next) = swaps.get(&at) {
            (at, steps) = (next.clone(), steps + 1);
        }
        assert_eq!(steps, swaps.len(), "{key}: {swaps:?}");
        let owner = usize::from(owner_of(NAMESPACE, &key, count));
        assert_eq!(world.replicas(&key)[owner], at, "{key}");
    }
}

const ROOMY: Bounds = Bounds { space_bytes: 1 << 20, value_bytes: 1 << 10 };

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn replicas_converge_and_updates_are_exact(
        shards in 1usize..5,
        steps in prop::collection::vec(step(4), 0..300),
    ) {
        let mut world = World::new(shards as u16, 4_096, MailBounds::default(), ROOMY);
        for step in steps {
            play(&mut world, on(step, shards));
        }
        judge(&mut world, true);
    }

    /// Queues of two messages and a backlog of three: most of what is said does not get through.
    #[test]
    fn what_does_not_get_through_is_forgotten_and_never_wrong(
        shards in 2usize..5,
        steps in prop::collection::vec(step(4), 0..300),
        waiting_bytes in 200usize..2_000,
    ) {
        let mail = MailBounds { waiting: 3, waiting_bytes, unread_bytes: 600 };
        let mut world = World::new(shards as u16, 2, mail, ROOMY);
        for step in steps {
            play(&mut world, on(step, shards));
            world.check_bounds(ROOMY.space_bytes);
        }
        judge(&mut world, false);
        // After that it works as before.
        world.set(0, "v0", Some("again"), None).expect("there is room again");
        world.settle();
        prop_assert!(world.replicas("v0").iter().all(|replica| replica.as_deref() == Some("again")));
    }

    /// Room for about six values beside the counters.
    #[test]
    fn bounds_hold_and_counters_stay(
        shards in 1usize..4,
        steps in prop::collection::vec(step(4), 0..300),
    ) {
        let bounds = Bounds { space_bytes: 18 * 200, value_bytes: 1_000 };
        let mut world = World::new(shards as u16, 4_096, MailBounds::default(), bounds);
        for step in steps {
            // A value that finds no room beside the counters is not seen; that is another test's business.
            if !matches!(step, Step::Set { bytes: 40.., .. }) {
                play(&mut world, on(step, shards));
            }
            world.check_bounds(bounds.space_bytes);
        }
        judge(&mut world, false);
    }
}

/// Moves a step to a shard that is there.
fn on(step: Step, shards: usize) -> Step {
    let at = |on| on % shards;
    match step {
        Step::Set { on, key, ttl_ms, bytes } => Step::Set { on: at(on), key, ttl_ms, bytes },
        Step::Delete { on, key } => Step::Delete { on: at(on), key },
        Step::Increment { on, key } => Step::Increment { on: at(on), key },
        Step::Swap { on, key } => Step::Swap { on: at(on), key },
        Step::Read { on, key } => Step::Read { on: at(on), key },
        Step::Deliver { on, count } => Step::Deliver { on: at(on), count },
        Step::Flush { on } => Step::Flush { on: at(on) },
        Step::Sweep { on } => Step::Sweep { on: at(on) },
        Step::Pass { ms } => Step::Pass { ms },
    }
}

#[test]
fn an_own_write_is_not_undone_by_older_words() {
    let mut world = World::new(2, 64, MailBounds::default(), ROOMY);
    let key = (0..).map(|n| format!("v{n}")).find(|key| owner_of(NAMESPACE, key, 2) == 0).expect("a key");
    world.set(1, &key, Some("1"), None).expect("set");
    world.read(0, 1);
    world.set(0, &key, Some("other"), None).expect("set");
    world.set(1, &key, Some("2"), None).expect("set");
    while world.read(1, 1) > 0 {
        assert_eq!(world.get(1, &key).as_deref(), Some("2"));
    }
    world.settle();
    assert_eq!(world.replicas(&key), [Some("2".into()), Some("2".into())]);
}

#[test]
fn counters_fill_the_cache_and_say_so() {
    let bounds = Bounds { space_bytes: 1_000, value_bytes: 100 };
    let mut world = World::new(1, 1, MailBounds::default(), bounds);
    let add = || CacheUpdate::Increment { by: 1, ttl_ms: Some(50) };
    let mut refused = 0;
    for n in 0..10 {
        world.set(0, &format!("v{n}"), Some("1"), None).expect("plain values make room");
        let Shard { keeper, mail, place, .. } = &mut world.shards[0];
        let outcome =
            keeper.update((&world.namespace, place), &format!("c{n}"), add(), || 0, world.now_ms, mail);
        match outcome.expect("answered here") {
            Ok(sum) => assert_eq!(text(&sum).as_deref(), Some("1")),
            Err(why) => {
                assert!(why.contains("full of counters") && why.contains("--cache-bytes"), "{why}");
                refused += 1;
            }
        }
        world.check_bounds(bounds.space_bytes);
    }
    assert_eq!(refused, 5);
    assert_eq!((world.get(0, "c0").as_deref(), world.get(0, "v9")), (Some("1"), None), "counters came first");
    world.now_ms += 50;
    world.shards[0].keeper.sweep(100, world.now_ms);
    world.set(0, "v1", Some("1"), None).expect("set");
    assert_eq!(world.get(0, "v1").as_deref(), Some("1"), "counters whose time is over make room");
    let counts = world.shards[0].keeper.take_counts();
    assert!(
        counts.evictions > 0 && counts.hits == 2 && counts.misses == 1 && counts.dropped == 0,
        "{counts:?}"
    );
    assert_eq!(world.shards[0].keeper.take_counts().hits, 0);
}

#[test]
fn values_that_are_too_large_are_refused() {
    let bounds = Bounds { space_bytes: 2_000, value_bytes: 10 };
    let mut world = World::new(1, 1, MailBounds::default(), bounds);
    world.set(0, "v", Some("0123456789"), None).expect("just fits");
    let why = world.set(0, "v", Some("0123456789a"), None).expect_err("too large");
    assert!(why.contains("11 bytes") && why.contains("up to 10"), "{why}");
    assert_eq!(world.get(0, "v").as_deref(), Some("0123456789"), "and nothing happened");
}

#[test]
fn namespaces_that_are_gone_take_their_values_along() {
    let mut world = World::new(1, 1, MailBounds::default(), ROOMY);
    world.set(0, "v", Some("1"), None).expect("set");
    world.shards[0].keeper.install(1, |name| name == NAMESPACE);
    assert_eq!(world.get(0, "v").as_deref(), Some("1"));
    world.shards[0].keeper.install(2, |_| false);
    assert_eq!((world.get(0, "v"), world.shards[0].keeper.sizes()), (None, (0, 0)));
    // Written under a snapshot that the next one to be installed does not know yet.
    world.set(0, "v", Some("2"), None).expect("set");
    world.shards[0].keeper.install(2, |_| false);
    assert_eq!(world.get(0, "v").as_deref(), Some("2"));
    world.set(0, "v", None, None).expect("deleted");
    world.shards[0].keeper.sweep(10, world.now_ms);
    assert_eq!(world.shards[0].keeper.sizes().0, 0, "an empty namespace is not kept");
}

#[test]
fn a_shard_answers_until_the_last_one_has_finished() {
    let mut world = World::new(2, 64, MailBounds::default(), ROOMY);
    let key = (0..).map(|n| format!("c{n}")).find(|key| owner_of(NAMESPACE, key, 2) == 1).expect("a key");
    let finish = |world: &mut World, on: usize| {
        let Shard { keeper, mail, .. } = &mut world.shards[on];
        keeper.finish(mail);
        world.settle();
        world.shards.iter().map(|shard| shard.keeper.is_over()).collect::<Vec<_>>()
    };
    assert_eq!(finish(&mut world, 1), [false, false]);
    world.update(0, &key, CacheUpdate::Increment { by: 1, ttl_ms: None });
    world.settle();
    assert_eq!(world.sums[&key].last(), Some(&1));
    assert_eq!(finish(&mut world, 0), [true, true]);
}

#[test]
fn keys_have_owners_on_all_shards() {
    for shards in [2u16, 3, 8, 64] {
        for pattern in ["k", "user:", "rate:10.0.0.", ""] {
            let mut owned = vec![0; usize::from(shards)];
            for n in 0..u32::from(shards) * 64 {
                owned[usize::from(owner_of(NAMESPACE, &format!("{pattern}{n}"), shards))] += 1;
            }
            assert!(owned.iter().all(|count| (24..128).contains(count)), "{pattern} {shards}: {owned:?}");
        }
    }
}

//! What a shard's thread does for a request, instruction by instruction: it takes no lock and exchanges nothing with
//! memory that another core could wait for. The shard is in a process of its own, which nobody else uses and
//! which reports to nobody meanwhile.

#![expect(clippy::disallowed_types, clippy::disallowed_methods, reason = "a test looks at another process")]

use crate::rig::{Client, Shard, Upstream};
use crate::tracer::{Seen, Tracer};
use crate::{GET, WARM_UP};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tidegate_shards::Limits;

/// Says to this binary that it is the process with the shard.
const CHILD: &str = "TIDEGATE_STEADY_CHILD";
/// Requests that are walked through.
const REQUESTS: u64 = 2;
/// Where the runtime counts references to its tasks. Atomic, but of memory that this thread alone touches.
const TASKS: &str = "monoio::task::";
/// A walk is slow: nothing of it may run into a time-out.
const LONG: Duration = Duration::from_secs(3_600);

/// The child: serves until its input ends.
#[test]
fn child() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    let limits = Limits {
        report_interval: LONG,
        hdr_interval: LONG,
        header_timeout: LONG,
        idle_timeout: LONG,
        write_timeout: LONG,
        upstream_idle_timeout: LONG,
        ..Limits::default()
    };
    // With everything that the process does for a request beside: its line, with its query.
    let shard = Shard::recording(Upstream::length(100), limits, "json");
    println!("\nlistens on {}", shard.address);
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
    std::process::exit(0);
}

fn start() -> (Child, Client) {
    let mut child = Command::new(std::env::current_exe().expect("this binary"))
        .args(["--exact", "steps::child", "--nocapture"])
        .env(CHILD, "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a child");
    let mut said = BufReader::new(child.stdout.take().expect("piped"));
    let mut lines = said.by_ref().lines().map_while(Result::ok);
    let address = lines.find_map(|line| line.strip_prefix("listens on ")?.parse().ok());
    // Kept open: whoever writes to nobody is ended.
    child.stdout = Some(said.into_inner());
    (child, Client::to(address.expect("the child tells where it listens")))
}

/// Ends the walk however its client ends.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

fn walk(tracer: &mut Tracer, client: &mut Client, request: &[u8]) -> Seen {
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let _over = Over(&is_over);
            (0..REQUESTS).for_each(|_| client.exchange(request, 100));
        });
        tracer.walk(|| is_over.load(Ordering::Acquire)).expect("the shard lives")
    })
}

#[test]
fn no_lock_is_taken_for_a_request() {
    check("GET", GET);
    let mut post = b"POST /a?b=c HTTP/1.1\r\nHost: h\r\nContent-Length: 4096\r\n\r\n".to_vec();
    post.resize(post.len() + 4_096, b'x');
    check("POST", &post);
}

fn check(what: &str, request: &[u8]) {
    let (mut child, mut client) = start();
    (0..WARM_UP).for_each(|_| client.exchange(request, 100));
    let mut tracer = match Tracer::attach(child.id(), "shard-0") {
        Ok(tracer) => tracer,
        Err(why) => {
            // Past the test's capture: whoever reads the result must see that nothing was looked at.
            let word = format!("SKIPPED, locks of a {what}: nobody may trace a process here: {why}\n");
            let _ = std::io::stderr().write_all(word.as_bytes());
            drop(child.stdin.take());
            let _ = child.wait();
            return;
        }
    };
    let seen = walk(&mut tracer, &mut client, request);
    let sites = seen.locked.iter().filter_map(|(at, times)| Some((tracer.function(*at)?, *times)));
    // Timers allocate a few times a second; that requests do not is what the other test says.
    let sites = sites.filter(|(function, _)| !function.contains("__rust_alloc"));
    let (tasks, locked): (Vec<_>, Vec<_>) = sites.partition(|(function, _)| function.contains(TASKS));
    drop(tracer);
    drop(child.stdin.take());
    let _ = child.wait();
    let calls: BTreeMap<u64, u64> = seen.calls.iter().map(|(call, times)| (*call, *times)).collect();
    println!(
        "a {what}: {} instructions, {} changes of the runtime's task counts; system calls of {REQUESTS}: {calls:?}",
        seen.instructions / REQUESTS,
        tasks.iter().map(|(_, times)| times).sum::<u64>() / REQUESTS,
    );
    assert!(seen.instructions > 1_000 * REQUESTS, "it was walked through");
    assert!(locked.is_empty(), "{what}: locked instructions with how often each was executed: {locked:#?}");
    let futex = u64::try_from(libc::SYS_futex).expect("a number");
    assert!(!calls.contains_key(&futex), "{what}: {calls:?}");
}

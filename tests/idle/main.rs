//! What an idle keep-alive connection costs in memory. `TIDEGATE_IDLE_CONNECTIONS` opens more of them, for a look by hand
//! with a release build.

#[path = "../harness/mod.rs"]
mod harness;

use harness::{Client, Config, Gateway, answers_well, until};

/// Most bytes of the process for one connection that has been served and is idle, in a debug build too.
const MOST_BYTES: u64 = 16 << 10;

/// Allows as many open files as the system lets this process have.
fn raise_open_files() -> u64 {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: both calls get a valid `rlimit`; raising the soft limit to the hard one is always allowed.
    unsafe {
        assert_eq!(libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit), 0);
        limit.rlim_cur = limit.rlim_max;
        assert_eq!(libc::setrlimit(libc::RLIMIT_NOFILE, &limit), 0);
    }
    limit.rlim_max
}

fn idle(runtime: &str) {
    let asked = std::env::var("TIDEGATE_IDLE_CONNECTIONS").ok().and_then(|text| text.parse().ok());
    let count: usize = asked.unwrap_or(2_000);
    let files = raise_open_files();
    // Half of the gateway's files are for upstreams.
    if files < 2 * count as u64 + 500 {
        println!("skipped: {count} connections need more than the {files} files that may be open here");
        return;
    }
    let upstream = answers_well();
    let most = (count + 100).to_string();
    let config = Config::new().serve("a", upstream.url());
    let gateway = Gateway::start(runtime, &config, &["--max-connections", &most, "--idle-timeout", "10m"]);
    // What is made once is no part of it.
    for _ in 0..100 {
        assert_eq!(gateway.get("/a").status(), 200);
    }
    until("those are gone", || gateway.metric("tidegate_connections", "") == 0);
    let before = gateway.memory_kib("VmRSS");
    let mut clients: Vec<Client> = Vec::new();
    for _ in 0..count {
        let mut client = gateway.connect();
        assert_eq!(client.get("/a").status(), 200);
        client.stream.forget_buffer();
        clients.push(client);
    }
    until("all are open", || gateway.metric("tidegate_connections", "") == count as u64);
    let after = gateway.memory_kib("VmRSS");
    let each = (after - before) * 1024 / count as u64;
    println!("{runtime}: {count} idle connections, RSS {before} -> {after} KiB, {each} bytes each");
    assert!(each <= MOST_BYTES, "{each} bytes for an idle connection");
    // They are idle and not dead.
    for client in clients.iter_mut().step_by(97) {
        assert_eq!(client.get("/a").status(), 200);
    }
    drop(clients);
    until("all are gone", || gateway.metric("tidegate_connections", "") == 0);
}

/// One after another: they share the files that may be open.
#[test]
fn an_idle_connection_is_small() {
    harness::RUNTIMES.into_iter().for_each(idle);
}

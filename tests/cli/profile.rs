//! `tidegate top` and `tidegate profile` against a running gateway under load, and what shards keep while somebody asks.

use crate::harness::{Client, DEADLINE, Upstream, ok, until};
use crate::operator::node::{BINARY, Node, Plan, client as connect, module};
use crate::{Said, client};
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// How long the upstream thinks.
const THINKS: Duration = Duration::from_millis(30);

/// An upstream that answers late.
fn answers_late() -> Upstream {
    Upstream::answering(|_| {
        // Its vice, not a wait for anything.
        std::thread::sleep(THINKS);
        ok("late")
    })
}

/// A gateway before such an upstream, and clients that ask for `/late` and `/broken` one request after the other.
struct Loaded {
    node: Node,
    stop: Arc<AtomicBool>,
    clients: Vec<JoinHandle<()>>,
    _upstream: Upstream,
}

impl Loaded {
    fn start() -> Self {
        let upstream = answers_late();
        let node = Plan::new().start();
        node.put("/api/v1/service", json!({ "name": "s", "namespace": "default", "urls": [upstream.url()] }));
        node.put("/api/v1/module", module("m", "export function requestModifier(ctx: any) {}"));
        node.put(
            "/api/v1/module",
            module("bad", "export function requestModifier() { throw new Error('no'); }"),
        );
        for (name, rest) in [
            ("late", json!({ "service": "s", "modules": ["m"] })),
            ("broken", json!({ "service": "s", "modules": ["bad"] })),
        ] {
            let mut route = rest;
            (route["name"], route["namespace"]) = (name.into(), "default".into());
            (route["paths"], route["methods"]) = (json!([format!("/{name}")]), json!(["*"]));
            node.put("/api/v1/route", route);
        }
        let stop = Arc::new(AtomicBool::new(false));
        let clients = ["/late", "/broken"].map(|path| {
            let (port, stop) = (node.proxy, stop.clone());
            std::thread::spawn(move || asks_until(&stop, || connect(port), path))
        });
        Self { node, stop, clients: clients.into(), _upstream: upstream }
    }

    /// The client, which must succeed.
    #[track_caller]
    fn says(&self, words: &[&str]) -> Said {
        let said = client(&self.node, words);
        assert_eq!(said.code, Some(0), "{words:?}: {}{}", said.out, said.err);
        said
    }

    #[track_caller]
    fn json(&self, words: &[&str]) -> Value {
        let said = self.says(&[words, &["-o", "json"]].concat());
        serde_json::from_str(&said.out).unwrap_or_else(|_| panic!("not JSON: {}", said.out))
    }

    /// Rows in the shard's newest interval.
    fn rows(&self) -> u64 {
        let metrics = self.node.admin("GET", "/metrics", &Value::Null).text();
        let line = metrics.lines().find_map(|line| line.strip_prefix("tidegate_profile_rows{shard=\"0\"} "));
        line.and_then(|count| count.parse().ok()).unwrap_or(0)
    }
}

fn asks_until(stop: &AtomicBool, connect: impl Fn() -> Client, path: &str) {
    let mut client = connect();
    while !stop.load(Ordering::Acquire) {
        client.get(path);
        if path == "/broken" {
            // Not faster than the other: what is measured is the gateway, not how busy a test can keep it.
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Loaded {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        for client in self.clients.drain(..) {
            let ended = client.join();
            assert!(ended.is_ok() || std::thread::panicking(), "a client failed");
        }
    }
}

#[track_caller]
fn figure(row: &Value, phase: &str, name: &str) -> f64 {
    row["phases"][phase][name].as_f64().unwrap_or_else(|| panic!("no {name} of {phase}: {row}"))
}

#[test]
fn a_dump_tells_the_upstreams_time_from_the_gateways() {
    let loaded = Loaded::start();
    let profile = loaded.json(&["profile", "--for", "2s", "--svg", "plot.svg", "--hgrm", "dump.hgrm"]);
    let row = &profile["rows"][0];
    let late = row["phases"]["first_byte"]["count"].as_u64().unwrap_or(0);
    assert!((10..=110).contains(&late), "one after the other, each 30 ms: {late} in {}", profile["seconds"]);
    let think = THINKS.as_micros() as f64;
    let (first_byte, tax) = (figure(row, "first_byte", "p50_us"), figure(row, "tax", "p50_us"));
    assert!(first_byte >= think * 0.99 && first_byte < think * 3.0, "{row}");
    assert!(tax < first_byte / 3.0, "the gateway is not taken for its upstream: {row}");
    assert!(row["phases"]["total"].get("points").is_none(), "points are for plots");

    let file = |name: &str| std::fs::read_to_string(loaded.node.folder().join(name)).expect(name);
    let svg = file("plot.svg");
    assert!(svg.starts_with("<svg") && svg.contains("gateway tax") && svg.contains("first byte"), "{svg}");
    for phase in ["total", "tax", "first_byte"] {
        let text = file(&format!("dump.{phase}.hgrm"));
        let count =
            text.lines().last().and_then(|line| line.split("Total count    =").nth(1)).expect("a count");
        let count: u64 = count.trim_matches([' ', ']']).parse().expect("a number");
        assert_eq!(count, row["phases"][phase]["count"].as_u64().unwrap_or(0), "{text}");
    }

    let said = loaded.says(&["profile", "--for", "1s", "--by", "shard", "--key", "0"]);
    let lines: Vec<&str> = said.out.lines().collect();
    assert!(lines[0].starts_with("shard 0: ") && lines[1].starts_with("PHASE"), "{}", said.out);
    for name in ["total", "gateway tax", "upstream first byte", "modules"] {
        assert!(lines.iter().any(|line| line.starts_with(name)), "{name}: {}", said.out);
    }
    assert!(said.out.contains('●') && said.out.contains('◆') && said.out.contains("90%"), "{}", said.out);
}

#[test]
fn rows_are_kept_while_somebody_asks() {
    let loaded = Loaded::start();
    let top = loaded.json(&["top", "--once", "--by", "route,shard,module,service"]);
    let keys = |by: &str| -> Vec<String> {
        let rows = top[by]["rows"].as_array().expect("rows").iter();
        let mut keys: Vec<String> = rows.map(|row| row["key"].as_str().unwrap_or("?").to_owned()).collect();
        keys.sort();
        keys
    };
    for (by, wanted) in [
        ("shard", &["0"][..]),
        ("route", &["default/broken", "default/late"]),
        ("service", &["default/s"]),
        ("module", &["default/bad", "default/m"]),
    ] {
        assert_eq!(keys(by), wanted, "{top}");
    }
    let row = |key: &str| {
        let rows = top["route"]["rows"].as_array().expect("rows").iter();
        rows.into_iter().find(|row| row["key"] == key).cloned().expect("a row")
    };
    assert_eq!(row("default/late")["errors"], 0, "{top}");
    assert!(row("default/broken")["errors"].as_u64().is_some_and(|errors| errors > 0), "{top}");
    let service = &top["service"]["rows"][0];
    assert!(service["errors_per_second"].as_f64().is_some_and(|rate| rate > 0.0), "{top}");
    assert!(
        row("default/late")["requests_per_second"].as_f64().is_some_and(|rate| rate > 1.0 && rate < 40.0),
        "{top}"
    );
    let said = loaded.says(&["top", "--once", "--by", "route", "--sort", "p99"]);
    let lines: Vec<&str> = said.out.lines().collect();
    assert!(lines[0].starts_with("ROUTE") && lines[1].starts_with("default/late"), "{}", said.out);
    until("the shard keeps rows", || loaded.rows() > 0);
    // Nobody asks any more: the load goes on, the rows do not.
    until("the shard keeps none", || loaded.rows() == 0);
}

#[test]
fn without_a_terminal_tables_follow_each_other() {
    let loaded = Loaded::start();
    let mut child = Command::new(BINARY)
        .args(["--admin", &format!("http://127.0.0.1:{}", loaded.node.admin)])
        .args(["top", "--by", "shard", "--interval", "200ms"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary starts");
    let (send, lines) = std::sync::mpsc::channel();
    let out = BufReader::new(child.stdout.take().expect("piped"));
    std::thread::spawn(move || out.lines().map_while(Result::ok).try_for_each(|line| send.send(line)));
    let mut tables = 0;
    while tables < 3 {
        let line = lines.recv_timeout(DEADLINE).expect("a line in time");
        assert!(!line.contains('\u{1b}'), "{line:?}");
        tables += usize::from(line.starts_with("SHARD"));
    }
    child.kill().expect("it runs until it is ended");
    let _ = child.wait();
}

#[test]
fn what_is_asked_wrongly_is_said() {
    let node = Plan::new().start();
    for (words, code, why) in [
        (&["top", "--interval", "2m"][..], 2, "longer than the minute"),
        (&["top", "--by", "path"], 2, "invalid value 'path'"),
        (&["profile", "--for", "10"], 2, "write 500ms, 30s, 2m or 1h"),
        (&["profile", "--for", "1h", "--svg", "none/plot.svg"], 1, "could not be written"),
        (&["profile", "--for", "1h", "--hgrm", "none/plot.hgrm"], 1, "could not be written"),
        (&["profile", "--for", "1h", "--by", "route", "--key", "default/none"], 1, "no route 'default/none'"),
        (&["profile", "--for", "1h", "--by", "shard", "--key", "700"], 1, "no shard '700'"),
        (&["profile", "--for", "1h", "--by", "service", "--key", "users"], 1, "NAMESPACE/NAME"),
        (&["profile", "--for", "1h", "--key", "users"], 1, "say which with 'by'"),
    ] {
        let said = client(&node, words);
        assert!(said.code == Some(code) && said.err.contains(why), "{words:?}: {:?} {}", said.code, said.err);
    }
    let said = client(&node, &["profile", "--for", "100ms"]);
    assert_eq!(
        (said.code, said.out.as_str(), said.err.as_str()),
        (Some(0), "", "no node served anything in this time\n")
    );
}

/// The text that Prometheus' own tool has nothing to say about, where it is installed.
#[test]
fn prometheus_takes_the_phases() {
    let loaded = Loaded::start();
    until("the phases are there", || {
        let metrics = loaded.node.admin("GET", "/metrics", &Value::Null).text();
        let of = |phase: &str| format!("tidegate_phase_seconds_count{{shard=\"0\",phase=\"{phase}\"}} ");
        let count = |phase: &str| {
            let found = metrics.lines().find_map(|line| line.strip_prefix(&of(phase))?.parse().ok());
            found.unwrap_or(0u64)
        };
        count("total") > 0 && count("tax") > 0 && count("first_byte") > 0
    });
    let metrics = loaded.node.admin("GET", "/metrics", &Value::Null).text();
    let promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut promtool) = promtool else {
        println!("skipped: promtool is not installed");
        return;
    };
    std::io::Write::write_all(&mut promtool.stdin.take().expect("piped"), metrics.as_bytes())
        .expect("it reads");
    let output = promtool.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success() && said.trim().is_empty(), "{said}");
}

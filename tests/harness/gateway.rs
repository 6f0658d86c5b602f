//! The built binary, started with a configuration of its own in a folder of its own, known to be ready by its ports file,
//! ended when the test ends. Where the test fails its log is printed.

use super::client::{Client, until};
use super::config::Config;
use super::message::{Message, Stream};
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// What the main suites run on.
pub const RUNTIMES: [&str; 2] = ["auto", "epoll"];

/// A running gateway.
pub struct Gateway {
    child: Child,
    dir: tempfile::TempDir,
    pub proxy: SocketAddr,
    pub admin: SocketAddr,
}

impl Gateway {
    /// Starts it with one shard unless the flags say otherwise, and waits until it is ready.
    pub fn start(runtime: &str, config: &Config, flags: &[&str]) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let file = |name: &str| dir.path().join(name);
        fs::write(file("config.json"), config.text()).expect("written");
        let log = fs::File::create(file("log")).expect("a log");
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
        command.arg("serve").arg("--config").arg(file("config.json"));
        command.arg("--data-dir").arg(file("data")).arg("--ports-file").arg(file("ports"));
        // Tests run side by side: bound to CPUs their gateways would queue for the first one.
        command.args(["--admin-listen", "127.0.0.1:0", "--cpus", "any", "--runtime", runtime]);
        for (flag, value) in [("--proxy-listen", "127.0.0.1:0"), ("--shards", "1")] {
            if !flags.contains(&flag) {
                command.args([flag, value]);
            }
        }
        command.args(flags);
        command.stdin(Stdio::null()).stdout(log.try_clone().expect("a handle")).stderr(log);
        let child = command.spawn().expect("the gateway starts");
        let nowhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let mut gateway = Self { child, dir, proxy: nowhere, admin: nowhere };
        let ports = gateway.path("ports");
        until("the gateway is ready", || {
            let ended = gateway.child.try_wait().expect("a child");
            assert!(ended.is_none(), "the gateway ended at its start: {ended:?}");
            ports.exists()
        });
        let ports: serde_json::Value =
            serde_json::from_slice(&fs::read(ports).expect("ports")).expect("JSON");
        let port =
            |name: &str| ports[name].as_u64().and_then(|port| u16::try_from(port).ok()).expect("a port");
        gateway.proxy.set_port(port("proxy"));
        gateway.admin.set_port(port("admin"));
        gateway
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A client's connection.
    pub fn connect(&self) -> Client {
        Client::new(self.proxy)
    }

    /// One request on a connection of its own.
    pub fn ask(&self, request: impl AsRef<[u8]>) -> Message {
        self.connect().ask(request)
    }

    /// `GET path` on a connection of its own.
    pub fn get(&self, path: &str) -> Message {
        self.connect().get(path)
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    /// Its metrics.
    pub fn metrics(&self) -> String {
        let mut stream = Stream::new(TcpStream::connect(self.admin).expect("the admin API accepts"));
        stream.write("GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").expect("sent");
        while stream.fill().expect("metrics") {}
        String::from_utf8_lossy(stream.rest()).into_owned()
    }

    /// The sum of a metric's samples whose labels contain `label`.
    pub fn metric(&self, name: &str, label: &str) -> u64 {
        let metrics = self.metrics();
        let of = |line: &str| {
            let (sample, value) = line.rsplit_once(' ')?;
            let (found, labels) = sample.split_once('{').unwrap_or((sample, ""));
            (found == name && labels.contains(label)).then(|| value.parse::<f64>().unwrap_or_default())
        };
        metrics.lines().filter_map(of).sum::<f64>() as u64
    }

    /// How often a fault was counted.
    pub fn faults(&self, fault: &str) -> u64 {
        self.metric("tidegate_faults_total", &format!("fault=\"{fault}\""))
    }

    /// Waits until the fault was counted so often; reports come a few times a second.
    pub fn must_count(&self, fault: &str, times: u64) {
        until(&format!("{fault} is counted {times} times"), || self.faults(fault) >= times);
        assert_eq!(self.faults(fault), times, "{fault}");
    }

    /// The same, and that the log names it.
    pub fn must_tell(&self, fault: &str, times: u64) {
        self.must_count(fault, times);
        until(&format!("{fault} is in the log"), || self.log().contains(&format!("what=\"{fault}\"")));
    }

    /// A value of `/proc/PID/status` in KiB.
    pub fn memory_kib(&self, key: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("a process");
        let line = status.lines().find(|line| line.starts_with(&format!("{key}:"))).expect("a key");
        line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("a number")
    }

    /// Whether it still runs.
    pub fn is_alive(&mut self) -> bool {
        self.child.try_wait().is_ok_and(|ended| ended.is_none())
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let log = self.log();
        let ended = self.child.try_wait();
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let tail: Vec<&str> = log.lines().rev().take(60).collect();
            println!("--- the gateway's log ---");
            tail.iter().rev().for_each(|line| println!("{line}"));
            return;
        }
        assert!(matches!(ended, Ok(None)), "the gateway had ended by itself: {ended:?}\n{log}");
        assert!(!log.contains("panicked"), "a task of the gateway panicked:\n{log}");
    }
}

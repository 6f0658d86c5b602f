//! A gateway process: started with flags and a configuration, found through its ports file, its log kept, and killed
//! when the test lets go of it.

use super::{Json as _, Says as _};
use crate::harness::{Client, DEADLINE, Message, until};
use serde_json::Value;
use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// The binary under test.
pub const BINARY: &str = env!("CARGO_BIN_EXE_tidegate");

/// What a gateway is started with.
pub struct Plan {
    folder: Arc<TempDir>,
    data: Option<PathBuf>,
    flags: Vec<String>,
    envs: Vec<(String, String)>,
    before: Option<Box<dyn FnMut() -> std::io::Result<()> + Send + Sync>>,
}

impl Plan {
    /// One shard on any CPU, ephemeral ports, a data folder of its own.
    pub fn new() -> Self {
        let folder = Arc::new(TempDir::new().expect("a folder"));
        Self { folder, data: None, flags: Vec::new(), envs: Vec::new(), before: None }
    }

    /// With a configuration file in YAML.
    pub fn yaml(text: &str) -> Self {
        let plan = Self::new();
        let path = plan.file("gateway.yaml", text);
        plan.flag("--config", path.to_str().expect("a path"))
    }

    /// Writes a file into the test's own folder and answers its path.
    pub fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).expect("a file");
        path
    }

    /// The test's own folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The data folder.
    pub fn data_dir(&self) -> PathBuf {
        self.data.clone().unwrap_or_else(|| self.folder.path().join("data"))
    }

    /// Another data folder.
    pub fn data(mut self, path: impl Into<PathBuf>) -> Self {
        self.data = Some(path.into());
        self
    }

    /// `--name value`; a later one wins.
    pub fn flag(mut self, name: &str, value: &str) -> Self {
        self.flags.extend([name.into(), value.into()]);
        self
    }

    /// A flag without a value.
    pub fn switch(mut self, name: &str) -> Self {
        self.flags.push(name.into());
        self
    }

    /// A variable of the environment.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.envs.push((name.into(), value.into()));
        self
    }

    /// Runs in the child between fork and exec: only calls that are safe there.
    pub fn before_exec(mut self, run: impl FnMut() -> std::io::Result<()> + Send + Sync + 'static) -> Self {
        self.before = Some(Box::new(run));
        self
    }

    /// Starts it and waits until it is ready.
    #[track_caller]
    pub fn start(self) -> Node {
        let mut gateway = self.spawn();
        gateway.wait_ready();
        gateway
    }

    /// Starts it without waiting.
    pub fn spawn(mut self) -> Node {
        let ports_file = self.folder.path().join("ports.json");
        let _ = std::fs::remove_file(&ports_file);
        let mut command = Command::new(BINARY);
        command.args(["serve", "--proxy-listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]);
        command.args(["--shards", "1", "--cpus", "any", "--ports-file"]).arg(&ports_file);
        command.arg("--data-dir").arg(self.data_dir()).args(&self.flags).current_dir(self.folder.path());
        command.env_remove("RUST_LOG").env("NO_COLOR", "1").envs(self.envs.iter().map(|(k, v)| (k, v)));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        if let Some(run) = self.before.take() {
            // SAFETY: the closure is documented to do only what is allowed between fork and exec.
            unsafe { command.pre_exec(run) };
        }
        let mut child = command.spawn().expect("the binary starts");
        let log = Arc::new(Mutex::new(Vec::new()));
        let (mut stderr, into) = (child.stderr.take().expect("piped"), log.clone());
        let reader = std::thread::spawn(move || {
            let mut chunk = [0; 16_384];
            while let Ok(read @ 1..) = stderr.read(&mut chunk) {
                into.lock().expect("no panic").extend_from_slice(&chunk[..read]);
            }
        });
        let data = self.data_dir();
        let (folder, flags, envs) = (self.folder, self.flags, self.envs);
        Node {
            child,
            log,
            reader: Some(reader),
            ports_file,
            proxy: 0,
            admin: 0,
            test_server: 0,
            data,
            folder,
            flags,
            envs,
        }
    }

    /// Runs it to its end, which must come by itself: how it ended and what it said.
    #[track_caller]
    pub fn fails(self) -> (ExitStatus, String) {
        let mut gateway = self.spawn();
        let status = gateway.wait_exit();
        (status, gateway.log())
    }
}

/// A running gateway.
pub struct Node {
    child: Child,
    log: Arc<Mutex<Vec<u8>>>,
    reader: Option<JoinHandle<()>>,
    /// Where it writes its ports.
    pub ports_file: PathBuf,
    /// Port of the proxy.
    pub proxy: u16,
    /// Port of the admin API.
    pub admin: u16,
    /// Port of the test server; 0 without one.
    pub test_server: u16,
    data: PathBuf,
    folder: Arc<TempDir>,
    flags: Vec<String>,
    envs: Vec<(String, String)>,
}

impl Node {
    /// Waits for the ports file.
    #[track_caller]
    pub fn wait_ready(&mut self) {
        let deadline = Instant::now() + DEADLINE;
        let text = loop {
            if let Ok(text) = std::fs::read_to_string(&self.ports_file) {
                break text;
            }
            if let Some(status) = self.child.try_wait().expect("a child") {
                panic!("the gateway ended with {status} before it was ready:\n{}", self.log());
            }
            assert!(Instant::now() < deadline, "the gateway does not become ready:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(2));
        };
        let ports: Value = serde_json::from_str(&text).expect("the ports file is JSON");
        assert_eq!(ports["pid"], self.child.id());
        let port = |name: &str| ports[name].as_u64().unwrap_or(0) as u16;
        (self.proxy, self.admin, self.test_server) = (port("proxy"), port("admin"), port("test_server"));
    }

    /// The same again, over the same data folder.
    pub fn again(&self) -> Plan {
        let (folder, data) = (self.folder.clone(), Some(self.data.clone()));
        Plan { folder, data, flags: self.flags.clone(), envs: self.envs.clone(), before: None }
    }

    /// The test's own folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The data folder.
    pub fn data_dir(&self) -> &Path {
        &self.data
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// All that it wrote to its error stream.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&self.log.lock().expect("no panic")).into_owned()
    }

    /// Waits until the log has a line with all of `parts`, and answers the line.
    #[track_caller]
    pub fn wait_log(&self, parts: &[&str]) -> String {
        let find = || {
            let log = self.log();
            log.lines().find(|line| parts.iter().all(|part| line.contains(part))).map(str::to_owned)
        };
        let deadline = Instant::now() + DEADLINE;
        loop {
            if let Some(line) = find() {
                return line;
            }
            assert!(Instant::now() < deadline, "no line with {parts:?} in the log:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: i32) {
        // SAFETY: the child has not been waited for, so that its id is still its own.
        assert_eq!(unsafe { libc::kill(self.child.id() as i32, signal) }, 0);
    }

    /// Ends it as a power cut would.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Whether it runs still.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("a child").is_none()
    }

    /// Waits for its end; the log is whole then.
    #[track_caller]
    pub fn wait_exit(&mut self) -> ExitStatus {
        let deadline = Instant::now() + DEADLINE;
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                break status;
            }
            assert!(Instant::now() < deadline, "the gateway does not end:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(2));
        };
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
        status
    }

    /// Ends it properly: SIGTERM, and the exit code must be 0.
    #[track_caller]
    pub fn stop(mut self) -> String {
        self.signal(libc::SIGTERM);
        let status = self.wait_exit();
        assert!(status.success(), "{status}:\n{}", self.log());
        self.log()
    }

    /// A connection to the proxy.
    pub fn client(&self) -> Client {
        client(self.proxy)
    }

    /// GET through the proxy on a connection of its own.
    #[track_caller]
    pub fn get(&self, path: &str) -> Message {
        self.client().get(path)
    }

    /// A request to the admin API. `Value::Null` sends no body.
    #[track_caller]
    pub fn admin(&self, method: &str, path: &str, body: &Value) -> Message {
        let text = if body.is_null() { String::new() } else { body.to_string() };
        let fields: &[(&str, &str)] =
            if body.is_null() { &[] } else { &[("Content-Type", "application/json")] };
        client(self.admin).say(method, path, fields, text.as_bytes())
    }

    /// A write to the admin API that must succeed.
    #[track_caller]
    pub fn put(&self, path: &str, body: Value) -> Value {
        let answer = self.admin("PUT", path, &body);
        assert!((200..300).contains(&answer.status()), "PUT {path}: {answer:?}");
        answer.json()
    }

    /// Sets a module from its source.
    #[track_caller]
    pub fn module(&self, name: &str, source: &str) -> Value {
        self.put("/api/v1/module", module(name, source))
    }

    /// Waits for `/readyz` to answer 200.
    #[track_caller]
    pub fn wait_admin_ready(&self) {
        until("/readyz says yes", || self.admin("GET", "/readyz", &Value::Null).status() == 200);
    }
}

/// A connection to a port of this host.
#[track_caller]
pub fn client(port: u16) -> Client {
    Client::new(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
}

/// A module as the API takes it; TypeScript unless the name ends in `.js`, which is cut off.
pub fn module(name: &str, source: &str) -> Value {
    use base64::Engine as _;
    let payload = base64::engine::general_purpose::STANDARD.encode(source);
    let (name, kind) = match name.strip_suffix(".js") {
        Some(name) => (name, "javascript"),
        None => (name, "typescript"),
    };
    serde_json::json!({ "name": name, "payload": payload, "moduleType": kind })
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("--- the gateway's log:\n{}", self.log());
        }
    }
}

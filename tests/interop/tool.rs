//! Programs of this machine: found or not, run with a deadline, and ended with their test.

use super::harness::{DEADLINE, until};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// Whether the program answers to that argument; prints which it is.
pub fn has(name: &str, version: &[&str]) -> bool {
    let output = Command::new(name).args(version).stdin(Stdio::null()).output();
    let Ok(output) = output else {
        println!("skipped: {name} is not installed");
        return false;
    };
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    text += &String::from_utf8_lossy(&output.stderr);
    // wrk prints its version and fails.
    if !output.status.success() && !text.starts_with("wrk ") {
        println!("skipped: {name} {} does not work here", version.join(" "));
        return false;
    }
    println!("found: {name} ({})", text.lines().next().unwrap_or_default());
    true
}

/// Runs a program to its end; panics where it fails or takes too long.
pub fn run(name: &str, arguments: &[&str]) -> String {
    let mut child = Command::new(name)
        .args(arguments)
        .env_remove("http_proxy")
        .env("NO_PROXY", "*")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it was found before");
    let deadline = Instant::now() + DEADLINE;
    while child.try_wait().expect("a child").is_none() {
        if Instant::now() > deadline {
            let _ = child.kill();
            let output = child.wait_with_output().expect("its output");
            panic!("{name} takes too long: {}", told(&output));
        }
        std::thread::sleep(Duration::from_millis(2)); // How often it is looked at.
    }
    let output = child.wait_with_output().expect("its output");
    assert!(output.status.success(), "{name} {arguments:?} failed: {}", told(&output));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn told(output: &Output) -> String {
    format!(
        "{}\n{}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// A server that ends with its test.
pub struct Server {
    child: Child,
    pub address: SocketAddr,
}

impl Server {
    /// Starts `name`, which is told a port that was free a moment ago, and waits until it listens there. Whoever takes that
    /// port in between makes it try again with another.
    pub fn start(name: &str, arguments: impl Fn(u16) -> Vec<String>) -> Self {
        for _ in 0..5 {
            let free = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
            let mut child = Command::new(name)
                .args(arguments(free.port()))
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .expect("it was found before");
            let mut has_ended = false;
            until("the server listens", || {
                has_ended = child.try_wait().expect("a child").is_some();
                has_ended || TcpStream::connect(free).is_ok()
            });
            if !has_ended {
                return Self { child, address: free };
            }
        }
        panic!("{name} does not start");
    }

    /// `http://address`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The interpreter itself: a version manager's shim would leave a child behind when it is killed.
pub fn python() -> Option<String> {
    if !has("python3", &["--version"]) {
        return None;
    }
    Some(run("python3", &["-c", "import sys; print(sys.executable)"]).trim().to_string())
        .filter(|path| Path::new(path).exists())
}

//! What the gateway says of its own time: the latency profile of its admin API, over the same seconds in which the packets
//! are captured. Only intervals that began while the load ran count.

use crate::Failure;
use crate::interrupt::wait_for;
use crate::pace::QUANTILES;
use serde_json::Value;
use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::time::Duration;

/// How long the answer may take beyond the time that it is about.
const PATIENCE: Duration = Duration::from_secs(10);

/// One phase of the profile: microseconds in the order of [`QUANTILES`].
pub(crate) type Figures = [f64; QUANTILES.len()];

/// What the gateway says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Inside {
    /// Exchanges that were counted.
    pub(crate) count: u64,
    /// Time in the gateway itself.
    pub(crate) tax: Figures,
    /// From the end of the request's head to the last byte of the response handed to the kernel.
    pub(crate) total: Figures,
}

/// The admin port of the Tidegate that was started somewhere below a folder.
pub(crate) fn admin_port(dir: &Path) -> Result<u16, Failure> {
    let found = wait_for(Duration::from_secs(5), || {
        let tasks = fs::read_dir(dir.join("tidegate")).into_iter().flatten().flatten();
        let mut files = tasks.filter_map(|task| fs::read(task.path().join("ports.json")).ok());
        Ok(files.find_map(|text| port_in(&serde_json::from_slice(&text).ok()?)))
    })?;
    found.ok_or_else(|| "tidegate's ports file names no admin port".into())
}

fn port_in(ports: &Value) -> Option<u16> {
    u16::try_from(ports.get("admin")?.as_u64()?).ok()
}

/// Asks for the profile of so long from now on, and waits for it.
pub(crate) fn profile(admin: u16, length: Duration) -> Result<Inside, Failure> {
    let ms = length.as_millis();
    let answer = get(admin, &format!("/api/v1/profile?wait=true&for={ms}ms"), length + PATIENCE)
        .map_err(|why| format!("the profile of tidegate's admin API cannot be read: {why}"))?;
    inside(&answer).ok_or_else(|| {
        format!("tidegate's profile has no exchanges in it (it needs a second of load at least): {answer}")
    })
}

fn get(port: u16, path: &str, longest: Duration) -> std::io::Result<String> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(longest))?;
    // HTTP/1.0: the answer comes in one piece, and its end is that of the connection.
    write!(stream, "GET {path} HTTP/1.0\r\nHost: 127.0.0.1:{port}\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    match answer.split_once("\r\n\r\n") {
        Some((head, body)) if head.starts_with("HTTP/1.") && head.get(9..12) == Some("200") => {
            Ok(body.into())
        }
        _ => Err(std::io::Error::other(format!("it answered {answer:?}"))),
    }
}

fn inside(answer: &str) -> Option<Inside> {
    let value: Value = serde_json::from_str(answer).ok()?;
    let rows = value.get("data").unwrap_or(&value).get("rows")?.as_array()?;
    let row = rows.first()?;
    let figures = |phase: &str| -> Option<Figures> {
        let phase = row.get("phases")?.get(phase)?;
        let mut figures = Figures::default();
        for ((name, _), figure) in QUANTILES.iter().zip(&mut figures) {
            *figure = phase.get(format!("{}_us", name.replace('.', "_")))?.as_f64()?;
        }
        Some(figures)
    };
    Some(Inside { count: row.get("count")?.as_u64()?, tax: figures("tax")?, total: figures("total")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_are_read_as_the_admin_api_writes_them() {
        let phase = |p50: f64| {
            format!(
                r#"{{"count":9,"mean_us":1.0,"max_us":{},"p50_us":{p50},"p90_us":2.0,"p99_us":3.0,"p99_9_us":4.0,"p99_99_us":5.0}}"#,
                p50 * 10.0
            )
        };
        let rows = format!(
            r#"{{"by":"node","rows":[{{"key":"","count":9,"phases":{{"total":{},"tax":{}}}}}]}}"#,
            phase(80.5),
            phase(20.25)
        );
        let expected =
            Inside { count: 9, tax: [20.25, 2.0, 3.0, 4.0, 202.5], total: [80.5, 2.0, 3.0, 4.0, 805.0] };
        assert_eq!(inside(&rows), Some(expected));
        assert_eq!(inside(&format!(r#"{{"data":{rows}}}"#)), Some(expected));
        for empty in ["", "{}", r#"{"rows":[]}"#, r#"{"rows":[{"key":"","count":0,"phases":{}}]}"#] {
            assert_eq!(inside(empty), None, "{empty}");
        }
        assert_eq!(port_in(&serde_json::json!({"proxy": 8080, "admin": 9080})), Some(9080));
        assert_eq!(port_in(&serde_json::json!({"proxy": 8080})), None);
    }
}

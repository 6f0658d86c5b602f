//! Entries of a module's log on a terminal: one line each with its stack below, or JSON; and following them, over
//! restarts of the gateway, until the reader goes away. Nothing a module wrote reaches the terminal as a command.

use crate::answer;
use crate::failure::{Exit, Failure};
use crate::insight::Asked;
use crate::options::Output;
use crate::table::{Style, printable};
use crate::wire::{Opened, Wire};
use serde_json::Value;
use std::io::{BufRead, Write};
use std::time::Duration;

/// Before a lost connection is tried again.
const AGAIN: Duration = Duration::from_millis(500);

/// An entry as text, with a final line break.
pub(crate) fn text(entry: &Value, style: Style) -> String {
    let part = |name: &str| entry[name].as_str().map(printable).unwrap_or_default();
    let level = part("level");
    let (paint, dim, plain) = match (style.color, level.as_str()) {
        (false, _) => ("", "", ""),
        (true, "error") => ("\x1b[31;1m", "\x1b[2m", "\x1b[0m"),
        (true, "warn") => ("\x1b[33m", "\x1b[2m", "\x1b[0m"),
        (true, "debug") => ("\x1b[2m", "\x1b[2m", "\x1b[0m"),
        (true, _) => ("\x1b[32m", "\x1b[2m", "\x1b[0m"),
    };
    let mut line = format!("{dim}{}{plain} {paint}{:<5}{plain}", part("at"), level.to_ascii_uppercase());
    let mut place: Vec<String> =
        ["function", "request_id"].map(part).into_iter().filter(|part| !part.is_empty()).collect();
    if let Some(source) = entry["source"].as_str() {
        place.push(format!("[{}]", printable(source)));
    }
    if !place.is_empty() {
        line += &format!(" {dim}{}{plain}", place.join(" "));
    }
    line += &format!("  {}\n", part("text"));
    for frame in entry["stack"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        line += &format!("    {dim}{}{plain}\n", printable(frame));
    }
    line
}

/// All entries of an answer.
pub(crate) fn listing(entries: &Value, output: Output, style: Style) -> String {
    match (output, entries) {
        (Output::Table, Value::Array(entries)) => entries.iter().map(|entry| text(entry, style)).collect(),
        _ => answer::text(None, entries, output, style),
    }
}

/// A line of a stream as it is shown; nothing for a heartbeat.
fn shown(line: &Value, output: Output, style: Style) -> Option<String> {
    match (line["kind"].as_str(), output) {
        (Some("heartbeat"), _) => None,
        (Some("skipped"), Output::Table) => {
            let count = line["count"].as_u64().unwrap_or_default();
            Some(format!("-- {count} entries are missing here: they came faster than they were read --\n"))
        }
        (_, Output::Table) => Some(text(line, style)),
        (_, Output::Json) => Some(format!("{line}\n")),
        (_, Output::Yaml) => Some(format!("---\n{}", answer::text(None, line, output, style))),
    }
}

/// Shows a log and what comes. Ends when nobody reads any more, or with a refusal.
pub(crate) fn follow(
    wire: &mut Wire<'_>,
    asked: &Asked,
    (output, style): (Output, Style),
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let mut since = None;
    let mut was_there = false;
    loop {
        let request = asked.request(since)?;
        match wire.open(&request) {
            Ok(Opened::Lines(lines)) => {
                was_there = true;
                if !show(lines, &mut since, (output, style), out) {
                    return Ok(());
                }
                let lost = "-- the connection was lost: waiting for the gateway --\n";
                if output == Output::Table && out.write_all(lost.as_bytes()).is_err() {
                    return Ok(());
                }
            }
            // A gateway that comes up is not ready at once.
            Ok(Opened::Other(answer)) if was_there && answer.status == 503 => {}
            Ok(Opened::Other(answer)) => {
                answer::data(answer, &request)?;
                return Err(Failure::new(Exit::Refused, "the gateway does not stream its logs")
                    .hint("leave out -f, or update the gateway"));
            }
            Err(failure) if !was_there => return Err(failure),
            Err(_) => {}
        }
        std::thread::sleep(AGAIN);
    }
}

/// Shows lines until there are no more; `false` if nobody wants them.
fn show(
    lines: impl BufRead,
    since: &mut Option<u64>,
    (output, style): (Output, Style),
    out: &mut dyn Write,
) -> bool {
    // A line that is cut off comes again with the next connection.
    let whole = lines.lines().map_while(Result::ok);
    for line in whole.map_while(|line| serde_json::from_str::<Value>(&line).ok()) {
        let is_beat = line["kind"] == "heartbeat";
        if let Some(seq) = line["seq"].as_u64()
            && (!is_beat || since.is_none())
        {
            *since = Some(seq);
        }
        let Some(text) = shown(&line, output, style) else { continue };
        if out.write_all(text.as_bytes()).and_then(|()| out.flush()).is_err() {
            return false;
        }
    }
    true
}

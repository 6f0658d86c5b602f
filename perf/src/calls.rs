//! What calls of modules cost by themselves. The calls are made by `js/examples/cost.rs`, which is built and run here;
//! instructions are counted by callgrind over two runs of it, whose difference leaves only the calls.

use crate::arguments::Calls;
use crate::table::align;
use crate::{Failure, child, interrupt};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::{env, fs};

/// Calls in the shorter run: every path is warm, every pool filled.
const FEW: u32 = 200;
/// Calls in the longer one.
const MANY: u32 = 1_200;

/// One kind of call.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Call {
    name: String,
    nanoseconds: f64,
    /// None where they were not counted.
    instructions: Option<f64>,
}

/// Measures, and gives what is to be printed for an earlier result, if there is one, to compare with.
pub(crate) fn run(options: &Calls) -> Result<String, Failure> {
    let before = options.against.as_deref().map(read).transpose()?.unwrap_or_default();
    let valgrind = match options.instructions {
        true => {
            Some(child::installed("valgrind").ok_or("valgrind is not installed; leave --instructions out")?)
        }
        false => None,
    };
    let program = build()?;
    let mut calls = parse(&text(Command::new(&program).arg("--json"))?.0)?;
    calls.retain(|call| call.name.contains(&options.only));
    if calls.is_empty() {
        return Err(format!("no call has {:?} in its name", options.only));
    }
    if let Some(valgrind) = valgrind {
        for call in &mut calls {
            eprintln!("counting instructions: {}", call.name);
            let count = |times| instructions(&valgrind, &program, &call.name, times);
            call.instructions = Some((count(MANY)? - count(FEW)?) as f64 / f64::from(MANY - FEW));
        }
    }
    Ok(match options.output {
        crate::arguments::Output::Table => table(&calls, &before),
        crate::arguments::Output::Json => format!("{:#}\n", to_json(&calls)),
    })
}

/// Builds the example and gives its file.
fn build() -> Result<PathBuf, Failure> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["build", "--release", "--package", "tidegate-js", "--example", "cost"]);
    let (told, _) = text(command.arg("--message-format=json-render-diagnostics"))?;
    executable(&told).ok_or_else(|| "cargo did not say where js/examples/cost.rs is built".into())
}

/// The last program in what cargo tells.
fn executable(told: &str) -> Option<PathBuf> {
    let messages = told.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    messages.filter_map(|message| message["executable"].as_str().map(PathBuf::from)).next_back()
}

/// Instructions of a whole process that makes so many calls.
fn instructions(valgrind: &Path, program: &Path, name: &str, times: u32) -> Result<u64, Failure> {
    let mut command = Command::new(valgrind);
    command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).arg(program);
    let (_, told) = text(command.args(["--call", name, "--times"]).arg(times.to_string()))?;
    collected(&told).ok_or_else(|| format!("valgrind counted nothing:\n{told}"))
}

fn collected(told: &str) -> Option<u64> {
    told.lines().find_map(|line| line.split_once("Collected : ")?.1.trim().parse().ok())
}

/// Runs a command to its end; what it wrote to stdout and stderr.
fn text(command: &mut Command) -> Result<(String, String), Failure> {
    interrupt::check()?;
    let program = command.get_program().to_string_lossy().into_owned();
    let Output { status, stdout, stderr } =
        command.output().map_err(|why| format!("cannot run {program}: {why}"))?;
    let [stdout, stderr] = [stdout, stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    match status.success() {
        true => Ok((stdout, stderr)),
        false => Err(format!("{program} failed ({status}):\n{stderr}")),
    }
}

/// The calls in lines of JSON.
fn parse(lines: &str) -> Result<Vec<Call>, Failure> {
    lines
        .lines()
        .map(|line| {
            serde_json::from_str(line)
                .ok()
                .and_then(|value| call(&value))
                .ok_or(format!("not a call: {line}"))
        })
        .collect()
}

fn call(value: &Value) -> Option<Call> {
    Some(Call {
        name: value["name"].as_str()?.to_owned(),
        nanoseconds: value["nanoseconds"].as_f64()?,
        instructions: value["instructions"].as_f64(),
    })
}

/// An earlier result, as `--output json` gave it.
fn read(path: &Path) -> Result<Vec<Call>, Failure> {
    let text = fs::read_to_string(path).map_err(|why| format!("{}: {why}", path.display()))?;
    let value: Option<Value> = serde_json::from_str(&text).ok();
    let calls = value.and_then(|value| value["calls"].as_array()?.iter().map(call).collect());
    calls.ok_or_else(|| format!("{} is not what `calls --output json` writes", path.display()))
}

fn to_json(calls: &[Call]) -> Value {
    let calls = calls.iter().map(|Call { name, nanoseconds, instructions }| {
        json!({"name": name, "nanoseconds": nanoseconds, "instructions": instructions})
    });
    json!({"calls": calls.collect::<Vec<_>>()})
}

fn table(calls: &[Call], before: &[Call]) -> String {
    let mut rows = vec![["", "ns", "change", "instructions", "change"].map(str::to_owned).to_vec()];
    for call in calls {
        let earlier = before.iter().find(|earlier| earlier.name == call.name);
        let change = |figure: fn(&Call) -> Option<f64>| {
            let ratio = Some(figure(call)? / figure(earlier?)?);
            ratio.filter(|ratio| ratio.is_finite()).map(|ratio| format!("{:+.2} %", (ratio - 1.0) * 100.0))
        };
        let or_none = |cell: Option<String>| cell.unwrap_or_else(|| "-".into());
        rows.push(vec![
            call.name.clone(),
            format!("{:.0}", call.nanoseconds),
            or_none(change(|call| Some(call.nanoseconds))),
            or_none(call.instructions.map(|count| format!("{count:.0}"))),
            or_none(change(|call| call.instructions)),
        ]);
    }
    let mut text = String::new();
    align(&mut text, &rows);
    text.push_str("per call: best of 40 rounds of 2,000 calls; instructions as callgrind counts them\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_tools_tell_is_read() {
        let told = "{\"reason\":\"x\",\"executable\":null}\n{\"executable\":\"/t/cost\"}\nnoise\n";
        assert_eq!(executable(told), Some("/t/cost".into()));
        assert_eq!(collected("==7== Events    : Ir\n==7== Collected : 1234567\n"), Some(1_234_567));
        assert_eq!(collected("==7== nothing\n"), None);
        assert!(parse("{\"name\":\"a\"}").is_err());
    }

    #[test]
    fn changes_are_told_where_both_were_measured() {
        let call = |ns, instructions| Call { name: "a".into(), nanoseconds: ns, instructions };
        let shown = table(&[call(110.0, Some(1020.0))], &[call(100.0, Some(1000.0))]);
        for expected in ["+10.00 %", "1020", "+2.00 %"] {
            assert!(shown.contains(expected), "{expected}:\n{shown}");
        }
        let shown = table(&[call(110.0, None)], &[]);
        assert!(!shown.contains('%'), "{shown}");
        let written = to_json(&[call(1.0, None)]);
        assert_eq!(super::call(&written["calls"][0]), Some(call(1.0, None)));
    }
}

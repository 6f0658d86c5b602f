//! What parts of the gateway cost by themselves, from examples of its packages that make the calls: nanoseconds as they
//! tell them, and instructions as callgrind counts them over two runs, whose difference leaves only the calls. Callgrind and
//! not the CPU's counters, since its counts are the same on every machine, busy or virtual.

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
    pub(crate) name: String,
    pub(crate) nanoseconds: f64,
    /// None where they were not counted.
    pub(crate) instructions: Option<f64>,
}

impl Call {
    /// By how much more instructions it takes than before, as a share.
    pub(crate) fn growth(&self, before: &[Self]) -> Option<f64> {
        let earlier = before.iter().find(|earlier| earlier.name == self.name)?;
        change(self.instructions, earlier.instructions)
    }
}

fn change(now: Option<f64>, before: Option<f64>) -> Option<f64> {
    Some(now? / before? - 1.0).filter(|change| change.is_finite())
}

/// An example of a package, built. Its name must be the only one in the house: all are built into one folder.
pub(crate) struct Example {
    program: PathBuf,
}

impl Example {
    pub(crate) fn build(package: &str, example: &str) -> Result<Self, Failure> {
        let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(cargo);
        command.args(["build", "--release", "--package", package, "--example", example]);
        let (told, _) = text(command.arg("--message-format=json-render-diagnostics"))?;
        let program = executable(&told)
            .ok_or_else(|| format!("cargo did not say where {package}'s example is built"))?;
        Ok(Self { program })
    }

    /// Its calls whose name is wanted, with their times.
    pub(crate) fn calls(&self, wanted: impl Fn(&str) -> bool) -> Result<Vec<Call>, Failure> {
        let mut calls = parse(&text(Command::new(&self.program).arg("--json"))?.0)?;
        calls.retain(|call| wanted(&call.name));
        Ok(calls)
    }

    /// Counts the instructions of each call.
    pub(crate) fn count(&self, valgrind: &Path, calls: &mut [Call]) -> Result<(), Failure> {
        for call in calls {
            eprintln!("counting instructions: {}", call.name);
            let count = |times| self.instructions(valgrind, &call.name, times);
            call.instructions = Some((count(MANY)? - count(FEW)?) as f64 / f64::from(MANY - FEW));
        }
        Ok(())
    }

    /// Instructions of a whole process that makes so many calls.
    fn instructions(&self, valgrind: &Path, name: &str, times: u32) -> Result<u64, Failure> {
        let mut command = Command::new(valgrind);
        command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).arg(&self.program);
        let (_, told) = text(command.args(["--call", name, "--times"]).arg(times.to_string()))?;
        collected(&told).ok_or_else(|| format!("valgrind counted nothing:\n{told}"))
    }
}

/// The program that counts.
pub(crate) fn valgrind() -> Result<PathBuf, Failure> {
    child::installed("valgrind").ok_or_else(|| {
        "valgrind is not installed (Debian: apt install valgrind); instructions cannot be counted".into()
    })
}

/// The last program in what cargo tells.
pub(crate) fn executable(told: &str) -> Option<PathBuf> {
    let messages = told.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    messages.filter_map(|message| message["executable"].as_str().map(PathBuf::from)).next_back()
}

fn collected(told: &str) -> Option<u64> {
    told.lines().find_map(|line| line.split_once("Collected : ")?.1.trim().parse().ok())
}

/// Runs a command to its end; what it wrote to stdout and stderr.
pub(crate) fn text(command: &mut Command) -> Result<(String, String), Failure> {
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

/// An earlier result, as JSON gave it, and the calls in it.
pub(crate) fn read(path: &Path) -> Result<(Value, Vec<Call>), Failure> {
    let text = fs::read_to_string(path).map_err(|why| format!("{}: {why}", path.display()))?;
    let value: Option<Value> = serde_json::from_str(&text).ok();
    let found = value.and_then(|value| {
        let calls = value["calls"].as_array()?.iter().map(call).collect::<Option<Vec<_>>>()?;
        Some((value, calls))
    });
    found.ok_or_else(|| format!("{} is not what `--output json` writes", path.display()))
}

pub(crate) fn to_json(calls: &[Call]) -> Value {
    let calls = calls.iter().map(|Call { name, nanoseconds, instructions }| {
        json!({"name": name, "nanoseconds": nanoseconds, "instructions": instructions})
    });
    json!({"calls": calls.collect::<Vec<_>>()})
}

pub(crate) fn table(calls: &[Call], before: &[Call]) -> String {
    let mut rows = vec![["", "ns", "change", "instructions", "change"].map(str::to_owned).to_vec()];
    let percent = |change: f64| format!("{:+.2} %", change * 100.0);
    let or_none = |cell: Option<String>| cell.unwrap_or_else(|| "-".into());
    for call in calls {
        let earlier = before.iter().find(|earlier| earlier.name == call.name);
        let slower = change(Some(call.nanoseconds), earlier.map(|earlier| earlier.nanoseconds));
        rows.push(vec![
            call.name.clone(),
            format!("{:.0}", call.nanoseconds),
            or_none(slower.map(percent)),
            or_none(call.instructions.map(|count| format!("{count:.0}"))),
            or_none(call.growth(before).map(percent)),
        ]);
    }
    let mut text = String::new();
    align(&mut text, &rows);
    text.push_str("per call: best of 40 rounds of 2,000 calls; instructions as callgrind counts them\n");
    text
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn sample(nanoseconds: f64, instructions: Option<f64>) -> Call {
        Call { name: "a".into(), nanoseconds, instructions }
    }

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
        let shown = table(&[sample(110.0, Some(1020.0))], &[sample(100.0, Some(1000.0))]);
        for expected in ["+10.00 %", "1020", "+2.00 %"] {
            assert!(shown.contains(expected), "{expected}:\n{shown}");
        }
        let shown = table(&[sample(110.0, None)], &[]);
        assert!(!shown.contains('%'), "{shown}");
        let written = to_json(&[sample(1.0, None)]);
        assert_eq!(super::call(&written["calls"][0]), Some(sample(1.0, None)));
    }
}

//! Microbenchmarks of what a request passes through: parsing, look-ups, rewriting, recording, calls of modules. Counted
//! in instructions they show a regression of 2 % on a noisy machine; against a baseline they fail on one.

use crate::Failure;
use crate::arguments::{Micro, Output};
use crate::cost::{self, Call, Example};
use serde_json::{Value, json};
use std::process::Command;

/// Packages, their examples, and which calls of those are wanted: none named means all.
const EXAMPLES: [(&str, &str, &[&str]); 2] = [
    ("tidegate-shards", "parts", &[]),
    // `tidegate-perf calls` has all of them.
    ("tidegate-js", "cost", &["lease + empty function", "lease + one header set"]),
];

/// Measures and prints; an error if a call takes more instructions than the baseline and the tolerance allow.
pub(crate) fn run(options: &Micro) -> Result<(), Failure> {
    let baseline = options.baseline.as_deref().map(cost::read).transpose()?;
    let counting = options.instructions || baseline.is_some();
    let valgrind = if counting { Some(cost::valgrind()?) } else { None };
    let mut calls = Vec::new();
    for (package, example, names) in EXAMPLES {
        let wanted = |name: &str| name.contains(&options.only) && (names.is_empty() || names.contains(&name));
        if !names.is_empty() && !names.iter().any(|name| wanted(name)) {
            continue;
        }
        let example = Example::build(package, example)?;
        let mut found = example.calls(wanted)?;
        if let Some(valgrind) = &valgrind {
            example.count(valgrind, &mut found)?;
        }
        calls.extend(found);
    }
    if calls.is_empty() {
        return Err(format!("no call has {:?} in its name", options.only));
    }
    let rustc = rustc()?;
    let (before, before_rustc) = match &baseline {
        Some((value, calls)) => (calls.as_slice(), value["rustc"].as_str()),
        None => (&[][..], None),
    };
    match options.output {
        Output::Table => print!("{}", cost::table(&calls, before)),
        Output::Json => println!("{:#}", to_json(&calls, &rustc)),
    }
    if let Some(before) = before_rustc.filter(|before| *before != rustc) {
        eprintln!("the baseline is of {before}, this is {rustc}: changes may be the compiler's");
    }
    judge(&calls, before, options.tolerance)
}

fn to_json(calls: &[Call], rustc: &str) -> Value {
    let mut value = cost::to_json(calls);
    value["rustc"] = json!(rustc);
    value
}

fn rustc() -> Result<String, Failure> {
    let (told, _) = cost::text(Command::new("rustc").arg("--version"))?;
    Ok(told.trim().to_owned())
}

/// An error that names every call that has grown by more than the tolerance, a share.
fn judge(calls: &[Call], before: &[Call], tolerance: f64) -> Result<(), Failure> {
    let grown: Vec<String> = calls
        .iter()
        .filter_map(|call| Some((call, call.growth(before).filter(|growth| *growth > tolerance)?)))
        .map(|(call, growth)| format!("{} {:+.2} %", call.name, growth * 100.0))
        .collect();
    match grown.is_empty() {
        true => Ok(()),
        false => Err(format!("more instructions than the baseline: {}", grown.join(", "))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cost::tests::sample;

    #[test]
    fn growth_beyond_the_tolerance_is_a_failure() {
        for (now, before, tolerance, fails) in [
            (Some(1019.0), Some(1000.0), 0.02, false),
            (Some(1021.0), Some(1000.0), 0.02, true),
            (Some(1021.0), Some(1000.0), 0.03, false),
            (Some(500.0), Some(1000.0), 0.0, false),
            (Some(1021.0), None, 0.02, false),
            (None, Some(1000.0), 0.02, false),
        ] {
            let judged = judge(&[sample(1.0, now)], &[sample(1.0, before)], tolerance);
            assert_eq!(judged.is_err(), fails, "{now:?} {before:?}");
        }
        let why =
            judge(&[sample(1.0, Some(1100.0))], &[sample(1.0, Some(1000.0))], 0.02).expect_err("it grew");
        assert!(why.contains("a +10.00 %"), "{why}");
        assert!(judge(&[sample(1.0, Some(1.0))], &[], 0.0).is_ok(), "a new call has nothing to grow from");
    }

    #[test]
    fn the_committed_baseline_can_be_read() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("micro.json");
        let (value, calls) = cost::read(&path).expect("a baseline");
        assert!(value["rustc"].as_str().is_some_and(|version| version.starts_with("rustc ")));
        assert!(calls.iter().all(|call| call.instructions.is_some_and(|count| count > 0.0)));
        for name in EXAMPLES[1].2 {
            assert!(calls.iter().any(|call| call.name == *name), "{name}");
        }
    }
}

//! Microbenchmarks of what a request passes through: parsing, look-ups, rewriting, recording, calls of modules. Counted
//! in instructions they show a regression of 2 % on a noisy machine; against a baseline they fail on one. Counts are of a
//! compiler, a C library and what the CPU offers it: where those are others than the baseline's, more is let through.

use crate::Failure;
use crate::arguments::{Micro, Output};
use crate::cost::{self, Call, Example};
use serde_json::{Value, json};
use std::process::Command;

/// How much growth is no failure, as a share, where all is as it was for the baseline.
const TOLERANCE: f64 = 0.02;
/// The same where the compiler, the C library or the CPU's vectors are others: what code does is seen, what they do is not.
const TOLERANCE_ELSEWHERE: f64 = 0.10;

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
    let ground = ground()?;
    let before = baseline.as_ref().map_or(&[][..], |(_, calls)| calls.as_slice());
    match options.output {
        Output::Table => print!("{}", cost::table(&calls, before)),
        Output::Json => println!("{:#}", to_json(&calls, &ground)),
    }
    let Some((value, _)) = &baseline else { return Ok(()) };
    let others = others(value, &ground);
    let tolerance =
        options.tolerance.unwrap_or(if others.is_empty() { TOLERANCE } else { TOLERANCE_ELSEWHERE });
    for other in others {
        eprintln!("{other}: growth of up to {:.0} % is let through", tolerance * 100.0);
    }
    judge(&calls, before, tolerance)
}

fn to_json(calls: &[Call], ground: &[(&str, String)]) -> Value {
    let mut value = cost::to_json(calls);
    for (what, is) in ground {
        value[*what] = json!(is);
    }
    value
}

/// What counts depend on beside the code.
fn ground() -> Result<[(&'static str, String); 3], Failure> {
    Ok([("rustc", rustc()?), ("libc", c_library()), ("vectors", vectors().into())])
}

/// What of it was other for the baseline, in words.
fn others(baseline: &Value, ground: &[(&str, String)]) -> Vec<String> {
    let other = |(what, is): &(&str, String)| {
        let was = baseline[*what].as_str().unwrap_or("unknown");
        (was != is).then(|| format!("the baseline's {what} was {was}, this is {is}"))
    };
    ground.iter().filter_map(other).collect()
}

/// The C library, whose copying and comparing is counted too.
#[cfg(target_env = "gnu")]
fn c_library() -> String {
    // SAFETY: the call has no arguments and returns a string that lives as long as the process.
    let version = unsafe { std::ffi::CStr::from_ptr(libc::gnu_get_libc_version()) };
    format!("glibc {}", version.to_string_lossy())
}

#[cfg(not(target_env = "gnu"))]
fn c_library() -> String {
    "not glibc".into()
}

/// What the C library chooses its copying and comparing by; valgrind shows it no more than AVX2.
fn vectors() -> &'static str {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        return "avx2";
    }
    std::env::consts::ARCH
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
    fn what_was_other_for_the_baseline_is_named() {
        let ground = [("rustc", "rustc 2".to_owned()), ("libc", "glibc 2.36".to_owned())];
        assert!(others(&to_json(&[], &ground), &ground).is_empty());
        let found = others(&json!({"rustc": "rustc 1", "libc": "glibc 2.36"}), &ground);
        assert_eq!(found, ["the baseline's rustc was rustc 1, this is rustc 2"]);
        assert_eq!(others(&json!({}), &ground).len(), 2);
        assert!(super::ground().is_ok_and(|ground| ground.iter().all(|(_, is)| !is.is_empty())));
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

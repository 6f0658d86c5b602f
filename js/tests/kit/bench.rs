//! Files in memory, and what the kit makes of them.

use std::collections::BTreeMap;

use tidegate_js::kit::{FileReport, Project, Settings, Source, Verdict, World, run_request, run_tests};
use tidegate_js::{DEFAULT_PERMISSIONS, Diagnostic, Grants, Limits};

pub(crate) fn settings() -> Settings {
    // A debug build is slow, and what is tested here is not how fast it is.
    Settings {
        limits: Limits { cpu_ms: 200, ..Limits::default() },
        body_bytes: 1 << 20,
        grants: Grants::parse(&DEFAULT_PERMISSIONS).expect("good permissions"),
        filter: None,
    }
}

pub(crate) fn load(files: &[(&str, &str)], is_test: bool) -> Result<Project, Vec<Diagnostic>> {
    let files: BTreeMap<&str, &str> = files.iter().copied().collect();
    let read =
        |path: &str| files.get(path).map(|text| Source { shown: path.into(), text: (*text).to_owned() });
    Project::load(if is_test { "a.test.ts" } else { "a.ts" }, is_test, &read)
}

pub(crate) fn report(files: &[(&str, &str)], settings: &Settings) -> FileReport {
    let project = load(files, true).unwrap_or_else(|faults| panic!("{faults:?}"));
    run_tests(&project, settings, &mut |_| {})
}

/// Tests of one file beside a module, all of which must pass.
#[track_caller]
pub(crate) fn passes(module: &str, tests: &str) -> FileReport {
    let report = report(&[("a.test.ts", tests), ("a.ts", module)], &settings());
    assert_eq!(report.broken, None);
    assert!(!report.tests.is_empty());
    for test in &report.tests {
        assert_eq!(test.verdict, Verdict::Passed, "{:?}\nconsole: {:?}", test.name, test.console);
    }
    report
}

pub(crate) fn single(module: &str, input: &str) -> String {
    let project = load(&[("a.ts", module)], false).unwrap_or_else(|faults| panic!("{faults:?}"));
    run_request(&project, &settings(), World::default(), input).unwrap_or_else(|fault| panic!("{fault:?}"))
}

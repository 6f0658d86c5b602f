//! `tidegate module test`: finds test files, runs each in an engine of its own, and tells what came of them.

use super::files::{self, Package, shown};
use super::print::{self, Paint, say};
use super::watch::Watch;
use clap::Args;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;
use tidegate_js::Diagnostic;
use tidegate_js::kit::{Fault, FileReport, Project, TestReport, Verdict, run_tests};

/// The command.
#[derive(Args)]
pub struct Test {
    /// Test files, or folders with all test files below them [default: the current folder]
    #[arg(value_name = "DIR|FILE")]
    paths: Vec<PathBuf>,
    /// Run again whenever a file is saved
    #[arg(long)]
    watch: bool,
    /// Only tests that have this text in their full name
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// CPU milliseconds of a test and of each function [default: limits.cpuMs of package.json, or 10]
    #[arg(long, value_name = "MS", value_parser = clap::value_parser!(u32).range(1..=60_000))]
    cpu_ms: Option<u32>,
    /// How results are printed: table or json
    #[arg(short, long, value_name = "FORMAT", default_value = "table", value_parser = ["table", "json"])]
    output: String,
}

/// What came of all files.
#[derive(Default)]
struct Totals {
    passed: usize,
    failed: usize,
    skipped: usize,
    files: Vec<Value>,
}

impl Test {
    /// Exit code 1: a test failed or a file could not be run.
    pub fn run(&self) -> Result<ExitCode, String> {
        let mut watch = Watch::default();
        let totals = self.all(&mut watch)?;
        if !self.watch {
            return Ok(if totals.failed > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS });
        }
        loop {
            let word = Paint::for_stdout().faint("waiting for a file to be saved; Ctrl-C ends");
            if !say(format!("{word}\n")) {
                return Ok(ExitCode::SUCCESS);
            }
            watch.wait(|| ());
            self.all(&mut watch)?;
        }
    }

    fn all(&self, watch: &mut Watch) -> Result<Totals, String> {
        let (began, paint, is_json) = (Instant::now(), Paint::for_stdout(), self.output == "json");
        let tests = files::tests(&self.paths)?;
        if tests.is_empty() {
            return Err(
                "there are no tests here: write one as NAME.test.ts, or begin with 'tidegate module init'"
                    .into(),
            );
        }
        let mut totals = Totals::default();
        for path in &tests {
            watch.add(path);
            if !is_json {
                say(format!("{}\n", paint.bold(shown(path))));
            }
            let report = self.file(path, watch, is_json, paint)?;
            totals.count(path, &report);
        }
        let ms = began.elapsed().as_secs_f64() * 1e3;
        let Totals { passed, failed, skipped, files } = &totals;
        if is_json {
            let all = json!({ "files": files, "passed": passed, "failed": failed, "skipped": skipped, "ms": rounded(ms) });
            say(format!("{all:#}\n"));
        } else {
            let failed = match failed {
                0 => "0 failed".to_owned(),
                failed => paint.bad(format!("{failed} failed")),
            };
            say(format!(
                "\n{}, {failed}, {skipped} skipped ({})\n",
                paint.good(format!("{passed} passed")),
                time(ms)
            ));
        }
        Ok(totals)
    }

    fn file(
        &self,
        path: &Path,
        watch: &mut Watch,
        is_json: bool,
        paint: Paint,
    ) -> Result<FileReport, String> {
        let mut settings = Package::above(path)?.settings()?;
        settings.filter.clone_from(&self.filter);
        settings.limits.cpu_ms = self.cpu_ms.unwrap_or(settings.limits.cpu_ms);
        let project = match Project::load(&path.to_string_lossy(), true, &files::read) {
            Ok(project) => project,
            Err(faults) => {
                for fault in &faults {
                    watch.add(&files::absolute(Path::new(&fault.module))?);
                }
                if !is_json {
                    say(print::diagnostics(&faults, paint));
                }
                return Ok(FileReport { tests: Vec::new(), broken: Some(uncompiled(&faults)) });
            }
        };
        for path in &project.paths {
            watch.add(Path::new(path));
        }
        let mut each = |test: &TestReport| {
            if !is_json {
                say(line(test, paint));
            }
        };
        let report = run_tests(&project, &settings, &mut each);
        if let (Some(fault), false) = (&report.broken, is_json) {
            say(print::fault(fault, "  ", paint));
        }
        Ok(report)
    }
}

fn uncompiled(faults: &[Diagnostic]) -> Fault {
    let lines: Vec<String> = faults.iter().map(ToString::to_string).collect();
    Fault { message: lines.join("\n"), stack: String::new(), compared: None }
}

fn time(ms: f64) -> String {
    if ms < 10.0 { format!("{ms:.1} ms") } else { format!("{ms:.0} ms") }
}

fn rounded(ms: f64) -> f64 {
    (ms * 1e3).round() / 1e3
}

/// A test for people.
fn line(test: &TestReport, paint: Paint) -> String {
    let name = test.name.join(" > ");
    let took = time(test.took.as_secs_f64() * 1e3);
    match &test.verdict {
        Verdict::Skipped => format!("  {}\n", paint.faint(format!("- {name}"))),
        Verdict::Passed => format!("  {} {name} {}\n", paint.good('✓'), paint.faint(took)),
        Verdict::Failed(faults) => {
            let mut text = format!("  {} {name} {}\n", paint.bad('✗'), paint.faint(took));
            for fault in faults {
                text += &print::fault(fault, "      ", paint);
            }
            for said in &test.console {
                text +=
                    &format!("      {} {}\n", paint.faint("console"), paint.level(said.level, &said.text));
            }
            text
        }
    }
}

impl Totals {
    fn count(&mut self, path: &Path, report: &FileReport) {
        for test in &report.tests {
            match test.verdict {
                Verdict::Passed => self.passed += 1,
                Verdict::Failed(_) => self.failed += 1,
                Verdict::Skipped => self.skipped += 1,
            }
        }
        self.failed += usize::from(report.broken.is_some());
        let tests: Vec<Value> = report.tests.iter().map(told).collect();
        let broken = report.broken.as_ref().map(fault_told);
        self.files.push(json!({ "file": shown(path), "tests": tests, "broken": broken }));
    }
}

fn told(test: &TestReport) -> Value {
    let (result, faults) = match &test.verdict {
        Verdict::Passed => ("passed", &[][..]),
        Verdict::Failed(faults) => ("failed", faults.as_slice()),
        Verdict::Skipped => ("skipped", &[][..]),
    };
    let console: Vec<Value> = test
        .console
        .iter()
        .map(|said| json!({ "level": format!("{:?}", said.level).to_lowercase(), "module": said.module, "text": said.text }))
        .collect();
    json!({
        "name": test.name,
        "result": result,
        "ms": rounded(test.took.as_secs_f64() * 1e3),
        "faults": faults.iter().map(fault_told).collect::<Vec<_>>(),
        "console": console,
    })
}

fn fault_told(fault: &Fault) -> Value {
    let place =
        fault.place().map(|(file, line, column)| json!({ "file": file, "line": line, "column": column }));
    let (expected, actual) = fault.compared.clone().unzip();
    json!({ "message": fault.message, "stack": fault.stack, "at": place, "expected": expected, "actual": actual })
}

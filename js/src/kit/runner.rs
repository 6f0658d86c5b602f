//! Runs tests, each in a lease of its own and with the world as it was before the first: one after another, under the budget
//! of a call. A test that kills its context takes no other with it. Time passes only when nothing else can go on.

use std::future::Future;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use super::exchange::MemoryExchange;
use super::library::{SINGLE, SUITE};
use super::project::Project;
use super::world::{ConsoleLine, KitHost, World};
use crate::failure::Failure;
use crate::grants::Grants;
use crate::lease::Lease;
use crate::limits::Limits;
use crate::module::Function;
use crate::runtime::Runtime;
use crate::stack::first_frame;

/// How tests are run.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Budgets of a call; each function of a run has them anew.
    pub limits: Limits,
    /// Largest body a module may collect, bytes.
    pub body_bytes: usize,
    /// What the modules may do.
    pub grants: Grants,
    /// Only tests whose full name has this in it.
    pub filter: Option<String>,
}

/// A test as the file announced it.
pub(crate) struct Registered {
    pub(crate) name: Vec<String>,
    pub(crate) mode: Mode,
    /// Where, as a mapped stack.
    pub(crate) stack: String,
    pub(crate) timeout_ms: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Run,
    Skip,
    Only,
}

/// What went wrong in a test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// One or more lines.
    pub message: String,
    /// Frames of the user's files, innermost first.
    pub stack: String,
    /// What an `expect` wanted and what it got, as text of many lines.
    pub compared: Option<(String, String)>,
}

impl Fault {
    pub(crate) fn new(message: &str, stack: &str) -> Fault {
        Fault { message: message.into(), stack: stack.into(), compared: None }
    }

    /// File, line and column of the innermost frame.
    pub fn place(&self) -> Option<(&str, u32, u32)> {
        first_frame(&self.stack)
    }
}

impl From<Failure> for Fault {
    fn from(failure: Failure) -> Fault {
        Fault::new(&failure.message, &failure.stack)
    }
}

/// How a test ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing was wrong.
    Passed,
    /// At least one thing was.
    Failed(Vec<Fault>),
    /// Not run: skipped, filtered out, or another one is `only`.
    Skipped,
}

/// One test.
#[derive(Debug, Clone)]
pub struct TestReport {
    /// The names of its groups, outermost first, and its own.
    pub name: Vec<String>,
    /// How it ended.
    pub verdict: Verdict,
    /// Wall time.
    pub took: Duration,
    /// What was written to the console meanwhile.
    pub console: Vec<ConsoleLine>,
}

/// One file.
#[derive(Debug, Clone, Default)]
pub struct FileReport {
    /// Its tests in order.
    pub tests: Vec<TestReport>,
    /// Why the file could not be run at all.
    pub broken: Option<Fault>,
}

/// Wakes are noted; the loop that drives looks at them.
struct Alarm(AtomicBool);

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Drives a future; moves the clock when it waits for nothing but time, by `timeout_ms` at most.
fn drive<F: Future>(world: &World, future: F, timeout_ms: u64) -> Result<F::Output, String> {
    let alarm = Arc::new(Alarm(AtomicBool::new(false)));
    let waker = Waker::from(alarm.clone());
    let mut future = pin!(future);
    let mut waited_ms = 0;
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return Ok(output);
        }
        if alarm.0.swap(false, Ordering::Relaxed) {
            continue;
        }
        if world.clock.idle() {
            continue;
        }
        let Some(due) = world.clock.next_due() else {
            return Err(
                "it waits for something that never comes: no timer is set, nothing is under way".into()
            );
        };
        waited_ms += due.saturating_sub(world.clock.monotonic_ms());
        if waited_ms > timeout_ms {
            return Err(format!("it took longer than {timeout_ms} ms of the test's clock"));
        }
        world.clock.advance_to(due);
    }
}

/// A runtime over a project, driven by one of the kit's modules.
fn runtime(
    project: &Project,
    driver: &str,
    settings: &Settings,
    world: &Rc<World>,
) -> Result<Rc<Runtime>, Fault> {
    let (modules, aliases) = project.driven_by(driver).map_err(|faults| {
        let lines: Vec<String> = faults.iter().map(ToString::to_string).collect();
        Fault::new(&lines.join("\n"), "")
    })?;
    *world.aliases.borrow_mut() = aliases;
    world.default_cpu_ms.set(settings.limits.cpu_ms);
    world.body_cap.set(settings.body_bytes);
    // The kit itself is evaluated too, and a debug build is slow.
    let limits = Limits {
        boot_cpu_ms: settings.limits.boot_cpu_ms.max(1000),
        pending: settings.limits.pending + 4,
        ..settings.limits
    };
    Ok(Runtime::new(&modules, limits, settings.grants.clone(), Rc::new(KitHost(world.clone())))?)
}

fn lease(runtime: &Rc<Runtime>) -> Result<Lease, Fault> {
    Ok(runtime.lease(Rc::new(MemoryExchange::default()))?)
}

/// Runs every test of a file in a fresh runtime. `each` hears of a test as soon as it has ended.
pub fn run_tests(project: &Project, settings: &Settings, each: &mut dyn FnMut(&TestReport)) -> FileReport {
    let world = Rc::new(World::default());
    let runtime = match runtime(project, SUITE, settings, &world) {
        Ok(runtime) => runtime,
        Err(fault) => return FileReport { broken: Some(fault), ..FileReport::default() },
    };
    world.keep_baseline();
    let has_only = world.tests.borrow().iter().any(|test| test.mode == Mode::Only);
    let count = world.tests.borrow().len();
    let mut report = FileReport::default();
    for number in 0..count {
        let (name, mode, place, timeout_ms) = {
            let tests = world.tests.borrow();
            // A context made anew announces the same tests again, unless the file is not the same twice.
            let Some(test) = tests.get(number) else { break };
            (test.name.clone(), test.mode, test.stack.clone(), test.timeout_ms)
        };
        let is_wanted = settings.filter.as_ref().is_none_or(|text| name.join(" ").contains(text.as_str()));
        let is_run = is_wanted && mode != Mode::Skip && (!has_only || mode == Mode::Only);
        let mut test =
            TestReport { name, verdict: Verdict::Skipped, took: Duration::ZERO, console: Vec::new() };
        if is_run {
            let began = Instant::now();
            let faults = run_one(&runtime, &world, number, &place, timeout_ms);
            test.took = began.elapsed();
            test.console = world.console.take();
            test.verdict = if faults.is_empty() { Verdict::Passed } else { Verdict::Failed(faults) };
        }
        each(&test);
        report.tests.push(test);
    }
    report
}

fn run_one(
    runtime: &Rc<Runtime>,
    world: &Rc<World>,
    number: usize,
    place: &str,
    timeout_ms: u64,
) -> Vec<Fault> {
    world.restore();
    world.current.set(number);
    let mut faults = Vec::new();
    match lease(runtime) {
        Ok(mut lease) => {
            let ended = drive(world, lease.call(Function::RequestHandler), timeout_ms);
            match ended {
                Ok(Ok(_)) => {}
                Ok(Err(failure)) => faults.push(failure.into()),
                Err(why) => faults.push(Fault::new(&why, "")),
            }
        }
        Err(fault) => faults.push(fault),
    }
    faults.extend(world.fault.take());
    faults.extend(world.unhandled.take());
    for fault in &mut faults {
        if fault.stack.is_empty() {
            fault.stack = place.to_owned();
        }
    }
    faults
}

/// Drives one request through the project's entry. `input` and the answer are JSON text in the form that `single.js` says.
pub fn run_request(
    project: &Project,
    settings: &Settings,
    world: World,
    input: &str,
) -> Result<String, Fault> {
    let world = Rc::new(world);
    *world.input.borrow_mut() = input.to_owned();
    let runtime = runtime(project, SINGLE, settings, &world)?;
    let mut lease = lease(&runtime)?;
    match drive(&world, lease.call(Function::RequestHandler), 60_000) {
        Ok(Ok(_)) => Ok(world.report.take()),
        Ok(Err(failure)) => Err(failure.into()),
        Err(why) => Err(Fault::new(&why, "")),
    }
}

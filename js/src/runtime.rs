//! One engine for one module graph on one shard, with its pool of contexts. Contexts share no JavaScript value, so
//! every job in the engine's queue belongs to the context that is being driven, and the queue is empty whenever
//! nobody drives: that is what lets many leases await at the same time. Never `Send`, never shared.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Instant;

use rquickjs::{Ctx, Persistent, Value};

use crate::bridge::Bridge;
use crate::failure::{Cause, Failure, read_thrown};
use crate::governor::Governor;
use crate::grants::Grants;
use crate::heap::{Gauge, Heap};
use crate::host::{Exchange, Host};
use crate::jobs::Job;
use crate::lease::Lease;
use crate::limits::{Limits, RuntimeStats};
use crate::loader::{Library, Shelf};
use crate::module::{Function, Functions, ModuleCode};
use crate::native::{self, Kinds};
use crate::realm::{self, BootError, Realm};
use crate::restraint::Restraint;
use crate::specifier::bare;
use crate::stack::{Maps, with_callers};
use crate::tally::{CallClock, Calls, Outcome, Tally};

/// A promise that was rejected with nobody listening, and why.
struct Rejection {
    promise: Persistent<Value<'static>>,
    reason: Persistent<Value<'static>>,
}

/// See the module's text.
pub struct Runtime {
    #[expect(clippy::vec_box, reason = "a context moves between pool and lease with every request")]
    pool: RefCell<Vec<Box<Realm>>>,
    rejections: Rc<RefCell<Vec<Rejection>>>,
    functions: Functions,
    jobs: Rc<[Job]>,
    library: Rc<Library>,
    maps: Rc<Maps>,
    name: Rc<str>,
    host: Rc<dyn Host>,
    limits: Limits,
    grants: Rc<Grants>,
    governor: Rc<Governor>,
    kinds: Kinds,
    gauge: Rc<Gauge>,
    /// Set while jobs are thrown away: what they reject is nobody's error.
    purging: Rc<Cell<bool>>,
    counters: Counters,
    tally: Tally,
    pub(crate) restraint: Restraint,
    // Last: everything above holds values of it.
    engine: rquickjs::Runtime,
}

#[derive(Default)]
struct Counters {
    alive: Cell<u32>,
    made: Cell<u64>,
    calls: Cell<u64>,
    cpu_ns: Cell<u64>,
    failures: [Cell<u64>; Cause::COUNT],
}

fn bump(cell: &Cell<u64>, by: u64) {
    cell.set(cell.get() + by);
}

impl Runtime {
    /// Makes the engine and its first context. The first module is the entry. Fails as a call fails: the modules'
    /// top-level code runs here, under `limits.boot_cpu_ms`.
    pub fn new(
        modules: &[ModuleCode],
        limits: Limits,
        grants: Grants,
        host: Rc<dyn Host>,
    ) -> Result<Rc<Runtime>, Failure> {
        let aliases = host.kit().map(|world| world.aliases.borrow().clone()).unwrap_or_default();
        let library = Library::new(modules, aliases)
            .ok_or_else(|| Failure::new(Cause::Internal, "no modules, or a position map that is not ours"))?;
        let gauge = Gauge::new(limits.memory_bytes);
        let engine = rquickjs::Runtime::new_with_alloc(Heap(gauge.clone())).map_err(realm::internal)?;
        engine.set_max_stack_size(limits.stack_bytes);
        engine.set_loader(Shelf(library.clone()), Shelf(library.clone()));
        let governor = Rc::new(Governor::new());
        let clock = governor.clone();
        engine.set_interrupt_handler(Some(Box::new(move || clock.tick())));
        let rejections: Rc<RefCell<Vec<Rejection>>> = Rc::default();
        let purging: Rc<Cell<bool>> = Rc::default();
        track_rejections(&engine, &rejections, &purging);

        let kinds = realm::ground(&engine).map_err(realm::internal)?;
        let mut runtime = Runtime {
            pool: RefCell::default(),
            rejections,
            functions: Functions::default(),
            jobs: Rc::default(),
            maps: Maps::new(modules),
            name: bare(&modules[0].name).into(),
            library,
            host,
            limits,
            grants: Rc::new(grants),
            governor,
            kinds,
            gauge,
            purging,
            counters: Counters::default(),
            restraint: Restraint::default(),
            tally: Tally::default(),
            engine,
        };
        let first = runtime.make_realm()?;
        runtime.functions = first.functions;
        runtime.jobs = first.jobs();
        runtime.pool.borrow_mut().push(first);
        Ok(Rc::new(runtime))
    }

    /// Which of the gateway's functions the entry has.
    pub fn functions(&self) -> Functions {
        self.functions
    }

    /// What the entry wants to be run by itself.
    pub fn jobs(&self) -> &[Job] {
        &self.jobs
    }

    /// True if no variable of its modules outlasts a call: a request may go on in another context.
    pub(crate) fn forgets(&self) -> bool {
        self.library.forgets
    }

    /// A context for one exchange's life. It goes back to the pool when the lease drops, or is thrown away if it
    /// died. Fails with [`Cause::Contexts`] when the pool is at its bound.
    pub fn lease(self: &Rc<Self>, exchange: Rc<dyn Exchange>) -> Result<Lease, Failure> {
        if self.restraint.budget_ns(self.full_budget_ns()).is_none() {
            self.count_failure(Cause::CpuTime);
            let message =
                "calls of this module used up their CPU time too often: it is not called for a moment";
            return Err(Failure::new(Cause::CpuTime, message));
        }
        let realm = self.take_realm().inspect_err(|f| self.count_failure(f.cause))?;
        realm.bridge.open(exchange.clone());
        Ok(Lease::new(self.clone(), realm, exchange))
    }

    /// Makes one more context ahead of the call that would wait for it. False: the pool is at its bound, or the context
    /// cannot be made, which the next call that wants one is told.
    pub fn warm(&self) -> bool {
        let has_room = self.counters.alive.get() < self.limits.contexts;
        match has_room.then(|| self.make_realm()) {
            Some(Ok(realm)) => {
                self.pool.borrow_mut().push(realm);
                true
            }
            _ => false,
        }
    }

    /// Counters and sizes. Cheap.
    pub fn stats(&self) -> RuntimeStats {
        let c = &self.counters;
        let idle = self.pool.borrow().len() as u32;
        RuntimeStats {
            contexts: c.alive.get(),
            leased: c.alive.get() - idle,
            contexts_made: c.made.get(),
            memory_bytes: self.gauge.used(),
            calls: c.calls.get(),
            cpu_ns: c.cpu_ns.get(),
            failures: std::array::from_fn(|i| c.failures[i].get()),
        }
    }

    /// Shows each function's calls that ended since the last time, and begins again. Functions without any are left
    /// out.
    pub fn take_calls(&self, each: &mut dyn FnMut(Function, &Calls)) {
        self.tally.take(each);
    }

    /// Counts a call that ended.
    pub(crate) fn count_end(&self, function: Function, outcome: Outcome, clock: &CallClock) {
        self.tally.count(function, outcome, clock);
    }

    /// CPU time of one call of a module that keeps within it.
    pub(crate) fn full_budget_ns(&self) -> u64 {
        u64::from(self.limits.cpu_ms) * 1_000_000
    }

    pub(crate) fn count_call(&self) {
        bump(&self.counters.calls, 1);
    }

    pub(crate) fn count_failure(&self, cause: Cause) {
        bump(&self.counters.failures[cause as usize], 1);
    }

    /// An idle context, or a new one while the bound allows.
    pub(crate) fn take_realm(&self) -> Result<Box<Realm>, Failure> {
        if let Some(realm) = self.pool.borrow_mut().pop() {
            return Ok(realm);
        }
        if self.counters.alive.get() >= self.limits.contexts {
            return Err(Failure::new(Cause::Contexts, "every context of this module is in use"));
        }
        self.make_realm()
    }

    /// Takes a context back after its lease.
    pub(crate) fn return_realm(&self, mut realm: Box<Realm>) {
        let unfinished = realm.bridge.close();
        realm.dead |= realm.bridge.broken.get();
        if unfinished && !realm.dead {
            // The promises of cancelled operations are forgotten with the table that could settle them.
            realm.dead = realm.context.with(|ctx| realm.reset(&ctx).is_err());
        }
        if realm.dead {
            self.counters.alive.set(self.counters.alive.get() - 1);
            drop(realm);
            // A dead context is a web of cycles; its heap must be free before the next one is made.
            self.engine.run_gc();
        } else {
            self.pool.borrow_mut().push(realm);
        }
    }

    fn make_realm(&self) -> Result<Box<Realm>, Failure> {
        let began = Instant::now();
        let bridge = Bridge::new(
            self.host.clone(),
            self.limits,
            self.grants.clone(),
            self.maps.clone(),
            self.name.clone(),
            self.governor.clone(),
            self.kinds,
        );
        let context = Realm::context(&self.engine).map_err(|e| match self.gauge.take_refused() {
            true => Failure::new(Cause::Memory, "no memory for another context"),
            false => realm::internal(e),
        })?;
        let limit = u64::from(self.limits.boot_cpu_ms) * 1_000_000;
        let mut clock = CallClock::default();
        let realm = self.slice(&context, &bridge, limit, &mut clock, false, |ctx| {
            let run_jobs = || self.run_jobs(ctx);
            let booted = Realm::boot(ctx, &context, &bridge, &self.library, &run_jobs);
            let booted = booted.map_err(|e| match e {
                BootError::Thrown(value) => self.thrown(ctx, value, &bridge),
                BootError::Unsettled => {
                    let message =
                        "top-level code awaits something that cannot settle before a request is there";
                    self.limited().unwrap_or_else(|| Failure::new(Cause::Pending, message))
                }
                BootError::Job(message) => {
                    let stack = self.maps.scheduled(&self.library.entry);
                    Failure { cause: Cause::Thrown, message, stack }
                }
                BootError::Engine(rquickjs::Error::Exception) => self.thrown(ctx, ctx.catch(), &bridge),
                BootError::Engine(e) => self.limited().unwrap_or_else(|| realm::internal(e)),
            });
            self.report_rejections(ctx, None);
            // Without this, a limit that fired late would leave a half-evaluated module behind.
            booted.and_then(|realm| self.limited().map_or(Ok(realm), Err))
        });
        let realm = realm.inspect_err(|_| native::detach(&context))?;
        self.counters.alive.set(self.counters.alive.get() + 1);
        bump(&self.counters.made, 1);
        self.restraint.context_made(began.elapsed());
        Ok(Box::new(realm))
    }

    /// Runs one slice of a call: the only way into the engine. Keeps the clock, the stack's bounds and the heap's
    /// flag, and adds what it took to the call's clock.
    pub(crate) fn slice<R>(
        &self,
        context: &rquickjs::Context,
        bridge: &Bridge,
        limit_ns: u64,
        clock: &mut CallClock,
        resumed: bool,
        run: impl FnOnce(&Ctx<'_>) -> R,
    ) -> R {
        self.gauge.take_refused();
        self.governor.begin(limit_ns, clock.spent_ns, resumed);
        let result = context.with(|ctx| {
            realm::mark_stack(&ctx);
            run(&ctx)
        });
        let slice = self.governor.end();
        clock.spent_ns += slice.charged_ns;
        clock.slice(slice.began, slice.wall_ns, slice.took_ns);
        bump(&self.counters.cpu_ns, slice.took_ns);
        if let Some(panic) = bridge.panic.take() {
            std::panic::resume_unwind(panic);
        }
        result
    }

    /// Runs the queue dry, or throws it away once the budget is used up.
    pub(crate) fn run_jobs(&self, ctx: &Ctx<'_>) {
        let mut ran = 0u32;
        while realm::has_jobs(ctx) {
            if self.governor.fired() {
                self.purging.set(true);
                realm::purge_jobs(ctx, self.limits.stack_bytes);
                self.purging.set(false);
                self.rejections.borrow_mut().clear();
                return;
            }
            ctx.execute_pending_job();
            ran = ran.wrapping_add(1);
            if ran.is_multiple_of(256) {
                self.governor.tick();
            }
        }
    }

    /// The failure of a limit that has been hit in this slice, whatever the code made of it.
    pub(crate) fn limited(&self) -> Option<Failure> {
        self.governor.fired().then(|| Failure::new(Cause::CpuTime, "the CPU budget of the call is used up"))
    }

    /// The failure that a thrown value means.
    pub(crate) fn thrown<'js>(&self, ctx: &Ctx<'js>, value: Value<'js>, bridge: &Bridge) -> Failure {
        if let Some(failure) = self.limited() {
            return failure;
        }
        // Taken before the value is read: reading allocates too.
        let refused = self.gauge.take_refused();
        let thrown = read_thrown(ctx, value, &self.maps);
        let cause = match bridge.tripped.take() {
            _ if refused => Cause::Memory,
            _ if thrown.is_stack_overflow => Cause::Stack,
            Some(limit) if thrown.message.starts_with("RangeError: too many") => limit,
            _ => Cause::Thrown,
        };
        let message = if refused { "the heap of the module is full".into() } else { thrown.message };
        let stack = with_callers(&thrown.stack, &self.maps.map(&bridge.origin.borrow()));
        self.limited().unwrap_or(Failure { cause, message, stack })
    }

    /// Reports the rejections that nobody handled, apart from the call's own promise.
    pub(crate) fn report_rejections(&self, ctx: &Ctx<'_>, own: Option<&Value<'_>>) {
        if self.rejections.borrow().is_empty() {
            return;
        }
        let list = std::mem::take(&mut *self.rejections.borrow_mut());
        let mut left = self.limits.rejections;
        for Rejection { promise, reason } in list {
            let (Ok(promise), Ok(reason)) = (promise.restore(ctx), reason.restore(ctx)) else { continue };
            if left == 0 || own.is_some_and(|own| same(own, &promise)) {
                continue;
            }
            left -= 1;
            let thrown = read_thrown(ctx, reason, &self.maps);
            let text = format!("unhandled rejection: {}", thrown.message);
            let line = native::console_line(&text, self.limits.console_line_bytes);
            self.host.unhandled(&self.name, &line, &thrown.stack);
        }
    }
}

fn same(a: &Value<'_>, b: &Value<'_>) -> bool {
    // SAFETY: only the addresses are compared.
    let address = |v: &Value<'_>| unsafe { rquickjs::qjs::JS_VALUE_GET_PTR(v.as_raw()) };
    address(a) == address(b)
}

/// Longest list of rejections kept in one slice; a flood is cut here.
const MAX_REJECTIONS: usize = 256;

fn track_rejections(
    engine: &rquickjs::Runtime,
    rejections: &Rc<RefCell<Vec<Rejection>>>,
    purging: &Rc<Cell<bool>>,
) {
    let (rejections, purging) = (rejections.clone(), purging.clone());
    engine.set_host_promise_rejection_tracker(Some(Box::new(move |ctx, promise, reason, handled| {
        if purging.get() {
            return;
        }
        let mut list = rejections.borrow_mut();
        if handled {
            let at = list
                .iter()
                .position(|r| r.promise.clone().restore(&ctx).is_ok_and(|known| same(&known, &promise)));
            if let Some(at) = at {
                drop(list.swap_remove(at));
            }
        } else if list.len() < MAX_REJECTIONS {
            let (promise, reason) = (Persistent::save(&ctx, promise), Persistent::save(&ctx, reason));
            list.push(Rejection { promise, reason });
        }
    })));
}

impl Drop for Runtime {
    fn drop(&mut self) {
        // Values must be gone before the engine; the fields' order sees to the rest.
        self.rejections.borrow_mut().clear();
        self.pool.borrow_mut().clear();
        self.engine.set_host_promise_rejection_tracker(None);
    }
}

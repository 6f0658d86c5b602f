//! The future of one call. It drives the module's promise itself: polls the lease's operations when it is woken,
//! settles their promises, runs the jobs that follow, and looks whether the result is there. Nothing is spawned,
//! and nothing waits in the engine's queue between two polls.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use rquickjs::promise::PromiseState;
use rquickjs::{ArrayBuffer, Ctx, FromJs, Persistent, Promise, Value};

use crate::failure::{Cause, ErrorInfo, Failure};
use crate::jobs::JobRun;
use crate::lease::{Answer, Lease};
use crate::module::Function;
use crate::native::{self, Text};
use crate::operations::{Done, Settled};
use crate::realm::{self, Realm};
use crate::runtime::Runtime;
use crate::tally::{CallClock, Outcome};

/// A call into the module: of one of its functions, or of the bodies it still writes.
pub struct Call<'a> {
    lease: &'a mut Lease,
    entry: Entry,
    clock: CallClock,
    /// CPU time it may use.
    limit_ns: u64,
    state: State,
}

/// What is called.
pub(crate) enum Entry {
    /// A function that takes the context alone.
    Function(Function),
    /// `errorHandler`.
    Error(ErrorInfo),
    /// A job, with what it is told of its run.
    Job(usize, JobRun),
    /// What pumps the bodies that a function left behind.
    Pump,
}

impl Entry {
    /// True if what it returns may be a `Response`.
    fn responds(&self) -> bool {
        self.function().is_some_and(|f| !matches!(f, Function::FetchUpstream | Function::Scheduled))
    }

    fn function(&self) -> Option<Function> {
        match self {
            Entry::Function(function) => Some(*function),
            Entry::Error(_) => Some(Function::ErrorHandler),
            Entry::Job(..) => Some(Function::Scheduled),
            Entry::Pump => None,
        }
    }
}

enum State {
    Fresh,
    Waiting(Persistent<Promise<'static>>),
    Done,
}

/// Where a call stands after a slice.
enum Step {
    Done(Result<Answer, Failure>),
    Waiting(Persistent<Promise<'static>>),
}

impl<'a> Call<'a> {
    pub(crate) fn new(lease: &'a mut Lease, entry: Entry) -> Call<'a> {
        Call { lease, entry, clock: CallClock::default(), limit_ns: 0, state: State::Fresh }
    }

    /// CPU time that it has used so far, nanoseconds.
    pub fn cpu_ns(&self) -> u64 {
        self.clock.cpu_ns()
    }

    /// Time from its begin to the end of its last slice, nanoseconds: all of it once the call has ended.
    pub fn wall_ns(&self) -> u64 {
        self.clock.wall_ns()
    }

    /// Time from its begin until now, nanoseconds, for a call that is given up.
    pub fn age_ns(&self) -> u64 {
        self.clock.age_ns()
    }

    fn begin(&mut self) -> Step {
        let runtime = self.lease.runtime().clone();
        if let Some(function) = self.entry.function() {
            runtime.count_call();
            if !runtime.functions().has(function) {
                let message = format!("the module has no {}", function.name());
                return Step::Done(Err(Failure::new(Cause::Internal, message)));
            }
        }
        if let Err(failure) = self.lease.revive() {
            return Step::Done(Err(failure));
        }
        let kept = self.lease.take_kept();
        let Some(realm) = self.lease.realm() else { return Step::Done(Err(realm::internal("no context"))) };
        let entry = &self.entry;
        realm.bridge.tripped.set(None);
        realm.bridge.origin.borrow_mut().clear();
        let full = u64::from(realm.bridge.cpu_ms.get()) * 1_000_000;
        let limit = runtime.restraint.budget_ns(full).unwrap_or_default();
        self.limit_ns = limit;
        runtime.slice(&realm.context, &realm.bridge, limit, &mut self.clock, false, |ctx| {
            if let Some(Err(e)) = kept.map(|values| realm.restore(ctx, &values)) {
                return finish(&runtime, ctx, Err(realm::internal(e)));
            }
            let returned = match entry {
                Entry::Function(function) => realm.invoke(ctx, *function),
                Entry::Error(error) => {
                    realm.invoke_error_handler(ctx, (&error.name, &error.message, &error.code))
                }
                Entry::Job(index, run) => realm.run_job(ctx, *index, run),
                Entry::Pump => realm.pump(ctx),
            };
            match returned.and_then(|value| adopted(ctx, realm, value)) {
                Ok(value) => match value.as_promise() {
                    Some(promise) => settle_jobs(&runtime, ctx, realm, promise.clone(), entry.responds()),
                    None => finish(&runtime, ctx, answered(&runtime, ctx, realm, value, entry.responds())),
                },
                Err(rquickjs::Error::Exception) => {
                    let failure = runtime.thrown(ctx, ctx.catch(), &realm.bridge);
                    finish(&runtime, ctx, Err(failure))
                }
                Err(e) => finish(&runtime, ctx, Err(realm::internal(e))),
            }
        })
    }

    /// Hands finished operations to the module and looks at its promise again.
    fn resume(&mut self, promise: Persistent<Promise<'static>>, done: Vec<Done>) -> Step {
        let runtime = self.lease.runtime().clone();
        let Some(realm) = self.lease.realm() else { return Step::Done(Err(realm::internal("no context"))) };
        let limit = self.limit_ns;
        let responds = self.entry.responds();
        if done.iter().any(|done| done.settled.renews_budget()) {
            self.clock.spent_ns = 0;
        }
        runtime.slice(&realm.context, &realm.bridge, limit, &mut self.clock, true, |ctx| {
            for Done { id, settled, origin } in done {
                *realm.bridge.origin.borrow_mut() = origin;
                let handed = hand_over(ctx, realm, id, settled);
                if matches!(handed, Err(rquickjs::Error::Exception)) {
                    ctx.catch();
                }
                runtime.run_jobs(ctx);
            }
            match promise.restore(ctx) {
                Ok(promise) => settle_jobs(&runtime, ctx, realm, promise, responds),
                Err(e) => Step::Done(Err(realm::internal(e))),
            }
        })
    }

    fn end(&mut self, result: Result<Answer, Failure>) -> Poll<Result<Answer, Failure>> {
        self.state = State::Done;
        let outcome =
            result.as_ref().map_or_else(|failure| Outcome::Failed(failure.cause), |_| Outcome::Done);
        if let Some(function) = self.entry.function() {
            self.lease.runtime().count_end(function, outcome, &self.clock);
        }
        match &result {
            Ok(_) => self.lease.runtime().restraint.good(self.clock.spent_ns),
            Err(failure) if failure.cause == Cause::CpuTime => {
                let runtime = self.lease.runtime();
                runtime.restraint.ended(self.clock.spent_ns, runtime.full_budget_ns());
            }
            Err(_) => {}
        }
        if let Err(failure) = &result {
            self.lease.runtime().count_failure(failure.cause);
            if failure.cause.is_fatal()
                && let Some(realm) = self.lease.realm()
            {
                realm.dead = true;
            }
        }
        Poll::Ready(result)
    }
}

impl Future for Call<'_> {
    type Output = Result<Answer, Failure>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut step = match std::mem::replace(&mut self.state, State::Done) {
            State::Fresh => self.begin(),
            State::Waiting(promise) => Step::Waiting(promise),
            State::Done => Step::Done(Err(realm::internal("the call was polled after its end"))),
        };
        loop {
            let promise = match step {
                Step::Done(result) => return self.end(result),
                Step::Waiting(promise) => promise,
            };
            let Some(realm) = self.lease.realm() else {
                return self.end(Err(realm::internal("no context")));
            };
            let mut operations = realm.bridge.operations.borrow_mut();
            if operations.is_empty() {
                drop(operations);
                drop(promise);
                let message = "the promise can never settle: nothing is in flight that could resolve it";
                return self.end(Err(Failure::new(Cause::Pending, message)));
            }
            let done = operations.poll(cx);
            drop(operations);
            if done.is_empty() {
                self.state = State::Waiting(promise);
                return Poll::Pending;
            }
            step = self.resume(promise, done);
        }
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        if let State::Waiting(_) = self.state {
            self.clock.slice(Instant::now(), 0, 0);
            if let Some(function) = self.entry.function() {
                self.lease.runtime().count_end(function, Outcome::Cancelled, &self.clock);
            }
            // Half of the module's code has run; nobody knows what its globals mean now.
            if let Some(realm) = self.lease.realm() {
                realm.bridge.operations.borrow_mut().clear();
                realm.dead = true;
            }
        }
    }
}

/// A thenable that is no promise becomes one, as `await` would do it.
fn adopted<'js>(ctx: &Ctx<'js>, realm: &Realm, value: Value<'js>) -> rquickjs::Result<Value<'js>> {
    if value.is_object() && !value.is_promise() { realm.adopt(ctx, value) } else { Ok(value) }
}

/// Runs the queue dry, then looks at the promise.
fn settle_jobs<'js>(
    runtime: &Runtime,
    ctx: &Ctx<'js>,
    realm: &Realm,
    promise: Promise<'js>,
    responds: bool,
) -> Step {
    runtime.run_jobs(ctx);
    runtime.report_rejections(ctx, Some(promise.as_value()));
    if let Some(failure) = runtime.limited() {
        return Step::Done(Err(failure));
    }
    match promise.state() {
        PromiseState::Pending => Step::Waiting(Persistent::save(ctx, promise)),
        PromiseState::Resolved => match promise.result::<Value<'js>>() {
            Some(Ok(value)) => finish(runtime, ctx, answered(runtime, ctx, realm, value, responds)),
            _ => Step::Done(Err(realm::internal("a resolved promise without a result"))),
        },
        PromiseState::Rejected => {
            let _ = promise.result::<Value<'js>>();
            let failure = runtime.thrown(ctx, ctx.catch(), &realm.bridge);
            Step::Done(Err(failure))
        }
    }
}

/// Ends a call that returned at once.
fn finish(runtime: &Runtime, ctx: &Ctx<'_>, result: Result<Answer, Failure>) -> Step {
    if realm::has_jobs(ctx) {
        runtime.run_jobs(ctx);
    }
    runtime.report_rejections(ctx, None);
    Step::Done(match runtime.limited() {
        Some(failure) => Err(failure),
        None => result,
    })
}

/// What a function returned. A `Response` becomes the exchange's; to look whether it is one costs nothing where that
/// class was never loaded.
fn answered<'js>(
    runtime: &Runtime,
    ctx: &Ctx<'js>,
    realm: &Realm,
    value: Value<'js>,
    responds: bool,
) -> Result<Answer, Failure> {
    if responds && value.is_object() && realm.bridge.has_responses.get() {
        realm.respond(ctx, value.clone()).map_err(|e| match e {
            rquickjs::Error::Exception => runtime.thrown(ctx, ctx.catch(), &realm.bridge),
            e => realm::internal(e),
        })?;
    }
    answer(&value)
}

fn answer(value: &Value<'_>) -> Result<Answer, Failure> {
    if !value.is_string() {
        return Ok(Answer::Nothing);
    }
    let text = Text::from_js(value.ctx(), value.clone());
    text.map(|text| Answer::Text(text.0)).map_err(realm::internal)
}

fn hand_over(ctx: &Ctx<'_>, realm: &Realm, id: u32, settled: Settled) -> rquickjs::Result<()> {
    let (ok, value) = match settled {
        Settled::Nothing => (true, Value::new_undefined(ctx.clone())),
        Settled::Json(text) => (true, realm::json(ctx, text)?),
        Settled::Bytes(bytes) => (true, ArrayBuffer::new_copy(ctx.clone(), &bytes)?.into_value()),
        Settled::Response(response) => (true, native::response(ctx, &realm.bridge, response)?),
        Settled::Chunk(chunk) => (true, native::piece(ctx, chunk)?),
        Settled::Piece => (true, Value::new_undefined(ctx.clone())),
        Settled::Cached(value) => (true, native::cached(ctx, value)?),
        Settled::Refused(refused) => (false, realm::refusal(ctx, &refused.0)?),
    };
    realm.settle(ctx, id, ok, value)
}

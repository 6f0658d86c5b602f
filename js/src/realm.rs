//! One context: its globals, the evaluated modules, and the handful of functions through which it is called. All
//! that is expensive is made once here; a lease only changes a number and a pointer in the [`Bridge`].

use std::rc::Rc;

use rquickjs::context::intrinsic;
use rquickjs::{Context, Ctx, Function as JsFunction, Module, Object, Persistent, Value, qjs};

use crate::bridge::Bridge;
use crate::failure::{Cause, Failure};
use crate::jobs::{self, Bound, Job, JobRun, Wrong};
use crate::loader::Library;
use crate::module::{Function, Functions};
use crate::native::{self, Kinds, Rest};
use crate::prelude;

/// The engine's builtins that modules get. Without `Eval` neither `eval` nor `new Function` can compile anything;
/// without weak references the garbage collector cannot be observed, and no job of another context can be queued
/// by it.
type Builtins = (
    intrinsic::Date,
    intrinsic::RegExpCompiler,
    intrinsic::RegExp,
    intrinsic::Json,
    intrinsic::Proxy,
    intrinsic::MapSet,
    intrinsic::TypedArrays,
    intrinsic::Promise,
);

/// A context with its handles.
pub(crate) struct Realm {
    error: Persistent<JsFunction<'static>>,
    settle: Persistent<JsFunction<'static>>,
    adopt: Persistent<JsFunction<'static>>,
    reset: Persistent<JsFunction<'static>>,
    pumping: Persistent<JsFunction<'static>>,
    respond: Persistent<JsFunction<'static>>,
    rested: Persistent<JsFunction<'static>>,
    restore: Persistent<JsFunction<'static>>,
    pub(crate) functions: Functions,
    jobs: Vec<Bound>,
    pub(crate) bridge: Rc<Bridge>,
    /// Must not be leased again.
    pub(crate) dead: bool,
    // Last: the handles above must go first.
    pub(crate) context: Context,
}

/// Why a context could not be made.
pub(crate) enum BootError<'js> {
    /// Thrown while linking or by top-level code.
    Thrown(Value<'js>),
    /// Top-level code awaits something that cannot come: no exchange is there yet.
    Unsettled,
    /// `scheduled` is no job: a sentence.
    Job(String),
    /// The engine failed without a value.
    Engine(rquickjs::Error),
}

impl From<rquickjs::Error> for BootError<'_> {
    fn from(e: rquickjs::Error) -> Self {
        BootError::Engine(e)
    }
}

impl Realm {
    /// A context without anything of ours in it.
    pub(crate) fn context(engine: &rquickjs::Runtime) -> rquickjs::Result<Context> {
        Context::custom::<Builtins>(engine)
    }

    /// Evaluates the prelude and the graph in `context`. Runs user code: only within a slice.
    pub(crate) fn boot<'js>(
        ctx: &Ctx<'js>,
        context: &Context,
        bridge: &Rc<Bridge>,
        library: &Library,
        run_jobs: &dyn Fn(),
    ) -> Result<Realm, BootError<'js>> {
        ctx.globals().set("__native", native::table(ctx, bridge)?)?;
        let prelude = import(ctx, prelude::BOOT, run_jobs)?;
        // Before any code of the user's, so that what it does to builtins is not in their way.
        for name in &library.host_imports {
            import(ctx, name, run_jobs)?;
        }
        let lock: JsFunction = import(ctx, prelude::LOCK, run_jobs)?.get("lock")?;
        let entry = import(ctx, &library.entry, run_jobs)?;
        let handle = |name: &str| prelude.get::<_, JsFunction>(name).map(|f| Persistent::save(ctx, f));
        let mut functions = Functions::default();
        for f in Function::OF_REQUESTS {
            let own: Value = entry.get(f.name())?;
            let default: Value = entry.get("default")?;
            if own.is_function() {
                bridge.objects.bind(f, &own, &Value::new_undefined(ctx.clone()));
                functions.add(f);
            } else if let Some(object) = default.as_object().filter(|_| !default.is_function())
                && object.get::<_, Value>(f.name())?.is_function()
            {
                bridge.objects.bind(f, &object.get::<_, Value>(f.name())?, object.as_value());
                functions.add(f);
            }
        }
        let jobs = jobs::read(ctx, &entry).map_err(|wrong| match wrong {
            Wrong::Shape(why) => BootError::Job(why),
            Wrong::Engine(e) => caught_in(ctx, e),
        })?;
        if !jobs.is_empty() {
            functions.add(Function::Scheduled);
        }
        lock.call::<_, ()>(()).map_err(|e| caught_in(ctx, e))?;
        Ok(Realm {
            error: handle("errorOf")?,
            settle: handle("settle")?,
            adopt: handle("adopt")?,
            reset: handle("reset")?,
            pumping: handle("pumping")?,
            respond: handle("respond")?,
            rested: handle("rested")?,
            restore: handle("restore")?,
            functions,
            jobs,
            bridge: bridge.clone(),
            dead: false,
            context: context.clone(),
        })
    }
}

impl Drop for Realm {
    fn drop(&mut self) {
        // Values of this context may outlive it in the engine's cycles; they must not find the bridge.
        native::detach(&self.context);
    }
}

/// What was thrown, if something was.
fn caught_in<'js>(ctx: &Ctx<'js>, e: rquickjs::Error) -> BootError<'js> {
    if matches!(e, rquickjs::Error::Exception) { BootError::Thrown(ctx.catch()) } else { e.into() }
}

/// The namespace of a module, with everything it imports evaluated.
fn import<'js>(ctx: &Ctx<'js>, name: &str, run_jobs: &dyn Fn()) -> Result<Object<'js>, BootError<'js>> {
    let caught = |e| caught_in(ctx, e);
    let promise = Module::import(ctx, name).map_err(caught)?;
    run_jobs();
    match promise.result::<Object<'js>>() {
        Some(namespace) => namespace.map_err(caught),
        None => Err(BootError::Unsettled),
    }
}

impl Realm {
    /// The jobs of the entry, without what they run.
    pub(crate) fn jobs(&self) -> Rc<[Job]> {
        self.jobs.iter().map(|bound| bound.job.clone()).collect()
    }

    /// Runs a job. Whatever the module kept of an earlier request is over by now.
    pub(crate) fn run_job<'js>(
        &self,
        ctx: &Ctx<'js>,
        index: usize,
        run: &JobRun,
    ) -> rquickjs::Result<Value<'js>> {
        self.reset(ctx)?;
        match self.jobs.get(index) {
            Some(bound) => bound.call(ctx, run),
            None => {
                Err(rquickjs::Exception::throw_range(ctx, &format!("the module has no scheduled[{index}]")))
            }
        }
    }

    /// Calls one of the functions of a request.
    pub(crate) fn invoke<'js>(&self, ctx: &Ctx<'js>, f: Function) -> rquickjs::Result<Value<'js>> {
        native::call(ctx, &self.bridge, f, None)
    }

    /// Calls `errorHandler` with an error made from the parts.
    pub(crate) fn invoke_error_handler<'js>(
        &self,
        ctx: &Ctx<'js>,
        (name, message, code): (&str, &str, &str),
    ) -> rquickjs::Result<Value<'js>> {
        let error = self.error.clone().restore(ctx)?.call((name, message, code))?;
        native::call(ctx, &self.bridge, Function::ErrorHandler, Some(error))
    }

    /// The promise of all bodies that are still written, or undefined.
    pub(crate) fn pump<'js>(&self, ctx: &Ctx<'js>) -> rquickjs::Result<Value<'js>> {
        self.pumping.clone().restore(ctx)?.call(())
    }

    /// Makes a `Response` that a function returned the exchange's; other objects are left alone.
    pub(crate) fn respond<'js>(&self, ctx: &Ctx<'js>, value: Value<'js>) -> rquickjs::Result<()> {
        self.respond.clone().restore(ctx)?.call((self.bridge.generation(), value))
    }

    /// Tells the prelude how an operation ended.
    pub(crate) fn settle<'js>(
        &self,
        ctx: &Ctx<'js>,
        id: u32,
        ok: bool,
        value: Value<'js>,
    ) -> rquickjs::Result<()> {
        self.settle.clone().restore(ctx)?.call((id, ok, value))
    }

    /// A promise for any thenable.
    pub(crate) fn adopt<'js>(&self, ctx: &Ctx<'js>, value: Value<'js>) -> rquickjs::Result<Value<'js>> {
        self.adopt.clone().restore(ctx)?.call((value,))
    }

    /// Whether nothing of the current lease lives in this context alone; then it is let go, and what `ctx.set` was given
    /// comes as JSON text, empty if there is nothing.
    pub(crate) fn rested(&self) -> rquickjs::Result<Option<String>> {
        let (objects, raw) = (&self.bridge.objects, self.context.as_raw().as_ptr());
        match objects.rest(raw, self.bridge.generation()) {
            Rest::Never => return Ok(None),
            Rest::Done => return Ok(Some(String::new())),
            Rest::Ask => {}
        }
        let text = self.context.with(|ctx| {
            mark_stack(&ctx);
            let answer: Value = self.rested.clone().restore(&ctx)?.call(())?;
            match answer.as_bool() {
                Some(is_rested) => Ok(is_rested.then(String::new)),
                None => answer.get::<String>().map(Some),
            }
        })?;
        if text.is_some() {
            objects.clear(raw);
        }
        Ok(text)
    }

    /// Gives what [`Realm::rested`] gave to the context where the request goes on.
    pub(crate) fn restore(&self, ctx: &Ctx<'_>, values: &str) -> rquickjs::Result<()> {
        self.restore.clone().restore(ctx)?.call((values,))
    }

    /// Forgets the operations of a lease that ended with some in flight.
    pub(crate) fn reset(&self, ctx: &Ctx<'_>) -> rquickjs::Result<()> {
        self.reset.clone().restore(ctx)?.call(())
    }
}

/// Makes the classes of the runtime, and the context that it keeps for as long as it lives: the binding holds on to the first one in which a
/// function of Rust is made. It must not be one of a module's, whose heap would never be free again.
pub(crate) fn ground(engine: &rquickjs::Runtime) -> rquickjs::Result<Kinds> {
    let context = Context::base(engine)?;
    context.with(|ctx| {
        let function = JsFunction::new(ctx.clone(), || ())?;
        // It is what all such functions inherit from, in every context: nothing may be left on it.
        let above = function.into_value().into_object().and_then(|function| function.get_prototype());
        if let Some(above) = above {
            // SAFETY: a live context and a value of it.
            unsafe { qjs::JS_FreezeObject(ctx.as_raw().as_ptr(), above.as_raw()) };
        }
        native::register(&ctx)
    })
}

/// Gives the running stack its bounds: they are relative to where the engine is entered.
pub(crate) fn mark_stack(ctx: &Ctx<'_>) {
    // SAFETY: the runtime of a live context.
    unsafe { qjs::JS_UpdateStackTop(qjs::JS_GetRuntime(ctx.as_raw().as_ptr())) }
}

/// True if jobs wait in the runtime's queue.
pub(crate) fn has_jobs(ctx: &Ctx<'_>) -> bool {
    // SAFETY: the runtime of a live context.
    unsafe { qjs::JS_IsJobPending(qjs::JS_GetRuntime(ctx.as_raw().as_ptr())) }
}

/// Empties the job queue without running any of the module's code. With a stack of one byte every call fails, so
/// what is queued is rejected down its chain of promises and nothing new can be started.
pub(crate) fn purge_jobs(ctx: &Ctx<'_>, stack_bytes: usize) {
    let set = |bytes: usize| {
        // SAFETY: the runtime of a live context.
        unsafe { qjs::JS_SetMaxStackSize(qjs::JS_GetRuntime(ctx.as_raw().as_ptr()), bytes as _) }
    };
    set(1);
    while has_jobs(ctx) {
        ctx.execute_pending_job();
    }
    set(stack_bytes);
}

/// A value for [`Realm::settle`] made of JSON text.
pub(crate) fn json<'js>(ctx: &Ctx<'js>, text: String) -> rquickjs::Result<Value<'js>> {
    if text.is_empty() { Ok(Value::new_undefined(ctx.clone())) } else { ctx.json_parse(text) }
}

/// An error for the rejection of an operation.
pub(crate) fn refusal<'js>(ctx: &Ctx<'js>, message: &str) -> rquickjs::Result<Value<'js>> {
    Ok(rquickjs::Exception::from_message(ctx.clone(), message)?.into_object().into_value())
}

/// The cause of a failed evaluation or call that the engine reported without a value.
pub(crate) fn internal(what: impl std::fmt::Display) -> Failure {
    Failure::new(Cause::Internal, format!("the engine failed: {what}"))
}

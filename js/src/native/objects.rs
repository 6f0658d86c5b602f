//! The objects that modules get of a request: `ctx`, its request, its responses, their headers. They are of classes of the
//! engine's own that hold a number, the lease's with the side, so that making one costs an allocation, and what nearly every
//! module calls of them is here. The rest of their methods is the prelude's. An object of an earlier lease holds that
//! lease's number and is refused: none may ever be used again for another request, not even where nobody seems to hold it.

use std::cell::Cell;
use std::ffi::{CStr, c_void};
use std::ptr;

use rquickjs::qjs::{self, JSClassID, JSContext, JSValue};
use rquickjs::{Ctx, Exception, Object, Value};

use super::hot::{self, Op};
use super::lazy;
use crate::bridge::Bridge;
use crate::module::Function;

/// Classes, by their number.
#[derive(Clone, Copy, PartialEq)]
#[repr(usize)]
enum Kind {
    Context,
    Request,
    Headers,
    Upstream,
    Response,
}

const KINDS: [&CStr; 5] = [c"Context", c"Request", c"Headers", c"Upstream", c"Response"];

impl Kind {
    /// The module of the prelude that has the rest of its methods; all contexts have the first.
    fn module(self) -> &'static CStr {
        match self {
            Kind::Context | Kind::Request | Kind::Headers => c"tidegate:context",
            Kind::Upstream => c"tidegate:upstream",
            Kind::Response => c"tidegate:response",
        }
    }
}

/// The objects of one lease, by their number.
#[derive(Clone, Copy)]
#[repr(usize)]
enum Slot {
    Context,
    Request,
    Upstream,
    Response,
    RequestHeaders,
    UpstreamHeaders,
    ResponseHeaders,
}

/// What each is and the side that it stands for.
const SLOTS: [(Kind, u32); 7] = [
    (Kind::Context, 0),
    (Kind::Request, 0),
    (Kind::Upstream, 1),
    (Kind::Response, 2),
    (Kind::Headers, 0),
    (Kind::Headers, 1),
    (Kind::Headers, 2),
];

/// What a method does.
#[derive(Clone, Copy)]
enum Does {
    /// Gives an object of the lease.
    Gives(Slot),
    /// Gives the upstream's response, to a function that has one.
    GivesUpstream,
    /// Reads or writes fields.
    Fields(Op),
}

/// Methods and, where it is true, getters. The engine knows them by their place here.
const METHODS: [(Kind, &CStr, bool, Does); 13] = [
    (Kind::Context, c"request", false, Does::Gives(Slot::Request)),
    (Kind::Context, c"response", false, Does::Gives(Slot::Response)),
    (Kind::Context, c"upstream", false, Does::GivesUpstream),
    (Kind::Request, c"headers", true, Does::Gives(Slot::RequestHeaders)),
    (Kind::Upstream, c"headers", true, Does::Gives(Slot::UpstreamHeaders)),
    (Kind::Response, c"headers", true, Does::Gives(Slot::ResponseHeaders)),
    (Kind::Headers, c"get", false, Does::Fields(Op::FieldGet)),
    (Kind::Headers, c"has", false, Does::Fields(Op::FieldHas)),
    (Kind::Headers, c"set", false, Does::Fields(Op::FieldSet)),
    (Kind::Headers, c"add", false, Does::Fields(Op::FieldAdd)),
    (Kind::Headers, c"append", false, Does::Fields(Op::FieldAdd)),
    (Kind::Headers, c"delete", false, Does::Fields(Op::FieldRemove)),
    (Kind::Headers, c"del", false, Does::Fields(Op::FieldRemove)),
];

/// Whether a native function of this name may be one of these; `Map` has some of the same names.
pub(crate) fn is_method(name: &str) -> bool {
    METHODS.iter().any(|(_, known, ..)| known.to_bytes() == name.as_bytes())
}

/// The classes of one runtime.
#[derive(Clone, Copy)]
pub(crate) struct Kinds([JSClassID; 5]);

/// Makes the classes known to a runtime, once.
pub(crate) fn register(ctx: &Ctx<'_>) -> rquickjs::Result<Kinds> {
    let mut ids = [0; 5];
    for (id, name) in ids.iter_mut().zip(KINDS) {
        let class = qjs::JSClassDef {
            class_name: name.as_ptr(),
            finalizer: None,
            gc_mark: None,
            call: None,
            exotic: ptr::null_mut(),
        };
        // SAFETY: the runtime of a live context; the definition is copied, its name is a constant.
        let rc = unsafe {
            let runtime = qjs::JS_GetRuntime(ctx.as_raw().as_ptr());
            qjs::JS_NewClass(runtime, qjs::JS_NewClassID(runtime, id), &class)
        };
        if rc < 0 {
            return Err(rquickjs::Error::Exception);
        }
    }
    Ok(Kinds(ids))
}

/// A lease's objects as far as they were asked for, and the functions of the module that are called with them.
pub(crate) struct Objects {
    kinds: Kinds,
    /// Kinds whose methods are there.
    is_set: [Cell<bool>; 5],
    generation: Cell<u32>,
    phase: Cell<u8>,
    slots: [Cell<JSValue>; SLOTS.len()],
    functions: [Cell<(JSValue, JSValue)>; Function::OF_REQUESTS.len()],
    /// The lease that the prelude keeps something of, and the one of which something is only in this context.
    known: Cell<Option<u32>>,
    held: Cell<Option<u32>>,
}

/// How a lease may end early.
pub(crate) enum Rest {
    /// Something of it is only here.
    Never,
    /// Nothing is left of it.
    Done,
    /// The prelude has to be asked.
    Ask,
}

impl Objects {
    pub(crate) fn new(kinds: Kinds) -> Objects {
        Objects {
            kinds,
            is_set: Default::default(),
            generation: Cell::new(u32::MAX),
            phase: Cell::new(0),
            slots: [const { Cell::new(qjs::JS_UNDEFINED) }; SLOTS.len()],
            functions: [const { Cell::new((qjs::JS_UNDEFINED, qjs::JS_UNDEFINED)) };
                Function::OF_REQUESTS.len()],
            known: Cell::new(None),
            held: Cell::new(None),
        }
    }

    /// Lets go of the lease's objects.
    pub(crate) fn clear(&self, ctx: *mut JSContext) {
        self.generation.set(u32::MAX);
        for slot in &self.slots {
            free(ctx, slot.replace(qjs::JS_UNDEFINED));
        }
    }

    /// Lets go of everything, before the context ends.
    pub(super) fn end(&self, ctx: *mut JSContext) {
        self.clear(ctx);
        for bound in &self.functions {
            let (function, this) = bound.replace((qjs::JS_UNDEFINED, qjs::JS_UNDEFINED));
            free(ctx, function);
            free(ctx, this);
        }
    }

    /// Whether the lease of this number could go on in another context. Lets go of its objects if it can.
    pub(crate) fn rest(&self, ctx: *mut JSContext, generation: u32) -> Rest {
        if self.held.get() == Some(generation) {
            return Rest::Never;
        }
        if self.generation.get() == generation {
            // Nor was anything added to the objects that the module has had.
            if !self.slots.iter().all(|slot| super::bare::is_bare(ctx, slot.get())) {
                return Rest::Never;
            }
            if self.known.get() == Some(generation) {
                return Rest::Ask;
            }
            self.clear(ctx);
        }
        Rest::Done
    }

    /// The function to be called by this name, on the object that it stands in.
    pub(crate) fn bind(&self, function: Function, call: &Value<'_>, this: &Value<'_>) {
        let ctx = call.ctx().as_raw().as_ptr();
        // SAFETY: live values, which get references of their own.
        let bound = unsafe { (qjs::JS_DupValue(ctx, call.as_raw()), qjs::JS_DupValue(ctx, this.as_raw())) };
        let (was, was_this) = self.functions[function as usize].replace(bound);
        free(ctx, was);
        free(ctx, was_this);
    }
}

fn free(ctx: *mut JSContext, value: JSValue) {
    // SAFETY: a reference that was this module's own, of a live context.
    unsafe { qjs::JS_FreeValue(ctx, value) }
}

/// Calls a function of the module with the context object of the current lease, and with an error if there is one.
pub(crate) fn call<'js>(
    ctx: &Ctx<'js>,
    bridge: &Bridge,
    function: Function,
    error: Option<Value<'js>>,
) -> rquickjs::Result<Value<'js>> {
    let raw = ctx.as_raw().as_ptr();
    let (bound, this) = bridge.objects.functions[function as usize].get();
    let context = enter(raw, bridge, function as u8);
    let mut arguments = [context, error.as_ref().map_or(qjs::JS_UNDEFINED, Value::as_raw)];
    let count = 1 + i32::from(error.is_some());
    // SAFETY: live values of a live context; the function and `this` are bound as long as the context lives, the object is
    // freed here, and what comes back is owned by nobody else.
    let value = unsafe {
        if qjs::JS_IsException(context) {
            return Err(rquickjs::Error::Exception);
        }
        let value = qjs::JS_Call(raw, bound, this, count, arguments.as_mut_ptr());
        qjs::JS_FreeValue(raw, context);
        Value::from_raw(ctx.clone(), value)
    };
    if value.is_exception() { Err(rquickjs::Error::Exception) } else { Ok(value) }
}

/// The context object of the current lease; what is left of an earlier one goes.
fn enter(ctx: *mut JSContext, bridge: &Bridge, phase: u8) -> JSValue {
    let objects = &bridge.objects;
    objects.phase.set(phase);
    if objects.generation.get() != bridge.generation() {
        objects.clear(ctx);
        objects.generation.set(bridge.generation());
    }
    give(ctx, bridge, Slot::Context)
}

/// An object of the current lease, the same each time.
fn give(ctx: *mut JSContext, bridge: &Bridge, slot: Slot) -> JSValue {
    let (place, (kind, side)) = (&bridge.objects.slots[slot as usize], SLOTS[slot as usize]);
    // SAFETY: values that are kept here are live; a dead context keeps none.
    unsafe {
        if !qjs::JS_IsUndefined(place.get()) {
            return qjs::JS_DupValue(ctx, place.get());
        }
        let is_set = &bridge.objects.is_set[kind as usize];
        if !is_set.get()
            && let Err(failed) = lazy::complete(&hot::context(ctx), bridge, kind.module(), || is_set.get())
        {
            return failed;
        }
        let object = qjs::JS_NewObjectClass(ctx, bridge.objects.kinds.0[kind as usize]);
        if !qjs::JS_IsException(object) {
            let handle = bridge.generation() << 2 | side;
            // An odd number, so that none is null.
            qjs::JS_SetOpaque(object, ptr::without_provenance_mut::<c_void>((handle as usize) << 1 | 1));
            place.set(qjs::JS_DupValue(ctx, object));
        }
        object
    }
}

/// The number that an object holds: the lease's and, in the last two bits, the side.
fn handle(bridge: &Bridge, value: JSValue, kind: Kind) -> Option<u32> {
    // SAFETY: looks at the value's class, and at its number if that is ours.
    let opaque = unsafe { qjs::JS_GetOpaque(value, bridge.objects.kinds.0[kind as usize]) };
    (!opaque.is_null()).then(|| (opaque.addr() >> 1) as u32)
}

const ALL: [Kind; 5] = [Kind::Context, Kind::Request, Kind::Headers, Kind::Upstream, Kind::Response];

pub(super) fn fill<'js>(ctx: &Ctx<'js>, table: &Object<'js>) -> rquickjs::Result<()> {
    // `handle(object)`: its number.
    hot::install(ctx, table, c"handle", |ctx, bridge, [object]| {
        match ALL.into_iter().find_map(|kind| handle(bridge, object, kind)) {
            Some(handle) => Ok(hot::number(handle as i32)),
            None => Err(stranger(ctx, "object of a request")),
        }
    })?;
    // `lease(object)`: the lease's number alone.
    hot::install(ctx, table, c"lease", |ctx, bridge, [object]| {
        match ALL.into_iter().find_map(|kind| handle(bridge, object, kind)) {
            Some(handle) => Ok(hot::number((handle >> 2) as i32)),
            None => Err(stranger(ctx, "object of a request")),
        }
    })?;
    // `current()`: the number of the lease that is open.
    hot::install(ctx, table, c"current", |_, bridge, []| Ok(hot::number(bridge.generation() as i32)))?;
    // `know()`: the prelude keeps something of that lease. `hold()`: and something that is only here.
    hot::install(ctx, table, c"know", |_, bridge, []| {
        bridge.objects.known.set(Some(bridge.generation()));
        Ok(qjs::JS_UNDEFINED)
    })?;
    hot::install(ctx, table, c"hold", |_, bridge, []| {
        bridge.objects.held.set(Some(bridge.generation()));
        Ok(qjs::JS_UNDEFINED)
    })?;
    // `enter(phase)`: the context object, for the test kit.
    hot::install(ctx, table, c"enter", |ctx, bridge, [phase]| {
        Ok(enter(ctx.as_raw().as_ptr(), bridge, hot::integer(phase).unwrap_or(0) as u8))
    })?;
    // `shape(name, prototype)`: objects of that kind have this prototype, which gets the methods that are here.
    hot::install(ctx, table, c"shape", |ctx, bridge, [name, prototype]| {
        let name = hot::Utf8::read(ctx, name)?;
        match KINDS.iter().position(|kind| kind.to_bytes() == name.bytes()) {
            Some(at) => shape(ctx, bridge, ALL[at], prototype).map(|()| qjs::JS_UNDEFINED),
            None => Err(stranger(ctx, "kind of object")),
        }
    })
}

fn stranger(ctx: &Ctx<'_>, what: &str) -> rquickjs::Error {
    Exception::throw_type(ctx, &format!("this is no {what}"))
}

fn shape(ctx: &Ctx<'_>, bridge: &Bridge, kind: Kind, prototype: JSValue) -> rquickjs::Result<()> {
    let raw = ctx.as_raw().as_ptr();
    // SAFETY: looks at the tag only.
    if unsafe { !qjs::JS_IsObject(prototype) } {
        return Err(stranger(ctx, "prototype"));
    }
    let hidden = (qjs::JS_PROP_CONFIGURABLE | qjs::JS_PROP_WRITABLE) as i32;
    let entry = qjs::JSCFunctionType { generic_magic: Some(method) };
    let cfunc = qjs::JSCFunctionEnum_JS_CFUNC_generic_magic;
    let own = METHODS.iter().enumerate().filter(|(_, (of, ..))| *of == kind);
    for (at, (_, name, is_getter, _)) in own {
        // SAFETY: `method` has the signature that `generic_magic` stands for; a live context and C strings; the values are
        // handed over, the atom is freed.
        let rc = unsafe {
            let function = qjs::JS_NewCFunction2(raw, entry.generic, name.as_ptr(), 2, cfunc, at as i32);
            if *is_getter {
                let atom = qjs::JS_NewAtom(raw, name.as_ptr());
                let flags = qjs::JS_PROP_CONFIGURABLE as i32;
                let rc =
                    qjs::JS_DefinePropertyGetSet(raw, prototype, atom, function, qjs::JS_UNDEFINED, flags);
                qjs::JS_FreeAtom(raw, atom);
                rc
            } else {
                qjs::JS_DefinePropertyValueStr(raw, prototype, name.as_ptr(), function, hidden)
            }
        };
        if rc < 0 {
            return Err(rquickjs::Error::Exception);
        }
    }
    // SAFETY: a live context, a class of its runtime, and a value that gets a reference of its own.
    unsafe {
        qjs::JS_SetClassProto(raw, bridge.objects.kinds.0[kind as usize], qjs::JS_DupValue(raw, prototype))
    };
    bridge.objects.is_set[kind as usize].set(true);
    Ok(())
}

unsafe extern "C" fn method(
    ctx: *mut JSContext,
    this: JSValue,
    _: i32,
    argv: *mut JSValue,
    magic: i32,
) -> JSValue {
    // SAFETY: null, or the bridge that `attach` put there and `detach` takes away before it dies.
    let bridge = unsafe { qjs::JS_GetContextOpaque(ctx).cast::<Bridge>().as_ref() };
    let (Some(bridge), Some((kind, _, _, does))) = (bridge, METHODS.get(magic as usize)) else {
        return hot::fail(ctx, "the request is over");
    };
    let Some(handle) = handle(bridge, this, *kind) else {
        stranger(&hot::context(ctx), KINDS[*kind as usize].to_str().unwrap_or_default());
        return qjs::JS_EXCEPTION;
    };
    match does {
        Does::Fields(op) => {
            // SAFETY: declared with two arguments, so the engine gives at least these.
            let (name, value) = unsafe { (*argv, *argv.add(1)) };
            hot::guarded(ctx, bridge, *op, handle, name, value)
        }
        Does::Gives(_) | Does::GivesUpstream if !is_current(bridge, handle) => {
            hot::fail(ctx, "the request is over")
        }
        Does::Gives(slot) => give(ctx, bridge, *slot),
        Does::GivesUpstream if bridge.objects.phase.get() == Function::ResponseModifier as u8 => {
            give(ctx, bridge, Slot::Upstream)
        }
        Does::GivesUpstream => qjs::JS_NULL,
    }
}

fn is_current(bridge: &Bridge, handle: u32) -> bool {
    handle >> 2 == bridge.generation() && bridge.objects.generation.get() == bridge.generation()
}

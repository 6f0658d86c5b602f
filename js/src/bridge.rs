//! What the native functions of one context see: the exchange it is leased to, its operations in flight, the host.
//! It holds no JavaScript value but those of [`Objects`], which go before the context does, and it answers for the current lease
//! only: an object kept from an earlier lease carries that lease's number and is told that its request is over.

use std::any::Any;
use std::cell::{Cell, Ref, RefCell};
use std::rc::Rc;

use rquickjs::{Ctx, Error, Exception};

use crate::failure::Cause;
use crate::governor::Governor;
use crate::grants::Grants;
use crate::host::{Exchange, Host, Refused};
use crate::limits::Limits;
use crate::native::{KeptKeys, Kinds, Objects};
use crate::operations::Operations;
use crate::stack::Maps;
use crate::streams::Streams;

/// The Rust side of a context.
pub(crate) struct Bridge {
    pub(crate) host: Rc<dyn Host>,
    pub(crate) limits: Limits,
    /// CPU budget of a call: that of the limits, unless the test kit sets another.
    pub(crate) cpu_ms: Cell<u32>,
    pub(crate) grants: Rc<Grants>,
    pub(crate) maps: Rc<Maps>,
    governor: Rc<Governor>,
    /// Name of the entry module, for the console.
    pub(crate) module: Rc<str>,
    pub(crate) operations: RefCell<Operations>,
    pub(crate) streams: RefCell<Streams>,
    /// Where the operation was started whose end the code that runs now has awaited; empty before the first `await`.
    pub(crate) origin: RefCell<String>,
    /// The limit whose error was thrown last.
    pub(crate) tripped: Cell<Option<Cause>>,
    /// A panic of the host, caught on its way into the engine.
    pub(crate) panic: Cell<Option<Box<dyn Any + Send>>>,
    /// A module of the prelude is being evaluated because a global of it was touched.
    pub(crate) loading: Cell<bool>,
    /// Globals and builtins are locked: what comes later is looked up in the vault.
    pub(crate) locked: Cell<bool>,
    /// A part of the prelude could not be set up: the context must not be leased again.
    pub(crate) broken: Cell<bool>,
    /// The class `Response` was loaded: what a function returns may be one.
    pub(crate) has_responses: Cell<bool>,
    /// Keys of tokens that were imported already.
    pub(crate) kept_keys: RefCell<KeptKeys>,
    /// The objects of the lease, and what is called with them.
    pub(crate) objects: Objects,
    generation: Cell<u32>,
    exchange: RefCell<Option<Rc<dyn Exchange>>>,
}

impl Bridge {
    pub(crate) fn new(
        host: Rc<dyn Host>,
        limits: Limits,
        grants: Rc<Grants>,
        maps: Rc<Maps>,
        module: Rc<str>,
        governor: Rc<Governor>,
        kinds: Kinds,
    ) -> Rc<Bridge> {
        Rc::new(Bridge {
            host,
            limits,
            cpu_ms: Cell::new(limits.cpu_ms),
            grants,
            maps,
            governor,
            module,
            operations: RefCell::default(),
            streams: RefCell::default(),
            origin: RefCell::default(),
            tripped: Cell::new(None),
            panic: Cell::new(None),
            loading: Cell::new(false),
            locked: Cell::new(false),
            broken: Cell::new(false),
            has_responses: Cell::new(false),
            kept_keys: RefCell::default(),
            objects: Objects::new(kinds),
            generation: Cell::new(0),
            exchange: RefCell::new(None),
        })
    }

    /// Begins a lease. Its number fits into an integer of the engine with two bits to spare.
    pub(crate) fn open(&self, exchange: Rc<dyn Exchange>) {
        self.generation.set(self.generation.get().wrapping_add(1) & 0x0fff_ffff);
        *self.exchange.borrow_mut() = Some(exchange);
    }

    /// Ends it. True if operations were still in flight.
    pub(crate) fn close(&self) -> bool {
        let exchange = self.exchange.borrow_mut().take();
        drop(exchange);
        self.streams.borrow_mut().clear();
        self.operations.borrow_mut().clear()
    }

    /// True if operations are in flight or bodies are open.
    pub(crate) fn is_busy(&self) -> bool {
        !self.operations.borrow().is_empty() || !self.streams.borrow().is_empty()
    }

    /// Number of the current lease.
    pub(crate) fn generation(&self) -> u32 {
        self.generation.get()
    }

    /// True while a lease is open; modules are evaluated outside of one.
    pub(crate) fn is_open(&self) -> bool {
        self.exchange.borrow().is_some()
    }

    /// The exchange, if `generation` is the current lease. Not to be held while JavaScript runs.
    pub(crate) fn exchange(&self, generation: u32) -> Option<Ref<'_, dyn Exchange>> {
        let exchange = Ref::filter_map(self.exchange.borrow(), |x| x.as_deref()).ok();
        exchange.filter(|_| generation == self.generation.get())
    }

    /// Asks the exchange, if `generation` is the current lease.
    pub(crate) fn ask<R>(
        &self,
        ctx: &Ctx<'_>,
        generation: u32,
        ask: impl FnOnce(&dyn Exchange) -> R,
    ) -> rquickjs::Result<R> {
        match self.exchange(generation) {
            Some(exchange) => Ok(ask(&*exchange)),
            None => Err(Exception::throw_message(ctx, "the request is over")),
        }
    }

    /// As `ask`, for what the host may refuse.
    pub(crate) fn try_ask<R>(
        &self,
        ctx: &Ctx<'_>,
        generation: u32,
        ask: impl FnOnce(&dyn Exchange) -> Result<R, Refused>,
    ) -> rquickjs::Result<R> {
        self.ask(ctx, generation, ask)?.map_err(|refused| throw(ctx, &refused))
    }

    /// Looks at the call's CPU time before and after work that the engine cannot interrupt, and throws once it is
    /// used up: from then on such work is refused, and the engine ends the call at its next look.
    pub(crate) fn spend(&self, ctx: &Ctx<'_>) -> rquickjs::Result<()> {
        match self.governor.tick() {
            true => Err(Exception::throw_range(ctx, "the CPU budget of the call is used up")),
            false => Ok(()),
        }
    }

    /// The same for work on a few bytes, which is cheaper than a look at the CPU clock: looks once it has added up.
    pub(crate) fn spend_bytes(&self, ctx: &Ctx<'_>, bytes: usize) -> rquickjs::Result<()> {
        if self.governor.adds_up(bytes) { self.spend(ctx) } else { Ok(()) }
    }

    /// Throws the error of a limit and remembers which.
    pub(crate) fn trip(&self, ctx: &Ctx<'_>, cause: Cause, message: &str) -> Error {
        self.tripped.set(Some(cause));
        Exception::throw_range(ctx, message)
    }
}

/// A refusal as a JavaScript error.
pub(crate) fn throw(ctx: &Ctx<'_>, refused: &Refused) -> Error {
    Exception::throw_message(ctx, &refused.0)
}

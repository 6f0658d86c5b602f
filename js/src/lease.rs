//! A context borrowed for one exchange. It outlives single calls, so that what `requestModifier` keeps in `ctx` is
//! there in `responseModifier`. If a limit kills the context, the next call (an `errorHandler`, say) gets a fresh one.

use std::rc::Rc;

use crate::call::{Call, Entry};
use crate::failure::{ErrorInfo, Failure};
use crate::host::Exchange;
use crate::jobs::JobRun;
use crate::module::Function;
use crate::realm::Realm;
use crate::runtime::Runtime;

/// What a function returned, as far as the gateway cares. Everything that is no string is [`Answer::Nothing`]:
/// handlers often end with `return res.json(…)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Nothing of interest.
    Nothing,
    /// A string: `fetchUpstream`'s URL.
    Text(String),
}

/// See the module's text. Dropping it ends the exchange for JavaScript: objects that a module kept answer "the
/// request is over", operations in flight are cancelled.
pub struct Lease {
    runtime: Rc<Runtime>,
    realm: Option<Box<Realm>>,
    exchange: Rc<dyn Exchange>,
    /// Values of `ctx.set` from the context that the request was in before, for the next call.
    kept: Option<Kept>,
}

/// What a request that gave its context back goes on with. See [`Lease::rest`].
#[derive(Debug, Default)]
pub struct Kept(String);

impl Lease {
    pub(crate) fn new(runtime: Rc<Runtime>, realm: Box<Realm>, exchange: Rc<dyn Exchange>) -> Lease {
        Lease { runtime, realm: Some(realm), exchange, kept: None }
    }

    /// True if the entry has that function. Calling one that it does not have fails.
    pub fn has(&self, f: Function) -> bool {
        self.runtime.functions().has(f)
    }

    /// Calls a function. A synchronous one is ready at the first poll. Dropping the future cancels what it awaits
    /// and discards the context. For `errorHandler` use [`Lease::call_error_handler`].
    pub fn call(&mut self, f: Function) -> Call<'_> {
        Call::new(self, Entry::Function(f))
    }

    /// Calls `errorHandler(ctx, error)`; `error` is an `Error` with that name, message and code.
    pub fn call_error_handler(&mut self, error: &ErrorInfo) -> Call<'_> {
        Call::new(self, Entry::Error(error.clone()))
    }

    /// Runs job `index` of the entry ([`Runtime::jobs`]). The lease's exchange should be [`NoRequest`](crate::NoRequest).
    /// The CPU budget is that of any call; how long it may wait is for the caller to bound, by dropping the future.
    pub fn call_job(&mut self, index: usize, run: JobRun) -> Call<'_> {
        Call::new(self, Entry::Job(index, run))
    }

    /// Goes on with the bodies that functions of this lease left to be written ([`Exchange::stream_body`]); ready when
    /// all have ended. To be driven while they are read. The CPU budget holds for each piece.
    pub fn pump(&mut self) -> Call<'_> {
        Call::new(self, Entry::Pump)
    }

    /// Gives the context back before the exchange is over, for the time of a long wait: another request can have it, and
    /// the few contexts in use stay warm. Only if nothing of the exchange lives in it: no variable of the modules outlasts
    /// a call, nothing is in flight, and the objects that the functions got can be made again. What they hold of these is
    /// over, as at the exchange's end. The next lease of the exchange gets [`Kept`] through [`Lease::resume`].
    pub fn rest(mut self) -> Result<Kept, Lease> {
        let is_free = |realm: &Realm| !realm.dead && !realm.bridge.is_busy();
        let Some(realm) = self.realm.as_deref().filter(|realm| self.runtime.forgets() && is_free(realm))
        else {
            return Err(self);
        };
        match realm.rested() {
            Ok(Some(values)) => {
                self.realm.take().into_iter().for_each(|realm| self.runtime.return_realm(realm));
                Ok(Kept(values))
            }
            Ok(None) | Err(_) => Err(self),
        }
    }

    /// Goes on with what [`Lease::rest`] gave.
    pub fn resume(&mut self, kept: Kept) {
        self.kept = Some(kept).filter(|kept| !kept.0.is_empty());
    }

    /// What the next call has to bring into its context.
    pub(crate) fn take_kept(&mut self) -> Option<String> {
        self.kept.take().map(|kept| kept.0)
    }

    pub(crate) fn runtime(&self) -> &Rc<Runtime> {
        &self.runtime
    }

    /// The context, if one is there.
    pub(crate) fn realm(&mut self) -> Option<&mut Realm> {
        self.realm.as_deref_mut()
    }

    /// Makes sure that there is a context that can be called.
    pub(crate) fn revive(&mut self) -> Result<(), Failure> {
        if self.realm.as_ref().is_some_and(|realm| !realm.dead) {
            return Ok(());
        }
        if let Some(dead) = self.realm.take() {
            self.runtime.return_realm(dead);
        }
        let realm = self.runtime.take_realm()?;
        realm.bridge.open(self.exchange.clone());
        self.realm = Some(realm);
        Ok(())
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(realm) = self.realm.take() {
            self.runtime.return_realm(realm);
        }
    }
}

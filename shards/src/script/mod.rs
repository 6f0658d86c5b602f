//! Running a route's modules: the functions in their order, bodies only when a module asks for them, and what the
//! modules did to the request and the response. A route without modules never comes here.

mod chosen;
mod host;
mod loaded;
mod scripted;
mod slot;

pub use chosen::Names;
pub use host::Lender;
pub use scripted::{Lent, show_id};
pub use slot::Outcome;

use crate::body::{Body, BodyFault};
use crate::fault::Fault;
use crate::limits::Limits;
use crate::reply::Own;
use crate::wire::{Input, Output};
use host::ScriptHost;
use loaded::Shelf;
use scripted::Scripted;
use slot::BodySlot;
use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use tidegate_codec::{BodyFraming, RequestHead, ResponseHead};
use tidegate_js::{Answer, Cause, ErrorInfo, Failure, Function, Grants, Lease, ModuleCode, Runtime};
use tidegate_snapshot::{Script, ScriptReport};

/// The shard's runtimes, one per script, by slot.
pub struct Scripts {
    lender: Rc<Lender>,
    contexts: u32,
    runtimes: RefCell<Shelf>,
}

/// A fault with what a person needs to find its cause.
pub struct Trouble {
    /// The fault.
    pub fault: Fault,
    /// The module's own words, with the stack.
    pub failure: Option<Failure>,
    /// The function that ran.
    pub function: Option<Function>,
    /// `namespace/module` of the script it belongs to.
    pub module: Option<Arc<str>>,
}

impl From<Fault> for Trouble {
    fn from(fault: Fault) -> Self {
        Self { fault, failure: None, function: None, module: None }
    }
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        Self { fault: Fault::Module(failure.cause), failure: Some(failure), function: None, module: None }
    }
}

impl Scripts {
    /// Without any runtime yet.
    pub fn new(lender: Rc<Lender>, contexts: u32) -> Self {
        Self { lender, contexts, runtimes: RefCell::default() }
    }

    /// The runtime of a script, made when it is first wanted here.
    fn runtime(&self, script: &Arc<Script>) -> Result<Rc<Runtime>, Failure> {
        if let Some(runtime) = self.runtimes.borrow().get(script) {
            return Ok(runtime.clone());
        }
        let modules: Vec<ModuleCode> = script
            .modules
            .iter()
            .map(|module| ModuleCode {
                name: module.name.clone(),
                bytecode: module.bytecode.clone(),
                source_map: module.source_map.clone(),
            })
            .collect();
        let limits = tidegate_js::Limits {
            cpu_ms: script.limits.cpu_ms,
            memory_bytes: script.limits.memory_bytes,
            stack_bytes: script.limits.stack_bytes,
            contexts: self.contexts,
            fetches: script.limits.fetches,
            timers: script.limits.timers,
            pending: script.limits.pending,
            ..tidegate_js::Limits::default()
        };
        let host = ScriptHost::new(self.lender.clone(), script);
        let permissions = Grants::parse(&script.permissions).map_err(|_| Failure {
            cause: Cause::Internal,
            message: "a permission is unknown".into(),
            stack: String::new(),
        })?;
        let runtime = Runtime::new(&modules, limits, permissions, Rc::new(host))?;
        self.runtimes.borrow_mut().put(script, runtime.clone());
        Ok(runtime)
    }

    /// Borrows a context for one exchange.
    pub fn begin(&self, script: &Arc<Script>, lent: Lent) -> Result<Run, Box<(Trouble, Lent)>> {
        let runtime = match self.runtime(script) {
            Ok(runtime) => runtime,
            Err(failure) => return Err(Box::new((failure.into(), lent))),
        };
        let view = Scripted::new(lent);
        match runtime.lease(view.clone()) {
            Ok(lease) => Ok(Run {
                lease,
                runtime,
                view,
                lender: self.lender.clone(),
                body_cap: script.limits.body_bytes as u64,
            }),
            Err(failure) => Err(Box::new((failure.into(), view.close().expect("lent a moment ago")))),
        }
    }

    /// Drops the runtimes of scripts that are gone: those whose slot is above `slots`.
    pub fn retain(&self, slots: u32) {
        self.runtimes.borrow_mut().truncate(slots);
    }

    /// What was counted since the last time.
    pub fn report(&self) -> Vec<ScriptReport> {
        self.runtimes.borrow_mut().report()
    }
}

/// What a module is told of a body that it may not have.
fn too_large(cap: u64) -> String {
    format!("the body is larger than the {cap} bytes a module may collect")
}

/// A body on the wire that a module may want collected.
pub struct Source<'a> {
    /// Where it comes from.
    pub input: &'a mut Input,
    /// Where the client is told to go on (`100 Continue`), if it waits for that.
    pub go_on: Option<&'a mut Output>,
    /// Its framing.
    pub framing: BodyFraming,
    /// Most bytes the route allows.
    pub allowance: u64,
    /// The shard's bounds.
    pub limits: &'a Limits,
    /// Set as soon as a byte of it was taken.
    pub is_touched: &'a mut bool,
    /// Set once it was read to its end.
    pub is_read: &'a mut bool,
}

impl Source<'_> {
    async fn collect(&mut self, cap: u64, slot: &BodySlot) -> Result<Vec<u8>, BodyFault> {
        *self.is_touched = true;
        if let Some(output) = self.go_on.take()
            && self.input.buffer.is_empty()
        {
            output.buffer.extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
            output.flush(self.limits.write_timeout).await.map_err(BodyFault::Read)?;
        }
        let mut body = Body::new(self.framing, cap.min(self.allowance));
        let bytes = body.collect(self.input, self.limits).await?;
        slot.keep_trailers(body.decoder.trailers());
        *self.is_read = true;
        Ok(bytes)
    }
}

/// The modules of one exchange.
pub struct Run {
    lease: Lease,
    runtime: Rc<Runtime>,
    view: Rc<Scripted>,
    lender: Rc<Lender>,
    body_cap: u64,
}

impl Run {
    /// What is lent, for the exchange itself.
    pub fn lent(&self) -> std::cell::RefMut<'_, Lent> {
        self.view.lent().expect("lent until the run is closed")
    }

    /// Takes the request back for the time of the upstream call.
    pub fn take_request(&self) -> RequestHead {
        std::mem::take(&mut self.lent().request)
    }

    /// Lends the request again, and now the response with it.
    pub fn lend_response(&self, request: RequestHead, response: ResponseHead) {
        let mut lent = self.lent();
        lent.request = request;
        lent.upstream = Some(response);
    }

    /// What became of the request's body.
    pub fn request_body(&self) -> Outcome {
        self.view.request_body.outcome()
    }

    /// What became of the upstream's body.
    pub fn upstream_body(&self) -> Outcome {
        self.view.upstream_body.outcome()
    }

    /// Part of the request's body is gone: it cannot be collected any more.
    pub fn refuse_request_body(&self) {
        self.view.request_body.refuse_untouched("the request's body has gone upstream already");
    }

    /// Ends the run and takes everything back.
    pub fn close(self) -> Option<Lent> {
        self.view.close()
    }

    /// Runs one function, collecting a body when it asks for one.
    async fn drive(
        &mut self,
        function: Function,
        error: Option<&ErrorInfo>,
        slot: &Rc<BodySlot>,
        source: &mut Source<'_>,
    ) -> Result<Answer, Trouble> {
        let cap = self.body_cap;
        let (running, view) = (&self.lender.running, &self.view);
        let call = match error {
            Some(error) => self.lease.call_error_handler(error),
            None => self.lease.call(function),
        };
        let mut call = pin!(call);
        loop {
            let step =
                poll_fn(|context| match running.during(function, view, || call.as_mut().poll(context)) {
                    Poll::Ready(answer) => Poll::Ready(Some(answer)),
                    Poll::Pending if slot.is_wanted() => Poll::Ready(None),
                    Poll::Pending => Poll::Pending,
                })
                .await;
            match step {
                Some(answer) => {
                    return answer.map_err(|failure| Trouble { function: Some(function), ..failure.into() });
                }
                // Known before a byte was read: the body stays on the wire, and goes on if the module does not mind.
                None if matches!(source.framing, BodyFraming::Length(length) if length > cap) => {
                    slot.fulfil(Err(too_large(cap)));
                }
                None => match source.collect(cap, slot).await {
                    Ok(body) => slot.fulfil(Ok(body)),
                    Err(BodyFault::TooLarge) => {
                        slot.set_broken();
                        slot.fulfil(Err(too_large(cap)));
                    }
                    Err(fault) if slot.is_of_upstream() => return Err(fault.of_response().into()),
                    Err(fault) => return Err(fault.of_request().into()),
                },
            }
        }
    }

    /// `fetchUpstream` (with a service) and `requestModifier`. Answers the URL that was chosen.
    pub async fn before(
        &mut self,
        has_service: bool,
        source: &mut Source<'_>,
    ) -> Result<Option<String>, Trouble> {
        let slot = self.view.request_body.clone();
        let mut chosen = None;
        if has_service
            && self.lease.has(Function::FetchUpstream)
            && let Answer::Text(url) = self.drive(Function::FetchUpstream, None, &slot, source).await?
        {
            chosen = Some(url);
        }
        if self.lease.has(Function::RequestModifier) {
            self.drive(Function::RequestModifier, None, &slot, source).await?;
        }
        if has_service && slot.is_broken() {
            return Err(Fault::BodyTooLarge.into());
        }
        Ok(chosen)
    }

    /// `requestHandler`. A handler that wrote nothing answers 204.
    pub async fn handle(&mut self, source: &mut Source<'_>) -> Result<Own, Trouble> {
        if !self.lease.has(Function::RequestHandler) {
            return Err(Fault::NothingToCall.into());
        }
        let slot = self.view.request_body.clone();
        self.drive(Function::RequestHandler, None, &slot, source).await?;
        Ok(self.written().unwrap_or_else(|| Own::new(204)))
    }

    /// `responseModifier`, with the response's head lent and its body in `source`.
    pub async fn after(&mut self, source: &mut Source<'_>) -> Result<(), Trouble> {
        if !self.lease.has(Function::ResponseModifier) {
            return Ok(());
        }
        self.refuse_request_body();
        let slot = self.view.upstream_body.clone();
        slot.set_of_upstream();
        self.drive(Function::ResponseModifier, None, &slot, source).await?;
        if slot.is_broken() {
            // The module went on without it; the client must not get a body that lost its beginning.
            let (cause, message) = (Cause::Memory, too_large(self.body_cap));
            let failure = Failure { cause, message, stack: String::new() };
            Err(Trouble { function: Some(Function::ResponseModifier), ..failure.into() })
        } else {
            Ok(())
        }
    }

    /// Whether anything is left to call once the request has gone upstream.
    pub fn has_more(&self) -> bool {
        self.lease.has(Function::ResponseModifier) || self.lease.has(Function::ErrorHandler)
    }

    /// Whether a module looks at responses.
    pub fn modifies_response(&self) -> bool {
        self.lease.has(Function::ResponseModifier)
    }

    /// `errorHandler`: `None` if there is none or it wrote nothing.
    pub async fn on_error(
        &mut self,
        trouble: &Trouble,
        source: &mut Source<'_>,
    ) -> Result<Option<Own>, Trouble> {
        if !self.lease.has(Function::ErrorHandler) {
            return Ok(None);
        }
        if trouble.failure.as_ref().is_some_and(|failure| failure.cause != Cause::Thrown) {
            // That context is dead; the handler gets another.
            self.lease = self.runtime.lease(self.view.clone())?;
        }
        let error = match &trouble.failure {
            Some(failure) => ErrorInfo::from(failure),
            None => ErrorInfo {
                name: "UpstreamError".into(),
                message: trouble.fault.name().replace('_', " "),
                code: trouble.fault.name().into(),
            },
        };
        {
            let mut lent = self.lent();
            lent.response = Own::new(200);
            (lent.is_written, lent.is_ended) = (false, false);
        }
        let slot = self.view.request_body.clone();
        self.drive(Function::ErrorHandler, Some(&error), &slot, source).await?;
        Ok(self.written())
    }

    fn written(&self) -> Option<Own> {
        let mut lent = self.lent();
        lent.is_written.then(|| std::mem::replace(&mut lent.response, Own::new(200)))
    }
}

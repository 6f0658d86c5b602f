//! The modules of one exchange: a context of each stage's module, leased from its first call and given back while the
//! upstream is waited for, where the module remembers nothing, and the functions in their order. `fetchUpstream` and `requestHandler` belong to the one stage that has
//! them; request and response modifiers run in list order; error handlers until one answers.

use super::Trouble;
use super::feed::{Feed, Pump};
use super::host::Lender;
use super::loaded::Engine;
use super::runtimes::Scripts;
use super::scripted::{Lent, Scripted};
use super::select;
use super::slot::{BodySlot, Outcome, Want};
use super::source::{Source, is_too_large, too_large};
use crate::body::BodyFault;
use crate::fault::Fault;
use crate::profile::{Profile, Spans};
use crate::reply::Own;
use smallvec::SmallVec;
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use tidegate_codec::{RequestHead, ResponseHead};
use tidegate_js::{Answer, Cause, Chunks, ErrorInfo, Failure, Function, Kept, Lease};
use tidegate_snapshot::{Pipeline, Script};

/// One module, ready to be called.
struct Stage {
    engine: Rc<Engine>,
    /// The module's context, from its first call on: a module that only looks at responses holds none while the upstream is
    /// waited for, and the few contexts that are in use stay warm.
    lease: Option<Lease>,
    /// What it goes on with in another context, if it gave one back.
    kept: Option<Kept>,
    /// What of it was called last: whoever wrote the body that is still to come.
    last: Option<Function>,
    /// What its functions have taken, waiting included, nanoseconds.
    spent_ns: u64,
}

impl Stage {
    /// Nothing of it is called any more in this exchange: counts what it took.
    fn count(&self, profile: &Profile, spans: &mut Spans) {
        if self.spent_ns > 0 {
            spans.module_ns += self.spent_ns;
            profile.record_module(self.engine.script.slot, &self.engine.script.key, self.spent_ns);
        }
    }

    fn has(&self, function: Function) -> bool {
        self.engine.runtime.functions().has(function)
    }

    fn body_cap(&self) -> u64 {
        self.engine.script.limits.body_bytes as u64
    }

    /// Gives its context back for a while, if the module leaves nothing in it: the few that are in use stay warm.
    fn rest(&mut self) {
        match self.lease.take().map(Lease::rest) {
            Some(Ok(kept)) => self.kept = Some(kept),
            Some(Err(held)) => self.lease = Some(held),
            None => {}
        }
    }
}

/// The modules of one exchange.
pub struct Run {
    stages: SmallVec<[Stage; 1]>,
    view: Rc<Scripted>,
    lender: Rc<Lender>,
}

/// What `fetchUpstream` and the request modifiers decided.
pub enum Before {
    /// Go on, to the URL that was chosen if there is one.
    Go(Option<String>),
    /// A module has answered; nothing is called any more.
    Answered(Own),
}

impl Scripts {
    /// Gets every module ready that this request gets; none if the request gets none of them.
    pub fn begin(&self, pipeline: &Pipeline, lent: Lent) -> Result<Result<Run, Lent>, Box<(Trouble, Lent)>> {
        let (mut chosen, mut failed) = (SmallVec::<[_; 1]>::new(), None);
        for stage in &pipeline.stages {
            if let Some(variant) = select::variant(stage, &lent.request, lent.address) {
                match self.engine(&variant.script) {
                    Ok(engine) => chosen.push(engine),
                    Err(failure) => failed = failed.or_else(|| Some(told(failure, &variant.script, None))),
                }
            }
        }
        if let Some(trouble) = failed {
            return Err(Box::new((trouble, lent)));
        }
        if chosen.is_empty() {
            return Ok(Err(lent));
        }
        let view = Scripted::new(lent, chosen.len() > 1);
        let stages = chosen.into_iter().map(|engine| Stage {
            engine,
            lease: None,
            kept: None,
            last: None,
            spent_ns: 0,
        });
        Ok(Ok(Run { stages: stages.collect(), view, lender: self.lender.clone() }))
    }
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

    /// What its functions have taken so far, nanoseconds.
    pub fn spent_ns(&self) -> u64 {
        self.stages.iter().map(|stage| stage.spent_ns).sum()
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
    pub fn close(self, spans: &mut Spans) -> Option<Lent> {
        self.stages.iter().for_each(|stage| stage.count(&self.lender.profile, spans));
        self.view.close()
    }

    /// Everything that must run while a body written in pieces is sent.
    pub fn feed(&mut self, pieces: Rc<dyn Chunks>) -> Feed<'_> {
        let cap = self.stages.iter().map(Stage::body_cap).max().unwrap_or(0);
        let pumps = self.stages.iter_mut().filter_map(|Stage { lease, engine, last, .. }| {
            let call = Box::pin(lease.as_mut()?.pump());
            Some(Pump { call, script: &engine.script, function: *last })
        });
        let running = &self.lender.running;
        Feed { pumps: pumps.collect(), pieces, view: self.view.clone(), running, cap }
    }

    /// Runs one function of one stage, reading a body when it asks for it.
    async fn drive(
        &mut self,
        at: usize,
        function: Function,
        error: Option<&ErrorInfo>,
        slot: &Rc<BodySlot>,
        source: &mut Source<'_>,
    ) -> Result<Answer, Trouble> {
        let cap = self.stages[at].body_cap();
        let (running, view) = (&self.lender.running, &self.view);
        let Stage { lease, kept, engine, last, spent_ns } = &mut self.stages[at];
        *last = Some(function);
        let lease = match lease {
            Some(lease) => lease,
            None => {
                let leased = engine.runtime.lease(view.clone());
                let leased = leased.map_err(|failure| told(failure, &engine.script, Some(function)))?;
                let leased = lease.insert(leased);
                kept.take().into_iter().for_each(|kept| leased.resume(kept));
                leased
            }
        };
        let call = match error {
            Some(error) => lease.call_error_handler(error),
            None => lease.call(function),
        };
        let mut call = pin!(call);
        loop {
            let step = poll_fn(|context| {
                let polled = running.during(function, view, || call.as_mut().poll(context));
                match (polled, slot.wanted()) {
                    (Poll::Ready(answer), _) => Poll::Ready(Ok(answer)),
                    (Poll::Pending, Some(want)) => Poll::Ready(Err(want)),
                    (Poll::Pending, None) => Poll::Pending,
                }
            })
            .await;
            let broken = match step {
                Ok(answer) => {
                    *spent_ns += call.wall_ns();
                    return answer.map_err(|failure| told(failure, &engine.script, Some(function)));
                }
                // Known before a byte was read: the body stays on the wire, and goes on if the module does not mind.
                Err(Want::Whole) if is_too_large(source.framing, cap) => {
                    slot.fulfil(Err(too_large(cap)));
                    continue;
                }
                Err(Want::Whole) => match source.collect(cap, slot).await {
                    Ok(body) => {
                        slot.fulfil(Ok(body));
                        continue;
                    }
                    Err(BodyFault::TooLarge) => {
                        slot.set_broken();
                        slot.fulfil(Err(too_large(cap)));
                        continue;
                    }
                    Err(fault) => fault,
                },
                Err(Want::Piece) => match source.piece(slot).await {
                    Ok(piece) => {
                        slot.give(piece);
                        continue;
                    }
                    Err(fault) => fault,
                },
            };
            let fault = if slot.is_of_upstream() { broken.of_response() } else { broken.of_request() };
            *spent_ns += call.age_ns();
            return Err(fault.into());
        }
    }

    fn with(&self, function: Function) -> impl Iterator<Item = usize> + use<> {
        let has: SmallVec<[usize; 4]> =
            (0..self.stages.len()).filter(|at| self.stages[*at].has(function)).collect();
        has.into_iter()
    }

    /// `fetchUpstream` (with a service) and the request modifiers.
    pub async fn before(&mut self, has_service: bool, source: &mut Source<'_>) -> Result<Before, Trouble> {
        let slot = self.view.request_body.clone();
        let mut chosen = None;
        if has_service {
            for at in self.with(Function::FetchUpstream) {
                if let Answer::Text(url) =
                    self.drive(at, Function::FetchUpstream, None, &slot, source).await?
                {
                    chosen = Some(url);
                }
                if let Some(own) = self.ended() {
                    return Ok(Before::Answered(own));
                }
            }
        }
        for at in self.with(Function::RequestModifier) {
            self.drive(at, Function::RequestModifier, None, &slot, source).await?;
            if let Some(own) = self.ended() {
                return Ok(Before::Answered(own));
            }
        }
        if has_service {
            check_kept(&slot, self.body_cap(), "request")?;
        }
        Ok(Before::Go(chosen))
    }

    /// `requestHandler`. A handler that wrote nothing answers 204.
    pub async fn handle(&mut self, source: &mut Source<'_>) -> Result<Own, Trouble> {
        let Some(at) = self.with(Function::RequestHandler).next() else {
            return Err(Fault::NothingToCall.into());
        };
        let slot = self.view.request_body.clone();
        self.drive(at, Function::RequestHandler, None, &slot, source).await?;
        Ok(self.written().unwrap_or_else(|| Own::new(204)))
    }

    /// The response modifiers, with the response's head lent and its body in `source`. Answers what a module put in the
    /// response's place; nothing after it is called then.
    pub async fn after(&mut self, source: &mut Source<'_>) -> Result<Option<Own>, Trouble> {
        self.refuse_request_body();
        let slot = self.view.upstream_body.clone();
        slot.set_of_upstream();
        for at in self.with(Function::ResponseModifier) {
            self.drive(at, Function::ResponseModifier, None, &slot, source).await?;
            if let Some(own) = self.ended() {
                return Ok(Some(own));
            }
        }
        // A module went on without it; the client must not get a body that lost its beginning.
        check_kept(&slot, self.body_cap(), "response")?;
        Ok(None)
    }

    fn body_cap(&self) -> u64 {
        self.stages.iter().map(Stage::body_cap).min().unwrap_or(0)
    }

    /// Gives contexts back that nothing more is asked of once the request has gone upstream, or nothing for now, warm for
    /// the next request. Answers whether any modules are left.
    pub fn keep_later(&mut self, spans: &mut Spans) -> bool {
        let profile = &self.lender.profile;
        self.stages.retain(|stage| {
            let is_kept = stage.has(Function::ResponseModifier) || stage.has(Function::ErrorHandler);
            if !is_kept {
                stage.count(profile, spans);
            }
            is_kept
        });
        self.stages.iter_mut().for_each(Stage::rest);
        !self.stages.is_empty()
    }

    /// Gives contexts back while the response is sent: at most an error handler may still be called. Not while a module
    /// writes the body.
    pub fn rest(&mut self) {
        for stage in &mut self.stages {
            if stage.has(Function::ErrorHandler) {
                stage.rest();
            } else {
                stage.lease = None;
            }
        }
    }

    /// Whether a module looks at responses.
    pub fn modifies_response(&self) -> bool {
        self.stages.iter().any(|stage| stage.has(Function::ResponseModifier))
    }

    /// The error handlers in list order, until one writes a response.
    pub async fn on_error(
        &mut self,
        trouble: &Trouble,
        source: &mut Source<'_>,
    ) -> Result<Option<Own>, Trouble> {
        let error = match &trouble.failure {
            Some(failure) => ErrorInfo::from(failure),
            None => ErrorInfo {
                name: "UpstreamError".into(),
                message: trouble.fault.name().replace('_', " "),
                code: trouble.fault.name().into(),
            },
        };
        let slot = self.view.request_body.clone();
        for at in self.with(Function::ErrorHandler) {
            {
                let mut lent = self.lent();
                lent.response = Own::new(200);
                (lent.is_written, lent.is_ended) = (false, false);
            }
            self.drive(at, Function::ErrorHandler, Some(&error), &slot, source).await?;
            if let Some(own) = self.written() {
                return Ok(Some(own));
            }
        }
        Ok(None)
    }

    /// The response that a module has ended.
    fn ended(&self) -> Option<Own> {
        let is_ended = self.lent().is_ended;
        is_ended.then(|| self.written()).flatten()
    }

    fn written(&self) -> Option<Own> {
        let mut lent = self.lent();
        lent.is_written.then(|| std::mem::replace(&mut lent.response, Own::new(200)))
    }
}

/// A failure with whose it is.
pub(super) fn told(failure: Failure, script: &Script, function: Option<Function>) -> Trouble {
    Trouble { function, module: Some(script.key.clone()), ..failure.into() }
}

/// A body that lost bytes, and that no module replaced, cannot go on.
fn check_kept(slot: &BodySlot, cap: u64, what: &str) -> Result<(), Trouble> {
    if slot.is_broken() {
        if !slot.is_of_upstream() {
            return Err(Fault::BodyTooLarge.into());
        }
        return Err(Failure { cause: Cause::Memory, message: too_large(cap), stack: String::new() }.into());
    }
    if matches!(slot.outcome(), Outcome::Lost) {
        let message =
            format!("the module read the {what}'s body as a stream and wrote no other in its place");
        return Err(Failure { cause: Cause::Thrown, message, stack: String::new() }.into());
    }
    Ok(())
}

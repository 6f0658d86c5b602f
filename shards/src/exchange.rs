//! One request and its response: the order of the stages, and all the control flow a request has. The stages know
//! nothing of each other; what one hands to the next passes through here.

mod own;
mod pieces;
mod tell;
mod timing;

use crate::body::Body;
use crate::counters::Owner;
use crate::fault::Fault;
use crate::link::{Answered, Link};
use crate::local::Local;
use crate::policy::{self, Admission};
use crate::profile::Spans;
use crate::record::Said;
use crate::reply::Own;
use crate::respond::{self, Ask, Rules};
use crate::route::{self, Matched, Memo};
use crate::script::{Before, Lent, Outcome, Run, Source, Trouble};
use crate::tables::Tables;
use crate::upstream::{self, Call, Line, RequestBody};
use crate::wire::{Input, Output, Peer};
use std::cell::Cell;
use std::mem::take;
use tidegate_codec::{BodyFraming, RequestHead};
use tidegate_snapshot::{DirectResponse, Route};

/// What the client is to get.
enum Reply<'x, 't> {
    /// Made here.
    Own(Made),
    /// The route's own.
    Direct(&'t DirectResponse),
    /// The upstream's response, its body still to come.
    Proxied(Answered<'x>),
}

/// What is still to be sent, once nothing holds the input.
enum Left<'t> {
    Made(Made),
    Direct(&'t DirectResponse),
    Trouble(Trouble),
}

/// A response made here.
struct Made {
    own: Own,
    /// It is an upstream's response which a module changed.
    is_upstreams: bool,
    /// The upstream's connection, where a module still reads the body it came with.
    source: Option<Kept>,
}

/// An upstream's connection whose body goes through a module.
struct Kept {
    link: Box<Link>,
    framing: BodyFraming,
    /// It can carry another exchange once its body was read: said while its head was still here.
    is_reusable: bool,
}

impl From<Own> for Made {
    fn from(own: Own) -> Self {
        Self { own, is_upstreams: false, source: None }
    }
}

/// A client's connection, as an exchange uses it. Everything in it is kept from one request to the next.
pub struct Session {
    /// The request's head.
    pub head: RequestHead,
    /// From the client.
    pub input: Input,
    /// To the client.
    pub output: Output,
    /// Who it is.
    pub peer: Peer,
    /// The namespace of the last host.
    pub memo: Memo,
}

struct Exchange<'t, 'c> {
    local: &'t Local,
    tables: &'t Tables,
    head: &'c mut RequestHead,
    output: &'c mut Output,
    peer: &'c Peer,
    memo: &'c mut Memo,
    route: Option<&'t Route>,
    /// Its row among the counters. With `is_hidden`, all that a plain response asks of its route: by then the route is cold.
    owner: Owner,
    /// Its service leaves the gateway's own fields out.
    is_hidden: bool,
    run: Option<Run>,
    /// The modules have the head; otherwise it is in `head`.
    is_lent: bool,
    /// A byte of the request's body was taken from the input.
    is_touched: bool,
    /// The request's body was taken to its end.
    is_read: bool,
    /// What its modules know it by.
    id: Option<(u16, u64)>,
    /// What was waited for.
    spans: Spans,
    /// When the rest of the upstream's body was first waited for.
    awaited_ns: Option<u64>,
    /// When it began, where its client is told where the time went.
    told_from: Option<u64>,
    /// What the access record shows of the response.
    said: Option<Said>,
    /// What went wrong first.
    fault: Cell<Option<Fault>>,
}

async fn serve<'x, 't: 'x>(x: &mut Exchange<'t, '_>, input: &'x mut Input) -> Result<Reply<'x, 't>, Trouble> {
    if let Admission::Redirect(url) = policy::admit(x.tables, x.head, x.peer.is_secure)? {
        return Ok(Reply::Own(own::redirect(&url).into()));
    }
    let matched = route::find(x.tables, x.head, x.memo)?;
    x.take_note(matched.route);
    x.admit_body()?;
    if let Some(direct) = &matched.route.response {
        return Ok(Reply::Direct(direct));
    }
    let chosen = match x.on_request(&matched, input).await? {
        Before::Go(chosen) => chosen,
        Before::Answered(own) => return Ok(Reply::Own(own.into())),
    };
    if matched.route.service.is_none() {
        return x.handle(input).await;
    }
    let answered = x.call(&matched, chosen, input).await?;
    x.on_response(answered).await
}

/// Serves one request whose head is in `session`; answers whether the connection can carry another.
pub async fn run(local: &Local, session: &mut Session) -> bool {
    let tables = local.current.pin();
    let Session { head, input, output, peer, memo } = session;
    let started = input.arrived_ns;
    let is_bodiless = matches!(head.body(), BodyFraming::None | BodyFraming::Length(0));
    let told_from = timing::is_told(local.lender.profile.server_timing, head).then_some(started);
    let mut x = Exchange {
        local,
        tables: &tables,
        head,
        output,
        peer,
        memo,
        route: None,
        owner: Owner::default(),
        is_hidden: false,
        run: None,
        is_lent: false,
        is_touched: false,
        is_read: is_bodiless,
        id: None,
        spans: Spans::default(),
        awaited_ns: None,
        told_from,
        said: None,
        fault: Cell::new(None),
    };
    // A proxied response may still hold the input for its upload, so it is sent first.
    let outcome = match serve(&mut x, input).await {
        Ok(Reply::Proxied(answered)) => x.send_proxied(answered).await.map_err(Left::Trouble),
        Ok(Reply::Own(made)) => Err(Left::Made(made)),
        Ok(Reply::Direct(direct)) => Err(Left::Direct(direct)),
        Err(trouble) => Err(Left::Trouble(trouble)),
    };
    let (status, is_kept) = match outcome {
        Ok(sent) => sent,
        Err(Left::Made(made)) => x.send_made(made, input).await,
        Err(Left::Direct(direct)) => x.send_direct(direct, input).await,
        Err(Left::Trouble(trouble)) => x.fail(trouble, input).await,
    };
    if let Some(lent) = x.run.take().and_then(|run| run.close(&mut x.spans))
        && x.is_lent
    {
        // The request's buffers are kept for the next one.
        *x.head = lent.request;
    }
    x.end(started, status, input);
    is_kept
}

impl<'t> Exchange<'t, '_> {
    fn source<'a>(
        &'a mut self,
        input: &'a mut Input,
        framing: BodyFraming,
    ) -> (&'a mut Option<Run>, Source<'a>) {
        // The modules may have the head.
        let expects_continue = match &self.run {
            Some(run) if self.is_lent => run.lent().request.expects_continue(),
            _ => self.head.expects_continue(),
        };
        let source = Source {
            input,
            go_on: expects_continue.then_some(&mut *self.output),
            framing,
            allowance: self.route.map_or(0, |route| route.max_body_bytes),
            limits: &self.local.limits,
            is_touched: &mut self.is_touched,
            is_read: &mut self.is_read,
        };
        (&mut self.run, source)
    }

    /// A body whose length is known to be too much is refused before anything is done about it.
    fn admit_body(&self) -> Result<(), Trouble> {
        let BodyFraming::Length(length) = self.head.body() else { return Ok(()) };
        let most = self.route.map_or(0, |route| route.max_body_bytes);
        if length > most { Err(Fault::BodyTooLarge.into()) } else { Ok(()) }
    }

    /// `fetchUpstream` and the request modifiers.
    async fn on_request(&mut self, matched: &Matched<'_>, input: &mut Input) -> Result<Before, Trouble> {
        let Some(pipeline) = &matched.route.pipeline else { return Ok(Before::Go(None)) };
        let framing = self.head.body();
        let id = self.local.next_id();
        self.id = Some(id);
        let lent =
            Lent::new(take(self.head), matched.params(), self.peer, matched.route, matched.namespace, id);
        match self.local.scripts.begin(pipeline, lent) {
            Ok(Ok(run)) => {
                self.run = Some(run);
                self.is_lent = true;
            }
            Ok(Err(lent)) => *self.head = lent.request,
            Err(refused) => {
                let (trouble, lent) = *refused;
                *self.head = lent.request;
                return Err(trouble);
            }
        }
        let (run, mut source) = self.source(input, framing);
        match run {
            Some(run) => run.before(matched.route.service.is_some(), &mut source).await,
            None => Ok(Before::Go(None)),
        }
    }

    /// `requestHandler`, for a route without a service.
    async fn handle<'x>(&mut self, input: &'x mut Input) -> Result<Reply<'x, 't>, Trouble> {
        let Some(framing) = self.run.as_ref().map(|run| run.lent().request.body()) else {
            return Err(Fault::NothingToCall.into());
        };
        let (run, mut source) = self.source(input, framing);
        let Some(run) = run else { return Err(Fault::NothingToCall.into()) };
        Ok(Reply::Own(run.handle(&mut source).await?.into()))
    }

    /// The service, or what `fetchUpstream` chose instead.
    async fn call<'x>(
        &mut self,
        matched: &Matched<'_>,
        chosen: Option<String>,
        input: &'x mut Input,
    ) -> Result<Answered<'x>, Trouble>
    where
        't: 'x,
    {
        let Some(service) = &matched.route.service else { return Err(Fault::NothingToCall.into()) };
        let local = self.local;
        let chosen = match chosen {
            Some(url) => {
                // Boxed, as all rare waits: every connection has room for its largest future.
                let endpoint = local.names.endpoint(&url, Some(service), &local.lender, &local.limits);
                Some(self.spans.wait(Box::pin(endpoint)).await?)
            }
            None => None,
        };
        let (mut body, mut is_host_chosen, mut rest) = (RequestBody::Stream, false, matched.rest);
        let mut pieces = None;
        if let Some(run) = &self.run {
            *self.head = run.take_request();
            self.is_lent = false;
            is_host_chosen = run.lent().is_host_chosen;
            if run.lent().is_path_chosen {
                rest = None;
            }
            body = match run.request_body() {
                Outcome::Untouched | Outcome::Lost => RequestBody::Stream,
                Outcome::Whole(bytes) => RequestBody::Whole(bytes.to_vec()),
                Outcome::Pieces(written) => {
                    pieces = Some(written);
                    RequestBody::Stream
                }
            };
        }
        let facts = Call {
            route: matched.route,
            service,
            chosen,
            rest,
            forwarded: self.tables.settings().forwarded,
            is_host_chosen,
            body,
        };
        if let Some(pieces) = pieces {
            // Boxed, as all that is rare.
            return Box::pin(self.call_in_pieces(facts, pieces, input)).await;
        }
        self.let_go();
        let call = facts;
        if matches!(call.body, RequestBody::Stream) {
            upstream::gather(self.head, input, &local.limits, &mut self.spans).await?;
            self.is_touched |= !self.has_arrived(input);
        }
        let line = Line { input, output: self.output, peer: self.peer };
        let counters = &local.lender.counters;
        let answered =
            local.upstreams.call(&call, self.head, line, &local.limits, counters, &mut self.spans).await?;
        self.is_read |= answered.is_uploaded && matches!(call.body, RequestBody::Stream);
        Ok(answered)
    }

    /// Ends the modules of which nothing more is asked.
    fn let_go(&mut self) {
        if let Some(run) = self.run.take_if(|run| !run.keep_later(&mut self.spans)) {
            run.close(&mut self.spans);
        }
    }

    fn has_arrived(&self, input: &Input) -> bool {
        match self.head.body() {
            BodyFraming::None => true,
            BodyFraming::Length(length) => length <= input.buffer.len() as u64,
            BodyFraming::Chunked | BodyFraming::UntilClose => false,
        }
    }

    /// The response modifiers.
    async fn on_response<'x>(&mut self, mut answered: Answered<'x>) -> Result<Reply<'x, 't>, Trouble> {
        let Some(run) = self.run.as_mut().filter(|run| run.modifies_response()) else {
            return Ok(Reply::Proxied(answered));
        };
        let framing = answered.link.head.body();
        run.lend_response(take(self.head), take(&mut answered.link.head));
        self.is_lent = true;
        let mut is_read = matches!(framing, BodyFraming::None);
        let result = {
            let mut source = Source {
                input: &mut answered.link.input,
                go_on: None,
                framing,
                allowance: u64::MAX,
                limits: &self.local.limits,
                is_touched: &mut false,
                is_read: &mut is_read,
            };
            run.after(&mut source).await
        };
        let outcome = run.upstream_body();
        {
            let mut lent = run.lent();
            answered.link.head = lent.upstream.take().unwrap_or_default();
        }
        let replaced = result?;
        if replaced.is_none() && matches!(outcome, Outcome::Untouched) {
            return Ok(Reply::Proxied(answered));
        }
        // What is still going up is given up: the modules have made a response of their own.
        let Answered { mut link, is_uploaded, .. } = answered;
        let is_reusable = is_uploaded && link.head.keep_alive() && framing != BodyFraming::UntilClose;
        let own = match (replaced, outcome) {
            (Some(own), _) => own,
            (None, Outcome::Whole(bytes)) => {
                Own { head: take(&mut link.head), body: bytes.to_vec(), pieces: None }
            }
            (None, Outcome::Pieces(pieces)) => {
                Own { head: take(&mut link.head), body: Vec::new(), pieces: Some(pieces) }
            }
            (None, Outcome::Untouched | Outcome::Lost) => Own::new(502),
        };
        let is_upstreams = true;
        if own.pieces.is_some() {
            return Ok(Reply::Own(Made {
                own,
                is_upstreams,
                source: Some(Kept { link, framing, is_reusable }),
            }));
        }
        self.give_back(Kept { link, framing, is_reusable }, is_read);
        Ok(Reply::Own(Made { own, is_upstreams, source: None }))
    }

    /// Keeps an upstream's connection whose body went through a module, if it was read to its end.
    fn give_back(&self, kept: Kept, is_read: bool) {
        if is_read && kept.is_reusable {
            self.local.upstreams.pool.give_back(kept.link, &self.local.limits, &self.local.lender.counters);
        }
    }

    /// The fields of the request that its answer depends on, wherever the head is now.
    fn ask(&self, is_consumed: bool) -> Ask {
        let of = |head: &RequestHead| Ask {
            is_head: *head.method() == http::Method::HEAD,
            version: head.version(),
            is_kept: head.keep_alive() && is_consumed && !self.local.is_draining.get(),
        };
        match &self.run {
            Some(run) if self.is_lent => of(&run.lent().request),
            _ => of(self.head),
        }
    }

    fn rules(&self, is_ours: bool) -> Rules<'t> {
        let timing = if self.is_hidden { None } else { self.timing() };
        Rules { settings: self.tables.settings(), is_hidden: self.is_hidden, is_ours, timing }
    }

    /// Whether the request's body is out of the way, so that the connection can carry another request. Only what has
    /// arrived already is skipped; nothing is waited for.
    fn consume_body(&mut self, input: &mut Input) -> bool {
        if !self.is_read && !self.is_touched {
            self.is_touched = true;
            let framing = match &self.run {
                Some(run) if self.is_lent => run.lent().request.body(),
                _ => self.head.body(),
            };
            self.is_read = Body::new(framing, u64::MAX).skip_arrived(input);
        }
        self.is_read
    }

    async fn send_proxied(&mut self, answered: Answered<'_>) -> Result<(u16, bool), Trouble> {
        self.local.lender.counters.expect(self.owner);
        self.run.iter_mut().for_each(Run::rest);
        let status = answered.link.head.status();
        self.local.records.keep(&mut self.said, &answered.link.head.fields);
        let ask = self.ask(self.is_read);
        let rules = self.rules(false);
        let sent = respond::send_proxied(answered, &ask, &rules, self.output, &self.local.limits).await;
        if let (Some(fault), true) = (sent.fault, sent.is_unsent) {
            return Err(fault.into());
        }
        self.note(sent.fault);
        self.awaited_ns = sent.awaited_ns;
        if let Some(link) = sent.reusable {
            self.local.upstreams.pool.give_back(link, &self.local.limits, &self.local.lender.counters);
        }
        Ok((status, ask.is_kept && sent.is_clean && self.is_read))
    }

    /// `errorHandler`, or what the fault's status says.
    async fn fail(&mut self, trouble: Trouble, input: &mut Input) -> (u16, bool) {
        self.explain(&trouble);
        if matches!(trouble.fault, Fault::ClientClosed) {
            return (respond::status(trouble.fault), false);
        }
        if let Some(own) = self.on_error(&trouble, input).await {
            return self.send_made(own.into(), input).await;
        }
        let allow = (trouble.fault == Fault::MethodNotAllowed)
            .then(|| route::allowed(self.tables, self.head, self.memo).allow())
            .or_else(|| (trouble.fault == Fault::MethodRefused).then(String::new));
        let is_silent = trouble.fault == Fault::NoNamespace && self.tables.settings().strict_mode;
        if is_silent {
            return (respond::status(trouble.fault), false);
        }
        let own = respond::answer(trouble.fault, allow.as_deref());
        self.send_made(own.into(), input).await
    }

    async fn on_error(&mut self, trouble: &Trouble, input: &mut Input) -> Option<Own> {
        self.run.as_ref()?;
        if !self.is_lent {
            // The upstream call had the head; the handler may look at it again.
            let head = take(self.head);
            if let Some(run) = &self.run {
                run.lent().request = head;
                self.is_lent = true;
            }
        }
        let framing = self.run.as_ref().map(|run| run.lent().request.body())?;
        if self.is_touched
            && !self.is_read
            && let Some(run) = &self.run
        {
            run.refuse_request_body();
        }
        let (run, mut source) = self.source(input, framing);
        match run.as_mut()?.on_error(trouble, &mut source).await {
            Ok(own) => own,
            Err(second) => {
                self.explain(&second);
                None
            }
        }
    }
}

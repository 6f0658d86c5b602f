//! What the shard lends to the modules of one namespace: clock, randomness, documents, the log. Documents are read
//! from the local store on this thread; writes and names go to the admin and come back as a message.

use super::scripted::Scripted;
use crate::cache::{Cache, CacheView};
use crate::counters::Counters;
use crate::fetch::Fetcher;
use crate::names::Names;
use crate::outbox::Outbox;
use crate::profile::Profile;
use crate::tickets::Tickets;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tidegate_js::{
    CacheScope, CacheUpdate, CacheValue, ConsoleLevel, Function, Host, HttpRequest, HttpResponse, Pending,
    Refused, StateRead, StateWrite,
};
use tidegate_reactor::{Either, clock, race, sleep};
use tidegate_snapshot::{
    CacheUpdate as Asked, CacheValue as Kept, DocumentQuery, DocumentReader, DocumentWrite, Event, EventKind,
    EventLevel, Script, ToAdmin,
};

/// How long a module waits for the admin before its write is called failed.
const ADMIN_PATIENCE: Duration = Duration::from_secs(20);

/// What all hosts of a shard share.
pub struct Lender {
    /// Reads documents.
    pub reader: Arc<dyn DocumentReader>,
    /// The way to the admin.
    pub outbox: Outbox,
    /// The shard's counters.
    pub counters: Rc<Counters>,
    /// The latency profile.
    pub profile: Profile,
    /// Writes under way.
    pub writes: Tickets<Result<String, String>>,
    /// Names, resolved and under way.
    pub names: Rc<Names>,
    /// Fetches.
    pub fetcher: Rc<Fetcher>,
    /// Whose module runs now.
    pub running: Running,
    /// Cached values.
    pub cache: Rc<Cache>,
    /// Operations on the cluster's cache under way.
    pub counting: Tickets<Result<Option<Kept>, String>>,
}

/// The function and the exchange that JavaScript runs for at this moment: a shard polls one call at a time. It is what
/// tells a console line where it came from.
#[derive(Default)]
pub struct Running(RefCell<Option<(Function, Whom)>>);

/// What it runs for.
enum Whom {
    Exchange(Rc<Scripted>),
    /// A scheduled run, by its id.
    Run(Rc<str>),
}

impl Whom {
    /// The route, if there is one, and the id.
    fn whereabouts(&self) -> (Option<Arc<str>>, Option<String>) {
        match self {
            Whom::Exchange(exchange) => exchange.whereabouts().unzip(),
            Whom::Run(id) => (None, Some(id.to_string())),
        }
    }
}

impl Running {
    /// Polls a call, known as this one's for as long as that takes.
    pub fn during<R>(&self, function: Function, exchange: &Rc<Scripted>, poll: impl FnOnce() -> R) -> R {
        self.0.replace(Some((function, Whom::Exchange(exchange.clone()))));
        let polled = poll();
        self.0.take();
        polled
    }

    /// The same for a scheduled run.
    pub fn during_job<R>(&self, id: &Rc<str>, poll: impl FnOnce() -> R) -> R {
        self.0.replace(Some((Function::Scheduled, Whom::Run(id.clone()))));
        let polled = poll();
        self.0.take();
        polled
    }
}

/// The host of one script.
pub struct ScriptHost {
    /// Shared with the shard.
    pub lender: Rc<Lender>,
    /// The namespace whose state the modules see.
    pub namespace: Arc<str>,
    /// `namespace/entry`: whose log its lines belong into.
    key: Arc<str>,
    /// The namespace's cached values.
    cache: CacheView,
}

impl ScriptHost {
    /// An operation on the cluster's cache: it happens whether or not somebody waits for the answer.
    fn count(&self, key: &str, update: CacheUpdate) -> Pending<Result<Option<CacheValue>, Refused>> {
        let lender = &self.lender;
        let ticket = lender.counting.open();
        let question = ToAdmin::Cache {
            shard: lender.outbox.shard,
            ticket: ticket.id(),
            namespace: self.namespace.clone(),
            key: key.to_owned(),
            update: match update {
                CacheUpdate::Increment { by, ttl_ms } => Asked::Increment { by, ttl_ms },
                CacheUpdate::CompareAndSet { expected, value, ttl_ms } => {
                    Asked::CompareAndSet { expected: expected.map(kept), value: value.map(kept), ttl_ms }
                }
                CacheUpdate::Read => Asked::Read,
            },
        };
        let is_sent = lender.outbox.admin.send(question).is_ok();
        Box::pin(async move {
            if !is_sent {
                return Err(Refused("the admin plane is busy: try again".into()));
            }
            match race(ticket.answer(), sleep(ADMIN_PATIENCE)).await {
                Either::Left(answer) => answer.map(|value| value.map(given)).map_err(Refused),
                Either::Right(()) => {
                    Err(Refused("the cluster did not answer in time; the update may still happen".into()))
                }
            }
        })
    }

    /// A host for the runtime of a script.
    pub fn new(lender: Rc<Lender>, script: &Script) -> Self {
        let cache = lender.cache.view(script.namespace.clone());
        Self { lender, namespace: script.namespace.clone(), key: script.key.clone(), cache }
    }

    /// Sends a line for the module's log, with what is known of where it came from.
    fn say(
        &self,
        kind: EventKind,
        what: &'static str,
        level: EventLevel,
        source: &str,
        text: &str,
        stack: &str,
    ) {
        let Lender { outbox, counters, running, .. } = &*self.lender;
        outbox.module_event(counters, (&self.key, kind), text.len() + stack.len(), || {
            let running = running.0.borrow();
            let (route, request_id) =
                running.as_ref().map(|(_, whom)| whom.whereabouts()).unwrap_or_default();
            let is_entry = self.key.strip_prefix(&*self.namespace).is_some_and(|rest| &rest[1..] == source);
            Event {
                kind,
                route,
                module: Some(self.key.clone()),
                source: (!is_entry).then(|| source.into()),
                function: running.as_ref().map(|(function, _)| function.name()),
                request_id: request_id.map(Into::into),
                stack: stack.to_owned(),
                ..Event::new(outbox.shard, level, what, text.to_owned())
            }
        });
    }
}

impl Host for ScriptHost {
    fn now_ms(&self) -> f64 {
        clock::wall().as_micros() as f64 / 1_000.0
    }

    fn monotonic_ms(&self) -> f64 {
        clock::precise_ns() as f64 / 1_000_000.0
    }

    fn random(&self, out: &mut [u8]) {
        for part in out.chunks_mut(256) {
            // SAFETY: `part` is writable for its length; up to 256 bytes are always filled at once.
            let filled = unsafe { libc::getrandom(part.as_mut_ptr().cast(), part.len(), 0) };
            assert_eq!(filled, part.len() as isize, "the kernel gives random bytes");
        }
    }

    fn sleep(&self, ms: u64) -> Pending<()> {
        Box::pin(sleep(Duration::from_millis(ms)))
    }

    fn console(&self, module: &str, level: ConsoleLevel, text: &str) {
        let level = match level {
            ConsoleLevel::Debug => EventLevel::Debug,
            ConsoleLevel::Info => EventLevel::Info,
            ConsoleLevel::Warn => EventLevel::Warn,
            ConsoleLevel::Error => EventLevel::Error,
        };
        self.say(EventKind::Console, "console", level, module, text, "");
    }

    fn unhandled(&self, module: &str, text: &str, stack: &str) {
        self.say(EventKind::Error, "module_rejection", EventLevel::Error, module, text, stack);
    }

    fn fetch(&self, request: HttpRequest) -> Pending<Result<HttpResponse, Refused>> {
        Box::pin(self.lender.fetcher.clone().fetch(request))
    }

    fn secret(&self, name: &str) -> Result<Option<String>, Refused> {
        self.lender.reader.secret(&self.namespace, name).map_err(Refused)
    }

    fn env(&self, name: &str) -> Option<String> {
        self.lender.fetcher.around.variables.get(name).cloned()
    }

    fn read_state(&self, read: StateRead) -> Result<String, Refused> {
        let query = match read {
            StateRead::Collection { name } => DocumentQuery::Collection { name },
            StateRead::Document { collection, id } => DocumentQuery::Document { collection, id },
            StateRead::Documents { collection, limit, offset } => {
                DocumentQuery::Documents { collection, limit, offset }
            }
        };
        self.lender.reader.read(&self.namespace, &query).map_err(Refused)
    }

    fn cache_get(&self, key: &str) -> Option<CacheValue> {
        self.cache.get(key)
    }

    fn cache_set(&self, key: &str, value: Option<CacheValue>, ttl_ms: Option<u64>) -> Result<(), Refused> {
        self.cache.set(key, value, ttl_ms)
    }

    fn cache_update(
        &self,
        scope: CacheScope,
        key: &str,
        update: CacheUpdate,
    ) -> Pending<Result<Option<CacheValue>, Refused>> {
        match scope {
            CacheScope::Node => self.cache.update(key, update),
            CacheScope::Cluster => self.count(key, update),
        }
    }

    fn write_state(&self, write: StateWrite) -> Pending<Result<String, Refused>> {
        let write = match write {
            StateWrite::PutCollection { collection } => DocumentWrite::PutCollection { collection },
            StateWrite::DeleteCollection { name } => DocumentWrite::DeleteCollection { name },
            StateWrite::PutDocument { collection, id, data } => {
                DocumentWrite::PutDocument { collection, id, data }
            }
            StateWrite::DeleteDocument { collection, id } => DocumentWrite::DeleteDocument { collection, id },
        };
        let (lender, namespace) = (self.lender.clone(), self.namespace.clone());
        Box::pin(async move {
            let ticket = lender.writes.open();
            let question =
                ToAdmin::Write { shard: lender.outbox.shard, ticket: ticket.id(), namespace, write };
            if lender.outbox.admin.send(question).is_err() {
                return Err(Refused("the admin plane is busy: try again".into()));
            }
            match race(ticket.answer(), sleep(ADMIN_PATIENCE)).await {
                Either::Left(answer) => answer.map_err(Refused),
                Either::Right(()) => {
                    Err(Refused("the write was not confirmed in time; it may still happen".into()))
                }
            }
        })
    }
}

/// A value for the admin.
fn kept(value: CacheValue) -> Kept {
    match value {
        CacheValue::Json(text) => Kept::Json((*text).into()),
        CacheValue::Bytes(bytes) => Kept::Bytes((*bytes).into()),
    }
}

/// A value from the admin.
fn given(value: Kept) -> CacheValue {
    match value {
        Kept::Json(text) => CacheValue::Json(text.into()),
        Kept::Bytes(bytes) => CacheValue::Bytes(bytes.into()),
    }
}

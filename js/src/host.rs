//! The host interface: everything a module can reach outside the engine comes through these two traits,
//! [`Exchange`] (the request it runs for) and [`Host`] (clock, randomness, documents, log). It is what makes
//! limits, tests and record-and-replay possible. Nothing here may name a runtime, a socket or a resource type.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

/// A future of this thread, as the host hands it to the engine. Dropping it cancels the work.
pub type Pending<T> = Pin<Box<dyn Future<Output = T>>>;

/// Why the host refused what a module asked for; becomes a thrown `Error` (or `TypeError`) with this text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused(pub String);

/// Bytes that come over time: a body on its way. Polled by whoever waits for it; dropping it gives up the rest.
pub trait Chunks {
    /// The next piece, never an empty one; `None` is the end and stays the answer from then on. Only the waker of the
    /// last poll is kept.
    fn poll_next(&self, cx: &mut Context<'_>) -> Poll<Result<Option<Vec<u8>>, Refused>>;
    /// Whether JavaScript writes it: then nothing more comes once that has ended.
    fn is_written_by_modules(&self) -> bool {
        false
    }
}

/// Which message of an exchange is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The client's request, as it will go upstream.
    Request,
    /// The upstream's response, as it will go to the client.
    Upstream,
    /// The response that a `requestHandler` or `errorHandler` writes.
    Response,
}

/// A part of the request line or of the connection, read as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestPart {
    /// The method token.
    Method,
    /// The canonical path.
    Path,
    /// The query without `?`; empty when there is none.
    Query,
    /// The authority as the client sent it.
    Host,
    /// The client's address without its port.
    RemoteAddress,
    /// `HTTP/1.1` and the like.
    Protocol,
    /// `http` or `https`.
    Scheme,
}

/// A resource that `ctx` describes, as JSON text in the admin API's form (never with payloads or keys).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Described {
    /// The route that matched.
    Route,
    /// Its service, if it has one.
    Service,
    /// Its namespace.
    Namespace,
}

/// The request a module runs for, as the engine sees it. Lives as long as JavaScript may hold on to it; once the
/// exchange is over every method answers "the request is over" or empty values, and nothing panics.
pub trait Exchange {
    /// The exchange's id, unique on this node.
    fn id(&self) -> String;
    /// JSON text of a resource; `None` where the route has none (a route without a service).
    fn describe(&self, what: Described) -> Option<Rc<str>>;
    /// Path parameters in pattern order: name, percent-decoded value.
    fn path_params(&self, each: &mut dyn FnMut(&str, &str));

    /// Calls `each` with every value of a header field, in order. Names compare without case.
    fn field(&self, side: Side, name: &str, each: &mut dyn FnMut(&[u8]));
    /// Calls `each` with name and value of every field of that side, in order and as received.
    fn fields(&self, side: Side, each: &mut dyn FnMut(&[u8], &[u8]));
    /// Replaces all values of a field. Refuses control characters and the fields that frame a message.
    fn set_field(&self, side: Side, name: &str, value: &[u8]) -> Result<(), Refused>;
    /// Adds a value. Refuses as `set_field` does.
    fn add_field(&self, side: Side, name: &str, value: &[u8]) -> Result<(), Refused>;
    /// Removes a field; `false` if there was none. Refuses the fields that frame a message.
    fn remove_field(&self, side: Side, name: &str) -> Result<bool, Refused>;

    /// A part of the request as text (bytes that are no UTF-8 are replaced).
    fn request_part(&self, part: RequestPart) -> String;
    /// Changes method, path, query or host of the request that goes upstream; refuses the other parts.
    fn set_request_part(&self, part: RequestPart, value: &str) -> Result<(), Refused>;

    /// Status of the upstream's response or of the response being written (200 until set).
    fn status(&self, side: Side) -> u16;
    /// Sets the status; 200 to 599 only.
    fn set_status(&self, side: Side, status: u16) -> Result<(), Refused>;
    /// Protocol of the upstream's response, `HTTP/1.1`.
    fn upstream_protocol(&self) -> String;
    /// Trailers of the upstream's response, as far as they have arrived (after its body was read).
    fn trailers(&self, each: &mut dyn FnMut(&[u8], &[u8]));

    /// Length of the body as announced, if it is known.
    fn content_length(&self, side: Side) -> Option<u64>;
    /// Collects the whole body under the module's cap. A second call gives the same bytes; after `write_body` it
    /// gives what was written.
    fn read_body(&self, side: Side) -> Pending<Result<Rc<[u8]>, Refused>>;
    /// The body as it arrives, uncollected. It can be had once, and not after `read_body`; after `write_body` it gives
    /// what was written.
    fn body(&self, _side: Side) -> Result<Rc<dyn Chunks>, Refused> {
        absent("the body as a stream")
    }
    /// Replaces the body by one that is still to come, of unknown length. It is asked for pieces after the function has
    /// returned, while [`Lease::pump`](crate::Lease::pump) is driven.
    fn stream_body(&self, _side: Side, _body: Rc<dyn Chunks>) -> Result<(), Refused> {
        absent("a streamed body")
    }
    /// Replaces the whole body; length and framing are recomputed by the gateway.
    fn write_body(&self, side: Side, body: Vec<u8>) -> Result<(), Refused>;
    /// Ends the response of a handler: nothing can be written to it after that.
    fn end_response(&self) -> Result<(), Refused>;
    /// True once the response of a handler was ended (`headersSent`).
    fn response_ended(&self) -> bool;

    /// Milliseconds that are left until whoever waits for this exchange gives up, if there is such a time: what the
    /// module asks of others must not take longer.
    fn remaining_ms(&self) -> Option<u64> {
        None
    }

    /// Several modules serve this exchange, each in a context of its own: `ctx.set` and `ctx.get` go through
    /// [`Exchange::share`] and [`Exchange::shared`].
    fn is_chained(&self) -> bool {
        false
    }
    /// Keeps a value, as JSON text, for the other modules of the exchange.
    fn share(&self, _key: &str, _json: String) {}
    /// A value that a module of the exchange kept.
    fn shared(&self, _key: &str) -> Option<Rc<str>> {
        None
    }
}

/// How loud a console call was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConsoleLevel {
    /// `console.debug`, `console.trace`
    Debug,
    /// `console.log`, `console.info`
    Info,
    /// `console.warn`
    Warn,
    /// `console.error`, `console.assert`
    Error,
}

/// A read of the module's namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StateRead {
    /// One collection's description, or null.
    Collection {
        /// Name of the collection.
        name: String,
    },
    /// One document as `{id, collection, namespace, data, createdAt, updatedAt}`, or null.
    Document {
        /// Name of the collection.
        collection: String,
        /// Id of the document.
        id: String,
    },
    /// An array of such documents, ordered by id.
    Documents {
        /// Name of the collection.
        collection: String,
        /// At most this many.
        limit: u32,
        /// After skipping this many.
        offset: u32,
    },
}

/// A write to the module's namespace. Values are JSON text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StateWrite {
    /// Creates or replaces a collection from its JSON description.
    PutCollection {
        /// `{"name":…,"schema":…}` as JSON text.
        collection: String,
    },
    /// Deletes a collection that has no documents.
    DeleteCollection {
        /// Name of the collection.
        name: String,
    },
    /// Creates or replaces a document.
    PutDocument {
        /// Name of the collection.
        collection: String,
        /// Id of the document.
        id: String,
        /// The data as JSON text.
        data: String,
    },
    /// Deletes a document.
    DeleteDocument {
        /// Name of the collection.
        collection: String,
        /// Id of the document.
        id: String,
    },
}

/// One request of `fetch`, one hop: redirects are the prelude's business.
pub struct HttpRequest {
    /// The method token, in upper case where it is a known one.
    pub method: String,
    /// Absolute URL in its serialised form (URL standard), without a fragment.
    pub url: String,
    /// Fields as the module gave them; those that frame a message are the host's.
    pub fields: Vec<(String, String)>,
    /// The body.
    pub body: HttpBody,
    /// Until the response's head is there; the host has a bound of its own.
    pub timeout_ms: Option<u64>,
    /// The module may reach private, loopback and link-local addresses (`net:private`).
    pub allow_private: bool,
}

/// The body of an [`HttpRequest`].
pub enum HttpBody {
    /// None.
    Empty,
    /// Whole.
    Whole(Vec<u8>),
    /// Sent as it comes, chunked.
    Stream(Rc<dyn Chunks>),
}

/// The answer to an [`HttpRequest`].
pub struct HttpResponse {
    /// 200 to 599.
    pub status: u16,
    /// The reason phrase.
    pub reason: String,
    /// The fields in order, without those that belong to the connection.
    pub fields: Vec<(Vec<u8>, Vec<u8>)>,
    /// The decoded body. Dropping it early may cost the connection.
    pub body: Rc<dyn Chunks>,
}

/// A value of the cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CacheValue {
    /// JSON text.
    Json(Rc<str>),
    /// Bytes.
    Bytes(Rc<[u8]>),
}

/// Whose cache is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CacheScope {
    /// This node's: exact among its shards, gone when it ends.
    Node,
    /// The cluster's: exact everywhere, kept in the replicated log; costs a write to it.
    Cluster,
}

/// An exact operation on one key: nothing happens between its reading and its writing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CacheUpdate {
    /// Adds to a whole number (0 if there is none) and answers the sum. `ttl_ms` counts from the first increment: it is
    /// ignored while the key exists.
    Increment {
        /// What is added; may be negative.
        by: i64,
        /// Time to live.
        ttl_ms: Option<u64>,
    },
    /// Writes `value` (`None` deletes) if the value is `expected` (`None`: there is none). Answers `true` or `false`.
    CompareAndSet {
        /// The value it must have.
        expected: Option<CacheValue>,
        /// The value it gets.
        value: Option<CacheValue>,
        /// Time to live.
        ttl_ms: Option<u64>,
    },
    /// Answers the value as of now, whatever other shards are doing.
    Read,
}

/// What the shard lends to the modules of one namespace.
pub trait Host {
    /// Wall clock, milliseconds since the epoch.
    fn now_ms(&self) -> f64;
    /// Monotonic clock in milliseconds, for `performance.now` and timers.
    fn monotonic_ms(&self) -> f64;
    /// Fills `out` with random bytes fit for keys.
    fn random(&self, out: &mut [u8]);
    /// Resolves after `ms` milliseconds.
    fn sleep(&self, ms: u64) -> Pending<()>;
    /// One line of console output, already formatted; `module` is the name of the module that called the console, or
    /// the entry's where that is not known.
    fn console(&self, module: &str, level: ConsoleLevel, text: &str);
    /// A promise of the entry `module` was rejected and nobody handled it: one line, and its stack as in a `Failure`.
    /// By default both are an error of the console.
    fn unhandled(&self, module: &str, text: &str, stack: &str) {
        let frames: String = stack.lines().flat_map(|frame| [" ", frame.trim()]).collect();
        self.console(module, ConsoleLevel::Error, &format!("{text}{frames}"));
    }
    /// Reads state; the answer is JSON text. Served from the local store without waiting.
    fn read_state(&self, read: StateRead) -> Result<String, Refused>;
    /// Writes state; resolves once the write is visible on this node. The answer is JSON text.
    fn write_state(&self, write: StateWrite) -> Pending<Result<String, Refused>>;
    /// The value of a secret of the namespace; `None` if there is none of that name.
    fn secret(&self, _name: &str) -> Result<Option<String>, Refused> {
        absent("secrets")
    }
    /// A variable of the gateway's environment.
    fn env(&self, _name: &str) -> Option<String> {
        None
    }
    /// One request. Resolves with the response's head.
    fn fetch(&self, _request: HttpRequest) -> Pending<Result<HttpResponse, Refused>> {
        Box::pin(std::future::ready(absent("fetch")))
    }
    /// A value of the namespace's cache as this shard knows it, without waiting.
    fn cache_get(&self, _key: &str) -> Option<CacheValue> {
        None
    }
    /// Writes a value (`None` deletes): seen by this shard at once, by the others of the node shortly after.
    fn cache_set(&self, _key: &str, _value: Option<CacheValue>, _ttl_ms: Option<u64>) -> Result<(), Refused> {
        absent("the cache")
    }
    /// An exact operation; see [`CacheUpdate`] for what it answers.
    fn cache_update(
        &self,
        _scope: CacheScope,
        _key: &str,
        _update: CacheUpdate,
    ) -> Pending<Result<Option<CacheValue>, Refused>> {
        Box::pin(std::future::ready(absent("the cache")))
    }
    /// The host of the test kit answers with its world: its runtimes have natives that no gateway's has.
    #[doc(hidden)]
    fn kit(&self) -> Option<Rc<crate::kit::World>> {
        None
    }
}

/// The answer of a host that lacks something: the one of a check, or of a benchmark.
fn absent<T>(what: &str) -> Result<T, Refused> {
    Err(Refused(format!("{what}: not available where this module runs")))
}

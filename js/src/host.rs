//! The host interface: everything a module can reach outside the engine comes through these two traits,
//! [`Exchange`] (the request it runs for) and [`Host`] (clock, randomness, documents, log). It is what makes
//! limits, tests and record-and-replay possible. Nothing here may name a runtime, a socket or a resource type.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

/// A future of this thread, as the host hands it to the engine. Dropping it cancels the work.
pub type Pending<T> = Pin<Box<dyn Future<Output = T>>>;

/// Why the host refused what a module asked for; becomes a thrown `Error` (or `TypeError`) with this text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused(pub String);

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
    /// Replaces the whole body; length and framing are recomputed by the gateway.
    fn write_body(&self, side: Side, body: Vec<u8>) -> Result<(), Refused>;
    /// Ends the response of a handler: nothing can be written to it after that.
    fn end_response(&self) -> Result<(), Refused>;
    /// True once the response of a handler was ended (`headersSent`).
    fn response_ended(&self) -> bool;
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
}

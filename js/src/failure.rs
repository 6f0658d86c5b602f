//! How a call ends when it does not end well: a closed list of causes, a message, and a stack in the positions of
//! the user's source. Reading a thrown value can run the module's own getters, so it happens inside its budget.

use std::fmt;

use rquickjs::{Ctx, FromJs, Object, Value};

use crate::native::Text;
use crate::stack::Maps;

/// Why a call failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Cause {
    /// The module threw, or its promise was rejected.
    Thrown = 0,
    /// The CPU budget is used up.
    CpuTime = 1,
    /// The heap is full.
    Memory = 2,
    /// The stack is full.
    Stack = 3,
    /// Too many host operations in flight, or a promise that can never settle.
    Pending = 4,
    /// Too many timers.
    Timers = 5,
    /// Every context of the pool is leased.
    Contexts = 6,
    /// The engine itself failed, or a module that was checked does not load.
    Internal = 7,
    /// Too many fetches.
    Fetches = 8,
}

impl Cause {
    /// All of them, in the order of their numbers.
    pub const ALL: [Cause; 9] = [
        Cause::Thrown,
        Cause::CpuTime,
        Cause::Memory,
        Cause::Stack,
        Cause::Pending,
        Cause::Timers,
        Cause::Contexts,
        Cause::Internal,
        Cause::Fetches,
    ];
    pub(crate) const COUNT: usize = Cause::ALL.len();

    /// A word for logs and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Cause::Thrown => "thrown",
            Cause::CpuTime => "cpu_time",
            Cause::Memory => "memory",
            Cause::Stack => "stack",
            Cause::Pending => "pending",
            Cause::Timers => "timers",
            Cause::Contexts => "contexts",
            Cause::Internal => "internal",
            Cause::Fetches => "fetches",
        }
    }

    /// Causes after which the context is not used again.
    pub(crate) fn is_fatal(self) -> bool {
        self != Cause::Thrown
    }
}

/// A call, or a lease, that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Why.
    pub cause: Cause,
    /// `TypeError: x is not a function`, or a sentence about the limit. Comes from the module: escape it in logs.
    pub message: String,
    /// One line per frame, innermost first, every position mapped to `name.ts:line:column`. May be empty.
    pub stack: String,
}

impl Failure {
    pub(crate) fn new(cause: Cause, message: impl Into<String>) -> Failure {
        Failure { cause, message: message.into(), stack: String::new() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.cause.name(), self.message)
    }
}

impl std::error::Error for Failure {}

/// What an `errorHandler` is told about the error.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ErrorInfo {
    /// `name` of the error object, `UpstreamError` and the like.
    pub name: String,
    /// Its `message`.
    pub message: String,
    /// Its `code`, a stable word such as `connect_timeout`; empty leaves it undefined.
    pub code: String,
}

impl From<&Failure> for ErrorInfo {
    fn from(failure: &Failure) -> ErrorInfo {
        let (name, message) = failure.message.split_once(": ").unwrap_or(("Error", &failure.message));
        let named = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric());
        ErrorInfo {
            name: if named { name.into() } else { "Error".into() },
            message: if named { message.into() } else { failure.message.clone() },
            code: failure.cause.name().into(),
        }
    }
}

/// A thrown value, read out.
pub(crate) struct Thrown {
    pub(crate) message: String,
    pub(crate) stack: String,
    /// The engine's own error for a full stack.
    pub(crate) is_stack_overflow: bool,
}

/// Longest text taken from a thrown value.
const MAX_TEXT: usize = 4 << 10;

/// Reads what a module threw. Runs JavaScript (getters, `toString`): only within a slice.
pub(crate) fn read_thrown<'js>(ctx: &Ctx<'js>, value: Value<'js>, maps: &Maps) -> Thrown {
    let Some(object) = value.as_object().filter(|_| value.is_error()) else {
        let text = text_of(ctx, value).unwrap_or_else(|| "an object that cannot be shown".into());
        return Thrown { message: format!("thrown: {text}"), stack: String::new(), is_stack_overflow: false };
    };
    let part = |key: &str| read(ctx, object, key).unwrap_or_default();
    let (name, message, stack) = (part("name"), part("message"), part("stack"));
    let is_stack_overflow = name == "RangeError" && message == "Maximum call stack size exceeded";
    let message = match (name.is_empty(), message.is_empty()) {
        (false, false) => format!("{name}: {message}"),
        (false, true) => name,
        _ => message,
    };
    Thrown { message, stack: maps.map(&stack), is_stack_overflow }
}

fn read<'js>(ctx: &Ctx<'js>, object: &Object<'js>, key: &str) -> Option<String> {
    match object.get::<_, Value<'js>>(key) {
        Ok(value) if value.is_undefined() => None,
        Ok(value) => text_of(ctx, value),
        Err(_) => {
            ctx.catch();
            None
        }
    }
}

fn text_of<'js>(ctx: &Ctx<'js>, value: Value<'js>) -> Option<String> {
    match Text::from_js(ctx, value) {
        Ok(Text(mut text)) => {
            let mut end = MAX_TEXT.min(text.len());
            while !text.is_char_boundary(end) {
                end -= 1;
            }
            text.truncate(end);
            Some(text)
        }
        Err(_) => {
            ctx.catch();
            None
        }
    }
}

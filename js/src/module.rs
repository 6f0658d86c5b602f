//! The words of this package: a module in its two languages, what compiling it gives, and the functions the
//! gateway calls. Plain data; nothing here may touch the engine.

use std::fmt;
use std::sync::Arc;

/// What a module is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Language {
    /// TypeScript; types are stripped, not checked.
    TypeScript,
    /// JavaScript, always as an ES module.
    JavaScript,
}

impl Language {
    /// The extension that positions are reported with.
    pub fn extension(self) -> &'static str {
        match self {
            Language::TypeScript => "ts",
            Language::JavaScript => "js",
        }
    }
}

/// Something wrong in a module's source. Line and column count from 1; the column counts characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// The module with its extension, `name.ts`.
    pub module: String,
    /// Line in the source the user wrote.
    pub line: u32,
    /// Column in that line, in characters.
    pub column: u32,
    /// What is wrong.
    pub message: String,
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: {}", self.module, self.line, self.column, self.message)
    }
}

impl std::error::Error for Diagnostic {}

/// The functions of an entry module that the gateway calls: five for requests, one at set times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Function {
    /// Picks the upstream's URL.
    FetchUpstream = 0,
    /// Changes the request before it goes upstream or to the handler.
    RequestModifier = 1,
    /// Changes the upstream's response before the client gets it.
    ResponseModifier = 2,
    /// Answers a route that has no service.
    RequestHandler = 3,
    /// Answers when something else failed.
    ErrorHandler = 4,
    /// Runs at set times, for no request. Called through [`Lease::call_job`](crate::Lease::call_job).
    Scheduled = 5,
}

impl Function {
    /// All of them, in the order of their numbers.
    pub const ALL: [Function; 6] = [
        Function::FetchUpstream,
        Function::RequestModifier,
        Function::ResponseModifier,
        Function::RequestHandler,
        Function::ErrorHandler,
        Function::Scheduled,
    ];

    /// Those that are called for a request.
    pub const OF_REQUESTS: [Function; 5] = [
        Function::FetchUpstream,
        Function::RequestModifier,
        Function::ResponseModifier,
        Function::RequestHandler,
        Function::ErrorHandler,
    ];

    /// The name a module exports it under.
    pub fn name(self) -> &'static str {
        match self {
            Function::FetchUpstream => "fetchUpstream",
            Function::RequestModifier => "requestModifier",
            Function::ResponseModifier => "responseModifier",
            Function::RequestHandler => "requestHandler",
            Function::ErrorHandler => "errorHandler",
            Function::Scheduled => "scheduled",
        }
    }

    /// The function of that name, if it is one of them.
    pub fn named(name: &str) -> Option<Function> {
        Function::ALL.into_iter().find(|f| f.name() == name)
    }
}

/// A set of [`Function`]s.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Functions(u8);

impl Functions {
    /// True if `f` is in the set.
    pub fn has(self, f: Function) -> bool {
        self.0 & (1 << f as u8) != 0
    }

    /// Adds `f`.
    pub fn add(&mut self, f: Function) {
        self.0 |= 1 << f as u8;
    }

    /// True if there is none: such a module can be imported but is no entry.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Those in the set.
    pub fn iter(self) -> impl Iterator<Item = Function> {
        Function::ALL.into_iter().filter(move |f| self.has(*f))
    }
}

impl FromIterator<Function> for Functions {
    fn from_iter<I: IntoIterator<Item = Function>>(functions: I) -> Self {
        let mut set = Functions::default();
        functions.into_iter().for_each(|f| set.add(f));
        set
    }
}

/// What [`compile`](crate::compile) makes of a module.
#[derive(Debug, Clone)]
pub struct Compiled {
    /// The module's name as it was given.
    pub name: String,
    /// The JavaScript that runs.
    pub javascript: String,
    /// The engine's code for it. Only for this process: see [`ModuleCode`].
    pub bytecode: Vec<u8>,
    /// Positions of the JavaScript in the source, and where the imports stand. Opaque.
    pub source_map: Vec<u8>,
    /// The functions seen in the text. [`check_graph`](crate::check_graph) also sees those behind `export *`.
    pub functions: Functions,
    /// Other user modules it imports, normalised: `'./other'`, `'other'` and `'./other.ts'` are all `other`.
    pub imports: Vec<String>,
}

impl Compiled {
    /// What a snapshot carries of it.
    pub fn code(&self) -> ModuleCode {
        ModuleCode {
            name: self.name.as_str().into(),
            bytecode: self.bytecode.as_slice().into(),
            source_map: self.source_map.as_slice().into(),
        }
    }
}

/// One module ready to run.
///
/// # Safety of the bytecode
/// The engine trusts bytecode blindly: forged bytes are memory corruption. `bytecode` must come from
/// [`compile`](crate::compile) of this very process; it must never be read from a disk, the log or a peer. The
/// source is what is stored and replicated, and every node compiles it for itself.
#[derive(Debug, Clone)]
pub struct ModuleCode {
    /// The module's name.
    pub name: Arc<str>,
    /// The engine's code.
    pub bytecode: Arc<[u8]>,
    /// The map that belongs to it.
    pub source_map: Arc<[u8]>,
}

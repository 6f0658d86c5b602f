//! Running a route's modules: the functions in their order, bodies only when a module asks for them, and what the
//! modules did to the request and the response. A route without modules never comes here.

mod chosen;
mod feed;
mod host;
mod job;
mod loaded;
mod prepare;
mod run;
mod runtimes;
mod scripted;
mod select;
mod slot;
mod source;

pub use chosen::Names;
pub use feed::Feed;
pub use host::Lender;
pub use run::{Before, Run};
pub use runtimes::Scripts;
pub use scripted::{Lent, show_id};
pub use slot::Outcome;
pub use source::Source;

use crate::fault::Fault;
use std::sync::Arc;
use tidegate_js::{Failure, Function};

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

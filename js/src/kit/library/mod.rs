//! The JavaScript of the kit: what `tidegate/test` is made of. It is found only where a graph of the kit names it, so that
//! no module of a gateway can reach it.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use crate::bytecode;

/// How the names of all these modules begin.
pub(crate) const PREFIX: &str = "tidegate:kit";

/// What `tidegate/test` stands for.
pub(super) const TEST: &str = "tidegate:kit/test";
/// What the entry of every graph of the kit imports.
pub(super) const SUITE: &str = "tidegate:kit/suite";
/// What the entry of a single run imports.
pub(super) const SINGLE: &str = "tidegate:kit/single";

const SOURCES: [(&str, &str); 10] = [
    (TEST, include_str!("test.js")),
    (SUITE, include_str!("suite.js")),
    (SINGLE, include_str!("single.js")),
    ("tidegate:kit/equal", include_str!("equal.js")),
    ("tidegate:kit/expect", include_str!("expect.js")),
    ("tidegate:kit/messages", include_str!("messages.js")),
    ("tidegate:kit/mock", include_str!("mock.js")),
    ("tidegate:kit/run", include_str!("run.js")),
    ("tidegate:kit/show", include_str!("show.js")),
    ("tidegate:kit/surroundings", include_str!("surroundings.js")),
];

/// Bytecode of a module of the kit, if it is one.
pub(crate) fn bytecode(name: &str) -> Option<&'static Arc<[u8]>> {
    static COMPILED: OnceLock<HashMap<&'static str, Arc<[u8]>>> = OnceLock::new();
    let compile = || {
        let emit = |(name, source): (&'static str, &str)| match bytecode::emit(name, source) {
            Ok(code) => (name, Arc::from(code)),
            Err(e) => panic!("the kit does not compile: {name}:{}:{}: {}", e.line, e.column, e.message),
        };
        SOURCES.into_iter().map(emit).collect()
    };
    COMPILED.get_or_init(compile).get(name)
}

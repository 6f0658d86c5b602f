//! What the data plane never does: wait for a lock, touch a file, start a thread, share an atomic, resolve a name,
//! print. Tests may do all of it. Exceptions are listed with their reasons.

use crate::house::Violation;
use crate::source::{Source, words};

/// How a law finds what it forbids.
enum Finds {
    /// An identifier.
    Word(&'static str),
    /// Identifiers that begin so and go on with a capital letter.
    Prefix(&'static str),
    /// A path, imported or written out.
    Path(&'static str),
    /// A call of this method without arguments.
    Method(&'static str),
    /// A macro.
    Macro(&'static str),
}

use Finds::{Macro, Method, Path, Prefix, Word};

const LOCK: &str = "an actor owns its state; send a message through a mailbox";
const ATOMIC: &str = "count in a Cell of the shard; what crosses threads goes through a mailbox";
const PRINT: &str = "write an access record or an event; the process does the logging";
const FILE: &str = "read it on the admin side and bring it with the snapshot";
const NAME: &str = "addresses come resolved with the snapshot";

/// What is forbidden, and what to do instead.
const LAWS: &[(Finds, &str)] = &[
    (Word("Mutex"), LOCK),
    (Word("RwLock"), LOCK),
    (Word("Condvar"), LOCK),
    (Word("parking_lot"), LOCK),
    (Method("lock"), LOCK),
    (Path("std::fs"), FILE),
    (Path("std::thread"), "a shard is one thread; use the reactor's tasks and timers"),
    (Word("ToSocketAddrs"), NAME),
    (Word("to_socket_addrs"), NAME),
    (Word("tokio"), "the data plane runs on the reactor"),
    (Prefix("Atomic"), ATOMIC),
    (Path("std::sync::atomic"), ATOMIC),
    (Path("core::sync::atomic"), ATOMIC),
    (Macro("println"), PRINT),
    (Macro("eprintln"), PRINT),
    (Macro("print"), PRINT),
    (Macro("eprint"), PRINT),
    (Macro("dbg"), PRINT),
];

/// File, what it may use, and why.
const ALLOWED: &[(&str, &str, &str)] = &[
    ("shards/src/shard.rs", "std::thread", "the shard's own thread is started here"),
    ("shards/reactor/src/wake.rs", "Atomic", "one flag between two threads per wake-up, not per request"),
    ("shards/reactor/src/wake.rs", "std::sync::atomic", "the same flag's ordering"),
    ("shards/mailbox/src/slot.rs", "Atomic", "the newest-wins slot is the one concurrent structure"),
    (
        "shards/mailbox/src/slot.rs",
        "std::sync::atomic",
        "the newest-wins slot is the one concurrent structure",
    ),
    ("shards/mailbox/src/queue.rs", "Atomic", "the bounded queue is the one concurrent structure"),
    ("shards/mailbox/src/queue.rs", "std::sync::atomic", "the bounded queue is the one concurrent structure"),
];

/// Whether the law concerns a file: sources of the data plane and its packages.
pub(crate) fn applies(path: &str) -> bool {
    path.starts_with("shards/") && path.ends_with(".rs") && path.split('/').any(|part| part == "src")
}

/// What one file of the data plane does that it must not.
pub(crate) fn check(path: &str, text: &str) -> Vec<Violation> {
    let source = Source::new(path, text);
    let imports = source.imports();
    let mut violations = Vec::new();
    for (finds, instead) in LAWS {
        let name = finds.name();
        if ALLOWED.iter().any(|(file, what, reason)| *file == path && *what == name && !reason.is_empty()) {
            continue;
        }
        let mut lines: Vec<usize> =
            source.production().filter(|(_, line)| finds.occurs(line)).map(|(number, _)| number).collect();
        if let Path(forbidden) = finds {
            let below = |import: &str| {
                import == *forbidden
                    || import.strip_prefix(forbidden).is_some_and(|rest| rest.starts_with("::"))
            };
            lines.extend(imports.iter().filter(|(_, import)| below(import)).map(|(number, _)| *number));
        }
        lines.sort_unstable();
        lines.dedup();
        for line in lines {
            violations.push(Violation::new(path, line, format!("{name} on the data plane"), *instead));
        }
    }
    violations.sort_by_key(|violation| violation.line);
    violations
}

impl Finds {
    fn name(&self) -> &'static str {
        match self {
            Word(name) | Prefix(name) | Path(name) | Method(name) | Macro(name) => name,
        }
    }

    fn occurs(&self, line: &str) -> bool {
        let after = |at: usize, word: &str| line[at + word.len()..].trim_start();
        words(line).any(|(at, word)| match self {
            Word(name) => word == *name,
            Prefix(start) => {
                word.strip_prefix(start).is_some_and(|rest| rest.starts_with(|c: char| c.is_uppercase()))
            }
            Method(name) => word == *name && line[..at].ends_with('.') && after(at, word).starts_with("()"),
            Macro(name) => word == *name && after(at, word).starts_with('!'),
            Path(path) => line[at..].strip_prefix(path).is_some_and(|rest| {
                !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_') && !line[..at].ends_with("::")
            }),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_is_found() {
        let anywhere = "shards/src/exchange.rs";
        for (path, text, expected) in [
            (anywhere, "use std::sync::Arc;\nuse std::cell::Cell;", &[][..]),
            (anywhere, "use std::sync::{Arc, Mutex};", &[1]),
            (anywhere, "\nlet x: std::sync::RwLock<u8>;", &[2]),
            (anywhere, "x.lock().y();\nx.lock(key);\nlock();", &[1]),
            (anywhere, "use std::{fs, io};\nstd::fs::read(p);\nstd::fsx::y();", &[1, 2]),
            (anywhere, "std::thread::sleep(d);", &[1]),
            ("shards/src/shard.rs", "std::thread::Builder::new()", &[]),
            (anywhere, "use std::sync::atomic::{self, Ordering};", &[1]),
            (anywhere, "a.cmp(&b) == std::cmp::Ordering::Less", &[]),
            (anywhere, "static X: AtomicU64 = f();\nstruct AtomicallyNot;\nenum Atomic {}", &[1]),
            ("shards/reactor/src/wake.rs", "use std::sync::atomic::AtomicBool;", &[]),
            ("shards/reactor/src/clock.rs", "use std::sync::atomic::AtomicBool;", &[1, 1]),
            (anywhere, "println!(\"x\");\nwrite!(f, \"println!\");\neprint! (x)", &[1, 3]),
            (anywhere, "tokio::spawn(x)", &[1]),
            (anywhere, "(host, 80).to_socket_addrs()", &[1]),
            (anywhere, "// Mutex\n\"tokio\";\n#[cfg(test)]\nmod tests { use std::sync::Mutex; }", &[]),
            ("shards/src/upstream/tests.rs", "use std::fs;", &[]),
        ] {
            let lines: Vec<usize> = check(path, text).iter().map(|violation| violation.line).collect();
            assert_eq!(lines, expected, "{path}: {text}");
        }
    }

    #[test]
    fn it_concerns_sources_of_the_data_plane() {
        for (path, concerned) in [
            ("shards/src/body.rs", true),
            ("shards/codec/src/head.rs", true),
            ("shards/codec/tests/corpora.rs", false),
            ("admin/src/lib.rs", false),
        ] {
            assert_eq!(applies(path), concerned, "{path}");
        }
    }
}

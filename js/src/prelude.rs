//! The JavaScript that every context starts with, and the modules that users import from the gateway. Compiled once
//! per process. To add a host module: its file here, its name in `specifier.rs`.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use crate::bytecode;
use crate::kit;

/// Name and source of every module of the prelude.
const SOURCES: &[(&str, &str)] = &[
    ("tidegate:native", include_str!("prelude/native.js")),
    ("tidegate:hardening", include_str!("prelude/hardening.js")),
    ("tidegate:lock", include_str!("prelude/lock.js")),
    ("tidegate:context", include_str!("prelude/context.js")),
    ("tidegate:upstream", include_str!("prelude/upstream.js")),
    ("tidegate:response", include_str!("prelude/response.js")),
    ("tidegate:bodies", include_str!("prelude/bodies.js")),
    ("tidegate:parts", include_str!("prelude/parts.js")),
    ("tidegate:cookies", include_str!("prelude/cookies.js")),
    ("tidegate:console", include_str!("prelude/console.js")),
    ("tidegate:timers", include_str!("prelude/timers.js")),
    ("tidegate:encoding", include_str!("prelude/encoding.js")),
    ("tidegate:exception", include_str!("prelude/exception.js")),
    ("tidegate:clone", include_str!("prelude/clone.js")),
    ("tidegate:algorithms", include_str!("prelude/algorithms.js")),
    ("tidegate:webcrypto", include_str!("prelude/webcrypto.js")),
    ("tidegate:jwt", include_str!("prelude/jwt.js")),
    ("tidegate:jwt_keys", include_str!("prelude/jwt_keys.js")),
    ("tidegate:url", include_str!("prelude/url.js")),
    ("tidegate:pattern", include_str!("prelude/pattern.js")),
    ("tidegate:events", include_str!("prelude/events.js")),
    ("tidegate:abort", include_str!("prelude/abort.js")),
    ("tidegate:streams/promises", include_str!("prelude/streams/promises.js")),
    ("tidegate:streams/readable", include_str!("prelude/streams/readable.js")),
    ("tidegate:streams/writable", include_str!("prelude/streams/writable.js")),
    ("tidegate:streams/transform", include_str!("prelude/streams/transform.js")),
    ("tidegate:streams/pipe", include_str!("prelude/streams/pipe.js")),
    ("tidegate:streams/main", include_str!("prelude/streams/main.js")),
    ("tidegate:streams/text", include_str!("prelude/streams/text.js")),
    ("tidegate:web/headers", include_str!("prelude/web/headers.js")),
    ("tidegate:web/blob", include_str!("prelude/web/blob.js")),
    ("tidegate:web/body", include_str!("prelude/web/body.js")),
    ("tidegate:web/message", include_str!("prelude/web/message.js")),
    ("tidegate:web/answer", include_str!("prelude/web/answer.js")),
    ("tidegate:web/fetch", include_str!("prelude/web/fetch.js")),
    ("tidegate:web/pump", include_str!("prelude/web/pump.js")),
    ("tidegate", include_str!("prelude/dgate.js")),
    ("tidegate/http", include_str!("prelude/http.js")),
    ("tidegate/util", include_str!("prelude/util.js")),
    ("tidegate/x", include_str!("prelude/x.js")),
    ("tidegate/state", include_str!("prelude/state.js")),
    ("tidegate/crypto", include_str!("prelude/crypto.js")),
    ("tidegate/storage", include_str!("prelude/storage.js")),
];

/// The module that is evaluated first; it pulls in what every context needs.
pub(crate) const BOOT: &str = "tidegate:context";

/// The module whose `lock` ends the making of a context.
pub(crate) const LOCK: &str = "tidegate:lock";

/// Bytecode of a module of the prelude, if it is one.
pub(crate) fn bytecode(name: &str) -> Option<&'static Arc<[u8]>> {
    if name.starts_with(kit::PREFIX) {
        return kit::bytecode(name);
    }
    static COMPILED: OnceLock<HashMap<&'static str, Arc<[u8]>>> = OnceLock::new();
    let compile = || {
        let emit = |(name, source): (&'static str, &str)| match bytecode::emit(name, source) {
            Ok(code) => (name, Arc::from(code)),
            Err(e) => panic!("the prelude does not compile: {name}:{}:{}: {}", e.line, e.column, e.message),
        };
        SOURCES.iter().copied().map(emit).collect()
    };
    COMPILED.get_or_init(compile).get(name)
}

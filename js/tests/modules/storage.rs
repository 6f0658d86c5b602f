//! `tidegate/storage` over a host that keeps a map: which values pass and how they come back, what the host is asked,
//! and what is refused before it is asked.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use tidegate_js::{
    Answer, CacheScope, CacheUpdate, CacheValue, ConsoleLevel, Function, Grants, Host, Limits, Pending,
    Refused, Runtime, StateRead, StateWrite,
};

use crate::harness::{Shared, TestExchange, drive, ts};

/// The rest of a host, and a cache that never forgets.
#[derive(Clone, Default)]
struct Keeping {
    rest: Shared,
    values: Rc<RefCell<BTreeMap<String, CacheValue>>>,
    /// What was asked that a map does not show.
    asked: Rc<RefCell<Vec<String>>>,
}

impl Host for Keeping {
    fn now_ms(&self) -> f64 {
        self.rest.now_ms()
    }
    fn monotonic_ms(&self) -> f64 {
        self.rest.monotonic_ms()
    }
    fn random(&self, out: &mut [u8]) {
        self.rest.random(out);
    }
    fn sleep(&self, ms: u64) -> Pending<()> {
        self.rest.sleep(ms)
    }
    fn console(&self, module: &str, level: ConsoleLevel, text: &str) {
        self.rest.console(module, level, text);
    }
    fn read_state(&self, read: StateRead) -> Result<String, Refused> {
        self.rest.read_state(read)
    }
    fn write_state(&self, write: StateWrite) -> Pending<Result<String, Refused>> {
        self.rest.write_state(write)
    }
    fn cache_get(&self, key: &str) -> Option<CacheValue> {
        self.values.borrow().get(key).cloned()
    }
    fn cache_set(&self, key: &str, value: Option<CacheValue>, ttl_ms: Option<u64>) -> Result<(), Refused> {
        self.asked.borrow_mut().push(format!("set {key} {ttl_ms:?}"));
        if key == "full" {
            return Err(Refused("no room".into()));
        }
        match value {
            Some(value) => drop(self.values.borrow_mut().insert(key.into(), value)),
            None => drop(self.values.borrow_mut().remove(key)),
        }
        Ok(())
    }
    fn cache_update(
        &self,
        scope: CacheScope,
        key: &str,
        update: CacheUpdate,
    ) -> Pending<Result<Option<CacheValue>, Refused>> {
        self.asked.borrow_mut().push(format!("{scope:?} {key} {update:?}"));
        let json = |text: &str| Ok(Some(CacheValue::Json(text.into())));
        let answer = match update {
            _ if key == "full" => Err(Refused("no room".into())),
            CacheUpdate::Increment { by, .. } => json(&by.to_string()),
            CacheUpdate::CompareAndSet { expected, .. } => {
                json(if self.cache_get(key) == expected { "true" } else { "false" })
            }
            CacheUpdate::Read => Ok(self.cache_get(key)),
        };
        let sleep = self.sleep(1);
        Box::pin(async move {
            sleep.await;
            answer
        })
    }
}

/// Runs statements in a handler; answers what they return, or the message of what they throw, and what was asked.
#[track_caller]
fn run(statements: &str, permissions: &[&str]) -> (String, Vec<String>) {
    let host = Keeping::default();
    let module = ts(
        "m",
        &format!(
            "import * as s from 'tidegate/storage'; import {{ storage }} from 'dgate'; import d from 'dgate/storage';
             export async function requestHandler(ctx: any) {{
                if (storage.increment !== s.increment || d.getCache !== s.getCache) return 'not the same';
                try {{ {statements} }} catch (e) {{ return e.name + ': ' + e.message }}
             }}"
        ),
    );
    let permissions: Vec<String> = permissions.iter().map(|p| p.to_string()).collect();
    let grants = Grants::parse(&permissions).expect("permissions");
    let runtime = Runtime::new(&[module.code()], Limits::default(), grants, Rc::new(host.clone()));
    let runtime = runtime.unwrap_or_else(|f| panic!("no runtime: {f}\n{}", f.stack));
    let mut lease = runtime.lease(Rc::new(TestExchange::default())).expect("a lease");
    let answer = drive(&host.rest, lease.call(Function::RequestHandler));
    let Ok(Answer::Text(text)) = answer else { panic!("{statements}\n{answer:?}") };
    (text, host.asked.take())
}

#[track_caller]
fn gives(statements: &str, expected: &str) {
    assert_eq!(run(statements, &["cache"]).0, expected, "{statements}");
}

#[test]
fn values_come_back_as_copies() {
    for (value, shown) in [
        ("{ a: [1, null, 'ä'] }", r#"{"a":[1,null,"ä"]}"#),
        ("'text'", r#""text""#),
        ("0", "0"),
        ("false", "false"),
        ("''", r#""""#),
        ("new Date(0)", r#""1970-01-01T00:00:00.000Z""#),
    ] {
        gives(&format!("s.setCache('k', {value}); return JSON.stringify(s.getCache('k'))"), shown);
    }
    gives("s.setCache('k', { n: 1 }); s.getCache('k').n = 2; return '' + s.getCache('k').n", "1");
    gives("const v = { n: 1 }; s.setCache('k', v); v.n = 2; return '' + s.getCache('k').n", "1");
    let bytes = "s.setCache('k', new Uint8Array([1, 2, 3])); const a = s.getCache('k');";
    gives(
        &format!("{bytes} a[0] = 9; return a.constructor.name + s.getCache('k').join()"),
        "Uint8Array1,2,3",
    );
    gives("s.setCache('k', new Uint16Array([258]).subarray(0)); return s.getCache('k').join()", "2,1");
    gives("s.setCache('k', new Uint8Array([7]).buffer); return s.getCache('k').join()", "7");
    gives("s.setCache('k', new Uint8Array([7, 8]).subarray(1)); return s.getCache('k').join()", "8");
}

#[test]
fn what_is_not_there_is_null() {
    gives("return s.getCache('k') + '' + s.hasCache('k') + await s.readCache('k')", "nullfalsenull");
    gives("s.setCache('k', 1); return s.hasCache('k') + '' + await s.readCache('k')", "true1");
    for delete in ["s.deleteCache('k')", "s.setCache('k', null)", "s.setCache('k', undefined)"] {
        gives(
            &format!("s.setCache('k', 1); {delete}; return s.getCache('k') + '' + s.hasCache('k')"),
            "nullfalse",
        );
    }
}

#[test]
fn what_the_host_is_asked() {
    for (statements, asked) in [
        ("s.setCache('k', 1); return ''", "set k None"),
        ("s.setCache('k', 1, { ttl: 0.0015 }); return ''", "set k Some(2)"),
        ("s.setCache('k', 1, { ttl: 60 }); return ''", "set k Some(60000)"),
        ("s.setCache('k', 1, { ttl: Infinity }); return ''", "set k Some(18446744073709551615)"),
        ("await s.increment('k'); return ''", "Node k Increment { by: 1, ttl_ms: None }"),
        (
            "await s.increment('k', -5, { ttl: 1, scope: 'cluster' }); return ''",
            "Cluster k Increment { by: -5, ttl_ms: Some(1000) }",
        ),
        // It happens also where nobody waits for it.
        ("s.increment('k', 2, { scope: 'node' }); return ''", "Node k Increment { by: 2, ttl_ms: None }"),
        (
            "await s.compareAndSet('k', null, { a: 1 }); return ''",
            r#"Node k CompareAndSet { expected: None, value: Some(Json("{\"a\":1}")), ttl_ms: None }"#,
        ),
        (
            "await s.compareAndSet('k', new Uint8Array([1]), undefined, { ttl: 1 }); return ''",
            "Node k CompareAndSet { expected: Some(Bytes([1])), value: None, ttl_ms: Some(1000) }",
        ),
        ("await s.readCache('k', { scope: 'cluster' }); return ''", "Cluster k Read"),
    ] {
        let (answer, found) = run(statements, &["cache"]);
        assert_eq!((answer.as_str(), found.as_slice()), ("", &[asked.to_owned()][..]), "{statements}");
    }
    gives("const n = await s.increment('k', 3); return typeof n + n", "number3");
    gives("const n = await s.compareAndSet('k', null, 1); return typeof n + n", "booleantrue");
}

#[test]
fn what_is_refused() {
    let denied = "lacks the permission 'cache'";
    for call in ["s.getCache('k')", "s.setCache('k', 1)", "s.hasCache('k')", "await s.increment('k')"] {
        let (answer, asked) = run(&format!("{call}; return ''"), &["net:fetch"]);
        assert!(answer.contains(denied) && asked.is_empty(), "{call}: {answer} {asked:?}");
    }
    for (call, why) in [
        ("s.getCache()", "TypeError: the id of a cached value must be a text"),
        ("s.getCache('')", "TypeError: the id"),
        ("s.getCache('x'.repeat(513))", "1 to 512 bytes"),
        ("s.setCache('k', () => 1)", "a function cannot be cached: it has no JSON form"),
        ("s.setCache('k', Symbol())", "a symbol cannot be cached"),
        ("s.setCache('k', 1n)", "TypeError"),
        ("s.setCache('k', 1, { ttl: 0 })", "ttl must be a number of seconds greater than 0"),
        ("s.setCache('k', 1, { ttl: '1' })", "ttl must be"),
        ("s.setCache('k', 1, { ttl: NaN })", "ttl must be"),
        ("s.setCache('full', 1)", "Error: no room"),
        ("await s.increment('full')", "Error: no room"),
        ("await s.increment('k', 0.5)", "must be a whole number"),
        ("await s.increment('k', Infinity)", "must be a whole number"),
        ("await s.increment('k', {})", "must be a whole number"),
        ("await s.increment('k', 1, { scope: 'world' })", "scope must be 'node' or 'cluster'"),
    ] {
        let (answer, _) = run(&format!("{call}; return ''"), &["cache"]);
        assert!(answer.contains(why), "{call}: {answer}");
    }
    // What only promises give is refused by their rejection.
    gives("const p = s.increment('k', 0.5); return await p.catch((e) => 'rejected')", "rejected");
}

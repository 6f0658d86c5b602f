//! A test of all native functions at once: whatever they are called with, they answer or throw, outside of a request
//! and within one. What they are called with is drawn from a list by a fixed seed.

use std::rc::Rc;

use rquickjs::{Context, Ctx, Function as JsFunction};

use super::table;
use crate::bridge::Bridge;
use crate::governor::Governor;
use crate::grants::Grants;
use crate::kit::{KitHost, MemoryExchange, World};
use crate::limits::Limits;
use crate::stack::Maps;

/// Calls every function of the table with values from the list; `g` is the lease that is open.
const CALLS: &str = "(table, groups, g, seed) => {
    for (const group of groups) table.need(group);
    const thrower = { toString() { throw new Error('x') }, valueOf() { throw new Error('y') } };
    const values = [
        undefined, null, true, false, 0, -1, 1, 2, 3, 1.5, NaN, Infinity, -Infinity, 2 ** 31, 2 ** 32, 2 ** 53, -(2 ** 53), 7n,
        '', 'abc', 'GET', 'a: b', '\\r\\n', '\\ud800', 'ä€', 'http://a.test/x', 'SHA-256', 'AES-GCM', 'raw', 'hex', 'a'.repeat(5000),
        Symbol.iterator, {}, [], [1, 'a'], [undefined, null], ['a', 'b', 'c'], new Array(1000), () => 1, new ArrayBuffer(8),
        new Uint8Array(4), new Uint8Array(0), new Float64Array(2), new DataView(new ArrayBuffer(3)), new Map(), new Proxy({}, {}),
        thrower, { valueOf() { return 3 } }, { length: 2 ** 40 }, g, g << 2, g << 2 | 2, g + 1,
    ];
    const random = (n) => { seed = (seed * 1103515245 + 12345) % 2147483648; return seed % n; };
    let calls = 0;
    // `kit` is the test kit's, and `load` needs modules.
    const skipped = ['need', 'load', 'guard'];
    for (const name of Object.keys(table)) {
        if (typeof table[name] !== 'function' || skipped.includes(name)) continue;
        for (let i = 0; i < 300; i++) {
            const given = [];
            for (let n = random(8); n > 0; n--) given.push(random(3) === 0 ? g : values[random(values.length)]);
            calls++;
            try { table[name](...given) } catch {}
            try { if (random(4) === 0) new table[name](...given) } catch {}
        }
    }
    return calls;
}";

const GROUPS: [&str; 6] = ["encoding", "storage", "hashes", "streams", "webcrypto", "url"];

#[test]
fn natives_answer_or_throw_whatever_they_are_given() {
    let engine = rquickjs::Runtime::new().expect("an engine");
    for is_open in [false, true] {
        let context = Context::full(&engine).expect("a context");
        let host = Rc::new(KitHost(Rc::new(World::default())));
        let (maps, governor) = (Maps::new(&[]), Rc::new(Governor::new()));
        let kinds = context.with(|ctx| super::register(&ctx)).expect("classes");
        let (limits, grants) = (Limits::default(), Rc::new(Grants::all()));
        let bridge = Bridge::new(host, limits, grants, maps, "m".into(), governor, kinds);
        if is_open {
            bridge.open(Rc::new(MemoryExchange::default()));
        }
        let calls = context.with(|ctx: Ctx<'_>| {
            let run: JsFunction = ctx.eval(CALLS).expect("it compiles");
            let table = table(&ctx, &bridge).expect("a table");
            let groups: Vec<String> = GROUPS.map(String::from).into();
            let calls = run.call::<_, u32>((table, groups, bridge.generation(), 20_261_121u32));
            calls.unwrap_or_else(|e| panic!("{e}: {:?}", ctx.catch()))
        });
        assert!(bridge.panic.take().is_none(), "the host panicked");
        assert!(calls > 10_000, "{calls}");
        super::detach(&context);
    }
}

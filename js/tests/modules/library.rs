//! The globals and the gateway's own modules: crypto against known answers, state, console, text, clones, time.

use tidegate_js::{ConsoleLevel, StateWrite};

use crate::harness::{Bench, eval};

#[test]
fn known_answers() {
    // FIPS 180-4 and RFC 1321 ("abc"), RFC 2202 and RFC 4231 (test case 2).
    for (expression, expected) in [
        ("md5('abc', 'hex')", "900150983cd24fb0d6963f7d28e17f72"),
        ("sha1('abc', 'hex')", "a9993e364706816aba3e25717850c26c9cd0d89d"),
        ("sha256('abc', 'hex')", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            "sha384('abc', 'hex')",
            "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7",
        ),
        ("sha512('abc', 'hex').slice(0, 32)", "ddaf35a193617abacc417349ae204131"),
        ("sha512_224('abc', 'hex')", "4634270f707b6a54daae7530460842e20e37ed265ceee9a43e8924aa"),
        ("sha512_256('abc', 'hex')", "53048e2681941ef99b2e29b76b4c7dabe4c2d0c634fc6d46e0e2f13107e7af23"),
        ("hmac('md5', 'Jefe', 'what do ya want for nothing?', 'hex')", "750c783e6ab0b503eaa86e310a5db738"),
        (
            "hmac('sha1', 'Jefe', 'what do ya want for nothing?', 'hex')",
            "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79",
        ),
        (
            "hmac('sha256', 'Jefe', 'what do ya want for nothing?', 'hex')",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        ),
        (
            "createHmac('sha512', 'Jefe').update('what do ya want ').update('for nothing?').digest('hex').slice(0, 32)",
            "164b7a7bfcf819e2e395fbe73b56e0a3",
        ),
        (
            "createHash('sha256').update('a').update('bc').digest('base64')",
            "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=",
        ),
        (
            "createHash('sha-256').update(new Uint8Array([97, 98, 99])).digest('base64raw')",
            "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0",
        ),
        (
            "createHash('SHA256').update(new Uint8Array([97, 98, 99]).buffer).digest('base64url')",
            "ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0=",
        ),
        ("createHash('sha256').update('abc').digest('base64rawurl').slice(-8)", "YfIAFa0"),
        (
            "'' + createHash('sha1').digest().byteLength + createHash('sha1').digest().constructor.name",
            "20ArrayBuffer",
        ),
        ("hexEncode('äz')", "c3a47a"),
        ("getHashes().includes('sha512-256') + getHashes().join().slice(0, 8)", "truemd5,sha1"),
    ] {
        let expression = expression.replace("getHashes", "crypto.getHashes");
        let names = [
            "md5(",
            "sha1(",
            "sha256(",
            "sha384(",
            "sha512(",
            "sha512_224(",
            "sha512_256(",
            "hmac(",
            "createHmac(",
            "createHash(",
            "hexEncode(",
        ];
        let mut source = expression.clone();
        if let Some(name) =
            names.iter().find(|n| source.starts_with(**n) || source.starts_with(&format!("'' + {n}")))
        {
            source = source.replace(name, &format!("crypto.{name}"));
        }
        let expected = if expected == "YfIAFa0" { "_YfIAFa0" } else { expected };
        assert_eq!(eval(&format!("return {source}")), expected, "{expression}");
    }
    for (statements, expected) in [
        (
            "const h = crypto.createHash('md5').update('a'); h.digest(); return h.update('bc').digest('hex')",
            "900150983cd24fb0d6963f7d28e17f72",
        ),
        (
            "try { crypto.createHash('crc32') } catch (e) { return e.message }",
            "unknown hash algorithm 'crc32'",
        ),
        ("try { crypto.sha1('a', 'rot13') } catch (e) { return e.message }", "unknown encoding 'rot13'"),
        ("try { crypto.sha1({} as any) } catch (e) { return e.name }", "TypeError"),
        ("return '' + crypto.randomBytes(16).byteLength", "16"),
        ("try { crypto.randomBytes(0) } catch (e) { return e.name }", "RangeError"),
        (
            "const n = Array.from({ length: 200 }, () => crypto.randomInt(3, 6)); return '' + Math.min(...n) + Math.max(...n)",
            "35",
        ),
        ("return '' + (crypto.randomInt(10) < 10)", "true"),
        ("try { crypto.randomInt(5, 5) } catch (e) { return e.name }", "RangeError"),
        (
            "return '' + /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(crypto.randomUUID())",
            "true",
        ),
    ] {
        assert_eq!(eval(statements), expected, "{statements}");
    }
}

#[test]
fn state() {
    for (statements, expected) in [
        ("return '' + await state.getDocument('id', 'c')", "null"),
        (
            "await state.addDocument({ id: 'i', collection: 'c', data: { a: 1 } }); return JSON.stringify((await state.getDocument('i', 'c')).data)",
            "{\"a\":1}",
        ),
        (
            "await state.addDocument({ id: 'i', collection: 'c', data: 1 }); return JSON.stringify((await state.getDocument({ id: 'i', collection: 'c' } as any)).data)",
            "1",
        ),
        (
            "await state.addDocument({ id: 'i', collection: 'c', data: 1 }); return '' + (await state.getDocuments({ collection: 'c' })).length",
            "1",
        ),
        ("return (await state.getCollection('col')).name", "col"),
        ("try { await state.getCollection('forbidden') } catch (e) { return e.message }", "no access"),
        (
            "try { await state.getDocument('x', '') } catch (e) { return e.message }",
            "the collection must be a text that is not empty",
        ),
        ("return JSON.stringify(await state.addCollection({ name: 'n', schema: {} }))", "{\"ok\":true}"),
    ] {
        assert_eq!(eval(statements), expected, "{statements}");
    }
    let bench = Bench::ts(
        "import { deleteDocument, deleteCollection } from 'dgate/state';
         export async function requestHandler() {
            await deleteDocument('i', 'c'); await deleteDocument({ id: 'i', collection: 'c' } as any);
            await deleteCollection('n'); await deleteCollection({ name: 'n' } as any);
         }",
    );
    bench.handle().1.unwrap();
    let document = StateWrite::DeleteDocument { collection: "c".into(), id: "i".into() };
    let collection = StateWrite::DeleteCollection { name: "n".into() };
    assert_eq!(*bench.host.0.writes.borrow(), [document.clone(), document, collection.clone(), collection]);
}

#[test]
fn console() {
    let bench = Bench::ts(
        "export function requestHandler(ctx: any) {
            console.log('a', 1, true, null, undefined, 2n, Symbol('s'));
            console.info({ a: 'x', b: [1, { c: 2 }], 'd-e': () => 1 });
            console.debug(new Map([['k', new Set([1])]]), new Date(0), /r/g, new Uint8Array(2));
            const loop: any = { n: 1 }; loop.self = loop; console.warn(loop);
            console.error('x\\r\\ny\\u001b[31m');
            console.assert(1 === 1, 'no'); console.assert(false, 'yes');
            class Foo { x = 1 } console.log(new Foo(), Object.create(null), [], {});
            console.log({ a: { b: { c: { d: { e: 1 } } } } });
            console.log('z'.repeat(50000));
            console.log({ get boom() { throw new Error('no') } });
            console.log(new Proxy({}, { ownKeys() { throw new Error('no') } }));
            console.trace('here');
            console.log(ctx.request().headers);
         }",
    );
    bench.handle().1.unwrap();
    let lines = bench.host.0.lines.borrow();
    let expected = [
        (ConsoleLevel::Info, "a 1 true null undefined 2n Symbol(s)"),
        (ConsoleLevel::Info, "{ a: \"x\", b: [ 1, { c: 2 } ], \"d-e\": [Function: d-e] }"),
        (
            ConsoleLevel::Debug,
            "Map(1) { \"k\" => Set(1) { 1 } } 1970-01-01T00:00:00.000Z /r/g Uint8Array(2) [ 0, 0 ]",
        ),
        (ConsoleLevel::Warn, "{ n: 1, self: [Circular] }"),
        (ConsoleLevel::Error, "x\\r\\ny\\u{1b}[31m"),
        (ConsoleLevel::Error, "Assertion failed: yes"),
        (ConsoleLevel::Info, "Foo { x: 1 } {} [] {}"),
        (ConsoleLevel::Info, "{ a: { b: { c: { d: [Object] } } } }"),
    ];
    for (line, (level, text)) in lines.iter().zip(expected) {
        assert_eq!((line.0, line.1.as_str()), (level, text));
    }
    assert!(lines[8].1.len() <= 8192 && lines[8].1.ends_with('…'));
    assert_eq!(lines[9].1, "{ boom: [Getter] }");
    assert_eq!(lines[10].1, "[a value that cannot be shown]");
    assert!(lines[11].1.starts_with("Trace: here at requestHandler (m.ts:"), "{}", lines[11].1);
    assert_eq!(lines[12].1, "{ Accept: [ \"text/plain\" ], accept: [ \"*/*\" ] }");
}

#[test]
fn text_and_clones_and_time() {
    for (statements, expected) in [
        ("return atob('aGk=') + atob(' aG k ') + btoa('hi')", "hihiaGk="),
        ("try { atob('a') } catch (e) { return 'no' }", "no"),
        ("try { btoa('€') } catch (e) { return 'no' }", "no"),
        ("return String(atob('/w==').charCodeAt(0))", "255"),
        ("return new TextEncoder().encode('ä€').join()", "195,164,226,130,172"),
        ("return new TextDecoder().decode(new Uint8Array([0xef, 0xbb, 0xbf, 195, 164]))", "ä"),
        ("return new TextDecoder().decode(new Uint8Array([255]))", "\u{fffd}"),
        (
            "try { new TextDecoder('utf-8', { fatal: true }).decode(new Uint8Array([255])) } catch (e) { return e.name }",
            "TypeError",
        ),
        ("try { new TextDecoder('klingon') } catch (e) { return e.name }", "RangeError"),
        (
            "return JSON.stringify(new TextEncoder().encodeInto('aä', new Uint8Array(2)))",
            "{\"read\":1,\"written\":1}",
        ),
        (
            "const o: any = { a: [1, { b: new Date(5) }], m: new Map([[1, new Set([2])]]) }; o.o = o; const c = structuredClone(o); return [c !== o, c.o === c, c.a[1].b.getTime(), c.m.get(1).has(2)].join()",
            "true,true,5,true",
        ),
        (
            "return structuredClone(new Uint8Array([1, 2])).join() + structuredClone(new ArrayBuffer(3)).byteLength",
            "1,23",
        ),
        ("try { structuredClone({ f() {} }) } catch (e) { return e.name }", "DataCloneError"),
        ("return new Date().toISOString() + Date.now()", "2023-11-14T22:13:20.000Z1700000000000"),
        (
            "return [new Date(0) instanceof Date, new Date(2020, 1).getFullYear(), Date.UTC(1970, 0), typeof Date(), Date.length, new Date(5).constructor === Date].join()",
            "true,2020,0,string,7,true",
        ),
        (
            "class D extends Date { x() { return this.getTime() } } return '' + new D(7).x() + (new D() instanceof D)",
            "7true",
        ),
        ("const r = Math.random(); return '' + (r >= 0 && r < 1 && r !== Math.random())", "true"),
        ("return '' + performance.now()", "0"),
        (
            "return [1, 2, 3].at(-1) + Object.groupBy([1, 2], (n) => 'k' + n).k2.join() + 'x'.padStart(2)",
            "32 x",
        ),
        ("return encodeURIComponent('ä ') + typeof (globalThis as any).Intl", "%C3%A4%20undefined"),
    ] {
        assert_eq!(eval(statements), expected, "{statements}");
    }
}

#[test]
fn console_formats_and_groups() {
    for (statements, expected) in [
        ("console.log('%s is %d and %i, %f%%', 'a', '4.5', 4.9, '1.5x')", "a is 4.5 and 4, 1.5%"),
        (
            "console.log('%o|%O|%j|%cplain', { a: 'b' }, [1], { c: 1 }, 'color: red', 'more')",
            "{ a: \"b\" }|[ 1 ]|{\"c\":1}|plain more",
        ),
        ("console.log('100%', 5, '%s')", "100% 5 %s"),
        ("console.log('%s %s', 1)", "1 %s"),
        ("console.log('%d %i', {}, 7n)", "NaN 7n"),
        (
            "console.log('%s', Symbol('x'), { toString() { return 'no' } })",
            "Symbol(x) { toString: [Function: toString] }",
        ),
        (
            "console.group('g'); console.warn('in'); console.groupEnd(); console.groupEnd(); console.log('out')",
            "g\n  in\nout",
        ),
        (
            "console.count(); console.count('x'); console.count(); console.countReset(); console.count()",
            "default: 1\nx: 1\ndefault: 2\ndefault: 1",
        ),
        (
            "console.time('t'); await dgate.sleep('5ms'); console.timeEnd('t'); console.timeLog('t')",
            "t: 5 ms\nthere is no timer 't'",
        ),
        (
            "console.table([{ a: 1, b: 'xyz' }, { a: 22 }, 5])",
            "(index) | a  | b   | (value)\n0       | 1  | xyz |\n1       | 22 |     |\n2       |    |     | 5",
        ),
        ("console.table(7); console.dir({ a: 1 })", "7\n{ a: 1 }"),
    ] {
        let bench = Bench::ts(&format!(
            "import * as dgate from 'dgate'; const used = dgate; export async function requestHandler() {{ {statements} }}"
        ));
        bench.handle().1.unwrap_or_else(|f| panic!("{statements}: {f}"));
        assert_eq!(bench.host.0.texts().join("\n"), expected, "{statements}");
        // What one request left open is not the next one's.
        let before = bench.host.0.texts().len();
        bench.handle().1.unwrap_or_else(|f| panic!("{statements}: {f}"));
        assert_eq!(bench.host.0.texts()[before..].join("\n"), expected, "again: {statements}");
    }
}

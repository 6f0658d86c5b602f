//! The rules of keys: what they may be used for and shown to, how much of everything there may be, and that nothing
//! a module hands over brings the process down.

use std::rc::Rc;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use tidegate_js::{Answer, Cause, Failure, Function, Limits};

use crate::harness::{Bench, TestExchange, ts};
use crate::known_keys::PRELUDE;
use crate::webcrypto::run;

/// What requests of one context share here.
const SHARED: &str = "const keep: any = { key: subtle.importKey('jwk', open(RSA), { name: 'RSA-PSS', hash: 'SHA-256' }, true, ['verify']) };";

fn bench(statements: &str, cpu_ms: u32) -> Bench {
    let shared = if statements.contains("keep") { SHARED } else { "" };
    let source =
        format!("{PRELUDE} {shared} export async function requestHandler(ctx: any) {{ {statements} }}");
    Bench::of(&[ts("m", &source)], Limits { cpu_ms, ..Limits::default() })
}

#[test]
fn keys_do_what_they_are_for_and_nothing_else() {
    for (statements, expected) in [
        (
            "const k = await subtle.importKey('jwk', HS, { name: 'HMAC', hash: 'SHA-256' }, false, ['verify']); return fails(() => subtle.sign('HMAC', k, utf8('x')))",
            "InvalidAccessError",
        ),
        (
            "const k = await subtle.importKey('jwk', HS, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign']); return fails(() => subtle.sign('Ed25519', k, utf8('x')))",
            "InvalidAccessError",
        ),
        (
            "const k = await subtle.importKey('jwk', HS, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign']); return fails(() => subtle.encrypt({ name: 'AES-GCM', iv: new Uint8Array(12) }, k, utf8('x')))",
            "InvalidAccessError",
        ),
        (
            "return fails(() => subtle.importKey('jwk', HS, { name: 'HMAC', hash: 'SHA-256' }, false, ['encrypt']))",
            "SyntaxError",
        ),
        (
            "return fails(() => subtle.importKey('jwk', HS, { name: 'HMAC', hash: 'SHA-256' }, false, []))",
            "SyntaxError",
        ),
        (
            "return fails(() => subtle.importKey('jwk', HS, { name: 'HMAC', hash: 'SHA-256' }, false, ['sing'] as any))",
            "TypeError",
        ),
        (
            "return fails(() => subtle.importKey('jwk', HS, { name: 'HMAC', hash: 'SHA-512' }, false, ['sign']))",
            "DataError",
        ),
        (
            "return fails(() => subtle.importKey('jwk', { ...HS, use: 'enc' }, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign']))",
            "DataError",
        ),
        (
            "return fails(() => subtle.importKey('jwk', { ...HS, key_ops: ['verify'] }, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign']))",
            "DataError",
        ),
        (
            "return fails(() => subtle.importKey('jwk', { ...HS, key_ops: ['sign', 'sign'] }, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign']))",
            "DataError",
        ),
        (
            "return fails(() => subtle.importKey('jwk', { ...HS, ext: false }, { name: 'HMAC', hash: 'SHA-256' }, true, ['sign']))",
            "DataError",
        ),
        (
            "return fails(() => subtle.importKey('jwk', { ...HS, k: HS.k + '=' }, { name: 'HMAC', hash: 'SHA-256' }, true, ['sign']))",
            "DataError",
        ),
        (
            "return fails(() => subtle.importKey('jwk', { ...HS, kty: 'RSA' }, { name: 'HMAC', hash: 'SHA-256' }, true, ['sign']))",
            "DataError",
        ),
        (
            "return fails(() => subtle.importKey('raw', HS as any, { name: 'HMAC', hash: 'SHA-256' }, true, ['sign']))",
            "TypeError",
        ),
        (
            "return fails(() => subtle.importKey('jwk', utf8('{}') as any, { name: 'HMAC', hash: 'SHA-256' }, true, ['sign']))",
            "TypeError",
        ),
        (
            "return fails(() => subtle.importKey('pem' as any, utf8('{}'), { name: 'HMAC', hash: 'SHA-256' }, true, ['sign']))",
            "TypeError",
        ),
        (
            "return fails(() => subtle.importKey('raw', utf8(''), { name: 'HMAC', hash: 'SHA-256' }, true, ['sign']))",
            "DataError",
        ),
        (
            "return fails(() => subtle.importKey('raw', utf8('1234'), { name: 'HMAC', hash: 'SHA-256', length: 40 }, true, ['sign']))",
            "DataError",
        ),
        (
            "return fails(() => subtle.importKey('raw', utf8('12345'), 'AES-GCM', true, ['encrypt']))",
            "DataError",
        ),
        (
            "return fails(() => subtle.importKey('raw', new Uint8Array(24), 'AES-GCM', true, ['encrypt']))",
            "NotSupportedError",
        ),
        (
            "return fails(() => subtle.importKey('spki', utf8('12345'), 'AES-GCM', true, ['encrypt']))",
            "NotSupportedError",
        ),
        (
            "return fails(() => subtle.generateKey({ name: 'AES-CBC', length: 128 }, true, ['encrypt']))",
            "NotSupportedError",
        ),
        (
            "return fails(() => subtle.generateKey({ name: 'AES-GCM', length: 100 }, true, ['encrypt']))",
            "OperationError",
        ),
        (
            "return fails(() => subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, ['verify']))",
            "SyntaxError",
        ),
        ("return fails(() => subtle.sign('HMAC', {} as any, utf8('x')))", "TypeError"),
        ("return fails(() => new (CryptoKey as any)())", "TypeError"),
        (
            "return [crypto.constructor.name, Object.prototype.toString.call(subtle), typeof CryptoKey].join()",
            "Crypto,[object SubtleCrypto],function",
        ),
    ] {
        assert_eq!(run(statements), expected, "{statements}");
    }
}

#[test]
fn key_material_is_not_shown() {
    let bench = bench(
        "const closed: any = await subtle.importKey('jwk', HS, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign']);
         const seen = [JSON.stringify(closed), Object.getOwnPropertyNames(closed).length, Object.getOwnPropertySymbols(closed).length, String(closed)];
         for (const form of ['raw', 'jwk'] as any[]) seen.push(await fails(() => subtle.exportKey(form, closed)));
         // What it says of itself is for reading only.
         await fails(() => closed.algorithm.name = 'AES-GCM'); await fails(() => closed.usages.push('verify')); await fails(() => closed.extractable = true);
         seen.push(await fails(() => subtle.exportKey('raw', closed)), await fails(() => subtle.verify('HMAC', closed, utf8(''), utf8(''))));
         // A class that pretends to be a key.
         const fake = Object.create(CryptoKey.prototype);
         seen.push(await fails(() => subtle.sign('HMAC', fake, utf8(''))), await fails(() => fake.type));
         console.log(await subtle.importKey('jwk', EC, { name: 'ECDSA', namedCurve: 'P-256' }, true, ['sign']));
         return seen.join(';')",
        1000,
    );
    let result = bench.call(&Rc::new(TestExchange::default()), Function::RequestHandler);
    let Ok(Answer::Text(text)) = result else { panic!("{result:?}") };
    assert_eq!(
        text,
        "{};0;0;[object CryptoKey];InvalidAccessError;InvalidAccessError;InvalidAccessError;InvalidAccessError;TypeError;TypeError"
    );
    let line = "CryptoKey { type: \"private\", extractable: true, algorithm: { name: \"ECDSA\", namedCurve: \"P-256\" }, usages: [ \"sign\" ] }";
    assert_eq!(bench.host.0.texts(), [line]);
}

#[test]
fn what_requests_share_of_it_cannot_be_written() {
    for target in [
        "crypto.subtle.mark",
        "crypto.constructor.mark",
        "Object.getPrototypeOf(crypto).getRandomValues",
        "Object.getPrototypeOf(crypto.subtle).sign",
        "CryptoKey.mark",
        "CryptoKey.prototype.mark",
        "key.algorithm.mark",
        "key.algorithm.hash.name",
        "key.algorithm.publicExponent[0]",
        "key.usages[0]",
        "key.usages.length",
        "createHash.mark",
        "verifyJwt.mark",
        "Object.getPrototypeOf(createHash('md5')).update",
        "error.constructor.mark",
        "error.constructor.prototype.mark",
    ] {
        let bench = bench(
            &format!(
                "const state: any = keep; state.count = (state.count ?? 0) + 1;
                 const error: any = await verifyJws('', HS).catch((e) => e), key: any = await keep.key;
                 if (state.count === 1) {{
                    state.before = {target};
                    await fails(() => {{ ({target} as any) = 77 }}); await fails(() => {{ delete ({target} as any) }});
                    return 'written';
                 }}
                 return Object.is({target}, state.before) ? 'same' : 'leaked'"
            ),
                        1000,
        );
        for expected in ["written", "same"] {
            let result = bench.call(&Rc::new(TestExchange::default()), Function::RequestHandler);
            assert!(matches!(&result, Ok(Answer::Text(t)) if t == expected), "{target}: {result:?}");
        }
    }
}

#[test]
fn it_is_there_when_a_request_is_the_first_to_ask() {
    let source = "export async function requestHandler() {
        const key: any = await crypto.subtle.generateKey('Ed25519', false, ['sign', 'verify']);
        const [a, b] = [structuredClone(key.privateKey), structuredClone({ k: key.publicKey }).k];
        const sum = await crypto.subtle.sign('Ed25519', a, new Uint8Array(3));
        const right = await crypto.subtle.verify('Ed25519', b, sum, new Uint8Array(3));
        return [right, a !== key.privateKey, a instanceof CryptoKey, a.extractable, typeof crypto.randomUUID()].join();
     }";
    let bench = Bench::of(&[ts("m", source)], Limits { cpu_ms: 1000, ..Limits::default() });
    for _ in 0..2 {
        let result = bench.call(&Rc::new(TestExchange::default()), Function::RequestHandler);
        assert!(matches!(&result, Ok(Answer::Text(t)) if t == "true,true,true,false,string"), "{result:?}");
    }
}

#[test]
fn random_values() {
    for (statements, expected) in [
        (
            "return '' + /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(crypto.randomUUID())",
            "true",
        ),
        (
            "const a = new Uint32Array(4); return [crypto.getRandomValues(a) === a, a.every((n) => n > 255), new Set(a).size].join()",
            "true,true,4",
        ),
        (
            "const whole = new Uint8Array(8); crypto.getRandomValues(new Int16Array(whole.buffer, 2, 2)); return [whole[0], whole[1], whole[2] !== 0, whole[6], whole[7]].join()",
            "0,0,true,0,0",
        ),
        (
            "return [crypto.getRandomValues(new Uint8Array(65536)).length, crypto.getRandomValues(new BigUint64Array(2)).length, crypto.getRandomValues(new Uint8ClampedArray(0)).length].join()",
            "65536,2,0",
        ),
        (
            "const e: any = await (async () => crypto.getRandomValues(new Uint8Array(65537)))().catch((e) => e); return [e.name, e instanceof DOMException, e.code].join()",
            "QuotaExceededError,true,22",
        ),
        ("return fails(() => crypto.getRandomValues(new Float32Array(1)))", "TypeMismatchError"),
        (
            "return fails(() => crypto.getRandomValues(new DataView(new ArrayBuffer(1)) as any))",
            "TypeMismatchError",
        ),
        ("return fails(() => crypto.getRandomValues([1, 2] as any))", "TypeError"),
        (
            "return [timingSafeEqual('abc', 'abc'), timingSafeEqual('abc', 'abd'), timingSafeEqual('abc', 'abcd'), timingSafeEqual(utf8('ä'), 'ä'), timingSafeEqual(new Uint16Array([1]), new Uint8Array([1, 0]))].join()",
            "true,false,false,true,true",
        ),
        ("return fails(() => timingSafeEqual(undefined, 'a'))", "TypeError"),
        // What stays behind after a typed array was read must not hurt what is set up later.
        (
            "createHash('sha1').update(new Uint8Array(1)); console.log('x'); return structuredClone('fine')",
            "fine",
        ),
    ] {
        assert_eq!(run(statements), expected, "{statements}");
    }
}

#[test]
fn what_the_engine_cannot_interrupt_still_ends() {
    let start = std::time::Instant::now();
    for statements in [
        "const k = await subtle.importKey('jwk', RSA, { name: 'RSA-PSS', hash: 'SHA-256' }, false, ['sign']);
         for (;;) try { await subtle.sign({ name: 'RSA-PSS', saltLength: 32 }, k, utf8('x')) } catch {}",
        "const data = new Uint8Array(8 << 20); for (;;) try { await subtle.digest('SHA-512', data) } catch {}",
        "const data = new Uint8Array(4 << 20); for (;;) try { timingSafeEqual(data, data); createHash('md5').update('').digest('hex') } catch {}",
        "const data = new Uint8Array(8 << 20); for (;;) try { createHash('sha512').update(data) } catch {}",
        "const k = await subtle.importKey('raw', utf8('x'), 'PBKDF2', false, ['deriveBits']);
         await subtle.deriveBits({ name: 'PBKDF2', hash: 'SHA-512', salt: utf8('s'), iterations: 4e9 }, k, 4294967288)",
        "for (;;) try { await subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-384' }, false, ['sign']) } catch {}",
    ] {
        let bench = bench(statements, 30);
        let result = bench.call(&Rc::new(TestExchange::default()), Function::RequestHandler);
        assert!(matches!(&result, Err(Failure { cause: Cause::CpuTime, .. })), "{statements}: {result:?}");
    }
    // Some hundred milliseconds; it was minutes when only the engine looked at the clock.
    assert!(start.elapsed().as_secs() < 20, "{:?}", start.elapsed());
}

#[test]
fn keys_are_bounded_by_number_and_their_places_come_back() {
    let bench = bench(
        "const make = () => subtle.importKey('jwk', HS, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign']);
         const held = []; let name = '';
         for (let i = 0; i < 2000 && name === ''; i++) try { held.push(await make()) } catch (e: any) { name = e.name }
         const full = held.length; held.length = 0;
         await make();
         return full + name",
        5000,
    );
    for _ in 0..2 {
        let result = bench.call(&Rc::new(TestExchange::default()), Function::RequestHandler);
        assert!(matches!(&result, Ok(Answer::Text(t)) if t == "1024QuotaExceededError"), "{result:?}");
    }
}

/// Garbage, and good keys with some bytes changed, cut or added.
fn mangled() -> impl Strategy<Value = (u8, Vec<(u16, u8)>, u16, Vec<u8>)> {
    (
        any::<u8>(),
        proptest::collection::vec(any::<(u16, u8)>(), 0..4),
        any::<u16>(),
        proptest::collection::vec(any::<u8>(), 0..40),
    )
}

#[test]
fn garbage_is_an_error_and_never_more() {
    let bench = bench(
        "const { pick, changes, cut, tail } = await ctx.request().readJson();
         const hows: any[] = [{ name: 'HMAC', hash: 'SHA-256' }, 'AES-GCM', { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }, { name: 'RSA-PSS', hash: 'SHA-384' },
            { name: 'ECDSA', namedCurve: 'P-256' }, { name: 'ECDSA', namedCurve: 'P-384' }, 'Ed25519', 'HKDF', 'PBKDF2'];
         const how = hows[pick % hows.length], forms: any[] = ['raw', 'spki', 'pkcs8', 'jwk'], form = forms[pick % 4];
         const [rsa, ec, hs] = [
            await subtle.importKey('jwk', pick & 1 ? open(RSA) : RSA, hows[2], true, [pick & 1 ? 'verify' : 'sign']),
            await subtle.importKey('jwk', pick & 1 ? open(EC) : EC, hows[4], true, [pick & 1 ? 'verify' : 'sign']),
            await subtle.importKey('jwk', HS, hows[0], true, ['sign', 'verify']),
         ] as any[];
         const mangle = (bytes: Uint8Array) => {
            const all = [...bytes.slice(0, cut % 3 ? undefined : cut % (bytes.length + 1)), ...tail.slice(0, tail.length * (pick % 2))];
            for (const [at, value] of changes) if (all.length) all[at % all.length] = value;
            return new Uint8Array(all);
         };
         const good = [() => subtle.exportKey(pick & 1 ? 'spki' : 'pkcs8', rsa), () => subtle.exportKey(pick & 1 ? 'spki' : 'pkcs8', ec), () => subtle.exportKey('raw', hs)];
         const bytes = mangle(new Uint8Array(await good[pick % 3]()));
         const names: string[] = [];
         const check = async (f: any) => { names.push(await fails(f)) };
         for (const usages of [['sign'], ['verify'], ['encrypt', 'decrypt'], ['deriveBits', 'deriveKey']] as any[]) {
            let jwk: any = Object.fromEntries(Object.entries([HS, EC, RSA][pick % 3]).map(([m, v]) => [m, tail.length % 2 ? v : String.fromCharCode(...mangle(utf8(v as string)))]));
            if (pick % 5 === 0) jwk = { ...jwk, d: undefined, key_ops: [String.fromCharCode(...tail)] };
            let key: any;
            await check(async () => { key = await subtle.importKey(form, form === 'jwk' ? jwk : bytes, how, true, usages) });
            if (key === undefined) continue;
            const using: any = { ...key.algorithm, hash: key.algorithm.hash ?? 'SHA-256', saltLength: 48, iv: tail.length > 20 ? new Uint8Array(12) : bytes };
            await check(() => subtle.verify(using, key, bytes, new Uint8Array(tail)));
            await check(() => subtle.sign(using, key, bytes));
            await check(() => subtle.decrypt(using, key, bytes));
            await check(() => subtle.deriveBits({ ...using, salt: bytes, info: bytes, iterations: tail.length }, key, 8 * (cut % 99)));
            for (const f of forms) await check(() => subtle.exportKey(f, key));
         }
         await check(() => verifyJws(String.fromCharCode(...bytes), HS));
         await check(() => verifyJws(BY_HS.slice(0, cut % BY_HS.length) + String.fromCharCode(...tail) + BY_HS.slice(cut % BY_HS.length), HS));
         const strange = names.find((n) => !['no error', 'DataError', 'InvalidAccessError', 'NotSupportedError', 'OperationError', 'SyntaxError', 'malformed', 'signature', 'key', 'algorithm'].includes(n));
         return strange ?? 'fine'",
        10_000,
    );
    let config = ProptestConfig { cases: 250, failure_persistence: None, ..ProptestConfig::default() };
    let outcome = TestRunner::new(config).run(&mangled(), |(pick, changes, cut, tail)| {
        let exchange = Rc::new(TestExchange::default());
        let body = serde_json::json!({ "pick": pick, "changes": changes, "cut": cut, "tail": tail });
        exchange.bodies.borrow_mut()[0] = body.to_string().into_bytes();
        match bench.call(&exchange, Function::RequestHandler) {
            Ok(Answer::Text(text)) if text == "fine" => Ok(()),
            other => Err(TestCaseError::fail(format!("{other:?}"))),
        }
    });
    outcome.unwrap_or_else(|e| panic!("{e}"));
}

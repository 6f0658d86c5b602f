//! The Web Cryptography API as modules use it: known answers, every form of every key, every rule that a key has.

use std::rc::Rc;

use tidegate_js::{Answer, Failure, Function, Limits};

use crate::harness::{Bench, TestExchange, ts};
use crate::known_keys::PRELUDE;

/// Runs the statements as an async `requestHandler` with CPU time for a whole table.
fn attempt(statements: &str, cpu_ms: u32) -> (Result<Answer, Failure>, Vec<String>) {
    let source = format!("{PRELUDE} export async function requestHandler(ctx: any) {{ {statements} }}");
    let bench = Bench::of(&[ts("m", &source)], Limits { cpu_ms, ..Limits::default() });
    let result = bench.call(&Rc::new(TestExchange::default()), Function::RequestHandler);
    (result, bench.host.0.texts())
}

/// The same, for the text that they return.
pub(crate) fn run(statements: &str) -> String {
    match attempt(statements, 20_000) {
        (Ok(Answer::Text(text)), _) => text,
        other => panic!("{statements}\n{other:?}"),
    }
}

fn check(cases: &[(&str, &str)]) {
    for (statements, expected) in cases {
        assert_eq!(run(statements), *expected, "{statements}");
    }
}

#[test]
fn digests() {
    // FIPS 180-4's "abc" and the empty text; data in every form that a BufferSource has.
    for (statements, expected) in [
        ("'SHA-1', utf8('abc')", "a9993e364706816aba3e25717850c26c9cd0d89d"),
        (
            "{ name: 'sha-256' }, utf8('abc').buffer",
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        ),
        (
            "'SHA-384', new DataView(utf8('abc').buffer)",
            "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7",
        ),
        (
            "'SHA-512', new Uint8Array(0)",
            "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e",
        ),
    ] {
        assert_eq!(run(&format!("return hex(await subtle.digest({statements}))")), expected, "{statements}");
    }
    check(&[
        (
            "return '' + [await fails(() => subtle.digest('MD5', utf8(''))), await fails(() => subtle.digest('SHA-1', 'text')), await fails(() => subtle.digest({}, utf8('')))]",
            "NotSupportedError,TypeError,TypeError",
        ),
        (
            "const e = await subtle.digest('MD5', utf8('')).catch((e) => e); return [e instanceof DOMException, e.message].join()",
            "true,digest: 'MD5' is not there; SHA-1, SHA-256, SHA-384, SHA-512 are",
        ),
        (
            "return hex(await subtle.digest('SHA-1', new Uint16Array(utf8('xabc').buffer, 0, 1))) + (hex(await subtle.digest('SHA-1', utf8('xa'))) === hex(await subtle.digest('SHA-1', new Uint16Array(utf8('xabc').buffer, 0, 1))))",
            "57df5a2b154df96a35ad4613c100173e2d0b225ctrue",
        ),
        // What is after the call is not summed.
        (
            "const d = utf8('abc'); const p = subtle.digest('SHA-1', d); d.fill(0); return hex(await p)",
            "a9993e364706816aba3e25717850c26c9cd0d89d",
        ),
    ]);
}

#[test]
fn hmac() {
    // RFC 4231, test cases 1, 2, 4 and 6.
    for (key, data, sha256, sha512) in [
        (
            "'0b'.repeat(20)",
            "utf8('Hi There')",
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
            "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cdedaa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854",
        ),
        (
            "'4a656665'",
            "utf8('what do ya want for nothing?')",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737",
        ),
        (
            "'0102030405060708090a0b0c0d0e0f10111213141516171819'",
            "un('cd'.repeat(50))",
            "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b",
            "b0ba465637458c6990e5a8c5f61d4af7e576d97ff94b872de76f8050361ee3dba91ca5c11aa25eb4d679275cc5788063a5f19741120c4f2de2adebeb10a298dd",
        ),
        (
            "'aa'.repeat(131)",
            "utf8('Test Using Larger Than Block-Size Key - Hash Key First')",
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
            "80b24263c7c1a3ebb71493c1dd7be8b49b46d1f41b4aeec1121b013783f8f3526b56d037e05f2598bd0fd2215d6a1e5295e64f73f63f0aec8b915a985d786598",
        ),
    ] {
        let statements = format!(
            "const out = [];
             for (const hash of ['SHA-256', 'SHA-512']) {{
                const key = await subtle.importKey('raw', un({key}), {{ name: 'HMAC', hash }}, false, ['sign', 'verify']);
                const sum = await subtle.sign('HMAC', key, {data});
                const short = sum.slice(0, 16), wrong = new Uint8Array(sum.slice(0)); wrong[0] ^= 1;
                out.push(hex(sum), await subtle.verify('HMAC', key, sum, {data}), await subtle.verify('HMAC', key, short, {data}), await subtle.verify('HMAC', key, wrong, {data}));
             }}
             return out.join()"
        );
        assert_eq!(run(&statements), format!("{sha256},true,false,false,{sha512},true,false,false"));
    }
    check(&[
        (
            "const k: any = await subtle.generateKey({ name: 'HMAC', hash: 'SHA-384' }, true, ['sign']); return JSON.stringify([k.algorithm, k.type, k.usages, (await subtle.exportKey('raw', k)).byteLength])",
            r#"[{"name":"HMAC","hash":{"name":"SHA-384"},"length":1024},"secret",["sign"],128]"#,
        ),
        (
            "const k: any = await subtle.generateKey({ name: 'HMAC', hash: { name: 'sha-1' }, length: 64 }, true, ['verify', 'sign', 'verify']); return JSON.stringify([k.algorithm.length, k.usages])",
            r#"[64,["sign","verify"]]"#,
        ),
        (
            "const k = await subtle.importKey('jwk', HS, { name: 'HMAC', hash: 'SHA-256' }, true, ['verify']); const { k: same, ...rest } = await subtle.exportKey('jwk', k) as any; return JSON.stringify([same === HS.k, rest])",
            r#"[true,{"kty":"oct","alg":"HS256","key_ops":["verify"],"ext":true}]"#,
        ),
    ]);
}

#[test]
fn aes_gcm() {
    // McGrew and Viega's test cases 4 and 16 (with the key doubled), as NIST took them over; 2048-bit messages do not
    // differ. A tag of another length is the beginning of the whole one.
    let key = "feffe9928665731c6d6a8f9467308308";
    let text = "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39";
    for (key, sealed) in [
        (
            key.to_owned(),
            "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e0915bc94fbc3221a5db94fae95ae7121a47",
        ),
        (
            key.repeat(2),
            "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f66276fc6ece0f4e1768cddf8853bb2d551b",
        ),
    ] {
        let statements = format!(
            "const key = await subtle.importKey('raw', un('{key}'), 'AES-GCM', false, ['encrypt', 'decrypt']);
             const how = {{ name: 'AES-GCM', iv: un('cafebabefacedbaddecaf888'), additionalData: un('feedfacedeadbeeffeedfacedeadbeefabaddad2') }};
             const whole = hex(await subtle.encrypt(how, key, un('{text}')));
             const out = [whole];
             for (const tagLength of [32, 64, 96, 104, 112, 120, 128]) {{
                const sealed = new Uint8Array(await subtle.encrypt({{ ...how, tagLength }}, key, un('{text}')));
                const opened = hex(await subtle.decrypt({{ ...how, tagLength }}, key, sealed));
                const broken: string[] = [];
                for (const at of [0, 59, 60, sealed.length - 1]) {{
                    const other = new Uint8Array(sealed); other[at] ^= 1;
                    broken.push(await fails(() => subtle.decrypt({{ ...how, tagLength }}, key, other)));
                }}
                broken.push(await fails(() => subtle.decrypt({{ ...how, tagLength, additionalData: undefined }}, key, sealed)));
                broken.push(await fails(() => subtle.decrypt({{ ...how, tagLength }}, key, sealed.slice(0, tagLength / 8 - 1))));
                out.push([whole.startsWith(hex(sealed)), opened === '{text}', broken.every((name) => name === 'OperationError')].join('+'));
             }}
             return out.join()"
        );
        assert_eq!(run(&statements), format!("{sealed}{}", ",true+true+true".repeat(7)));
    }
    check(&[
        ("const k: any = await subtle.generateKey({ name: 'AES-GCM', length: 128 }, true, ['encrypt', 'decrypt']);
          const jwk: any = await subtle.exportKey('jwk', k);
          const again = await subtle.importKey('jwk', jwk, 'AES-GCM', false, ['decrypt']);
          const how = { name: 'AES-GCM', iv: new Uint8Array(12) };
          const opened = await subtle.decrypt(how, again, await subtle.encrypt(how, k, new Uint8Array(0)));
          return JSON.stringify([k.algorithm, jwk.alg, opened.byteLength])", r#"[{"name":"AES-GCM","length":128},"A128GCM",0]"#),
        ("const k: any = await subtle.generateKey({ name: 'AES-GCM', length: 256 }, false, ['encrypt', 'wrapKey', 'unwrapKey']);
          const enc = (how: any) => fails(() => subtle.encrypt({ name: 'AES-GCM', iv: new Uint8Array(12), ...how }, k, utf8('x')));
          return [await enc({ iv: new Uint8Array(16) }), await enc({ iv: new Uint8Array(0) }), await enc({ iv: undefined }), await enc({ iv: 'text' }), await enc({ tagLength: 127 }), await enc({ tagLength: -1 }), await enc({ tagLength: 1e300 }), await enc({ tagLength: NaN })].join()",
          "NotSupportedError,NotSupportedError,TypeError,TypeError,OperationError,TypeError,TypeError,TypeError"),
        // wrapKey and unwrapKey are made of them.
        ("const w = await subtle.generateKey({ name: 'AES-GCM', length: 256 }, false, ['wrapKey', 'unwrapKey']);
          const k = await subtle.importKey('jwk', HS, { name: 'HMAC', hash: 'SHA-256' }, true, ['sign']);
          const how = { name: 'AES-GCM', iv: new Uint8Array(12) }, hs = { name: 'HMAC', hash: 'SHA-256' };
          const out = [];
          for (const form of ['raw', 'jwk'] as any[]) {
            const again = await subtle.unwrapKey(form, await subtle.wrapKey(form, k, w, how), w, how, hs, false, ['sign']);
            out.push(hex(await subtle.sign('HMAC', again, utf8('x'))) === hex(await subtle.sign('HMAC', k, utf8('x'))));
          }
          const closed = await subtle.importKey('jwk', HS, hs, false, ['sign']);
          return [...out, await fails(() => subtle.wrapKey('raw', closed, w, how)), await fails(() => subtle.encrypt(how, w, utf8('x')))].join()",
          "true,true,InvalidAccessError,InvalidAccessError"),
    ]);
}

#[test]
fn rsa() {
    // Every form in, every form out, and back; a signature of each scheme and hash.
    let all_forms = "
        const out = [];
        for (const name of ['RSASSA-PKCS1-v1_5', 'RSA-PSS'])
            for (const bits of [256, 384, 512]) {
                const how = { name, hash: 'SHA-' + bits, saltLength: bits / 8 };
                const secret: any = await subtle.importKey('jwk', RSA, how, true, ['sign']);
                const shut = await subtle.importKey('pkcs8', await subtle.exportKey('pkcs8', secret), how, false, ['sign']);
                const known: any = await subtle.importKey('jwk', open(RSA), how, true, ['verify']);
                const spki = await subtle.importKey('spki', await subtle.exportKey('spki', known), how, false, ['verify']);
                const sum = new Uint8Array(await subtle.sign(how, shut, utf8('text')));
                const right = [await subtle.verify(how, known, sum, utf8('text')), await subtle.verify(how, spki, sum, utf8('text'))];
                const wrong = [await subtle.verify(how, spki, sum, utf8('Text')), await subtle.verify(how, spki, sum.slice(1), utf8('text'))];
                const jwk: any = await subtle.exportKey('jwk', await subtle.importKey('pkcs8', await subtle.exportKey('pkcs8', secret), how, true, ['sign']));
                out.push([...right, ...wrong, Object.entries(RSA).every(([m, v]) => jwk[m] === v), jwk.alg, known.algorithm.modulusLength, hex(known.algorithm.publicExponent)].join('+'));
            }
        return out.join()";
    let expected = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"]
        .map(|alg| format!("true+true+false+false+true+{alg}+2048+010001"));
    assert_eq!(run(all_forms), expected.join(","));
    check(&[
        (
            "const e: any = await subtle.generateKey({ name: 'RSA-PSS', modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]), hash: 'SHA-256' }, true, ['sign']).catch((e) => e); return e.name + e.message.includes('openssl genpkey')",
            "NotSupportedErrortrue",
        ),
        (
            "const k = await subtle.importKey('jwk', RSA, { name: 'RSA-PSS', hash: 'SHA-256' }, false, ['sign']); return fails(() => subtle.sign({ name: 'RSA-PSS', saltLength: 0 }, k, utf8('x')))",
            "NotSupportedError",
        ),
        (
            "const k = await subtle.importKey('jwk', RSA, { name: 'RSA-PSS', hash: 'SHA-256' }, false, ['sign']); return fails(() => subtle.sign('RSA-PSS', k, utf8('x')))",
            "TypeError",
        ),
        (
            "return fails(() => subtle.importKey('jwk', RSA, { name: 'RSA-PSS', hash: 'SHA-1' }, false, ['sign']))",
            "NotSupportedError",
        ),
        (
            "return fails(() => subtle.importKey('jwk', { ...RSA, alg: 'RS256' }, { name: 'RSA-PSS', hash: 'SHA-256' }, false, ['sign']))",
            "DataError",
        ),
        (
            "return fails(() => subtle.importKey('jwk', { ...RSA, oth: [] }, { name: 'RSA-PSS', hash: 'SHA-256' }, false, ['sign']))",
            "NotSupportedError",
        ),
        (
            "return fails(() => subtle.importKey('jwk', { ...RSA, p: RSA.q }, { name: 'RSA-PSS', hash: 'SHA-256' }, false, ['sign']))",
            "DataError",
        ),
        (
            "return fails(() => subtle.importKey('jwk', { ...open(RSA), n: 'AQAB' }, { name: 'RSA-PSS', hash: 'SHA-256' }, false, ['verify']))",
            "NotSupportedError",
        ),
        (
            "return fails(() => subtle.importKey('jwk', { ...open(RSA), n: 'AA' + RSA.n }, { name: 'RSA-PSS', hash: 'SHA-256' }, false, ['verify']))",
            "DataError",
        ),
        (
            "return fails(() => subtle.importKey('jwk', { ...open(RSA), e: 'AQAA' }, { name: 'RSA-PSS', hash: 'SHA-256' }, false, ['verify']))",
            "DataError",
        ),
    ]);
}

#[test]
fn ecdsa_and_ed25519() {
    let round = |how: &str, using: &str| {
        run(&format!(
            "const how: any = {how}, using: any = {using};
             const {{ privateKey, publicKey }}: any = await subtle.generateKey(how, true, ['sign', 'verify']);
             const secrets = [privateKey], known = [publicKey];
             for (const form of ['jwk', 'pkcs8'] as any[]) secrets.push(await subtle.importKey(form, await subtle.exportKey(form, privateKey) as any, how, false, ['sign']));
             for (const form of ['jwk', 'spki', 'raw'] as any[]) known.push(await subtle.importKey(form, await subtle.exportKey(form, publicKey) as any, how, true, ['verify']));
             const out = [];
             for (const secret of secrets) for (const key of known) {{
                const sum = await subtle.sign(using, secret, utf8('text'));
                out.push(await subtle.verify(using, key, sum, utf8('text')) && !await subtle.verify(using, key, sum, utf8('texT')));
             }}
             const sum = await subtle.sign(using, privateKey, utf8('text'));
             return [out.length, out.every((x) => x), sum.byteLength, publicKey.usages, privateKey.usages, publicKey.extractable,
                await fails(() => subtle.exportKey('raw', privateKey)), await fails(() => subtle.exportKey('pkcs8', publicKey)),
                Object.keys(await subtle.exportKey('jwk', publicKey)).join('+')].join()"
        ))
    };
    let rest = "verify,sign,true,InvalidAccessError,InvalidAccessError,kty+crv+x";
    for (curve, hash, size) in [("P-256", "SHA-256", 64), ("P-384", "SHA-384", 96)] {
        let how = format!("{{ name: 'ECDSA', namedCurve: '{curve}' }}");
        let using = format!("{{ name: 'ECDSA', hash: '{hash}' }}");
        assert_eq!(round(&how, &using), format!("12,true,{size},{rest}+y+key_ops+ext"), "{curve}");
    }
    assert_eq!(round("'ed25519'", "'Ed25519'"), format!("12,true,64,{rest}+alg+key_ops+ext"));
    check(&[
        // RFC 7515, appendix A.3: the private key and the public one belong together.
        ("const how = { name: 'ECDSA', namedCurve: 'P-256' }, using = { name: 'ECDSA', hash: 'SHA-256' };
          const s = await subtle.sign(using, await subtle.importKey('jwk', EC, how, false, ['sign']), utf8('x'));
          return '' + await subtle.verify(using, await subtle.importKey('jwk', open(EC), how, false, ['verify']), s, utf8('x'))", "true"),
        // A point that is on no curve, the point at infinity, one that is compressed, one of another curve.
        ("const how = { name: 'ECDSA', namedCurve: 'P-256' }, raw = (b: any) => fails(() => subtle.importKey('raw', b, how, true, ['verify']));
          const good = new Uint8Array(await subtle.exportKey('raw', await subtle.importKey('jwk', open(EC), how, true, ['verify'])));
          const off = good.slice(); off[64] ^= 1;
          const short = good.slice(0, 33); short[0] = 2;
          return [await raw(good), await raw(off), await raw(new Uint8Array(1)), await raw(new Uint8Array(65)), await raw(short), await raw(new Uint8Array(97))].join()",
          "no error,DataError,DataError,DataError,NotSupportedError,DataError"),
        ("return fails(() => subtle.importKey('jwk', { ...EC, d: EC.x }, { name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign']))", "DataError"),
        ("return fails(() => subtle.importKey('jwk', EC, { name: 'ECDSA', namedCurve: 'P-384' }, false, ['sign']))", "DataError"),
        ("return fails(() => subtle.importKey('jwk', EC, { name: 'ECDSA', namedCurve: 'P-521' }, false, ['sign']))", "NotSupportedError"),
        ("const k = await subtle.importKey('jwk', EC, { name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign']); return fails(() => subtle.sign({ name: 'ECDSA', hash: 'SHA-512' }, k, utf8('x')))", "NotSupportedError"),
    ]);
}

#[test]
fn derived_bits_and_keys() {
    // RFC 5869, test cases 1 and 3; RFC 6070; RFC 7914, section 11.
    for (how, secret, bits, expected) in [
        (
            "{ name: 'HKDF', hash: 'SHA-256', salt: un('000102030405060708090a0b0c'), info: un('f0f1f2f3f4f5f6f7f8f9') }",
            "un('0b'.repeat(22))",
            336,
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
        ),
        (
            "{ name: 'HKDF', hash: 'SHA-256', salt: un(''), info: un('') }",
            "un('0b'.repeat(22))",
            336,
            "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
        ),
        (
            "{ name: 'PBKDF2', hash: 'SHA-1', salt: utf8('salt'), iterations: 1 }",
            "utf8('password')",
            160,
            "0c60c80f961f0e71f3a9b524af6012062fe037a6",
        ),
        (
            "{ name: 'PBKDF2', hash: 'SHA-1', salt: utf8('salt'), iterations: 2 }",
            "utf8('password')",
            160,
            "ea6c014dc72d6f8ccd1ed92ace1d41f0d8de8957",
        ),
        (
            "{ name: 'pbkdf2', hash: 'SHA-1', salt: utf8('salt'), iterations: 4096 }",
            "utf8('password')",
            160,
            "4b007901b765489abead49d926f721d065a429c1",
        ),
        (
            "{ name: 'PBKDF2', hash: 'SHA-256', salt: utf8('salt'), iterations: 1 }",
            "utf8('passwd')",
            512,
            "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc49ca9cccf179b645991664b39d77ef317c71b845b1e30bd509112041d3a19783",
        ),
    ] {
        let statements = format!(
            "const how = {how}; const key = await subtle.importKey('raw', {secret}, how.name, false, ['deriveBits']);
             return hex(await subtle.deriveBits(how, key, {bits}))"
        );
        assert_eq!(run(&statements), expected, "{how}");
    }
    check(&[
        ("const how = { name: 'HKDF', hash: 'SHA-512', salt: utf8('s'), info: utf8('i') };
          const secret = await subtle.importKey('raw', utf8('secret'), 'HKDF', false, ['deriveKey', 'deriveBits']);
          const sealing: any = await subtle.deriveKey(how, secret, { name: 'AES-GCM', length: 256 }, true, ['encrypt']);
          const signing: any = await subtle.deriveKey(how, secret, { name: 'HMAC', hash: 'SHA-384' }, true, ['sign']);
          return [hex(await subtle.exportKey('raw', sealing)) === hex(await subtle.deriveBits(how, secret, 256)), signing.algorithm.length].join()", "true,1024"),
        ("const how = { name: 'HKDF', hash: 'SHA-256', salt: utf8('s'), info: utf8('i') };
          const secret = await subtle.importKey('raw', utf8('secret'), 'HKDF', false, ['deriveBits']);
          const bits = (n: any) => fails(() => subtle.deriveBits(how, secret, n));
          return [await bits(null), await bits(7), await bits(255 * 256 + 8), await bits(-1),
            await fails(() => subtle.deriveKey(how, secret, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign'])),
            await fails(() => subtle.importKey('raw', utf8('secret'), 'HKDF', true, ['deriveBits'])),
            await fails(() => subtle.importKey('jwk', HS, 'PBKDF2', false, ['deriveBits'])),
            await fails(() => subtle.exportKey('raw', secret))].join()",
          "OperationError,OperationError,OperationError,TypeError,InvalidAccessError,SyntaxError,NotSupportedError,InvalidAccessError"),
    ]);
}

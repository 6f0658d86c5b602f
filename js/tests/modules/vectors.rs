//! Other people's vectors, good and bad: Wycheproof's and the JOSE cookbook's. They lie beside the repository; where
//! they are not, a test says so and passes.
#![allow(clippy::disallowed_methods, reason = "a test reads its corpus")]

use std::path::Path;
use std::rc::Rc;

use serde_json::Value;
use tidegate_js::{Answer, Function, Limits};

use crate::harness::{Bench, TestExchange, ts};

fn corpus(file: &str) -> Option<Value> {
    let path = format!("{}/../../shared/corpora/{file}", env!("CARGO_MANIFEST_DIR"));
    match std::fs::read_to_string(Path::new(&path)) {
        Ok(text) => Some(serde_json::from_str(&text).expect("JSON")),
        Err(error) => {
            println!("skipped: {file} is not here ({error})");
            None
        }
    }
}

/// Runs `judge` over every test of every group of a file and compares its verdicts. `judge` is the body of an async
/// function of a group `g` and its test `t` that says whether the test passes; `set_up` is run once per group and
/// leaves what it likes in `g`. Tests in `otherwise` are judged otherwise on purpose. Gives the number of tests.
fn check(file: &str, set_up: &str, judge: &str, otherwise: &[u64]) -> usize {
    let Some(vectors) = corpus(file) else { return 0 };
    let source = format!(
        "import {{ verifyJws }} from 'tidegate/crypto';
         const used = [verifyJws], subtle = crypto.subtle;
         const un = (s: string) => new Uint8Array((s.match(/../g) ?? []).map((x) => parseInt(x, 16)));
         const setUp = async (g: any) => {{ {set_up} }};
         const judge = async (g: any, t: any) => {{ {judge} }};
         export async function requestHandler(ctx: any) {{
            const good = [];
            for (const g of (await ctx.request().readJson()).testGroups) {{
                await setUp(g);
                for (const t of g.tests) if (await judge(g, t)) good.push(t.tcId);
            }}
            return good.join();
         }}"
    );
    let limits = Limits { cpu_ms: 60_000, ..Limits::default() };
    let bench = Bench::of(&[ts("m", &source)], limits);
    let exchange = Rc::new(TestExchange::default());
    exchange.bodies.borrow_mut()[0] = vectors.to_string().into_bytes();
    let good = match bench.call(&exchange, Function::RequestHandler) {
        Ok(Answer::Text(text)) => text,
        other => panic!("{file}: {other:?}\nconsole: {:?}", bench.host.0.texts()),
    };
    let good: Vec<u64> = good.split(',').filter_map(|id| id.parse().ok()).collect();
    let mut seen = 0;
    for test in vectors["testGroups"].as_array().unwrap().iter().flat_map(|g| g["tests"].as_array().unwrap())
    {
        let id = test["tcId"].as_u64().unwrap();
        // "acceptable" is for either.
        if test["result"] == "acceptable" {
            continue;
        }
        seen += 1;
        let expected = (test["result"] == "valid") != otherwise.contains(&id);
        assert_eq!(good.contains(&id), expected, "{file}, test {id}: {}", test["comment"]);
    }
    seen
}

/// Either nothing was there, or as much as there should be.
fn at_least(seen: usize, expected: usize) {
    assert!(seen == 0 || seen >= expected, "only {seen} tests");
}

#[test]
fn hmac() {
    let seen = check(
        "wycheproof-jose/hmac_sha256_test.json",
        "",
        "const key = await subtle.importKey('raw', un(t.key), { name: 'HMAC', hash: 'SHA-256' }, false, ['sign', 'verify']);
         const sum = un(t.tag);
         if (g.tagSize === 256) return subtle.verify('HMAC', key, sum, un(t.msg));
         const whole = new Uint8Array(await subtle.sign('HMAC', key, un(t.msg)));
         return whole.slice(0, g.tagSize / 8).join() === sum.join();",
        &[],
    );
    at_least(seen, 174);
}

#[test]
fn ecdsa() {
    for (file, curve, hash, tests) in [
        ("ecdsa_secp256r1_sha256_p1363_test.json", "P-256", "SHA-256", 262),
        ("ecdsa_secp384r1_sha384_p1363_test.json", "P-384", "SHA-384", 280),
    ] {
        // Every key comes in all four forms.
        let set_up = format!(
            "const how = {{ name: 'ECDSA', namedCurve: '{curve}' }};
             const keys = [
                await subtle.importKey('raw', un(g.publicKey.uncompressed), how, true, ['verify']),
                await subtle.importKey('spki', un(g.publicKeyDer), how, true, ['verify']),
             ];
             if (g.publicKeyJwk) keys.push(await subtle.importKey('jwk', g.publicKeyJwk, how, true, ['verify']));
             const shown = await Promise.all(keys.map(async (k) => JSON.stringify(await subtle.exportKey('jwk', k))));
             if (!shown.every((s) => s === shown[0])) throw new Error('the forms differ');
             g.key = keys[g.tests[0].tcId % keys.length];"
        );
        let judge = format!(
            "return subtle.verify({{ name: 'ECDSA', hash: '{hash}' }}, g.key, un(t.sig), un(t.msg));"
        );
        at_least(check(&format!("wycheproof-jose/{file}"), &set_up, &judge, &[]), tests);
    }
}

#[test]
fn ed25519() {
    let seen = check(
        "wycheproof-jose/ed25519_test.json",
        "g.key = await subtle.importKey('spki', un(g.publicKeyDer), 'Ed25519', false, ['verify']);",
        "return subtle.verify('Ed25519', g.key, un(t.sig), un(t.msg));",
        &[],
    );
    at_least(seen, 151);
}

#[test]
fn rsa() {
    let pkcs1 = check(
        "wycheproof-jose/rsa_signature_2048_sha256_test.json",
        "g.key = await subtle.importKey('spki', un(g.publicKeyDer), { name: 'RSASSA-PKCS1-v1_5', hash: g.sha }, false, ['verify']);",
        "return subtle.verify('RSASSA-PKCS1-v1_5', g.key, un(t.sig), un(t.msg));",
        &[],
    );
    at_least(pkcs1, 258);
    let pss = check(
        "wycheproof-jose/rsa_pss_2048_sha256_mgf1_32_test.json",
        "g.key = await subtle.importKey('jwk', g.publicKeyJwk, { name: 'RSA-PSS', hash: g.sha }, false, ['verify']);",
        "return subtle.verify({ name: 'RSA-PSS', saltLength: g.sLen }, g.key, un(t.sig), un(t.msg));",
        &[],
    );
    at_least(pss, 108);
    // Signing PKCS #1 v1.5 gives one signature only.
    let signed = check(
        "wycheproof-jose/rsa_pkcs1_2048_sig_gen_test.json",
        "const how = { name: 'RSASSA-PKCS1-v1_5', hash: g.sha };
         const known = ['SHA-256', 'SHA-384', 'SHA-512'].includes(g.sha) && parseInt(g.privateKey.publicExponent, 16) >= 65537;
         g.key = known ? await subtle.importKey('pkcs8', un(g.privateKeyPkcs8), how, false, ['sign']) : null;",
        "if (g.key === null) return t.result === 'valid' && (g.sha === 'SHA-224' || !g.sha.startsWith('SHA-2'));
         return new Uint8Array(await subtle.sign('RSASSA-PKCS1-v1_5', g.key, un(t.msg))).join() === un(t.sig).join();",
        &[],
    );
    at_least(signed, 32);
}

#[test]
fn jws() {
    let seen = check(
        "wycheproof-jose/json_web_signature_test.json",
        "g.key = g.public ?? g.private;",
        "try { await verifyJws(t.jws, g.key); return true } catch (e: any) { if (e.name !== 'JwtError') throw e; return false }",
        // 346 and 350 are signed with another algorithm than their key is for, 347 and 351 on P-521, which is not
        // there. 367 and 370 are the same text as 357, which is valid; 372 and 373 have a character in them that is
        // none of base64url's.
        &[346, 347, 350, 351, 367, 370, 372, 373],
    );
    at_least(seen, 401);
}

#[test]
fn the_jose_cookbook() {
    for (file, signs_the_same) in [
        ("4_1.rsa_v15_signature.json", true),
        ("4_2.rsa-pss_signature.json", false),
        ("4_4.hmac-sha2_integrity_protection.json", true),
        ("jws.json", true),
    ] {
        let Some(case) = corpus(&format!("jose-rfc7520/{file}")) else { continue };
        let source = "import { verifyJws } from 'tidegate/crypto';
             const names: any = { RS256: 'RSASSA-PKCS1-v1_5', PS384: 'RSA-PSS', HS256: 'HMAC', EdDSA: 'Ed25519' };
             export async function requestHandler(ctx: any) {
                const { input, output, signing } = await ctx.request().readJson();
                const { payload, header } = await verifyJws(output.compact, input.key, { algorithm: input.alg });
                const text = new TextDecoder().decode(payload);
                const how = { name: names[input.alg], hash: 'SHA-' + input.alg.slice(2), saltLength: 48 };
                const key = await crypto.subtle.importKey('jwk', input.key, how, false, ['sign']);
                const sum = await crypto.subtle.sign(how, key, new TextEncoder().encode(signing['sig-input']));
                const encoded = btoa(String.fromCharCode(...new Uint8Array(sum))).replace(/=/g, '').replace(/\\+/g, '-').replace(/\\//g, '_');
                return [text === input.payload, header.alg === input.alg, encoded === signing.sig].join();
             }";
        let limits = Limits { cpu_ms: 60_000, ..Limits::default() };
        let bench = Bench::of(&[ts("m", source)], limits);
        let exchange = Rc::new(TestExchange::default());
        exchange.bodies.borrow_mut()[0] = case.to_string().into_bytes();
        match bench.call(&exchange, Function::RequestHandler) {
            Ok(Answer::Text(text)) => assert_eq!(text, format!("true,true,{signs_the_same}"), "{file}"),
            other => panic!("{file}: {other:?}"),
        }
    }
}

//! The Web Cryptography API and JSON web tokens, as modules use them.

use tidegate_js::{Answer, Limits};

use crate::harness::{Bench, ts};

/// Runs the statements as an async `requestHandler` and gives what they return as text.
fn run(statements: &str) -> String {
    let source = format!(
        "import {{ verifyJwt, verifyJws, signJwt, timingSafeEqual }} from 'tidegate/crypto';
         const used = [verifyJwt, verifyJws, signJwt, timingSafeEqual];
         const hex = (b: any) => Array.from(new Uint8Array(b), (x) => x.toString(16).padStart(2, '0')).join('');
         const un = (s: string) => new Uint8Array((s.match(/../g) ?? []).map((x) => parseInt(x, 16)));
         const utf8 = (s: string) => new TextEncoder().encode(s);
         const fails = async (f: any) => {{ try {{ await f(); return 'no error' }} catch (e: any) {{ return e.name }} }};
         const subtle = crypto.subtle;
         export async function requestHandler(ctx: any) {{ {statements} }}"
    );
    let bench =
        Bench::of(&[ts("m", &source)], Limits { cpu_ms: 20_000, boot_cpu_ms: 20_000, ..Limits::default() });
    match bench.handle().1 {
        Ok(Answer::Text(text)) => text,
        other => panic!("{statements}\n{other:?}\nconsole: {:?}", bench.host.0.texts()),
    }
}

#[test]
fn smoke() {
    for (statements, expected) in [
        ("return hex(await subtle.digest('sha-256', utf8('abc')))", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        ("const k = await subtle.importKey('raw', utf8('Jefe'), { name: 'hmac', hash: 'SHA-256' }, true, ['sign', 'verify']);
          console.log(k);
          const s = await subtle.sign('HMAC', k, utf8('what do ya want for nothing?'));
          return hex(s) + await subtle.verify('HMAC', k, s, utf8('what do ya want for nothing?')) + JSON.stringify(await subtle.exportKey('jwk', k))", ""),
        ("const k: any = await subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-384' }, true, ['sign', 'verify']);
          const s = await subtle.sign({ name: 'ECDSA', hash: 'SHA-384' }, k.privateKey, utf8('x'));
          const j = await subtle.exportKey('jwk', k.privateKey);
          const again = await subtle.importKey('jwk', j, { name: 'ECDSA', namedCurve: 'P-384' }, false, ['sign']);
          const p = await subtle.importKey('spki', await subtle.exportKey('spki', k.publicKey), { name: 'ECDSA', namedCurve: 'P-384' }, false, ['verify']);
          const s2 = await subtle.sign({ name: 'ECDSA', hash: 'SHA-384' }, again, utf8('x'));
          return '' + await subtle.verify({ name: 'ECDSA', hash: 'SHA-384' }, p, s2, utf8('x')) + s.byteLength + await fails(() => subtle.exportKey('jwk', again))", ""),
        ("const k = await subtle.generateKey({ name: 'AES-GCM', length: 256 }, true, ['encrypt', 'decrypt']);
          const iv = crypto.getRandomValues(new Uint8Array(12));
          const out = [];
          for (const tagLength of [32, 96, 128]) {
            const c = await subtle.encrypt({ name: 'AES-GCM', iv, tagLength, additionalData: utf8('a') }, k, utf8('hello'));
            const p = await subtle.decrypt({ name: 'AES-GCM', iv, tagLength, additionalData: utf8('a') }, k, c);
            out.push(c.byteLength, new TextDecoder().decode(p), await fails(() => subtle.decrypt({ name: 'AES-GCM', iv, tagLength, additionalData: utf8('b') }, k, c)));
          }
          return out.join()", ""),
        ("const t = await signJwt({ sub: 'me' }, 'secret', { expiresInSeconds: 5 }); const { payload } = await verifyJwt(t, 'secret', { issuer: false, audience: false }); return t + JSON.stringify(payload)", ""),
    ] {
        let got = run(statements); assert!(expected.is_empty() || got == expected, "{statements}: {got}");
    }
}

//! JSON web tokens as modules check and make them. The clock of these tests stands at 2023-11-14, 1,700,000,000
//! seconds after the epoch.

use crate::webcrypto::run;

/// Verifies what `token` says with the key and options given and gives the claims or the error's code.
fn verified(token: &str, key: &str, options: &str) -> String {
    run(&format!(
        "try {{ return JSON.stringify((await verifyJwt({token}, {key}, {options})).payload) }}
         catch (e: any) {{ return e.name === 'JwtError' ? e.code : e.name + ': ' + e.message }}"
    ))
}

/// A token of HS's key with any header and payload.
fn forged(header: &str, payload: &str) -> String {
    format!(
        "await (async () => {{
            const b64 = (s: string) => btoa(s).replace(/=/g, '').replace(/\\+/g, '-').replace(/\\//g, '_');
            const input = b64(`{header}`) + '.' + b64(`{payload}`);
            const key = await subtle.importKey('jwk', HS, {{ name: 'HMAC', hash: 'SHA-256' }}, false, ['sign']);
            return input + '.' + b64(String.fromCharCode(...new Uint8Array(await subtle.sign('HMAC', key, utf8(input)))));
         }})()"
    )
}

const ANY: &str = "{ issuer: false, audience: false }";

#[test]
fn the_examples_of_rfc_7515() {
    for (token, key, options) in [
        ("BY_HS", "HS", ""),
        ("BY_EC", "EC", ""),
        ("BY_EC", "open(EC)", "algorithm: 'ES256'"),
        ("BY_RSA", "{ ...open(RSA), alg: 'RS256' }", ""),
        ("BY_RSA", "open(RSA)", "algorithm: 'RS256'"),
        (
            "BY_RSA",
            "await subtle.importKey('jwk', open(RSA), { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }, false, ['verify'])",
            "",
        ),
        (
            "BY_HS",
            "await subtle.importKey('jwk', HS, { name: 'HMAC', hash: 'SHA-256' }, false, ['verify'])",
            "",
        ),
    ] {
        // They expired in 2011.
        let read = format!("{{ issuer: 'joe', audience: false, toleranceSeconds: 1e9, {options} }}");
        let claims = r#"{"iss":"joe","exp":1300819380,"http://example.com/is_root":true}"#;
        assert_eq!(verified(token, key, &read), claims, "{key}");
        assert_eq!(
            verified(token, key, &format!("{{ issuer: 'joe', audience: false, {options} }}")),
            "expired"
        );
        let last = format!("{token}.slice(0, -6) + 'AAAAAA'");
        assert_eq!(verified(&last, key, &read), "signature", "{key}");
    }
}

#[test]
fn the_algorithm_is_the_keys() {
    for (token, key, options, expected) in [
        ("BY_RSA", "open(RSA)", ANY, "key"),
        ("BY_RSA", "{ ...open(RSA), alg: 'PS256' }", ANY, "algorithm"),
        ("BY_RSA", "{ ...open(RSA), alg: 'none' }", ANY, "key"),
        ("BY_RSA", "{ ...open(RSA), alg: 'HS256' }", ANY, "key"),
        ("BY_EC", "HS", ANY, "algorithm"),
        ("BY_HS", "open(EC)", ANY, "algorithm"),
        ("BY_HS", "HS", "{ issuer: false, audience: false, algorithm: 'HS512' }", "key"),
        // A public key as a text is never taken for a secret.
        ("BY_HS", "'-----BEGIN PUBLIC KEY-----\\nAAAA\\n-----END PUBLIC KEY-----'", ANY, "key"),
        (
            "BY_HS",
            "'-----BEGIN PUBLIC KEY-----\\nAAAA\\n-----END PUBLIC KEY-----'",
            "{ issuer: false, audience: false, algorithm: 'HS256' }",
            "key",
        ),
        ("BY_HS", "' -----BEGIN RSA PUBLIC KEY-----\\nAAAA'", ANY, "key"),
        ("'eyJhbGciOiJub25lIn0.' + PAYLOAD + '.'", "HS", ANY, "algorithm"),
        ("'eyJhbGciOiJub25lIn0.' + PAYLOAD + '.'", "''", ANY, "key"),
        ("'eyJhbGciOiJub25lIn0.' + PAYLOAD + '.'", "{}", ANY, "key"),
        (
            "BY_HS",
            "null",
            ANY,
            "TypeError: the key must be a secret, a PEM text, a JSON web key or key set, or a CryptoKey",
        ),
        (
            "BY_HS",
            "await subtle.generateKey({ name: 'AES-GCM', length: 128 }, false, ['encrypt'])",
            ANY,
            "key",
        ),
        (
            "BY_HS",
            "await subtle.importKey('jwk', HS, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign'])",
            ANY,
            "key",
        ),
        ("BY_HS", "{ ...HS, use: 'enc' }", ANY, "key"),
        ("BY_HS", "{ ...HS, key_ops: ['sign'] }", ANY, "key"),
    ] {
        assert_eq!(verified(token, key, options), expected, "{token} {key}");
    }
}

#[test]
fn headers_and_forms() {
    let claims = r#"{"exp":1700000001}"#;
    for (header, payload, expected) in [
        (r#"{"alg":"HS256"}"#, claims, claims),
        (r#"{"alg":"HS256","typ":"JWT","kid":"x","jku":"https://evil","jwk":{}}"#, claims, claims),
        (r#"{"alg":"HS256","crit":["b64"]}"#, claims, "malformed"),
        (r#"{"alg":"HS256","crit":[]}"#, claims, "malformed"),
        (r#"{"alg":"HS256","b64":false}"#, claims, "malformed"),
        (r#"{"alg":"HS256","b64":true}"#, claims, "malformed"),
        (r#"{"alg":"HS256","cty":"JWT"}"#, claims, "malformed"),
        (r#"{"alg":"HS256","alg":"HS256"}"#, claims, "malformed"),
        (r#"{"alg":"HS256","\\u0061lg":"HS256"}"#, claims, "malformed"),
        (r#"{"alg":"HS256","x":{"a":1,"a":2}}"#, claims, "malformed"),
        (r#"{"alg":"HS256","x":[{"a":1},{"a":2},["a","a"],{"a":"a"}]}"#, claims, claims),
        (r#"{"alg":"HS256","kid":7}"#, claims, "malformed"),
        (r#"{"alg":["HS256"]}"#, claims, "algorithm"),
        (r#"{"alg":"hs256"}"#, claims, "algorithm"),
        (r#"{}"#, claims, "algorithm"),
        (r#"["HS256"]"#, claims, "malformed"),
        (r#"{"alg":"HS256"}"#, r#"{"exp":1700000001,"exp":1}"#, "malformed"),
        (r#"{"alg":"HS256"}"#, r#"{"exp":1700000001,"a":[{"b":{"c":1,"d":2,"c":3}}]}"#, "malformed"),
        (r#"{"alg":"HS256"}"#, "[]", "malformed"),
        (r#"{"alg":"HS256"}"#, "text", "malformed"),
        (r#"{"alg":"HS256"}"#, "", "malformed"),
        (
            r#"{"alg":"HS256"}"#,
            r#"{"exp":1700000001,"__proto__":{"admin":true}}"#,
            r#"{"exp":1700000001,"__proto__":{"admin":true}}"#,
        ),
    ] {
        assert_eq!(verified(&forged(header, payload), "HS", ANY), expected, "{header} {payload}");
    }
    for (token, expected) in [
        ("''", "malformed"),
        ("'a.b'", "malformed"),
        ("BY_HS + '.x'", "malformed"),
        ("BY_HS + '='", "malformed"),
        ("' ' + BY_HS", "malformed"),
        ("BY_HS + '\\n'", "malformed"),
        ("'x'.repeat(16385)", "malformed"),
        ("undefined", "TypeError: the token must be a text"),
    ] {
        assert_eq!(verified(token, "HS", ANY), expected, "{token}");
    }
}

#[test]
fn claims() {
    let header = r#"{"alg":"HS256","typ":"at+jwt"}"#;
    for (payload, options, expected) in [
        (r#"{"exp":1700000000}"#, ANY, "expired"),
        (r#"{"exp":1700000000}"#, "{ issuer: false, audience: false, toleranceSeconds: 1 }", "ok"),
        (r#"{"exp":"1700000001"}"#, ANY, "claim"),
        (r#"{"exp":null}"#, ANY, "claim"),
        (r#"{"exp":1e400}"#, ANY, "claim"),
        (r#"{}"#, ANY, "claim"),
        (r#"{}"#, "{ issuer: false, audience: false, requireExp: false }", "ok"),
        (r#"{"exp":1700000009,"nbf":1700000001}"#, ANY, "early"),
        (r#"{"exp":1700000009,"nbf":1700000000}"#, ANY, "ok"),
        (
            r#"{"exp":1700000009,"nbf":1700000001}"#,
            "{ issuer: false, audience: false, toleranceSeconds: 1 }",
            "ok",
        ),
        (r#"{"exp":1700000009,"nbf":"soon"}"#, ANY, "claim"),
        (r#"{"exp":1700000009,"iat":"soon"}"#, ANY, "claim"),
        (r#"{"exp":1700000009,"iss":"a"}"#, "{ issuer: 'a', audience: false }", "ok"),
        (r#"{"exp":1700000009,"iss":"a"}"#, "{ issuer: ['b', 'a'], audience: false }", "ok"),
        (r#"{"exp":1700000009,"iss":"a"}"#, "{ issuer: 'b', audience: false }", "issuer"),
        (r#"{"exp":1700000009,"iss":["b"]}"#, "{ issuer: 'b', audience: false }", "issuer"),
        (r#"{"exp":1700000009}"#, "{ issuer: 'b', audience: false }", "issuer"),
        (r#"{"exp":1700000009,"aud":"a"}"#, "{ issuer: false, audience: 'a' }", "ok"),
        (r#"{"exp":1700000009,"aud":["b","a"]}"#, "{ issuer: false, audience: ['x', 'a'] }", "ok"),
        (r#"{"exp":1700000009,"aud":["b"]}"#, "{ issuer: false, audience: 'a' }", "audience"),
        (r#"{"exp":1700000009,"aud":[["a"]]}"#, "{ issuer: false, audience: 'a' }", "audience"),
        (r#"{"exp":1700000009}"#, "{ issuer: false, audience: 'undefined' }", "audience"),
        (r#"{"exp":1700000009}"#, "{ issuer: false, audience: false, typ: 'AT+JWT' }", "ok"),
        (r#"{"exp":1700000009}"#, "{ issuer: false, audience: false, typ: 'JWT' }", "claim"),
    ] {
        let got = verified(&forged(header, payload), "HS", options);
        assert_eq!(if got.starts_with('{') { "ok" } else { &got }, expected, "{payload} {options}");
    }
    for tolerance in ["'5'", "NaN", "-1", "Infinity", "null"] {
        let options = format!("{{ issuer: false, audience: false, toleranceSeconds: {tolerance} }}");
        let got = verified(&forged(header, r#"{"exp":1700000000}"#), "HS", &options);
        assert_eq!(got, "TypeError: 'toleranceSeconds' must be a number of seconds", "{tolerance}");
    }
    // Who a token must be from and for is to be said, or waived.
    for options in
        ["{}", "undefined", "{ issuer: 'a' }", "{ audience: 'a' }", "{ issuer: '', audience: 'a' }"]
    {
        let got = verified(&forged(header, r#"{"exp":1700000009}"#), "HS", options);
        assert!(got.starts_with("TypeError: verifyJwt: say which '"), "{options}: {got}");
    }
}

#[test]
fn key_sets() {
    let set = "{ keys: [
        { ...HS, kid: 'one' }, { ...open(RSA), alg: 'RS256', kid: 'two' }, { ...open(EC), kid: 'three' },
        { ...open(EC), kid: 'four', use: 'enc' }, { ...open(RSA), kid: 'five' }, { ...open(EC), kid: 'twice' }, { ...open(EC), kid: 'twice' }, null, 7,
     ] }";
    for (header, options, expected) in [
        (r#"{"alg":"HS256","kid":"one"}"#, "", "ok"),
        (r#"{"alg":"HS256"}"#, "", "ok"),
        (r#"{"alg":"HS256","kid":"two"}"#, "", "key"),
        (r#"{"alg":"RS256","kid":"two"}"#, "", "signature"),
        (r#"{"alg":"ES256","kid":"three"}"#, "", "signature"),
        (r#"{"alg":"ES256","kid":"four"}"#, "", "key"),
        (r#"{"alg":"RS256","kid":"five"}"#, "", "key"),
        (r#"{"alg":"RS256","kid":"five"}"#, "algorithm: 'RS256'", "signature"),
        (r#"{"alg":"ES256","kid":"twice"}"#, "", "key"),
        (r#"{"alg":"ES256"}"#, "", "key"),
        (r#"{"alg":"HS256","kid":"none"}"#, "", "key"),
    ] {
        let options = format!("{{ issuer: false, audience: false, {options} }}");
        let got = verified(&forged(header, r#"{"exp":1700000009}"#), set, &options);
        assert_eq!(if got.starts_with('{') { "ok" } else { &got }, expected, "{header}");
    }
    let many = "{ keys: Array.from({ length: 101 }, () => HS) }";
    assert_eq!(verified("BY_HS", many, ANY), "key");
    assert_eq!(verified("BY_HS", "{ keys: [] }", ANY), "key");
    // A key that is changed where it stands is imported again.
    assert_eq!(
        run("const key = { ...HS }, any = { issuer: false, audience: false, requireExp: false, toleranceSeconds: 1e9 } as any;
             const first = await fails(() => verifyJwt(BY_HS, key, any));
             key.k = 'AAAA';
             return first + '+' + await fails(() => verifyJwt(BY_HS, key, any))"),
        "no error+signature"
    );
}

#[test]
fn signing() {
    for (statements, expected) in [
        ("const t = await signJwt({ sub: 'me' }, 'secret', { expiresInSeconds: 60, kid: 'k' }); return JSON.stringify(await verifyJwt(t, 'secret', { issuer: false, audience: false }))", r#"{"header":{"alg":"HS256","typ":"JWT","kid":"k"},"payload":{"sub":"me","iat":1700000000,"exp":1700000060}}"#),
        ("const t = await signJwt({ iss: 'ä€' }, utf8('secret'), { algorithm: 'HS512' }); return JSON.stringify((await verifyJwt(t, 'secret', { issuer: 'ä€', audience: false, requireExp: false, algorithm: 'HS512' })).payload)", r#"{"iss":"ä€"}"#),
        ("const out = []; for (const key of [{ ...RSA, alg: 'RS384' }, { ...RSA, alg: 'PS512' }, { ...EC, kid: 'e' }] as any[]) { const t = await signJwt({}, key); const { header } = await verifyJwt(t, { keys: [open(key)] }, { issuer: false, audience: false, requireExp: false }); out.push(header.alg, header.kid) } return out.join()", "RS384,,PS512,,ES256,e"),
        // PEM, as openssl writes it.
        ("const pem = async (form: any, key: any, label: string) => `-----BEGIN ${label}-----\\n` + btoa(String.fromCharCode(...new Uint8Array(await subtle.exportKey(form, key) as any))).replace(/.{64}/g, '$&\\n') + `\\n-----END ${label}-----\\n`;
          const pair: any = await subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-384' }, true, ['sign', 'verify']);
          const t = await signJwt({}, await pem('pkcs8', pair.privateKey, 'PRIVATE KEY'), { algorithm: 'ES384' });
          return (await verifyJwt(t, await pem('spki', pair.publicKey, 'PUBLIC KEY'), { issuer: false, audience: false, requireExp: false, algorithm: 'ES384' })).header.alg", "ES384"),
        ("return fails(() => signJwt({}, open(EC)))", "key"),
        ("return fails(() => signJwt({}, ''))", "key"),
        ("return fails(() => signJwt([] as any, 'secret'))", "TypeError"),
        ("return fails(() => signJwt({}, 'secret', { algorithm: 'none' }))", "key"),
        ("return fails(() => signJwt({}, 'secret', { algorithm: 'RS256' }))", "key"),
        // What an error says never holds the token or the key.
        ("return (await verifyJwt(BY_HS, 'secret', { issuer: false, audience: false }).catch((e) => e)).message", "the token's signature is wrong"),
    ] {
        assert_eq!(run(statements), expected, "{statements}");
    }
}

#[test]
fn keys_that_were_imported_before() {
    let any = "{ issuer: false, audience: false, requireExp: false, toleranceSeconds: 1e9 }";
    for (statements, expected) in [
        // More of them than are kept, twice over: each verifies its own token and no other's.
        (
            "const made = []; for (let i = 0; i < 70; i++) made.push(await signJwt({ i }, 'secret' + i));
             let right = 0, wrong = 0;
             for (let n = 0; n < 2; n++) for (let i = 0; i < 70; i++) {
                right += (await verifyJwt(made[i]!, 'secret' + i, ANY)).payload.i === i ? 1 : 0;
                wrong += await fails(() => verifyJwt(made[i]!, 'secret' + (i + 1), ANY)) === 'signature' ? 1 : 0;
             }
             return right + ' ' + wrong",
            "140 140",
        ),
        // One text, two algorithms.
        (
            "const t = await signJwt({}, 'secret', { algorithm: 'HS384' });
             const out = [];
             for (const algorithm of ['HS256', 'HS384', 'HS512', 'HS384'])
                out.push(await fails(() => verifyJwt(t, 'secret', { ...ANY, algorithm })));
             out.push(await fails(() => verifyJwt(t, 'secret', ANY)));
             return out.join()",
            "algorithm,no error,algorithm,no error,algorithm",
        ),
        // A key that is read anew for each call is the same key while its members are.
        (
            "const out = []; const text = JSON.stringify(HS), other = JSON.stringify({ ...HS, k: 'AAAA' });
             for (const key of [text, other, text]) out.push(await fails(() => verifyJwt(BY_HS, JSON.parse(key), ANY)));
             for (const more of [{ use: 'enc' }, { key_ops: ['sign'] }, { alg: 'HS512' }, { use: 'sig' }])
                out.push(await fails(() => verifyJwt(BY_HS, { ...HS, ...more }, ANY)));
             return out.join()",
            "no error,signature,no error,key,key,algorithm,no error",
        ),
        // What signs does not verify.
        (
            "const t = await signJwt({}, { ...EC, kid: 'e' });
             return [await fails(() => verifyJwt(t, { ...EC }, ANY)), await fails(() => signJwt({}, open(EC))),
                     await fails(() => verifyJwt(t, open(EC), ANY)), await fails(() => signJwt({}, { ...EC }))].join()",
            "no error,key,no error,no error",
        ),
    ] {
        assert_eq!(run(&format!("const ANY = {any} as any; {statements}")), expected, "{statements}");
    }
}

#[test]
fn what_goes_quickly_is_what_would_go_slowly() {
    let headers = [
        r#"{"alg":"HS256","typ":"JWT"}"#,
        r#"{"alg":"HS256","kid":"a"}"#,
        r#"{"alg":"HS256","kid":7}"#,
        r#"{"alg":"HS256","kid":null}"#,
        r#"{"alg":"HS256","alg":"HS256"}"#,
        r#"{"alg":"HS512"}"#,
        r#"{"alg":"none"}"#,
        r#"{}"#,
        r#"[]"#,
        r#"{"alg":"HS256","crit":null}"#,
        r#"{"alg":"HS256","b64":true}"#,
        r#"{"alg":"HS256","cty":"JWT"}"#,
        r#"{"__proto__":{"alg":"HS256"}}"#,
        r#"{"alg":"HS256""#,
    ];
    let payloads = [
        r#"{"iss":"a","aud":"b","exp":1700000001}"#,
        r#"{"iss":"a","aud":["b"],"exp":1700000001.5}"#,
        r#"{"iss":"x","aud":"b","exp":1700000001}"#,
        r#"{"iss":"a","aud":"x","exp":1700000001}"#,
        r#"{"iss":"a","aud":"b","exp":1700000000}"#,
        r#"{"iss":"a","aud":"b","exp":"1700000001"}"#,
        r#"{"iss":"a","aud":"b","exp":1e400}"#,
        r#"{"iss":"a","aud":"b"}"#,
        r#"{"iss":"a","aud":"b","exp":1700000001,"nbf":1700000000,"iat":5}"#,
        r#"{"iss":"a","aud":"b","exp":1700000001,"nbf":1700000001}"#,
        r#"{"iss":"a","aud":"b","exp":1700000001,"nbf":null}"#,
        r#"{"iss":"a","aud":"b","exp":1700000001,"iat":"now"}"#,
        r#"{"iss":"a","iss":"a","aud":"b","exp":1700000001}"#,
        r#"{"__proto__":{"exp":1700000001},"iss":"a","aud":"b"}"#,
        r#"{"aud":"b","exp":1700000001}"#,
        r#""text""#,
        r#"null"#,
    ];
    let (headers, payloads) = (serde_json::json!(headers), serde_json::json!(payloads));
    let statements = format!(
        "const b64 = (s: any) => btoa(s).replace(/=/g, '').replace(/\\+/g, '-').replace(/\\//g, '_');
         const sign = (input: string, key: string) => input + '.' + createHmac('sha256', key).update(input).digest('base64rawurl');
         const options: any[] = [
            {{ issuer: 'a', audience: 'b' }}, {{ issuer: false, audience: false }}, {{ issuer: ['a'], audience: 'b' }}, {{ issuer: 'a' }},
            {{ issuer: 'a', audience: 'b', algorithm: 'HS256' }}, {{ issuer: 'a', audience: 'b', algorithm: 'HS384' }},
         ];
         const told = async (token: any, key: any, o: any) => {{
            try {{ return JSON.stringify(await verifyJwt(token, key, o)) }} catch (e: any) {{ return e.name + e.code + e.message }}
         }};
         let right = 0, tried = 0;
         const keys = ['secret', 'other'];
         for (const algorithm of [undefined, 'HS256']) for (const key of keys)
            await verifyJwt(sign(b64({first}) + '.' + b64({claims}), key), key, {{ issuer: 'a', audience: 'b', algorithm }} as any);
         const tokens: any[] = [undefined, 7, '', '.', '..', '...', 'a.b.c'];
         for (const header of {headers}) for (const payload of {payloads}) {{
            const token = sign(b64(header) + '.' + b64(payload), 'secret');
            tokens.push(token, token.slice(0, -3) + 'AAA');
         }}
         tokens.push(tokens[7] + '=', tokens[7] + 'AAAA', tokens[7].slice(0, -1), tokens[7].replace('.', '..'), tokens[7] + '.');
         const known = tokens.slice(0, 8);
         for (const [key, some] of [['secret', tokens], ['other', known]] as any) for (const token of some) for (const o of options) {{
            const [quick, slow] = [await told(token, key, o), await told(token, key, {{ ...o, toleranceSeconds: 1e-9 }})];
            tried++;
            if (quick !== slow) return token + ' ' + key + JSON.stringify(o) + ': ' + quick + ' but ' + slow;
            if (quick.startsWith('{{')) right++;
         }}
         return right + ' of ' + tried",
        first = r#"'{"alg":"HS256","typ":"JWT"}'"#,
        claims = r#"'{"iss":"a","aud":"b","exp":1700000001}'"#,
    );
    assert_eq!(run(&statements), "30 of 2976");
}

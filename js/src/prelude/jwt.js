// JSON web tokens (RFC 7519, RFC 8725) and compact signatures (RFC 7515). The algorithm comes from the key and never
// from the token, so "none" and a public key taken for a secret cannot happen. Header members that point to keys
// (jku, jwk, x5u, x5c) are not looked at.
import { native, later } from "tidegate:native";
import { DOMException } from "tidegate:exception";
import { isKey, importKey, sign, verify, decodeBase64Url, encodeBase64Url, text } from "tidegate:webcrypto";

const { isArray } = Array;
const { parse, stringify } = JSON;
const { hasOwn } = Object;
const MAX_TOKEN = 16384;
const MAX_KEYS = 100;

// What went wrong, as `code`: malformed, key, algorithm, signature, claim, expired, early, issuer, audience.
class JwtError extends Error {
  constructor(code, message) {
    super(message);
    this.code = code;
  }
  get name() { return "JwtError"; }
}

const fail = (code, message) => {
  throw new JwtError(code, message);
};

// JWS name (RFC 7518, section 3.1; RFC 8037) → how a key for it is imported and used.
const ALGORITHMS = { __proto__: null };
for (const bits of ["256", "384", "512"]) {
  const hash = `SHA-${bits}`;
  ALGORITHMS[`HS${bits}`] = { __proto__: null, kty: "oct", name: "HMAC", hash };
  ALGORITHMS[`RS${bits}`] = { __proto__: null, kty: "RSA", name: "RSASSA-PKCS1-v1_5", hash };
  ALGORITHMS[`PS${bits}`] = { __proto__: null, kty: "RSA", name: "RSA-PSS", hash, saltLength: bits / 8 };
}
ALGORITHMS.ES256 = { __proto__: null, kty: "EC", name: "ECDSA", hash: "SHA-256", namedCurve: "P-256" };
ALGORITHMS.ES384 = { __proto__: null, kty: "EC", name: "ECDSA", hash: "SHA-384", namedCurve: "P-384" };
ALGORITHMS.EdDSA = { __proto__: null, kty: "OKP", name: "Ed25519" };

// The JWS name that a CryptoKey stands for.
function nameOf({ name, hash, namedCurve }) {
  for (const alg in ALGORITHMS) {
    const known = ALGORITHMS[alg];
    const sameHash = hash === undefined || known.hash === hash.name;
    if (known.name === name && sameHash && known.namedCurve === namedCurve) return alg;
  }
  return fail("key", `a key for ${name} verifies no token`);
}

// The JWS name that a JSON web key stands for, if it does for one alone.
function nameOfJwk({ kty, alg, crv }) {
  if (alg !== undefined) return alg === "Ed25519" ? "EdDSA" : alg;
  if (kty === "EC") return crv === "P-384" ? "ES384" : "ES256";
  return kty === "OKP" ? "EdDSA" : undefined;
}

// Imported keys of JSON web keys, which are compared by their members, as somebody may have changed them.
const cache = new WeakMap();
const MEMBERS = ["kty", "crv", "k", "n", "e", "x", "y"];

function fromJwk(jwk, asked, usage) {
  const alg = nameOfJwk(jwk) ?? asked;
  if (alg === undefined) fail("key", "the key has no 'alg': add it, or give options.algorithm");
  const algorithm = ALGORITHMS[alg];
  if (algorithm === undefined || algorithm.kty !== jwk.kty) fail("key", "the key's 'alg' is none that is known for its 'kty'");
  const was = cache.get(jwk);
  if (was?.alg === alg && was.usage === usage && MEMBERS.every((m) => was[m] === jwk[m])) return was;
  // A public key is what verifies, also if the private one stands beside it.
  const { d, p, q, dp, dq, qi, oth, ext, ...rest } = jwk;
  const whole = usage === "verify" && jwk.kty !== "oct" ? { ...rest, key_ops: undefined } : jwk;
  const key = importKey("jwk", whole, algorithm, usage);
  const made = { alg, algorithm, key, usage };
  for (const m of MEMBERS) made[m] = jwk[m];
  cache.set(jwk, made);
  return made;
}

const PEM = /^\s*-----BEGIN ([A-Z ]+)-----([A-Za-z0-9+/=\s]+)-----END \1-----\s*$/;

function fromPem(pem, asked, usage) {
  const [, label, body] = PEM.exec(pem) ?? fail("key", "the key begins like PEM and is none");
  const form = { __proto__: null, "PUBLIC KEY": "spki", "PRIVATE KEY": "pkcs8" }[label];
  if (form === undefined) fail("key", "a PEM key is a 'PUBLIC KEY' or a 'PRIVATE KEY' (unencrypted PKCS #8)");
  const algorithm = ALGORITHMS[asked];
  if (algorithm === undefined || algorithm.kty === "oct") {
    fail("key", "a PEM key needs options.algorithm, for example 'RS256' or 'ES256'");
  }
  const base64url = body.replace(/[\s=]/g, "").replace(/\+/g, "-").replace(/\//g, "_");
  return { alg: asked, algorithm, key: importKey(form, decodeBase64Url(base64url), algorithm, usage) };
}

function fromSecret(secret, asked = "HS256", usage) {
  const algorithm = ALGORITHMS[asked];
  if (algorithm === undefined || algorithm.kty !== "oct") fail("key", "a secret is for HS256, HS384 or HS512");
  return { alg: asked, algorithm, key: importKey("raw", secret, algorithm, usage) };
}

// A key of any kind with the algorithm that it is pinned to.
function resolve(key, asked, usage) {
  let pinned;
  try {
    pinned = found(key, asked, usage);
  } catch (error) {
    if (error instanceof DOMException) fail("key", error.message);
    throw error;
  }
  if (asked !== undefined && pinned.alg !== asked) fail("key", "the key is one for another algorithm than options.algorithm");
  return pinned;
}

function found(key, asked, usage) {
  if (typeof key === "string") {
    if (key === "") fail("key", "the secret is empty");
    return key.includes("-----BEGIN") ? fromPem(key, asked, usage) : fromSecret(key, asked, usage);
  }
  if (typeof key !== "object" || key === null) {
    throw new TypeError("the key must be a secret, a PEM text, a JSON web key or key set, or a CryptoKey");
  }
  if (key instanceof ArrayBuffer || ArrayBuffer.isView(key)) return fromSecret(key, asked, usage);
  if (!isKey(key)) return fromJwk(key, asked, usage);
  const alg = nameOf(key.algorithm);
  return { alg, algorithm: ALGORITHMS[alg], key };
}

// The key of a set that a header names (RFC 7517, section 5).
function select({ keys }, { kid, alg }, asked) {
  if (keys.length > MAX_KEYS) fail("key", `a key set has ${MAX_KEYS} keys at most`);
  const fits = [];
  for (let i = 0; i < keys.length; i++) {
    const key = keys[i];
    if (typeof key !== "object" || key === null || (kid !== undefined && key.kid !== kid)) continue;
    if (key.use !== undefined && key.use !== "sig") continue;
    if (isArray(key.key_ops) && !key.key_ops.includes("verify")) continue;
    if ((nameOfJwk(key) ?? asked) === alg) fits.push(key);
  }
  if (fits.length !== 1) {
    fail("key", fits.length === 0 ? "no key of the set is for this token" : "more than one key of the set is for this token");
  }
  return fits[0];
}

// JSON as an object without a member twice, at any depth.
function object(json, what) {
  let value;
  try {
    value = parse(text(json));
  } catch {
    fail("malformed", `the token's ${what} is not JSON in UTF-8`);
  }
  if (typeof value !== "object" || value === null || isArray(value)) fail("malformed", `the token's ${what} is no object`);
  if (repeats(text(json))) fail("malformed", `the token's ${what} has a member twice`);
  return value;
}

const TOKENS = /"(?:[^"\\]|\\.)*"|[{}[\],:]/g;

// Looks at the texts that stand where names do; the JSON is known to be right.
function repeats(json) {
  const open = [];
  let names = null;
  let isName = false;
  for (const token of json.match(TOKENS) ?? []) {
    switch (token) {
      case "{":
        open.push(names);
        names = new Set();
        isName = true;
        break;
      case "[":
        open.push(names);
        names = null;
        isName = false;
        break;
      case "}":
      case "]":
        names = open.pop();
        isName = false;
        break;
      case ",":
        isName = names !== null;
        break;
      case ":":
        isName = false;
        break;
      default:
        if (!isName) break;
        const name = parse(token);
        if (names.has(name)) return true;
        names.add(name);
    }
  }
  return false;
}

function decoded(part, what) {
  try {
    return decodeBase64Url(part);
  } catch {
    return fail("malformed", `the token's ${what} is not base64url without padding`);
  }
}

// Verifies a compact JWS and gives { header, payload }, the payload as bytes.
export function verifyJws(token, key, { algorithm } = {}) {
  if (typeof token !== "string") throw new TypeError("the token must be a text");
  if (token.length > MAX_TOKEN) fail("malformed", `the token is longer than ${MAX_TOKEN} characters`);
  const parts = token.split(".");
  if (parts.length !== 3) fail("malformed", "a token has three parts with dots between them");
  const header = object(decoded(parts[0], "header"), "header");
  if (hasOwn(header, "crit") || hasOwn(header, "b64")) fail("malformed", "the token's header asks for an extension (crit, b64)");
  if (header.kid !== undefined && typeof header.kid !== "string") fail("malformed", "the token's 'kid' is no text");
  const chosen = isArray(key?.keys) ? select(key, header, algorithm) : key;
  const pinned = resolve(chosen, algorithm, "verify");
  if (header.alg !== pinned.alg) fail("algorithm", `the token must be signed with ${pinned.alg}`);
  const signature = decoded(parts[2], "signature");
  const payload = decoded(parts[1], "payload");
  const right = verify(pinned.algorithm, pinned.key, signature, `${parts[0]}.${parts[1]}`);
  if (!right) fail("signature", "the token's signature is wrong");
  return { header, payload };
}

const texts = (value) => (isArray(value) ? value : [value]).map(String);

// A time in seconds (RFC 7519, section 2, NumericDate).
function time(claims, name) {
  const value = claims[name];
  if (value === undefined) return undefined;
  if (typeof value !== "number") fail("claim", `the token's '${name}' is no number`);
  return value;
}

function required(option, name) {
  if (option === undefined || option === null || option === "") {
    throw new TypeError(`verifyJwt: say which '${name}' a token must have (a text or a list), or ${name}: false for any`);
  }
  return option !== false;
}

// Verifies a token with its claims and gives { header, payload }. Options: issuer and audience (a text, a list, or
// false: not checked), requireExp (true), toleranceSeconds (0), typ, algorithm (for keys that do not say theirs).
export function verifyJwt(token, key, options = {}) {
  const { issuer, audience, requireExp = true, toleranceSeconds = 0, typ, algorithm } = options;
  const [checksIssuer, checksAudience] = [required(issuer, "issuer"), required(audience, "audience")];
  const { header, payload } = verifyJws(token, key, { algorithm });
  if (header.cty !== undefined) fail("malformed", "tokens in tokens (cty) are not supported");
  if (typ !== undefined && String(header.typ).toLowerCase() !== typ.toLowerCase()) fail("claim", `the token's 'typ' is not '${typ}'`);
  const claims = object(payload, "payload");
  const now = native.now() / 1000;
  const [exp, nbf] = [time(claims, "exp"), time(claims, "nbf")];
  time(claims, "iat");
  if (exp === undefined && requireExp) fail("claim", "the token has no 'exp'");
  if (exp !== undefined && now >= exp + toleranceSeconds) fail("expired", "the token has expired");
  if (nbf !== undefined && now < nbf - toleranceSeconds) fail("early", "the token is not valid yet");
  if (checksIssuer && (typeof claims.iss !== "string" || !texts(issuer).includes(claims.iss))) {
    fail("issuer", "the token is of another issuer");
  }
  if (checksAudience) {
    const meant = isArray(claims.aud) ? claims.aud : [claims.aud];
    if (!meant.some((aud) => typeof aud === "string" && texts(audience).includes(aud))) {
      fail("audience", "the token is for another audience");
    }
  }
  return { header, payload: claims };
}

// Signs claims and gives the token. Options: algorithm, kid, typ ("JWT"), expiresInSeconds (adds iat and exp).
export function signJwt(claims, key, options = {}) {
  if (typeof claims !== "object" || claims === null || isArray(claims)) throw new TypeError("the claims must be an object");
  const { algorithm, kid, typ = "JWT", expiresInSeconds } = options;
  const pinned = resolve(key, algorithm, "sign");
  const now = Math.floor(native.now() / 1000);
  const whole = expiresInSeconds === undefined ? claims : { ...claims, iat: now, exp: now + expiresInSeconds };
  const head = encodeBase64Url(stringify({ alg: pinned.alg, typ, kid: kid ?? (isKey(key) ? undefined : key.kid) }));
  const input = `${head}.${encodeBase64Url(stringify(whole))}`;
  return `${input}.${encodeBase64Url(sign(pinned.algorithm, pinned.key, input))}`;
}

later.jwt = { verifyJws, verifyJwt, signJwt };

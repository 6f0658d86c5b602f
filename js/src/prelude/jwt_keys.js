// The keys of JSON web tokens (RFC 7517, RFC 7518): a key of any form with the one algorithm that it is pinned to. The
// token's header only chooses among the keys of a set; it never says what a key is.
import { admit } from "tidegate:native";
import { DOMException } from "tidegate:exception";
import { isKey, importKey, decodeBase64Url, kept, keep } from "tidegate:webcrypto";

const { isArray } = Array;
const MAX_KEYS = 100;

// What went wrong, as `code`: malformed, key, algorithm, signature, claim, expired, early, issuer, audience.
class JwtError extends Error {
  constructor(code, message) {
    super(message);
    this.code = code;
  }
  get name() { return "JwtError"; }
}
admit(JwtError);

export const fail = (code, message) => {
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

// All that importing looks at, as one text; nothing for a key with members that are no texts.
const ALL = ["kty", "crv", "k", "n", "e", "d", "p", "q", "dp", "dq", "qi", "x", "y", "alg", "use"];

function textOf(jwk) {
  if (jwk.key_ops !== undefined || jwk.oth !== undefined) return undefined;
  let text = "";
  for (let i = 0; i < ALL.length; i++) {
    const value = jwk[ALL[i]];
    if (value === undefined) text += "\0";
    else if (typeof value !== "string" || value.includes("\0")) return undefined;
    else text += `${value}\0`;
  }
  return text;
}

function fromJwk(jwk, asked, usage) {
  const alg = nameOfJwk(jwk) ?? asked;
  if (alg === undefined) fail("key", "the key has no 'alg': add it, or give options.algorithm");
  const algorithm = ALGORITHMS[alg];
  if (algorithm === undefined || algorithm.kty !== jwk.kty) fail("key", "the key's 'alg' is none that is known for its 'kty'");
  const was = cache.get(jwk);
  if (was?.alg === alg && was.usage === usage && MEMBERS.every((m) => was[m] === jwk[m])) return was;
  // A public key is what verifies, also if the private one stands beside it.
  const { d, p, q, dp, dq, qi, oth, ext, ...rest } = jwk;
  const whole = usage === "verify" && jwk.kty !== "oct" ? rest : jwk;
  const importing = () => importKey("jwk", whole, algorithm, usage);
  const text = textOf(whole);
  const key = text === undefined ? importing() : remembered(text, `jwk ${alg}`, usage, importing);
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

// What is wrong with a key is an error of that kind.
export function failed(error) {
  if (error instanceof DOMException) fail("key", error.message);
  throw error;
}

export function used(run) {
  try {
    return run();
  } catch (error) {
    failed(error);
  }
}

// Keys that came as texts, at the places that the native side knows.
const places = [];
const MAX_TEXT = 16384;

// The key that a text stands for, imported by the first who asks.
function remembered(text, asked = "", usage, importing) {
  if (typeof asked !== "string" || text.length > MAX_TEXT) return importing();
  const signs = usage === "sign";
  const at = kept(text, asked, signs);
  if (at >= 0) return places[at];
  const made = importing();
  places[keep(text, asked, signs, made.key)] = made;
  return made;
}

// A key of any kind with the algorithm that it is pinned to.
export function resolve(key, asked, usage) {
  let pinned;
  try {
    pinned = found(key, asked, usage);
  } catch (error) {
    failed(error);
  }
  if (asked !== undefined && pinned.alg !== asked) fail("key", "the key is one for another algorithm than options.algorithm");
  return pinned;
}

function found(key, asked, usage) {
  if (typeof key === "string") {
    if (key === "") fail("key", "the secret is empty");
    const importing = () => (key.includes("-----BEGIN") ? fromPem(key, asked, usage) : fromSecret(key, asked, usage));
    return remembered(key, asked, usage, importing);
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
export function select({ keys }, { kid, alg }, asked) {
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
    fail("key", fits.length === 0 ? "no key of the set is for this token (keys without 'alg' need options.algorithm)" : "more than one key of the set is for this token");
  }
  return fits[0];
}

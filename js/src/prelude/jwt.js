// JSON web tokens (RFC 7519, RFC 8725) and compact signatures (RFC 7515). The algorithm comes from the key and never
// from the token, so "none" and a public key taken for a secret cannot happen. Header members that point to keys
// (jku, jwk, x5u, x5c) are not looked at.
import { native, later } from "tidegate:native";
import { isKey, sign, verifyKept, verifyToken, tokenPart, decodeBase64Url, encodeBase64Url } from "tidegate:webcrypto";
import { fail, used, failed, resolve, select } from "tidegate:jwt_keys";

const { isArray } = Array;
const { stringify } = JSON;
const { hasOwn } = Object;
const MAX_TOKEN = 16384;

// What the native side finds wrong with a token, by its number.
const WRONG = [
  "", "a token has three parts with dots between them", "is not base64url without padding", "is not JSON in UTF-8",
  "is no object", "has a member twice", "the token's signature is not base64url without padding",
  "the token's payload is not base64url without padding",
];

// Header (0) or payload (1) as an object without a member twice, at any depth.
function object(token, part) {
  const value = tokenPart(token, part);
  if (typeof value === "number") {
    fail("malformed", value === 1 ? WRONG[1] : `the token's ${part === 0 ? "header" : "payload"} ${WRONG[value]}`);
  }
  return value;
}

// The header of a token whose signature is right.
function verified(token, key, algorithm) {
  if (typeof token !== "string") throw new TypeError("the token must be a text");
  if (token.length > MAX_TOKEN) fail("malformed", `the token is longer than ${MAX_TOKEN} characters`);
  const header = object(token, 0);
  if (hasOwn(header, "crit") || hasOwn(header, "b64")) fail("malformed", "the token's header asks for an extension (crit, b64)");
  if (header.kid !== undefined && typeof header.kid !== "string") fail("malformed", "the token's 'kid' is no text");
  const chosen = isArray(key?.keys) ? select(key, header, algorithm) : key;
  const pinned = resolve(chosen, algorithm, "verify");
  if (header.alg !== pinned.alg) fail("algorithm", `the token must be signed with ${pinned.alg}`);
  let right;
  try {
    right = verifyToken(pinned.alg, pinned.key, token);
  } catch (error) {
    failed(error);
  }
  if (typeof right === "number") fail("malformed", WRONG[right]);
  if (!right) fail("signature", "the token's signature is wrong");
  return header;
}

// Verifies a compact JWS and gives { header, payload }, the payload as bytes.
export function verifyJws(token, key, { algorithm } = {}) {
  const header = verified(token, key, algorithm);
  return { header, payload: decodeBase64Url(token.split(".")[1]) };
}

// A time in seconds (RFC 7519, section 2, NumericDate).
function time(claims, name) {
  const value = claims[name];
  if (value === undefined) return undefined;
  if (!Number.isFinite(value)) fail("claim", `the token's '${name}' is no number`);
  return value;
}

// What a token may name, a text or a list; null: anything. A mistake here must not let tokens through.
function allowed(option, name) {
  if (option === false) return null;
  if (typeof option === "string" && option !== "") return option;
  const list = isArray(option) ? [...option] : [option];
  if (list.length === 0 || !list.every((text) => typeof text === "string" && text !== "")) {
    throw new TypeError(`verifyJwt: say which '${name}' a token must have (a text or a list), or ${name}: false for any`);
  }
  return list;
}

function seconds(option, name) {
  if (!Number.isFinite(option) || option < 0) throw new TypeError(`'${name}' must be a number of seconds`);
  return option;
}

// Whether a claim is among what is allowed.
const among = (all, claim) => (typeof all === "string" ? claim === all : all.includes(claim));

// Verifies a token with its claims and gives { header, payload }. Options: issuer and audience (a text, a list, or
// false: not checked), requireExp (true), toleranceSeconds (0), typ, algorithm (for keys that do not say theirs).
export function verifyJwt(token, key, options = {}) {
  const { issuer, audience, requireExp = true, toleranceSeconds = 0, typ, algorithm } = options;
  // Most tokens are right, and most secrets are known: one call. Whatever is wrong is found out below.
  if (requireExp === true && toleranceSeconds === 0 && typ === undefined) {
    const right = verifyKept(token, key, algorithm, issuer, audience);
    if (right !== undefined) return right;
  }
  const issuers = allowed(issuer, "issuer");
  const audiences = allowed(audience, "audience");
  seconds(toleranceSeconds, "toleranceSeconds");
  const header = verified(token, key, algorithm);
  if (header.cty !== undefined) fail("malformed", "tokens in tokens (cty) are not supported");
  if (typ !== undefined && String(header.typ).toLowerCase() !== typ.toLowerCase()) fail("claim", `the token's 'typ' is not '${typ}'`);
  const claims = object(token, 1);
  const now = native.now() / 1000;
  const exp = time(claims, "exp");
  const nbf = time(claims, "nbf");
  time(claims, "iat");
  if (exp === undefined && requireExp) fail("claim", "the token has no 'exp'");
  if (exp !== undefined && now >= exp + toleranceSeconds) fail("expired", "the token has expired");
  if (nbf !== undefined && now < nbf - toleranceSeconds) fail("early", "the token is not valid yet");
  if (issuers !== null && !among(issuers, claims.iss)) fail("issuer", "the token is of another issuer");
  if (audiences !== null) {
    const meant = isArray(claims.aud) ? claims.aud : [claims.aud];
    if (!meant.some((aud) => among(audiences, aud))) fail("audience", "the token is for another audience");
  }
  return { header, payload: claims };
}

// Signs claims and gives the token. Options: algorithm, kid, typ ("JWT"), expiresInSeconds (adds iat and exp).
export function signJwt(claims, key, options = {}) {
  if (typeof claims !== "object" || claims === null || isArray(claims)) throw new TypeError("the claims must be an object");
  const { algorithm, kid, typ = "JWT", expiresInSeconds } = options;
  const pinned = resolve(key, algorithm, "sign");
  const now = Math.floor(native.now() / 1000);
  if (expiresInSeconds !== undefined) seconds(expiresInSeconds, "expiresInSeconds");
  const whole = expiresInSeconds === undefined ? claims : { ...claims, iat: now, exp: now + expiresInSeconds };
  const head = encodeBase64Url(stringify({ alg: pinned.alg, typ, kid: kid ?? (isKey(key) ? undefined : key.kid) }));
  const input = `${head}.${encodeBase64Url(stringify(whole))}`;
  return `${input}.${encodeBase64Url(used(() => sign(pinned.algorithm, pinned.key, input)))}`;
}

later.jwt = { verifyJws, verifyJwt, signJwt };

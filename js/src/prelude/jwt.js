// JSON web tokens (RFC 7519, RFC 8725) and compact signatures (RFC 7515). The algorithm comes from the key and never
// from the token, so "none" and a public key taken for a secret cannot happen. Header members that point to keys
// (jku, jwk, x5u, x5c) are not looked at.
import { native, later } from "tidegate:native";
import { isKey, sign, verify, decodeBase64Url, encodeBase64Url, text } from "tidegate:webcrypto";
import { fail, used, resolve, select } from "tidegate:jwt_keys";

const { isArray } = Array;
const { parse, stringify } = JSON;
const { hasOwn } = Object;
const MAX_TOKEN = 16384;

// JSON as an object without a member twice, at any depth.
function object(json, what) {
  let value, written;
  try {
    written = text(json);
    value = parse(written);
  } catch {
    fail("malformed", `the token's ${what} is not JSON in UTF-8`);
  }
  if (typeof value !== "object" || value === null || isArray(value)) fail("malformed", `the token's ${what} is no object`);
  if (repeats(written)) fail("malformed", `the token's ${what} has a member twice`);
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
  const right = used(() => verify(pinned.algorithm, pinned.key, signature, `${parts[0]}.${parts[1]}`));
  if (!right) fail("signature", "the token's signature is wrong");
  return { header, payload };
}

// A time in seconds (RFC 7519, section 2, NumericDate).
function time(claims, name) {
  const value = claims[name];
  if (value === undefined) return undefined;
  if (!Number.isFinite(value)) fail("claim", `the token's '${name}' is no number`);
  return value;
}

// What a token may name; null: anything. A mistake here must not let tokens through.
function allowed(option, name) {
  if (option === false) return null;
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

// Verifies a token with its claims and gives { header, payload }. Options: issuer and audience (a text, a list, or
// false: not checked), requireExp (true), toleranceSeconds (0), typ, algorithm (for keys that do not say theirs).
export function verifyJwt(token, key, options = {}) {
  const { issuer, audience, requireExp = true, toleranceSeconds = 0, typ, algorithm } = options;
  const [issuers, audiences] = [allowed(issuer, "issuer"), allowed(audience, "audience")];
  seconds(toleranceSeconds, "toleranceSeconds");
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
  if (issuers !== null && !issuers.includes(claims.iss)) fail("issuer", "the token is of another issuer");
  const meant = isArray(claims.aud) ? claims.aud : [claims.aud];
  if (audiences !== null && !meant.some((aud) => audiences.includes(aud))) {
    fail("audience", "the token is for another audience");
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

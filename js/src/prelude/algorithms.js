// What the Web Cryptography API makes of its arguments before any key is touched: algorithms by name with the
// members that each operation reads, usages, formats, JSON web keys. Gives plain data that inherits nothing; the
// rules of keys are the native side's.
import { native, bytes } from "tidegate:native";
import { DOMException } from "tidegate:exception";

const { isArray } = Array;
const { isView } = ArrayBuffer;
const Buffer = ArrayBuffer;
const REQUIRED = true;

// How the members of an algorithm are read.
const read = {
  __proto__: null,
  hash: (value) => lookup("digest", typeof value === "object" && value !== null ? value.name : value).name,
  text: String,
  octets: (value) => copied(value),
  // Web IDL's [EnforceRange] unsigned long.
  number(value, name) {
    const n = Math.trunc(Number(value));
    if (!(n >= 0 && n <= 0xffffffff)) throw new TypeError(`'${name}' must be a number from 0 to 4294967295`);
    return n;
  },
};

const none = [];
const hash = ["hash", read.hash, REQUIRED];
const curve = ["namedCurve", read.text, REQUIRED];
const gcm = [
  ["iv", read.octets, REQUIRED], ["additionalData", read.octets], ["tagLength", read.number],
];
const salt = ["salt", read.octets, REQUIRED];
const [HMAC, GCM, RSA, PSS, ECDSA, ED] = ["HMAC", "AES-GCM", "RSASSA-PKCS1-v1_5", "RSA-PSS", "ECDSA", "Ed25519"];
const [HKDF, PBKDF2] = ["HKDF", "PBKDF2"];

// Operation → name → members.
const table = {
  __proto__: null,
  digest: { "SHA-1": none, "SHA-256": none, "SHA-384": none, "SHA-512": none },
  generateKey: {
    [HMAC]: [hash, ["length", read.number]], [GCM]: [["length", read.number, REQUIRED]], [RSA]: none, [PSS]: none,
    [ECDSA]: [curve], [ED]: none,
  },
  importKey: {
    [HMAC]: [hash, ["length", read.number]], [GCM]: none, [RSA]: [hash], [PSS]: [hash], [ECDSA]: [curve], [ED]: none,
    [HKDF]: none, [PBKDF2]: none,
  },
  sign: {
    [HMAC]: none, [RSA]: none, [PSS]: [["saltLength", read.number, REQUIRED]], [ECDSA]: [hash], [ED]: none,
  },
  encrypt: { [GCM]: gcm },
  deriveBits: { [HKDF]: [hash, salt, ["info", read.octets, REQUIRED]], [PBKDF2]: [hash, salt, ["iterations", read.number, REQUIRED]] },
  // "Get key length": what deriveKey reads of the key it is to make.
  derivedKey: { [HMAC]: [hash, ["length", read.number]], [GCM]: [["length", read.number, REQUIRED]] },
};
table.deriveKey = table.deriveBits;
table.verify = table.sign;
table.decrypt = table.wrapKey = table.unwrapKey = table.encrypt;

function lookup(operation, given) {
  if (given === undefined) throw new TypeError("an algorithm needs a 'name'");
  const asked = String(given);
  const known = Object.keys(table[operation]);
  for (let i = 0; i < known.length; i++) {
    if (known[i].toLowerCase() === asked.toLowerCase()) return { name: known[i], members: table[operation][known[i]] };
  }
  throw new DOMException(`${operation}: '${asked}' is not there; ${known.join(", ")} are`, "NotSupportedError");
}

// "To normalize an algorithm" (Web Cryptography API, 18.4.4): a name, or an object with one.
export function normalize(operation, algorithm) {
  const given = typeof algorithm === "object" && algorithm !== null ? algorithm : { name: algorithm };
  const { name, members } = lookup(operation, given.name);
  const normal = { __proto__: null, name };
  for (let i = 0; i < members.length; i++) {
    const member = members[i];
    const value = given[member[0]];
    if (value !== undefined) normal[member[0]] = member[1](value, member[0]);
    else if (member[2]) throw new TypeError(`${operation}: ${name} needs a member '${member[0]}'`);
  }
  return normal;
}

// A BufferSource. The native side copies it at once.
export function octets(data) {
  if (!(data instanceof Buffer) && !isView(data)) throw new TypeError("expected an ArrayBuffer, a typed array or a DataView");
  return bytes(data);
}

// Members are read one after another, and reading the next may change this one.
function copied(data) {
  const view = octets(data);
  return view instanceof Buffer ? view.slice(0) : new Uint8Array(view);
}

// Bits of a key to be derived.
export function keyLength({ name, hash, length }) {
  if (name === HMAC) return length ?? (hash === "SHA-384" || hash === "SHA-512" ? 1024 : 512);
  if (length !== 128 && length !== 192 && length !== 256) {
    throw new DOMException("an AES-GCM key has 128 or 256 bits", "OperationError");
  }
  return length;
}

// An optional unsigned long that may be null.
export const bitCount = (length) => (length === undefined || length === null ? null : read.number(length, "length"));

const USAGES = ["encrypt", "decrypt", "sign", "verify", "deriveKey", "deriveBits", "wrapKey", "unwrapKey"];

export function usages(list) {
  if (typeof list !== "object" || list === null) throw new TypeError("the usages must be a list");
  const names = [];
  for (const usage of list) {
    const name = String(usage);
    if (!USAGES.includes(name)) throw new TypeError(`'${name}' is no key usage; ${USAGES.join(", ")} are`);
    names.push(name);
  }
  return names;
}

export function format(given) {
  const name = String(given);
  if (!["raw", "spki", "pkcs8", "jwk"].includes(name)) {
    throw new TypeError(`'${name}' is no key format; raw, spki, pkcs8 and jwk are`);
  }
  return name;
}

const MEMBERS = ["kty", "use", "alg", "crv", "k", "n", "e", "d", "p", "q", "dp", "dq", "qi", "x", "y"];

// The dictionary JsonWebKey.
export function jwk(given) {
  if (typeof given !== "object" || given === null || given instanceof Buffer || isView(given)) {
    throw new TypeError("a key in the form 'jwk' is an object");
  }
  const key = { __proto__: null };
  for (let i = 0; i < MEMBERS.length; i++) {
    const value = given[MEMBERS[i]];
    if (value !== undefined) key[MEMBERS[i]] = String(value);
  }
  const { key_ops, ext, oth } = given;
  if (key_ops !== undefined) {
    if (!isArray(key_ops)) throw new TypeError("'key_ops' of a JWK is a list");
    key.key_ops = key_ops.map(String);
  }
  if (ext !== undefined) key.ext = Boolean(ext);
  if (oth !== undefined) key.oth = true;
  return key;
}
